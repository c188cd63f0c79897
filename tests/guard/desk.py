"""A gate with parent orders of different instruments on one symbol, for tests by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from guard.known import people
from guard.states import LIMITS, NOW, STATE
from paceline.guard.gate import SEEN, Gate, Mandate, Request
from paceline.guard.journal import Journal
from paceline.guard.kill_switch import KillSwitch
from paceline.guard.limits import Limits
from paceline.guard.rules import SUBMIT
from paceline.orders.instrument import Instrument
from paceline.orders.order import ParentOrder
from paceline.units import NS_PER_S

LOOSE: dict[str, Any] = {
    **LIMITS, "participation": 1.0, "symbol_participation": 1.0, "band_bps": "unlimited",
    "band_ticks": "unlimited", "move_bps": "unlimited", "child_max": "unlimited",
    "max_order_quantity": "unlimited", "max_order_value": "unlimited", "max_ahead": "unlimited",
    "max_position": "unlimited", "max_working": "unlimited", "max_working_orders": "unlimited",
    "message_rate": "unlimited", "cancel_rate": "unlimited", "max_executions": "unlimited",
    "execution_window_s": "unlimited", "min_resting_s": 0, "duplicate_s": 0,
}  # fmt: skip


def instrument(lot: str, tick: str, symbol: str = "ACME", currency: str = "USD") -> Instrument:
    return Instrument(
        symbol=symbol, book_tick=Decimal(tick), order_tick=Decimal(tick), lot=Decimal(lot),
        currency=currency,
    )  # fmt: skip


def mandate(
    order_id: str, lot: str, tick: str, side: str = "buy", *, symbol: str = "ACME",
    policy: str = "p1", qty: float = 100_000, currency: str = "USD", **changed: Any,
) -> Mandate:  # fmt: skip
    parent = ParentOrder(
        order_id=order_id, symbol=symbol, side=side, qty=qty, arrival_px=20,  # type: ignore[arg-type]
        start_ts=NOW - NS_PER_S, end_ts=NOW + 3600 * NS_PER_S,
        constraints={"participation": 1, "price_band_bps": 9000, "child_max": 100_000},  # type: ignore[arg-type]
    )  # fmt: skip
    limits = Limits(**{**LOOSE, **changed})
    return Mandate(parent, instrument(lot, tick, symbol, currency), limits, policy, "d1")


def add(gate: Gate, order_id: str, lot: str, tick: str, side: str = "buy", **changed: Any) -> None:
    """Add a parent order and see a market of 20.00 to 20.02."""
    gate.add(mandate(order_id, lot, tick, side, **changed))
    see(gate, order_id, tick)


def see(gate: Gate, order_id: str, tick: str, now: int = NOW) -> None:
    one = int(Decimal(1) / Decimal(tick))
    fields = {field: STATE[field] for field in SEEN}
    fields |= {
        "bid_ticks": 20 * one, "ask_ticks": 20 * one + max(one // 50, 1), "data_ts": now,
        "reference_half_ticks": (40 * one,) * 3, "period_half_ticks": 40 * one,
        "others_lots": 10**12, "target_lots": 0, "located_lots": 2**62,
    }  # fmt: skip
    gate.see(order_id, **fields)


def buy(parent: str, child: str, ticks: int, lots: int) -> Request:
    return Request(parent, child, SUBMIT, 1, 0, ticks, lots)


def sell(parent: str, child: str, ticks: int, lots: int) -> Request:
    return Request(parent, child, SUBMIT, -1, 0, ticks, lots)


def opened(folder: Path) -> Gate:
    """A gate with a journal: a new one, or the one that is there."""
    known = folder / "people.json"
    if not known.exists():
        people(folder)
        KillSwitch.create(folder / "kill.json")
        Journal.create(folder / "gate.journal", sync=False).close()
    from paceline.guard.people import People

    switch = KillSwitch(folder / "kill.json", People.load(known))
    return Gate(switch, journal=folder / "gate.journal", sync=False)
