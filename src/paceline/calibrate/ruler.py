"""What a tape is measured with: when it counts, on which grid, and what is usual on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.errors import InputError
from paceline.market.events import ADD
from paceline.market.portrait import touch_lots
from paceline.market.settled import settled_ts
from paceline.market.tape import Tape

HOURS = 13
"""Parts of the session that are told apart; half hours of an American day."""


USED_S = (1.0, 60.0)
"""Half-lives of where a touch has been; see `engine.flow_settings.Anchoring`."""


class Ruler(NamedTuple):
    """What a tape is measured with."""

    begin_ns: int  # from here on things count
    end_ns: int
    open_ns: int
    hour_ns: int
    """Length of a part of the session."""
    step: int  # book ticks between the prices that orders sit on
    whole: int  # steps between whole prices, on which our orders sit; 1: all are whole
    round_lot: int
    usual_lots: float  # at the touch
    bin_of: NDArray[np.int64]  # [reach] bin of each distance in steps
    used_s: tuple[float, float]
    """The touch has half forgotten where it was after so long: soon and late."""


def distance_edges(reach: int) -> NDArray[np.int64]:
    """First distance of each bin, and the one after the last: 0, 1, 2, 3, 4, 6, 8, 11, 16, ...

    Half powers of two, so that a law over four decades has thirty bins.
    """
    powers = np.round(2.0 ** np.arange(0, 2 * np.log2(max(reach, 2)), 0.5)).astype(np.int64)
    edges = np.unique(np.concatenate([[0], powers]))
    return np.append(edges[edges < reach], reach)


def grid_step(tapes: Sequence[Tape]) -> int:
    """Book ticks between the prices that limit orders sit on, all but one in a hundred of them:
    the order tick or, where members quoted finer, the book's."""
    step = max(tape.instrument.order_step for tape in tapes)
    ticks = np.concatenate(
        [tape.level_ticks[tape.events.level[tape.events.kind == ADD]] for tape in tapes]
    )
    return largest_unit(ticks, (step, 1), 0.99)


def largest_unit(values: NDArray[np.int64], units: Sequence[int], share: float) -> int:
    """The first of `units` that divides at least `share` of `values`; the last if none does."""
    for unit in units:
        if len(values) and np.mean(values % unit == 0) >= share:
            return unit
    return units[-1]


def limit_lots(tape: Tape, begin_ns: int) -> NDArray[np.int64]:
    """Sizes of the limit orders that came from `begin_ns` to the close, lots."""
    during = (tape.events.ts >= begin_ns) & (tape.events.ts < tape.session.close_ns)
    return tape.events.qty[during & (tape.events.kind == ADD)].astype(np.int64)


def settled_ns(tape: Tape) -> int:
    """When counting begins: the market has settled, and the book that a simulated day opens with,
    which is no arrivals, stands."""
    return max(settled_ts(tape), tape.session.open_ns + 1)


def usual_touch_lots(tapes: Sequence[Tape]) -> float:
    """Median size of the queues at the touch over time and both sides, lots."""
    sizes, weights = [], []
    for tape in tapes:
        needs_orders(tape)
        out = np.stack(touch_lots(tape), axis=1)
        ends = np.append(tape.events.ts[1:], tape.events.ts[-1])
        ends = np.clip(ends, None, tape.session.close_ns)
        seconds = np.maximum(ends - np.maximum(tape.events.ts, settled_ns(tape)), 0) * 1e-9
        sizes.append(out.ravel())
        weights.append(np.where(out > 0, seconds[:, None], 0.0).ravel())
    lots, weight = np.concatenate(sizes), np.concatenate(weights)
    order = np.argsort(lots, kind="stable")
    total = np.cumsum(weight[order])
    if not total[-1] > 0:
        raise InputError("tapes: no side shows an order once the market has settled; give others")
    return float(lots[order][np.searchsorted(total, total[-1] / 2)])


def needs_orders(tape: Tape) -> None:
    """Raise `InputError` for a tape that shows levels only."""
    if not tape.has_orders:
        raise InputError(f"tapes: {tape.name} names no orders; calibration needs L3 tapes")


def new_ruler(
    tape: Tape, step: int, round_lot: int, usual_lots: float, edges: NDArray[np.int64]
) -> Ruler:
    """The ruler for the settled part of one tape; `edges` as from `distance_edges`."""
    session = tape.session
    return Ruler(
        begin_ns=settled_ns(tape),
        end_ns=session.close_ns,
        open_ns=session.open_ns,
        hour_ns=-(-(session.close_ns - session.open_ns) // HOURS),
        step=step,
        whole=max(tape.instrument.order_step // step, 1),
        round_lot=round_lot,
        usual_lots=usual_lots,
        bin_of=np.repeat(np.arange(len(edges) - 1), np.diff(edges)),
        used_s=USED_S,
    )
