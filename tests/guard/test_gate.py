"""The last door: one order at a time, counted at send, refused with reasons in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from guard.known import ANN, people
from guard.states import ACME, LIMITS, NOW, STATE, bits, limits, order, state
from guard.twin import NUMBERS
from paceline.errors import ConfigError, InputError, OrderError
from paceline.guard.fallback import Health, Trust, Worker, choose
from paceline.guard.gate import SEEN, Gate, Mandate, Request
from paceline.guard.kill_switch import KillSwitch, Mode, Scope
from paceline.guard.limits import Limits
from paceline.guard.people import Signed
from paceline.guard.reasons import names
from paceline.guard.rules import CANCEL, HOLD, PROTECT, REPLACE, SUBMIT
from paceline.guard.snapshot import MISSING
from paceline.guard.words import SHOWN, explain
from paceline.orders.order import ParentOrder
from paceline.units import NS_PER_S

THROWN: dict[str, Any] = {"who": "ann", "why": "test", "ts": 1}
SIGNED: dict[str, Any] = {**THROWN, "who": ANN}


def mandate(
    order_id: str, side: str = "buy", policy: str = "p1", symbol: str = "ACME", **changed: Any
) -> Mandate:
    parent = ParentOrder(
        order_id=order_id, symbol=symbol, side=side, qty=250_000, arrival_px=20.85,  # type: ignore[arg-type]
        start_ts=NOW - NS_PER_S, end_ts=NOW + 60 * NS_PER_S,
        constraints={"participation": 0.1, "price_band_bps": 100, "child_max": 20_000},  # type: ignore[arg-type]
    )  # fmt: skip
    instrument = msgspec.structs.replace(ACME, symbol=symbol)
    return Mandate(parent, instrument, Limits(**{**LIMITS, **changed}), policy, "d1")


@pytest.fixture
def switch(tmp_path: Path) -> KillSwitch:
    return KillSwitch.create(tmp_path / "kill.json", people(tmp_path))


@pytest.fixture
def gate(switch: KillSwitch) -> Gate:
    gate = Gate(switch)
    for name, side in (("b1", "buy"), ("b2", "buy"), ("s1", "sell")):
        gate.add(mandate(name, side))
        gate.see(name, **{field: STATE[field] for field in SEEN})
    gate.holds("ACME", 0)
    return gate


def submit(parent: str, child: str, **changed: Any) -> Request:
    side = -1 if parent == "s1" else 1
    return Request(parent, child, SUBMIT, side, 0, 2085 - side, 100)._replace(**changed)


def test_a_good_order_goes_and_counts(gate: Gate) -> None:
    assert gate.check(submit("b1", "c1"), NOW) == (True, 0, ())
    decision = gate.check(submit("b2", "c2"), NOW)
    assert names(decision.bits) == ("duplicate",)
    assert gate.check(submit("b2", "c2", lots=99), NOW).allowed
    assert names(gate.check(submit("s1", "c3", ticks=2084), NOW).bits) == ("self_match",)


def test_limits_hold_for_the_sum_of_parents(gate: Gate) -> None:
    sent = [gate.check(submit(f"b{k % 2 + 1}", f"c{k}", lots=160 - k), NOW) for k in range(4)]
    assert [d.allowed for d in sent] == [True, True, True, False]
    assert "working_lots: Too much would work at once (symbol_working_lots could become 634, " \
        "limit 600); send less, or cancel" in sent[3].reasons  # fmt: skip


def test_the_life_of_an_order(gate: Gate) -> None:
    assert gate.check(submit("b1", "c1"), NOW).allowed
    replace = submit("b1", "c1", kind=REPLACE, lots=50)
    assert names(gate.check(replace, NOW + 1).bits) == ("min_resting",)
    later = NOW + NS_PER_S
    assert gate.check(replace, later).allowed
    gate.filled("c1", 20, later)
    gate.replaced("c1")
    gate.filled("c1", 30, later)
    with pytest.raises(OrderError, match="reconcile"):
        gate.over("c1")
    with pytest.raises(OrderError, match="reconcile"):
        gate.filled("c1", 1, later)  # a late fill counts all the same
    for lots in (0, -5, 1.5, True, 2**31, 2**80):
        with pytest.raises(OrderError, match="no fill"):
            gate.filled("c1", lots, later)  # type: ignore[arg-type]
    assert names(gate.check(replace, later).bits) == ("malformed",)
    assert names(gate.check(submit("b1", "c1"), later).bits) == ("duplicate",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"parent_id": "x"}, {"side": 0}, {"lots": 10**30}, {"lots": 1.5}, {"ticks": "2084"},
        {"kind": True}, {"kind": PROTECT}, {"kind": None}, {"kind": CANCEL}, {"type": -1},
        {"kind": 9},
    ],
    ids=str,
)  # fmt: skip
def test_nonsense_is_refused_with_a_reason(gate: Gate, wrong: dict[str, Any]) -> None:
    decision = gate.check(submit("b1", "c1", **wrong), NOW)
    assert names(decision.bits) == ("malformed",)
    assert decision.reasons[0].startswith("malformed: ")
    assert gate.check(submit("b1", "c1"), NOW).allowed


def test_whole_numbers_of_numpy_are_whole_numbers(gate: Gate) -> None:
    asked = submit("b1", "c1", ticks=np.int64(2084), lots=np.int32(100), side=np.int8(1))
    assert gate.check(asked, np.int64(NOW)) == (True, 0, ())  # type: ignore[arg-type]
    gate.filled("c1", np.int32(40), np.int64(NOW))  # type: ignore[arg-type]
    assert (
        gate.check(submit("b1", "c2", lots=np.float64(5.0)), NOW)
        .reasons[0]
        .startswith("malformed: ")
    )
    assert not gate.check(submit("b1", "c2", lots=np.uint64(2**63)), NOW).allowed
    gate.holds("ACME", np.int64(0))


@pytest.mark.parametrize("kind", [CANCEL, REPLACE])
def test_of_what_was_never_sent_nothing_is_cancelled(gate: Gate, kind: int) -> None:
    assert gate.check(submit("b1", "c1", kind=kind), NOW).reasons == (
        "malformed: nothing works under child_id 'c1'; give the id of an order that was sent",
    )


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("reference_half_ticks", [1, 2], "3 numbers"), ("reference_half_ticks", 1, "3 numbers"),
        ("bid_ticks", [1999], "one number"), ("bid_ticks", [[1]], "one number"),
    ],
)  # fmt: skip
def test_what_is_seen_has_its_shape(gate: Gate, field: str, value: Any, wanted: str) -> None:
    with pytest.raises(InputError, match=f"^{field}: .* has another shape; give {wanted}$"):
        gate.see("b1", **{field: value})


def test_holding_is_legal_and_counts_nothing(gate: Gate) -> None:
    for _ in range(50):
        assert gate.check(Request("b1", "", HOLD), NOW).allowed
    assert gate.check(submit("b1", "c1"), NOW).allowed


def test_the_kill_switch_reaches_the_next_order(gate: Gate, switch: KillSwitch) -> None:
    assert gate.check(submit("b1", "c1"), NOW).allowed
    assert gate.check(submit("s1", "c9"), NOW).allowed
    for mode in (Mode.REDUCE_ONLY, Mode.HALT):  # what works may stay
        switch.throw(Scope.ORDER, "b1", mode, **THROWN)
        assert gate.to_cancel() == ()
    switch.throw(Scope.ORDER, "b1", Mode.CANCEL_ALL, **THROWN)
    later = NOW + NS_PER_S
    assert names(gate.check(submit("b1", "c2"), later).bits) == ("killed",)
    assert gate.check(submit("b2", "c3"), later).allowed
    assert gate.to_cancel() == ("c1",)
    assert gate.protect("c1", later).allowed
    gate.over("c1")
    assert gate.to_cancel() == ()
    assert names(gate.protect("c1", later).bits) == ("malformed",)
    assert names(gate.protect("nobody", later).bits) == ("malformed",)


def test_a_lost_kill_file_halts(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "kill.json").unlink()
    assert names(gate.check(submit("b1", "c1"), NOW).bits) == ("killed",)


def test_what_nobody_saw_blocks(switch: KillSwitch) -> None:
    gate = Gate(switch)
    gate.add(mandate("b1"))
    decision = gate.check(submit("b1", "c1"), NOW)
    assert {"restricted", "no_market_data", "price_band", "position"} <= set(names(decision.bits))
    assert any("not known" in line for line in decision.reasons)
    gate.see("b1", **{field: STATE[field] for field in SEEN})
    gate.holds("ACME", 0)
    assert gate.check(submit("b1", "c1"), NOW).allowed


def test_what_the_gate_counts_cannot_be_written(gate: Gate) -> None:
    for field in ("messages", "kill_mode", "now_ts", "working_lots", "no_such"):
        with pytest.raises(InputError, match=field):
            gate.see("b1", **{field: 0})
    with pytest.raises(OrderError, match="x"):
        gate.see("x", bid_ticks=1)
    with pytest.raises(OrderError, match="OTHER"):
        gate.holds("OTHER", 0)


@pytest.mark.parametrize("value", [2084.7, float("nan"), None, "2084", [2084.0]], ids=str)
def test_what_is_seen_is_whole(gate: Gate, value: Any) -> None:
    with pytest.raises(InputError, match="bid_ticks"):
        gate.see("b1", bid_ticks=value)
    if value != 2084.7:  # a position is in shares, and need not be whole
        with pytest.raises(InputError, match="position"):
            gate.holds("ACME", value)
    assert gate.check(submit("b1", "c1"), NOW).allowed


@pytest.mark.parametrize(
    ("field", "value", "policy", "shared"),
    [
        ("window_s", 10, "p2", True),
        ("rate_window_s", 10, "p2", True),
        ("max_executions", 7, "p1", True),
        ("execution_window_s", 7, "p1", True),
        ("max_executions", 7, "p2", False),
        ("execution_window_s", 7, "p2", False),
        ("max_cancels", 7, "p1", False),
    ],
)
def test_who_shares_a_count_shares_its_window(
    gate: Gate, field: str, value: int, policy: str, shared: bool
) -> None:
    gate.add(mandate("far", symbol="OTHER", policy=policy, **{field: value}))
    if not shared:
        gate.add(mandate("b3", policy=policy, **{field: value}))
        return
    with pytest.raises(ConfigError, match=r"give parents that share a count the same"):
        gate.add(mandate("b3", policy=policy, **{field: value}))


def test_a_policy_that_executed_too_often_waits_for_a_person(switch: KillSwitch) -> None:
    gate = Gate(switch)
    few = {"max_executions": 2, "execution_window_s": "unlimited"}
    for name, policy in (("b1", "p1"), ("b2", "p1"), ("s1", "p2")):
        gate.add(mandate(name, "sell" if name == "s1" else "buy", policy, **few))
        gate.see(name, **{field: STATE[field] for field in SEEN})
    gate.holds("ACME", 0)
    for k, parent in enumerate(("b1", "b2")):
        assert gate.check(submit(parent, f"c{k}", lots=9 - k), NOW).allowed
        gate.filled(f"c{k}", 9 - k, NOW)
    assert gate.stopped() == (("ACME", "p1"),)
    refused = gate.check(submit("b1", "c2"), NOW)
    assert refused.reasons == (
        "repeated: The policy has executed as often as it may without a person, or could "
        "(executions 2 before it, may_repeat 0, limit 2 in unlimited ns); cancel what works, or "
        "have a person let it go on",
    )
    assert gate.check(submit("s1", "c3"), NOW).allowed
    # Parents that come later find it stopped.
    gate.add(mandate("b4", **few))
    gate.see("b4", **{field: STATE[field] for field in SEEN})
    assert names(gate.check(submit("b4", "c4"), NOW).bits) == ("repeated",)
    for changed, policy, says in (
        ({"who": "ann"}, "p1", "who: 'ann' is not signed"),
        ({"who": Signed("ann", "wrong secret")}, "p1", "who: 'ann' is not known, or the secret"),
        ({"who": Signed("cal", "cal's secret")}, "p1", "who: 'cal' may not release"),
        ({"why": " "}, "p1", "why: ' '; say why"),
        ({"ts": 1.5}, "p1", "ts: 1.5 is not whole"),
        ({}, "p2", "policy: 'p2' on 'ACME' was not stopped"),
        ({}, "p9", "policy: 'p9' on 'ACME' was not stopped"),
    ):
        with pytest.raises(InputError, match=f"^{says}"):
            gate.let_go_on("ACME", policy, **{**SIGNED, **changed})
    assert gate.let_go() == ()
    gate.let_go_on("acme", "P1", **SIGNED)
    assert (gate.stopped(), gate.let_go()) == ((), (("acme", "P1", "ann", "test", 1),))
    assert gate.check(submit("b1", "c2"), NOW).allowed


def test_a_policy_is_another_one_on_another_symbol(switch: KillSwitch) -> None:
    gate = Gate(switch)
    for name, symbol in (("a", "ACME"), ("o", "OTHER")):
        gate.add(mandate(name, symbol=symbol, max_executions=1))
        gate.see(name, **{field: STATE[field] for field in SEEN})
        gate.holds(symbol, 0)
    assert gate.check(submit("a", "c1"), NOW).allowed
    gate.filled("c1", 1, NOW)
    assert gate.stopped() == (("ACME", "p1"),)
    assert gate.check(submit("o", "c2"), NOW).allowed


def test_the_gate_knows_violations_and_how_far_behind_an_order_is(gate: Gate) -> None:
    assert [gate.violations(name) for name in ("b1", "b2")] == [0, 0]
    assert gate.behind("b1") == 0.04  # 2,500 lots left, 2,400 wanted
    assert gate.check(submit("b1", "c1"), NOW).allowed
    assert gate.behind("b1") == 0.04  # what works has not traded
    gate.filled("c1", 100, NOW)
    assert gate.behind("b1") == 0.0
    for child, changed in (("c1", {}), ("c2", {"lots": 0}), ("c3", {"side": -1})):
        assert not gate.check(submit("b1", child, **changed), NOW).allowed
    gate.check(Request("b1", "", HOLD), NOW)
    assert [gate.violations(name) for name in ("b1", "b2")] == [3, 0]
    gate.see("b1", target_lots=np.int64(MISSING))
    assert gate.behind("b1") is None
    for read in (gate.behind, gate.violations):
        with pytest.raises(OrderError, match="nobody"):
            read("nobody")


def test_the_fallback_s_orders_pass_the_same_rules(gate: Gate) -> None:
    """A choice names a worker, and a request does not: whoever sends it, it is judged alike."""
    health = Health(True, True, True, True, 0.5, 0, 0.5, True)
    trust = Trust(max_decision_ms=2.0, max_violations=3, max_behind=0.1)
    assert choose(health, trust).worker is Worker.ALMGREN_CHRISS
    assert not {"worker", "sender", "policy"} & set(Request._fields)
    assert names(gate.check(submit("b1", "c1", lots=201), NOW).bits) == ("child_max",)


def test_parents_are_added_once_and_keep_what_was_counted(gate: Gate) -> None:
    assert gate.check(submit("b1", "c1"), NOW).allowed
    with pytest.raises(OrderError, match="b1"):
        gate.add(mandate("b1"))
    with pytest.raises(ConfigError, match="window_ns"):
        gate.add(mandate("b3", window_s=10))
    gate.add(mandate("b3"))
    gate.see("b3", **{field: STATE[field] for field in SEEN})
    assert names(gate.check(submit("b3", "c4"), NOW).bits) == ("duplicate",)


def test_a_parent_order_s_own_limits_tighten(switch: KillSwitch) -> None:
    gate = Gate(switch)
    gate.add(mandate("b1", child_max="unlimited", max_order_quantity="unlimited"))
    gate.see("b1", **{field: STATE[field] for field in SEEN})
    gate.holds("ACME", 0)
    assert names(gate.check(submit("b1", "c1", lots=201), NOW).bits) == ("child_max",)


def test_no_limit_says_so(switch: KillSwitch) -> None:
    gate = Gate(switch)
    gate.add(mandate("b1", max_position=None))
    gate.see("b1", **{field: STATE[field] for field in SEEN})
    gate.holds("ACME", 0)
    assert gate.check(submit("b1", "c1"), NOW).reasons == (
        "position: The position could become too large (position_lots could become 100, "
        "limit not set); send less",
    )


def test_every_rule_has_words() -> None:
    assert tuple(SHOWN) == NUMBERS
    every = (1 << len(NUMBERS)) - 1
    for limit in (limits(), limits(**dict.fromkeys(LIMITS)), limits(band_reference="mid")):
        lines = explain(every, limit[0], state()[0], order()[0])
        assert [line.split(":")[0] for line in lines] == list(NUMBERS)
    missing = state()
    for field in STATE:
        missing[field] = -(2**62)
    assert len(explain(every, limits()[0], missing[0], order()[0])) == len(NUMBERS)
    assert explain(0, limits()[0], state()[0], order()[0]) == ()


def test_the_gate_judges_like_the_mask(gate: Gate) -> None:
    for ticks in range(2060, 2110, 3):
        decision = gate.check(submit("b1", f"c{ticks}", ticks=ticks, lots=201), NOW)
        expected = bits(limits(), state(), order(ticks=ticks, lots=201))[0]
        assert decision.bits == expected != 0
