"""A desk of one order, as a live agent keeps it: from the parent order, what was known in the
morning, the public feed row by row, and what the venue tells of the agent's own orders.

Everything is written down in plain Python, and nothing of an environment is asked: what a decision
looks at is made here a second time. Orders only rest, and each is heard of before the next
decision.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.decision.state import NOWHERE, State, new_state
from paceline.engine.exchange import Exchange
from paceline.engine.venue import Venue
from paceline.guard.limits import UNLIMITED, Limits, limits_record, tightened
from paceline.guard.snapshot import MISSING, NO_OFFER, RECENT, RUNNING, blank_snapshots
from paceline.jit import kernel
from paceline.market.book import Book, apply, top_levels
from paceline.market.events import EXECUTE, HIDDEN, TRADE
from paceline.market.tape import Tape
from paceline.market.watch import PRINTS, SQUARES, WINDOWS_S, Watch, begin, look_back, note_rows
from paceline.orders.order import ParentOrder


class Morning(NamedTuple):
    """What earlier days teach of one day."""

    adv_lots: float
    session_lots: float
    touch_lots: float
    edges_ns: tuple[int, ...]
    traded: tuple[float, ...]
    """Share of a day's volume by each edge."""


class Child:
    """One of our orders, as far as we were told."""

    def __init__(self, number: int, ticks: int, lots: int) -> None:
        self.number, self.ticks, self.lots = number, ticks, lots
        self.filled, self.over = 0, False

    @property
    def open(self) -> int:
        return 0 if self.over else self.lots - self.filled


@kernel
def hear_one(book: Book, watch: Watch, tape: Any, level_ticks: NDArray[np.int64], i: int) -> None:
    """One row of a feed changes the book and is noted."""
    apply(book, tape.kind[i], tape.side[i], tape.level[i], tape.qty[i], tape.slot[i], i)
    note_rows(watch, tape, level_ticks, i, i + 1)


class LiveDesk:
    """One parent order at a venue."""

    def __init__(
        self, tape: Tape, parent: ParentOrder, desk: Limits, morning: Morning, venue: Venue,
        steepness: float, seed: int,
    ) -> None:  # fmt: skip
        instrument = tape.instrument
        self.tape, self.parent, self.morning = tape, parent.check(instrument), morning
        self.limits = limits_record(tightened(desk, parent.constraints), instrument)[0]
        self.lots, self.side = parent.lots(instrument), parent.side.sign
        self.arrival2 = round(2 * parent.arrival_ticks(instrument))
        self.steepness, self.fees = steepness, venue.fees
        (self.late_ns,), (self.ack_ns,) = venue.market_data.table_ns, venue.ack.table_ns
        self.way_ns = venue.submit.table_ns[0] + self.ack_ns
        self.exchange = Exchange(tape, venue, seed=seed)
        self.exchange.seek(parent.start_ts - self.late_ns)
        self.children: list[Child] = []
        self.state, self.book, self.row = new_state(), tape.new_book(), 0
        begin(self.state.watch, tape.session.open_ns)
        self.prints: list[tuple[int, int]] = []
        self.fills: list[Any] = []
        self.paid, self.maker, self.posted = 0.0, 0, 0
        self.decisions = self.cancels = self.messages = 0
        self.sent: list[int] = []
        self.moved: list[int] = []
        self.work_since_ts = 0

    def look(self, now: int) -> tuple[State, np.void, np.void]:
        """State, limits and snapshot of a decision at `now`."""
        seen = now - self.late_ns
        self._hear(seen)
        self.exchange.advance(seen)
        ahead = {child.number: self.exchange.order(child.number).ahead for child in self.children}
        self.exchange.advance(now)
        self._hear_of_ours(now)
        self._tell_order(now, seen, ahead)
        self._tell_context(now)
        return self.state, self.limits, self._snapshot(now, seen)

    def _hear(self, seen: int) -> None:
        events, state = self.tape.events, self.state
        while self.row < len(events.ts) and events.ts[self.row] <= seen:
            hear_one(self.book, state.watch, events, self.tape.level_ticks, self.row)
            if events.kind[self.row] in (EXECUTE, HIDDEN, TRADE):
                self.prints.append((int(events.ts[self.row]), int(events.qty[self.row])))
            self.row += 1
        look_back(state.watch, seen)
        for side in (0, 1):
            found = top_levels(self.book, side, state.ticks[side], state.sizes[side])
            state.sizes[side, found:] = 0

    def _hear_of_ours(self, now: int) -> None:
        """Fills, and ends, that the venue has told of."""
        fees, tick = self.fees, float(self.tape.instrument.book_tick)
        told = [fill for fill in self.exchange.fills() if fill.told_ts <= now]
        for fill in told[len(self.fills) :]:
            price = fill.ticks + self.side * fill.shift_ticks
            per_lot, of_value = (
                (fees.maker_per_share / tick, fees.maker_bps / 1e4) if fill.maker
                else (fees.taker_per_share / tick, fees.taker_bps / 1e4)
            )  # fmt: skip
            slip = self.side * (price - 0.5 * self.arrival2)
            self.paid += fill.lots * (slip + (per_lot + of_value * price))
            self.maker += fill.lots * fill.maker
            self.children[fill.order].filled += fill.lots
            self.fills.append(fill)
        for child in self.children:
            done_ts = self.exchange.order(child.number).done_ts
            child.over = done_ts is not None and done_ts + self.ack_ns <= now

    def _volume(self, since: int, until: int) -> int:
        return sum(lots for ts, lots in self.prints if since < ts <= until)

    @property
    def left(self) -> int:
        return self.lots - sum(fill.lots for fill in self.fills)

    def _window(self, seen: int) -> tuple[int, int]:
        """Lots of others, and ours, in the participation window."""
        since = seen - int(self.limits["window_ns"])
        ours = [fill for fill in self.fills if fill.ts > since]
        # A recording does not know which of our fills its volume counts; the venue does.
        rows = self.exchange.floor.account.fills[: len(self.fills)]
        counted = sum(int(row["lots"]) for row in rows if row["ts"] > since and row["displaced"])
        return max(self._volume(since, seen) - counted, 0), sum(fill.lots for fill in ours)

    def _tell_order(self, now: int, seen: int, ahead: dict[int, float]) -> None:
        order, working = self.state.order[0], [child for child in self.children if child.open]
        others, own = self._window(seen)
        order["side"], order["lots"], order["left"] = self.side, self.lots, self.left
        order["start_ts"], order["end_ts"] = self.parent.start_ts, self.parent.end_ts
        order["now_ts"], order["arrival_twice_mid"] = now, self.arrival2
        order["paid"], order["steepness"] = self.paid, self.steepness
        order["working"] = order["work_lots"] = sum(child.open for child in working)
        order["working_orders"] = len(working)
        order["work_ticks"] = working[0].ticks if working else NOWHERE
        order["move_lots"] = working[0].open if working else 0
        order["work_ahead"] = ahead[working[0].number] if working else 0.0
        order["work_since_ts"] = self.work_since_ts
        order["posted_lots"], order["maker_lots"] = self.posted, self.maker
        order["decisions"], order["cancels"] = self.decisions, self.cancels
        order["messages"] = self.messages
        order["market_lots"] = self._volume(self.parent.start_ts, seen)
        order["window_market_lots"], order["window_own_lots"] = others + own, own

    def _tell_context(self, now: int) -> None:
        context, limits, session = self.state.context[0], self.limits, self.tape.session
        order, step = self.state.order[0], self.tape.instrument.order_step
        context["order_step"] = step
        for name in ("adv_lots", "session_lots", "touch_lots"):
            context[name] = getattr(self.morning, name)
        context["open_ns"], context["close_ns"] = session.open_ns, session.close_ns
        done, until = self._usual(now), self._usual(self.parent.end_ts)
        context["volume_left"] = 1.0 - done
        context["horizon_lots"] = max(self.morning.session_lots * (until - done), 1.0)
        ppm = int(limits["participation_ppm"])
        context["participation_cap"] = ppm / 1e6
        others = int(order["window_market_lots"] - order["window_own_lots"])
        context["room_lots"] = (
            ppm * others // (1_000_000 - ppm) - order["window_own_lots"] - order["working"]
        )
        reach = self.arrival2 * (1_000_000 + self.side * int(limits["band_ppm"]))
        grid = 2_000_000 * step
        band = reach // grid if self.side > 0 else -(-reach // grid)
        context["band_ticks"] = band * step
        context["child_max"] = limits["child_max_lots"]
        for name, limit in (("most_cancels", "max_cancels"), ("most_messages", "max_messages")):
            context[name] = limits[limit] if limits[limit] < UNLIMITED else np.nan

    def _usual(self, ts: int) -> float:
        """Share of a day's volume that usually has traded by `ts`."""
        edges, traded = self.morning.edges_ns, self.morning.traded
        at = (ts - self.tape.session.open_ns) / (edges[1] - edges[0])
        k = min(max(int(at), 0), len(traded) - 2)
        return traded[k] + min(max(at - k, 0.0), 1.0) * (traded[k + 1] - traded[k])

    def _snapshot(self, now: int, seen: int) -> np.void:
        state, order, snapshot = self.state, self.state.order[0], blank_snapshots(1)[0]
        bid, ask = (int(state.ticks[row, 0]) if state.sizes[row, 0] else MISSING for row in (0, 1))
        n_prints = int(state.watch.clock[0]["n_prints"])
        last = state.watch.prints[(n_prints - 1) % PRINTS]["ticks"]
        squares = int(state.watch.sums[2, SQUARES]) / (WINDOWS_S[2] / 60.0)
        k, share = (
            self.steepness,
            (self.parent.end_ts - now) / (self.parent.end_ts - self.parent.start_ts),
        )
        planned = math.sinh(k * share) / math.sinh(k) if k > 0 else share
        more, rests, resting = order["working_orders"], order["work_ticks"], order["work_ticks"] > 0
        window_ns = int(self.limits["rate_window_ns"])
        fields: dict[str, Any] = {
            "now_ts": now, "bid_ticks": bid, "ask_ticks": ask, "data_ts": seen,
            "reference_half_ticks": (self.arrival2, 2 * last if n_prints else MISSING, MISSING),
            "others_lots": order["window_market_lots"] - order["window_own_lots"],
            "volatility_ppm": int(math.sqrt(squares) / float(bid + ask) * 1e6)
            if min(bid, ask) > 0 else MISSING,
            "target_lots": round(planned * self.lots),
            "unrestricted": 1, "trading": 1, "venue_up": 1, "quiet": 1, "short_sales": 1,
            "located_lots": UNLIMITED, "latency_ns": self.way_ns, "kill_mode": RUNNING,
            "side": self.side, "start_ts": self.parent.start_ts, "end_ts": self.parent.end_ts,
            "parent_lots": self.lots, "inventory_lots": self.left,
            "working_lots": order["working"], "filled_lots": order["window_own_lots"],
            # A choice may take a message for each order that works, and one more.
            "messages": self.messages + more, "cancels": self.cancels + max(more - 1, 0),
            "symbol_working_lots": order["working"], "symbol_side_lots": order["working"],
            "symbol_orders": more, "symbol_filled_lots": order["window_own_lots"],
            "symbol_messages": sum(ts > now - window_ns for ts in self.sent) + more,
            "symbol_cancels": sum(ts > now - window_ns for ts in self.moved) + max(more - 1, 0),
            "position_lots": self.left if self.side < 0 else 0,
            "own_bid_ticks": rests if resting and self.side > 0 else 0,
            "own_ask_ticks": rests if resting and self.side < 0 else NO_OFFER,
            "executions": self.messages + more, "may_repeat": 1,
            "counted_ts": self.parent.start_ts, "recent_ts": (MISSING,) * RECENT,
        }  # fmt: skip
        for name, value in fields.items():
            snapshot[name] = value
        return snapshot

    def carry_out(self, ticks: int, lots: int, now: int) -> None:
        """Let `lots` rest at `ticks`: what rests there shrinks or is joined, the oldest elsewhere
        is moved, and the others go."""
        working = [child for child in self.children if child.open]
        free = self.left - sum(child.open for child in working)
        there = [child for child in working if child.ticks == ticks]
        keeper = (there or working or [None])[0]
        for child in working:
            if child is not keeper and child.ticks != ticks:
                self.exchange.cancel(child.number)
                self._count(now, moved=True)
        if keeper is None:
            self._add(ticks, min(lots, free), now)
        elif there:
            resting = sum(child.open for child in there)
            self._add(ticks, min(lots - resting, free), now)
            for child in reversed(there):
                mine = child.open
                if resting - mine >= lots:
                    self.exchange.cancel(child.number)
                    self._count(now, moved=True)
                    resting -= mine
                elif resting > lots:
                    self._replace(child, ticks, mine - (resting - lots), now)
                    resting = lots
        else:
            moved = min(lots, keeper.open)
            self._replace(keeper, ticks, moved, now)
            self._add(ticks, min(lots - moved, free), now)

    def _add(self, ticks: int, lots: int, now: int) -> None:
        if lots > 0:
            number = self.exchange.submit(self.side, lots, self._price(ticks))
            self.children.append(Child(number, ticks, lots))
            self.posted += lots
            self._count(now)

    def _replace(self, child: Child, ticks: int, lots: int, now: int) -> None:
        total = child.filled + lots
        self.exchange.replace(child.number, lots=total, price=self._price(ticks))
        child.ticks, child.lots = ticks, total
        self._count(now, moved=True)

    def _price(self, ticks: int) -> str:
        return str(ticks * self.tape.instrument.book_tick)

    def _count(self, now: int, moved: bool = False) -> None:
        self.messages += 1
        self.sent.append(now)
        if moved:
            self.cancels += 1
            self.moved.append(now)
        self.work_since_ts = now
