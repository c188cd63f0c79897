"""A simulated market of its own for every episode: their arrays, side by side, and more room.

All of them share the laws of a market. What one has of its own is its book, which lies with the
episode (`lives`), and what is here. Room for orders, prints and rows that may not be heard yet is
bounded; an episode that runs out of it says so (`pit.CROWDED`), everybody gets more (`roomier`),
and it is lived again from its beginning: the same seed is the same market, so nothing is lost.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.decision.moods import Mood
from paceline.engine.account import account_of
from paceline.engine.dice import DICE_RECORD
from paceline.engine.flow_state import FlowState, each_with_more_slots, new_flow, side_by_side
from paceline.engine.laws import Laws
from paceline.engine.listener import LATE_RECORD, Listener
from paceline.engine.market_settings import MarketSettings
from paceline.engine.pit import Pit, Record
from paceline.engine.prints import Prints, new_prints
from paceline.engine.simulator import Market
from paceline.engine.venue import Rules
from paceline.env.grounds import Opening
from paceline.jit import inlined
from paceline.market.book import NOBODY, Book
from paceline.market.watch import watch_of

if TYPE_CHECKING:
    from paceline.env.lives import Lives

MOST_RESTING = 64
"""Child orders of ours that may rest at a time."""

_PRINTS = 1 << 10
_LATE = 1 << 6


class OwnMarkets(NamedTuple):
    """What `n` episodes have of their markets besides the books. All arrays have a leading axis
    `[n]`."""

    flow: FlowState  # room for the most time scales and metaorders
    holds: NDArray[np.int64]  # [n, MOST_RESTING]
    prints: Prints
    late: NDArray[np.void]  # rows that may not be heard yet, see `listener`
    waits: NDArray[np.int64]  # [n, 2]
    shown: NDArray[np.int64]  # [n, 2]


class SimulatedDay(NamedTuple):
    """A simulated market, what days without us taught of it, and who is in one of his own."""

    laws: Laws
    ground: Opening
    level_ticks: NDArray[np.int64]
    rules: Rules
    facts: NDArray[np.void]  # [1] of FACTS_RECORD
    gaps: NDArray[np.int64]  # none
    curve: NDArray[np.float64]  # as in `lives.Day`, as are these
    fees: NDArray[np.void]
    limits: NDArray[np.void]
    mood: Mood
    record: Record  # no room: nothing is written down
    n_metaorders: int
    own: OwnMarkets


def new_own_markets(n: int, markets: list[MarketSettings]) -> OwnMarkets:
    """Room for `n` episodes in any of `markets`."""
    laws = [settings.laws() for settings in markets]
    most = max(laws, key=lambda one: len(one.decay))
    at_work = max(settings.metaorders.at_work for settings in markets)
    n_slots = max(_slots_for(settings, one) for settings, one in zip(markets, laws, strict=True))
    flow = new_flow(np.zeros(1, DICE_RECORD), 0, n_slots, most, at_work, MOST_RESTING)

    return OwnMarkets(
        flow=FlowState._make(side_by_side(column, n) for column in flow),
        holds=np.full((n, MOST_RESTING), NOBODY, np.int64),
        prints=Prints._make(side_by_side(column, n) for column in new_prints(_PRINTS)),
        late=np.zeros((n, _LATE), LATE_RECORD),
        waits=np.zeros((n, 2), np.int64),
        shown=np.zeros((n, 2), np.int64),
    )


def _slots_for(settings: MarketSettings, laws: Laws) -> int:
    """Slots to begin with: twice the orders that stand in the book on average, as it opens in the
    busiest regime or later on. It opens with as many at each price as are due there, give or take
    one: their sum does not get ten standard deviations away."""
    rate = laws.regimes["rate"]
    times = rate[:, :2] / np.maximum(rate[:, 4:], 1e-9)
    due = float(laws.standing.sum()) * max(float(times.max()), 1.0)
    return 256 + 2 * math.ceil(max(due + 10.0 * math.sqrt(due), settings.resting_orders()))


def nbytes(own: OwnMarkets) -> int:
    """Memory, bytes; the books are not counted."""
    arrays = [*own.flow, *own.prints, own.holds, own.late, own.waits, own.shown]
    return sum(array.nbytes for array in arrays)


@inlined
def pit_of(day: SimulatedDay, whose: tuple[Lives, int]) -> Pit:
    """Where episode `i` trades."""
    lives, i = whose
    own, flow, scales = day.own, day.own.flow, len(day.laws.decay)
    book = Book(day.level_ticks, lives.levels[i], lives.slots[i], lives.best[i], lives.marks[i])
    return Pit(
        Market(
            day.laws,
            FlowState(
                flow.clock[i],
                flow.dice[i],
                flow.reference[i],
                flow.slots[i],
                flow.place[i],
                flow.base[i],
                flow.reaction[i],
                flow.felt[i],
                flow.heat[i, :scales],
                flow.warmth[i, :scales],
                flow.scale[i, :scales],
                flow.scale_then[i, :scales],
                flow.metaorders[i, : day.n_metaorders],
            ),
            book,
        ),
        book,
        day.rules,
        account_of(lives.account, i),
        own.holds[i],
        Prints(own.prints.ts[i], own.prints.volume[i], own.prints.clock[i]),
        day.record,
        Listener(
            watch_of(lives.watch, i),
            own.late[i],
            own.waits[i],
        ),
        own.shown[i],
    )


def roomier(lives: Lives, own: OwnMarkets) -> tuple[Lives, OwnMarkets]:
    """The same with twice the room of what has run out somewhere."""
    clock, prints = own.flow.clock[:, 0], own.prints
    full = clock["n_bids"] + clock["n_asks"] >= own.flow.slots.shape[1]
    forgets = prints.clock[:, 0] > prints.ts.shape[1]
    if np.any(full):
        lives, own = _with_more_slots(lives, own)
    if np.any(forgets):
        ts, volume = (
            np.concatenate([ring, np.zeros_like(ring)], axis=1)
            for ring in (prints.ts, prints.volume)
        )
        own = own._replace(prints=prints._replace(ts=ts, volume=volume))
    if not np.any(full | forgets):  # what had waited to be heard may have been heard since
        own = own._replace(late=_longer_rings(own.late, own.waits))
    return lives, own


def _with_more_slots(lives: Lives, own: OwnMarkets) -> tuple[Lives, OwnMarkets]:
    more = np.zeros(own.flow.slots.shape, lives.slots.dtype)
    slots = np.concatenate([lives.slots, more], axis=1)
    return lives._replace(slots=slots), own._replace(flow=each_with_more_slots(own.flow))


def _longer_rings(late: NDArray[np.void], waits: NDArray[np.int64]) -> NDArray[np.void]:
    n, old = late.shape
    longer = np.zeros((n, 2 * old), late.dtype)
    for i in range(n):
        rows = np.arange(waits[i, 0], waits[i, 1])
        longer[i, rows % (2 * old)] = late[i, rows % old]
    return longer
