"""The worker against a slow twin: the same decisions in plain Python on top of `Exchange`."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine import flows
from paceline.engine.clockwork import look
from paceline.engine.exchange import Exchange
from paceline.engine.venue import Footprint, Latency, Venue
from paceline.market import events as ev
from paceline.schedule.tactic import CROSS, INSIDE, MID

from .orders import Case, cases, of_parent, plan_of, tape_of, venues, worked


class Twin:
    """One parent order, worked with plain calls and without delays."""

    def __init__(self, exchange: Exchange, case: Case, step: int) -> None:
        self.exchange, self.case, self.step = exchange, case, step
        self.sent: list[tuple] = []
        self.replaces = 0
        exchange.seek(case.start)

    def work(self, targets: list[int], bounds: list[int]) -> None:
        case = self.case
        for j, ts in enumerate(bounds[:-1]):
            self.exchange.advance(ts)
            best = self.best()
            if case.placement != CROSS and best[-case.side] is not None:
                self.take_with(self.inside_band(self.crossing(best[-case.side])))
            due = case.lots - targets[j + 1] - self.filled() - self.working()
            if None not in best.values():
                if case.placement == CROSS:
                    self.submit_all(due, self.crossing(best[-case.side]), "ioc")
                else:
                    self.submit_all(due, self.resting(best), "limit")
            if case.repeg_ns:
                for again in range(ts + case.repeg_ns, bounds[j + 1], case.repeg_ns):
                    self.repeg(again)
        self.end(bounds[-1])

    def repeg(self, ts: int) -> None:
        self.exchange.advance(ts)
        best = self.best()
        if None in best.values():
            return
        ticks = self.inside_band(self.resting(best))
        for order in self.open():
            if order.ticks != ticks and order.state == "resting":
                self.replaces += 1
                self.exchange.replace(order.order, lots=order.lots, price=ticks)

    def end(self, ts: int) -> None:
        self.exchange.advance(ts)
        if not self.case.finish:
            for order in self.open():
                self.exchange.cancel(order.order)
        else:
            bound = self.case.band[1] if self.case.side > 0 else self.case.band[0]
            self.take_with(bound)
            self.submit_all(self.case.lots - self.filled() - self.working(), bound, "ioc")
        self.exchange.advance(ts)

    def take_with(self, ticks: int) -> None:
        for order in self.open():
            self.replaces += order.state == "resting"
            self.exchange.replace(order.order, lots=order.lots, price=ticks, type="ioc")

    def submit_all(self, lots: int, ticks: int, type_: str) -> None:
        """In children no larger than allowed."""
        while lots > 0:
            self.submit(min(lots, self.case.child_max), ticks, type_)
            lots -= self.case.child_max

    def submit(self, lots: int, ticks: int, type_: str) -> None:
        price = self.inside_band(ticks)
        self.sent.append((self.exchange.now, lots))
        self.exchange.submit(self.case.side, lots, price, type=type_)

    def best(self) -> dict[int, int | None]:
        """The touch by side, what we took left out."""
        ticks = self.exchange.tape.level_ticks
        bid, ask = look(self.exchange.floor, self.exchange.now)
        return {1: ticks[bid] if bid >= 0 else None, -1: ticks[ask] if ask < len(ticks) else None}

    def open(self):
        orders = [self.exchange.order(k) for k in range(len(self.sent))]
        return [order for order in orders if order.state in ("resting", "in flight")]

    def filled(self) -> int:
        return sum(fill.lots for fill in self.exchange.fills())

    def working(self) -> int:
        return sum(order.left for order in self.open())

    def passive(self, price: Fraction | int) -> int:
        """On our grid, at `price` or behind it."""
        steps = Fraction(price) / self.step
        return (floor(steps) if self.case.side > 0 else ceil(steps)) * self.step

    def resting(self, best: dict[int, int]) -> int:
        side = self.case.side
        touch = self.passive(best[side])
        wish = touch
        if self.case.placement == INSIDE:
            wish = touch + side * self.step
        elif self.case.placement == MID:
            wish = self.passive(Fraction(best[1] + best[-1], 2))
        crosses = wish >= best[-1] if side > 0 else wish <= best[1]
        return touch if crosses or side * wish < side * touch else wish

    def crossing(self, other: int) -> int:
        """The furthest grid price within the collar, but at least one that takes the touch."""
        side = self.case.side
        furthest = self.passive(other + side * floor(other * self.case.collar_bps / 10_000))
        nearest = -(-other // self.step) * self.step if side > 0 else other // self.step * self.step
        return max(furthest, nearest) if side > 0 else min(furthest, nearest)

    def inside_band(self, ticks: int) -> int:
        low, high = self.case.band
        return min(ticks, high) if self.case.side > 0 else max(ticks, low)


TWINNED = cases(schedule=st.sampled_from(("twap", "front")), share_ppm=st.just(0))
NO_DELAY = {name: st.just(Latency()) for name in ("submit", "ack", "market_data")}


@flows.examples(300)
@given(
    st.sampled_from(("L3", "L2")),
    st.sampled_from((1, 1, 2)),
    flows.steps(),
    TWINNED,
    venues(**NO_DELAY),
)
def test_the_kernel_does_what_plain_calls_would(depth, step, steps, case, venue):
    low, high = case.band
    case = Case(**{**case.__dict__, "band": (low + -low % step, high - high % step)})
    tape = tape_of(flows.market(steps, depth), step)
    plan = plan_of([case])
    twin = Twin(Exchange(tape, venue, max_orders=4096), case, step)
    twin.work(plan.targets[0].tolist(), plan.bounds[0].tolist())

    log = worked(tape, venue, case)
    assert log.result["replaces"][0] == twin.replaces, "no message without need"
    children, fills = of_parent(log, 0)
    assert [(c["sent_ts"], c["lots"]) for c in children] == twin.sent
    for k, child in enumerate(children):
        order = twin.exchange.order(k)
        assert (child["ticks"], child["left"], child["done_ts"]) == (
            order.ticks, order.left, order.done_ts,
        )  # fmt: skip
    assert [
        (f["order"], f["ts"], f["ticks"], f["lots"], f["maker"], f["shift"]) for f in fills
    ] == [(f.order, f.ts, f.ticks, f.lots, f.maker, f.shift_ticks) for f in twin.exchange.fills()]


def test_a_static_book_costs_what_a_pencil_says():
    """Forty lots in four slices, and nothing comes back: ten at 101, ten at 102, twenty at 103."""
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 99, 100)
    for ticks, lots in ((101, 10), (102, 10), (103, 100)):
        flow.join(ev.ADD, -1, ticks, lots)
    case = Case(lots=40, placement=CROSS, collar_bps=500.0)
    venue = Venue(footprint=Footprint(recovery_half_life_s=float("inf")))
    _, fills = of_parent(worked(tape_of(flows.rows_of(flow.rows)), venue, case), 0)
    assert [(int(f["ts"]), int(f["ticks"]), int(f["lots"])) for f in fills] == [
        (1000, 101, 10), (1015, 102, 10), (1030, 103, 10), (1045, 103, 10),
    ]  # fmt: skip
    paid = int(np.sum(fills["lots"] * (fills["ticks"] - 100)))
    assert Fraction(paid * 10_000, 40 * 100) == 225  # bps of the arrival notional
