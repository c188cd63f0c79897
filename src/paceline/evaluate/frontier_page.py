"""What Almgren-Chriss believes: the fitted impact with its doubt, and the efficient frontier."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.cost.impact_fit import Estimate, ImpactFit
from paceline.env.history import Lesson
from paceline.env.policies import aversion_for
from paceline.errors import InputError
from paceline.evaluate.per_order import TapeRuns
from paceline.evaluate.results import BacktestResult
from paceline.market.tape import Tape
from paceline.page.cells import (
    Cell,
    Column,
    Table,
    duration,
    number,
    plain,
    quantity,
    significant,
)
from paceline.page.ink import INK, LINE, MUTED, PAPER, Figure, hue, sheet, svg
from paceline.schedule.almgren_chriss import Frontier, frontier, half_life_s
from paceline.units import BPS, NS_PER_S

_LIVES = np.array([1 / 12, 1 / 6, 1 / 3, 1 / 2, 1.0, 2.0])
"""Half-lives of the table, in horizons."""


class Bend(NamedTuple):
    """The frontier of one typical order, in bps of its arrival notional."""

    place: TapeRuns
    lots: int
    horizon_s: float
    n_slices: int
    curve: Frontier
    """From urgent to TWAP, which is the last."""
    chosen: Frontier
    """One point: what the settings ask for."""
    table: Frontier
    bps: float
    """bps of one tick lot."""
    error_bps: NDArray[np.float64]
    """`[m]` standard error along `curve` of what eta alone charges: the part that haste changes."""
    level_error_bps: float
    """Standard error of the expected cost of the chosen trajectory, from gamma, eta and epsilon."""


class FrontierPage(NamedTuple):
    """What stands in the section."""

    figure: Figure | None
    table: Table | None
    fit: Table | None
    notes: list[str]


def frontier_page(result: BacktestResult, policy: int | None) -> FrontierPage:
    """Frontier and fit for the median order; the chosen point has the colour of `policy`."""
    place, row = _median_order(result)
    fit = place.lesson.impact
    notes: list[str] = [note for note in result.notes if "fit" in note]
    if fit is None:
        notes.insert(0, "There is no impact fit, so there is no frontier to draw.")
        return FrontierPage(None, None, None, notes)
    table = fit_table(place.tape, place.lesson, fit)
    try:
        bend = _bend(result, place, row, fit)
    except InputError as error:
        notes.insert(0, f"No frontier can be drawn: {error}.")
        return FrontierPage(None, None, table, notes)
    return FrontierPage(_figure(bend, policy), _table(bend), table, [*_doubts(fit), *notes])


def _median_order(result: BacktestResult) -> tuple[TapeRuns, np.void]:
    """The parent order of median notional, and where it was worked; one with a fit if any has."""
    places = [place for place in result.places if place.lesson.impact is not None] or result.places
    known = {place.tape.name for place in places}
    parents = result.parents
    rows = np.flatnonzero(np.isin(parents["tape"], list(known)))
    notional = parents["qty"][rows] * parents["arrival_px"][rows]
    chosen = rows[np.argsort(notional, kind="stable")[(len(rows) - 1) // 2]]
    first = 0
    for place in result.places:
        if chosen < first + len(place.parents):
            return place, place.parents[chosen - first]
        first += len(place.parents)
    raise AssertionError("a parent order without a tape")


def _bend(result: BacktestResult, place: TapeRuns, row: np.void, fit: ImpactFit) -> Bend:
    lots = int(row["lots"])
    horizon = float(row["end_ts"] - row["start_ts"]) / NS_PER_S
    n_slices = next(
        (run.policy.n_slices for run in place.runs if run.policy.schedule == "ac"),
        int(result.settings.get("slices", 30)),
    )
    slice_s = horizon / n_slices
    impact = fit.impact(slice_s)

    def along(lives: NDArray[np.float64]) -> NDArray[np.float64]:
        scale = impact.eta_tilde(slice_s) / np.float64(impact.sigma) ** 2
        return aversion_for(lives, np.full(len(lives), slice_s)) * scale

    aversion = result.settings.get("risk_aversion")
    life = result.settings.get("half_life_s") or horizon / 2
    wanted = along(np.array([life])) if aversion is None else np.array([aversion])
    urgent = min(horizon / 40, life / 2)
    lives = np.geomspace(urgent, 6 * horizon, 120)
    rows = _apart(np.append(half_life_s(slice_s, impact, wanted), _LIVES * horizon))
    curve = frontier(lots, horizon, n_slices, impact, np.append(along(lives), 0.0))
    chosen = frontier(lots, horizon, n_slices, impact, wanted)
    at = np.searchsorted(place.tape.events.ts, row["start_ts"], side="right") - 1
    arrival = float(place.tape.mid_ticks()[at])
    bps = BPS / (arrival * lots)
    return Bend(
        place=place,
        lots=lots,
        horizon_s=horizon,
        n_slices=n_slices,
        curve=curve,
        chosen=chosen,
        table=frontier(lots, horizon, n_slices, impact, np.append(along(rows), 0.0)),
        bps=bps,
        error_bps=bps * _speed_error(lots, slice_s, curve, fit),
        level_error_bps=bps * _level_error(lots, slice_s, chosen, fit),
    )


def _apart(lives: NDArray[np.float64]) -> NDArray[np.float64]:
    """The finite `lives`, sorted; of those that read alike the first that was given."""
    named: dict[str, float] = {}
    for life in lives[np.isfinite(lives)]:
        named.setdefault(duration(float(life)), float(life))
    return np.sort(np.array(list(named.values())))


def _speed_error(lots: int, slice_s: float, curve: Frontier, fit: ImpactFit) -> NDArray[np.float64]:
    """Standard error of the last term of (8) in tick lots, from that of eta~."""
    squares = np.sum((lots * np.diff(curve.left, axis=1)) ** 2, axis=1)
    return np.asarray(squares / slice_s * fit.eta.std_error, dtype=np.float64)


def _level_error(lots: int, slice_s: float, point: Frontier, fit: ImpactFit) -> float:
    """Standard error of (8) in tick lots, as if gamma, eta~ and epsilon were independent."""
    return math.hypot(
        0.5 * lots**2 * fit.gamma.std_error,
        lots * fit.epsilon.std_error,
        float(_speed_error(lots, slice_s, point, fit)[0]),
    )


def _figure(bend: Bend, policy: int | None) -> Figure:
    color = INK if policy is None else hue(policy)
    risk, cost = bend.curve.std * bend.bps, bend.curve.expected * bend.bps
    at = (float(bend.chosen.std[0]) * bend.bps, float(bend.chosen.expected[0]) * bend.bps)
    with sheet(3.1) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[1.5, 1.0])
        left.fill_between(
            risk, cost - 1.96 * bend.error_bps, cost + 1.96 * bend.error_bps, color=LINE,
            alpha=0.7, linewidth=0, label="95 % interval of η",
        )  # fmt: skip
        left.plot(risk, cost, color=MUTED, label="efficient frontier")
        _half_life_ticks(left, bend)
        left.plot(*at, "o", color=color, markeredgecolor=PAPER, markersize=10, label="chosen")
        left.plot(risk[-1], cost[-1], "s", color=INK, markersize=5, label="TWAP")
        left.set_xlabel("risk: standard deviation of the cost, bps of notional")
        left.set_ylabel("expected cost, bps")
        left.legend(loc="upper right")
        left.margins(y=0.14)
        left.ticklabel_format(axis="y", useOffset=False)

        minutes = np.linspace(0.0, bend.horizon_s / 60.0, bend.n_slices + 1)
        for share in bend.table.left:
            right.plot(minutes, 100 * share, color=LINE, linewidth=1.2)
        right.plot(minutes, 100 * bend.curve.left[-1], color=INK, linewidth=1.2, linestyle="--")
        right.plot(minutes, 100 * bend.chosen.left[0], color=color, linewidth=2.4)
        right.set_title("Trajectories")
        right.set_xlabel("minutes from arrival")
        right.set_ylabel("inventory, % of the order")
        right.set_xlim(0, minutes[-1])
        right.set_ylim(bottom=0)
        drawn = svg(figure, "frontier", "Efficient frontier of Almgren-Chriss")
    life = float(bend.chosen.half_life_s[0])
    return Figure(
        drawn,
        f"The chosen half-life of {duration(life)} is expected to cost {plain(at[1])} bps (± "
        f"{plain(bend.level_error_bps)} s.e.) with a risk of {plain(at[0])} bps; TWAP "
        f"{plain(float(cost[-1]))} bps with {plain(float(risk[-1]))} bps. Ticks: half-lives; grey "
        f"trajectories: those of the table. For {_order(bend)}.",
    )


def _half_life_ticks(axes: Any, bend: Bend) -> None:
    """Half-lives along the frontier, as ticks of an axis that is bent."""
    risk = bend.curve.std * bend.bps
    apart = 0.07 * float(np.ptp(risk))
    last = float(risk[-1])
    for life in _LIVES[::-1] * bend.horizon_s:
        k = int(np.argmin(np.abs(np.log(bend.curve.half_life_s[:-1] / life))))
        point = (float(risk[k]), float(bend.curve.expected[k]) * bend.bps)
        if last - point[0] < apart:
            continue
        last = point[0]
        axes.plot(*point, "|", color=MUTED, markersize=7)
        axes.annotate(
            duration(life), point, (0, -11), textcoords="offset points", ha="center",
            color=MUTED, fontsize=7,
        )  # fmt: skip


def _order(bend: Bend) -> str:
    instrument = bend.place.tape.instrument
    qty = quantity(bend.lots * float(instrument.lot), instrument.lot)
    return (
        f"the median order, {qty} {instrument.symbol} over "
        f"{duration(bend.horizon_s)} in {bend.n_slices} slices on {bend.place.tape.session.day}"
    )


def _table(bend: Bend) -> Table:
    chosen = float(bend.chosen.half_life_s[0])
    half = int(np.argmin(np.abs(np.linspace(0, 1, bend.n_slices + 1) - 0.5)))
    rows = []
    for k, life in enumerate(bend.table.half_life_s):
        name = "TWAP" if np.isinf(life) else duration(float(life))
        same = bool(np.isclose(life, chosen, rtol=1e-6)) or life == chosen
        rows.append(
            [
                Cell(name, kind="chosen" if same else ""),
                Cell(significant(float(bend.table.risk_aversion[k]))),
                number(float(bend.table.expected[k]) * bend.bps),
                number(float(bend.table.std[k]) * bend.bps),
                number(100 * float(bend.table.left[k, 1]), 1),
                number(100 * float(bend.table.left[k, half]), 1),
            ]
        )
    columns = [
        Column("half-life", "", "1 / κ: inventory falls by a factor e", is_text=True),
        Column("λ", "1/(tick lot)", "risk aversion that gives it under the fitted impact"),
        Column("expected cost", "bps"),
        Column("risk", "bps", "standard deviation of the cost"),
        Column("left after one slice", "%"),
        Column("left half-way", "%"),
    ]
    return Table("frontier-table", columns, rows)


def fit_table(tape: Tape, lesson: Lesson, fit: ImpactFit) -> Table:
    """The fitted parameters, each with standard error and 95 % interval."""
    rows = [
        _fit_row("σ", "volatility", "ticks/√s", fit.sigma),
        _fit_row("γ", "permanent impact", "ticks/lot", fit.gamma),
        _fit_row("η", "temporary impact", "ticks/(lot/s)", fit.eta),
        _fit_row("ε", "fixed cost of a lot", "ticks", fit.epsilon),
    ]
    if lesson.decay is not None:
        rows.append(_fit_row("", "half-life of transient impact", "s", lesson.decay))
    if lesson.recovery is not None:
        found = lesson.recovery
        rows.append(
            [
                Cell(""),
                Cell("half-life of an emptied touch"),
                Cell(significant(found.half_life_s)),
                Cell("–", "a median has an interval and no standard error"),
                Cell(f"{significant(found.low_s)} to {significant(found.high_s)}"),
                Cell("s"),
                Cell("–", "no regression"),
                Cell(f"{found.n:,}"),
            ]
        )
    columns = [
        Column("", is_text=True),
        Column("parameter", is_text=True),
        Column("estimate"),
        Column("std error"),
        Column("95 % interval"),
        Column("unit", is_text=True),
        Column("R²", why="share of variance explained"),
        Column("n", why="bars or cases behind it"),
    ]
    source = f"{len(lesson.days)} earlier days" if lesson.days else "the traded day itself"
    return Table(
        "fit",
        columns,
        rows,
        caption=f"{tape.instrument.symbol}, as known on {tape.session.day}: fitted on {source}, "
        f"in bars of {fit.bar_s:.0f} s; a tick is {tape.instrument.book_tick:f} "
        f"{tape.instrument.currency}.",
    )


def _fit_row(sign: str, name: str, unit: str, estimate: Estimate) -> list[Cell]:
    low, high = estimate.interval()
    doubtful = low <= 0.0 <= high
    return [
        Cell(sign),
        Cell(name),
        Cell(significant(estimate.value), kind="doubtful" if doubtful else ""),
        Cell(significant(estimate.std_error)),
        Cell(f"{significant(low)} to {significant(high)}"),
        Cell(unit),
        number(float("nan") if estimate.r2 is None else estimate.r2, missing="no regression"),
        Cell(f"{estimate.n:,}"),
    ]


def _doubts(fit: ImpactFit) -> list[str]:
    """Which of the parameters may as well be 0."""
    names = {"γ": fit.gamma, "η": fit.eta, "ε": fit.epsilon}
    open_ = [name for name, e in names.items() if e.interval()[0] <= 0.0 <= e.interval()[1]]
    if not open_:
        return []
    return [
        f"The 95 % interval of {' and '.join(open_)} holds 0: on these days the fit cannot tell it "
        "from no impact, and the frontier is as uncertain as its band is wide."
    ]
