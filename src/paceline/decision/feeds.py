"""News and sentiment: rows of a time, a symbol, a score and a sentiment, and how to look them up.

    feed = Feed.read("news.parquet", stale_s=600)     # or Feed(stale_s=600) and push()
    feed.at("YHOO", ts)                               # (score, sentiment), NaN if there is nothing

The time of a row is when it could be known to us, not when it happened: a look-up finds the last
row up to and including its own time, and never a later one. A row that is older than `stale_s` says
nothing any more. Without a feed both features are missing.
"""

from __future__ import annotations

import math
import numbers
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.decision.state import State
from paceline.documents import read_bytes
from paceline.errors import ConfigError, InputError
from paceline.jit import kernel
from paceline.units import INT64_MAX, NS_PER_S

COLUMNS = ("ts", "symbol", "score", "sentiment")
"""Of a file: ns since the epoch (or a time with a zone), text, 0 to 1, -1 to 1."""

_MOST_BYTES = 1 << 30
_ROOM = 64


class Told(NamedTuple):
    """What a feed has told of one symbol, in order of time."""

    ts: NDArray[np.int64]
    score: NDArray[np.float64]
    sentiment: NDArray[np.float64]


NOTHING_TOLD = Told(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


class Feed:
    """News of many symbols, from a file or as they come."""

    def __init__(self, *, stale_s: float = 600.0) -> None:
        """Rows older than `stale_s` seconds are not looked at. Raises `ConfigError` if that is not
        positive."""
        if not 0.0 < stale_s <= 1e9:
            raise ConfigError(f"stale_s: {stale_s!r} is not a time; give seconds above 0")
        self.stale_ns = round(stale_s * NS_PER_S)
        self._told: dict[str, Told] = {}
        self._n: dict[str, int] = {}

    @classmethod
    def read(cls, path: str | Path, *, stale_s: float = 600.0) -> Feed:
        """A feed from a CSV or Parquet file with COLUMNS, in any order of rows.

        Raises `InputError` for a file that cannot be read or a row that cannot be."""
        table = _read(Path(path))
        ts = _times(table["ts"], path)
        order = np.argsort(ts, kind="stable")
        symbols = table["symbol"].to_pylist()
        score, sentiment = (
            table[name].to_numpy().astype(np.float64) for name in ("score", "sentiment")
        )
        feed = cls(stale_s=stale_s)
        for i in order.tolist():
            try:
                feed.push(int(ts[i]), symbols[i], float(score[i]), float(sentiment[i]))
            except InputError as error:
                raise InputError(f"{path}, row {i + 1}: {error}") from None
        return feed

    def push(self, ts: int, symbol: str, score: float, sentiment: float) -> None:
        """Take in a row that came at `ts` (ns since the epoch).

        Raises `InputError` for a number out of its range, and for a row before the last one of its
        symbol: what comes late is to be stamped with the time at which it came."""
        if not (isinstance(symbol, str) and symbol):
            raise InputError(f"symbol: {symbol!r} is no symbol; give its text")
        for name, value, low in (("score", score, 0.0), ("sentiment", sentiment, -1.0)):
            if not (_is_number(value) and low <= value <= 1.0):  # nor NaN
                raise InputError(f"{name}: {value!r} is not in {low:g} to 1; scale it")
        if not _is_time(ts):
            raise InputError(f"ts: {ts!r} is no time; give whole ns since the epoch")
        told, n = self._told.get(symbol, NOTHING_TOLD), self._n.get(symbol, 0)
        if n and ts < told.ts[n - 1]:
            raise InputError(
                f"ts: {ts} is before the last row of {symbol}, {told.ts[n - 1]}; "
                "stamp rows with the time at which they came"
            )
        if n == len(told.ts):
            told = _with_room(told, max(n, _ROOM))
            self._told[symbol] = told
        told.ts[n], told.score[n], told.sentiment[n] = ts, score, sentiment
        self._n[symbol] = n + 1

    def told(self, symbol: str) -> Told:
        """What was told of a symbol so far, for kernels."""
        n = self._n.get(symbol, 0)
        told = self._told.get(symbol, NOTHING_TOLD)
        return Told(told.ts[:n], told.score[:n], told.sentiment[:n])

    def at(self, symbol: str, ts: int) -> tuple[float, float]:
        """Score and sentiment of a symbol as known at `ts`; NaN if nothing was told lately."""
        told = self.told(symbol)
        i = last_told(told, ts, self.stale_ns)
        return (float(told.score[i]), float(told.sentiment[i])) if i >= 0 else (math.nan, math.nan)


@kernel
def last_told(told: Told, ts: int, stale_ns: int) -> int:
    """Index of the last row at or before `ts`; -1 if there is none, or it is stale."""
    i = np.searchsorted(told.ts, ts, side="right") - 1
    return int(i) if i >= 0 and ts - told.ts[i] <= stale_ns else -1


@kernel
def tell_news(told: Told, stale_ns: int, state: State) -> None:
    """Write into a state what was known of the news at its time."""
    context = state.context[0]
    i = last_told(told, state.order[0]["now_ts"], stale_ns)
    context["news"] = told.score[i] if i >= 0 else np.nan
    context["sentiment"] = told.sentiment[i] if i >= 0 else np.nan


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real)


def _is_time(ts: object) -> bool:
    return isinstance(ts, numbers.Integral) and abs(int(ts)) <= INT64_MAX


def _with_room(told: Told, n: int) -> Told:
    """`told`, with room for `n` more rows."""
    more = np.zeros(n)
    return Told(
        np.concatenate([told.ts, more.astype(np.int64)]),
        np.concatenate([told.score, more]),
        np.concatenate([told.sentiment, more]),
    )


def _read(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import csv, parquet

    if path.suffix not in (".csv", ".parquet"):
        raise InputError(f"{path}: does not end in .csv or .parquet; give a file of either")
    data = pa.BufferReader(read_bytes(path, _MOST_BYTES))
    try:
        if path.suffix == ".csv":
            text = csv.ConvertOptions(column_types={"symbol": pa.string()})
            table = csv.read_csv(data, convert_options=text)
        else:
            table = parquet.read_table(data)
        names = table.column_names
        table.validate(full=True)  # names and texts may be no text
    except (OSError, pa.ArrowException, UnicodeError) as error:
        said = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read ({said}); write it anew") from None
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise InputError(f"{path}: lacks {', '.join(missing)}; give {', '.join(COLUMNS)}")
    empty = [name for name in COLUMNS if table[name].null_count]
    if empty:
        raise InputError(f"{path}: has empty cells in {', '.join(empty)}; fill them or leave out")
    numbers = ("score", "sentiment")
    kinds = [table.schema.field(name).type for name in numbers]
    if not all(pa.types.is_floating(kind) or pa.types.is_integer(kind) for kind in kinds):
        raise InputError(f"{path}: score or sentiment is not a number in every row; mend the file")
    return table


def _times(column: Any, path: str | Path) -> NDArray[np.int64]:
    """ns since the epoch, of whole numbers or of times with a zone."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
    if not pa.types.is_integer(column.type):
        raise InputError(
            f"{path}: ts is {column.type}; give ns since the epoch, or times with a zone"
        )
    return np.asarray(column.to_numpy(), dtype=np.int64)
