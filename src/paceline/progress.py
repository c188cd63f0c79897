"""Progress: one line on a terminal that says what is done and how long the rest will take;
elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

_EVERY_S = 30.0
"""Seconds between lines where there is no terminal."""


class Bar(Protocol):
    """Who is told how far the work is. What is done may be told with details, `name: details`."""

    def say(self, what: str) -> None:
        """Name a step of unknown length."""

    def on(self, what: str, done: float, total: float) -> None:
        """`done` more of `total`."""

    def to(self, what: str, at: float, total: float) -> None:
        """`at` of `total`."""


class OneLine:
    """A progress bar on a terminal; silent elsewhere."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._task: Any = None
        self._name = ""

    def _show(self, what: str, total: float | None) -> None:
        name = what.partition(":")[0]
        if self._task is None or name != self._name:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(what, total=total)
            self._name = name

    def say(self, what: str) -> None:
        """See `Bar`."""
        self._show(what, None)
        self._progress.update(self._task, description=what)

    def on(self, what: str, done: float, total: float) -> None:
        """See `Bar`."""
        self._show(what, total)
        self._progress.update(self._task, description=what, advance=done)

    def to(self, what: str, at: float, total: float) -> None:
        """See `Bar`."""
        self._show(what, total)
        self._progress.update(self._task, description=what, completed=at, total=total)


class Lines:
    """A line on stderr for each step, and now and then in a long one."""

    def __init__(self, every_s: float = _EVERY_S) -> None:
        self._every_s, self._name = every_s, ""
        self._at = self._began_at = 0.0
        self._began = self._told = 0.0

    def say(self, what: str) -> None:
        """See `Bar`."""
        if self._begins(what, 0.0):
            self._print(what)

    def on(self, what: str, done: float, total: float) -> None:
        """See `Bar`."""
        begins = self._begins(what, 0.0)
        self._at = done if begins else self._at + done
        self._tell(what, total, begins)

    def to(self, what: str, at: float, total: float) -> None:
        """See `Bar`."""
        begins = self._begins(what, at)
        self._at = at
        self._tell(what, total, begins)

    def _begins(self, what: str, at: float) -> bool:
        name = what.partition(":")[0]
        if name == self._name:
            return False
        self._name, self._began_at = name, at
        self._began = self._told = time.monotonic()
        return True

    def _tell(self, what: str, total: float, begins: bool) -> None:
        now = time.monotonic()
        if not (begins or self._at >= total or now - self._told >= self._every_s):
            return
        done, left = self._at - self._began_at, ""
        if done > 0 and now > self._began and self._at < total:
            left = f", {_span((now - self._began) * (total - self._at) / done)} left"
        name, _, details = what.partition(":")
        self._print(
            f"{name} {self._at:,.0f} of {total:,.0f}{':' if details else ''}{details}{left}"
        )
        self._told = now

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes}:{rest:02d} min"


@contextmanager
def progress_bar(lines: bool = False) -> Iterator[Bar]:
    """A bar on stderr that is gone when the work is done; with `lines`, lines where there is no
    terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    if lines and not console.is_terminal:
        yield Lines()
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(),
        TimeElapsedColumn(), Remaining(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as p:
        yield OneLine(p)
