"""What orders are like before anybody works them, and the buckets that comparisons are split into.

Everything is known at the start of an order, so no policy can move an order from one bucket to
another: side, name, size, time of day, and how volatile, tight and deep the market was.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.decision.regimes import LiquidityRegimes
from paceline.decision.schema import NAMES
from paceline.env.days import AnyPool
from paceline.env.simulated_pool import SimulatedPool
from paceline.evaluate.per_order import Columns
from paceline.market.session import clock
from paceline.page.cells import plain

THIRDS = 3
QUARTERS = 4


class Bucket(NamedTuple):
    """Orders that are alike in one way."""

    what: str
    """The way: `side`, `size`, ..."""
    name: str
    rows: NDArray[np.bool_]
    """`[n]` which orders are in it."""


def describe_orders(
    pool: AnyPool,
    episodes: NDArray[np.void],
    seen: NDArray[np.float32],
    seeds: NDArray[np.int64],
    regimes: LiquidityRegimes | None = None,
) -> Columns:
    """One row for each of `episodes` `[n]`, from what was `seen` at its start `[n, N_FEATURES]`;
    `regimes`, where they are given, tell the likeliest one there; markets that are held in regimes
    know it."""
    which = episodes["tape"]
    tapes = [pool.tapes[k] for k in which]
    alone = isinstance(pool, SimulatedPool)
    n = len(episodes)
    lot = np.array([float(tape.instrument.lot) for tape in tapes])
    opens = np.array([tape.session.open_ns for tape in tapes])
    closes = np.array([tape.session.close_ns for tape in tapes])
    share = (episodes["start_ts"] - opens) / (closes - opens)
    return {
        "parent": np.arange(n),
        "seed": seeds,
        "symbol": np.array([tape.instrument.symbol for tape in tapes]),
        "day": np.array(["" if alone else tape.session.day for tape in tapes]),
        # What orders share: a day of a name; where each has a market of its own, those numbers of
        # chance from which the one on the other side has its market, too.
        "tape": np.array(
            [f"{tape.instrument.symbol}/{seed}/{number}" for tape, seed, number in
             zip(tapes, seeds, episodes["number"], strict=True)]
            if alone else [tape.name for tape in tapes]
        ),
        "side": episodes["side"],
        "qty": episodes["lots"] * lot,
        "start_ts": episodes["start_ts"],
        "end_ts": episodes["end_ts"],
        "session_share": share,
        "size_share": 2.0 ** _seen(seen, "size_horizon"),
        "volatility_bps": _seen(seen, "volatility_300s"),
        "spread_steps": _seen(seen, "spread"),
        "regime": np.array(pool.moods)[which] if isinstance(pool, SimulatedPool)
        else _regimes(seen, regimes),
        "depth": (_seen(seen, "near_0_size") + _seen(seen, "far_0_size")) / 2,
    }  # fmt: skip


def buckets_of(parents: Columns, pool: AnyPool) -> list[Bucket]:
    """All buckets of `parents` that split them: at least two of each kind, none empty."""
    found: list[Bucket] = []
    symbols = parents["symbol"]
    sides = np.where(parents["side"] > 0, "buy", "sell")
    found += _named("side", sides, ("buy", "sell"))
    found += _named("name", symbols, sorted(set(symbols.tolist())))
    found += _by_size(parents["size_share"])
    found += _named("time of day", *_times(parents["session_share"], pool))
    regimes = parents["regime"]
    found += _named("regime", regimes, sorted(set(regimes.tolist()) - {""}))
    for what, column, words in (
        ("volatility", "volatility_bps", ("calm", "usual", "volatile")),
        ("spread", "spread_steps", ("tight", "usual", "wide")),
        ("depth at the touch", "depth", ("thin", "usual", "deep")),
    ):
        found += _named(what, _thirds(parents[column], symbols, words), words)
    return found


def _regimes(seen: NDArray[np.float32], regimes: LiquidityRegimes | None) -> NDArray[Any]:
    """The likeliest regime of each row, by name; empty where it is not known."""
    if regimes is None:
        return np.full(len(seen), "")
    weights = np.array([regimes.weights(row) for row in seen])
    names = np.array([*regimes.names, ""])
    known = ~np.isnan(weights).any(axis=1)
    likeliest = np.argmax(np.nan_to_num(weights[:, : regimes.n]), axis=1)
    return np.asarray(names[np.where(known, likeliest, len(names) - 1)])


def _seen(seen: NDArray[np.float32], name: str) -> NDArray[np.float64]:
    """A feature `[n]`; NaN where it had no input."""
    values = seen[:, NAMES.index(name)].astype(np.float64)
    flag = f"no {name}"
    if flag in NAMES:
        values[seen[:, NAMES.index(flag)] == 1.0] = np.nan
    return values


def _named(what: str, labels: NDArray[Any], names: Sequence[str]) -> list[Bucket]:
    found = [Bucket(what, name, labels == name) for name in names]
    found = [bucket for bucket in found if bucket.rows.any()]
    return found if len(found) > 1 else []


def _by_size(share: NDArray[np.float64]) -> list[Bucket]:
    """Thirds by size, as a share of what the horizon usually trades."""
    known = share[~np.isnan(share)]
    if not len(known) or np.ptp(known) <= 1e-6 * known.max():
        return []
    edges = np.quantile(known, np.arange(1, THIRDS) / THIRDS)
    group = np.searchsorted(edges, share, side="right")
    bounds = [known.min(), *edges, known.max()]
    names = [f"{plain(100 * low, 1)} to {plain(100 * high, 1)} %" for low, high in pairwise(bounds)]
    labels = np.where(np.isnan(share), "", np.array(names)[np.minimum(group, THIRDS - 1)])
    return _named("size", labels, list(dict.fromkeys(names)))


def _times(share: NDArray[np.float64], pool: AnyPool) -> tuple[NDArray[Any], list[str]]:
    """Quarters of the session, by the start of the order, on the first day's clock."""
    session = pool.tapes[0].session
    length = session.close_ns - session.open_ns
    edges = [
        clock(session.open_ns + k * length // QUARTERS, session.zone)[:5]
        for k in range(QUARTERS + 1)
    ]
    names = [f"{low} to {high}" for low, high in pairwise(edges)]
    group = np.clip((share * QUARTERS).astype(np.int64), 0, QUARTERS - 1)
    return np.array(names)[group], names


def _thirds(
    values: NDArray[np.float64], symbols: NDArray[Any], words: Sequence[str]
) -> NDArray[Any]:
    """Which third of its own name's orders each is in, in words; empty where it is not known. Where
    many are alike the thirds are not equal."""
    labels = np.full(len(values), "", dtype=f"<U{max(map(len, words))}")
    for symbol in set(symbols.tolist()):
        at = np.flatnonzero((symbols == symbol) & ~np.isnan(values))
        if len(at):
            edges = np.quantile(values[at], np.arange(1, THIRDS) / THIRDS)
            labels[at] = np.array(words)[np.searchsorted(edges, values[at], side="left")]
    return labels
