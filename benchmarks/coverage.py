"""How often 95 % intervals of a comparison hold the truth, on synthetic days whose truth is known.

    python -m benchmarks.coverage [REPEATS]

Two policies work the same orders of 2 to 20 names on 6 to 30 days. What one costs more than the
other has a part that all orders of a day and name share, correlated between the names of a day by 0
to 0.8, and noise with heavy tails of its own (Student's t with 3 degrees of freedom; the baseline's
is log-normal, and skewed); days differ in volatility (its logarithm by 0.35) and in their number of
orders (its logarithm by 0.5). Each repeat goes from the costs of orders to the interval through
`Comparison`, as `paceline compare` does.

Value: percentage points by which the coverage of the mean difference is off 95 % in the worst cell;
4,000 repeats know a cell to 0.34 points (one standard error), so the worst of 78 is nearly a point
off by chance alone. Names whose own difference persists over days, from ten names on, are cells
too: there the truth is that of all names such as these. Beside it: coverage of the saving and of
the CVaR95 difference, and how often Student's t over single orders rejects a true null.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import AT_MOST, announce, digits, say
from paceline.cost.clustered import FEWEST_NAMES, Clusters
from paceline.cost.tail import cvar
from paceline.evaluate.comparison import Comparison
from paceline.evaluate.paired import paired_difference

REPEATS, BAR_POINTS = 4000, 2.0
NAMES, DAYS, CORRELATIONS = (2, 5, 12, 20), (6, 12, 30), (0.0, 0.2, 0.4, 0.6, 0.8)
PERSISTS_BPS = 0.5
"""Standard deviation of a name's own difference, in the cells where it persists."""

COST_BPS, GAP_BPS = 6.0, -0.5
"""Mean cost of the baseline, and what the other costs less."""

_REST = 4
"""Every so many repeats what takes longer is measured, too: the saving, the tail, and t over
orders."""

_ORDERS = 4.0
"""Orders of a day and name, beside the one that there always is."""


class Cell(NamedTuple):
    """One kind of data."""

    names: int
    days: int
    correlation: float
    persists_bps: float = 0.0


class Found(NamedTuple):
    """Shares of the repeats of a cell."""

    mean: float  # intervals that hold the truth
    saving: float
    tail: float
    over_orders: float  # true nulls that t over single orders rejects


class Orders(NamedTuple):
    """One repeat: `[n]` each."""

    day: NDArray[np.int64]
    name: NDArray[np.int64]
    cost: NDArray[np.float64]
    base: NDArray[np.float64]


def draw(cell: Cell, rng: np.random.Generator) -> Orders:
    """Orders of a cell."""
    days, names = cell.days, cell.names
    busy = np.exp(0.5 * rng.standard_normal((days, 1)))
    count = 1 + rng.poisson(_ORDERS * np.broadcast_to(busy, (days, names)))
    at = np.repeat(np.arange(days * names), count.ravel())
    wild = np.exp(0.35 * rng.standard_normal((days, 1))) * np.ones((1, names))
    own = cell.persists_bps * rng.standard_normal(names)
    wild = wild.ravel()[at]
    base = COST_BPS + wild * (3.0 * _shared(cell, rng)[at] + 9.0 * skewed(rng, len(at)))
    more = GAP_BPS + own[at % names]
    more = more + wild * (0.7 * _shared(cell, rng)[at] + 0.9 * rng.standard_t(3, len(at)))
    return Orders(at // names, at % names, base + more, base)


def skewed(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Log-normal noise of mean 0."""
    return np.asarray(rng.lognormal(size=n) - np.exp(0.5))


def _shared(cell: Cell, rng: np.random.Generator) -> NDArray[np.float64]:
    """`[days * names]` of variance 1, correlated between the names of a day."""
    of_day, of_both = rng.standard_normal((cell.days, 1)), rng.standard_normal(
        (cell.days, cell.names)
    )  # fmt: skip
    r = cell.correlation
    return np.asarray((r**0.5 * of_day + (1.0 - r) ** 0.5 * of_both).ravel())


def compared(orders: Orders) -> Comparison:
    """What `paceline compare` makes of costs."""
    n = len(orders.day)
    parents = {"day": orders.day, "symbol": orders.name, "seed": np.zeros(n, np.int64)}
    columns = {
        "policy": np.repeat(["base", "new"], n),
        "fill_model": np.full(2 * n, "calibrated"),
        "parent": np.tile(np.arange(n), 2),
        "shortfall_bps": np.concatenate([orders.base, orders.cost]),
    }
    return Comparison({}, parents, columns, [], [], False)


def measured(cell: Cell, repeats: int, tail_bps: float, seed: int) -> Found:
    """Work a cell."""
    rng, held, of = np.random.default_rng([seed, 12]), np.zeros(4), np.zeros(4)
    for k in range(repeats):
        orders = draw(cell, rng)
        found = compared(orders)
        mean = found.part("new", "calibrated", "shortfall_bps")
        held[0] += mean.low_bps <= GAP_BPS <= mean.high_bps
        of[0] += 1
        if k % _REST:
            continue
        sure = found.sureness("new", "calibrated")
        assert sure.mean == mean, "one difference has one interval"
        if not np.isnan(sure.saving.low):
            held[1] += sure.saving.low <= -GAP_BPS / COST_BPS <= sure.saving.high
            of[1] += 1
        alone = Clusters(np.arange(len(orders.day)))
        held[2] += sure.cvar95.low <= tail_bps <= sure.cvar95.high
        held[3] += paired_difference(orders.cost - GAP_BPS, orders.base, alone).p < 0.05
        of[2:] += 1
    return Found(*(float(x) for x in held / of))


def tail_of(persists_bps: float, n: int = 4_000_000) -> float:
    """The true difference of CVaR95: what one order costs is distributed alike in all cells."""
    rng = np.random.default_rng(1)
    wild = np.exp(0.35 * rng.standard_normal(n))
    base = COST_BPS + wild * (3.0 * rng.standard_normal(n) + 9.0 * skewed(rng, n))
    more = wild * (0.7 * rng.standard_normal(n) + 0.9 * rng.standard_t(3, n))
    cost = base + GAP_BPS + persists_bps * rng.standard_normal(n) + more
    return cvar(cost, 20) - cvar(base, 20)


def cells() -> list[Cell]:
    found = [Cell(*one) for one in product(NAMES, DAYS, CORRELATIONS)]
    many = [names for names in NAMES if names >= FEWEST_NAMES]
    return found + [Cell(*one, PERSISTS_BPS) for one in product(many, DAYS, CORRELATIONS[::2])]


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repeats", type=int, nargs="?", default=REPEATS, help="of each cell")
    repeats = parser.parse_args().repeats
    start = time.process_time()
    tails = {persists: tail_of(persists) for persists in (0.0, PERSISTS_BPS)}
    found = {}
    for k, cell in enumerate(cells()):
        found[cell] = one = measured(cell, repeats, tails[cell.persists_bps], k)
        say(
            f"{cell.names:2} names, {cell.days:2} days, correlation {cell.correlation}"
            f"{', names persist' if cell.persists_bps else ''}: mean {one.mean:.4f}, saving "
            f"{one.saving:.4f}, CVaR95 {one.tail:.4f}; t over orders rejects {one.over_orders:.3f}"
        )
    worst = max(found, key=lambda cell: abs(found[cell].mean - 0.95))

    def between(what: str) -> list[float]:
        shares = [100.0 * getattr(one, what) for one in found.values()]
        return [digits(min(shares)), digits(max(shares))]

    return announce(
        "coverage",
        100.0 * abs(found[worst].mean - 0.95),
        "percentage points off 95 %, worst cell",
        BAR_POINTS,
        AT_MOST,
        cells=len(found),
        repeats=repeats,
        std_error_points=digits(100.0 * (0.95 * 0.05 / repeats) ** 0.5, 2),
        worst=worst._asdict(),
        mean=between("mean"),
        saving=between("saving"),
        cvar95=between("tail"),
        t_over_orders_rejects=between("over_orders"),
        processor_minutes=digits((time.process_time() - start) / 60.0, 2),
    )


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
