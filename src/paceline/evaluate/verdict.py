"""What a backtest says, in a sentence and with its doubt: which policy cost least, and how surely.

Policies are compared on the same parent orders, so that the market's moves, which are most of the
noise, cancel. Those that filled alike are ranked (`evaluate.fill_floor`), and those that filled
less are named and left out: what was left counts at the mid of the end, a price at which it did not
trade.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from paceline.evaluate.fill_floor import fill_floor
from paceline.evaluate.outcomes import Outcomes
from paceline.evaluate.paired import PairedDifference, basis, paired_difference
from paceline.evaluate.per_order import SIMULATED
from paceline.page.cells import listed, plain, plural, signed

WHOLE = 0.99
"""Mean fill rate from which an order counts as executed."""


class Verdict(NamedTuple):
    """The comparison of all policies of one result."""

    central: str
    """The fill model that the text speaks of: calibrated, if it was run."""
    baseline: str
    """The policy the others are compared with: the first."""
    summary: list[dict[str, Any]]
    """`Outcomes.summary()`."""
    differences: dict[tuple[str, str], PairedDifference]
    """(policy, fill model) -> its cost less the baseline's; the baseline itself is left out."""
    ranking: dict[str, list[str]]
    """Fill model -> policies that filled alike, least mean shortfall first."""
    headline: str
    details: list[str]

    @property
    def is_single(self) -> bool:
        """Whether one parent order was worked: its page is about that order."""
        return all(row["orders"] == 1 for row in self.summary)

    def compares(self, model: str) -> bool:
        """Whether all policies filled their orders alike, so that their costs compare."""
        rates = self.fill_rates(model)
        return max(rates) > 0.0 and min(rates) >= fill_floor(*rates)

    def left_out(self, model: str) -> dict[str, float]:
        """Fill rates of the policies that filled less than the ranked ones, least first."""
        rates = dict(zip(self.policies, self.fill_rates(model), strict=True))
        apart = [policy for policy in rates if policy not in self.ranking[model]]
        return {policy: rates[policy] for policy in sorted(apart, key=rates.__getitem__)}

    @property
    def policies(self) -> list[str]:
        """All policies, in the order of the summary."""
        return list(dict.fromkeys(row["policy"] for row in self.summary))

    def fill_rates(self, model: str) -> list[float]:
        """Mean fill rate of each policy under `model`, in the order of the summary."""
        return [row["fill_rate"] for row in self.summary if row["fill_model"] == model]

    def row(self, policy: str, model: str) -> dict[str, Any]:
        """The summary row of one policy and fill model."""
        for row in self.summary:
            if (row["policy"], row["fill_model"]) == (policy, model):
                return row
        raise KeyError((policy, model))


def judge(result: Outcomes) -> Verdict:
    """Compare the policies of `result`."""
    summary = result.summary()
    models, policies = result.fill_models, result.policies
    central = "calibrated" if "calibrated" in models else models[0]
    cost = {(row["policy"], row["fill_model"]): row["is_mean_bps"] for row in summary}
    filled = {(row["policy"], row["fill_model"]): row["fill_rate"] for row in summary}
    ranking = {}
    for model in models:
        floor = fill_floor(*(filled[policy, model] for policy in policies))
        alike = [policy for policy in policies if filled[policy, model] >= floor]
        ranking[model] = sorted(alike, key=lambda policy: cost[policy, model])
    verdict = Verdict(
        central=central,
        baseline=policies[0],
        summary=summary,
        differences={
            (policy, model): compare(result, policy, policies[0], model)
            for model in models
            for policy in policies[1:]
        },
        ranking=ranking,
        headline="",
        details=[],
    )
    headline, details = _say(result, verdict)
    return verdict._replace(headline=headline, details=details)


def compare(result: Outcomes, policy: str, other: str, model: str) -> PairedDifference:
    """Shortfall of `policy` less that of `other`, on the same orders."""
    rows, against = result.select(policy, model), result.select(other, model)
    return paired_difference(rows["shortfall_bps"], against["shortfall_bps"], result.clusters())


def _say(result: Outcomes, verdict: Verdict) -> tuple[str, list[str]]:
    central, ranking = verdict.central, verdict.ranking
    best = ranking[central][0]
    row = verdict.row(best, central)
    cost = f"{plain(row['is_mean_bps'])} bps"
    average = " on average" if row["orders"] > 1 else ""
    if len(result.policies) == 1:
        headline = f"{best} cost {cost} of arrival notional{average}{_filled(row)}."
        return headline, [_alone(result, row), *_other_models(result, verdict)]
    rates, apart = verdict.fill_rates(central), verdict.left_out(central)
    if max(rates) == 0.0:
        headline = "No policy can be called the cheapest: nothing was filled."
        return headline, _all_costs(result, verdict)
    if len(ranking[central]) < 2:
        return _incomparable(best, max(rates), apart), _all_costs(result, verdict)
    headline = f"{best} cost least: {cost} of arrival notional{average}{_filled(row)}."
    runner_up = ranking[central][1]
    details = [
        _against(compare(result, best, runner_up, central), runner_up, central),
        *_other_models(result, verdict),
    ]
    if apart:
        they = "they" if len(apart) > 1 else "it"
        headline += f" Not ranked, because {they} filled less: {_named(apart)}."
        details = [*details, *_all_costs(result, verdict)]
    return headline, details


def _incomparable(best: str, most: float, apart: dict[str, float]) -> str:
    return (
        f"No policy can be called the cheapest: they filled different shares ({best} "
        f"{_share(most)} of the quantity, {_named(apart)}), so their costs do not compare."
    )


_MOST_NAMED = 3
"""A longer list would not be read; the details name all."""


def _named(apart: dict[str, float]) -> str:
    """Policies with what they filled."""
    said = [f"{policy} {_share(rate)}" for policy, rate in apart.items()]
    if len(said) > _MOST_NAMED:
        said = [*said[: _MOST_NAMED - 1], f"{len(said) - _MOST_NAMED + 1} others"]
    return listed(said)


def _filled(row: dict[str, Any]) -> str:
    """What was filled, where that is not the whole quantity."""
    rate = row["fill_rate"]
    return "" if rate >= WHOLE else f", with {_share(rate)} of the quantity filled"


def _all_costs(result: Outcomes, verdict: Verdict) -> list[str]:
    """What each policy cost with what it filled, where that is no ranking."""
    rows = [verdict.row(policy, verdict.central) for policy in result.policies]
    said = [
        f"{row['policy']} {plain(row['is_mean_bps'])} bps ({_share(row['fill_rate'])} filled)"
        for row in rows
    ]
    where = _under(verdict.central).capitalize()
    return [f"{where}: {listed(said)}; what was not filled counts at the mid of the end."]


def _share(value: float) -> str:
    """A share as whole percent; what is not all is never shown as all, nor a little as nothing."""
    percent = 100.0 * value
    if 0.0 < percent < 1.0:
        return "less than 1 %"
    return f"{plain(percent, 1 if 99.0 <= percent < 100.0 else 0)} %"


def _alone(result: Outcomes, row: dict[str, Any]) -> str:
    cost = result.select(row["policy"], row["fill_model"])["shortfall_bps"]
    pair = paired_difference(cost, 0.0 * cost, result.clusters())
    if math.isnan(pair.low_bps):
        return basis(pair)
    return (
        f"With a standard error of {plain(row['is_std_error_bps'])} bps the 95 % interval runs "
        f"from {signed(pair.low_bps)} to {signed(pair.high_bps)} bps. {basis(pair)}"
    )


def _against(pair: PairedDifference, other: str, model: str) -> str:
    if pair.n == 0:
        return f"No order has a cost under both it and {other}."
    if math.isnan(pair.low_bps):
        return (
            f"That is {plain(-pair.mean_bps)} bps less than {other} on the same "
            f"{plural(pair.n, 'order')}, {_under(model)}, which decides nothing: {basis(pair)}"
        )
    if pair.low_bps == pair.high_bps == 0.0:
        return f"The next, {other}, cost exactly the same {_under(model)}."
    bounds = f"95 % interval {plain(-pair.high_bps)} to {plain(-pair.low_bps)}"
    if pair.high_bps < 0.0:
        text = (
            f"That is {plain(-pair.mean_bps)} bps less than the next, {other}, on the same "
            f"{plural(pair.n, 'order')} ({bounds}), {_under(model)}."
        )
    else:
        text = (
            f"The next, {other}, cost {plain(-pair.mean_bps)} bps more on the same "
            f"{plural(pair.n, 'order')} ({bounds}), {_under(model)}: too close to call."
        )
    return f"{text} {basis(pair)}"


def _under(model: str) -> str:
    return "in a market that answers" if model == SIMULATED else f"under the {model} fill model"


def _ranks(verdict: Verdict, model: str, best: str) -> bool:
    """Whether `best` is ranked among others under `model`."""
    alike = verdict.ranking[model]
    return best in alike and len(alike) > 1 and max(verdict.fill_rates(model)) > 0.0


def _other_models(result: Outcomes, verdict: Verdict) -> list[str]:
    if result.answers:
        return ["Each order was worked in a simulated market of its own, which answered."]
    others = [model for model in result.fill_models if model != verdict.central]
    if not others:
        return [f"Only the {verdict.central} fill model was run; a band of all three shows more."]
    best = verdict.ranking[verdict.central][0]

    def cost(policy: str, model: str) -> str:
        return f"{plain(verdict.row(policy, model)['is_mean_bps'])} bps"

    if len(result.policies) == 1:
        parts = [f"{cost(best, m)} under {m}" for m in others]
        return [f"It cost {listed(parts)} fills."]
    apart = [m for m in others if not _ranks(verdict, m, best)]
    others = [m for m in others if m not in apart]
    same = [m for m in others if verdict.ranking[m][0] == best]
    said = []
    if same:
        parts = [f"{m} ({cost(best, m)})" for m in same]
        said.append(f"It is also least under {listed(parts)} fills.")
    for model in others:
        if model not in same:
            other = verdict.ranking[model][0]
            said.append(
                f"Under {model} fills {other} cost least ({cost(other, model)}; {best} "
                f"{cost(best, model)})."
            )
    if apart:
        said.append(f"Under {listed(apart)} fills they filled different shares, or nothing.")
    return said
