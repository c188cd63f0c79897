"""The guard stands alone: what it loads knows no policy, and nothing in it learns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import paceline.guard

MODULES = sorted(path.stem for path in Path(paceline.guard.__path__[0]).glob("[a-z]*.py"))
ROOMS = {"errors", "documents", "files", "jit", "units", "config", "orders", "market", "guard"}
LEARNS = {"torch", "sklearn", "onnxruntime", "gymnasium", "pandas"}


def test_the_guard_loads_nothing_that_learns() -> None:
    assert len(MODULES) > 9
    imports = "; ".join(f"import paceline.guard.{name}" for name in MODULES)
    code = f"import json, sys; {imports}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = [name.split(".") for name in json.loads(done.stdout)]
    assert {name[1] for name in loaded if name[0] == "paceline" and len(name) > 1} <= ROOMS
    assert not LEARNS & {name[0] for name in loaded}
