"""Progress: few lines where there is no terminal, and what is left in them."""

from __future__ import annotations

from io import StringIO

import pytest

from paceline import progress
from paceline.progress import Lines, OneLine, progress_bar


class Clock:
    """Time that goes on when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


def test_a_step_has_a_line_when_it_begins_now_and_then_and_when_it_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock, lines = Clock(monkeypatch), Lines(every_s=30.0)
    for at in range(0, 1001, 10):
        lines.to(f"online: loss {at / 1000:.1f}", at, 1000)
        clock.now += 1.0
    lines.say("writing")
    lines.say("writing")
    assert capsys.readouterr().err.splitlines() == [
        "online 0 of 1,000: loss 0.0",
        "online 300 of 1,000: loss 0.3, 1:10 min left",
        "online 600 of 1,000: loss 0.6, 0:40 min left",
        "online 900 of 1,000: loss 0.9, 0:10 min left",
        "online 1,000 of 1,000: loss 1.0",
        "writing",
    ]


def test_a_step_that_goes_on_counts_what_is_left_from_where_it_began(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock, lines = Clock(monkeypatch), Lines(every_s=30.0)
    lines.to("online", 900, 1000)
    clock.now += 7200.0
    lines.to("online", 950, 1000)
    assert capsys.readouterr().err.splitlines()[-1] == "online 950 of 1,000, 2 h 00 min left"


def test_what_is_added_up_is_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Clock(monkeypatch)
    lines = Lines()
    for _ in range(4):
        lines.on("orders", 25, 100)
    assert capsys.readouterr().err.splitlines() == ["orders 25 of 100", "orders 100 of 100"]


def test_without_lines_there_is_silence_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress_bar() as bar:
        assert isinstance(bar, OneLine)
        bar.say("opening")
        bar.to("online: loss 1", 1, 2)
        bar.on("orders", 1, 2)
    with progress_bar(lines=True) as bar:
        assert isinstance(bar, Lines)
    assert capsys.readouterr().err == ""


def test_a_terminal_has_one_line_for_each_step() -> None:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=StringIO(), force_terminal=True)) as shown:
        bar = OneLine(shown)
        bar.to("clone: loss 2", 5, 10)
        bar.to("clone: loss 1", 10, 10)
        bar.to("online: loss 9", 1, 50)
        (task,) = shown.tasks
        assert (task.description, task.completed, task.total) == ("online: loss 9", 1, 50)
