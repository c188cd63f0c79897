"""Tapes: the book of a plain twin, images at any place, and disks."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paceline.errors import InputError, TapeError
from paceline.jit import kernel
from paceline.market.book import Book, apply
from paceline.market.compiler import IMAGE_EVERY, load_image, price_table
from paceline.market.events import (
    ADD,
    CLEAR,
    DELETE,
    EXECUTE,
    LEVEL,
    REDUCE,
    SEED,
    TRADE,
    UNSEEN,
    Events,
    Rows,
)
from paceline.market.session import Session, clock, day_of, midnight_ns
from paceline.market.tape import Finding, Quality, Source, Tape
from paceline.orders.instrument import Instrument

INSTRUMENT = Instrument(symbol="T", book_tick=Decimal("0.01"), order_tick=Decimal("0.01"))
SESSION = Session.of("2024-06-07", "UTC", 0, 86_400)


def random_rows(seed: int, n: int) -> Rows:
    """A feed of orders; levels cross freely, for a tape does not care."""
    rng = np.random.default_rng(seed)
    live: dict[int, list[int]] = {}
    free: list[int] = []
    out = []
    for i in range(n):
        act = rng.random()
        if act < 0.5 or not live:
            slot = free.pop() if free else len(live)
            order = [int(rng.integers(1, 9)), int(rng.choice([1, -1])), int(rng.integers(90, 110))]
            live[slot] = order
            kind = SEED if act < 0.02 else ADD
            out.append((i, kind, order[1], order[2], order[0], slot))
        elif act > 0.999:
            out.append((i, CLEAR, 0, 0, 0, -1))
            free = sorted({*free, *live})
            live.clear()
        else:
            slot = int(rng.choice(list(live)))
            lots, side, ticks = live[slot]
            gone = int(rng.integers(1, lots + 1))
            if gone == lots:
                kind = int(rng.choice([DELETE, EXECUTE, UNSEEN]))
                del live[slot]
                free.append(slot)
            else:
                kind = int(rng.choice([REDUCE, EXECUTE]))
                live[slot][0] -= gone
            out.append((i, kind, side, ticks, gone, slot))
    return rows_of(out)


def rows_of(rows: list[tuple[int, int, int, int, int, int]]) -> Rows:
    columns = np.array(rows, np.int64).reshape(-1, 6).T
    types = (np.int64, np.uint8, np.int8, np.int64, np.int64, np.int32)
    return Rows(*(column.astype(kind) for column, kind in zip(columns, types, strict=True)))


def compile_it(rows: Rows) -> Tape:
    return Tape.compile(rows, INSTRUMENT, SESSION)


@kernel
def roll(book: Book, events: Events, start: int, stop: int) -> None:
    for i in range(start, stop):
        apply(
            book, events.kind[i], events.side[i], events.level[i], events.qty[i], events.slot[i], i
        )


def state(book: Book) -> tuple[list[int], list[list[tuple[int, list[tuple[int, int, int]]]]]]:
    """Best levels, and of every level its lots and its queue as (slot, lots, seq)."""
    sides = []
    for row in range(2):
        levels = []
        for level in book.levels[row]:
            queue, slot = [], int(level["head"])
            while slot >= 0:
                order = book.slots[slot]
                queue.append((slot, int(order["lots"]), int(order["seq"])))
                slot = int(order["next"])
            levels.append((int(level["lots"]), queue))
        sides.append(levels)
    return book.best.tolist(), sides


@given(st.integers(0, 10**6), st.integers(1, 300))
@settings(max_examples=40)
def test_derived_columns_are_the_twins(seed: int, n: int) -> None:
    tape = compile_it(random_rows(seed, n))
    e = tape.events
    orders: dict[int, list[int]] = {}
    volume = 0
    columns = (e.kind, e.side, e.level, e.qty, e.slot)
    for i, (kind, side, level, qty, slot) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        if kind in (ADD, SEED):
            orders[slot] = [qty, side, level]
        elif kind == CLEAR:
            orders.clear()
        else:
            orders[slot][0] -= qty
            if orders[slot][0] == 0:
                del orders[slot]
        volume += qty if kind == EXECUTE else 0
        bids = [level for _, s, level in orders.values() if s > 0]
        asks = [level for _, s, level in orders.values() if s < 0]
        assert e.bid[i] == max(bids, default=-1)
        assert e.ask[i] == min(asks, default=len(tape.level_ticks))
        assert e.volume[i] == volume


def test_any_place_is_an_image_and_a_roll_away() -> None:
    tape = compile_it(random_rows(4, 4 * IMAGE_EVERY + 77))
    rng = np.random.default_rng(0)
    places = sorted({0, 1, IMAGE_EVERY, len(tape), *rng.integers(0, len(tape), 25).tolist()})
    whole = tape.new_book()
    at = 0
    for place in places:
        roll(whole, tape.events, at, place)
        at = place
        book = tape.new_book()
        book.best[0] = 7  # what was there before must not matter
        k = min(place // IMAGE_EVERY, len(tape.images.offset) - 2)
        load_image(book, tape.images, k)
        roll(book, tape.events, k * IMAGE_EVERY, place)
        assert state(book) == state(whole)


def test_a_tape_comes_back_from_disk(tmp_path: Path) -> None:
    quality = Quality(rows_read=9, findings={"gap": Finding(count=1, first_row=3)})
    made = Tape.compile(
        random_rows(1, 3000), INSTRUMENT, SESSION,
        sources=[Source(name="x.csv", bytes=3, sha256="0" * 64)], quality=quality,
        quarantine=pa.table({"row": [4]}), made_by="test",
    )  # fmt: skip
    folder = made.save(tmp_path / "deep" / "T.tape")
    back = Tape.open(folder)
    assert back.manifest == made.manifest
    for mine, theirs in ((made.events, back.events), (made.images, back.images)):
        for name in mine._fields:
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
    np.testing.assert_array_equal(made.level_ticks, back.level_ticks)
    assert pa.parquet.read_table(folder / "quarantine.parquet").to_pydict() == {"row": [4]}
    assert [p.name for p in folder.parent.iterdir()] == ["T.tape"]
    with pytest.raises(ValueError, match="read-only"):
        back.events.qty[0] = 1


@pytest.mark.parametrize("name", ["manifest.json", "events.arrow", "levels.arrow", "images.arrow"])
@pytest.mark.parametrize("how", ["gone", "empty", "half"])
def test_a_damaged_tape_is_refused(tmp_path: Path, name: str, how: str) -> None:
    folder = compile_it(random_rows(1, 3000)).save(tmp_path / "T.tape")
    path = folder / name
    data = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes(b"" if how == "empty" else data[: len(data) // 2])
    with pytest.raises(TapeError):
        Tape.open(folder)


@given(at=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@pytest.mark.parametrize("name", ["events.arrow", "levels.arrow", "images.arrow"])
def test_one_wrong_byte_is_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, at: float, flip: int
) -> None:
    folder = compile_it(random_rows(1, 300)).save(tmp_path_factory.mktemp("one") / "T.tape")
    data = bytearray((folder / name).read_bytes())
    data[int(at * len(data))] ^= flip
    (folder / name).write_bytes(data)
    with pytest.raises(TapeError, match="damaged"):
        Tape.open(folder)


def test_another_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "manifest.json").touch()
    (tmp_path / "precious" / "thoughts.txt").touch()
    with pytest.raises(TapeError, match="no tape"):
        compile_it(random_rows(1, 10)).save(tmp_path / "precious")


GOOD = [(0, ADD, 1, 100, 5, 0), (1, ADD, -1, 102, 5, 1)]


@pytest.mark.parametrize(("row", "why"), [
    ((2, ADD, 0, 100, 5, 2), "no side"), ((2, ADD, 1, 100, 5, 0), "taken"),
    ((2, ADD, 1, 100, 0, 2), "not positive"), ((2, DELETE, 1, 100, 5, 2), "not in the book"),
    ((2, DELETE, 1, 100, 6, 0), "more lots"), ((2, DELETE, 1, 101, 5, 0), "another price"),
    ((2, DELETE, -1, 100, 5, 0), "another price"), ((2, UNSEEN, 1, 100, 5, -1), "not in the book"),
    ((2, LEVEL, 1, 100, -1, -1), "not positive"), ((2, TRADE, 1, 100, 0, -1), "not positive"),
    ((0, ADD, 1, 100, 5, 2), "earlier"), ((2, ADD, 1, 100, 2**31, 2), "32 bits"),
])  # fmt: skip
def test_an_impossible_row_stops_the_compiler(
    row: tuple[int, int, int, int, int, int], why: str
) -> None:
    with pytest.raises(TapeError, match=why):
        compile_it(rows_of([*GOOD, row]))


def test_no_rows() -> None:
    with pytest.raises(TapeError, match="none"):
        compile_it(rows_of([]))


@given(st.lists(st.one_of(st.integers(-20, 20), st.integers(-(2**60), 2**60)), max_size=30))
def test_price_table_is_unique(ticks: list[int]) -> None:
    column = np.array(ticks, np.int64)
    table, level = price_table(column)
    assert table.tolist() == sorted(set(ticks))
    assert table[level].tolist() == ticks


def test_session_clock() -> None:
    midnight = midnight_ns("2024-06-07", "America/New_York")
    assert midnight == 1_717_732_800 * 10**9
    assert clock(midnight + 34_200 * 10**9, "America/New_York") == "09:30:00"
    assert day_of(midnight - 1, "America/New_York") == "2024-06-06"
    for day, zone in (("x", "UTC"), ("2024-06-07", "x/y"), ("2024-06-07", "")):
        with pytest.raises(InputError, match="session"):
            midnight_ns(day, zone)
