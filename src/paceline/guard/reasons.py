"""Why an order may not go: one bit for each rule, in numbers that never change.

Bits are stored with every decision. A rule that is given up leaves its number unused.
"""

from __future__ import annotations

from typing import NamedTuple

MALFORMED = 1 << 0
OFF_TICK = 1 << 1
WRONG_SIDE = 1 << 2
OUTSIDE_HORIZON = 1 << 3
KILLED = 1 << 4
REDUCING_ONLY = 1 << 5
RESTRICTED = 1 << 6
UNCOVERED = 1 << 7
MARKET_HALTED = 1 << 8
VENUE_DOWN = 1 << 9
LATENCY = 1 << 10
NO_MARKET_DATA = 1 << 11
CROSSED = 1 << 12
STALE = 1 << 13
CLOCK_BACK = 1 << 14
PASSIVE_ONLY = 1 << 15
PRICE_BAND = 1 << 16
PRICE_MOVE = 1 << 17
CHILD_MAX = 1 << 18
ORDER_QUANTITY = 1 << 19
ORDER_VALUE = 1 << 20
INVENTORY = 1 << 21
PARTICIPATION = 1 << 22
SYMBOL_PARTICIPATION = 1 << 23
POSITION = 1 << 24
WORKING_LOTS = 1 << 25
WORKING_ORDERS = 1 << 26
SCHEDULE_DRIFT = 1 << 27
MESSAGE_RATE = 1 << 28
MAX_MESSAGES = 1 << 29
CANCEL_RATE = 1 << 30
MAX_CANCELS = 1 << 31
MIN_RESTING = 1 << 32
DUPLICATE = 1 << 33
SELF_MATCH = 1 << 34
REPEATED = 1 << 35
UNRECORDED = 1 << 36
"""Of the gate alone; no kernel judges it."""


class Reason(NamedTuple):
    """One rule, for a person."""

    name: str
    sentence: str
    """What was wrong with the order."""
    remedy: str


REASONS: tuple[Reason, ...] = (
    Reason("malformed", "The order is none.", "give side, type, price and size of an order"),
    Reason("off_tick", "The price lies off the order tick.", "round it to the order tick"),
    Reason("wrong_side", "The side is not the parent order's.", "trade on the parent's side"),
    Reason("outside_horizon", "The parent order is not active.", "send between its start and end"),
    Reason("killed", "The kill switch has stopped sending.", "have it released"),
    Reason(
        "reducing_only",
        "Only orders that reduce the position may go, and this one goes beyond.",
        "send less, or have the kill switch released",
    ),
    Reason("restricted", "The symbol is restricted or nobody looked.", "ask compliance"),
    Reason("uncovered", "More would be sold than is held and located.", "locate, or sell less"),
    Reason("market_halted", "The market is closed, halted, or unknown.", "wait until it trades"),
    Reason("venue_down", "The venue is down or unknown.", "wait until it is up"),
    Reason("latency", "Messages take too long, or nobody knows how long.", "wait"),
    Reason("no_market_data", "There is no bid or no offer.", "wait for a book of two sides"),
    Reason("crossed", "The bid is not below the offer.", "wait for a book that is not crossed"),
    Reason("stale", "Market data is too old, or from the future.", "wait for market data"),
    Reason("clock_back", "The time lies before what we counted last.", "send in the order of time"),
    Reason(
        "passive_only",
        "It would take while volatility or news allow resting only.",
        "rest on the own side of the spread",
    ),
    Reason("price_band", "The price lies beyond the band.", "stay inside the band"),
    Reason("price_move", "The price moves too far in the period.", "wait, or price it closer"),
    Reason("child_max", "The child order is too large.", "send less"),
    Reason("order_quantity", "It is too large for this instrument.", "send less"),
    Reason("order_value", "It is worth too much.", "send less"),
    Reason("inventory", "It is more than the parent order has left to send.", "send less"),
    Reason(
        "participation",
        "The parent would be too much of the volume, were all that works filled.",
        "send less, or wait for volume",
    ),
    Reason(
        "symbol_participation",
        "We would be too much of the volume, were all that works filled.",
        "send less, or wait for volume",
    ),
    Reason("position", "The position could become too large.", "send less"),
    Reason("working_lots", "Too much would work at once.", "send less, or cancel"),
    Reason("working_orders", "Too many orders would work at once.", "cancel or replace one"),
    Reason("schedule_drift", "It runs too far ahead of the schedule.", "send less, or wait"),
    Reason("message_rate", "Too many messages in the window.", "wait"),
    Reason("max_messages", "The parent order has used up its messages.", "leave it as it is"),
    Reason("cancel_rate", "Too many cancels and replaces in the window.", "wait"),
    Reason("max_cancels", "The parent order has used up its cancels.", "let it rest"),
    Reason("min_resting", "The order has not rested for long enough.", "wait"),
    Reason("duplicate", "An order like it was just sent.", "wait, if it is meant"),
    Reason("self_match", "It could trade with an order of ours.", "price it away, or cancel that"),
    Reason(
        "repeated",
        "The policy has executed as often as it may without a person, or could.",
        "cancel what works, or have a person let it go on",
    ),
    Reason(
        "unrecorded",
        "The gate's journal cannot be relied on.",
        "mend the journal and start the gate anew",
    ),
)  # fmt: skip
"""Reason of each bit, by its number."""


def names(bits: int) -> tuple[str, ...]:
    """Names of the rules in `bits`."""
    return tuple(reason.name for bit, reason in enumerate(REASONS) if bits >> bit & 1)
