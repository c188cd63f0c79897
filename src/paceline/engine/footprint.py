"""What our own orders change in a recorded market.

*Footprint*: lots we took are gone and come back exponentially (recovery half-life), so nobody
fills twice from the same liquidity. A level never lacks more than it shows.

*Impact*: an optional price shift of our own later fills, transient (an exponential propagator,
Obizhaeva & Wang 2013) plus permanent and linear (Almgren & Chriss 2001). The book itself is not
moved: the shift is what the recorded market could not show.
"""

from __future__ import annotations

import math

import numpy as np

from paceline.engine.account import Account
from paceline.engine.venue import Rules
from paceline.jit import inlined, inner
from paceline.market.book import Book, worse_level


@inlined
def may_lack(clock: np.void, row: int, level: int) -> bool:
    """Whether we may have taken lots from a level, or from one that shares its mark: of most levels
    the mark says no, and nothing else of them has to be looked at."""
    return bool((clock["took"][row] >> (level & 63)) & 1)


@inlined
def has_taken(account: Account, row: int, level: int) -> bool:
    """Whether we took lots from a level of which some may be missing still."""
    return may_lack(account.clock[0], row, level) and account.taken[row, level]["lots"] > 0.0


@inlined
def missing(account: Account, rules: Rules, row: int, level: int, ts: int) -> float:
    """Lots we took from a level that have not come back by `ts`."""
    if not has_taken(account, row, level):
        return 0.0
    taken = account.taken[row, level]
    return taken["lots"] * math.exp(-rules.recovery_per_ns * (ts - taken["ts"]))


@inlined
def available(book: Book, account: Account, rules: Rules, row: int, level: int, ts: int) -> int:
    """Whole lots at a level that we may take at `ts`."""
    lots = book.levels[row, level]["lots"]
    if lots == 0 or not has_taken(account, row, level):
        return lots
    gone = missing(account, rules, row, level, ts)
    return max(lots - math.ceil(gone - 1e-9), 0)


@inlined
def take(account: Account, rules: Rules, row: int, level: int, lots: int, ts: int) -> None:
    """We took `lots` from a level at `ts`."""
    taken = account.taken[row, level]
    taken["lots"] = missing(account, rules, row, level, ts) + lots
    taken["ts"] = ts
    account.clock[0]["took"][row] |= np.int64(1) << (level & 63)


@inlined
def lacks_more(book: Book, account: Account, row: int, level: int) -> bool:
    """Whether a level may lack more than it shows: what is missing only falls, so most levels never
    need its exponential."""
    taken = account.taken[np.uint32(row), np.uint32(level)]["lots"]
    return bool(taken > book.levels[np.uint32(row), np.uint32(level)]["lots"])


@inner
def settle(book: Book, account: Account, rules: Rules, row: int, level: int, ts: int) -> None:
    """After the market took lots off a level: it cannot lack more than it shows."""
    shown = book.levels[row, level]["lots"]
    if missing(account, rules, row, level, ts) > shown:
        taken = account.taken[row, level]
        taken["lots"] = shown
        taken["ts"] = ts


@inner
def touch(book: Book, account: Account, rules: Rules, row: int, ts: int) -> int:
    """Best level of a side with lots that we may take; -1 or n_levels if there is none."""
    n = len(book.level_ticks)
    level = book.best[row]
    while 0 <= level < n and available(book, account, rules, row, level, ts) == 0:
        level = worse_level(book, row, level)
    return int(level)


@inner
def press(account: Account, rules: Rules, lots: int, ts: int) -> float:
    """Price shift against us, in ticks, of a fill of `lots` at `ts`; remembers the fill.

    A fill pays for half of its own pressure: its lots push the price while they trade.
    """
    if rules.transient_ticks == 0.0 and rules.permanent_ticks == 0.0:
        return 0.0
    clock = account.clock[0]
    age = ts - clock["pressure_ts"]
    faded = clock["transient"] * math.exp(-rules.transient_per_ns * age)
    own = rules.transient_ticks * lots
    lasting = rules.permanent_ticks * lots
    shift = faded + clock["permanent"] + (own + lasting) / 2
    clock["transient"] = faded + own
    clock["permanent"] += lasting
    clock["pressure_ts"] = ts
    return float(shift)
