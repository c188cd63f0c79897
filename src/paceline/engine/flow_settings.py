"""Settings of the parts of a simulated flow: where and how large orders are, what excites them,
how they look at queues, and what happens to the market at once.

Laws of sizes and distances have a formula, or a `histogram` that was counted on tapes and then
wins over the formula.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import ArrayLike, NDArray

from paceline.config import Field, Settings
from paceline.engine.laws import LOOKS, QUEUES, SPREADS
from paceline.errors import ConfigError

Share = Annotated[float, Meta(ge=0, le=1)]
Rate = Annotated[float, Meta(ge=0, le=1e6)]
Multiple = Annotated[float, Meta(ge=0, le=1e3)]
Weights = tuple[Annotated[float, Meta(ge=0, le=1e12)], ...]

WIDEST = 100_000
"""Values that one histogram may span."""


class Histogram(Settings, frozen=True, kw_only=True):
    """A law of whole numbers: bins, and in each all numbers alike."""

    edges: Annotated[
        tuple[int, ...], Field("First number of each bin, and the one after the last.", "")
    ]
    weights: Annotated[Weights, Field("How often each bin was seen, in any unit.", "")]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.edges) < 2 or np.any(np.diff(self.edges) <= 0):
            raise ConfigError(f"edges: {_short(self.edges)} do not rise; give two or more that do")
        if len(self.weights) != len(self.edges) - 1 or not sum(self.weights) > 0:
            raise ConfigError(
                f"weights: {_short(self.weights)} are not one for each of {len(self.edges) - 1} "
                "bins, one of them above 0"
            )
        if self.edges[-1] - self.edges[0] > WIDEST:
            raise ConfigError(f"edges: span more than {WIDEST:,} numbers; give coarser units")

    def shares(self, first: int) -> NDArray[np.float64]:
        """Share of `first`, `first + 1`, ...; raises `ConfigError` if smaller numbers occur."""
        if self.edges[0] < first:
            raise ConfigError(f"edges: {self.edges[0]} is too small; the law starts at {first}")
        widths = np.diff(self.edges)
        flat = np.repeat(np.asarray(self.weights) / widths, widths)
        return np.append(np.zeros(self.edges[0] - first), flat / flat.sum())


def _short(values: tuple[float, ...]) -> str:
    text = ", ".join(f"{value:g}" for value in values[:6])
    return f"[{text}, ...]" if len(values) > 6 else f"[{text}]"


class Placement(Settings, frozen=True, kw_only=True):
    """Where a limit order is placed."""

    anchor: Annotated[
        Literal["other", "own"],
        Field("Distances count from the other side's best price (1 up) or the own (0 up).", ""),
    ] = "other"
    law: Annotated[
        Literal["power", "exponential"],
        Field("How the rate falls with the distance i: i ** -exponent or exp(-i / scale).", ""),
    ] = "power"
    exponent: Annotated[
        float, Meta(ge=0, le=10), Field("Exponent of the power law; 0 is flat.", "")
    ] = 0.4
    scale_ticks: Annotated[
        float, Meta(ge=0.1, le=1e4), Field("Scale of the exponential law.", "ticks")
    ] = 10.0
    reach_ticks: Annotated[int, Meta(ge=1, le=10_000), Field("Largest distance.", "ticks")] = 60
    histogram: Annotated[Histogram | None, Field("Distances as counted.", "ticks")] = None
    improve: Annotated[
        tuple[Share, ...],
        Field(
            "Anchor own: share of orders inside the spread when it is 1, 1.4, 2, 2.8, 4 ... ticks; "
            "the last holds for all wider ones.",
            "share",
        ),
    ] = ()
    inside: Annotated[
        Histogram | None, Field("By how much they improve; left out, one tick.", "ticks")
    ] = None
    parted: Annotated[
        tuple[Share, ...],
        Field(
            "Share of them that improve by a part of the gap instead, for the same spreads.",
            "share",
        ),
    ] = ()
    parts: Annotated[
        Weights, Field("How often by the first, second, ... of so many equal parts of it.", "")
    ] = (1.0,)
    whole_ticks: Annotated[
        int,
        Meta(ge=1, le=10_000),
        Field("Ticks between whole prices, e.g. ten to a cent.", "ticks"),
    ] = 1
    whole_inside: Annotated[
        Share, Field("Anchor own: share on whole prices of orders inside by more than a tick.", "")
    ] = 0.0
    whole_behind: Annotated[
        Share, Field("Anchor own: share on whole prices of orders at the touch or behind it.", "")
    ] = 0.0

    def weights(self) -> NDArray[np.float64]:
        """Share of limit orders at the first, second, ... distance."""
        if self.histogram is not None:
            return self.histogram.shares(int(self.anchor == "other"))
        distance = np.arange(1, self.reach_ticks + 1, dtype=np.float64)
        if self.law == "power":
            weight = distance**-self.exponent
        else:
            weight = np.exp(-(distance - 1) / self.scale_ticks)
        return weight / weight.sum()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.parts or not sum(self.parts) > 0:
            raise ConfigError(f"parts: {_short(self.parts)} are no weights; give one above 0")

    def improving(self) -> NDArray[np.float64]:
        """Share of orders inside the spread by width of the spread `[SPREADS]`."""
        return by_spread(self.improve)


def by_spread(shares: tuple[float, ...]) -> NDArray[np.float64]:
    """`[SPREADS]` of `shares`, the last of which holds for all wider spreads; none is 0."""
    known = np.asarray(shares[:SPREADS] or (0.0,), dtype=np.float64)
    return np.append(known, np.full(SPREADS - len(known), known[-1]))


class Reposts(Settings, frozen=True, kw_only=True):
    """Orders that give up their place in the queue: cancelled, and soon sent again as they were."""

    share: Annotated[
        Share, Field("Share of limit orders, first on their side since a cancel, that are it.", "")
    ] = 0.0
    within_s: Annotated[
        float, Meta(ge=1e-6, le=1e4), Field("If it was no longer ago than that.", "s")
    ] = 1.0


class Sizes(Settings, frozen=True, kw_only=True):
    """How large orders are, in round lots."""

    law: Annotated[
        Literal["lognormal", "geometric", "pareto"],
        Field("Law of the size before it is rounded.", ""),
    ] = "lognormal"
    mean_round_lots: Annotated[
        float, Meta(ge=1), Field("Mean before rounding and cutting.", "round lots")
    ] = 2.0
    sigma: Annotated[
        float,
        Meta(ge=0.01, le=5),
        Field("Standard deviation of the log-normal law's logarithm.", ""),
    ] = 1.0
    tail: Annotated[
        float, Meta(gt=0, le=20), Field("Pareto: P(size > q) falls as q ** -tail.", "")
    ] = 1.5
    max_round_lots: Annotated[
        int, Meta(ge=1, le=10_000), Field("Largest size; the law is cut there.", "round lots")
    ] = 100
    histogram: Annotated[Histogram | None, Field("Sizes as counted.", "round lots")] = None

    def weights(self) -> NDArray[np.float64]:
        """Share of orders of 1, 2, ... round lots; below one counts as one."""
        if self.histogram is not None:
            return self.histogram.shares(1)
        if self.law == "geometric":
            quit_share = 1 / self.mean_round_lots
            weight = (1 - quit_share) ** np.arange(self.max_round_lots, dtype=np.float64)
        elif self.law == "pareto":
            edges = np.arange(1, self.max_round_lots + 2, dtype=np.float64)
            weight = -np.diff(edges**-self.tail)
        else:
            log_size = NormalDist(math.log(self.mean_round_lots) - self.sigma**2 / 2, self.sigma)
            log_edges = (math.log(n + 0.5) for n in range(1, self.max_round_lots + 1))
            weight = np.diff([0.0, *(log_size.cdf(edge) for edge in log_edges)])
        if not weight.sum() > 0:
            raise ConfigError(
                f"mean_round_lots: {self.mean_round_lots} is out of reach of "
                f"max_round_lots {self.max_round_lots}; raise max_round_lots"
            )
        return weight / weight.sum()


Matrix = tuple[tuple[Annotated[float, Meta(ge=0, le=10)], ...], ...]


class Excitation(Settings, frozen=True, kw_only=True):
    """How many arrivals one arrival brings about on average, and how fast.

    A market has two sides that are alike: `same` is what a limit order, market order or cancel on
    one side brings about there, `other` on the other side. Rows: what happened; columns: what it
    brings (limit, market, cancel). One 3 x 3 matrix for each time scale.
    """

    half_lives_s: Annotated[
        tuple[Annotated[float, Meta(ge=1e-6, le=1e6)], ...],
        Field("Time scales: half of what an arrival brings has come after so long.", "s"),
    ] = ()
    same: Annotated[tuple[Matrix, ...], Field("Arrivals brought on the same side.", "")] = ()
    other: Annotated[tuple[Matrix, ...], Field("Arrivals brought on the other side.", "")] = ()
    reacts: Annotated[
        bool,
        Field("Whether what is brought about depends on queues, spread and gap like the rest.", ""),
    ] = False
    herding: Annotated[
        Share,
        Field(
            "Share of the market orders brought on the same side that follow whoever took; the "
            "others are his own next pieces, and ours are those we send.",
            "share",
        ),
    ] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("same", "other"):
            blocks = getattr(self, name)
            fits = len(blocks) == len(self.half_lives_s) and all(
                len(block) == 3 and all(len(row) == 3 for row in block) for block in blocks
            )
            if not fits:
                raise ConfigError(
                    f"{name}: is not a 3 x 3 matrix for each of {len(self.half_lives_s)} "
                    "half_lives_s; give rows and columns limit, market, cancel"
                )
        if self.branching() >= 1.0:
            raise ConfigError(
                f"same: with other it has a branching ratio of {self.branching():.3g}, so the flow "
                "would never end; lower the entries until it is below 1"
            )

    def norms(self) -> NDArray[np.float64]:
        """Arrivals of each stream that one of each stream brings about, `[scales, 6, 6]`."""
        found = np.zeros((len(self.half_lives_s), 6, 6))
        for m in range(len(found)):
            for what in range(3):
                for brought in range(3):
                    for row in range(2):
                        at = found[m, 2 * what + row]
                        at[2 * brought + row] = self.same[m][what][brought]
                        at[2 * brought + 1 - row] = self.other[m][what][brought]
        return found

    def scaled(self, times: ArrayLike) -> Excitation:
        """With `times` `[3]` as many limit orders, market orders and cancels brought about."""
        same, other = (
            tuple(tuple(map(tuple, block)) for block in np.round(np.array(of) * times, 7).tolist())
            for of in (self.same, self.other)
        )
        return msgspec.structs.replace(self, same=same, other=other)

    def branching(self, times: ArrayLike = 1.0) -> float:
        """Spectral radius of the matrix of arrivals brought about; below 1 the flow is stable.

        `times` `[3]` multiplies limit orders, market orders and cancels that are brought about.
        """
        if not self.half_lives_s:
            return 0.0
        # Both sides are alike: one arrival brings about what it does on both together.
        both = np.sum(self.same, axis=0) + np.sum(self.other, axis=0)
        return float(np.abs(np.linalg.eigvals(both * np.asarray(times))).max())


class QueueReaction(Settings, frozen=True, kw_only=True):
    """How arrivals on a side depend on its queue at the touch: multiples of their rate at 1/16,
    1/11, 1/8 ... 16 times the usual size, in half powers of two."""

    usual_lots: Annotated[
        float, Meta(gt=0, le=1e9), Field("Usual size of the queue at the touch.", "lots")
    ] = 100.0
    limit: Annotated[tuple[Multiple, ...], Field("Of limit orders.", "")] = ()
    market: Annotated[tuple[Multiple, ...], Field("Of market orders.", "")] = ()
    cancel: Annotated[tuple[Multiple, ...], Field("Of cancels.", "")] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("limit", "market", "cancel"):
            if len(getattr(self, name)) not in (0, QUEUES):
                raise ConfigError(
                    f"{name}: has {len(getattr(self, name))} multiples; give {QUEUES}, or none"
                )

    def table(self) -> NDArray[np.float64]:
        """`[3, QUEUES]`; all 1 where nothing was given."""
        return np.array([getattr(self, name) or (1.0,) * QUEUES for name in _WHATS])


class SpreadReaction(Settings, frozen=True, kw_only=True):
    """How arrivals depend on the spread: multiples of their rate when it is 1, 1.4, 2, 2.8, 4 ...
    ticks; the last one holds for all wider spreads, and none is 1 everywhere."""

    limit: Annotated[tuple[Multiple, ...], Field("Of limit orders.", "")] = ()
    market: Annotated[tuple[Multiple, ...], Field("Of market orders.", "")] = ()
    cancel: Annotated[tuple[Multiple, ...], Field("Of cancels.", "")] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in _WHATS:
            if len(getattr(self, name)) > SPREADS:
                raise ConfigError(
                    f"{name}: has {len(getattr(self, name))} multiples; give {SPREADS} at most"
                )

    def table(self) -> NDArray[np.float64]:
        """`[3, SPREADS]`; all 1 where nothing was given."""
        return np.array([by_spread(getattr(self, name) or (1.0,)) for name in _WHATS])


class GapReaction(SpreadReaction, frozen=True, kw_only=True):
    """How arrivals on a side depend on the gap between its touch and the next level behind it:
    multiples of their rate when it is 1, 1.4, 2, 2.8, 4 ... ticks, as for the spread. Of cancels,
    only those of orders at the touch."""


class Anchoring(Settings, frozen=True, kw_only=True):
    """How arrivals on a side depend on where its touch stands to where it has been: multiples of
    their rate when it is worse by 1024 ticks and more, by 512, ..., 2, 1, the same, better by 1, 2,
    ..., 1024 and more. A touch is used to where it has been with a half-life."""

    half_life_s: Annotated[
        float, Meta(ge=1e-3, le=1e6), Field("Of where the touch has been.", "s")
    ] = 20.0
    limit: Annotated[tuple[Multiple, ...], Field("Of limit orders.", "")] = ()
    market: Annotated[tuple[Multiple, ...], Field("Of market orders.", "")] = ()
    cancel: Annotated[tuple[Multiple, ...], Field("Of cancels.", "")] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in _WHATS:
            if len(getattr(self, name)) not in (0, LOOKS):
                raise ConfigError(
                    f"{name}: has {len(getattr(self, name))} multiples; give {LOOKS}, or none"
                )

    def table(self) -> NDArray[np.float64]:
        """`[3, LOOKS]`; all 1 where nothing was given."""
        return np.array([getattr(self, name) or (1.0,) * LOOKS for name in _WHATS])


_WHATS = ("limit", "market", "cancel")


class Metaorders(Settings, frozen=True, kw_only=True):
    """Large orders that others work in pieces. They give the signs of market orders their long
    memory: it falls as lag ** (1 - tail) (Lillo, Mike and Farmer, "Theory for long memory in supply
    and demand", 2005)."""

    share: Annotated[Share, Field("Share of market orders that are pieces of one.", "")] = 0.0
    at_work: Annotated[int, Meta(ge=1, le=1000), Field("Large orders at a time.", "")] = 10
    tail: Annotated[
        float, Meta(gt=1, le=5), Field("P(more than n pieces) falls as n ** -tail.", "")
    ] = 1.5
    most_pieces: Annotated[int, Meta(ge=1, le=100_000), Field("Pieces of the largest one.", "")] = (
        10_000
    )
    brought: Annotated[
        bool, Field("Whether market orders that others have brought about may be pieces.", "")
    ] = True

    def weights(self) -> NDArray[np.float64]:
        """Share of metaorders of 1, 2, ... pieces."""
        edges = np.arange(1, self.most_pieces + 2, dtype=np.float64)
        weight = -np.diff(edges**-self.tail)
        return np.asarray(weight / weight.sum())


class Tempo(Settings, frozen=True, kw_only=True):
    """The market has a clock of its own, which runs now faster and now slower: volume comes in
    waves of minutes, and volatility with it (Clark, "A subordinated stochastic process model with
    finite variance for speculative prices", 1973). The logarithm of its speed, which is 1 on
    average, is normal and returns to its mean (Ornstein and Uhlenbeck)."""

    sd: Annotated[Annotated[float, Meta(ge=0, le=2)], Field("Of the logarithm; 0: steady.", "")] = (
        0.0
    )
    half_life_s: Annotated[
        Annotated[float, Meta(ge=1, le=1e6)], Field("Of a faster or slower time.", "s")
    ] = 900.0


class Jumps(Settings, frozen=True, kw_only=True):
    """News: one side flees by some ticks at once, and the other follows into the gap."""

    per_h: Annotated[Rate, Field("How often.", "1/h")] = 0.0
    mean_ticks: Annotated[
        float, Meta(ge=1, le=1e4), Field("How far, on average (geometric).", "ticks")
    ] = 10.0


class Halts(Settings, frozen=True, kw_only=True):
    """Interruptions of trading."""

    per_h: Annotated[Rate, Field("How often.", "1/h")] = 0.0
    mean_s: Annotated[float, Meta(ge=1e-3, le=1e5), Field("How long, on average.", "s")] = 300.0
