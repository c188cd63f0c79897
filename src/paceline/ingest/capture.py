"""The lines of a Binance capture as columns: what each message is, its times, ids and levels."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.ingest.day import UNKNOWN_TS
from paceline.ingest.level_feed import DEPTH, PRINT, SNAPSHOT, TICKER
from paceline.ingest.numbers import read_table
from paceline.ingest.quality import NO_MARKET_TRADE, OK, UNPARSABLE
from paceline.ingest.sources import RawFile, read
from paceline.units import NS_PER_S

DECIMALS = 8
"""Prices and sizes are read in units of 10^-8."""

_KINDS = {"trade": PRINT, "depthUpdate": DEPTH, "bookTicker": TICKER}

_MARKET = ("", "MARKET")
"""What futures write into X of a trade of the market."""

_LARGEST_ID = np.iinfo(np.int64).max - 1  # one may be added
_EARLIEST_NS, _LATEST_NS = (
    int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * NS_PER_S for year in (1990, 2100)
)

Pairs = list[tuple[str, str]]


class Message(msgspec.Struct):
    """The fields of all messages that are used, whichever a message has."""

    e: str = ""
    E: int | None = None
    T: int | None = None
    s: str = ""
    X: str | None = None
    U: int | None = None
    u: int | None = None
    pu: int | None = None
    b: Pairs | str | None = None
    a: Pairs | str | int | None = None
    B: str | None = None
    A: str | None = None
    p: str | None = None
    q: str | None = None
    m: bool | None = None
    last_update_id: int | None = msgspec.field(default=None, name="lastUpdateId")
    bids: Pairs | None = None
    asks: Pairs | None = None


class Line(Message):
    """A message, or the envelope of one."""

    stream: str = ""
    data: Message | None = None


class Capture(NamedTuple):
    """A capture file as columns. `n` lines, `m` levels named in them."""

    received: NDArray[np.int64]  # [n] local time, ns; UNKNOWN_TS where unreadable
    what: NDArray[np.uint8]  # [n] PRINT, DEPTH, TICKER, SNAPSHOT; 0: nothing that is used
    symbol: list[str]  # [n]
    time: NDArray[np.int64]  # [n] exchange time, ns; UNKNOWN_TS if the message has none
    begins: NDArray[np.int64]  # [n] U, or -1
    ends: NDArray[np.int64]  # [n] u or lastUpdateId, or -1
    follows: NDArray[np.int64]  # [n] pu, or -1
    fault: NDArray[np.uint8]  # [n]
    first: NDArray[np.int64]  # [n + 1] levels of line i are first[i]:first[i + 1]
    side: NDArray[np.int8]  # [m]
    price: NDArray[np.int64]  # [m] in 1e-8
    size: NDArray[np.int64]  # [m] in 1e-8
    lines: list[bytes]


@lru_cache(maxsize=1)
def parse(file: RawFile) -> Capture:
    """Read all lines of a capture; lines that cannot be read are marked."""
    lines = read(file).rstrip(b"\r\n\0 ").split(b"\n")
    n = len(lines)
    decode = msgspec.json.Decoder(Line).decode
    received = np.full(n, UNKNOWN_TS, np.int64)
    time = np.full(n, UNKNOWN_TS, np.int64)
    ids = np.full((3, n), -1, np.int64)
    what, fault = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
    first = np.zeros(n + 1, np.int64)
    symbol = [""] * n
    sides: list[int] = []
    numbers: list[str] = []
    for i, line in enumerate(lines):
        try:
            told = _told(line, decode)
        except (ValueError, OverflowError, RecursionError, msgspec.DecodeError):
            fault[i] = UNPARSABLE
        else:
            received[i], what[i], symbol[i], time[i] = (
                told.received,
                told.what,
                told.symbol,
                told.ts,
            )
            ids[:, i], fault[i] = told.ids, told.fault
            for side, price, size in told.levels:
                sides.append(side)
                numbers.append(f"{price},{size}")
        first[i + 1] = len(sides)
    table = read_table("\n".join(numbers).encode("utf-8", "replace"), (DECIMALS, DECIMALS))
    owner = np.repeat(np.arange(n), np.diff(first))
    fault[owner[~table.ok]] = UNPARSABLE
    return Capture(
        received, what, symbol, time, ids[0], ids[1], ids[2], fault, first,
        np.array(sides, np.int8), table.columns[0], table.columns[1], lines,
    )  # fmt: skip


class _Told(NamedTuple):
    """What one line says."""

    received: int
    what: int
    symbol: str
    ts: int  # UNKNOWN_TS if the message has none
    ids: tuple[int, int, int]  # -1 where it has none
    fault: int
    levels: list[tuple[int, str, str]]


def _told(line: bytes, decode: Callable[[bytes], Line]) -> _Told:
    """Read a line. Raises `ValueError` and others if it cannot be read, whichever field it is."""
    head, _, text = line.partition(b" ")
    received = _as_ns(int(head))
    outer = decode(text)
    message = outer.data or outer
    what, levels = _levels(message)
    if what == 0:
        return _Told(received, 0, "", UNKNOWN_TS, (-1, -1, -1), OK, [])
    at = message.T or message.E
    ends = message.last_update_id if what == SNAPSHOT else message.u
    begins, ends, follows = (
        -1 if number is None else number for number in (message.U, ends, message.pu)
    )
    if not -1 <= min(begins, ends, follows) <= max(begins, ends, follows) <= _LARGEST_ID:
        raise ValueError
    if any("\n" in text or "," in text for _, *pair in levels for text in pair):
        raise ValueError
    # Transfers of the insurance fund and forced deleveraging are told like trades.
    passed = what == PRINT and message.X is not None and message.X not in _MARKET
    return _Told(
        received, what, message.s, UNKNOWN_TS if at is None else _as_ns(at),
        (begins, ends, follows), NO_MARKET_TRADE if passed else OK, levels,
    )  # fmt: skip


def _as_ns(stamp: int) -> int:
    """A time in ms, µs or ns since the epoch, told apart by its size: in only one of them it lies
    between 1990 and 2100. Raises `ValueError` if it does in none."""
    for ns in (1_000_000, 1_000, 1):
        if _EARLIEST_NS <= stamp * ns <= _LATEST_NS:
            return stamp * ns
    raise ValueError


def _levels(message: Message) -> tuple[int, list[tuple[int, str, str]]]:
    """What a message is, and the levels it names as (side, price, size)."""
    if message.last_update_id is not None and message.bids is not None:
        asks = message.asks or []
        return SNAPSHOT, [(1, *pair) for pair in message.bids] + [(-1, *pair) for pair in asks]
    what = _KINDS.get(message.e, 0)
    bid, ask = message.b, message.a
    if what == 0 and not message.e and isinstance(bid, str):
        what = TICKER  # spot tickers do not say what they are
    if what == PRINT:
        if message.p is None or message.q is None or message.m is None or message.T is None:
            raise ValueError
        return PRINT, [(1 if message.m else -1, message.p, message.q)]
    if what == DEPTH:
        if not isinstance(bid, list) or not isinstance(ask, list) or message.u is None:
            raise ValueError
        return DEPTH, [(1, *pair) for pair in bid] + [(-1, *pair) for pair in ask]
    if what == TICKER:
        if not isinstance(bid, str) or not isinstance(ask, str) or message.u is None:
            raise ValueError
        return TICKER, [(1, bid, message.B or ""), (-1, ask, message.A or "")]
    return 0, []
