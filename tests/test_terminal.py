"""The terminal as it is: any encoding, readers that leave, extras that are not installed, homes and
caches that are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import paceline
from env.market_days import DAYS, random_day

SOURCE = str(Path(paceline.__file__).parents[1])


def process(
    *words: str, program: str = "-m paceline", **env: str
) -> subprocess.CompletedProcess[str]:
    """`python -m paceline WORDS` in a process of its own."""
    return subprocess.run(
        [sys.executable, *program.split(" ", 1), *words],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": SOURCE, "COLUMNS": "80", **env},
        encoding="latin-1",
        check=False,
    )


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tapes") / f"TINY-{DAYS[0]}.tape"
    random_day(1, DAYS[0]).save(folder)
    return str(folder)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "cp437", "utf-8", "shift_jis"])
def test_output_survives_any_encoding(tape: str, encoding: str) -> None:
    done = process("inspect", tape, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "TINY" in done.stdout
    if encoding == "ascii":
        assert "?" not in done.stdout, "everything that is printed has a form in ASCII"


def test_what_is_in_a_tape_and_the_settings_of_a_recipe_fit_the_window(tape: str) -> None:
    for words in (("inspect", tape), ("train", "--settings")):
        done = process(*words, PYTHONIOENCODING="utf-8")
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.encode("latin-1").decode().splitlines()
        assert max(map(len, lines)) <= 80
        assert "\N{HORIZONTAL ELLIPSIS}" not in "".join(lines)
    told = " ".join(" ".join(lines).split())
    assert '["touch", "inside", "mid", "take"]' in told
    assert "ActionSet(" not in told, "a group is told setting by setting"
    assert "online: Learn by working: on tapes, or in markets where there are none. [{" in told


def test_a_line_of_error_survives_it_too() -> None:
    done = process("backtest", "--tape", "/caf\u00e9\u2013", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "/caf?- is not there" in done.stderr


def test_tables_are_plain_where_the_encoding_is() -> None:
    done = process("features", "list", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "near_0_steps" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


@pytest.mark.parametrize(
    "words", ["schema", "--help", "features list", "backtest --help", "stress"]
)
@pytest.mark.parametrize("lines", [0, 1])
def test_a_reader_that_leaves_is_no_error(words: str, lines: int) -> None:
    command = f"{sys.executable} -m paceline {words} | head -{lines}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": SOURCE}, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_output_is_no_error() -> None:
    command = f"{sys.executable} -m paceline schema >&-"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": SOURCE}, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


MISSING = """\
import sys
for name in {names!r}: sys.modules[name] = None
from paceline.cli import main
sys.exit(main({words!r}))
"""


@pytest.mark.parametrize(
    ("package", "words", "says"),
    [
        ("torch", ["train", "demo", "-o", "OUT"], "torch: is not installed; install it with pip"),
        ("onnx", ["train", "demo", "-o", "OUT"], "onnx: is not installed; install it with pip"),
    ],
)
def test_an_extra_that_is_missing_is_one_line(
    tmp_path: Path, package: str, words: list[str], says: str
) -> None:
    code = MISSING.format(names=[package], words=[w.replace("OUT", str(tmp_path)) for w in words])
    done = process(program=f"-c {code}", NUMBA_DISABLE_JIT="1")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"paceline {words[0]}: {says} install 'paceline[learn]'")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [], "known before anything is done"


def test_a_module_of_our_own_that_is_missing_is_a_fault_of_ours() -> None:
    code = MISSING.format(names=["paceline.orders.schema"], words=["schema"])
    done = process(program=f"-c {code}")
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


@pytest.mark.parametrize(
    "env",
    [
        {"XDG_CACHE_HOME": "/proc/nowhere"},
        {"XDG_CACHE_HOME": "", "HOME": "/proc/nowhere"},
        {"XDG_CACHE_HOME": "/dev/null"},
    ],
)
def test_kernels_are_kept_elsewhere_where_there_is_no_cache(
    tmp_path: Path, env: dict[str, str]
) -> None:
    code = (
        "from paceline.jit import kernel; import os\n"
        "folder = os.environ['NUMBA_CACHE_DIR']; print(folder)\n"
        "assert os.access(folder, os.W_OK)\n"
        "assert os.stat(folder).st_mode & 0o077 == 0, 'only the user writes code there'\n"
    )
    usual = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env={**usual, "PYTHONPATH": SOURCE, "TMPDIR": str(tmp_path), **env},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path / "paceline-kernels-"))


def test_figures_need_no_display(tape: str, tmp_path: Path) -> None:
    plot = tmp_path / "day.svg"
    done = process("inspect", tape, "--plot", str(plot), MPLBACKEND="TkAgg", DISPLAY="")
    assert (done.returncode, done.stderr) == (0, "")
    done = process("inspect", tape, "--plot", str(plot), MPLBACKEND="no-such-backend")
    assert (done.returncode, done.stderr) == (0, "")
    assert plot.stat().st_size > 1000
