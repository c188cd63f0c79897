"""Every rule at its limit, without its limit, without its input; and all of them against a twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from guard import twin
from guard.states import LIMITS, NOW, STATE, bits, limits, order, state
from paceline.engine import account
from paceline.guard.bounds import bounds
from paceline.guard.limits import LIMITS_RECORD, UNLIMITED, UNSET
from paceline.guard.reasons import REASONS, names
from paceline.guard.rules import (
    CANCEL,
    HOLD,
    IOC,
    LIMIT,
    MARKETABLE,
    ORDER_RECORD,
    PROTECT,
    REPLACE,
    SUBMIT,
    lots_reasons,
    pair_reasons,
    price_reasons,
    sending_reasons,
)  # fmt: skip
from paceline.guard.snapshot import (
    CANCEL_ALL,
    HALT,
    MISSING,
    NO_OFFER,
    RECENT,
    REDUCE_ONLY,
    SNAPSHOT_RECORD,
)
from paceline.jit import kernel
from paceline.units import NS_PER_S

S = NS_PER_S
SELL = {"side": -1, "own_ask_ticks": NO_OFFER, "own_bid_ticks": 0}
RESTS = {"kind": REPLACE, "replaced_lots": 100, "replaced_age_ns": S}


def why(
    in_state: dict[str, Any] | None = None,
    of_order: dict[str, Any] | None = None,
    **changed: Any,
) -> tuple[str, ...]:
    """Names of the rules that an order breaks; limits are changed by keyword."""
    found = bits(limits(**changed), state(**(in_state or {})), order(**(of_order or {})))
    return names(int(found[0]))


def test_numbers_are_for_ever() -> None:
    assert tuple(reason.name for reason in REASONS) == twin.NUMBERS
    assert all(reason.sentence.endswith(".") and reason.remedy for reason in REASONS)


def test_messages_and_types_are_numbered_like_the_exchange_s() -> None:
    assert (SUBMIT, CANCEL, REPLACE) == (account.SUBMIT, account.CANCEL, account.REPLACE)
    assert (LIMIT, MARKETABLE, IOC) == (account.LIMIT, account.MARKETABLE, account.IOC)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("type_", [LIMIT, MARKETABLE, IOC])
def test_a_good_order_may_go(side: int, type_: int) -> None:
    ticks = {LIMIT: 2085 - side, MARKETABLE: 2085 + side, IOC: 2085 + side}[type_]
    assert why({"side": side}, {"side": side, "type": type_, "ticks": ticks}) == ()


# Last value that passes, first that does not: (rule, state, order, limits) with {} for the value.
EDGES: list[tuple[str, str, int, int, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # rule, what is varied, passes, blocked, state, order, limits
    ("child_max", "order.lots", 200, 201, {"target_lots": 0}, {}, {}),
    ("order_quantity", "order.lots", 200, 201, {"target_lots": 0}, {},
     {"max_order_quantity": 20_099, "child_max": "unlimited"}),
    ("order_value", "order.lots", 100, 101, {}, {}, {"max_order_value": 208_400}),
    ("inventory", "state.inventory_lots", 100, 99, {"target_lots": 0}, {}, {}),
    ("inventory", "state.working_lots", 50, 51, {"inventory_lots": 150, "target_lots": 0}, {}, {}),
    ("participation", "state.others_lots", 900, 899, {}, {}, {}),
    ("participation", "state.filled_lots", 900, 901, {}, {}, {}),
    ("participation", "state.working_lots", 900, 901, {"target_lots": 0}, {}, {}),
    ("symbol_participation", "state.symbol_filled_lots", 2150, 2151, {}, {}, {}),
    ("symbol_participation", "state.symbol_working_lots", 2150, 2151, {}, {},
     {"max_working": "unlimited"}),
    ("position", "state.position_lots", 4900, 4901, {}, {}, {}),
    ("position", "state.symbol_side_lots", 4900, 4901, {}, {}, {}),
    ("position", "state.position_lots", -4900, -4901, {**SELL, "located_lots": UNLIMITED},
     {"side": -1, "ticks": 2086}, {}),
    ("working_lots", "state.symbol_working_lots", 500, 501, {}, {}, {}),
    ("working_orders", "state.symbol_orders", 4, 5, {}, {}, {}),
    ("schedule_drift", "state.target_lots", 2650, 2651, {}, {}, {}),
    ("schedule_drift", "state.working_lots", 250, 251, {}, {}, {}),
    ("schedule_drift", "state.inventory_lots", 2250, 2249, {}, {}, {}),
    ("uncovered", "state.position_lots", 50, 49, {**SELL, "located_lots": 50},
     {"side": -1, "ticks": 2086}, {}),
    ("uncovered", "state.symbol_side_lots", 50, 51, {**SELL, "position_lots": 150,
     "located_lots": 0}, {"side": -1, "ticks": 2086}, {}),
    ("uncovered", "state.short_sales", 1, 0, SELL, {"side": -1, "ticks": 2086}, {}),
    ("reducing_only", "state.position_lots", -100, -99, {"kill_mode": REDUCE_ONLY}, {}, {}),
    ("reducing_only", "state.symbol_side_lots", 100, 101,
     {"kill_mode": REDUCE_ONLY, "position_lots": -200}, {}, {}),
    ("price_band", "order.ticks", 2105, 2106, {}, {}, {"move_bps": 1000}),
    ("price_band", "order.ticks", 2065, 2064, SELL, {"side": -1}, {"move_bps": 1000}),
    ("price_band", "order.ticks", 2095, 2096, {}, {}, {"band_ticks": 10, "move_bps": 1000}),
    ("price_band", "order.ticks", 2075, 2074, SELL, {"side": -1},
     {"band_ticks": 10, "move_bps": 1000}),
    ("price_band", "order.ticks", 2105, 2106, {"reference_half_ticks": (1, 2, 4170)}, {},
     {"band_reference": "close", "move_bps": 1000}),
    ("price_band", "order.ticks", 2105, 2106, {"reference_half_ticks": (1, 4170, 2)}, {},
     {"band_reference": "last", "move_bps": 1000}),
    ("price_band", "order.ticks", 2105, 2106, {"reference_half_ticks": (1, 1, 1)}, {},
     {"band_reference": "mid", "move_bps": 1000}),
    ("price_move", "order.ticks", 2095, 2096, {}, {}, {}),
    ("price_move", "order.ticks", 2075, 2074, SELL, {"side": -1}, {}),
    ("passive_only", "order.ticks", 2085, 2086, {"quiet": 0}, {}, {}),
    ("passive_only", "order.ticks", 2085, 2084, {**SELL, "quiet": 0}, {"side": -1}, {}),
    ("passive_only", "state.volatility_ppm", 3000, 3001, {}, {"type": IOC}, {}),
    ("passive_only", "order.type", LIMIT, MARKETABLE, {"quiet": 0}, {}, {}),
    ("self_match", "state.own_ask_ticks", 2085, 2084, {}, {}, {}),
    ("self_match", "state.own_bid_ticks", 2085, 2086, SELL, {"side": -1, "ticks": 2086}, {}),
    ("off_tick", "order.ticks", 2084, 2085, {}, {}, {}),
    ("latency", "state.latency_ns", S // 5, S // 5 + 1, {}, {}, {}),
    ("stale", "state.data_ts", NOW - 2 * S, NOW - 2 * S - 1, {}, {}, {}),
    ("stale", "state.data_ts", NOW, NOW + 1, {}, {}, {}),
    ("crossed", "state.bid_ticks", 2085, 2086, {}, {}, {}),
    ("no_market_data", "state.ask_ticks", 2086, 0, {}, {}, {}),
    ("clock_back", "state.counted_ts", NOW, NOW + 1, {}, {}, {}),
    ("outside_horizon", "state.start_ts", NOW, NOW + 1, {}, {}, {}),
    ("outside_horizon", "state.end_ts", NOW, NOW - 1, {}, {}, {}),
    ("killed", "state.kill_mode", 1, HALT, {}, {}, {}),
    ("killed", "state.kill_mode", 1, CANCEL_ALL, {}, {}, {}),
    ("killed", "state.kill_mode", 1, 0, {}, {}, {}),
    ("restricted", "state.unrestricted", 1, 0, {}, {}, {}),
    ("market_halted", "state.trading", 1, 0, {}, {}, {}),
    ("venue_down", "state.venue_up", 1, 0, {}, {}, {}),
    ("wrong_side", "order.side", 1, -1, {"located_lots": UNLIMITED}, {}, {}),
    ("message_rate", "state.symbol_messages", 9, 10, {}, {}, {}),
    ("max_messages", "state.messages", 999, 1000, {}, {}, {}),
    ("repeated", "state.executions", 7, 8, {}, {}, {}),
    ("repeated", "state.executions", 7, 8, {}, RESTS, {}),
    ("repeated", "state.may_repeat", 1, 0, {}, {}, {"max_executions": "unlimited"}),
    ("repeated", "state.may_repeat", 1, 2, {}, RESTS, {}),
    ("cancel_rate", "state.symbol_cancels", 3, 4, {}, RESTS, {}),
    ("max_cancels", "state.cancels", 499, 500, {}, RESTS, {}),
    ("min_resting", "order.replaced_age_ns", S // 2, S // 2 - 1, {}, RESTS, {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "what", "passes", "blocked", "in_state", "of_order", "given"),
    EDGES,
    ids=[f"{edge[0]}-{edge[1]}" for edge in EDGES],
)
def test_a_rule_at_its_limit(
    rule: str,
    what: str,
    passes: int,
    blocked: int,
    in_state: dict[str, Any],
    of_order: dict[str, Any],
    given: dict[str, Any],
) -> None:
    where, field = what.split(".")
    for value, expected in ((passes, ()), (blocked, (rule,))):
        changed = {"state": in_state, "order": of_order, where: {
            **(in_state if where == "state" else of_order), field: value}}  # fmt: skip
        limit = limits(**given)
        if rule == "off_tick":
            limit["order_step"] = 2
        found = bits(limit, state(**changed["state"]), order(**changed["order"]))
        assert names(int(found[0])) == expected, value


def test_every_rule_has_an_edge() -> None:
    tested = {edge[0] for edge in EDGES} | {"malformed", "duplicate"}
    assert tested == set(twin.NUMBERS) - set(twin.OF_THE_GATE)


UNSET_BLOCKS = {
    "participation": "participation",
    "symbol_participation": "symbol_participation",
    "band_bps": "price_band",
    "band_ticks": "price_band",
    "move_bps": "price_move",
    "move_window_s": "price_move",
    "child_max": "child_max",
    "max_order_quantity": "order_quantity",
    "max_order_value": "order_value",
    "max_position": "position",
    "max_working": "working_lots",
    "max_working_orders": "working_orders",
    "max_ahead": "schedule_drift",
    "message_rate": "message_rate",
    "max_messages": "max_messages",
    "max_executions": "repeated",
    "execution_window_s": "repeated",
    "duplicate_s": "duplicate",
    "max_data_age_s": "stale",
    "max_latency_s": "latency",
    # These bind what takes, or what is replaced.
    "max_volatility_bps": "passive_only",
    "cancel_rate": "cancel_rate",
    "max_cancels": "max_cancels",
    "min_resting_s": "min_resting",
}


@pytest.mark.parametrize(("limit", "rule"), UNSET_BLOCKS.items())
def test_no_limit_set_means_no_order(limit: str, rule: str) -> None:
    of_order: dict[str, Any] = {"type": IOC} if rule == "passive_only" else {}
    if rule in ("cancel_rate", "max_cancels", "min_resting"):
        of_order = RESTS
    assert why({}, of_order, **{limit: None}) == (rule,)
    if not limit.endswith(("window_s", "resting_s", "duplicate_s")):
        assert why({}, of_order, **{limit: "unlimited"}) == ()


def test_no_window_means_no_order() -> None:
    assert why(window_s=None) == ("participation", "symbol_participation")
    assert why({}, RESTS, rate_window_s=None) == ("message_rate", "cancel_rate")
    assert why({}, RESTS, execution_window_s=None) == ("repeated",)
    assert why(execution_window_s=None, max_executions="unlimited") == ()
    free = {"participation": "unlimited", "symbol_participation": "unlimited"}
    assert why(window_s=None, **free) == ()


def test_nothing_set_and_nothing_known_lets_nothing_pass() -> None:
    zeros, unset = np.zeros(1, LIMITS_RECORD), np.zeros(1, LIMITS_RECORD)
    for field in LIMITS_RECORD.names or ():
        unset[field] = UNSET
    rested = {"replaced_lots": 1, "replaced_age_ns": 10**15}
    for limit in (zeros, unset):
        assert bits(limit, state(), order(kind=CANCEL, **rested))[0] != 0
        for known in (np.zeros(1, SNAPSHOT_RECORD), state()):
            assert bits(limit, known, order())[0] != 0
            assert bits(limit, known, order(kind=REPLACE, **rested))[0] != 0
    assert bits(limits(), np.zeros(1, SNAPSHOT_RECORD), order())[0] != 0


NEEDED = {
    "now_ts", "bid_ticks", "ask_ticks", "data_ts", "reference_half_ticks", "period_half_ticks",
    "others_lots", "target_lots", "unrestricted", "trading", "venue_up", "latency_ns",
    "kill_mode", "side", "start_ts", "end_ts", "parent_lots", "inventory_lots", "working_lots",
    "filled_lots", "messages", "symbol_working_lots", "symbol_side_lots", "symbol_orders",
    "symbol_filled_lots", "symbol_messages", "position_lots", "own_ask_ticks",
    "executions", "may_repeat",
    # for an order that takes
    "quiet", "volatility_ppm",
}  # fmt: skip


@pytest.mark.parametrize("field", [name for name in STATE if name != "counted_ts"])
def test_an_input_that_is_missing_blocks(field: str) -> None:
    missing = (MISSING,) * 3 if field == "reference_half_ticks" else MISSING
    takes = {"type": IOC, "ticks": 2086}
    assert bool(why({field: missing}, takes)) == (field in NEEDED)
    for kind, ticks in ((SUBMIT, 2086), (REPLACE, 2086)):
        sell = {**RESTS, "kind": kind, "side": -1, "ticks": ticks}
        sell["replaced_lots"] *= kind == REPLACE
        needs = {"short_sales", "located_lots", "own_bid_ticks"}
        if kind == REPLACE:
            needs = {"cancels", "symbol_cancels"}
            sell["lots"] = 50
        if field in needs:
            assert why({**SELL, field: missing}, sell)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": 7}, {"kind": -1}, {"side": 0}, {"side": 2}, {"type": 3}, {"type": -1},
        {"ticks": 0}, {"ticks": -5}, {"ticks": 2**31}, {"ticks": 2**62}, {"lots": 0},
        {"lots": -1}, {"lots": 2**31}, {"lots": 2**63 - 1}, {"replaced_lots": 5},
        {"kind": REPLACE}, {"kind": CANCEL}, {"kind": PROTECT},
        {"kind": REPLACE, "replaced_lots": -3}, {"kind": REPLACE, "replaced_lots": 2**40},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_order_is_refused(wrong: dict[str, Any]) -> None:
    assert why({}, wrong) == ("malformed",)


@pytest.mark.parametrize("field", ["ticks", "lots", "replaced_lots"])
def test_the_largest_order_is_one(field: str) -> None:
    assert "malformed" not in why({}, {**RESTS, field: 2**31 - 1})


@pytest.mark.parametrize("mode", [0, 1, REDUCE_ONLY, HALT, CANCEL_ALL])
def test_holding_and_protecting_are_always_legal(mode: int) -> None:
    nothing = dict.fromkeys(STATE, MISSING)
    nothing["reference_half_ticks"] = (MISSING,) * 3
    for known in (nothing, {"kill_mode": mode}):
        assert why(known, {"kind": HOLD, "side": 0, "lots": -5}) == ()
        assert why(known, {"kind": PROTECT, "replaced_lots": 1}) == ()


def test_a_cancel_is_bound_by_rates_and_rest_alone() -> None:
    cancel = {"kind": CANCEL, "replaced_lots": 1, "replaced_age_ns": S}
    bad = {"bid_ticks": MISSING, "trading": 0, "unrestricted": 0, "inventory_lots": 0, "end_ts": 0,
           "executions": 99, "may_repeat": 0}  # fmt: skip
    assert why(bad, cancel) == ()
    busy = {"symbol_messages": 10, "symbol_cancels": 4, "messages": 1000, "cancels": 500}
    counts = ("message_rate", "max_messages", "cancel_rate", "max_cancels")
    busy["counted_ts"] = NOW + 1
    young = {**cancel, "replaced_age_ns": 0}
    assert why({**bad, **busy}, young) == ("clock_back", *counts, "min_resting")
    for mode in (REDUCE_ONLY, HALT, CANCEL_ALL):
        assert why({**bad, **busy, "kill_mode": mode}, young) == ()


def test_a_replace_counts_by_what_is_left_of_it() -> None:
    full = {"working_lots": 1000, "symbol_working_lots": 1000, "symbol_side_lots": 1000,
            "target_lots": 0}  # fmt: skip
    wide = {"max_working": "unlimited"}
    assert why(full, {**RESTS, "lots": 100}, **wide) == ()
    assert why(full, {**RESTS, "lots": 101}, **wide) == ("participation",)
    over = {**full, "others_lots": 8100}  # the window has moved on: 900 may be ours
    assert why(over, {**RESTS, "lots": 1}, **wide) == ("participation",)
    assert why(over, {**RESTS, "replaced_lots": 150, "lots": 50}, **wide) == ()


def test_a_duplicate_is_an_order_like_one_just_sent() -> None:
    sent = np.full(RECENT, MISSING)
    recent = {"recent_ts": sent.copy(), "recent_ticks": sent.copy(), "recent_lots": sent.copy()}
    recent["recent_ts"][3], recent["recent_ticks"][3] = NOW - S // 10 + 1, 2084
    recent["recent_lots"][3] = 100
    assert why(recent) == ("duplicate",)
    assert why(recent, duplicate_s=0) == ()
    assert why(recent, {"lots": 99}) == ()
    assert why(recent, {"ticks": 2083}) == ()
    assert why(recent, RESTS) == ()
    assert why({**recent, **SELL}, {"side": -1}) == ()
    recent["recent_ts"][3] -= 1
    assert why(recent) == ()
    recent["recent_ts"][:] = NOW
    assert why(recent, {"lots": 99}) == ("duplicate",)
    recent["recent_ts"][0] = MISSING
    assert why(recent, {"lots": 99}) == ()


# --- against the twin ----------------------------------------------------------------------------

AROUND: dict[str, Any] = {
    "now_ts": [NOW, NOW - 60 * S, NOW + 60 * S, NOW + 60 * S + 1, MISSING],
    "bid_ticks": [2083, 2084, 2085, 0, MISSING, 2**31],
    "ask_ticks": [2085, 2086, 2084, 0, MISSING],
    "data_ts": [NOW, NOW - 2 * S, NOW - 2 * S - 1, NOW + 1, MISSING],
    "period_half_ticks": [4169, 4170, 4171, MISSING, 0],
    "others_lots": [0, 899, 900, 901, 9000, MISSING],
    "volatility_ppm": [2999, 3000, 3001, MISSING],
    "target_lots": [0, 2399, 2400, 2500, 2650, 2651, MISSING],
    "unrestricted": [0, 1, 2], "trading": [0, 1], "venue_up": [0, 1], "quiet": [0, 1],
    "short_sales": [0, 1], "located_lots": [0, 50, 100, UNLIMITED, MISSING],
    "latency_ns": [S // 5, S // 5 + 1, MISSING], "kill_mode": [0, 1, 2, 3, 4, 5],
    "side": [1, -1, 0], "parent_lots": [2500, MISSING],
    "inventory_lots": [0, 99, 100, 101, 200, 2500, MISSING],
    "working_lots": [0, 1, 100, 900, 901, MISSING], "filled_lots": [0, 1, 899, 900, MISSING],
    "messages": [0, 999, 1000, MISSING], "cancels": [0, 499, 500, MISSING],
    "symbol_working_lots": [0, 499, 500, 501, MISSING],
    "symbol_side_lots": [0, 1, 100, MISSING], "symbol_orders": [0, 4, 5, MISSING],
    "symbol_filled_lots": [0, 100, 2150, 2151, MISSING],
    "symbol_messages": [0, 9, 10, MISSING], "symbol_cancels": [0, 3, 4, MISSING],
    "position_lots": [-5000, -4900, -100, -99, 0, 99, 100, 4900, 4901, MISSING],
    "own_bid_ticks": [0, 2083, 2084, 2085, MISSING],
    "own_ask_ticks": [NO_OFFER, 2084, 2085, 2086, 0, MISSING],
    "executions": [0, 7, 8, 9, MISSING], "may_repeat": [0, 1, 2, MISSING],
    "counted_ts": [0, NOW, NOW + 1],
}  # fmt: skip
ORDERS: dict[str, Any] = {
    "kind": [SUBMIT, SUBMIT, REPLACE, REPLACE, CANCEL, PROTECT, HOLD, 5],
    "side": [1, -1], "type": [LIMIT, MARKETABLE, IOC, 3],
    "ticks": [2063, 2064, 2065, 2074, 2075, 2083, 2084, 2085, 2086, 2095, 2096, 2105, 2106, 0],
    "lots": [1, 49, 50, 51, 99, 100, 101, 199, 200, 201, 0],
    "replaced_lots": [0, 0, 1, 50, 100], "replaced_age_ns": [S // 2 - 1, S // 2, S],
}  # fmt: skip


@st.composite
def cases(draw: st.DrawFn) -> tuple[NDArray[np.void], NDArray[np.void], NDArray[np.void]]:
    """Limits, a state and orders, at and around every limit; most of a state is fine."""
    limit = limits()
    for field in draw(st.lists(st.sampled_from(LIMITS_RECORD.names or ()), max_size=3)):
        choices = [UNSET, 0, UNLIMITED, 1, 100]
        if field in ("band_reference", "order_step"):
            choices = [0, 1, 2, 3]
        elif "window" in field or field == "duplicate_ns" or field == "min_resting_ns":
            choices = [UNSET, 0, S]
        limit[field] = draw(st.sampled_from(choices))
    side = draw(st.sampled_from([1, -1]))
    changed: dict[str, Any] = {"side": side}
    for field in draw(st.lists(st.sampled_from(sorted(AROUND)), max_size=6)):
        changed[field] = draw(st.sampled_from(AROUND[field]))
    known = state(**changed)
    for i in range(draw(st.sampled_from([0, 0, 1, 2, RECENT]))):
        known[0]["recent_ts"][i] = NOW - draw(st.sampled_from([0, S // 10 - 1, S // 10]))
        known[0]["recent_ticks"][i] = side * draw(st.sampled_from(ORDERS["ticks"]))
        known[0]["recent_lots"][i] = draw(st.sampled_from(ORDERS["lots"]))
    for i in range(3):
        if draw(st.booleans()):
            known[0]["reference_half_ticks"][i] = draw(st.sampled_from([4169, 4171, MISSING, 0]))
    orders = np.concatenate([
        order(**{"side": side, **{
            field: draw(st.sampled_from(ORDERS[field]))
            for field in draw(st.lists(st.sampled_from(sorted(ORDERS)), max_size=5))
        }}) for _ in range(8)
    ])  # fmt: skip
    return limit, known, orders


def as_dict(row: np.void) -> dict[str, Any]:
    return {field: row[field].tolist() for field in row.dtype.names}


@settings(max_examples=1500)
@given(cases())
def test_the_rules_are_the_twin_s(
    case: tuple[NDArray[np.void], NDArray[np.void], NDArray[np.void]],
) -> None:
    limit, known, orders = case
    found = bits(limit, known, orders[None])[0]
    for j, one in enumerate(orders):
        expected = twin.broken(as_dict(limit[0]), as_dict(known[0]), as_dict(one))
        assert set(names(int(found[j]))) == expected


@kernel
def tabulated(
    limit: NDArray[np.void],
    known: NDArray[np.void],
    template: NDArray[np.void],
    ticks: NDArray[np.int64],
    lots: NDArray[np.int64],
    by_lots: NDArray[np.int64],
    found: NDArray[np.int64],
) -> None:
    """Bits of a grid `[types, prices, sizes]`, from tables."""
    bound, one = bounds(limit[0], known[0]), template[0]
    sending = sending_reasons(bound, one["kind"], one["side"], one["replaced_age_ns"])
    for k in range(len(lots)):
        by_lots[k] = lots_reasons(bound, lots[k], one["replaced_lots"])
    for type_ in range(3):
        for j in range(len(ticks)):
            here = sending | price_reasons(bound, type_, ticks[j])
            for k in range(len(lots)):
                pair = pair_reasons(bound, known[0], one["kind"], ticks[j], lots[k])
                found[type_, j, k] = here | by_lots[k] | pair


@settings(max_examples=100)
@given(cases(), st.booleans())
def test_tables_of_prices_and_sizes_join_to_the_same_bits(
    case: tuple[NDArray[np.void], NDArray[np.void], NDArray[np.void]], replaces: bool
) -> None:
    limit, known, _ = case
    ticks, lots = np.array(ORDERS["ticks"][:-1]), np.array(ORDERS["lots"][:-1])
    shape = (3, len(ticks), len(lots))
    template = order(side=known[0]["side"] or 1, **(RESTS if replaces else {}))
    grid = np.zeros(shape, ORDER_RECORD)
    grid[...] = template[0]
    grid["type"] = np.arange(3)[:, None, None]
    grid["ticks"], grid["lots"] = ticks[:, None], lots
    found = np.zeros(shape, np.int64)
    tabulated(limit, known, template, ticks, lots, np.zeros_like(lots), found)
    assert np.array_equal(found, bits(limit, known, grid.reshape(1, -1)).reshape(shape))


STRICTER = {name: value for name, value in LIMITS.items() if isinstance(value, int | float)}


@settings(max_examples=300)
@given(cases(), st.sampled_from(sorted(STRICTER)))
def test_a_stricter_limit_never_allows_more(
    case: tuple[NDArray[np.void], NDArray[np.void], NDArray[np.void]], which: str
) -> None:
    _, known, orders = case
    if which in ("window_s", "rate_window_s", "move_window_s", "execution_window_s"):
        return  # a window is no limit
    less = STRICTER[which] // 2 if isinstance(STRICTER[which], int) else STRICTER[which] / 2
    if which in ("min_resting_s", "duplicate_s"):
        less = STRICTER[which] * 2
    elif less == 0:
        less = None
    free = {name: "unlimited" for name in STRICTER if not name.endswith("_s")}
    for base in ({}, free):
        loose = bits(limits(**{**base, which: STRICTER[which]}), known, orders[None])
        tight = bits(limits(**{**base, which: less}), known, orders[None])
        assert np.all(loose & ~tight == 0)
