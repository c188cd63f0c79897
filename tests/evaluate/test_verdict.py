"""What a backtest says: who is ranked, who is left out, and how sure it is."""

from __future__ import annotations

import pytest

from evaluate.comparisons import comparison
from paceline.evaluate.report import summary_table
from paceline.evaluate.verdict import judge


def test_those_that_filled_alike_are_ranked_and_the_others_are_named() -> None:
    """One policy that leaves shares over keeps nothing from being said of the others."""
    costs = {"ac": 6.0, "twap": 5.0, "lazy": 2.0}
    verdict = judge(comparison(costs, fill_rates={"lazy": 0.9, "twap": 0.995}))
    assert verdict.headline == (
        "twap cost least: 5.00 bps of arrival notional on average. Not ranked, because it filled "
        "less: lazy 90 %."
    )
    assert verdict.ranking["calibrated"] == ["twap", "ac"]
    assert verdict.left_out("calibrated") == {"lazy": pytest.approx(0.9)}
    assert not verdict.compares("calibrated")
    said = " ".join(verdict.details)
    assert said.startswith("That is 1.00 bps less than the next, ac, on the same 200 orders")
    assert "lazy 2.00 bps (90 % filled)" in said
    least = [row[0].text for row in summary_table(verdict).rows if row[2].kind == "least"]
    assert least == ["twap"] * 3


def test_where_all_filled_alike_none_is_left_out() -> None:
    verdict = judge(comparison({"ac": 6.0, "twap": 5.0}))
    assert verdict.headline == "twap cost least: 5.00 bps of arrival notional on average."
    assert verdict.left_out("calibrated") == {}
    assert verdict.compares("calibrated")


def test_filling_less_alike_is_said_with_the_answer() -> None:
    verdict = judge(comparison({"ac": 6.0, "twap": 5.0}, fill_rates={"ac": 0.6, "twap": 0.604}))
    assert verdict.headline == (
        "twap cost least: 5.00 bps of arrival notional on average, with 60 % of the quantity "
        "filled."
    )


def test_one_that_filled_alone_has_no_rival() -> None:
    rates = {"twap": 0.5, "pov": 0.7}
    verdict = judge(comparison({"ac": 6.0, "twap": 5.0, "pov": 4.0}, fill_rates=rates))
    assert verdict.headline == (
        "No policy can be called the cheapest: they filled different shares (ac 100 % of the "
        "quantity, twap 50 % and pov 70 %), so their costs do not compare."
    )
    nothing = judge(comparison({"ac": 6.0, "twap": 5.0}, fill_rates={"ac": 0.0, "twap": 0.0}))
    assert nothing.headline == "No policy can be called the cheapest: nothing was filled."


def test_a_long_list_is_cut_in_the_headline_and_whole_below() -> None:
    costs = {"ac": 6.0, "twap": 5.0, **{f"p{k}": 1.0 for k in range(5)}}
    rates = {f"p{k}": 0.1 * (k + 1) for k in range(5)}
    verdict = judge(comparison(costs, fill_rates=rates))
    assert verdict.headline.endswith("filled less: p0 10 %, p1 20 % and 3 others.")
    assert all(f"p{k} 1.00 bps" in " ".join(verdict.details) for k in range(5))


def test_under_other_fill_models_the_same_rule_holds() -> None:
    costs = {
        "ac": {"pessimistic": 5.0, "calibrated": 6.0, "optimistic": 6.0},
        "twap": {"pessimistic": 7.0, "calibrated": 5.0, "optimistic": 4.0},
    }
    said = " ".join(judge(comparison(costs)).details)
    assert "It is also least under optimistic (4.00 bps) fills." in said
    assert "Under pessimistic fills ac cost least (5.00 bps; twap 7.00 bps)." in said


@pytest.mark.parametrize(("days", "sure"), [(20, True), (4, False)])
def test_a_single_policy_has_an_interval_over_days_or_none(days: int, sure: bool) -> None:
    found = comparison({"ac": 6.0}, days=days)
    (text, *_) = judge(found).details
    row = judge(found).row("ac", "calibrated")
    if sure:
        low, high = row["is_low_bps"], row["is_high_bps"]
        assert f"runs from {low:+.2f} to {high:+.2f} bps.".replace("-", "\N{MINUS SIGN}") in text
        assert "over 10 days" in text
    else:
        assert text.startswith("There is no interval, for there are 2 days")


def test_two_policies_on_two_days_decide_nothing() -> None:
    said = " ".join(judge(comparison({"ac": 6.0, "twap": 5.0}, days=4)).details)
    assert "1.00 bps less than ac on the same 200 orders" in said
    assert "which decides nothing: There is no interval" in said
