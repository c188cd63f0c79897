"""Parent orders of one symbol with other lots and ticks: their sum is in shares and currency."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guard.desk import add, buy, instrument, mandate, sell
from guard.states import NOW
from paceline.errors import OrderError
from paceline.guard.counting import MOST_UNITS_IN_ONE
from paceline.guard.gate import Gate, Request
from paceline.guard.grids import Grid
from paceline.guard.kill_switch import KillSwitch
from paceline.guard.reasons import names
from paceline.guard.rules import REPLACE


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(KillSwitch.create(tmp_path / "kill.json"))


def test_limits_hold_for_shares_over_lots_of_other_sizes(gate: Gate) -> None:
    limits: dict[str, Any] = {"max_position": 1000, "max_working": 1000}
    add(gate, "a", "100", "0.01", **limits)
    add(gate, "b", "1", "0.0001", **limits)
    gate.holds("ACME", 0)
    assert gate.check(buy("a", "a1", 1999, 9), NOW).allowed  # 900 shares
    refused = gate.check(buy("b", "b1", 199_900, 101), NOW)
    assert names(refused.bits) == ("position", "working_lots")
    assert "position_lots could become 1001, limit 1000" in refused.reasons[0]
    assert gate.check(buy("b", "b1", 199_900, 100), NOW).allowed
    assert names(gate.check(buy("a", "a2", 1999, 1), NOW).bits) == ("position", "working_lots")
    gate.filled("b1", 40, NOW)
    gate.over("b1")
    # 900 work and 40 are held: of 60 shares that are left, no lot of 100 can be made.
    assert names(gate.check(buy("a", "a2", 1999, 1), NOW).bits) == ("position",)
    assert names(gate.check(buy("b", "b2", 199_900, 61), NOW).bits) == ("position",)
    assert gate.check(buy("b", "b2", 199_900, 60), NOW).allowed


@pytest.mark.parametrize("coarse_first", [True, False])
def test_our_own_orders_are_met_at_prices_not_at_ticks(gate: Gate, coarse_first: bool) -> None:
    add(gate, "s", "1", "0.0001" if coarse_first else "0.01", "sell")
    add(gate, "b", "1", "0.01" if coarse_first else "0.0001")
    gate.holds("ACME", 10**6)
    fine, coarse = (200_150, 2001) if coarse_first else (2002, 200_199)
    assert gate.check(sell("s", "s1", fine, 10), NOW).allowed
    # 20.015 is offered: 20.01 rests below it, 20.02 would meet it; 20.02: 20.0199 and 20.02.
    assert gate.check(buy("b", "b1", coarse, 10), NOW).allowed
    assert names(gate.check(buy("b", "b2", coarse + 1, 10), NOW).bits) == ("self_match",)


def test_a_bid_on_a_fine_grid_is_met_from_a_coarse_one(gate: Gate) -> None:
    add(gate, "b", "1", "0.0001")
    add(gate, "s", "1", "0.01", "sell")
    gate.holds("ACME", 10**6)
    assert gate.check(buy("b", "b1", 200_050, 10), NOW).allowed
    assert names(gate.check(sell("s", "s1", 2000, 10), NOW).bits) == ("self_match",)
    assert gate.check(sell("s", "s1", 2001, 10), NOW).allowed


def test_a_position_is_in_shares_and_need_not_be_whole_lots(gate: Gate) -> None:
    add(gate, "a", "100", "0.01", max_position=1000)
    gate.holds("ACME", 150)
    assert names(gate.check(buy("a", "a1", 1999, 9), NOW).bits) == ("position",)
    assert gate.check(buy("a", "a1", 1999, 8), NOW).allowed
    gate.over("a1")
    gate.holds("ACME", 200)
    assert gate.check(buy("a", "a2", 1999, 8), NOW).allowed
    add(gate, "s", "100", "0.01", "sell", max_position=1000)
    gate.see("s", located_lots=0)
    gate.holds("ACME", 150.5)  # a sell may not go below what is held, rounded down
    assert names(gate.check(sell("s", "s1", 2003, 2), NOW).bits) == ("uncovered",)
    assert gate.check(sell("s", "s1", 2003, 1), NOW).allowed


def test_participation_is_of_shares(gate: Gate) -> None:
    limits: dict[str, Any] = {"symbol_participation": 0.1}
    add(gate, "a", "100", "0.01", **limits)
    add(gate, "b", "1", "0.01", **limits)
    gate.holds("ACME", 0)
    gate.see("a", others_lots=90)  # 9,000 shares: 1,000 may be ours
    gate.see("b", others_lots=9000)
    assert gate.check(buy("a", "a1", 1999, 9), NOW).allowed
    gate.filled("a1", 9, NOW)
    assert names(gate.check(buy("b", "b1", 1999, 101), NOW).bits) == ("symbol_participation",)
    assert gate.check(buy("b", "b1", 1999, 100), NOW).allowed
    assert names(gate.check(buy("a", "a2", 1999, 1), NOW).bits) == ("symbol_participation",)


def test_a_duplicate_has_the_same_price_and_size(gate: Gate) -> None:
    for name, lot, tick in (("a", "100", "0.01"), ("b", "1", "0.0001")):
        add(gate, name, lot, tick, duplicate_s=10)
    gate.holds("ACME", 0)
    assert gate.check(buy("a", "a1", 1999, 2), NOW).allowed
    assert names(gate.check(buy("b", "b1", 199_900, 200), NOW).bits) == ("duplicate",)
    assert gate.check(buy("b", "b1", 199_900, 2), NOW).allowed
    assert gate.check(buy("b", "b2", 199_901, 200), NOW).allowed
    assert names(gate.check(buy("a", "a2", 1999, 2), NOW).bits) == ("duplicate",)


def test_what_is_counted_survives_a_finer_grid(gate: Gate) -> None:
    limits: dict[str, Any] = {"max_position": 1000, "duplicate_s": 10}
    add(gate, "a", "100", "0.01", **limits)
    gate.holds("ACME", 100)
    assert gate.check(buy("a", "a1", 1999, 4), NOW).allowed
    gate.filled("a1", 1, NOW)
    add(gate, "b", "0.1", "0.005", **limits)
    refused = gate.check(buy("b", "b1", 3998, 5001), NOW)
    assert "position_lots could become 10001, limit 10000" in refused.reasons[0]
    assert names(gate.check(buy("b", "b1", 3998, 4000), NOW).bits) == ("duplicate",)
    assert gate.check(buy("b", "b1", 3998, 5000), NOW).allowed
    gate.over("a1")
    assert gate.check(buy("b", "b2", 3998, 3000), NOW).allowed
    assert names(gate.check(buy("b", "b3", 3998, 1), NOW).bits) == ("position",)


@pytest.mark.parametrize("side", [1, -1], ids=["buy", "sell"])
def test_a_replace_on_its_way_survives_a_finer_grid(gate: Gate, side: int) -> None:
    """Once it is confirmed, the order has the price and the shares that were asked for."""
    words = ("buy", "sell") if side > 0 else ("sell", "buy")
    limits: dict[str, Any] = {"max_working": 1000}
    add(gate, "a", "100", "0.01", words[0], **limits)
    gate.holds("ACME", 10**6)
    first, then = (1999, 1990) if side > 0 else (2003, 2010)
    send = buy if side > 0 else sell
    assert gate.check(send("a", "a1", first, 9), NOW).allowed
    assert gate.check(Request("a", "a1", REPLACE, side, 0, then, 6), NOW).allowed
    gate.filled("a1", 2, NOW)
    add(gate, "b", "1", "0.005", words[0], **limits)
    add(gate, "c", "1", "0.005", words[1], **limits)
    # 700 may still trade of what rests now, and 400 once it is replaced.
    assert names(gate.check(send("b", "b1", 2 * then, 301), NOW).bits) == ("working_lots",)
    gate.replaced("a1")
    assert names(gate.check(send("b", "b1", 2 * then, 601), NOW).bits) == ("working_lots",)
    meets = (sell if side > 0 else buy)("c", "c1", 2 * then, 600)
    assert names(gate.check(meets, NOW).bits) == ("self_match",)
    assert gate.check(meets._replace(ticks=2 * then + side), NOW).allowed
    gate.over("c1")
    assert gate.check(send("b", "b1", 2 * then, 600), NOW).allowed


def test_what_traded_before_a_finer_grid_takes_part_in_shares(gate: Gate) -> None:
    limits: dict[str, Any] = {"symbol_participation": 0.1}
    add(gate, "a", "100", "0.01", **limits)
    gate.holds("ACME", 0)
    assert gate.check(buy("a", "a1", 1999, 9), NOW).allowed
    gate.filled("a1", 9, NOW)
    add(gate, "b", "1", "0.01", **limits)
    gate.see("b", others_lots=9000)  # 1,000 shares may be ours, and 900 traded
    assert names(gate.check(buy("b", "b1", 1999, 101), NOW).bits) == ("symbol_participation",)
    assert gate.check(buy("b", "b1", 1999, 100), NOW).allowed


def test_counts_are_the_same_whenever_the_grid_was_made_finer(tmp_path: Path) -> None:
    """A parent order with a finer grid is added before each step of another one's orders: all that
    is counted in the end is as if it had been there from the start."""
    steps = [
        lambda gate: gate.holds("ACME", 1500),
        lambda gate: gate.check(buy("a", "a1", 1999, 9), NOW),
        lambda gate: gate.check(Request("a", "a1", REPLACE, 1, 0, 1990, 6), NOW),
        lambda gate: gate.filled("a1", 2, NOW),
        lambda gate: gate.check(buy("a", "a2", 1998, 5), NOW + 1),
        lambda gate: gate.replaced("a1"),
        lambda gate: gate.check(Request("a", "a2", REPLACE, 1, 0, 1997, 7), NOW + 2),
        lambda gate: gate.filled("a2", 1, NOW + 3),
    ]
    ends = []
    for finer_at in range(len(steps) + 1):
        gate = Gate(KillSwitch.create(tmp_path / f"kill-{finer_at}.json"))
        add(gate, "a", "100", "0.01")
        for at, step in enumerate(steps):
            if at == finer_at:
                gate.add(mandate("b", "0.5", "0.004"))
            told = step(gate)
            assert told is None or told.allowed
        if finer_at == len(steps):
            gate.add(mandate("b", "0.5", "0.004"))
        ends.append(gate._ledger.counters)
    for later in ends[1:]:
        for name, one, other in zip(later._fields, ends[0], later, strict=True):
            np.testing.assert_array_equal(one, other, name)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"lot": "0.00000001"}, "instrument.lot: 100 cannot be counted together with the symbol's"),
        ({"tick": "0.000000000001"}, "instrument.book_tick: 0.01 cannot be counted together"),
        ({"currency": "EUR"}, "instrument.currency: 'EUR' is not the 'USD' of 'a' on ACME"),
        ({"symbol": "acme"}, "parent.symbol: 'acme' may be taken for 'ACME', which is there"),
        ({"symbol": "\u0410CME"}, "parent.symbol: .* may be taken for 'ACME', which is there"),
        ({"order_id": "A"}, "parent.order_id: 'A' may be taken for 'a', which is there"),
        ({"policy": "p\u200b1"}, "mandate.policy: .* invisible characters"),
    ],
    ids=ascii,
)
def test_what_cannot_share_a_count_is_refused_by_name(
    gate: Gate, other: dict[str, str], says: str
) -> None:
    gate.add(mandate("a", "100", "0.01"))
    given = {"order_id": "b", "lot": "100", "tick": "0.01", **other}
    with pytest.raises(OrderError, match=f"^{says}"):
        gate.add(mandate(**given))  # type: ignore[arg-type]
    add(gate, "c", "1", "0.001")  # nothing of it is there
    gate.holds("ACME", 0)
    assert gate.check(buy("c", "c1", 19_999, 1), NOW).allowed


def test_positions_that_cannot_be_counted_are_refused(gate: Gate) -> None:
    add(gate, "a", "1", "0.01")
    for shares in (1e-10, 9e18):
        with pytest.raises(OrderError, match=r"^(position|instrument.lot): "):
            gate.holds("ACME", shares)
    gate.holds("acme", -100)


def test_the_unit_is_the_largest_that_all_are_multiples_of() -> None:
    grid = Grid.of(instrument("0.3", "0.01")).joined(instrument("0.5", "0.004"))
    assert (str(grid.size), str(grid.price)) == ("1/10", "1/500")
    assert grid.units_in(instrument("0.5", "0.004")) == (5, 2)
    with pytest.raises(OrderError, match="at most 1073741824"):
        grid.units_in(instrument(str(MOST_UNITS_IN_ONE), "0.01"))
