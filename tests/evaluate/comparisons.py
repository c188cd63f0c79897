"""Comparisons whose numbers are known, for what is said and drawn of them."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.evaluate.buckets import Bucket
from paceline.evaluate.compare_settings import CompareSettings
from paceline.evaluate.comparison import PARTS, Comparison
from paceline.evaluate.outcomes import MEANS
from paceline.evaluate.tuning import POOLED, Choice, Scored, Tuned

N = 200
BEST = Scored("ac/mid+5s/10", 900.0, 5.5, 0.4, 44.0, 0.99, 600)
TUNED = Tuned(
    days=("2024-01-02", "2024-01-03"), seed=1, settings={}, tried=105,
    choices=(Choice("calibrated", POOLED, (BEST,)),),
)  # fmt: skip


def comparison(
    costs: dict[str, dict[str, float] | float],
    *,
    models: tuple[str, ...] = ("pessimistic", "calibrated", "optimistic"),
    fill_rates: dict[str, float] | None = None,
    noise_bps: float = 2.0,
    days: int = 20,
    seeds: int = 1,
    tuned: bool = True,
    **more: Any,
) -> Comparison:
    """`N` orders on `days` days of a name, two names a day. Each policy costs what `costs` says on
    average (under each fill model if need be), the market's moves, which all share, and noise of
    its own. Taking is nine tenths of it, timing the rest and what is shared."""
    rng = np.random.default_rng(1)
    shared, which = rng.normal(0.0, 20.0, N), np.arange(N) % days
    shared -= shared.mean()
    rows = []
    for model in models:
        for policy, cost in costs.items():
            mean = cost[model] if isinstance(cost, dict) else cost
            own = rng.normal(0.0, noise_bps, N)
            rate = (fill_rates or {}).get(policy, 1.0)
            rows.append(_columns(policy, model, mean, shared + own - own.mean(), rate, which))
    orders = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    side = np.where(np.arange(N) % 2, 1, -1)
    parents = {
        "parent": np.arange(N),
        "seed": np.arange(N) // days % seeds,
        "symbol": np.where(which % 2, "AAA", "BBB"),
        "day": np.array([f"2024-01-{k // 2 + 1:02d}" for k in which]),
        "tape": np.array([f"day {k}" for k in which]),
        "side": side,
        "size_share": np.linspace(0.02, 0.1, N),
    }
    buckets = [Bucket("side", "buy", side > 0), Bucket("side", "sell", side < 0)]
    settings = msgspec.to_builtins(CompareSettings(orders=N))
    return Comparison(
        settings,
        parents,
        orders,
        buckets,
        [],
        False,
        tuning=TUNED.as_dict() if tuned else None,
        **more,
    )


def _columns(
    policy: str,
    model: str,
    mean: float,
    moves: NDArray[np.float64],
    rate: float,
    which: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:
    cost = mean + moves
    columns: dict[str, NDArray[Any]] = {
        name: np.zeros(N) for name in (*MEANS, *PARTS, "shortfall_bps", "given_back_1m_bps")
    }
    columns |= {
        "parent": np.arange(N),
        "tape": np.array([f"day {k}" for k in which]),
        "policy": np.full(N, policy),
        "fill_model": np.full(N, model),
        "shortfall_bps": cost,
        "trading_bps": cost,
        "taken_bps": np.full(N, 0.9 * mean),
        "timing_bps": cost - 0.9 * mean,
        "spread_paid_bps": np.full(N, 0.9 * mean),
        "fill_rate": np.full(N, rate),
        "decision_us": np.full(N, np.nan),
    }
    for name in ("children", "messages", "cancels", "decisions", "masked_choices", "violations"):
        columns[name] = np.zeros(N, np.int64)
    columns["children"][:] = 30
    return columns
