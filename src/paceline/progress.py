"""Progress on a terminal: one line that says what is done and how long the rest will take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Bar:
    """A progress bar on a terminal; silent elsewhere."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._task: Any = None
        self._what = ""

    def _show(self, what: str, total: float | None) -> None:
        if self._task is None or what != self._what:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(what, total=total)
            self._what = what

    def say(self, what: str) -> None:
        """Name a step of unknown length."""
        self._show(what, None)

    def on(self, what: str, done: float, total: float) -> None:
        """`done` more of `total`."""
        self._show(what, total)
        self._progress.update(self._task, advance=done)

    def to(self, what: str, at: float, total: float) -> None:
        """`at` of `total`."""
        if self._task is None:
            self._task = self._progress.add_task(what, total=total)
        self._progress.update(self._task, description=what, completed=at, total=total)


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """A bar on stderr that is gone when the work is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        Remaining(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as p:
        yield Bar(p)
