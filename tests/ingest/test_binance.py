"""Binance captures: one sequence, gaps, snapshots, and tickers that know better."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paceline.errors import IngestError, PacelineError
from paceline.ingest import ingest, load
from paceline.ingest.quality import Limits
from paceline.market.events import KIND_NAMES
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

from .plain import replay

T0 = 1_717_767_000_000  # ms; 2024-06-07 13:30 UTC
MIDNIGHT = 37_800_000  # ms after T0
ANYTHING = Limits(max_bad_share=1.0, max_crossed_share=1.0, max_mismatch_share=1.0)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


Capture = list[tuple[int, dict[str, Any]]]
Write = Callable[[Capture], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(lines: Capture) -> Path:
        text = "".join(f"{(T0 + at) * 1_000_000 + 999} {json.dumps(m)}\n" for at, m in lines)
        path = tmp_path / "capture.gz"
        path.write_bytes(gzip.compress(text.encode()))
        return path

    return write


def depth(at: int, first: int, last: int, previous: int, bids: str, asks: str) -> dict[str, Any]:
    """A futures update; levels as "price:size price:size"."""

    def pairs(text: str) -> list[list[str]]:
        return [level.split(":") for level in text.split()]

    data = {"e": "depthUpdate", "E": T0 + at + 1, "T": T0 + at, "s": "BTCUSDT", "U": first,
            "u": last, "pu": previous, "b": pairs(bids), "a": pairs(asks)}  # fmt: skip
    return {"stream": "btcusdt@depth", "data": data}


def ticker(at: int, last: int, bid: str, ask: str) -> dict[str, Any]:
    (b, bq), (a, aq) = bid.split(":"), ask.split(":")
    data = {"e": "bookTicker", "u": last, "s": "BTCUSDT", "b": b, "B": bq, "a": a, "A": aq,
            "T": T0 + at, "E": T0 + at}  # fmt: skip
    return {"stream": "btcusdt@bookTicker", "data": data}


def trade(at: int, price: str, size: str, maker_bought: bool) -> dict[str, Any]:
    return {"e": "trade", "E": T0 + at, "T": T0 + at, "s": "BTCUSDT", "t": 1, "p": price,
            "q": size, "X": "MARKET", "m": maker_bought}  # fmt: skip


def told(tape: Tape) -> list[tuple[int, str, int, str, str]]:
    """(ms, kind, side, price, size) of every event."""
    e, i = tape.events, tape.instrument
    out = []
    for ts, kind, side, level, qty in zip(e.ts, e.kind, e.side, e.level, e.qty, strict=True):
        price = str(i.price(int(tape.level_ticks[level]))) if level >= 0 else ""
        size = str(i.quantity(int(qty)))
        out.append((int(ts) // 1_000_000 - T0, KIND_NAMES[int(kind)], int(side), price, size))
    return out


def test_a_capture_becomes_levels_and_trades(write: Write) -> None:
    path = write([
        (5, depth(0, 1, 4, 0, "100.1:1.500 100.0:2", "100.3:0.250")),
        (9, trade(7, "100.1", "0.5", True)),
        (12, depth(9, 5, 6, 4, "100.1:1.000", "100.3:0.250")),
        (13, {"stream": "btcusdt@markPrice", "data": {"e": "markPriceUpdate", "s": "BTCUSDT"}}),
        (14, depth(10, 7, 7, 6, "100.1:0.000", "")),
    ])  # fmt: skip
    tape = load(path)
    assert told(tape) == [
        (0, "level", 1, "100.1", "1.50"),
        (0, "level", 1, "100.0", "2.00"),
        (0, "level", -1, "100.3", "0.25"),
        (7, "trade", 1, "100.1", "0.50"),
        (9, "level", 1, "100.1", "1.00"),
        (10, "level", 1, "100.1", "0.00"),
    ]
    assert tape.instrument.book_tick == Decimal("0.1")
    assert tape.instrument.lot == Decimal("0.25")
    assert tape.instrument.currency == "USDT"
    assert tape.manifest.depth == "L2"
    assert tape.manifest.quality.findings["other_stream"].count == 1


def test_the_sequence_decides_and_not_the_sockets(write: Write) -> None:
    late = write([
        (5, depth(0, 1, 4, 0, "100.1:1", "100.3:1")),
        (6, ticker(3, 9, "100.2:7", "100.3:1")),
        (7, depth(2, 5, 8, 4, "100.1:3", "")),
    ])  # fmt: skip
    assert told(load(late)) == [
        (0, "level", 1, "100.1", "1"),
        (0, "level", -1, "100.3", "1"),
        (2, "level", 1, "100.1", "3"),
        (3, "level", 1, "100.2", "7"),
    ]


def test_a_ticker_takes_stale_levels_away(write: Write) -> None:
    tape = load(write([
        (5, depth(0, 1, 4, 0, "100.1:1 100.0:1", "100.3:1 100.4:2")),
        (6, ticker(3, 6, "100.3:7", "100.4:2")),
        (7, depth(5, 5, 8, 4, "100.3:7", "100.3:0 100.4:2")),
    ]))  # fmt: skip
    assert told(tape)[4:] == [(3, "level", -1, "100.3", "0"), (3, "level", 1, "100.3", "7")]
    findings = tape.manifest.quality.findings
    assert findings["trimmed_by_ticker"].count == 1
    assert findings["ticker_contradicted"].count == 0
    assert findings["crossed_book"].count == 0


def test_a_contradiction_is_counted(write: Write) -> None:
    tape = load(write([
        (5, ticker(0, 4, "100.1:1", "100.3:1")),
        (6, depth(3, 5, 8, 4, "100.1:2", "")),
    ]), limits=ANYTHING)  # fmt: skip
    found = tape.manifest.quality.findings["ticker_contradicted"]
    assert (found.count, found.first_row) == (1, 2)


def test_a_gap_clears_the_book(write: Write) -> None:
    tape = load(write([
        (5, depth(0, 1, 4, 0, "100.1:1 100.0:1", "100.3:1")),
        (6, depth(3, 7, 8, 6, "100.0:5", "100.2:5")),
    ]), limits=ANYTHING)  # fmt: skip
    *_, book = replay(tape)
    assert book.side(1) == [(1000, 5)]
    assert book.side(-1) == [(1002, 5)]
    (aside,) = tape.quarantine.to_pylist()
    assert (aside["row"], aside["finding"], aside["kept_as"]) == (
        2,
        "sequence_gap",
        "after a clear",
    )
    assert tape.manifest.quality.rows_quarantined == 0


def test_a_repeated_update_is_left_out(write: Write) -> None:
    one = depth(0, 1, 4, 0, "100.1:1", "100.3:1")
    tape = load(write([(5, one), (6, one)]), limits=ANYTHING)
    assert tape.quarantine["finding"].to_pylist() == ["stale"]


def test_a_snapshot_takes_its_place_in_the_sequence(write: Write) -> None:
    snapshot = {
        "lastUpdateId": 6,
        "bids": [["100.1", "4"], ["99.9", "9"]],
        "asks": [["100.3", "1"]],
    }
    tape = load(write([
        (5, depth(0, 1, 4, 0, "100.1:1 100.0:8", "")),
        (6, depth(2, 5, 6, 4, "100.1:4 100.0:0", "100.3:1")),
        (7, depth(4, 7, 8, 6, "100.1:5", "")),
        (9, snapshot),
    ]))  # fmt: skip
    assert [line[1] for line in told(tape)] == [
        "level", "level", "level", "level", "level", "clear", "seed", "seed", "seed", "level",
    ]  # fmt: skip
    *_, book = replay(tape)
    assert book.side(1) == [(1001, 5), (999, 9)]
    assert tape.manifest.quality.findings["snapshot"].count == 1
    assert tape.manifest.quality.findings["sequence_gap"].count == 0


def test_spot_tickers_have_no_time(write: Write) -> None:
    spot = {"e": "depthUpdate", "E": T0, "s": "BTCUSDT", "U": 1, "u": 4, "b": [["100.1", "1"]],
            "a": [["100.3", "1"]]}  # fmt: skip
    later = {**spot, "E": T0 + 100, "U": 5, "u": 9, "b": [["100.2", "2"]], "a": []}
    bare = {"u": 7, "s": "BTCUSDT", "b": "100.2", "B": "2", "a": "100.3", "A": "1"}
    tape = load(write([(5, spot), (45, bare), (105, later)]))
    assert told(tape)[-1] == (40, "level", 1, "100.2", "2")
    assert tape.instrument.venue == "BINANCE"
    assert tape.manifest.quality.findings["time_moved"].count == 0


@pytest.mark.parametrize("line", [
    "x", "1717767000000000000", "1717767000000000000 {", '1717767000000000000 {"data":7}',
    '1717767000000000000 {"e":"trade","T":1,"s":"BTCUSDT","p":"x","q":"1","m":true}',
    '1717767000000000000 {"e":"trade","T":1,"s":"BTCUSDT","p":"1","q":"1"}',
    '1717767000000000000 {"e":"depthUpdate","s":"BTCUSDT","T":1,"u":1,"b":[["1"]],"a":[]}',
])  # fmt: skip
def test_unreadable_lines_are_kept_aside(write: Write, line: str, tmp_path: Path) -> None:
    good = gzip.decompress(write([(5, depth(0, 1, 4, 0, "100.1:1", "100.3:1"))]).read_bytes())
    path = tmp_path / "capture.txt"
    path.write_bytes(good + line.encode())
    tape = load(path, limits=ANYTHING)
    assert tape.quarantine["finding"].to_pylist() == ["unparsable"]
    assert tape.quarantine["text"].to_pylist() == [line]


def test_other_symbols(write: Write) -> None:
    path = write([(5, depth(0, 1, 4, 0, "100.1:1", "100.3:1"))])
    with pytest.raises(IngestError, match="it holds BTCUSDT"):
        load(path, symbol="ETHUSDT")


def days_of(path: Path, out: Path, **options: Any) -> list[Tape]:
    return [Tape.open(tape) for tape in ingest(path, out, limits=ANYTHING, **options)]


LATE = MIDNIGHT - 70_000
EARLY = MIDNIGHT + 70_000


def test_midnight_makes_another_tape(write: Write, tmp_path: Path) -> None:
    path = write([
        (LATE + 1, depth(LATE, 1, 4, 0, "100.1:1 100.0:2", "100.3:1 100.4:3")),
        (MIDNIGHT - 3, trade(MIDNIGHT - 5, "100.1", "1", True)),
        (MIDNIGHT + 1, depth(MIDNIGHT - 1, 5, 6, 4, "100.1:0", "")),
        (MIDNIGHT + 4, ticker(MIDNIGHT + 3, 7, "100.2:1", "100.4:3")),
        (EARLY + 1, depth(EARLY, 7, 8, 6, "100.2:2", "100.3:0")),
    ])  # fmt: skip
    first, second = days_of(path, tmp_path / "out")
    assert (first.name, second.name) == ("BTCUSDT-2024-06-07", "BTCUSDT-2024-06-08")
    assert told(first)[4:] == [
        (MIDNIGHT - 5, "trade", 1, "100.1", "1"),
        (MIDNIGHT - 1, "level", 1, "100.1", "0"),
    ]
    assert told(second) == [
        (MIDNIGHT, "seed", 1, "100.0", "2"),
        (MIDNIGHT, "seed", -1, "100.3", "1"),
        (MIDNIGHT, "seed", -1, "100.4", "3"),
        (MIDNIGHT + 3, "level", -1, "100.3", "0"),
        (MIDNIGHT + 3, "level", 1, "100.2", "1"),
        (EARLY, "level", 1, "100.2", "2"),
    ]
    midnight = (T0 + MIDNIGHT) * 1_000_000
    assert first.session.open_ns == midnight - 70 * NS_PER_S
    assert first.session.close_ns == second.session.open_ns == midnight
    assert second.session.close_ns == midnight + 70 * NS_PER_S + 1


def test_each_day_accounts_for_its_own_lines(write: Write, tmp_path: Path) -> None:
    """Findings and quarantine are those of the day, with the line's number in the file."""
    path = write([
        (LATE + 2, depth(LATE, 1, 4, 0, "100.1:1", "100.3:1")),
        (LATE + 3, depth(LATE + 1, 1, 4, 0, "100.1:1", "")),
        (MIDNIGHT + 2, {"stream": "btcusdt@markPrice", "data": {"e": "x", "s": "BTCUSDT"}}),
        (MIDNIGHT + 4, ticker(MIDNIGHT + 3, 7, "100.1:1", "100.3:1")),
        (EARLY + 2, depth(EARLY, 5, 8, 4, "100.1:2", "")),
        (EARLY + 3, depth(EARLY + 1, 5, 8, 4, "100.1:1", "")),
    ])  # fmt: skip
    first, second = days_of(path, tmp_path / "out")
    qualities = [tape.manifest.quality for tape in (first, second)]
    assert [q.rows_read for q in qualities] == [2, 4]

    def found(name: str) -> list[tuple[int, int | None]]:
        return [(q.findings[name].count, q.findings[name].first_row) for q in qualities]

    assert found("stale") == [(1, 2), (1, 6)]
    assert found("ticker_contradicted") == [(0, None), (1, 5)]
    assert found("other_stream") == [(0, None), (1, None)]
    assert found("carried_over") == [(0, None), (2, None)]
    assert found("over_midnight") == [(0, None), (0, None)]
    asides = [pq.read_table(tape.path / "quarantine.parquet") for tape in (first, second)]
    assert [aside["row"].to_pylist() for aside in asides] == [[2], [6]]
    assert '"u": 8' in asides[1]["text"].to_pylist()[0]


def over_midnight(start: int, stop: int, step: int) -> Capture:
    """An update every `step` ms between two times."""
    ats = range(start, stop + 1, step)
    return [
        (at, depth(at, k, k, k - 1, f"100.1:{1 + k % 7}", "100.3:1"))
        for k, at in enumerate(ats, start=1)
    ]


def test_a_zone_has_its_own_midnight_and_a_day_has_all(write: Write, tmp_path: Path) -> None:
    path = write(over_midnight(LATE, EARLY, 10_000))
    assert len(days_of(path, tmp_path / "utc")) == 2
    (tape,) = days_of(path, tmp_path / "tokyo", zone="Asia/Tokyo")
    assert (tape.name, tape.session.zone) == ("BTCUSDT-2024-06-08", "Asia/Tokyo")
    (tape,) = days_of(path, tmp_path / "day", day="2024-06-07")
    assert tape.session.length_s == pytest.approx(140)
    assert "carried_over" not in tape.manifest.quality.findings
    assert tape.manifest.quality.findings["over_midnight"].count == 8
    first, second = days_of(path, tmp_path / "hours", session="00:00-24:00")
    assert first.session.length_s == second.session.length_s == 86_400
    with pytest.raises(IngestError, match=r"2 days \(BTCUSDT 2024-06-07, BTCUSDT 2024-06-08\)"):
        load(path)


@pytest.mark.parametrize(
    ("start", "stop", "day", "outside"),
    [
        (LATE, MIDNIGHT + 50_000, "2024-06-07", 6),
        (MIDNIGHT - 50_000, EARLY, "2024-06-08", 6),
        (MIDNIGHT - 50_000, MIDNIGHT + 50_000, "2024-06-07", 6),
    ],
)
def test_a_day_that_is_hardly_touched_stays_with_its_neighbour(
    write: Write, start: int, stop: int, day: str, outside: int
) -> None:
    path = write(over_midnight(start, stop, 10_000))
    tape = load(path)
    assert tape.session.day == day
    assert len(tape) == (stop - start) // 10_000 + 2
    assert tape.session.open_ns == (T0 + start) * 1_000_000
    assert tape.session.close_ns == (T0 + stop) * 1_000_000 + 1
    assert tape.manifest.quality.findings["over_midnight"].count == outside


def test_of_two_recordings_of_a_day_the_longer_is_taken(write: Write, tmp_path: Path) -> None:
    """Captures that are renewed after midnight leave a rest of the next day."""
    folder = tmp_path / "captures"
    folder.mkdir()
    write(over_midnight(LATE - 100_000, EARLY, 10_000)).rename(folder / "a.gz")
    write(over_midnight(EARLY, EARLY + 900_000, 10_000)).rename(folder / "b.gz")
    made = ingest(folder, tmp_path / "out", limits=ANYTHING)
    assert [Tape.open(tape).manifest.sources[0].name for tape in made] == ["a.gz", "b.gz"]
    assert [one.name for one in made.failed] == ["a.gz"]
    assert "second recording of BTCUSDT-2024-06-08" in str(made.failed[0].error)


def test_a_capture_without_a_message_on_a_day_makes_no_tape_of_it(
    write: Write, tmp_path: Path
) -> None:
    day = 86_400_000
    path = write([
        (0, depth(0, 1, 4, 0, "100.1:1", "100.3:1")),
        (day, {"stream": "btcusdt@markPrice", "data": {"e": "x", "s": "BTCUSDT"}}),
        (2 * day, depth(2 * day, 5, 6, 4, "100.1:2", "")),
    ])  # fmt: skip
    first, third = days_of(path, tmp_path / "out")
    assert [first.session.day, third.session.day] == ["2024-06-07", "2024-06-09"]
    assert first.manifest.quality.short_session
    assert [tape.manifest.quality.rows_read for tape in (first, third)] == [1, 2]
    assert told(third)[0] == (day + MIDNIGHT, "seed", 1, "100.1", "1")


PAIR = st.tuples(st.integers(990, 1010), st.integers(0, 5)).map(
    lambda p: [f"{p[0] / 10}", str(p[1])]
)


@given(
    updates=st.lists(
        st.tuples(st.lists(PAIR, max_size=3), st.lists(PAIR, max_size=3)), min_size=1, max_size=15
    )
)
@settings(max_examples=60)
def test_levels_are_the_last_that_was_said(
    updates: list[tuple[list[list[str]], list[list[str]]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("b") / "capture"
    said: dict[tuple[int, str], str] = {}
    with path.open("w") as out:
        for i, (bids, asks) in enumerate(updates):
            message = depth(i, i, i, i - 1, "", "")
            message["data"] |= {"b": bids, "a": asks}
            out.write(f"{(T0 + i) * 1000} {json.dumps(message)}\n")
            # A level named twice in one update: those that go act first, as in ingest.
            for gone in (True, False):
                for side, levels in ((1, bids), (-1, asks)):
                    said |= {(side, p): q for p, q in levels if (q == "0") == gone}
    try:
        tape = load(path, limits=ANYTHING)
    except PacelineError:
        assert set(said.values()) <= {"0"}
        return
    books = list(replay(tape))
    tick = float(tape.instrument.book_tick)
    lot = float(tape.instrument.lot)
    for side in (1, -1):
        now = {round(p * tick, 1): q * lot for p, q in (books[-1].side(side) if books else [])}
        assert now == {float(p): float(q) for (s, p), q in said.items() if s == side and q != "0"}


@given(
    updates=st.lists(
        st.tuples(
            st.integers(0, 20_000_000), st.lists(PAIR, max_size=3), st.lists(PAIR, max_size=3)
        ),
        min_size=1,
        max_size=15,
    )
)
@settings(max_examples=60)
def test_days_are_the_whole_capture_cut_in_pieces(
    updates: list[tuple[int, list[list[str]], list[list[str]]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Without its seeds a day is its hours of the tape of all; its seeds are the book before."""
    folder = tmp_path_factory.mktemp("b")
    path, at = folder / "capture", 0
    with path.open("w") as out:
        for i, (later, bids, asks) in enumerate(updates):
            at += later
            message = depth(at, i, i, i - 1, "", "")
            message["data"] |= {"b": bids, "a": asks}
            out.write(f"{(T0 + at) * 1000} {json.dumps(message)}\n")
    try:
        whole = load(path, limits=ANYTHING, day="2024-06-07")
    except PacelineError:
        return
    books = list(replay(whole))
    seen = 0
    for tape in days_of(path, folder / "out"):
        events = told(tape)
        seeds = sum(kind == "seed" for _, kind, *_ in events)
        assert events[seeds:] == told(whole)[seen : seen + len(events) - seeds]
        if seen and seeds:
            then = list(replay(tape))[seeds - 1]
            assert then.side(1) == books[seen - 1].side(1)
            assert then.side(-1) == books[seen - 1].side(-1)
        seen += len(events) - seeds
    assert seen == len(whole)


WHOLE = [
    (5, depth(0, 1, 4, 0, "100.1:1.500 100.0:2", "100.3:0.250")),
    (9, trade(7, "100.1", "0.5", True)),
    (12, depth(9, 5, 6, 4, "100.1:1.000", "100.3:0.250")),
    (14, depth(10, 7, 7, 6, "100.1:0.000", "")),
]


def lines_of(capture: Capture, per_ms: int = 1) -> list[str]:
    """The lines of a capture whose exchange times are in units of which a ms has `per_ms`."""

    def told(message: dict[str, Any]) -> str:
        message = json.loads(json.dumps(message))
        data = message.get("data", message)
        for field in "ET":
            data[field] *= per_ms
        return json.dumps(message)

    return [f"{(T0 + at) * 1_000_000 + 999} {told(message)}" for at, message in capture]


@pytest.mark.parametrize("per_ms", [1, 1_000, 1_000_000])
def test_times_in_any_unit_make_the_same_tape(tmp_path: Path, write: Write, per_ms: int) -> None:
    path = tmp_path / "capture.txt"
    path.write_text("\n".join(lines_of(WHOLE, per_ms)) + "\n")
    assert load(path).manifest.tape_id == load(write(WHOLE)).manifest.tape_id


@pytest.mark.parametrize("x", ["INSURANCE_FUND", "ADL", "NA"])
def test_transfers_are_no_trades_of_the_market(write: Write, x: str) -> None:
    """They are told like trades; the price may be anything, and sets no tick."""
    capture = [*WHOLE, (16, trade(15, "61.0001" if x != "NA" else "0", "50", True) | {"X": x}),
               (18, trade(17, "100.3", "0.25", False))]  # fmt: skip
    tape = load(write(capture))
    assert told(tape)[-1] == (17, "trade", -1, "100.3", "0.25")
    assert [row[1] for row in told(tape)].count("trade") == 2
    assert int(tape.events.volume[-1]) == 3
    found = tape.manifest.quality.findings
    assert (found["no_market_trade"].count, found["no_market_trade"].first_row) == (1, 5)
    assert found["bad_price"].count == 0
    quarantine = tape.quarantine.to_pylist()
    assert [(row["row"], row["reason"]) for row in quarantine] == [(5, "is no trade of the market")]


def test_transfers_speak_against_no_capture(write: Write) -> None:
    """However many there are: the rows are as they should be."""
    many = [(20 + k, trade(20 + k, "90", "1", True) | {"X": "ADL"}) for k in range(40)]
    assert load(write([*WHOLE, *many])).manifest.quality.rows_quarantined == 40


STRANGE: list[Any] = [
    10**18, 10**19, 10**400, -1, -(10**19), 0, 1, 1.5, 1e300, True, None, "", "x", "1\n2", "1,2",
    "\ud800", "-1", "1e5", "NaN", "9" * 30, [], {}, [["1", "2"]], [["1"]], [[1, 2]],
    [["1\n2", "3"]],
]  # fmt: skip
FIELDS = ["e", "E", "T", "s", "U", "u", "pu", "b", "a", "p", "q", "m", "X", "lastUpdateId", "bids",
          "asks", "data", "stream"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 3),
    st.lists(st.tuples(st.sampled_from(FIELDS), st.sampled_from(STRANGE)), min_size=1, max_size=3),
    st.booleans(),
)
def test_no_field_of_a_line_loses_the_capture(
    scratch: Path, which: int, changes: list[tuple[str, Any]], outer: bool
) -> None:
    """A line that cannot be read costs that line, and says so."""
    lines = lines_of(WHOLE)
    head, _, text = lines[which].partition(" ")
    message = json.loads(text)
    target = message if outer else message.get("data", message)
    target.update(dict(changes))
    lines[which] = f"{head} {json.dumps(message)}"
    path = scratch / "capture.txt"
    path.write_text("\n".join(lines) + "\n")
    with suppress(PacelineError):  # a changed name makes it another instrument's
        assert load(path, limits=ANYTHING).manifest.quality.rows_read in (3, 4)


@pytest.mark.parametrize(("text", "row"), [
    ('{"e":"trade","E":1e400,"T":1,"s":"BTCUSDT","p":"1","q":"1","m":true}', 5),
    ('{"e":"depthUpdate","T":1717767000020,"s":"BTCUSDT","U":8,"u":' + "9" * 25
     + ',"pu":7,"b":[],"a":[]}', 5),
    ('{"e":"trade","T":' + "9" * 6000 + ',"s":"BTCUSDT","p":"1","q":"1","m":true}', 5),
    ('{"e":"trade","T":17177670000,"s":"BTCUSDT","p":"1","q":"1","m":true}', 5),  # of 1970 in ms
    ("[" * 100_000, 5), ('{"data":' * 100_000, 5), ("\x00\xff", 5), ("", 5),
])  # fmt: skip
def test_an_unreadable_line_is_named(tmp_path: Path, text: str, row: int) -> None:
    path = tmp_path / "capture.txt"
    lines = lines_of(WHOLE)
    path.write_text("\n".join([*lines, f"{(T0 + 16) * 1_000_000} {text}", lines[-1]]) + "\n")
    tape = load(path, limits=ANYTHING)
    found = tape.manifest.quality.findings["unparsable"]
    assert (found.count, found.first_row) == (1, row)
    assert [event[1] for event in told(tape)].count("trade") == 1


def test_coins_are_rounded_to_lots_when_asked_to(write: Write) -> None:
    path = write([(5, depth(0, 1, 4, 0, "100.1:25.00000001 100.0:0.00000001", "100.3:1.006"))])
    with pytest.raises(IngestError, match="no usable message"):  # 25 coins of 10^-8 are too many
        load(path)
    tape = load(path, lot="0.01", round_sizes=True)
    assert sorted(tape.events.qty.tolist()) == [1, 101, 2500]
    with pytest.raises(IngestError, match="round_sizes: needs the lot to round to"):
        load(path, round_sizes=True)


@pytest.mark.parametrize(("options", "lot", "why"), [
    ({}, "0.25", "found, all 3 sizes lie on it"),
    ({"lot": "0.05"}, "0.05", "as given"),
    ({"lot": "1", "round_sizes": True}, "1", "as given; 2 of 3 sizes rounded to it"),
])  # fmt: skip
def test_why_the_lot_is_what_it_is(
    write: Write, options: dict[str, Any], lot: str, why: str
) -> None:
    path = write([(5, depth(0, 1, 4, 0, "100.1:1.500 100.0:2", "100.3:0.250"))])
    tape = load(path, **options)
    assert str(tape.instrument.lot) == lot
    assert tape.manifest.quality.inferred["lot"].why == why


def test_one_odd_price_does_not_make_the_order_tick_finer(write: Write) -> None:
    levels = " ".join(f"{100 - k / 10:.1f}:1" for k in range(1, 999))
    path = write([(5, depth(0, 1, 4, 0, f"99.95:1 {levels}", "100.3:1"))])
    tape = load(path)
    assert (str(tape.instrument.book_tick), str(tape.instrument.order_tick)) == ("0.05", "0.1")
    why = tape.manifest.quality.inferred["order_tick"]
    assert why.doubtful
    assert why.why == "found, 999 of 1,000 prices of orders lie on it; 1 do not"
