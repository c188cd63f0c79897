"""The figures of `benchmarks/README.md` carry the commit that they were measured at; this marks
those that are older than their code.

    python -m benchmarks.figures           which marks are wrong; exit status 1 if any is
    python -m benchmarks.figures --mark    put the marks right

A figure is older than its code when a file that its benchmark depends on differs between the commit
and the working tree: the modules that it imports, directly or through others, wherever in a file
the import stands, the scripts of peers that it runs, and the recipes and markets that it names. The
commit then ends in `†`. Only measuring again takes the mark away.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = "benchmarks/README.md"
MARK = "†"
RENEW = "python -m benchmarks.figures --mark"

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+((?:paceline|benchmarks)[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)"
    r"|import[ \t]+((?:paceline|benchmarks)[\w.]*))",
    re.MULTILINE,
)
_QUOTED = re.compile(r"""["']([\w./ -]+)["']""")
_NAMED = re.compile(r"\bpaceline(?:\.\w+)+")


class Figure(NamedTuple):
    """A row of the table."""

    line: int  # of the page, from 0
    bench: str
    commit: str
    marked: bool


def figures(page: str) -> list[Figure]:
    """The rows of the page's table. Raises `ValueError` for one that has no benchmark or commit."""
    found: list[Figure] = []
    for line, text in enumerate(page.splitlines()):
        cells = [cell.strip() for cell in text.strip().strip("|").split("|")]
        if not text.startswith("|") or cells[0] == "what" or set(cells[0]) <= set("-: "):
            continue
        named = re.search(r"python -m benchmarks\.(\w+)", cells[1])
        bench = named[1] if named else found[-1].bench if "the same" in cells[1] and found else ""
        commit = re.fullmatch(rf"([0-9a-f]{{7,40}}) ?({MARK}?)", cells[-1])
        if not bench or not commit:
            raise ValueError(
                f"{PAGE}:{line + 1}: a row ends with the commit that it was measured at, and its "
                f"command names a benchmark: {text[:60]}…"
            )
        found.append(Figure(line, bench, commit[1], bool(commit[2])))
    return found


def files_of(bench: str, root: Path = ROOT) -> set[str]:
    """The files that a benchmark depends on, as paths below `root`."""
    start = root / "benchmarks" / f"{bench}.py"
    data = {path.name: path for path in root.glob("benchmarks/peers/*") if path.is_file()}
    for pattern in ("benchmarks/recipes/*.yaml", "src/paceline/*/shipped_*/*.yaml"):
        for path in root.glob(pattern):
            data[path.stem] = data[path.name] = path
    found, ahead = {start}, [start]
    while ahead:
        path = ahead.pop()
        text = path.read_text()
        named = [*_imports(text, root)]
        if path.is_relative_to(root / "benchmarks"):
            words = [word.rsplit("/", 1)[-1] for word in _QUOTED.findall(text)]
            named += [data[word] for word in words if word in data]
            for module in _NAMED.findall(text):  # in code that it hands to another process
                named += _modules(root / "src" / Path(*module.split(".")))
        for other in named:
            if other not in found:
                found.add(other)
                if other.suffix == ".py":
                    ahead.append(other)
    return {path.relative_to(root).as_posix() for path in found}


@cache
def _imports(text: str, root: Path) -> tuple[Path, ...]:
    """The modules that a source names in its imports; many figures depend on the same ones."""
    found: list[Path] = []
    for module, names, plain in _IMPORT.findall(text):
        parts = (module or plain).split(".")
        inside = (root / "src" if parts[0] == "paceline" else root).joinpath(*parts)
        for name in re.findall(r"\w+", names):  # a comment or an `as` adds names that lead nowhere
            found += _modules(inside / name)
        found += _modules(inside)
    return tuple(found)


def _modules(path: Path) -> list[Path]:
    places = (path.with_suffix(".py"), path / "__init__.py")
    return [place for place in places if place.is_file()][:1]


def changed_since(commit: str, root: Path = ROOT) -> set[str]:
    """The files that differ between a commit and the working tree. Raises `LookupError` if the
    repository does not have the commit, or there is none."""
    try:
        done = subprocess.run(
            ["git", "diff", "--name-only", "--no-renames", "--end-of-options", commit, "--"],
            cwd=root, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise LookupError("there is no git") from None
    if done.returncode:
        raise LookupError(f"{commit}: {done.stderr.strip().splitlines()[0]}")
    return set(done.stdout.splitlines())


def wrong_marks(root: Path = ROOT) -> dict[int, str]:
    """What is wrong with the mark of a row, by the line of the page, from 0."""
    wrong: dict[int, str] = {}
    changes: dict[str, set[str]] = {}
    for figure in figures((root / PAGE).read_text()):
        if figure.commit not in changes:
            changes[figure.commit] = changed_since(figure.commit, root)
        differ = sorted(files_of(figure.bench, root) & changes[figure.commit])
        what = f"{PAGE}:{figure.line + 1}: {figure.bench} at {figure.commit}"
        if differ and not figure.marked:
            more = f" and {len(differ) - 1} more" if len(differ) > 1 else ""
            wrong[figure.line] = (
                f"{what} is older than its code ({differ[0]}{more}); measure again, or: {RENEW}"
            )
        elif figure.marked and not differ:
            wrong[figure.line] = f"{what} is marked, and its code is what was measured; run {RENEW}"
    return wrong


def put_right(root: Path = ROOT) -> int:
    """Set the mark where it is missing, take it away where it is wrong; returns how many were."""
    page = root / PAGE
    lines = page.read_text().splitlines(keepends=True)
    wrong = wrong_marks(root)
    for figure in figures(page.read_text()):
        if figure.line in wrong:
            head, _, tail = lines[figure.line].rpartition(figure.commit)
            end = tail[tail.index("|") :]
            lines[figure.line] = f"{head}{figure.commit}{'' if figure.marked else f' {MARK}'} {end}"
    page.write_text("".join(lines))
    return len(wrong)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.figures",
        description=f"Check the marks ({MARK}) of figures that are older than their code.",
    )
    parser.add_argument("--mark", action="store_true", help="put them right")
    try:
        if parser.parse_args().mark:
            print(f"figures: {put_right()} marks changed in {PAGE}")
            return 0
        wrong = wrong_marks()
    except (LookupError, ValueError) as error:
        print(f"figures: {error}", file=sys.stderr)
        return 2
    print("\n".join(wrong.values()) or "figures: all marks are right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
