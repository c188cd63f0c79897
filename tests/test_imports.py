"""The house keeps its shape: who may import whom, what rooms are called, how light the door is."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "paceline"

GROUND = {"units", "errors", "documents", "config", "jit", "processor", "files"}
MAY_IMPORT = {
    "errors": set(),
    "jit": set(),
    "processor": {"jit"},
    "units": {"errors"},
    "documents": {"errors"},
    "config": {"errors", "documents"},
    "files": {"errors"},
    "orders": GROUND,
    "market": GROUND | {"orders"},
    "ingest": GROUND | {"orders", "market"},
    "cost": GROUND | {"orders"},
    "guard": GROUND | {"orders", "market"},
    "schedule": GROUND | {"orders", "cost", "guard"},
    "engine": GROUND | {"orders", "market", "cost"},
    "page": {"files"},
    "calibrate": GROUND | {"orders", "market", "cost", "engine", "realism", "page"},
    "decision": GROUND | {"orders", "market", "cost", "schedule", "guard"},
    "env": GROUND | {"orders", "market", "cost", "schedule", "engine", "guard", "decision"},
    "learn": GROUND | {"market", "cost", "guard", "decision", "env"},
    "realism": GROUND | {"orders", "market", "cost", "engine", "page"},
    "stress": GROUND | {"orders", "market", "engine", "page"},
    "evaluate": GROUND
    | {
        "orders",
        "market",
        "cost",
        "schedule",
        "engine",
        "decision",
        "env",
        "learn",
        "stress",
        "page",
    },
    "demo": GROUND
    | {"orders", "market", "ingest", "cost", "schedule", "engine", "env", "learn", "evaluate"},
    "progress": set(),
    "cli": GROUND
    | {"orders", "market", "ingest", "cost", "schedule", "engine", "realism"}
    | {"calibrate", "stress", "decision", "env", "learn", "evaluate"}
    | {"demo", "progress"},
    "__main__": {"cli"},
}
"""Room -> rooms it may import, besides itself. `docs/architecture.md` shows the same table."""

NAMES_THAT_SAY_NOTHING = {"utils", "util", "common", "helpers", "base", "impl", "manager"}
MOST_LINES = 420
HEAVY = {
    "numba",
    "llvmlite",
    "pyarrow",
    "matplotlib",
    "jinja2",
    "rich",
    "yaml",
    "scipy",
    "pandas",
    "sklearn",
    "torch",
    "onnx",
    "onnxruntime",
    "safetensors",
    "tensorboard",
    "stable_baselines3",
}

MODULES = sorted(PACKAGE.rglob("*.py"))


class Import(NamedTuple):
    """One import of one of paceline's own modules."""

    line: int
    module: str
    """Dotted, without `paceline.`; empty for the package itself."""


def dotted(path: Path) -> list[str]:
    """Names from the package down to the module: `cost/impact.py` is [cost, impact]."""
    names = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return names[:-1] if names[-1] == "__init__" else names


def room(path: Path) -> str:
    """The top folder or module that `path` lies in; empty for the package's own `__init__`."""
    return "".join(dotted(path)[:1])


def own_imports(source: str, package: list[str]) -> Iterator[Import]:
    """Every import of paceline in `source`, at the top, inside functions and for types alike."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            full = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = ["paceline", *package][: len(package) + 2 - node.level] if node.level else []
            start = ".".join([*above, *filter(None, [node.module])])
            full = [f"{start}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in full:
            if name.split(".")[0] == "paceline":
                yield Import(node.lineno, name.partition(".")[2])


def wrong_imports(path: Path, source: str) -> list[str]:
    """One line for each import of `path` that points the wrong way."""
    here = room(path)
    package = dotted(path) if path.name == "__init__.py" else dotted(path)[:-1]
    rooms = {room(module) for module in MODULES} - {""}
    return [
        f"{path.relative_to(ROOT)}:{line}: {here or 'paceline'} may not import {there}"
        f" (it may import: {', '.join(sorted(MAY_IMPORT.get(here, set()))) or 'nothing'})"
        for line, module in own_imports(source, package)
        if (there := module.split(".")[0]) in rooms | set(MAY_IMPORT)
        and there != here
        and there not in MAY_IMPORT.get(here, set())
    ]


def test_imports_point_one_way() -> None:
    wrong = [line for path in MODULES for line in wrong_imports(path, path.read_text())]
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("engine/a.py", "from paceline.guard.rules import Rule"),
        ("engine/a.py", "from paceline import evaluate"),
        ("engine/a.py", "import paceline.schedule.pov as pov"),
        ("cost/a.py", "def f():\n    from paceline.market.tape import Tape"),
        ("cost/a.py", "from ..market import tape"),
        ("cost/__init__.py", "from ..market.tape import Tape"),
        ("schedule/a.py", "if TYPE_CHECKING:\n    from paceline.engine.venue import Venue"),
        ("evaluate/a.py", "from paceline.cli import main"),
        ("units.py", "from paceline.orders.fill import Fill"),
        ("__init__.py", "from paceline.market.tape import Tape"),
    ],
)
def test_an_import_the_wrong_way_is_found(path: str, source: str) -> None:
    assert wrong_imports(PACKAGE / path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("engine/a.py", "from paceline.market.book import Book\nfrom . import queue"),
        ("cli/a.py", "from paceline.evaluate.report import write"),
        ("evaluate/a.py", "import paceline\nfrom paceline import __version__"),
        ("cost/a.py", "from .impact import Impact\nfrom ..units import BPS"),
    ],
)
def test_an_import_the_right_way_is_not(path: str, source: str) -> None:
    assert wrong_imports(PACKAGE / path, source) == []


def test_every_room_has_its_rule() -> None:
    assert {room(path) for path in MODULES} - {""} <= set(MAY_IMPORT)


def test_no_rule_leads_in_a_circle() -> None:
    left = {name: set(below) for name, below in MAY_IMPORT.items()}
    while ready := [name for name, below in left.items() if not below & set(left)]:
        for name in ready:
            del left[name]
    assert not left


def test_engine_and_guard_never_meet() -> None:
    assert "guard" not in MAY_IMPORT["engine"]
    assert "engine" not in MAY_IMPORT["guard"]


def test_the_page_shows_the_same_rules() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    shown = {}
    for names, below in re.findall(r"^\| (`[^|]+) \| [^|]+ \| ([^|]*) \|$", page, re.MULTILINE):
        may = set(re.findall(r"`(\w+)", below)) | (GROUND if "ground" in below else set())
        shown.update(dict.fromkeys(re.findall(r"`(\w+)(?:\.py|/)`", names), may))
    rooms = {room(path) for path in MODULES} - {""}
    assert shown == {name: MAY_IMPORT[name] for name in rooms}


def test_names_say_something() -> None:
    empty = [str(p.relative_to(ROOT)) for p in MODULES if NAMES_THAT_SAY_NOTHING & set(dotted(p))]
    assert not empty, f"name what is in it: {', '.join(empty)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_stays_a_room_to_live_in(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= MOST_LINES, f"{path.relative_to(ROOT)} has {lines} lines; split it"


def undocumented(tree: ast.Module | ast.ClassDef, owner: str) -> Iterator[str]:
    """Public names without a docstring. A method of one line may speak for itself."""
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        name = f"{owner}{node.name}"
        speaks_for_itself = isinstance(tree, ast.ClassDef) and len(node.body) == 1
        if ast.get_docstring(node) is None and not speaks_for_itself:
            yield f"{name} (line {node.lineno})"
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node, f"{name}.")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_is_public_is_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path.relative_to(ROOT)} does not say what it is"
    silent = list(undocumented(tree, ""))
    assert not silent, f"{path.relative_to(ROOT)}: no docstring on {', '.join(silent)}"


def test_every_exception_stands_in_the_drawn_tree() -> None:
    """Exceptions live in errors.py (whose drawing `test_errors` checks) and nowhere else."""
    elsewhere = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in MODULES
        if room(path) != "errors"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(b).endswith(("Error", "Exception", "Warning")) for b in node.bases)
    ]
    assert not elsewhere, f"draw them in errors.py: {', '.join(elsewhere)}"


@pytest.mark.parametrize(
    "start",
    [
        "import paceline",
        "import paceline.config, paceline.errors, paceline.units",
        "import paceline.orders.order, paceline.orders.fill, paceline.orders.schema",
        "import paceline.cli",
        "import sys; sys.argv = ['paceline', '--help']; from paceline.cli import main; main()",
    ],
)
def test_the_door_is_light(start: str) -> None:
    """What every command pays for pulls in no heavy library."""
    program = f"""
import json, sys
try:
    exec({start!r})
except SystemExit as stop:
    assert not stop.code, stop.code
print()
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert not loaded & HEAVY, f"`{start}` imports {', '.join(sorted(loaded & HEAVY))}"
