"""What a comparison says, and when it must not be believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluate.comparisons import N, comparison
from paceline.evaluate.compare_verdict import leader_of, limits_kept, verdict_of


def test_a_saving_is_said_with_its_interval() -> None:
    verdict = verdict_of(comparison({"ac tuned": 6.0, "new": 5.0}))
    assert verdict.headline.startswith(
        "new cost 5.00 bps, 1.00 bps less than ac tuned (17 %): 95 % interval 0."
    )
    assert verdict.alarms == []
    assert "taking 0.90 bps saved and timing 0.10 bps saved" not in verdict.details[0]
    assert "taking 0.90 bps saved" in verdict.details[0]  # timing is noise, so not clear


def test_nobody_wins_who_costs_more() -> None:
    verdict = verdict_of(comparison({"ac tuned": 5.0, "new": 6.0, "other": 7.0}))
    assert verdict.headline.startswith(
        "No policy beat ac tuned. The nearest, new, cost 1.00 bps more: 95 % interval "
    )
    alone = verdict_of(comparison({"ac tuned": 5.0, "new": 6.0}))
    assert alone.headline.startswith("new did not beat ac tuned.")


@pytest.mark.parametrize(("cost", "word"), [(4.95, "less"), (5.05, "more")])
def test_what_may_be_chance_is_not_called_a_saving(cost: float, word: str) -> None:
    verdict = verdict_of(comparison({"ac tuned": 5.0, "new": cost}, noise_bps=8.0))
    assert verdict.headline.startswith("No saving over ac tuned is proven.")
    assert f"new, cost 0.05 bps {word}" in verdict.headline
    assert "holds 0" in verdict.headline


@pytest.mark.parametrize(("cost", "alarmed"), [(7.1, False), (6.9, True), (2.0, True)])
def test_a_gain_above_thirty_percent_is_a_fault_until_it_is_explained(
    cost: float, alarmed: bool
) -> None:
    verdict = verdict_of(comparison({"ac tuned": 10.0, "new": cost}))
    assert bool(verdict.alarms) == alarmed
    if alarmed:
        assert f"new costs {10 * (10 - cost):.0f} % less than ac tuned" in verdict.alarms[0]
        assert "is a fault of the measurement until it is explained in writing" in verdict.alarms[0]
        assert "No explanation was given; do not use these figures." in verdict.alarms[0]


def test_a_gain_over_a_baseline_that_is_not_tuned_says_little() -> None:
    (alarm,) = verdict_of(comparison({"ac": 10.0, "new": 5.0}, tuned=False)).alarms
    assert alarm.startswith("new costs 50 % less than ac under ")
    assert "ac was not tuned, and a gain of so much over a weak baseline says little" in alarm
    assert verdict_of(comparison({"ac": 10.0, "new": 7.5}, tuned=False)).alarms == []


def test_one_fill_model_is_enough_for_alarm() -> None:
    costs = {"ac tuned": 10.0, "new": {"pessimistic": 9.0, "calibrated": 8.0, "optimistic": 6.0}}
    (alarm,) = verdict_of(comparison(costs)).alarms
    assert "40 % less than ac tuned under optimistic fills" in alarm


def test_an_explanation_is_shown_with_the_alarm() -> None:
    found = comparison(
        {"ac tuned": 10.0, "new": 5.0}, explanation="It earns rebates, which AC pays."
    )
    (alarm,) = verdict_of(found).alarms
    assert alarm.endswith("The explanation given: It earns rebates, which AC pays.")
    assert "is a fault" in alarm


def test_who_looks_ahead_neither_leads_nor_alarms() -> None:
    found = comparison({"ac tuned": 10.0, "oracle": -20.0, "new": 9.0}, ahead=frozenset({"oracle"}))
    verdict = verdict_of(found)
    assert verdict.leader == "new"
    assert verdict.alarms == []
    assert any("oracle looks ahead" in detail for detail in verdict.details)


def test_less_done_is_not_cheaper() -> None:
    """Who leaves shares over at the mid of the end is not compared; who leaves few is told so."""
    rates = {"lazy": 0.97, "new": 0.995}
    found = comparison({"ac tuned": 10.0, "lazy": 7.5, "new": 9.0}, fill_rates=rates)
    verdict = verdict_of(found)
    assert leader_of(found) == "new"
    assert any("it filled less of its orders: lazy" in detail for detail in verdict.details)
    # Half a percent of the order, at the 9 bps that the baseline pays for taking all of its own.
    (left,) = [detail for detail in verdict.details if "unfilled" in detail]
    assert "left 0.5 % more" in left
    assert "9.0 bps, that is 0.05 bps of the order in its favour" in left
    more = {"ac tuned": 0.97, "whole": 1.0}
    whole = comparison({"ac tuned": 10.0, "whole": 9.0}, fill_rates=more)
    assert leader_of(whole) == "whole", "who does more has no advantage of it"
    nobody = verdict_of(comparison({"ac tuned": 10.0, "lazy": 7.5}, fill_rates=rates))
    assert nobody.leader is None
    assert nobody.headline.startswith("Nothing can be compared with ac tuned")


def test_a_policy_fills_as_much_as_the_naive_schedule_too() -> None:
    """A tuned baseline may fill a percent less than the naive one; a policy not two."""
    costs = {"ac tuned": 10.0, "ac": 11.0, "lazy": 7.5, "new": 9.0}
    rates = {"ac tuned": 0.982, "ac": 0.99, "lazy": 0.975, "new": 0.981}
    found = comparison(costs, fill_rates=rates)
    assert found.fill_floor("calibrated") == pytest.approx(0.98)
    assert not found.comparable("lazy", "calibrated"), "0.7 % less than the tuned, 1.5 % than naive"
    assert found.comparable("new", "calibrated")
    assert leader_of(found) == "new"
    (apart,) = [detail for detail in verdict_of(found).details if "Not compared" in detail]
    assert "lazy (ac tuned 98.2 %, ac 99.0 % and lazy 97.5 %)" in apart
    told = found.as_dict()["against_baseline"]
    assert {row["policy"]: row["comparable"] for row in told} == {
        "ac": True, "lazy": False, "new": True,
    }  # fmt: skip
    assert found.without({"ac"}).fill_floor("calibrated") == pytest.approx(0.98), "one rule for all"
    # A naive schedule that is no more than a rival sets no floor.
    other = comparison({"twap": 10.0, **costs}, fill_rates={"twap": 0.98, **rates})
    assert other.fill_floor("calibrated") == pytest.approx(0.97)


def test_benchmarks_of_policies_demand_the_same_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    from benchmarks.against_tuned import against

    costs = {"ac tuned": 10.0, "ac": 11.0, "run/1": 7.5, "run/2": 9.0}
    rates = {"ac tuned": 0.982, "ac": 0.99, "run/1": 0.975, "run/2": 0.981}
    told = against(comparison(costs, fill_rates=rates), "calibrated")
    assert told.told()["fill_rate"] == [0.975, 0.981]
    assert told.told()["fill_floor"] == 0.98
    assert not told.fills
    assert not told.told()["fills"]
    assert against(comparison(costs, fill_rates={**rates, "run/1": 0.98}), "calibrated").fills


def test_the_cheapest_of_several_is_shown_with_an_interval_for_that() -> None:
    alone = verdict_of(comparison({"ac tuned": 5.0, "new": 4.0}))
    assert not any("Bonferroni" in detail for detail in alone.details)
    # Too lazy to be compared, or looking ahead: no rival.
    rates = {"lazy": 0.9}
    costs = {"ac tuned": 5.0, "new": 4.0, "oracle": 1.0, "lazy": 2.0}
    one = verdict_of(comparison(costs, fill_rates=rates, ahead=frozenset({"oracle"})))
    assert not any("Bonferroni" in detail for detail in one.details)
    found = comparison({"ac tuned": 5.0, "new": 4.7, "other": 5.1, "third": 5.2})
    (said,) = [detail for detail in verdict_of(found).details if "Bonferroni" in detail]
    plain, wide = found.sureness("new", "calibrated").mean, found.among("new", "calibrated", 3)
    assert wide.mean_bps == plain.mean_bps
    assert wide.low_bps < plain.low_bps < plain.high_bps < wide.high_bps
    assert found.among("new", "calibrated", 1) == plain
    bounds = f"{wide.low_bps:.2f} to {wide.high_bps:.2f} bps".replace("-", "\N{MINUS SIGN}")
    assert said.startswith("It is the cheapest of 3 rivals")
    assert f"(Bonferroni, 98.3 % each) is {bounds}" in said
    assert ("holds 0" in said) == (wide.high_bps >= 0.0)
    many = comparison({"ac tuned": 5.0, **{f"p{k}": 6.0 + k for k in range(21)}})
    assert any("Bonferroni, 99.8 % each" in detail for detail in verdict_of(many).details)


def test_a_sign_that_depends_on_the_queue_is_said() -> None:
    costs = {"ac": 10.0, "new": {"pessimistic": 11.0, "calibrated": 9.0, "optimistic": 8.5}}
    said = " ".join(verdict_of(comparison(costs)).details)
    assert "its sign depends on the queue, which nobody knows" in said
    steady = " ".join(verdict_of(comparison({"ac": 10.0, "new": 9.0})).details)
    assert "depends on the queue" not in steady


def test_what_intervals_rest_on_is_said() -> None:
    def said(days: int) -> str:
        return " ".join(verdict_of(comparison({"ac": 10.0, "new": 9.0}, days=days)).details)

    assert "Student's t with 9 degrees of freedom over 10 days: orders of one day share" in said(20)
    assert "Student's t with 3 degrees of freedom over 4 days" in said(8)
    assert "There is no interval, for there are 2 days: an interval takes 3 days or more." in said(
        4
    )


def test_with_too_few_days_nothing_is_proven_and_that_is_said() -> None:
    verdict = verdict_of(comparison({"ac": 10.0, "new": 9.0}, days=4))
    assert verdict.headline == (
        "new cost 9.00 bps, 1.00 bps less than ac on these orders, and nothing is proven: 2 days: "
        "an interval takes 3 days or more."
    )


@pytest.mark.parametrize("difference", [-1.2, -0.5, -0.2, 0.1, 0.6])
def test_headline_interval_p_and_saving_never_contradict_each_other(difference: float) -> None:
    """Over noise that makes of the difference all from certain to nothing."""
    for noise in (0.5, 2.0, 6.0, 20.0):
        found = comparison({"ac": 5.0, "new": 5.0 + difference}, noise_bps=noise)
        told = found.as_dict()["against_baseline"]
        for row in told:
            clear = row["low_bps"] > 0.0 or row["high_bps"] < 0.0
            assert clear == (row["p"] < 0.05)
            if row["saving"]["low"] is not None:
                assert clear == (row["saving"]["low"] > 0.0 or row["saving"]["high"] < 0.0)
        (central,) = [row for row in told if row["fill_model"] == "calibrated"]
        assert ("holds 0" in verdict_of(found).headline) == (central["p"] >= 0.05)


def test_seeds_are_told_where_there_are_several() -> None:
    one = " ".join(verdict_of(comparison({"ac": 10.0, "new": 8.0})).details)
    assert "seeds of orders" not in one
    five = " ".join(verdict_of(comparison({"ac": 10.0, "new": 8.0}, seeds=5)).details)
    assert "Of 5 seeds of orders, 5 alone are cheaper than ac at 95 % and 0 dearer" in five


def test_trainings_are_told_together() -> None:
    costs = {"ac": 10.0, "run/a/1": 8.0, "run/a/2": 9.0, "run/a/3": 12.0}
    found = comparison(costs, families={"run/a": ["run/a/1", "run/a/2", "run/a/3"]})
    said = " ".join(verdict_of(found).details)
    assert (
        "Of 3 trainings of run/a, 2 alone are cheaper than ac at 95 % and 1 dearer; their "
        "differences run from \N{MINUS SIGN}2.00 to 2.00 bps."
    ) in said


def test_broken_limits_are_told_by_name() -> None:
    found = comparison({"ac": 10.0, "new": 9.0})
    assert limits_kept(found).startswith(f"No limit was broken: of {30 * 6 * N:,} child orders")
    mine = (found.orders["policy"] == "new") & (found.orders["parent"] == 7)
    found.orders["violations"][mine] = 2
    assert limits_kept(found).startswith("Limits were broken: by new 6 times")
