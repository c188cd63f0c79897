"""Figures carry the commit that they were measured at, and those older than their code are marked."""

from __future__ import annotations

import subprocess
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


def test_a_change_far_below_marks_and_its_undoing_takes_the_mark_away(project: Path) -> None:
    assert figures.wrong_marks(project) == {}
    book = project / "src" / "paceline" / "book.py"
    book.write_text("Book = 2\n")
    wrong = figures.wrong_marks(project)
    assert sorted(wrong) == [2, 3]
    assert "src/paceline/book.py" in wrong[2] and figures.RENEW in wrong[2]
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
