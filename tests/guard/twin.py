"""The rules a second time: slow, in fractions, one sentence after the other."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import inf
from typing import Any

from paceline.guard.limits import UNLIMITED
from paceline.guard.snapshot import MISSING

NUMBERS = (
    "malformed", "off_tick", "wrong_side", "outside_horizon", "killed", "reducing_only",
    "restricted", "uncovered", "market_halted", "venue_down", "latency", "no_market_data",
    "crossed", "stale", "clock_back", "passive_only", "price_band", "price_move", "child_max",
    "order_quantity", "order_value", "inventory", "participation", "symbol_participation",
    "position", "working_lots", "working_orders", "schedule_drift", "message_rate",
    "max_messages", "cancel_rate", "max_cancels", "min_resting", "duplicate", "self_match",
    "repeated", "unrecorded",
)  # fmt: skip
"""They are in the audit trail of decisions long past. Never renumber."""
OF_THE_GATE = ("unrecorded",)
"""No kernel judges these."""

Number = float | Fraction | None


def limit(value: int) -> Number:
    """None when nobody set it."""
    return inf if value == UNLIMITED else value if value >= 0 else None


def count(value: int) -> Number:
    """None when it is not known."""
    return value if value >= 0 else None


def within(value: Number, most: Number) -> bool:
    """Whether a rule lets `value` pass; without limit or input it does not."""
    if most == inf:
        return True
    return most is not None and value is not None and value <= most


def total(*values: Number) -> Number:
    """None when one of them is."""
    return None if any(value is None for value in values) else sum(values)  # type: ignore[misc,arg-type]


def share(own: Number, others: Number) -> Number:
    if own is None or others is None:
        return None
    return Fraction(0) if own <= 0 else Fraction(own) / (Fraction(own) + Fraction(others))


def broken(lim: Mapping[str, int], s: Mapping[str, Any], o: Mapping[str, int]) -> set[str]:
    """Names of the rules that order `o` breaks in state `s`."""
    kind = ("submit", "cancel", "replace", "hold", "protect")[o["kind"]] if (
        0 <= o["kind"] <= 4) else "none"  # fmt: skip
    if kind == "hold":
        return set()
    if kind in ("cancel", "protect") and o["replaced_lots"] < 1:
        return {"malformed"}
    if kind == "protect" or (kind == "cancel" and s["kill_mode"] != 1):
        return set()
    sending = not_sending(lim, s, o, kind)
    if kind == "cancel":
        return sending
    if kind == "none" or not is_order(o, kind):
        return {"malformed"}
    return sending | about_state(lim, s, o) | about_price(lim, s, o) | about_size(lim, s, o, kind)


def is_order(o: Mapping[str, int], kind: str) -> bool:
    top = 2**31
    return (
        o["side"] in (-1, 1)
        and o["type"] in (0, 1, 2)
        and 1 <= o["ticks"] < top
        and 1 <= o["lots"] < top
        and (o["replaced_lots"] == 0 if kind == "submit" else 1 <= o["replaced_lots"] < top)
    )


def not_sending(
    lim: Mapping[str, int], s: Mapping[str, Any], o: Mapping[str, int], kind: str
) -> set[str]:
    """What counts of messages forbid: one more must stay within each limit."""
    window = lim["rate_window_ns"] > 0
    messages = count(s["symbol_messages"]) if window else None
    cancels = count(s["symbol_cancels"]) if window else None
    ok = {
        "clock_back": s["now_ts"] >= s["counted_ts"],
        "message_rate": within(total(messages, 1), limit(lim["message_rate"])),
        "max_messages": within(total(count(s["messages"]), 1), limit(lim["max_messages"])),
    }
    if kind != "submit":
        least = limit(lim["min_resting_ns"])
        ok["cancel_rate"] = within(total(cancels, 1), limit(lim["cancel_rate"]))
        ok["max_cancels"] = within(total(count(s["cancels"]), 1), limit(lim["max_cancels"]))
        ok["min_resting"] = least is not None and o["replaced_age_ns"] >= least
    else:
        orders = count(s["symbol_orders"])
        ok["working_orders"] = within(total(orders, 1), limit(lim["max_working_orders"]))
    return {name for name, fine in ok.items() if not fine}


def about_state(lim: Mapping[str, int], s: Mapping[str, Any], o: Mapping[str, int]) -> set[str]:
    two_sided = 0 < s["bid_ticks"] < 2**31 and 0 < s["ask_ticks"] < 2**31
    age = s["now_ts"] - s["data_ts"] if s["data_ts"] >= 0 else -1
    executions = count(s["executions"]) if lim["execution_window_ns"] > 0 else None
    ok = {
        "wrong_side": o["side"] == s["side"],
        "outside_horizon": 0 <= s["start_ts"] <= s["now_ts"] <= s["end_ts"],
        "killed": s["kill_mode"] in (1, 2),
        "restricted": s["unrestricted"] == 1,
        "market_halted": s["trading"] == 1,
        "venue_down": s["venue_up"] == 1,
        "latency": within(count(s["latency_ns"]), limit(lim["max_latency_ns"])),
        "no_market_data": two_sided,
        "crossed": not two_sided or s["bid_ticks"] < s["ask_ticks"],
        "stale": within(count(age), limit(lim["max_data_age_ns"])),
        "repeated": s["may_repeat"] == 1
        and within(total(executions, 1), limit(lim["max_executions"])),
    }
    return {name for name, fine in ok.items() if not fine}


def about_price(lim: Mapping[str, int], s: Mapping[str, Any], o: Mapping[str, int]) -> set[str]:
    """Prices as fractions of a tick; `beyond` is how much costlier than a reference."""
    buy, price = s["side"] == 1, Fraction(o["ticks"])
    top = 2 * (2**31 - 1)

    def beyond(half: int) -> Number:
        if not 0 < half <= top:
            return None
        return price - Fraction(half, 2) if buy else Fraction(half, 2) - price

    def beyond_ppm(half: int) -> Number:
        ticks = beyond(half)
        return None if ticks is None else ticks * 1_000_000 / Fraction(half, 2)

    if lim["band_reference"] == 3:
        reference = s["bid_ticks"] + s["ask_ticks"]
        if min(s["bid_ticks"], s["ask_ticks"]) <= 0:
            reference = 0
    else:
        reference = s["reference_half_ticks"][lim["band_reference"]]
    period = s["period_half_ticks"] if lim["move_window_ns"] > 0 else 0
    takes = o["type"] != 0 or (
        o["ticks"] >= s["ask_ticks"] if buy else o["ticks"] <= s["bid_ticks"]
    )
    calm = s["quiet"] == 1 and within(count(s["volatility_ppm"]), limit(lim["max_volatility_ppm"]))
    if buy:
        alone = s["own_ask_ticks"] > 0 and o["ticks"] < s["own_ask_ticks"]
    else:
        alone = s["own_bid_ticks"] >= 0 and o["ticks"] > s["own_bid_ticks"]
    ok = {
        "off_tick": lim["order_step"] > 0 and o["ticks"] % lim["order_step"] == 0,
        "price_band": within(beyond_ppm(reference), limit(lim["band_ppm"]))
        and within(beyond(reference), limit(lim["band_ticks"])),
        "price_move": within(beyond_ppm(period), limit(lim["move_ppm"])),
        "passive_only": calm or not takes,
        "self_match": alone,
    }
    return {name for name, fine in ok.items() if not fine}


def about_size(
    lim: Mapping[str, int], s: Mapping[str, Any], o: Mapping[str, int], kind: str
) -> set[str]:
    """What would be, were this order and all that works filled."""
    lots, more = o["lots"], o["lots"] - o["replaced_lots"]
    working, on_side = count(s["working_lots"]), count(s["symbol_side_lots"])
    symbol_working, side = count(s["symbol_working_lots"]), 1 if s["side"] == 1 else -1
    others = count(s["others_lots"]) if lim["window_ns"] > 0 else None
    held = s["position_lots"] if s["position_lots"] != MISSING else None
    left = count(s["inventory_lots"])
    after = total(held, *(side * x if x is not None else None for x in (on_side, more)))
    most = limit(lim["max_position_lots"])
    covered = s["side"] == 1 or (s["short_sales"] == 1 and s["located_lots"] == UNLIMITED)
    if not covered and after is not None:
        covered = after >= -(max(s["located_lots"], 0) if s["short_sales"] == 1 else 0)
    own = total(count(s["filled_lots"]), working, more)
    all_own = total(count(s["symbol_filled_lots"]), symbol_working, more)
    parent, target = count(s["parent_lots"]), count(s["target_lots"])
    ahead = total(target, *(-x if x is not None else None for x in (left,)), working, more)
    ahead_ppm = limit(lim["max_ahead_ppm"])
    may_be_ahead = None if parent is None or ahead_ppm is None else (
        inf if ahead_ppm == inf else ahead_ppm * Fraction(parent, 1_000_000))  # fmt: skip
    fresh = [
        (ticks, old)
        for ts, ticks, old in zip(s["recent_ts"], s["recent_ticks"], s["recent_lots"], strict=True)
        if s["now_ts"] - ts < lim["duplicate_ns"]
    ]
    same = (side * o["ticks"], lots) in fresh or len(fresh) == len(s["recent_ts"])
    ppm = Fraction(1_000_000)

    def kept(part: Number, most_ppm: Number) -> bool:
        return within(None if part is None else Fraction(part) * ppm, most_ppm)

    ok = {
        "child_max": within(lots, limit(lim["child_max_lots"])),
        "order_quantity": within(lots, limit(lim["max_order_lots"])),
        "order_value": within(lots * o["ticks"], limit(lim["max_order_value"])),
        "inventory": left is not None and within(total(working, more), left),
        "participation": kept(share(own, others), limit(lim["participation_ppm"])),
        "symbol_participation": kept(
            share(all_own, others), limit(lim["symbol_participation_ppm"])
        ),
        # The far side of zero is no larger a position: only where the order leads counts.
        "position": within(None if after is None else side * after, most),
        "working_lots": within(total(symbol_working, more), limit(lim["max_working_lots"])),
        "schedule_drift": ahead_ppm == inf or within(ahead, may_be_ahead),
        "uncovered": bool(covered),
        "reducing_only": s["kill_mode"] != 2 or within(
            None if after is None else side * after, 0),
        "duplicate": kind != "submit" or (lim["duplicate_ns"] >= 0 and not same),
    }  # fmt: skip
    return {name for name, fine in ok.items() if not fine}
