"""What our own large orders do to a simulated market: impact by size, and what is left of it after.

A metaorder of Q lots is worked over a time T in market orders as large as a mean trade, evenly
spread, in many markets that are independent of one another, once bought and once sold in each, so
that a drift cancels. Until its first child order a market is what it would be without us. Impact is
the mean move of the mid in the direction of the order, from just before it to its end.

Real metaorders move the price with the square root of their size, I = Y sigma (Q / V)^0.5 with Y of
order 1, where sigma and V are volatility and volume of the same time (Toth et al., "Anomalous price
impact and the critical nature of liquidity in financial markets", Phys. Rev. X 1 (2011) 021006:
exponents 0.4 to 0.7), and about a third of it is gone some time after (Bershova & Rakhlin, "The
non-linear market impact of large trades", Quantitative Finance 13 (2013) 1759). In a simulated
market nothing of this is built in; it emerges, or does not.

Difference from the sources: here everybody else is the flow, which does not know that a large order
is worked, and size varies at a fixed duration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulated_exchange import SimulatedExchange
from paceline.errors import InputError
from paceline.realism.threads import on_all
from paceline.units import BPS, NS_PER_S

Floats = npt.NDArray[np.float64]

SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Sizes, as a share of the volume of the same time."""

LOOKS = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
"""When the mid is looked at, in durations of the order."""

END = LOOKS.index(1.0)

LONGEST_S = 900.0
"""Seconds over which a metaorder is worked, in a session that is long enough."""

FEWEST_MARKETS = 10
"""Below it there is no mean to speak of."""

_ROOM_BEFORE = 1.0
"""Durations for which a market runs before the order."""


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """What metaorders did. Prices in bps of the mid before the order, in its direction."""

    work_s: float
    """Duration of the order."""
    runs: int
    """Orders of each size, half of them bought."""
    volume_lots: float
    """Mean volume of a market left alone over that time."""
    sigma_bps: float
    """Standard deviation of its return over that time."""
    child_lots: int
    shares: list[float]
    """`[k]` size by that volume."""
    filled: list[float]
    """`[k]` share of the size that was filled: a market order takes what is there."""
    impact: list[float]
    """`[k]` mean at the end of the order."""
    impact_error: list[float]
    looks: list[float]
    """`[t]` durations since the start."""
    path: list[list[float]]
    """`[k][t]` mean move of the mid."""
    path_error: list[list[float]]
    exponent: float
    """d of impact = Y sigma_bps share^d."""
    exponent_error: float
    prefactor: float
    """Y."""
    prefactor_error: float
    reverted: float
    """Share of the impact, all sizes together, that is gone at the last look."""
    reverted_error: float


class _Plan(NamedTuple):
    settings: MarketSettings
    day: str
    seed: int
    begin_ns: int
    work_ns: int


def measure_impact(
    settings: MarketSettings,
    day: str,
    *,
    markets: int = 300,
    seed: int = 1,
    shares: Sequence[float] = SHARES,
    progress: Callable[[str, int, int], None] | None = None,
    jobs: int | None = None,
) -> Impact:
    """Work metaorders of all sizes in `markets` markets of the middle of `day`.

    Raises `InputError` for fewer than `FEWEST_MARKETS` markets, and where nothing trades.
    """
    if markets < FEWEST_MARKETS:
        raise InputError(
            f"markets: {markets} are too few for a mean; give {FEWEST_MARKETS} or more"
        )
    tell = progress or (lambda what, done, total: None)
    plan = _plan(settings, day, seed)
    alone = on_all(
        partial(_alone, plan), range(markets), jobs,
        lambda done: tell("markets left alone", done, markets),
    )  # fmt: skip
    volume, trades, moves = (np.array(column) for column in zip(*alone, strict=True))
    if not volume.sum():
        raise InputError("market: nothing trades in it; raise market_buy_per_s")
    child = max(round(float(volume.sum() / trades.sum())), 1)
    sizes = [max(round(share * float(volume.mean())), 1) for share in shares]
    runs = on_all(
        partial(_all_sizes, plan, sizes, child), range(markets), jobs,
        lambda done: tell("own orders worked", done, markets),
    )  # fmt: skip
    by_size = list(zip(*runs, strict=True))
    paths = [np.array([path for path, _ in of]) for of in by_size]
    filled = [float(np.mean([share for _, share in of])) for of in by_size]
    return _impact(
        plan, 2 * markets, volume, moves, child, np.array(sizes) / volume.mean(), filled, paths
    )


def _plan(settings: MarketSettings, day: str, seed: int) -> _Plan:
    session = settings.session(day)
    work_s = min(LONGEST_S, session.length_s * 3 / 16)
    whole_s = (_ROOM_BEFORE + LOOKS[-1]) * work_s
    begin = (session.open_ns + session.close_ns - round(whole_s * NS_PER_S)) // 2
    return _Plan(settings, day, seed, begin, round(work_s * NS_PER_S))


def _ready(plan: _Plan, episode: int) -> tuple[SimulatedExchange, int]:
    """A market, and when the order starts in it."""
    exchange = SimulatedExchange(
        plan.settings, plan.day, plan.seed, episode=episode, begin_ns=plan.begin_ns
    )
    start = plan.begin_ns + round(_ROOM_BEFORE * plan.work_ns)
    exchange.advance(start)
    return exchange, start


def _alone(plan: _Plan, episode: int) -> tuple[int, int, float]:
    """Volume, trades and log return over the time in which an order would be worked."""
    exchange, start = _ready(plan, episode)
    mid, (trades, volume) = _mid(exchange), exchange.floor.prints.clock.tolist()
    exchange.advance(start + plan.work_ns)
    trades_then, volume_then = exchange.floor.prints.clock.tolist()
    return volume_then - volume, trades_then - trades, float(np.log(_mid(exchange) / mid))


def _all_sizes(
    plan: _Plan, sizes: Sequence[int], child: int, episode: int
) -> list[tuple[Floats, float]]:
    """For each of `sizes` the path of the mid `[t]`, mean of a buy and a sell, and the share that
    was filled. All begin with the same market, to the last order in its book."""
    exchange, start = _ready(plan, episode)
    before = exchange.save()
    found = []
    for lots in sizes:
        paths, filled = [], 0
        for side in (1, -1):
            exchange.restore(before)
            paths.append(side * _work(plan, exchange, start, side, lots, child))
            filled += sum(fill.lots for fill in exchange.fills())
        found.append((np.mean(paths, axis=0), filled / (2 * lots)))
    return found


def _work(
    plan: _Plan, exchange: SimulatedExchange, start: int, side: int, lots: int, child: int
) -> Floats:
    """Log move of the mid at `LOOKS` while `lots` are worked and after."""
    mid = _mid(exchange)
    n = -(-lots // child)
    sends = start + ((np.arange(n) + 0.5) / n * plan.work_ns).astype(np.int64)
    size = np.diff(np.round(np.arange(n + 1) / n * lots).astype(np.int64))
    looks = start + np.round(np.array(LOOKS) * plan.work_ns).astype(np.int64)
    path, sent = [], 0
    for look in looks:
        while sent < n and sends[sent] < look:
            exchange.advance(int(sends[sent]))
            exchange.submit(side, int(size[sent]), type="market")
            sent += 1
        exchange.advance(int(look))
        path.append(np.log(_mid(exchange) / mid))
    return np.array(path)


def _mid(exchange: SimulatedExchange) -> float:
    """Mid in ticks; NaN while a side is empty."""
    bids, asks = exchange.ladder(1)
    return (bids[0][0] + asks[0][0]) / 2 if bids and asks else float("nan")


def _impact(
    plan: _Plan, runs: int, volume: Floats, moves: Floats, child: int, shares: Floats,
    filled: list[float], paths: list[Floats],
) -> Impact:  # fmt: skip
    mean = np.array([np.nanmean(path, axis=0) for path in paths]) * BPS
    error = np.array([_mean_error(path) for path in paths]) * BPS
    sigma = float(np.nanstd(moves, ddof=1)) * BPS
    fit = fit_power(shares, mean[:, END] / sigma, error[:, END] / sigma)
    reverted = _reverted(paths)
    return Impact(
        work_s=plan.work_ns / NS_PER_S,
        runs=runs,
        volume_lots=float(volume.mean()),
        sigma_bps=sigma,
        child_lots=child,
        shares=shares.tolist(),
        filled=filled,
        impact=mean[:, END].tolist(),
        impact_error=error[:, END].tolist(),
        looks=list(LOOKS),
        path=mean.tolist(),
        path_error=error.tolist(),
        exponent=fit.exponent,
        exponent_error=fit.exponent_error,
        prefactor=fit.scale,
        prefactor_error=fit.scale_error,
        reverted=reverted[0],
        reverted_error=reverted[1],
    )


def _mean_error(path: Floats) -> Floats:
    """Standard error of the mean over markets `[t]`; a buy and a sell in one count as one."""
    known = np.sum(~np.isnan(path), axis=0)
    return np.asarray(np.nanstd(path, axis=0, ddof=1) / np.sqrt(known))


def _reverted(paths: list[Floats]) -> tuple[float, float]:
    """Share of the impact that is gone at the last look, and its standard error by the delta
    method: 1 - sum of what is left / sum of what there was, over all sizes."""
    left = sum(np.nanmean(path[:, -1]) for path in paths)
    there = sum(np.nanmean(path[:, END]) for path in paths)
    if not there > 0.0:
        return float("nan"), float("nan")
    ratio = left / there
    spread = [_mean_error((path[:, -1] - ratio * path[:, END])[:, None])[0] for path in paths]
    return float(1.0 - ratio), float(np.sqrt(np.sum(np.square(spread))) / there)


class PowerFit(NamedTuple):
    """y = scale x^exponent."""

    scale: float
    scale_error: float
    exponent: float
    exponent_error: float


def fit_power(x: Floats, y: Floats, error: Floats) -> PowerFit:
    """y = a x^d by least squares weighted with 1 / error^2 (Gauss-Newton); NaN where fewer than 2
    values lie above 0 by two errors. Values below 0 count, as logarithms could not."""
    nothing = PowerFit(*[float("nan")] * 4)
    clear = (y > 2.0 * error) & (error > 0.0)
    if clear.sum() < 2:
        return nothing
    d, log_a = np.polyfit(np.log(x[clear]), np.log(y[clear]), 1, w=(y / error)[clear])
    for _ in range(50):
        model = np.exp(log_a) * x**d
        slope = np.stack([model, model * np.log(x)], axis=1) / error[:, None]
        gram = slope.T @ slope
        step = np.linalg.solve(gram, slope.T @ ((y - model) / error))
        step /= max(1.0, float(np.abs(step).max()) / 0.5)
        log_a, d = log_a + step[0], d + step[1]
        if np.abs(step).max() < 1e-10:
            break
    else:
        return nothing
    spread = np.sqrt(np.diag(np.linalg.inv(gram)))
    a = float(np.exp(log_a))
    return PowerFit(a, a * float(spread[0]), float(d), float(spread[1]))
