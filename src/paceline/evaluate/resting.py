"""Where child orders stood: the price of each resting stretch, told again from plan and tape.

An order that rested and then crossed keeps only its last price in the log. What came before follows
from the tactic and the recorded touch, as the worker saw it: without our own footprint, which moves
it at most where we had emptied a level ourselves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine import account as acc
from paceline.evaluate.results import Run, TapeRuns
from paceline.market.tape import Tape
from paceline.schedule.tactic import CROSS, no_worse, resting_ticks


class Stretch(NamedTuple):
    """A child order at one price for a while."""

    start_ts: int
    end_ts: int
    ticks: float
    fate: str
    """`filled` where resting ended in a fill, `crossed` where the rest was made to take,
    `refused`, or `ended` without either (cancelled, moved, or still there)."""


def stretches(
    place: TapeRuns, run: Run, row: int, submit_ns: int, market_data_ns: int
) -> list[Stretch]:
    """Every resting stretch of parent order `row` of a run, in the order of its child orders.

    `submit_ns` and `market_data_ns` are the delays of our messages and of what we saw. Where delays
    were drawn these are their medians, and a stretch may begin or end that little off.
    """
    if run.plan.placement == CROSS:
        return []
    log, parent = run.log, place.parents[row]
    mine = np.flatnonzero(log.order_parent == row)
    fills = log.fills[log.fill_parent == row]
    found: list[Stretch] = []
    for k in mine:
        order = log.orders[k]
        if order["tag"] >= run.plan.bounds.shape[1] - 1:
            continue  # the sweep at the end took at once
        own = fills[fills["order"] == k]
        found += _of_one(place.tape, run, row, parent, order, own, submit_ns, market_data_ns)
    return found


def _of_one(
    tape: Tape,
    run: Run,
    row: int,
    parent: np.void,
    order: np.void,
    fills: NDArray[np.void],
    submit_ns: int,
    market_data_ns: int,
) -> list[Stretch]:
    sent, plan = int(order["sent_ts"]), run.plan
    slice_end = int(plan.bounds[row, int(order["tag"]) + 1])
    done = int(order["done_ts"])
    end = min(slice_end + submit_ns, done)
    looks = [sent]
    if plan.repeg_ns > 0:
        looks = list(range(sent, slice_end, plan.repeg_ns))
    maker = fills[fills["maker"] == 1]
    pieces: list[Stretch] = []
    for ts in looks:
        start = ts + submit_ns
        ticks = _price(tape, run, parent, ts - market_data_ns)
        if ticks is None or start > end:
            continue
        if pieces and pieces[-1].ticks == ticks:
            continue
        if pieces:
            pieces[-1] = pieces[-1]._replace(end_ts=start)
        pieces.append(Stretch(start, end, ticks, "ended"))
    if not pieces:
        return []
    pieces = [_as_filled(piece, maker) for piece in pieces]
    pieces[-1] = pieces[-1]._replace(fate=_fate(order, done <= slice_end, len(maker) > 0))
    return pieces


def _as_filled(piece: Stretch, maker: NDArray[np.void]) -> Stretch:
    """A fill of ours knows its price better than any retelling."""
    inside = maker[(maker["ts"] >= piece.start_ts) & (maker["ts"] <= piece.end_ts)]
    return piece._replace(ticks=float(inside["ticks"][-1])) if len(inside) else piece


def _fate(order: np.void, early: bool, some: bool) -> str:
    if order["state"] == acc.REJECTED:
        return "refused"
    if order["state"] == acc.FILLED and early and some:
        return "filled"
    return "crossed" if order["type"] != acc.LIMIT else "ended"


def _price(tape: Tape, run: Run, parent: np.void, seen_ts: int) -> float | None:
    at = tape.index_at(seen_ts) - 1
    if at < 0:
        return None
    bid, ask = int(tape.events.bid[at]), int(tape.events.ask[at])
    if bid < 0 or ask >= len(tape.level_ticks):
        return None
    side = int(parent["side"])
    ticks = resting_ticks(
        run.plan.placement,
        side,
        int(tape.level_ticks[bid]),
        int(tape.level_ticks[ask]),
        tape.instrument.order_step,
    )
    bound = parent["band_high"] if side > 0 else parent["band_low"]
    return float(no_worse(side, ticks, int(bound)))
