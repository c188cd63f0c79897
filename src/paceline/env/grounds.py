"""What an episode asks of the market it is in, under one name for both: a recorded day, and a
simulated market of its own.

    stand        begin: jump into the day, or let a new market open and run
    hear         let the watch hear what is seen of the market
    volume_seen, window_lots, mid_now, next_row

What will happen on a recorded day stands in its columns. A simulated market has to go there to
know (`engine.clockwork.come_to`); what it does on the way is kept from the watch until it may be
seen (`engine.listener`). A fill there is known at a decision if we were told of it by then, though
the book is seen later.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.decision.state import State
from paceline.engine import pit, replay
from paceline.engine.listener import hear_by
from paceline.engine.others import twice_mid
from paceline.engine.pit import CROWDED, Pit
from paceline.engine.prints import traded_lately
from paceline.engine.simulator import open_market
from paceline.env.working import first_sight
from paceline.jit import chosen, inlined, inner
from paceline.market.book import NOBODY, rank, unmark
from paceline.market.compiler import Images
from paceline.market.events import Rows
from paceline.market.spread import is_absurd
from paceline.market.watch import (
    UNKNOWN,
    WINDOWS_S,
    Watch,
    begin,
    begin_at,
    look_back,
    note_rows,
)
from paceline.units import NS_PER_S

LISTEN_NS = (WINDOWS_S[-1] + 5) * NS_PER_S
"""Before the start, for windows to be full."""


class Opening(NamedTuple):
    """How a simulated market begins."""

    clock: NDArray[np.void]  # [1] of FLOW_RECORD, before the first event
    best: NDArray[np.int64]  # [2] levels
    rows: Rows  # no room: what stands in the book is not written down


Ground = Images | Opening
"""What an episode begins from."""


# --- begin ------------------------------------------------------------------------------------


@inner
def _jump(floor: replay.Floor, what: tuple[Images, np.void, np.void, Watch]) -> None:
    images, episode, heard, watch = what
    start = episode["start_ts"]
    listen = max(start - LISTEN_NS, floor.rules.open_ns)
    heard["rows"] = rank(floor.events.ts, listen)
    heard["window_rows"] = rank(floor.events.ts, start - episode["window_ns"])
    begin_at(watch, floor.events, floor.book.level_ticks, heard["rows"], listen)
    replay.seek(floor, images, first_sight(floor, start), episode["seed"])


@inner
def _open(floor: Pit, what: tuple[Opening, np.void, np.void, Watch]) -> None:
    opening, episode, heard, watch = what
    start = episode["start_ts"]
    since = max(start - max(LISTEN_NS, episode["window_ns"]), floor.rules.open_ns)
    heard["rows"] = heard["window_rows"] = 0
    _clear(floor)
    flow, book = floor.market.flow, floor.book
    flow.clock[0] = opening.clock[0]
    flow.clock[0]["due"] = flow.clock[0]["now"] = since
    flow.dice[0]["state"], flow.dice[0]["gamma"] = episode["dice_state"], episode["dice_gamma"]
    open_market(floor.market, opening.rows, opening.best[0], opening.best[1])
    begin(watch, since, book.level_ticks[book.best[0]], book.level_ticks[book.best[1]])
    pit.enter(floor, first_sight(floor, start), episode["seed"])


stand = chosen(_jump, Pit, _open)
"""Stand before the first look of an episode, the watch at its ear: (ground, episode, heard,
watch)."""


@inlined
def _clear(floor: Pit) -> None:
    """Nothing is left of the market that was here; which slots are free may stay as it is."""
    flow, book = floor.market.flow, floor.book
    clock = flow.clock[0]
    for k in range(clock["n_bids"]):
        _vacate(floor, flow.slots[k])
    for k in range(clock["n_asks"]):
        _vacate(floor, flow.slots[len(flow.slots) - 1 - k])
    for slot in range(len(floor.holds)):
        if floor.holds[slot] != NOBODY:
            _vacate(floor, slot)
        floor.holds[slot] = NOBODY
    book.best[0], book.best[1] = -1, len(book.level_ticks)
    flow.reference[:] = 0
    flow.base[:] = 0.0
    flow.reaction[:] = 1.0
    flow.felt[:] = 1.0
    flow.heat[:] = 0.0
    flow.warmth[:] = 0.0
    flow.scale[:] = 1.0
    flow.scale_then[:] = 1.0
    for k in range(len(flow.metaorders)):
        flow.metaorders[k]["row"] = flow.metaorders[k]["left"] = 0
    floor.prints.clock[:] = 0
    floor.listener.waits[:] = 0


@inlined
def _vacate(floor: Pit, slot: int) -> None:
    order = floor.book.slots[slot]
    queue = floor.book.levels[order["row"], order["level"]]
    order["lots"] = queue["lots"] = 0
    queue["head"] = queue["tail"] = NOBODY
    unmark(floor.book, order["row"], order["level"])


# --- what is seen -----------------------------------------------------------------------------


@inner
def _hear_columns(floor: replay.Floor, what: tuple[State, np.void]) -> None:
    state, heard = what
    seen, stop = floor.account.clock[0]["last_seen"], floor.account.clock[0]["cursor"]
    note_rows(state.watch, floor.events, floor.book.level_ticks, heard["rows"], stop)
    heard["rows"] = stop
    look_back(state.watch, seen)


@inner
def _hear_rest(floor: Pit, what: tuple[State, np.void]) -> None:
    seen = floor.account.clock[0]["last_seen"]
    hear_by(floor.listener, seen)
    look_back(floor.listener.watch, seen)


hear = chosen(_hear_columns, Pit, _hear_rest)
"""Let the watch hear of all rows up to the last look: (state, heard)."""


@inlined
def _volume_of_columns(floor: replay.Floor, heard: np.void) -> int:
    return _volume_before(floor, floor.account.clock[0]["cursor"])


@inlined
def _volume_of_prints(floor: Pit, heard: np.void) -> int:
    return traded_lately(floor.prints, floor.account.clock[0]["last_seen"])


volume_seen = chosen(_volume_of_columns, Pit, _volume_of_prints)
"""Lots that everybody had traded when we last looked."""


@inlined
def _volume_before(floor: replay.Floor, row: int) -> int:
    """Lots that had traded before row `row` of the tape."""
    return floor.events.volume[row - 1] if row > 0 else 0


@inlined
def _window_of_columns(floor: replay.Floor, what: tuple[np.void, int]) -> int:
    heard, window_ns = what
    clock, ts = floor.account.clock[0], floor.events.ts
    since, at = clock["last_seen"] - window_ns, heard["window_rows"]
    while at < clock["cursor"] and ts[at] <= since:
        at += 1
    heard["window_rows"] = at
    return _volume_before(floor, clock["cursor"]) - _volume_before(floor, at)


@inlined
def _window_of_prints(floor: Pit, what: tuple[np.void, int]) -> int:
    heard, window_ns = what
    prints, at = floor.prints, heard["window_rows"]
    if prints.clock[0] > len(prints.ts):
        floor.account.clock[0]["full"] = CROWDED  # the first ones are forgotten
        return 0
    seen = floor.account.clock[0]["last_seen"]
    while at < prints.clock[0] and prints.ts[at] <= seen - window_ns:
        at += 1
    heard["window_rows"] = at
    before = prints.volume[at - 1] if at > 0 else 0
    return traded_lately(prints, seen) - before


window_lots = chosen(_window_of_columns, Pit, _window_of_prints)
"""Lots that everybody traded in the window that ends with what was seen last: (heard, ns)."""


# --- what is known afterwards -----------------------------------------------------------------


@inlined
def _row_after(floor: replay.Floor, ts: int) -> int:
    """The first row of the tape after `ts`, which is soon after what has happened."""
    at, times = floor.account.clock[0]["cursor"], floor.events.ts
    while at < len(times) and times[at] <= ts:
        at += 1
    return int(at)


@inlined
def _mid_of_row(floor: replay.Floor, at: int) -> int:
    events, levels = floor.events, floor.book.level_ticks
    if at >= 0 and events.bid[at] >= 0 and events.ask[at] < len(levels):
        bid, ask = levels[events.bid[at]], levels[events.ask[at]]
        return UNKNOWN if is_absurd(bid, ask) else int(bid + ask)
    return UNKNOWN


@inlined
def _recorded_mid(floor: replay.Floor, ts: int) -> int:
    return _mid_of_row(floor, _row_after(floor, ts) - 1)


@inlined
def _simulated_mid(floor: Pit, ts: int) -> int:
    return twice_mid(floor)


mid_now = chosen(_recorded_mid, Pit, _simulated_mid)
"""Twice the mid at a time that was come to, ticks; UNKNOWN if a side shows nothing, or the spread
is absurd (`market.spread`)."""


@inlined
def _recorded_later(floor: replay.Floor, ts: int) -> int:
    return _mid_of_row(floor, rank(floor.events.ts, ts + 1) - 1)


@inlined
def _simulated_later(floor: Pit, ts: int) -> int:
    pit.advance(floor, ts)
    return twice_mid(floor)


mid_later = chosen(_recorded_later, Pit, _simulated_later)
"""The same at a time to come. A simulated market goes there, and an episode in it is over."""


@inlined
def _recorded_row(floor: replay.Floor, when: tuple[int, int]) -> int:
    after, latest = when
    at = _row_after(floor, after)
    return int(floor.events.ts[at]) if at < len(floor.events.ts) else latest


@inlined
def _simulated_row(floor: Pit, when: tuple[int, int]) -> int:
    after, latest = when
    pit.advance(floor, after)
    account, flow = floor.account.clock[0], floor.market.flow.clock[0]
    n, last = flow["n_events"], min(latest, floor.rules.close_ns)
    while flow["due"] <= last and flow["n_events"] == n and account["full"] != CROWDED:
        pit.advance(floor, flow["due"])
    return int(account["now"]) if flow["n_events"] > n else latest


next_row = chosen(_recorded_row, Pit, _simulated_row)
"""When something next happens after a time, or, if nothing does by then, the latest: (time,
latest)."""
