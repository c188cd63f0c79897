"""A book whose bids stand above its offers: how often, since when, and what the likely cause is.

A real book crosses for instants. One that stays crossed is not the market's: nobody can trade on
it, and its mid and spread are nonsense. The causes look alike and are told apart by trying: if the
book of the same rows with bids and offers swapped does not cross, the sides are swapped.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.ingest.quality import Limits
from paceline.market.events import DELETE, EXECUTE, REDUCE, Events, Rows
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

_MOSTLY = 0.5
"""Share of a whole recording above which it is no warm-up that is crossed."""


class Crossed(NamedTuple):
    """How much of a book is crossed; instants of auctions and halts are left out."""

    at: NDArray[np.int64]  # events after which it is, the last of their instants
    two_sided: int  # instants that end with both sides

    @property
    def share(self) -> float:
        """Of the two-sided instants."""
        return len(self.at) / max(self.two_sided, 1)


def crossed_in(events: Events, n_levels: int, calling: NDArray[np.bool_]) -> Crossed:
    """Where the book of `events` is crossed; `calling` `[n_events]` are those of auctions."""
    ends = np.append(np.diff(events.ts) > 0, True) & ~calling
    both = ends & (events.bid >= 0) & (events.ask < n_levels)
    return Crossed(np.flatnonzero(both & (events.bid > events.ask)), int(np.count_nonzero(both)))


def never_uncrosses(found: Crossed, ts: NDArray[np.int64], warmup_end: int, limits: Limits) -> bool:
    """Whether the book is crossed for good: more often than not, or too often while it never stays
    whole for as long as a warm-up takes."""
    if found.share > max(_MOSTLY, limits.max_crossed_share):
        return True
    settled = int(ts[-1]) - warmup_end >= round(limits.settle_s * NS_PER_S)
    return not settled and found.share > limits.max_crossed_share


def cause_of(
    tape: Tape,
    rows: Rows,
    found: Crossed,
    calling: NDArray[np.bool_],
    unknown: tuple[int, str],
    *,
    late: bool,
    mapped: bool,
) -> str:
    """What is likely wrong, and what to do. `unknown` are how many rows are of kinds that are not
    known, and where the first is; `late` is a book that was whole before; only where
    columns are `mapped` is there a mapping to mend."""
    other = Tape.compile(rows._replace(side=-rows.side), tape.instrument, tape.session)
    swapped = crossed_in(other.events, len(other.level_ticks), calling)
    if 2 * swapped.share < found.share and swapped.two_sided:
        remedy = "give them the other way round (mapping.sides)" if mapped else "mend the file"
        return (
            f"with bids and offers swapped, {100 * swapped.share:.1f} % of it are: the sides are "
            f"swapped, so {remedy}"
        )
    if unknown[0]:
        remedy = "say what they are (mapping.kinds)" if mapped else "mend the file"
        return (
            f"{unknown[0]:,} rows are of kinds that are not known, the first at {unknown[1]}: they "
            f"may take orders away, so {remedy}"
        )
    if not np.isin(rows.kind, (DELETE, REDUCE, EXECUTE)).any() and tape.has_orders:
        return "no row takes an order away: are cancels and executions in another file?"
    what = "orders" if tape.has_orders else "levels"
    row = "is that row wrong in its side or its price? If not, " if late else ""
    return (
        f"{row}{what} may have left the recorded view without a row that says so: give the feed's "
        "snapshots or its orderbook file too, or a recording that shows all levels"
    )
