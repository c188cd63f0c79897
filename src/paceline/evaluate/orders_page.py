"""Single parent orders, drawn: the market, the child orders, the fills, and the inventory.

One figure holds all policies of an order in layers over the same market; the page shows one layer
at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.evaluate.per_order import Run, TapeRuns
from paceline.evaluate.resting import stretches
from paceline.evaluate.results import BacktestResult
from paceline.evaluate.verdict import Verdict
from paceline.market.session import clock
from paceline.market.tape import Tape
from paceline.page.cells import duration, listed, plain, plural, quantity, signed
from paceline.page.ink import (
    BOOK,
    INK,
    MAKER,
    MISSED,
    MUTED,
    PAPER,
    TAKER,
    beyond,
    hue,
    sheet,
    svg,
)
from paceline.schedule import pov
from paceline.units import NS_PER_MS, NS_PER_S

_POINTS = 900
"""Points of a drawn price path."""
_BIGGEST = 90.0
"""Area of the marker of the largest fill, points squared."""


class Chosen(NamedTuple):
    """A parent order to draw."""

    parent: int
    why: str


class Layer(NamedTuple):
    """One policy's way with the order."""

    policy: str
    cost: str
    text: str


class OrderFigure(NamedTuple):
    """One parent order, ready for the page."""

    id: str
    title: str
    why: str
    svg: str
    layers: list[Layer]


def order_figures(result: BacktestResult, verdict: Verdict, examples: int) -> list[OrderFigure]:
    """Draw `examples` parent orders under the central fill model."""
    return [
        _draw(result, verdict, chosen, f"order-{i}")
        for i, chosen in enumerate(choose(result, verdict, examples))
    ]


def choose(result: BacktestResult, verdict: Verdict, count: int) -> list[Chosen]:
    """The dearest, the cheapest and the median orders of the baseline, both sides, then others at
    random (always the same)."""
    rows = result.select(verdict.baseline, verdict.central)
    cost, parent = rows["shortfall_bps"], rows["parent"]
    side = result.parents["side"]
    ranked = {sign: np.flatnonzero(side == sign) for sign in (1, -1)}
    ranked = {sign: of[np.argsort(cost[of], kind="stable")] for sign, of in ranked.items()}
    wanted = [
        ("dearest", 1, 1.0), ("cheapest", -1, 0.0), ("median", 1, 0.5),
        ("dearest", -1, 1.0), ("cheapest", 1, 0.0), ("median", -1, 0.5),
    ]  # fmt: skip
    found: dict[int, str] = {}
    for what, sign, share in wanted[: max(count - 1, 1) if count > 3 else count]:
        of = ranked[sign]
        if len(of):
            at = int(of[round(share * (len(of) - 1))])
            name = "buy" if sign > 0 else "sell"
            which = what if len(of) > 1 else "the only"
            why = f"{which} {name} of {verdict.baseline}" if len(parent) > 1 else ""
            found.setdefault(int(parent[at]), why)
    for at in np.random.default_rng(0).permutation(len(parent)):
        if len(found) >= count:
            break
        found.setdefault(int(parent[at]), "drawn at random")
    return [Chosen(*pair) for pair in list(found.items())[:count]]


def _draw(result: BacktestResult, verdict: Verdict, chosen: Chosen, name: str) -> OrderFigure:
    place, row = _where(result, chosen.parent)
    runs = [run for run in place.runs if run.fills == verdict.central]
    tape, parent = place.tape, place.parents[row]
    known = _known(result, chosen.parent)
    with sheet(4.3, layout=None) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.7, 1.0])
        figure.subplots_adjust(left=0.068, right=0.998, top=0.925, bottom=0.055, hspace=0.07)
        start, end = int(parent["start_ts"]), int(parent["end_ts"])
        pad = max((end - start) // 60, NS_PER_MS)
        _market(upper, tape, start - pad, end + pad)
        upper.plot(_at([start, end]), [known["arrival_px"]] * 2, color=INK, linewidth=0.9,
                   linestyle=(0, (4, 3)))  # fmt: skip
        upper.annotate("arrival", (_at(start - pad), known["arrival_px"]), (-4, 0),
                       textcoords="offset points", ha="right", va="center", fontsize=7)  # fmt: skip
        seen = []
        for i, run in enumerate(runs):
            seen += _layer(upper, lower, result, place, run, row, i)
        cut = _dress(figure, upper, lower, tape, parent, seen)
        drawn = svg(figure, name, f"Price path, child orders and inventory: {chosen.why}")
    return OrderFigure(
        id=name,
        title=_title(tape, parent, known),
        why=". ".join(filter(None, [chosen.why, *_limits(known), cut])),
        svg=drawn,
        layers=[_words(result, verdict, run, place, row, chosen.parent) for run in runs],
    )


def _where(result: BacktestResult, parent: int) -> tuple[TapeRuns, int]:
    for place in result.places:
        if parent < len(place.parents):
            return place, parent
        parent -= len(place.parents)
    raise KeyError(parent)


def _at(ts: Any) -> Any:
    """Instants as Matplotlib draws them: seconds."""
    return np.asarray(ts, dtype=np.int64) / NS_PER_S


def _market(axes: Any, tape: Tape, start: int, end: int) -> None:
    """The touch between two instants, as it stood at evenly spaced times."""
    ts = np.linspace(start, end, _POINTS).astype(np.int64)
    at = np.searchsorted(tape.events.ts, ts, side="right") - 1
    tick = float(tape.instrument.book_tick)
    bid, ask = (
        np.where(at >= 0, side[np.maximum(at, 0)], np.nan) * tick
        for side in (tape.bid_ticks(), tape.ask_ticks())
    )
    keep = np.ones(len(ts), bool)
    keep[1:-1] = (np.diff(bid)[:-1] != 0) | (np.diff(ask)[:-1] != 0)
    ts, bid, ask = ts[keep], bid[keep], ask[keep]
    axes.fill_between(_at(ts), bid, ask, step="post", color=BOOK, alpha=0.22, linewidth=0)
    for edge in (bid, ask):
        axes.step(_at(ts), edge, where="post", color=BOOK, linewidth=0.7)


def _answer(axes: Any, tape: Tape, parent: np.void, i: int) -> None:
    """The mid of the market in which the order was worked, which answered."""
    ts = np.linspace(parent["start_ts"], parent["end_ts"], _POINTS).astype(np.int64)
    at = np.maximum(np.searchsorted(tape.events.ts, ts, side="right") - 1, 0)
    mid = tape.mid_ticks()[at] * float(tape.instrument.book_tick)
    axes.step(_at(ts), mid, where="post", color=hue(i), linewidth=1.0, gid=f"layer-{i}")


def _layer(
    upper: Any, lower: Any, result: BacktestResult, place: TapeRuns, run: Run, row: int, i: int
) -> list[float]:
    """Draw one policy; returns the prices at which something of ours stood or traded."""
    gid, tape, log = f"layer-{i}", run.tape(place, row), run.log
    if run.relive is not None:
        _answer(upper, tape, place.parents[row], i)
    tick = float(tape.instrument.book_tick)
    delays = [round(float(result.settings.get(f"{what}_ms") or 0.0) * NS_PER_MS)
              for what in ("submit", "market_data")]  # fmt: skip
    stood = stretches(place, run, row, *delays)
    colors = {"filled": MAKER, "crossed": MISSED, "ended": MISSED, "refused": TAKER}
    for fate in dict.fromkeys(stretch.fate for stretch in stood):
        of = [stretch for stretch in stood if stretch.fate == fate]
        upper.hlines(
            [s.ticks * tick for s in of], [_at(s.start_ts) for s in of],
            [_at(s.end_ts) for s in of], color=colors[fate], linewidth=1.8,
            linestyle=":" if fate == "refused" else "-",
        ).set_gid(gid)  # fmt: skip
    fills = log.fills[log.fill_parent == row]
    largest = _largest_fill(place, row)
    side = int(place.parents[row]["side"])
    for maker, mark, color in ((0, "^" if side > 0 else "v", TAKER), (1, "o", MAKER)):
        of = fills[fills["maker"] == maker]
        if len(of):
            upper.scatter(
                _at(of["ts"]), of["ticks"] * tick, s=np.maximum(_BIGGEST * of["lots"] / largest, 9),
                marker=mark, color=color, edgecolor=PAPER, linewidth=0.5, zorder=3,
            ).set_gid(gid)  # fmt: skip
    _inventory(lower, place, run, row, i, fills)
    return [*(s.ticks * tick for s in stood), *(fills["ticks"] * tick)]


def _largest_fill(place: TapeRuns, row: int) -> int:
    """Over all runs, so that sizes can be compared from layer to layer."""
    lots = [run.log.fills["lots"][run.log.fill_parent == row] for run in place.runs]
    return max((int(own.max()) for own in lots if len(own)), default=1)


def _inventory(
    axes: Any, place: TapeRuns, run: Run, row: int, i: int, fills: NDArray[np.void]
) -> None:
    parent, lot = place.parents[row], float(place.tape.instrument.lot)
    ts, left = schedule_path(place, run, row)
    axes.plot(
        _at(ts), left * lot, color=MUTED, linewidth=1.1, linestyle=(0, (4, 2)),
        drawstyle="steps-post" if run.plan.pov_ppm else "default", gid=f"layer-{i}",
    )  # fmt: skip
    order = np.argsort(fills["ts"], kind="stable")
    when = np.r_[parent["start_ts"], fills["ts"][order], parent["end_ts"]]
    when[-1] = when.max()  # the last child order may reach the exchange after the end
    held = parent["lots"] - np.r_[0, np.cumsum(fills["lots"][order])]
    axes.plot(
        _at(when), np.r_[held, held[-1]] * lot, color=hue(i), linewidth=1.8,
        drawstyle="steps-post", gid=f"layer-{i}",
    )  # fmt: skip


def schedule_path(
    place: TapeRuns, run: Run, row: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Times (ns) and lots that the schedule wanted to be left. POV's follows the market's volume,
    without the recorded trades that became ours, as the worker counts it."""
    bounds = run.plan.bounds[row]
    if run.plan.pov_ppm == 0:
        return bounds, run.plan.targets[row]
    tape, fills = run.tape(place, row), run.log.fills[run.log.fill_parent == row]
    displaced = fills[fills["displaced"] == 1]
    done = np.searchsorted(tape.events.ts, bounds, side="right") - 1
    volume = np.where(done >= 0, tape.events.volume[np.maximum(done, 0)], 0)
    own = np.array([displaced["lots"][displaced["ts"] <= ts].sum() for ts in bounds])
    others = np.maximum.accumulate(np.maximum(volume - volume[0] - own, 0))
    return bounds, pov.target([int(place.parents[row]["lots"])], others, run.plan.pov_ppm)[0]


def _dress(
    figure: Any, upper: Any, lower: Any, tape: Tape, parent: np.void, seen: list[float]
) -> str:
    """Axes, limits and legend; says which prices of the touch the limits leave out."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    zone = tape.session.zone
    start, end = int(parent["start_ts"]), int(parent["end_ts"])
    low, high = _price_limits(tape, start, end, seen)
    upper.set_ylim(low, high)
    upper.yaxis.set_major_locator(MaxNLocator(6))
    upper.ticklabel_format(axis="y", useOffset=False)
    upper.set_ylabel(f"price, {tape.instrument.currency}")
    lower.set_ylabel("inventory")
    figure.align_ylabels()
    lower.set_ylim(bottom=0, top=1.06 * int(parent["lots"]) * float(tape.instrument.lot))
    lot = tape.instrument.lot
    lower.yaxis.set_major_locator(MaxNLocator(3, integer=lot % 1 == 0))
    lower.yaxis.set_major_formatter(FuncFormatter(lambda qty, _: quantity(qty, lot)))
    ticks = _round_times(start, end, tape)
    lower.set_xticks(_at(ticks), [clock(int(t), zone)[: 8 if end - start < 600e9 else 5]
                                  for t in ticks])  # fmt: skip
    pad = max((end - start) / 60, NS_PER_MS) / NS_PER_S
    lower.set_xlim(_at(start) - 4.2 * pad, _at(end) + pad)
    figure.legend(
        handles=list(_keys(int(parent["side"]))), loc="upper left", ncols=7, borderaxespad=0.2,
        handletextpad=0.4, columnspacing=1.3, fontsize=7.5,
    )  # fmt: skip
    touch = _touch(tape, start, end)
    cut = beyond(touch, low, high, "prices of the touch", tape.instrument.currency)
    return cut.strip(" .")


def _price_limits(tape: Tape, start: int, end: int, seen: list[float]) -> tuple[float, float]:
    """All that was ours, and the touch but for the moments when a thin book shows any price."""
    tick = float(tape.instrument.book_tick)
    low, high = np.nanquantile(_touch(tape, start, end), [0.005, 0.995])
    own = np.r_[seen, low, high] if not seen else np.array(seen)
    reach = 3 * max(float(np.ptp(own)), 0.002 * float(own.mean()))
    low = min(max(low, own.min() - reach), own.min())
    high = max(min(high, own.max() + reach), own.max())
    margin = 0.05 * (high - low) or tick
    return float(low - margin), float(high + margin)


def _touch(tape: Tape, start: int, end: int) -> NDArray[np.float64]:
    """Best bids and asks after every event between two instants, in currency."""
    inside = slice(max(tape.index_at(start) - 1, 0), tape.index_at(end))
    ticks = np.concatenate([tape.bid_ticks()[inside], tape.ask_ticks()[inside]])
    return np.asarray(ticks * float(tape.instrument.book_tick))


def _round_times(start: int, end: int, tape: Tape) -> NDArray[np.int64]:
    """About six whole times of day inside the horizon, ns."""
    span = (end - start) / NS_PER_S
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
    step = next((s for s in steps if span / s <= 7), steps[-1]) * NS_PER_S
    midnight = tape.session.midnight_ns
    first = midnight + -(-(start - midnight) // step) * step
    return np.arange(first, end + 1, step, dtype=np.int64)


def _keys(side: int) -> Iterator[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    yield Patch(color=BOOK, alpha=0.3, linewidth=0, label="bid to ask")
    yield Line2D([], [], color=MAKER, linewidth=1.8, label="rested, filled")
    yield Line2D([], [], color=MISSED, linewidth=1.8, label="rested, left over")
    for mark, color, text in (("o", MAKER, "maker fill"), ("^v"[side < 0], TAKER, "taker fill")):
        yield Line2D([], [], linestyle="none", marker=mark, color=color, label=text,
                     markeredgecolor=PAPER, markersize=6.5)  # fmt: skip
    yield Line2D([], [], color=MUTED, linewidth=1.1, linestyle=(0, (4, 2)), label="schedule")
    yield Line2D([], [], color=INK, linewidth=1.8, label="inventory")


def order_words(result: BacktestResult, parent: int) -> tuple[str, str]:
    """A parent order as a title (side, size, name and id), and when and from what price."""
    place, row = _where(result, parent)
    known = _known(result, parent)
    what, when, arrival = _parts(place.tape, place.parents[row], known)
    return f"{what} (order {known['order_id']})", f"{when}, arrival price {arrival}"


def _known(result: BacktestResult, parent: int) -> dict[str, Any]:
    at = result.parents["parent"] == parent
    return {key: column[at][0] for key, column in result.parents.items()}


def _title(tape: Tape, parent: np.void, known: dict[str, Any]) -> str:
    what, when, arrival = _parts(tape, parent, known)
    return f"{what}, {when}, arrival {arrival} (order {known['order_id']})"


def _parts(tape: Tape, parent: np.void, known: dict[str, Any]) -> tuple[str, str, str]:
    """Side, size and name; day and times; arrival price and currency."""
    zone = tape.session.zone
    side = "Buy" if parent["side"] > 0 else "Sell"
    start, end = (clock(int(parent[f"{edge}_ts"]), zone) for edge in ("start", "end"))
    price = plain(float(known["arrival_px"]), 4).rstrip("0").rstrip(".")
    return (
        f"{side} {quantity(known['qty'], tape.instrument.lot)} {tape.instrument.symbol}",
        f"{tape.session.day} {start}–{end}",
        f"{price} {tape.instrument.currency}",
    )


def _limits(known: dict[str, Any]) -> list[str]:
    """What held this order back, if anything."""
    bound, word = ("band_high_px", "most") if known["side"] > 0 else ("band_low_px", "least")
    limits = (
        ("participation_limit", "participation at most {:.4g}"),
        (bound, f"prices at {word} {{:.10g}}"),
        ("child_max", "child orders of at most {:.10g}"),
    )
    said = [text.format(known[name]) for name, text in limits if not np.isnan(known[name])]
    return [f"Limits: {listed(said)}"] if said else []


def _words(
    result: BacktestResult, verdict: Verdict, run: Run, place: TapeRuns, row: int, parent: int
) -> Layer:
    rows = result.select(run.policy.name, verdict.central)
    at = int(np.flatnonzero(rows["parent"] == parent)[0])
    own = {name: column[at] for name, column in rows.items()}
    fills = int((run.log.fill_parent == row).sum())
    parts = [
        f"{name} {signed(float(own[f'{name}_bps']))}"
        for name in ("delay", "trading", "opportunity", "fees")
        if abs(own[f"{name}_bps"]) >= 0.005
    ]
    text = f"Shortfall {signed(float(own['shortfall_bps']))} bps"
    text += f" = {', '.join(parts)}." if len(parts) > 1 else "."
    if fills:
        px = plain(float(own["avg_px"]), 4)
        text += (
            f" {plural(int(own['children']), 'child order', 'child orders')}, "
            f"{plural(fills, 'fill')} at {px} on average, {100 * own['maker_share']:.0f} % of it "
            f"as maker, {100 * own['fill_rate']:.1f} % filled, "
            f"{100 * own['participation']:.1f} % of all volume."
        )
    else:
        text += f" {plural(int(own['children']), 'child order', 'child orders')}, no fill."
    if np.isfinite(own["time_to_fill_s"]):
        text += f" First fill of a child after {duration(float(own['time_to_fill_s']))} on average."
    return Layer(run.policy.name, f"{signed(float(own['shortfall_bps']))} bps", text)
