"""Where child orders stood: the price of each resting stretch.

The log knows where an order first stood and where it stood last. Where re-pegs moved it in between
follows from the tactic and the recorded touch, as the worker saw it: without our own footprint,
which moves it at most where we had emptied a level ourselves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine import account as acc
from paceline.evaluate.per_order import Run, TapeRuns
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
    log, parent, tape = run.log, place.parents[row], run.tape(place, row)
    mine = np.flatnonzero(log.order_parent == row)
    fills = log.fills[log.fill_parent == row]
    found: list[Stretch] = []
    for k in mine:
        order = log.orders[k]
        if order["first_type"] != acc.LIMIT:
            continue  # it took at once
        own = fills[fills["order"] == k]
        found += _of_one(tape, run, row, parent, order, own, submit_ns, market_data_ns)
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
    first, last, done = (int(order[name]) for name in ("first_ts", "arrived_ts", "done_ts"))
    end = done if order["type"] == acc.LIMIT else last
    pieces = [Stretch(first, end, float(order["first_ticks"]), "ended")]
    if run.plan.repeg_ns > 0:
        for start, ticks in _moves(tape, run, row, parent, order, submit_ns, market_data_ns):
            if pieces[-1].start_ts < start < end and ticks != pieces[-1].ticks:
                pieces[-1] = pieces[-1]._replace(end_ts=start)
                pieces.append(Stretch(start, end, ticks, "ended"))
    maker = fills[fills["maker"] == 1]
    pieces = [_as_filled(piece, maker) for piece in pieces]
    pieces[-1] = pieces[-1]._replace(fate=_fate(order))
    return pieces


def _moves(
    tape: Tape,
    run: Run,
    row: int,
    parent: np.void,
    order: np.void,
    submit_ns: int,
    market_data_ns: int,
) -> list[tuple[int, float]]:
    """(ns, ticks) of the prices that re-pegs may have moved an order to; the last is known."""
    step, sent = run.plan.repeg_ns, int(order["sent_ts"])
    slice_end = int(run.plan.bounds[row, int(order["tag"]) + 1])
    found = [
        (ts + submit_ns, ticks)
        for ts in range(sent + step, slice_end, step)
        if (ticks := _price(tape, run, parent, ts - market_data_ns)) is not None
    ]
    if order["type"] != acc.LIMIT or order["arrived_ts"] == order["first_ts"]:
        return found
    last = int(order["arrived_ts"])
    return [*(move for move in found if move[0] < last), (last, float(order["ticks"]))]


def _as_filled(piece: Stretch, maker: NDArray[np.void]) -> Stretch:
    """A fill of ours knows its price better than any retelling."""
    inside = maker[(maker["ts"] >= piece.start_ts) & (maker["ts"] <= piece.end_ts)]
    return piece._replace(ticks=float(inside["ticks"][-1])) if len(inside) else piece


def _fate(order: np.void) -> str:
    if order["state"] == acc.REJECTED:
        return "refused"
    if order["type"] != acc.LIMIT:
        return "crossed"
    return "filled" if order["state"] == acc.FILLED else "ended"


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
