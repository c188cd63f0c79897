"""What a backtest says, in a sentence and with its doubt: which policy cost least, and how surely.

Policies are compared on the same parent orders, so that the market's moves, which are most of the
noise, cancel. Where they filled different shares of those orders no policy is called the cheapest:
what was left counts at the mid of the end, a price at which nobody traded it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.evaluate.fill_floor import fill_floor
from paceline.evaluate.outcomes import Outcomes
from paceline.evaluate.paired import FEWEST_CLUSTERS, PairedDifference, paired_difference
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
    """Fill model -> policies, least mean shortfall first."""
    clusters: str
    """What orders that are alike share: `days`, or `tapes` where there are several symbols."""
    headline: str
    details: list[str]

    def compares(self, model: str) -> bool:
        """Whether all policies filled their orders alike, so that their costs compare."""
        rates = self.fill_rates(model)
        return min(rates) >= max(WHOLE, fill_floor(*rates))

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
    ranking = {model: sorted(policies, key=lambda policy: cost[policy, model]) for model in models}
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
        clusters="days" if len(set(result.parents["symbol"].tolist())) == 1 else "tapes",
        headline="",
        details=[],
    )
    headline, details = _say(result, verdict)
    return verdict._replace(headline=headline, details=details)


def compare(result: Outcomes, policy: str, other: str, model: str) -> PairedDifference:
    """Shortfall of `policy` less that of `other`, on the same orders."""
    rows, against = result.select(policy, model), result.select(other, model)
    return paired_difference(
        rows["shortfall_bps"], against["shortfall_bps"], clusters(rows["tape"])
    )


def clusters(tape: NDArray[Any]) -> NDArray[Any]:
    """What orders share: the day and name they were worked on."""
    return np.unique(tape, return_inverse=True)[1]


def _say(result: Outcomes, verdict: Verdict) -> tuple[str, list[str]]:
    central, ranking = verdict.central, verdict.ranking
    best = ranking[central][0]
    row = verdict.row(best, central)
    cost = f"{plain(row['is_mean_bps'])} bps"
    average = " on average" if row["orders"] > 1 else ""
    if len(result.policies) == 1:
        filled = row["fill_rate"]
        part = "" if filled >= WHOLE else f", with {_share(filled)} of the quantity filled"
        headline = f"{best} cost {cost} of arrival notional{average}{part}."
        return headline, [_alone(row), *_other_models(result, verdict)]
    if not verdict.compares(central):
        return _incomparable(result, verdict, central), _all_costs(result, verdict)
    headline = f"{best} cost least: {cost} of arrival notional{average}."
    runner_up = ranking[central][1]
    details = [
        _against(compare(result, best, runner_up, central), runner_up, central, verdict.clusters),
        *_other_models(result, verdict),
    ]
    return headline, details


def _incomparable(result: Outcomes, verdict: Verdict, model: str) -> str:
    rates = dict(zip(result.policies, verdict.fill_rates(model), strict=True))
    if min(rates.values()) < fill_floor(*rates.values()):
        # The lowest and the highest say it; a list of ten would not be read.
        low, high = min(rates, key=rates.__getitem__), max(rates, key=rates.__getitem__)
        return (
            f"No policy can be called the cheapest: they filled different shares ({low} "
            f"{_share(rates[low])} of the quantity, {high} {_share(rates[high])}), so their costs "
            "do not compare."
        )
    if max(rates.values()) == 0.0:
        return "No policy can be called the cheapest: nothing was filled."
    return (
        f"No policy can be called the cheapest: only {_share(min(rates.values()))} of the quantity "
        "was filled, and what was left has no price at which it traded."
    )


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


def _alone(row: dict[str, Any]) -> str:
    error = row["is_std_error_bps"]
    if math.isnan(error):
        return "One order has no standard error."
    low, high = row["is_mean_bps"] - 1.96 * error, row["is_mean_bps"] + 1.96 * error
    return (
        f"With a standard error of {plain(error)} bps the 95 % interval runs from {signed(low)} to "
        f"{signed(high)} bps."
    )


def _against(pair: PairedDifference, other: str, model: str, clusters: str) -> str:
    if pair.n == 0:
        return f"No order has a cost under both it and {other}."
    if math.isnan(pair.low_bps):
        return (
            f"That is {plain(-pair.mean_bps)} bps less than {other}, on a single order: one order "
            "shows no interval, and decides nothing."
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
    return text + _basis(pair, clusters)


def _under(model: str) -> str:
    return "in a market that answers" if model == SIMULATED else f"under the {model} fill model"


def _basis(pair: PairedDifference, names: str) -> str:
    if pair.by_cluster:
        return f" The interval resamples whole {names} ({pair.clusters} of them)."
    one = names.removesuffix("s")
    return (
        f" The interval resamples single orders, because {plural(pair.clusters, one)} "
        f"{'is' if pair.clusters == 1 else 'are'} fewer than {FEWEST_CLUSTERS}: orders of one "
        f"{one} are alike, so it is too narrow."
    )


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
    apart = [m for m in others if not verdict.compares(m)]
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
        said.append(f"Under {listed(apart)} fills they filled different shares, or not all.")
    return said
