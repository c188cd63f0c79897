"""Figures carry the commit that they were measured at; those older than their code are marked. And
the comparison with an earlier commit says what it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import figures, regress

ROOT = Path(__file__).parents[1]


def git(folder: Path, *words: str) -> str:
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    done = subprocess.run(
        ["git", *author, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def has_history() -> bool:
    try:
        return not regress.is_shallow() and regress.commit_of("HEAD") is not None
    except SystemExit:
        return False


@pytest.mark.skipif(not has_history(), reason="needs the history of the repository")
def test_figures_older_than_their_code_are_marked() -> None:
    assert list(figures.wrong_marks().values()) == []


@pytest.mark.skipif(not has_history(), reason="needs the history of the repository")
def test_the_base_of_regress_is_a_commit() -> None:
    assert regress.commit_of(regress.named()) is not None


def test_what_a_benchmark_depends_on() -> None:
    seek = figures.files_of("seek")
    assert {"benchmarks/seek.py", "benchmarks/figure.py", "src/paceline/market/book.py"} <= seek
    assert not any(name.startswith(("src/paceline/learn/", "benchmarks/peers/")) for name in seek)
    assert "benchmarks/peers/hftbacktest_replay.py" in figures.files_of("replay_l3")
    assert "benchmarks/recipes/ac-world.yaml" in figures.files_of("policy_ac_world")
    assert "src/paceline/engine/shipped_markets/yhoo-2003.yaml" in figures.files_of("decision")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a benchmark, what it imports, what it does not, and its figure."""
    package, benchmarks = tmp_path / "src" / "paceline", tmp_path / "benchmarks"
    package.mkdir(parents=True)
    benchmarks.mkdir()
    (package / "engine.py").write_text("def f():\n    from paceline.book import Book\n")
    (package / "book.py").write_text("Book = 1\n")
    (package / "page.py").write_text("COLOUR = 1\n")
    (benchmarks / "speed.py").write_text("from paceline.engine import (\n    f,\n)\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "measured")
    write_table(tmp_path, git(tmp_path, "rev-parse", "HEAD")[:10])
    return tmp_path


def write_table(project: Path, commit: str) -> None:
    (project / figures.PAGE).write_text(
        "| what | command | value | bar | date | commit |\n|---|---|---|---|---|---|\n"
        f"| speed | `python -m benchmarks.speed` | 5 | ≥ 4 | 2026-01-05 | {commit} |\n"
        f"| size | the same | 7 | ≥ 4 | 2026-01-05 | {commit} |\n"
    )


def marks(project: Path) -> list[bool]:
    return [row.marked for row in figures.figures((project / figures.PAGE).read_text())]


def test_a_change_far_below_marks_and_its_undoing_takes_the_mark_away(project: Path) -> None:
    assert figures.wrong_marks(project) == {}
    book = project / "src" / "paceline" / "book.py"
    book.write_text("Book = 2\n")
    wrong = figures.wrong_marks(project)
    assert sorted(wrong) == [2, 3]
    assert "src/paceline/book.py" in wrong[2]
    assert figures.RENEW in wrong[2]
    assert figures.put_right(project) == 2
    assert figures.wrong_marks(project) == {}
    assert [row.marked for row in figures.figures((project / figures.PAGE).read_text())] == [
        True
    ] * 2
    book.write_text("Book = 1\n")
    assert sorted(figures.wrong_marks(project)) == [2, 3]
    assert figures.put_right(project) == 2
    assert [row.marked for row in figures.figures((project / figures.PAGE).read_text())] == [
        False
    ] * 2


def test_what_is_not_imported_marks_nothing(project: Path) -> None:
    (project / "src" / "paceline" / "page.py").write_text("COLOUR = 2\n")
    assert figures.wrong_marks(project) == {}


def test_a_row_without_a_commit_and_a_commit_that_is_not_there_are_named(project: Path) -> None:
    write_table(project, "soon")
    with pytest.raises(ValueError, match=r"benchmarks/README.md:3: a row ends with the commit"):
        figures.wrong_marks(project)
    write_table(project, "0123456789")
    with pytest.raises(LookupError, match="0123456789"):
        figures.wrong_marks(project)


def run_regress(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder / "src"), str(folder)])
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.regress", *words],
        cwd=folder, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_a_base_that_is_not_there_is_one_line_with_the_remedy() -> None:
    done = run_regress(ROOT, "no-such-commit")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line == (
        "regress: base: 'no-such-commit' is no commit of this repository; fetch it "
        "(git fetch --unshallow, or git fetch origin COMMIT) or name another one"
    )


@pytest.mark.skipif(not has_history(), reason="needs the history of the repository")
def test_a_shallow_clone_without_the_base_is_not_compared(tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{ROOT}", "clone")
    clone = tmp_path / "clone"
    base = "1" * 40
    (clone / "benchmarks" / "BASE").write_text(f"# a comment\n{base}\n")
    done = run_regress(clone, "--short")
    assert done.returncode == 0
    assert done.stdout == (
        f"regress: {base} (benchmarks/BASE) is not in this shallow clone; not compared\n"
    )
    assert run_regress(clone).returncode == 2  # asked for by a person, it is an error


def test_the_package_of_a_commit_is_laid_out_as_it_was(project: Path, tmp_path: Path) -> None:
    commit = git(project, "rev-parse", "HEAD")
    (project / "src" / "paceline" / "book.py").write_text("Book = 2\n")
    regress.lay_out(commit, tmp_path / "there", project)
    assert (tmp_path / "there" / "src" / "paceline" / "book.py").read_text() == "Book = 1\n"
    assert not (tmp_path / "there" / "benchmarks").exists()
