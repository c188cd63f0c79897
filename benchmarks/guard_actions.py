"""Random actions against the gate, audited in shares and currency: nothing that goes breaks a rule.

Parent orders of two symbols with instruments of many lots and ticks, submits, replaces, cancels,
fills, late fills, confirmations, kills and releases, parent orders that are added meanwhile, and
restarts of the gate and of the kill switch in the middle of it, some with a record cut off and some
with an answer that was never heard. Worlds are told apart by a seed. The value counts breaches.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.figure import AT_MOST, announce
from benchmarks.guard_truth import NS, Order, Parent, Rules, Truth, plain
from paceline.errors import OrderError
from paceline.guard.gate import Gate, Mandate, Request
from paceline.guard.journal import Journal
from paceline.guard.kill_switch import KillSwitch, Mode, Scope
from paceline.guard.limits import Limits
from paceline.guard.people import People, Signed
from paceline.guard.reasons import names
from paceline.guard.rules import CANCEL, REPLACE, SUBMIT
from paceline.orders.instrument import Instrument
from paceline.orders.order import ParentOrder
from paceline.progress import progress_bar

ACTIONS = 10_000_000
A_WORLD = 10_000
START = 10**18
ANN, BOB = Signed("ann", "ann's secret"), Signed("bob", "bob's secret")
GRIDS = {
    "ACME": [("100", "0.01"), ("1", "0.0001"), ("10", "0.005"), ("0.5", "0.001"), ("3", "0.02")],
    "COIN": [("0.01", "0.01"), ("0.00001", "0.1"), ("1", "0.05")],
}
ARRIVAL = Decimal(20)


def limits_of(rules: Rules) -> Limits:
    """The rules as a desk writes them; what the truth does not audit is unlimited."""
    most: Any = "unlimited"
    return Limits(
        participation=float(rules.participation), window_s=rules.window_s,
        symbol_participation=float(rules.symbol_participation), band_bps=float(rules.band) * 1e4,
        band_ticks=most, move_bps=most, move_window_s=1, child_max=float(rules.child_max),
        max_order_quantity=float(rules.max_order_quantity),
        max_order_value=float(rules.max_order_value), max_position=float(rules.max_position),
        max_working=float(rules.max_working), max_working_orders=rules.max_working_orders,
        max_ahead=most, message_rate=rules.message_rate, cancel_rate=rules.cancel_rate,
        rate_window_s=rules.rate_window_s, max_messages=rules.max_messages,
        max_cancels=rules.max_cancels, max_executions=rules.max_executions,
        execution_window_s=rules.execution_window_s, min_resting_s=rules.min_resting_ns / NS,
        duplicate_s=rules.duplicate_ns / NS, max_data_age_s=most, max_latency_s=most,
        max_volatility_bps=most,
    )  # fmt: skip


class World:
    """A gate, its truth, and a sender that tries every limit."""

    def __init__(self, folder: Path, people: People, seed: int) -> None:
        self.dice, self.folder, self.people = Random(seed), folder, people
        self.rules = Rules()
        self.truth, self.limits = Truth(self.rules), limits_of(self.rules)
        KillSwitch.create(folder / "kill.json")
        Journal.create(folder / "gate.journal", sync=False).close()
        self.now, self.sent, self.let_pass, self.restarts = START, 0, 0, 0
        self.breaches: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.others: dict[str, Decimal] = {}
        self.mid = dict.fromkeys(GRIDS, ARRIVAL)
        self._open()
        for symbol in GRIDS:
            for _ in range(3):
                self.add(symbol)
            self.hold(symbol)

    def _open(self) -> None:
        self.switch = KillSwitch(self.folder / "kill.json", self.people)
        self.gate = Gate(self.switch, journal=self.folder / "gate.journal", sync=False)
        if self.gate.trouble:
            raise AssertionError(self.gate.trouble)

    # --- the desk --------------------------------------------------------------------------------

    def add(self, symbol: str) -> None:
        dice, n = self.dice, len(self.truth.parents)
        lot, tick = dice.choice(GRIDS[symbol])
        side = "buy" if n % 2 else "sell"
        qty = dice.choice([2000, 6000, 30000]) * 3
        order = ParentOrder(
            order_id=f"order {n}", symbol=symbol, side=side, qty=qty, arrival_px=20,  # type: ignore[arg-type]
            start_ts=START - NS, end_ts=START + 10**17,
            constraints={"participation": 1, "price_band_bps": 9000, "child_max": 3000},  # type: ignore[arg-type]
        )  # fmt: skip
        instrument = Instrument(
            symbol=symbol, book_tick=Decimal(tick), order_tick=Decimal(tick), lot=Decimal(lot)
        )
        policy, desk = dice.choice(["ac", "twap"]), dice.choice(["d1", "d2"])
        self.gate.add(Mandate(order, instrument, self.limits, policy, desk))
        self.truth.add(
            Parent(
                order.order_id,
                symbol,
                policy,
                desk,
                order.side.sign,
                Decimal(qty),
                Decimal(lot),
                Decimal(tick),
                ARRIVAL,
            )
        )
        self.look(self.truth.parents[order.order_id], first=True)

    def hold(self, symbol: str) -> None:
        shares = Decimal(self.dice.choice([0, 150, -40, 999, "12.5"]))
        self.gate.holds(self.dice.choice([symbol, symbol.lower()]), float(shares))
        self.truth.symbols[plain(symbol)].position = shares

    def look(self, parent: Parent, *, first: bool = False) -> None:
        """See the market, and how much of it traded."""
        others = Decimal(self.dice.choice([2000, 8000, 40000])) // parent.lot
        self.others[parent.name] = others * parent.lot
        mid = self.mid[parent.symbol]
        bid = int((mid - Decimal("0.01")) / parent.tick)
        seen: dict[str, Any] = {
            "bid_ticks": bid, "ask_ticks": bid + max(int(Decimal("0.02") / parent.tick), 1),
            "data_ts": self.now, "others_lots": int(others),
        }  # fmt: skip
        if first:
            seen |= {
                "reference_half_ticks": [int(2 * ARRIVAL / parent.tick)] * 3, "target_lots": 0,
                "period_half_ticks": int(2 * ARRIVAL / parent.tick), "volatility_ppm": 0,
                "unrestricted": 1, "trading": 1, "venue_up": 1, "quiet": 1, "short_sales": 1,
                "located_lots": int(self.rules.located // parent.lot), "latency_ns": 1,
            }  # fmt: skip
        self.gate.see(parent.name, **seen)

    # --- actions ---------------------------------------------------------------------------------

    def act(self) -> None:
        """One action."""
        dice = self.dice
        self.now += dice.choice([0, 10**5, 10**6, 10**7, 10**7, 10**8])
        if dice.random() < 0.005:
            self.now += dice.choice([10, 100]) * NS
        parent = dice.choice(list(self.truth.parents.values()))
        if dice.random() < 0.2:
            self.mid[parent.symbol] = ARRIVAL + Decimal(dice.randrange(-30, 31)) / 100
            self.look(parent)
        symbol, what = self.truth.of(parent), dice.random()
        order = dice.choice(list(symbol.working.values())) if symbol.working else None
        if dice.random() < 0.006:
            self.seldom(parent)
        elif what < 0.5 or order is None:
            self.submit(parent)
        elif what < 0.63:
            self.replace(order)
        elif what < 0.7:
            self.cancel(order)
        elif what < 0.84:
            self.fill(order)
        elif what < 0.88:
            self.late(symbol.over)
        elif what < 0.93:
            self.confirm(order)
        else:
            self.gate.over(order.name)
            self.truth.end(order)

    def seldom(self, parent: Parent) -> None:
        what = self.dice.random()
        if what < 0.18:
            self.restart(parent)
        elif what < 0.28:
            self.throw(parent)
        elif what < 0.6:
            self.release()
        elif what < 0.7:
            self.let_go_on()
        elif what < 0.78:
            self.hold(parent.symbol)
        elif what < 0.85:
            if len(self.truth.parents) < 16:
                self.add(parent.symbol)
        elif what < 0.9:
            self.gate.compact()
        else:
            self.switch = self.gate._kill_switch = KillSwitch(
                self.folder / "kill.json", self.people
            )

    def price(self, parent: Parent) -> int:
        """Ticks near the mid, near an order of ours, or near the end of the band."""
        dice, mid = self.dice, self.mid[parent.symbol]
        about = mid + parent.side * Decimal(dice.randrange(-12, 4)) / 100
        where = dice.random()
        working = self.truth.of(parent).working
        if where < 0.15 and working:
            about = dice.choice(list(working.values())).price
        elif where < 0.2:
            about = ARRIVAL * (1 + parent.side * self.rules.band)
        return max(int(about / parent.tick) + dice.choice([-1, 0, 0, 0, 1]), 1)

    def lots(self, parent: Parent) -> int:
        """Small, or about what one of the limits leaves."""
        dice, rules, which = self.dice, self.rules, self.dice.random()
        symbol = self.truth.of(parent)
        shares = Decimal(dice.choice([5, 10, 30, 60, 100, 300]))
        if which < 0.03:
            shares = dice.choice([rules.child_max, rules.max_order_quantity, Decimal(1000)])
        elif which < 0.2:
            working = [(o.qty, o.parent.side) for o in symbol.working.values()]
            ours = sum((qty for qty, _ in working), Decimal(0))
            held = parent.side * (symbol.position or 0)
            on_side = sum((qty for qty, side in working if side == parent.side), Decimal(0))
            shares = dice.choice(
                [
                    rules.max_working - ours, rules.max_position - held - on_side,
                    rules.located - held - on_side, parent.qty - parent.filled,
                ]
            )  # fmt: skip
        return max(int(shares / parent.lot) + dice.choice([-1, 0, 0, 1]), dice.choice([0, 1, 1, 1]))

    def ask(self, request: Request) -> bool:
        """Whether the gate lets a request pass. Now and then the clock goes back."""
        self.sent += 1
        back = self.dice.choice([1, NS]) if self.dice.random() < 0.01 else 0
        self.at = self.now - back
        decision = self.gate.check(request, self.at)
        allowed = decision.allowed
        self.let_pass += allowed
        self.refused.update(names(decision.bits))
        return allowed

    def submit(self, parent: Parent) -> None:
        name, ticks, lots = f"c{self.sent}", self.price(parent), self.lots(parent)
        side = -parent.side if self.dice.random() < 0.01 else parent.side
        if self.ask(Request(parent.name, name, SUBMIT, side, 0, ticks, lots)):
            if side != parent.side:
                self.breaches["wrong_side"] += 1
            found = self.truth.submit(
                parent, name, ticks * parent.tick, lots * parent.lot, self.others[parent.name],
                self.at,
            )  # fmt: skip
            self.breaches.update(found)

    def replace(self, order: Order) -> None:
        parent = order.parent
        ticks, lots = self.price(parent), self.lots(parent)
        if self.ask(Request(parent.name, order.name, REPLACE, parent.side, 0, ticks, lots)):
            found = self.truth.replace(
                order, ticks * parent.tick, lots * parent.lot, self.others[parent.name], self.at
            )
            self.breaches.update(found)

    def cancel(self, order: Order) -> None:
        if self.ask(Request(order.parent.name, order.name, CANCEL)):
            self.breaches.update(self.truth.cancel(order, self.at))
            if self.dice.random() < 0.6:
                self.gate.over(order.name)
                self.truth.end(order)

    def fill(self, order: Order) -> None:
        most = int(order.qty / order.parent.lot)
        lots = self.dice.choice([1, self.dice.randint(1, most), most])
        self.gate.filled(order.name, lots, self.now)
        self.truth.fill(order, lots * order.parent.lot, self.now)

    def late(self, over: Any) -> None:
        """A fill of an order that was thought to be over."""
        if not over or self.dice.random() < 0.7:
            return
        order = self.dice.choice(list(over))
        lots = max(int(Decimal(10) / order.parent.lot), 1)
        try:
            self.gate.filled(order.name, lots, self.now)
            self.breaches["a late fill was taken for a fill of what works"] += 1
        except OrderError:
            self.truth.fill(order, lots * order.parent.lot, self.now)

    def confirm(self, order: Order) -> None:
        if order.replaces:
            self.gate.replaced(order.name)
            self.truth.confirm(order)

    def throw(self, parent: Parent) -> None:
        scope, name = self.dice.choice(
            [("order", parent.name), ("symbol", parent.symbol), ("policy", parent.policy),
             ("desk", parent.desk), ("all", "")]
        )  # fmt: skip
        mode = self.dice.choice([Mode.REDUCE_ONLY, Mode.HALT, Mode.CANCEL_ALL])
        loose = self.dice.choice([name, name.upper(), f" {name.lower()} "]) if name else ""
        switch = self.switch if self.dice.random() < 0.5 else KillSwitch(self.folder / "kill.json")
        switch.throw(Scope(scope), loose, mode, who="eve", why="a test", ts=self.now)
        self.truth.thrown.append((scope, plain(name), int(mode)))

    def release(self) -> None:
        if not self.truth.thrown:
            return
        scope, name, _ = max(self.truth.thrown, key=lambda one: one[0] == "all")
        self.switch.release(
            Scope(scope), name, who=ANN, confirmed_by=BOB, why="a test", ts=self.now
        )
        self.truth.thrown = [one for one in self.truth.thrown if one[:2] != (scope, name)]

    def let_go_on(self) -> None:
        for symbol, policy in self.gate.stopped():
            self.gate.let_go_on(symbol, policy, who=ANN, why="a test", ts=self.now)
            self.truth.let_go_on(symbol, policy)

    def restart(self, parent: Parent) -> None:
        """The process dies, whatever it was at, and another one opens what is there."""
        unheard = f"u{self.sent}"
        if self.dice.random() < 0.5:  # it was let pass, and nobody heard of it
            request = Request(parent.name, unheard, SUBMIT, parent.side, 0, self.price(parent), 1)
            unheard = unheard if self.gate.check(request, self.now).allowed else ""
        else:
            unheard = ""
        if self.dice.random() < 0.2:
            self.gate.close()
        del self.gate
        if self.dice.random() < 0.3:
            with open(self.folder / "gate.journal", "ab") as file:
                file.write((300).to_bytes(4, "little") + (2**32 - 301).to_bytes(4, "little"))
                file.write(self.dice.randbytes(self.dice.randrange(200)))
        self._open()
        self.restarts += 1
        for other in self.truth.parents.values():
            self.look(other, first=True)
        if unheard:
            self.gate.over(unheard)


def run(seed: int, actions: int, folder: Path, people: People) -> dict[str, Any]:
    """One world; how many actions, messages that went, restarts, and breaches by rule."""
    with tempfile.TemporaryDirectory(dir=folder) as here:
        world = World(Path(here), people, seed)
        for _ in range(actions):
            world.act()
        world.gate.close()
        return {
            "actions": actions, "asked": world.sent, "let_pass": world.let_pass,
            "restarts": world.restarts,
            "refused": dict(world.refused), "breaches": dict(world.breaches),
            "parents": len(world.truth.parents),
        }  # fmt: skip


def known(folder: Path) -> People:
    """Two people, in a file of their own."""
    people = People.create(folder / "people.json")
    for person in (ANN, BOB):
        people.add(*person, cost=2)
    return people


def _one(given: tuple[int, int, str]) -> dict[str, Any]:
    seed, actions, folder = given
    return run(seed, actions, Path(folder), People(Path(folder) / "people.json"))


def main(argv: list[str] | None = None) -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actions", type=int, default=ACTIONS)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(argv)
    shared = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    worlds = -(-given.actions // A_WORLD)
    total: Counter[str] = Counter()
    breaches: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        known(Path(folder))
        jobs = [(seed, A_WORLD, folder) for seed in range(worlds)]
        context = multiprocessing.get_context("spawn")
        with context.Pool(given.processes) as pool, progress_bar(lines=True) as bar:
            for done, found in enumerate(pool.imap_unordered(_one, jobs), 1):
                bar.to("worlds", done, worlds)
                breaches.update(found.pop("breaches"))
                refused.update(found.pop("refused"))
                total.update(found)
    return announce(
        "guard_actions", sum(breaches.values()), "breaches", 0, AT_MOST,
        provided=total["let_pass"] > total["actions"] // 10 and total["restarts"] >= worlds,
        actions=total["actions"], asked=total["asked"], let_pass=total["let_pass"],
        restarts=total["restarts"], worlds=worlds, by_rule=dict(breaches),
        rules_tried=len(refused),
        minutes=round((time.perf_counter() - start) / 60, 1),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
