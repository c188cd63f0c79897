"""The fallback behind the gate: whoever `choose_on` names sends through the same door as everybody,
and nothing that leaves is beyond a limit, on whatever market, and however it errs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guard import twin
from guard.states import NOW, STATE
from guard.test_gate import mandate
from paceline.cost.impact import Impact
from paceline.guard.fallback import Health, Standing, Trust, Worker, choose_on
from paceline.guard.gate import SEEN, Gate, Request
from paceline.guard.kill_switch import KillSwitch
from paceline.guard.reasons import names
from paceline.guard.rules import CANCEL, IOC, LIMIT, REPLACE, SUBMIT
from paceline.guard.snapshot import MISSING
from paceline.schedule import almgren_chriss, twap
from paceline.units import NS_PER_S

TRUST = Trust(max_decision_ms=5.0, max_violations=3, max_behind=0.05, quiet_s=5.0)
PARENTS = {"b1": 1, "b2": 1, "s1": -1}
STEPS, SLICES = 600, 60


class Desk:
    """Three parent orders on one symbol, a market out of its mind, and a venue that answers."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.gate = Gate(KillSwitch.create(folder / f"{seed}.json"))
        for name, side in PARENTS.items():
            self.gate.add(mandate(name, "buy" if side > 0 else "sell", policy=f"of {name}"))
        self.gate.holds("ACME", 0)
        self.dice, self.now = np.random.default_rng(seed), NOW
        self.working: dict[str, tuple[str, int, int]] = {}  # of parent, ticks, lots
        self.left = dict.fromkeys(PARENTS, 2500)
        self.standing = dict.fromkeys(PARENTS, Standing())
        impact = Impact(sigma=2.0, eta=0.05, gamma=1e-3, epsilon=0.5)
        self.plans = {
            Worker.ALMGREN_CHRISS: almgren_chriss.target([2500], 60.0, SLICES, impact, 1e-4)[0],
            Worker.TWAP: twap.target([2500], SLICES)[0],
        }
        self.sent = self.children = 0
        self.workers: set[Worker] = set()
        self.refused: set[str] = set()

    def market(self) -> dict[str, Any]:
        dice, mid = self.dice, 2085 + int(self.dice.integers(-12, 13))
        wrong = dice.random() < 0.3
        what = int(dice.integers(6)) if wrong else -1
        seen = {field: STATE[field] for field in SEEN}
        seen["bid_ticks"], seen["ask_ticks"] = mid - 1, mid + 1
        seen["data_ts"], seen["period_half_ticks"] = self.now, 4170
        seen["others_lots"] = int(dice.integers(200, 9000))
        for k, change in enumerate(
            (
                {"data_ts": self.now - 3 * NS_PER_S}, {"bid_ticks": mid + 2},
                {"ask_ticks": MISSING}, {"venue_up": 0}, {"quiet": 0}, {"others_lots": MISSING},
            )
        ):  # fmt: skip
            seen |= change if k == what else {}
        return seen

    def worker(self, name: str, seen: dict[str, Any]) -> Worker:
        bid, ask = seen["bid_ticks"], seen["ask_ticks"]
        health = Health(
            market_data=0 < bid < ask and seen["data_ts"] == self.now,
            venue_up=seen["venue_up"] == 1, calm=seen["quiet"] == 1,
            model_ready=self.dice.random() < 0.9, decision_ms=float(self.dice.uniform(0, 5.2)),
            violations=self.gate.violations(name), behind=self.gate.behind(name),
            impact_known=name != "b2",
        )  # fmt: skip
        choice, self.standing[name] = choose_on(self.standing[name], health, TRUST, self.now)
        return choice.worker

    def wish(self, name: str, who: Worker, seen: dict[str, Any]) -> Request:
        """What it would like to send: as it should half of the time, and as it should not."""
        dice, side = self.dice, PARENTS[name]
        near, far = (seen[f] for f in (("bid_ticks", "ask_ticks")[::side]))
        mine = [child for child, (of, _, _) in self.working.items() if of == name]
        slice_ = min((self.now - NOW) // NS_PER_S + 1, SLICES)
        if who is Worker.PASSIVE:
            type_, ticks, lots = LIMIT, near, int(dice.integers(1, 30))
        elif who is Worker.POLICY:
            type_, ticks, lots = IOC, far, int(dice.integers(1, 400))
        else:
            works = sum(lots for of, _, lots in self.working.values() if of == name)
            due = self.left[name] - works - int(self.plans[who][slice_])
            type_, ticks, lots = (IOC, far, due) if dice.random() < 0.5 else (LIMIT, near, due)
        if dice.random() < 0.5:
            lots *= int(dice.integers(1, 8))
            ticks += side * int(dice.integers(0, 30))
        kind, child = SUBMIT, f"c{self.children}"
        if mine and dice.random() < 0.4:
            kind, child = (REPLACE, CANCEL)[int(dice.integers(2))], mine[0]
        self.children += 1
        return Request(name, child, kind, side, type_, int(ticks), max(lots, 1))

    def send(self, name: str, who: Worker, request: Request) -> None:
        gate = self.gate
        decision = gate.check(request, self.now)
        self.workers.add(who)
        ledger = gate._ledger
        row = ledger.rows[name]
        rules, seen, order = (
            {field: record[row][field].tolist() for field in record.dtype.names}
            for record in (ledger.limits, ledger.snapshots, ledger.orders)
        )
        # The gate has counted it by now; the snapshot is as it was when it judged.
        assert set(names(decision.bits)) == twin.broken(rules, seen, order), f"{who}: {request}"
        assert decision.allowed == (not decision.bits)
        self.refused |= {f"{who}: {one}" for one in names(decision.bits)}
        if decision.allowed:
            self.sent += 1
            self._check_sent(name, request)

    def _check_sent(self, name: str, request: Request) -> None:
        side = PARENTS[name]
        if request.kind == CANCEL:
            self.over(request.child_id)
            return
        self.working[request.child_id] = (name, request.ticks, request.lots)
        if request.kind == REPLACE:
            self.gate.replaced(request.child_id)
        assert side * (request.ticks - 2085) <= 20.85, "1 % of arrival"
        assert request.lots <= 200, "20,000 shares"
        total = sum(lots for of, _, lots in self.working.values() if of == name)
        assert total <= self.left[name]
        assert sum(lots for _, _, lots in self.working.values()) <= 600
        assert len(self.working) <= 5
        buys = [t for of, t, _ in self.working.values() if PARENTS[of] > 0]
        sells = [t for of, t, _ in self.working.values() if PARENTS[of] < 0]
        assert not buys or not sells or max(buys) < min(sells), "never with ourselves"

    def over(self, child: str) -> None:
        self.gate.over(child)
        del self.working[child]

    def answer(self) -> None:
        """Some trade, in part or whole, and some end."""
        for child, (name, ticks, lots) in list(self.working.items()):
            if self.dice.random() < 0.3:
                some = int(self.dice.integers(1, lots + 1))
                self.gate.filled(child, some, self.now)
                self.left[name] -= some
                self.working[child] = (name, ticks, lots - some)
                if some == lots:
                    del self.working[child]
            elif self.dice.random() < 0.3:
                self.over(child)


@pytest.mark.parametrize("seed", range(6))
def test_what_the_fallback_sends_passes_the_same_rules(tmp_path: Path, seed: int) -> None:
    desk = Desk(tmp_path, seed)
    for _ in range(STEPS):
        desk.now += int(desk.dice.integers(0, NS_PER_S // 5))
        seen = desk.market()
        for name in PARENTS:
            slice_ = min((desk.now - NOW) // NS_PER_S, SLICES)
            target = int(desk.plans[Worker.TWAP][slice_])
            desk.gate.see(name, **(seen | {"target_lots": target}))
            who = desk.worker(name, seen)
            desk.send(name, who, desk.wish(name, who, seen))
        desk.answer()
    assert desk.sent > 30
    assert len(set().union(*({one.split()[-1]} for one in desk.refused))) > 10, "many rules"
    assert desk.workers >= {Worker.ALMGREN_CHRISS, Worker.TWAP, Worker.PASSIVE}
    for who in (Worker.ALMGREN_CHRISS, Worker.TWAP, Worker.PASSIVE):
        assert sum(one.startswith(f"{who}: ") for one in desk.refused) > 3
