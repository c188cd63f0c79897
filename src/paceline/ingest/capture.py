"""The lines of a Binance capture as columns: what each message is, its times, ids and levels."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.ingest.day import UNKNOWN_TS
from paceline.ingest.level_feed import DEPTH, PRINT, SNAPSHOT, TICKER
from paceline.ingest.numbers import read_table
from paceline.ingest.quality import UNPARSABLE
from paceline.ingest.sources import RawFile, read
from paceline.units import NS_PER_MS

DECIMALS = 8
"""Prices and sizes are read in units of 10^-8."""

_KINDS = {"trade": PRINT, "depthUpdate": DEPTH, "bookTicker": TICKER}

Pairs = list[tuple[str, str]]


class Message(msgspec.Struct):
    """The fields of all messages that are used, whichever a message has."""

    e: str = ""
    E: int | None = None
    T: int | None = None
    s: str = ""
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
        head, _, text = line.partition(b" ")
        try:
            received[i] = _as_ns(int(head))
            outer = decode(text)
            message = outer.data or outer
            what[i], levels = _levels(message)
        except (ValueError, OverflowError, msgspec.DecodeError):
            fault[i] = UNPARSABLE
            levels = []
        if what[i]:
            symbol[i] = message.s
            at = message.T or message.E
            if at is not None:
                time[i] = at * NS_PER_MS
            ends = message.last_update_id if what[i] == SNAPSHOT else message.u
            for k, number in enumerate((message.U, ends, message.pu)):
                ids[k, i] = -1 if number is None else number
        for side, price, size in levels:
            sides.append(side)
            numbers.append(f"{price},{size}")
        first[i + 1] = len(sides)
    table = read_table("\n".join(numbers).encode(), (DECIMALS, DECIMALS))
    owner = np.repeat(np.arange(n), np.diff(first))
    fault[owner[~table.ok]] = UNPARSABLE
    return Capture(
        received, what, symbol, time, ids[0], ids[1], ids[2], fault, first,
        np.array(sides, np.int8), table.columns[0], table.columns[1], lines,
    )  # fmt: skip


def _as_ns(stamp: int) -> int:
    """A receive time in ms, µs or ns since the epoch, told apart by its length."""
    if stamp < 10**14:
        return stamp * 1_000_000
    return stamp * 1000 if stamp < 10**17 else stamp


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
