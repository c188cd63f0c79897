"""Features against a slow twin written from the sentences of the schema, not from the kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from decision.conftest import N, state_of
from paceline.decision.features import features
from paceline.decision.schema import FEATURES, N_FEATURES, N_VALUES, NAMES, SHOWN_PRINTS, ranges
from paceline.decision.state import DEPTH, NOWHERE, REGIMES, State, new_state
from paceline.market import watch as w

S = 1_000_000_000


def written(state: State) -> NDArray[np.float32]:
    out = np.full(N_FEATURES, np.nan, np.float32)
    features(state, out)
    return out


def named(state: State) -> dict[str, float]:
    return dict(zip(NAMES, written(state).tolist(), strict=True))


def log2(x: float) -> float:
    return -math.inf if x == 0 else math.log2(x)


def twin(state: State) -> dict[str, float | None]:
    """Every feature in plain numbers; None where it cannot be known."""
    order = {name: state.order[0][name].item() for name in state.order.dtype.names}
    context = {
        name: state.context[0][name].tolist() for name in state.context.dtype.names
    }  # fmt: skip
    book = {
        side: [
            (ticks, lots)
            for ticks, lots in zip(
                state.ticks[row].tolist(), state.sizes[row].tolist(), strict=True
            )
        ]
        for row, side in enumerate(("bid", "ask"))
    }
    near, far = (book["bid"], book["ask"]) if order["side"] > 0 else (book["ask"], book["bid"])
    both = near[0][1] > 0 and far[0][1] > 0
    mid = (near[0][0] + far[0][0]) / 2 if both else None
    spread = book["ask"][0][0] - book["bid"][0][0]
    if mid is not None and spread > 20 and spread > 0.05 * mid:
        mid = None
    found: dict[str, float | None] = {}
    found |= _book(near, far, mid, context)
    found |= _lately(state, order, context, mid)
    found |= _own(order, context, near, far, mid)
    return {
        name: None if value is None or math.isnan(value) else value
        for name, value in found.items()
    }  # fmt: skip


def _book(near: list, far: list, mid: float | None, context: dict) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name, levels in (("near", near), ("far", far)):
        for k, (ticks, lots) in enumerate(levels):
            there = lots > 0
            steps = abs(ticks - mid) / context["order_step"] if mid is not None and there else None
            found[f"{name}_{k}_steps"] = steps
            found[f"{name}_{k}_size"] = log2(1 + lots / context["touch_lots"]) if there else None
    if mid is None:
        return found | dict.fromkeys(("spread", "imbalance_1", f"imbalance_{DEPTH}", "micro"))
    (near_px, a), (far_px, b) = near[0], far[0]
    all_a, all_b = sum(lots for _, lots in near), sum(lots for _, lots in far)
    found["spread"] = abs(far_px - near_px) / context["order_step"]
    found["imbalance_1"] = (a - b) / (a + b)
    found[f"imbalance_{DEPTH}"] = (all_a - all_b) / (all_a + all_b)
    # The micro-price leans to the side that shows less: its weight there is what the other shows.
    micro = (near_px * b + far_px * a) / (a + b)
    found["micro"] = (micro - mid) / (far_px - near_px)
    return found


def _lately(state: State, order: dict, context: dict, mid: float | None) -> dict[str, Any]:
    watch, side, now = state.watch, order["side"], order["now_ts"]
    found: dict[str, float | None] = {}
    count = int(watch.clock[0]["n_prints"])
    for k in range(SHOWN_PRINTS):
        row = watch.prints[(count - 1 - k) % w.PRINTS] if count > k else None
        age = None if row is None else (now - int(row["ts"])) / S
        names = [f"print_{k}_{what}" for what in ("lots", "steps", "age")]
        if row is None or age is None or age > 299:  # older than the longest window is sure to know
            found |= dict.fromkeys(names)
            continue
        lots: float | None = log2(1 + int(row["lots"]) / context["touch_lots"])
        lots = lots * int(row["sign"]) * side if row["sign"] else None
        worse = None if mid is None else side * (int(row["ticks"]) - mid) / context["order_step"]
        found |= dict(zip(names, (lots, worse, log2(1 + age)), strict=True))
    clock = watch.clock[0]
    day_s = (context["close_ns"] - context["open_ns"]) / S
    for at, seconds in enumerate(w.WINDOWS_S):
        # From what had been counted when seconds ended, and not from the sums.
        now_s = int(clock["second"])
        before = watch.cells[(now_s - seconds) % 300]
        if now_s - int(clock["began"]) + 1 < seconds:
            found |= {one.name: None for one in FEATURES if one.name.endswith(f"_{seconds}s")}
            continue
        total = (watch.cells[300] - before)[: w.COUNTED].tolist()
        np.testing.assert_array_equal(total, watch.sums[at])
        moved = math.sqrt(total[w.SQUARES] / 4 / seconds)  # ticks; squares are of half ticks
        found[f"volatility_{seconds}s"] = None if mid is None else moved / mid * 10_000
        traded = total[w.BOUGHT] + total[w.SOLD]
        usual = context["session_lots"] * seconds / day_s
        found[f"volume_{seconds}s"] = log2(1 + traded / usual)
        ours = total[w.BOUGHT] if side > 0 else total[w.SOLD]
        found[f"flow_{seconds}s"] = (2 * ours - traded) / traded if traded else None
        bid, ask = ("near", "far") if side > 0 else ("far", "near")
        for name, what in (
            (f"{bid}_adds", w.ADDED_BID), (f"{ask}_adds", w.ADDED_ASK),
            (f"{bid}_cancels", w.CANCELLED_BID), (f"{ask}_cancels", w.CANCELLED_ASK),
        ):  # fmt: skip
            found[f"{name}_{seconds}s"] = log2(1 + total[what] / seconds)
    return found


def _own(order: dict, context: dict, near: list, far: list, mid: float | None) -> dict[str, Any]:
    side, step, left = order["side"], context["order_step"], order["left"]
    now, lots = order["now_ts"], order["lots"]
    seconds_left = max(order["end_ts"] - now, 0) / S
    time_left = seconds_left / ((order["end_ts"] - order["start_ts"]) / S)
    k = order["steepness"]
    planned = math.sinh(k * time_left) / math.sinh(k) if k else time_left
    arrival = order["arrival_twice_mid"] / 2
    rests = order["work_ticks"] != NOWHERE
    day = (now - context["open_ns"]) / (context["close_ns"] - context["open_ns"])
    limit = context["band_ticks"] if context["band_ticks"] != NOWHERE else None
    base = max(left, 1)
    return {
        "inventory": left / lots,
        "time_left": time_left,
        "seconds_left": log2(1 + seconds_left),
        "size_adv": log2(lots / context["adv_lots"]),
        "size_horizon": log2(max(left, 0.5) / context["horizon_lots"]),
        "behind_twap": left / lots - time_left,
        "behind_ac": left / lots - planned,
        "participation": (lots - left) / order["market_lots"] if order["market_lots"] else None,
        "participation_window": (
            order["window_own_lots"] / order["window_market_lots"]
            if order["window_market_lots"] else None
        ),
        "drift": None if mid is None else side * (mid - arrival) / arrival * 10_000,
        "cost": order["paid"] / (arrival * lots) * 10_000,
        "fill_rate": order["maker_lots"] / order["posted_lots"] if order["posted_lots"] else None,
        "decisions": log2(1 + order["decisions"]),
        "working": order["working"] / left if left else 0.0,
        "working_steps": (
            side * (near[0][0] - order["work_ticks"]) / step if rests and near[0][1] else None
        ),
        "ahead": log2(1 + order["work_ahead"] / context["touch_lots"]) if rests else None,
        "working_age": log2(1 + (now - order["work_since_ts"]) / S) if rests else None,
        "cancels_used": order["cancels"] / context["most_cancels"],
        "messages_used": order["messages"] / context["most_messages"],
        "day": day,
        "day_sin": math.sin(2 * math.pi * day),
        "day_cos": math.cos(2 * math.pi * day),
        "volume_left": context["volume_left"],
        **{f"regime_{r}": context["regimes"][r] for r in range(REGIMES)},
        "news": context["news"],
        "sentiment": context["sentiment"] * side,
        "is_volatile": context["is_volatile"],
        "cap": context["participation_cap"],
        "room": context["room_lots"] / base if not context["room_lots"] < 0 else 0.0,
        "band_room": (
            side * (limit - far[0][0]) / step if limit is not None and far[0][1] else None
        ),
        "child_max": context["child_max"] / base,
    }  # fmt: skip


def assert_like_twin(state: State) -> None:
    plain, got = twin(state), named(state)
    assert set(plain) == {one.name for one in FEATURES}
    for one in FEATURES:
        value = plain[one.name]
        if one.may_miss:
            assert got[f"no {one.name}"] == float(value is None), one.name
        expected = 0.0 if value is None else value
        expected = min(max(expected, one.low), one.high)
        assert got[one.name] == pytest.approx(expected, rel=2e-6, abs=2e-6), one.name


@pytest.fixture(scope="module")
def states(walked: Callable[..., Any]) -> list[State]:
    found = []
    for steps in (0, 3, 25, 80):
        env = walked(steps)
        found += [state_of(env, i) for i in range(N)]
    return found


def test_as_the_schema_says(states: list[State]) -> None:
    for state in states:
        assert_like_twin(state)


def test_states_are_worth_testing_on(states: list[State]) -> None:
    """Both sides, orders that rest and that do not, some filled, some late."""
    seen = np.array([written(state) for state in states])
    column = dict(zip(NAMES, seen.T, strict=True))
    assert {state.order[0]["side"].item() for state in states} == {-1, 1}
    for name in ("working_steps", "fill_rate", "participation", "print_0_lots"):
        assert 0.02 < np.mean(column[f"no {name}"]) < 0.98 or name == "print_0_lots", name
    assert column["inventory"].min() < 0.9
    never_moves = {
        name for name in NAMES[:N_VALUES] if np.ptp(column[name]) == 0.0
    }  # fmt: skip
    assert never_moves <= {
        "cancels_used", "messages_used", "news", "sentiment", "is_volatile", "cap", "child_max",
        *(f"regime_{k}" for k in range(REGIMES)),
    }  # fmt: skip


def odd(state: State, dice: np.random.Generator) -> State:
    """`state` with what an environment never shows: feeds, limits, sides that show nothing."""
    context, order = state.context[0], state.order[0]
    context["regimes"] = dice.dirichlet(np.ones(REGIMES))
    context["news"], context["sentiment"] = dice.uniform(0, 1), dice.uniform(-1, 1)
    context["is_volatile"] = dice.integers(2)
    context["most_cancels"], context["most_messages"] = dice.integers(1, 50, 2)
    context["child_max"], context["room_lots"] = dice.integers(1, 500), dice.integers(-9, 99)
    context["order_step"] = dice.integers(1, 11)
    if dice.random() < 0.3:
        state.sizes[dice.integers(2)] = 0
    if dice.random() < 0.3:
        state.sizes[:, dice.integers(1, DEPTH) :] = 0
    if dice.random() < 0.2:
        context[str(dice.choice(["adv_lots", "session_lots", "touch_lots", "volume_left"]))] = (
            np.nan
        )
    if dice.random() < 0.2:
        order["left"] = 0
    if dice.random() < 0.2:
        order["now_ts"] = order["end_ts"] + dice.integers(5) * S
    if dice.random() < 0.2:
        state.watch.clock["began"] = state.watch.clock["second"] - dice.integers(300)
    if dice.random() < 0.2:
        state.watch.clock["n_prints"] = dice.integers(6)
    return state


def test_odd_states_are_as_the_schema_says(states: list[State]) -> None:
    dice = np.random.default_rng(5)
    for _ in range(400):
        assert_like_twin(odd(copied(states[dice.integers(len(states))]), dice))


def test_always_within_the_ranges_and_flags_are_flags(states: list[State]) -> None:
    dice = np.random.default_rng(6)
    low, high = ranges().astype(np.float32).T
    for _ in range(300):
        state = odd(copied(states[dice.integers(len(states))]), dice)
        state.order["paid"] = dice.normal() * 1e12
        state.order["work_ahead"] = dice.choice([0.0, 1e9])
        state.ticks[0] -= dice.integers(2) * 10_000
        out = written(state)
        assert np.isfinite(out).all()
        assert np.all((out[:N_VALUES] >= low) & (out[:N_VALUES] <= high))
        assert set(out[N_VALUES:].tolist()) <= {0.0, 1.0}


def test_a_state_in_which_nothing_is_known_says_so() -> None:
    state = new_state()
    state.order["side"], state.order["lots"], state.order["left"] = 1, 10, 10
    state.order["end_ts"], state.context["close_ns"] = 60 * S, 60 * S
    state.order["arrival_twice_mid"] = 100
    got = named(state)
    flags = {name: got[name] for name in NAMES[N_VALUES:]}
    assert set(flags.values()) == {1.0}, [name for name, flag in flags.items() if not flag]


def test_nothing_is_measured_from_a_mid_between_a_price_and_a_stub(states: list[State]) -> None:
    """Bid 10,000 and offer 10,500: a spread of more than 5 % of the mid. At 10,499 it is known."""
    state = copied(states[0])
    state.sizes[:, 0] = 5
    state.ticks[0, 0] = 10_000
    for ask, gone in ((10_499, 0.0), (10_520, 1.0)):
        state.ticks[1, 0] = ask
        got = named(state)
        assert [got[f"no {name}"] for name in ("spread", "near_0_steps", "drift")] == [gone] * 3
        assert_like_twin(state)


def test_a_print_of_unknown_side_has_no_signed_size(states: list[State]) -> None:
    state = copied(states[0])
    state.watch.clock["n_prints"] = 1
    state.watch.prints["ts"][0] = state.order["now_ts"][0] - S
    state.watch.prints["lots"][0] = 7
    sizes, flags = [], []
    for sign in (1, 0):
        state.watch.prints["sign"][0] = sign
        got = named(state)
        sizes.append(abs(got["print_0_lots"]) > 0)
        flags.append(got["no print_0_lots"])
    assert (sizes, flags) == ([True, False], [0.0, 1.0])


def test_a_print_counts_as_long_as_everybody_has_heard_of_it(states: list[State]) -> None:
    """One who began to listen five minutes ago, in the middle of a second, knows 299 for sure."""
    state = copied(states[0])
    state.watch.clock["n_prints"] = 1
    for age_ns, gone in ((299 * S, 0.0), (299 * S + 1, 1.0)):
        state.watch.prints["ts"][0] = state.order["now_ts"][0] - age_ns
        assert named(state)["no print_0_age"] == gone


def copied(state: State) -> State:
    return State(
        state.ticks.copy(), state.sizes.copy(),
        w.Watch._make(column.copy() for column in state.watch),
        state.order.copy(), state.context.copy(),
    )  # fmt: skip


def mirrored(state: State) -> State:
    """The same market with bids for asks, prices turned over at the mid, and the other side."""
    other = copied(state)
    turn = int(state.ticks[0, 0] + state.ticks[1, 0])
    other.ticks[:], other.sizes[:] = turn - state.ticks[::-1], state.sizes[::-1]
    for table in (other.watch.cells, other.watch.sums):
        swapped = [w.ADDED_ASK, w.ADDED_BID, w.CANCELLED_ASK, w.CANCELLED_BID, w.SOLD, w.BOUGHT]
        table[:, : len(swapped)] = table[:, swapped]
    other.watch.prints["ticks"] = turn - state.watch.prints["ticks"]
    other.watch.prints["sign"] *= -1
    order, context = other.order, other.context
    order["side"] *= -1
    order["arrival_twice_mid"] = 2 * turn - state.order["arrival_twice_mid"]
    for record, name in ((order, "work_ticks"), (context, "band_ticks")):
        record[name] = np.where(record[name] == NOWHERE, NOWHERE, turn - record[name])
    context["sentiment"] *= -1
    return other


def test_a_sale_in_the_mirrored_market_looks_like_the_purchase(states: list[State]) -> None:
    dice = np.random.default_rng(7)
    levels = [NAMES.index(name) for name in ("drift", "cost")]  # parts of the arrival price
    compared = 0
    for state in states:
        state = copied(state)
        if not state.sizes[:, 0].all():
            continue
        state.context["sentiment"] = dice.uniform(-1, 1)
        one, other = written(state), written(mirrored(state))
        np.testing.assert_allclose(one[levels], other[levels], rtol=0.05, atol=1e-6)
        one[levels] = other[levels] = 0.0
        np.testing.assert_array_equal(one, other)
        compared += 1
    assert compared > N


_ALL_BOOK = [one.name for one in FEATURES if one.group == "book"]
_SIZED = [
    name for one in FEATURES
    if (name := one.name).endswith("_size") or name in [f"print_{k}_lots" for k in range(5)]
]  # fmt: skip
DEPENDS = {
    ("order", "left"): ["inventory", "size_horizon", "behind_twap", "behind_ac", "participation",
                        "working", "room", "child_max"],
    ("order", "working"): ["working"],
    ("order", "steepness"): ["behind_ac"],
    ("order", "paid"): ["cost"],
    ("order", "arrival_twice_mid"): ["drift", "cost"],
    ("order", "work_ahead"): ["ahead"],
    ("order", "work_since_ts"): ["working_age"],
    ("order", "work_ticks"): ["working_steps"],
    ("order", "posted_lots"): ["fill_rate"],
    ("order", "maker_lots"): ["fill_rate"],
    ("order", "decisions"): ["decisions"],
    ("order", "cancels"): ["cancels_used"],
    ("order", "messages"): ["messages_used"],
    ("order", "market_lots"): ["participation"],
    ("order", "window_market_lots"): ["participation_window"],
    ("order", "window_own_lots"): ["participation_window"],
    ("order", "start_ts"): ["time_left", "behind_twap", "behind_ac"],
    ("order", "end_ts"): ["time_left", "seconds_left", "behind_twap", "behind_ac"],
    ("context", "adv_lots"): ["size_adv"],
    ("context", "session_lots"): [f"volume_{s}s" for s in w.WINDOWS_S],
    ("context", "touch_lots"): [*_SIZED, "ahead"],
    ("context", "volume_left"): ["volume_left"],
    ("context", "horizon_lots"): ["size_horizon"],
    ("context", "participation_cap"): ["cap"],
    ("context", "room_lots"): ["room"],
    ("context", "band_ticks"): ["band_room"],
    ("context", "child_max"): ["child_max"],
    ("context", "most_cancels"): ["cancels_used"],
    ("context", "most_messages"): ["messages_used"],
    ("context", "regimes"): [f"regime_{k}" for k in range(REGIMES)],
    ("context", "news"): ["news"],
    ("context", "sentiment"): ["sentiment"],
    ("context", "is_volatile"): ["is_volatile"],
    ("context", "order_step"): [
        name for one in FEATURES if one.unit == "order steps" for name in [one.name]],
    ("context", "open_ns"): ["day", "day_sin", "day_cos", *(f"volume_{s}s" for s in w.WINDOWS_S)],
    ("context", "close_ns"): ["day", "day_sin", "day_cos", *(f"volume_{s}s" for s in w.WINDOWS_S)],
}  # fmt: skip
"""Field of the state -> the features that may look at it."""


def moved(state: State) -> Iterator[tuple[tuple[str, str], State]]:
    """`state` with one field another, for every field that `DEPENDS` names."""
    for part, name in DEPENDS:
        other = copied(state)
        record = getattr(other, part)[0]
        unit = 7 * S if name.endswith(("_ts", "_ns")) else 0.03125 if name in SHARES else 1
        record[name] = record[name] - unit if name in ("start_ts", "left") else record[name] + unit
        yield (part, name), other


SHARES = {
    "volume_left", "participation_cap", "news", "sentiment", "is_volatile", "regimes", "steepness",
}  # fmt: skip


def test_a_feature_moves_only_with_what_it_is_made_of(states: list[State]) -> None:
    dice = np.random.default_rng(8)
    ever: dict[tuple[str, str], set[str]] = {field: set() for field in DEPENDS}
    rest = [state for state in states if state.order[0]["work_ticks"] != NOWHERE]
    for state in rest[:40]:
        state = copied(state)
        context = state.context[0]
        context["regimes"] = dice.dirichlet(np.ones(REGIMES))
        context["news"], context["sentiment"], context["is_volatile"] = 0.5, 0.25, 0.5
        context["most_cancels"], context["most_messages"] = 40, 90
        context["child_max"], context["room_lots"] = 3, 2
        state.order["left"] = np.maximum(state.order["left"], 5)
        before = written(state)
        for field, other in moved(state):
            changed = np.flatnonzero(written(other) != before)
            names = {NAMES[k].removeprefix("no ") for k in changed}
            assert names <= set(DEPENDS[field]), field
            ever[field] |= names
    for field, names in ever.items():
        assert names == set(DEPENDS[field]), f"{field} moved only {names}"
