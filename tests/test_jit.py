"""The one way to compile a kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numba
import pytest

import paceline.jit
from paceline.jit import inlined, inner, kernel


def _twice(x: int) -> int:
    return 2 * x


@pytest.mark.parametrize("decorate", [inner, inlined])
def test_what_only_kernels_may_call_refuses_python_and_serves_kernels(decorate):
    twice = decorate(_twice)

    @kernel
    def thrice(x: int) -> int:
        return twice(x) + x

    assert thrice(5) == 15
    if hasattr(twice, "py_func"):  # compiled
        with pytest.raises(TypeError, match="_twice: only kernels can call it"):
            twice(5)


def test_kernels_are_kept_in_one_place_whoever_imported_numba_first(tmp_path):
    for first in ("numba", "paceline.jit"):
        (tmp_path / first).mkdir()
        (tmp_path / first / "one.py").write_text(
            f"import {first}\nfrom paceline.jit import kernel\n@kernel\ndef two(x):\n"
            "    return 2 * x\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", "import one; assert one.two(2) == 4"],
            cwd=tmp_path / first,
            env={
                **{k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"},
                "XDG_CACHE_HOME": str(tmp_path / f"{first}-cache"),
                "PYTHONDONTWRITEBYTECODE": "1",
                "NUMBA_DISABLE_JIT": "0",
            },
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert [path.name for path in (tmp_path / first).iterdir()] == ["one.py"]
        assert list((tmp_path / f"{first}-cache").rglob("*.nbi"))


def test_a_kernel_is_kept_under_the_content_of_all_that_it_may_call(tmp_path):
    """In copies of the package: only an edit that can reach `market.book` gives it a new name."""
    found = {
        edited: _digest_of_book(tmp_path / edited.replace("/", "-"), edited)
        for edited in (
            "",
            "market/book.py",
            "processor.py",
            "jit.py",
            "market/tape.py",
            "cli/log.py",
        )
    }
    changed = {edited for edited, digest in found.items() if digest != found[""]}
    assert changed == {"market/book.py", "processor.py", "jit.py"}


def _digest_of_book(where: Path, edited: str) -> str:
    """The name of `market/book.py` in a copy of the package, `edited` there by a comment."""
    package = where / "paceline"
    shutil.copytree(
        Path(paceline.jit.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    if edited:
        with open(package / edited, "a") as source:
            source.write("# edited\n")
    ask = (
        "from pathlib import Path; from paceline import jit;"
        f"print(jit.content_digest(Path({str(package / 'market/book.py')!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask],
        env=os.environ | {"PYTHONPATH": str(where)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_kernels_tell_named_tuples_apart_by_the_names_of_their_fields():
    """`first` reads a place: a kept kernel of the one would read the wrong field of the other."""
    if not hasattr(_first, "py_func"):
        pytest.skip("nothing is compiled")
    one = numba.typeof(NamedTuple("Pair", [("first", int), ("second", int)])(1, 2))
    other = numba.typeof(NamedTuple("Pair", [("second", int), ("first", int)])(1, 2))
    codegen = numba.core.registry.cpu_target.target_context.codegen()
    keys = [_first._cache._index_key((kind,), codegen)[1:] for kind in (one, other)]
    assert keys[0] != keys[1]


@kernel
def _first(pair: NamedTuple) -> int:
    return pair.first
