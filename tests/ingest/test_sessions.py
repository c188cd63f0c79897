"""Sessions as they are given: with breaks, from the evening before, on days of 23 hours."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from engine.flows import rows_of
from paceline.engine.exchange import Exchange
from paceline.engine.venue import Latency, Venue
from paceline.ingest import ingest, load
from paceline.ingest.breaks import with_breaks
from paceline.market.drawing import portrait_text
from paceline.market.events import HALT, KIND_NAMES, RESUME
from paceline.market.halts import halts_of
from paceline.market.portrait import portrait_of
from paceline.market.session import Session, at_wall_clock, clock
from paceline.market.tape import Tape

S = 10**9
MAPPING = {
    "time": "t", "time_unit": "ns", "kind": "k", "side": "s", "price": "p", "size": "q",
    "kinds": {"L": "level", "T": "trade", "H": "halt", "R": "resume"},
    "sides": {"b": "bid", "a": "ask", "": "none"},
}  # fmt: skip
AT_ONCE = Venue(
    submit=Latency.constant(0), ack=Latency.constant(0), market_data=Latency.constant(0)
)
LUNCH = "09:30-11:30,13:00-14:57"


def written(folder: Path, day: str, zone: str, rows: list[tuple[str, str]]) -> Path:
    """A table of levels: (time of day, the rest of the row)."""
    lines = ["t,k,s,p,q"]
    for text, rest in rows:
        hours, minutes, seconds = (float(part) for part in text.split(":"))
        wall = round((hours * 3600 + minutes * 60 + seconds) * S)
        lines.append(f"{at_wall_clock(wall, day, zone)},{rest}")
    path = folder / "X.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def lunch(tmp_path: Path) -> Tape:
    """A day with a lunch break, in which a quote moves (and crosses whoever bids 100.10)."""
    path = written(tmp_path, "2024-03-04", "Asia/Shanghai", [
        ("09:30:00", "L,b,100.00,5"), ("09:30:00", "L,a,100.20,5"),
        ("11:20:00", "T,a,100.20,1"), ("11:20:00", "L,a,100.20,4"),
        ("12:00:00", "L,a,100.05,7"), ("12:30:00", "L,a,100.05,0"),
        ("13:00:00", "L,b,100.00,6"), ("14:56:00", "L,b,100.00,5"),
    ])  # fmt: skip
    return load(path, mapping=MAPPING, zone="Asia/Shanghai", session=LUNCH)


def test_a_session_with_a_break(lunch: Tape) -> None:
    zone = lunch.session.zone
    spans = [(clock(a, zone), clock(b, zone)) for a, b in lunch.session.phases]
    assert spans == [("09:30:00", "11:30:00"), ("13:00:00", "14:57:00")]
    assert lunch.session.trading_s == (2 + 1.95) * 3600
    assert [KIND_NAMES[kind] for kind in lunch.events.kind.tolist()] == [
        "level", "level", "trade", "level", "halt", "level", "level", "resume", "level", "level",
    ]  # fmt: skip
    assert [[clock(ts, zone) for ts in span] for span in halts_of(lunch).tolist()] == [
        ["11:30:00", "13:00:00"]
    ]
    found = lunch.manifest.quality.findings
    assert found["halt"].count == 0
    assert found["gap"].count == 3  # of the two phases; the break is no silence
    text = portrait_text(portrait_of(lunch))
    assert "session 09:30–11:30, 13:00–14:57\n" in text
    assert "trading stopped 11:30:00–13:00:00\n" in text


def test_nothing_is_filled_or_taken_in_a_break(lunch: Tape) -> None:
    exchange = Exchange(lunch, AT_ONCE)
    exchange.seek(at_wall_clock(41_000 * S, "2024-03-04", "Asia/Shanghai"))  # 11:23:20
    rests = exchange.submit(side=1, lots=3, price="100.10")
    exchange.advance(at_wall_clock(44_000 * S, "2024-03-04", "Asia/Shanghai"))  # 12:13:20
    late = exchange.submit(side=1, lots=3, price="100.10")
    exchange.advance(at_wall_clock(46_700 * S, "2024-03-04", "Asia/Shanghai"))
    assert exchange.order(rests).state == "resting"
    assert exchange.order(late).state == "rejected"
    assert exchange.fills() == []
    exchange.advance(at_wall_clock(46_801 * S, "2024-03-04", "Asia/Shanghai"))  # 13:00:01
    after = exchange.submit(side=1, lots=3, price="100.20", type="ioc")
    exchange.advance(at_wall_clock(46_802 * S, "2024-03-04", "Asia/Shanghai"))
    assert exchange.order(after).state == "filled"


def test_halts_of_the_feed_and_breaks_go_together() -> None:
    """(events of the feed) -> when trading was stopped, in seconds."""
    session = Session(
        day="1970-01-01", zone="UTC", open_ns=0, close_ns=100 * S, breaks=((20 * S, 30 * S),)
    )
    for said, stopped in (
        ([], [(20, 30)]),
        ([(15, HALT), (40, RESUME)], [(15, 40)]),
        ([(15, HALT), (25, RESUME)], [(15, 30)]),
        ([(22, HALT), (24, RESUME)], [(20, 30)]),
        ([(22, HALT)], [(20, 100)]),
        ([(5, HALT), (6, RESUME), (35, HALT), (36, RESUME)], [(5, 6), (20, 30), (35, 36)]),
    ):
        whole = [(0, 1, 1, 100, 5, 0), *((s * S, kind, 0, 0, 0, -1) for s, kind in said)]
        rows = rows_of([*whole, (50 * S, 1, 1, 99, 5, 1)])
        made, origin = with_breaks(rows, np.arange(len(rows.ts)), session)
        assert (np.diff(made.ts) >= 0).all()
        assert len(origin) == len(made.ts)
        halted, since, spans = False, 0, []
        for ts, kind in zip(made.ts.tolist(), made.kind.tolist(), strict=True):
            if kind == HALT and not halted:
                halted, since = True, ts // S
            elif kind == RESUME and halted:
                halted = False
                if ts // S > since:
                    spans.append((since, ts // S))
        spans += [(since, 100)] if halted else []
        joined = spans[:1]
        for span in spans[1:]:
            if span[0] == joined[-1][1]:
                joined[-1] = (joined[-1][0], span[1])
            else:
                joined.append(span)
        assert joined == stopped, said


def test_a_night_is_of_the_day_on_which_it_closes(tmp_path: Path) -> None:
    """From Sunday evening on: one tape a trading day. The clocks went forward on 2024-03-10."""
    rows = [
        (f"{hour}:30:00", f"L,{side},{price},{hour + 30}")
        for hour in range(-5, 41)
        for side, price in (("b", 100), ("a", 101))
        if hour != 17
    ]
    path = written(tmp_path, "2024-03-11", "America/New_York", rows)
    made = ingest(path, tmp_path / "out", mapping=MAPPING, zone="America/New_York",
                  session="18:00-17:00")  # fmt: skip
    tapes = [Tape.open(folder) for folder in made]
    assert [tape.name for tape in tapes] == ["X-2024-03-11", "X-2024-03-12"]
    assert [len(tape) for tape in tapes] == [44, 46]
    first = tapes[0].session
    assert first.open_ns == datetime.fromisoformat("2024-03-10T22:00:00+00:00").timestamp() * S
    assert first.close_ns == datetime.fromisoformat("2024-03-11T21:00:00+00:00").timestamp() * S
    assert "session 2024-03-10 18:00–17:00\n" in portrait_text(portrait_of(tapes[0]))


def test_rows_outside_the_session_are_counted(tmp_path: Path) -> None:
    rows = [("10:00:00", "L,b,1,5"), ("11:00:00", "L,a,2,5"), ("17:00:00", "L,a,2,6")]
    path = written(tmp_path, "2024-03-04", "UTC", rows)
    for session, count, first in (("10:00-16:00", 1, 4), ("16:00-09:30", 3, 2)):
        tape = load(path, mapping=MAPPING, session=session, day="2024-03-04")
        found = tape.manifest.quality.findings["outside_session"]
        assert (found.count, found.first_row) == (count, first)


def test_seconds_of_a_lobster_day_are_of_the_wall_clock(tmp_path: Path) -> None:
    """2024-03-10 has 23 hours in New York: its row at 34,200 s is of 09:30, 13:30 UTC."""
    path = tmp_path / "TEST_2024-03-10_34200000_57600000_message_1.csv"
    path.write_text("34200.5,1,1,100,1000000,1\n57600,1,2,100,1000100,-1\n")
    tape = load(path)
    assert clock(int(tape.events.ts[0]), "America/New_York") == "09:30:00"
    assert int(tape.events.ts[0]) - tape.session.open_ns == S // 2
    assert int(tape.events.ts[1]) == tape.session.close_ns
