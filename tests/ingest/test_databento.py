"""Databento: what an action does to the book, and volume counted once."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace as Of
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paceline.errors import ConfigError, IngestError, PacelineError
from paceline.ingest import ingest, load
from paceline.ingest.quality import Limits
from paceline.market.events import KIND_NAMES
from paceline.market.tape import Tape

from .plain import replay

dbn = pytest.importorskip("databento_dbn")

START = 1_717_767_000_000_000_000  # 2024-06-07T13:30:00Z
LAST = 128
SNAPSHOT = 32
UNSET = 2**63 - 1
Record = tuple[str, str, float, int, int, int]  # action, side, price, size, order, flags


def write_mbo(path: Path, records: list[Record], ids: tuple[int, ...] = (7,)) -> Path:
    """A DBN file of MBO records one µs apart, the instruments taking turns."""
    metadata = dbn.Metadata(
        dataset="GLBX.MDP3", start=START, stype_in=dbn.SType.RAW_SYMBOL,
        stype_out=dbn.SType.INSTRUMENT_ID, schema=dbn.Schema.MBO, end=START + 10**9,
        symbols=[f"S{k}" for k in ids], mappings=_mappings(ids),
    )  # fmt: skip
    data = metadata.encode()
    for i, (action, side, price, size, order, flags) in enumerate(records):
        for number in ids:
            record = dbn.MBOMsg(
                publisher_id=1,
                instrument_id=number,
                ts_event=START + 1000 * i,
                order_id=order,
                price=UNSET if price == 0 else round(price * 1e9),
                size=size,
                action=dbn.Action.NONE,
                side=dbn.Side.NONE,
                ts_recv=START + 1000 * i + 500,
                flags=flags,
                sequence=i,
            )
            raw = bytearray(bytes(record))
            raw[38:40] = (action + side).encode()  # so that unknown actions can be written
            data += bytes(raw)
    path.write_bytes(data)
    return path


def _mappings(ids: tuple[int, ...]) -> list[Any]:
    """S7 is instrument 7, and so on, on the day of the file."""
    first, end = date(2024, 6, 7), date(2024, 6, 8)
    return [
        Of(
            raw_symbol=f"S{number}",
            intervals=[Of(start_date=first, end_date=end, symbol=str(number))],
        )
        for number in ids
    ]


def told(tape: Tape) -> list[tuple[str, int, float, int]]:
    """(kind, side, price, lots) of every event."""
    e, tick = tape.events, float(tape.instrument.book_tick)
    return [
        (KIND_NAMES[int(k)], int(s), float(tape.level_ticks[v]) * tick if v >= 0 else 0.0, int(q))
        for k, s, v, q in zip(e.kind, e.side, e.level, e.qty, strict=True)
    ]


BOOK: list[Record] = [
    ("R", "N", 0, 0, 0, SNAPSHOT),
    ("A", "B", 100.25, 5, 1, SNAPSHOT),
    ("A", "A", 100.50, 4, 2, SNAPSHOT | LAST),
    ("A", "A", 100.50, 3, 3, LAST),
]
OPENED = [
    ("clear", 0, 0.0, 0),
    ("seed", 1, 100.25, 5),
    ("seed", -1, 100.50, 4),
    ("add", -1, 100.50, 3),
]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([("C", "B", 100.25, 2, 1, LAST)], [("reduce", 1, 100.25, 2)]),
        ([("C", "B", 100.25, 5, 1, LAST)], [("delete", 1, 100.25, 5)]),
        ([("C", "B", 0, 5, 1, LAST)], [("delete", 1, 100.25, 5)]),
        ([("M", "B", 100.25, 3, 1, LAST)], [("reduce", 1, 100.25, 2)]),
        ([("M", "B", 100.25, 5, 1, LAST)], []),
        ([("M", "B", 100.25, 6, 1, LAST)], [("delete", 1, 100.25, 5), ("add", 1, 100.25, 6)]),
        ([("M", "B", 100.00, 5, 1, LAST)], [("delete", 1, 100.25, 5), ("add", 1, 100.00, 5)]),
        ([("N", "N", 0, 0, 0, LAST)], []),
        (  # one trade that fills two orders, the second in part
            [("T", "B", 100.50, 6, 9, 0), ("F", "A", 100.50, 4, 2, 0), ("F", "A", 100.50, 2, 3, 0),
             ("C", "A", 100.50, 4, 2, 0), ("M", "A", 100.50, 1, 3, LAST)],
            [("execute", -1, 100.50, 4), ("execute", -1, 100.50, 2)],
        ),
        (  # what no fill explains traded against something never shown
            [("T", "B", 100.50, 6, 9, 0), ("F", "A", 100.50, 4, 2, 0),
             ("C", "A", 100.50, 4, 2, LAST)],
            [("hidden", -1, 100.50, 2), ("execute", -1, 100.50, 4)],
        ),
        ([("T", "A", 100.25, 6, 0, LAST)], [("hidden", 1, 100.25, 6)]),
        (  # a fill and a cancel of the rest in one
            [("T", "A", 100.25, 2, 0, 0), ("F", "B", 100.25, 2, 1, 0),
             ("C", "B", 100.25, 5, 1, LAST)],
            [("execute", 1, 100.25, 2), ("delete", 1, 100.25, 3)],
        ),
        (  # a resting order was moved across the spread: its own fill is no execution of it
            [("T", "B", 100.50, 4, 1, 0), ("F", "B", 100.50, 4, 1, 0),
             ("F", "A", 100.50, 4, 2, 0), ("C", "B", 100.25, 5, 1, 0),
             ("C", "A", 100.50, 4, 2, LAST)],
            [("delete", 1, 100.25, 5), ("execute", -1, 100.50, 4)],
        ),
        (  # an iceberg shows its next part: the fill is an execution, the place is lost
            [("T", "B", 100.50, 4, 9, 0), ("F", "A", 100.50, 4, 2, 0),
             ("M", "A", 100.50, 4, 2, LAST)],
            [("execute", -1, 100.50, 4), ("add", -1, 100.50, 4)],
        ),
        (  # and its reserve can trade before it was ever shown
            [("T", "B", 100.50, 10, 9, 0), ("F", "A", 100.50, 10, 2, 0),
             ("M", "A", 100.50, 2, 2, LAST)],
            [("hidden", -1, 100.50, 6), ("execute", -1, 100.50, 4), ("add", -1, 100.50, 2)],
        ),
        (  # an auction: both sides filled, one print, nobody could have joined
            [("T", "N", 100.25, 3, 0, 0), ("F", "N", 100.25, 3, 1, 0), ("F", "N", 100.25, 3, 3, 0),
             ("M", "B", 100.25, 2, 1, 0), ("C", "A", 100.50, 3, 3, LAST)],
            [("cross", 0, 100.25, 3), ("reduce", 1, 100.25, 3), ("delete", -1, 100.50, 3)],
        ),
    ],
)  # fmt: skip
def test_actions(tmp_path: Path, records: list[Record], expected: list[Any]) -> None:
    tape = load(write_mbo(tmp_path / "x.dbn", BOOK + records))
    assert told(tape) == OPENED + expected
    assert tape.quarantine.num_rows == 0
    assert tape.instrument.book_tick == Decimal("0.25")
    assert tape.name == "S7-2024-06-07"
    traded = sum(lots for kind, *_, lots in expected if kind in ("execute", "hidden"))
    assert int(tape.events.volume[-1]) == traded


@pytest.mark.parametrize(
    ("record", "finding"),
    [
        (("X", "B", 100.25, 1, 1, LAST), "unknown_kind"),
        (("A", "B", 100.25, 0, 8, LAST), "bad_size"),
        (("A", "N", 100.25, 1, 8, LAST), "bad_side"),
        (("A", "B", 0, 1, 8, LAST), "bad_price"),
        (("A", "B", 100.25, 1, 1, LAST), "duplicate_order"),
        (("C", "B", 100.25, 1, 8, LAST), "unknown_order"),
        (("C", "A", 100.25, 1, 1, LAST), "other_side"),
        (("C", "B", 100.00, 1, 1, LAST), "other_price"),
        (("C", "B", 100.25, 9, 1, LAST), "over_cancel"),
        (("M", "B", 100.25, 1, 8, LAST), "unknown_order_modified"),
        (("F", "B", 100.25, 1, 8, LAST), "unknown_order_executed"),
    ],
)
def test_bad_records(tmp_path: Path, record: Record, finding: str) -> None:
    calm: list[Record] = [("N", "N", 0, 0, 0, LAST)] * 40
    tape = load(write_mbo(tmp_path / "x.dbn", [*BOOK, record, *calm]))
    assert tape.quarantine["finding"].to_pylist() == [finding]
    assert tape.quarantine["row"].to_pylist() == [5]


def test_instruments_of_one_file(tmp_path: Path) -> None:
    path = write_mbo(tmp_path / "x.dbn", BOOK, ids=(7, 8))
    made = ingest(path, tmp_path / "out")
    assert [p.name for p in made] == ["S7-2024-06-07.tape", "S8-2024-06-07.tape"]
    assert load(path, symbol="S8").name == load(path, symbol="8").name == "S8-2024-06-07"
    with pytest.raises(IngestError, match="holds S7"):
        load(path, symbol="ES")


def test_records_set_aside_carry_their_number_in_the_file(tmp_path: Path) -> None:
    bad: Record = ("A", "B", 100.25, 1, 1, LAST | 4)  # the order is there, the book maybe bad
    calm: list[Record] = [("N", "N", 0, 0, 0, LAST)] * 40
    path = write_mbo(tmp_path / "x.dbn", [*BOOK, bad, *calm], ids=(7, 8))
    for symbol, row in (("S7", 2 * len(BOOK) + 1), ("S8", 2 * len(BOOK) + 2)):
        tape = load(path, symbol=symbol)
        assert tape.quarantine["row"].to_pylist() == [row]
        assert tape.manifest.quality.findings["maybe_bad_book"].first_row == row


def test_contracts_are_counted_whole(tmp_path: Path) -> None:
    path = write_mbo(tmp_path / "x.dbn", BOOK)
    assert load(path, lot=1).instrument.lot == 1
    with pytest.raises(ConfigError, match="lot: 3 does not fit Databento files"):
        load(path, lot=3)


def test_torn_and_foreign_files(tmp_path: Path) -> None:
    path = write_mbo(tmp_path / "x.dbn", BOOK)
    whole = path.read_bytes()
    for cut in (4, 30, 57, len(whole) - 20):
        path.write_bytes(whole[:-cut] if cut < 100 else whole[:cut])
        if (len(whole) - cut) % 56 != len(whole) % 56:
            with pytest.raises(IngestError):
                load(path)
    path.write_bytes(b"DBN\x03" + b"\xff" * 64)
    with pytest.raises(IngestError):
        load(path)


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_mbo(tmp_path / "x.dbn", [*BOOK, ("N", "N", 0, 0, 0, LAST)])
    monkeypatch.setitem(sys.modules, "databento_dbn", None)
    with pytest.raises(IngestError, match=r"pip install 'paceline\[databento\]'"):
        load(path)


def test_ten_levels(tmp_path: Path) -> None:
    """Pictures of the best levels become changes; the tape shows each picture again."""

    def pairs(bids: list[tuple[float, int]], asks: list[tuple[float, int]]) -> list[Any]:
        def one(levels: list[tuple[float, int]], k: int) -> tuple[int, int]:
            return (round(levels[k][0] * 1e9), levels[k][1]) if k < len(levels) else (UNSET, 0)

        return [
            dbn.BidAskPair(
                bid_px=one(bids, k)[0], ask_px=one(asks, k)[0], bid_sz=one(bids, k)[1],
                ask_sz=one(asks, k)[1],
            )
            for k in range(10)
        ]  # fmt: skip

    full = [(100.0 - k, 5 + k) for k in range(10)]
    pictures = [
        ("A", "B", 100.0, 5, full, [(101.0, 3), (102.0, 2)]),
        ("T", "B", 101.0, 1, full, [(101.0, 3), (102.0, 2)]),
        ("C", "A", 101.0, 1, full, [(101.0, 2), (102.0, 2)]),
        ("C", "A", 101.0, 2, full, [(102.0, 2)]),
        ("A", "B", 101.0, 4, [(101.0, 4), *full[:9]], [(102.0, 2)]),  # pushes 91 out of view
        ("C", "B", 101.0, 4, full, [(102.0, 2)]),  # and lets it in again
    ]
    metadata = dbn.Metadata(
        dataset="GLBX.MDP3", start=START, stype_in=dbn.SType.RAW_SYMBOL,
        stype_out=dbn.SType.INSTRUMENT_ID, schema=dbn.Schema.MBP_10, end=START + 10**9,
    )  # fmt: skip
    data = metadata.encode()
    for i, (action, side, price, size, bids, asks) in enumerate(pictures):
        data += bytes(
            dbn.MBP10Msg(
                publisher_id=1, instrument_id=7, ts_event=START + i, price=round(price * 1e9),
                size=size, action=dbn.Action(action), side=dbn.Side(side), depth=0,
                ts_recv=START + i, flags=LAST,
                levels=pairs(bids, asks),
            )
        )  # fmt: skip
    path = tmp_path / "x.dbn"
    path.write_bytes(data)
    tape = load(path)
    assert tape.manifest.depth == "L2"
    after = {}
    for ts, book in zip(tape.events.ts.tolist(), replay(tape), strict=True):
        after[ts - START] = (book.side(1), book.side(-1))
    after = {i: after.get(i, after.get(i - 1)) for i in range(len(pictures))}
    for i, (*_, bids, asks) in enumerate(pictures):
        assert after[i] == ([(int(p), q) for p, q in bids], [(int(p), q) for p, q in asks])
    assert ("trade", -1, 101.0, 1) in told(tape)
    assert told(tape)[-1] == ("seed", 1, 91.0, 14)
    assert int(tape.events.volume[-1]) == 1


WHOLE: list[Record] = [
    ("A", "B", 10.01, 5, 1, LAST), ("A", "A", 10.03, 7, 2, LAST), ("T", "B", 10.03, 2, 0, 0),
    ("F", "A", 10.03, 2, 2, 0), ("C", "A", 10.03, 2, 2, LAST), ("C", "B", 10.01, 5, 1, LAST),
]  # fmt: skip
_FIELDS = {  # offset and bytes of a field of an MBO record
    "publisher_id": (2, 2), "ts_event": (8, 8), "order_id": (16, 8), "price": (24, 8),
    "size": (32, 4), "flags": (36, 1), "action": (38, 1), "side": (39, 1), "ts_recv": (40, 8),
    "ts_in_delta": (48, 4), "sequence": (52, 4),
}  # fmt: skip
EXTREMES = [0, 1, 2**7, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1, START]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(sorted(_FIELDS)), st.sampled_from(EXTREMES)),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_no_field_of_a_record_loses_the_file(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, str, int]]
) -> None:
    """Whatever a field says, the file becomes a tape or is refused in one line."""
    path = write_mbo(tmp_path_factory.mktemp("dbn") / "x.dbn", WHOLE)
    data = bytearray(path.read_bytes())
    records = len(data) - 56 * len(WHOLE)
    for row, field, value in changes:
        offset, size = _FIELDS[field]
        at = records + 56 * row + offset
        data[at : at + size] = (value % 2 ** (8 * size)).to_bytes(size, "little")
    path.write_bytes(data)
    with suppress(PacelineError):
        tape = load(path, limits=Limits(max_bad_share=1.0, max_crossed_share=1.0))
        assert tape.manifest.quality.rows_read == len(WHOLE)
