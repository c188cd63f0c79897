"""What a comparison says, in sentences and with its doubt, and what makes it suspicious.

A saving that is too good is a fault of the measurement until it is explained in writing. The report
says so by itself: whoever reads it should not have to know that rule.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from paceline.evaluate.comparison import ASIDE, PARTS, Comparison
from paceline.evaluate.paired import PairedDifference, basis
from paceline.evaluate.per_order import SIMULATED
from paceline.evaluate.sureness import Bounds, Seeds
from paceline.page.cells import listed, plain, plural

TOO_GOOD = 0.30
"""Share of the baseline's cost from which a saving is a fault until it is explained."""

_NO_PART = 0.005
"""Basis points that are written as 0.00."""


class CompareVerdict(NamedTuple):
    """The answer, what stands behind it, and what must be explained."""

    headline: str
    details: list[str]
    alarms: list[str]
    leader: str | None
    """The cheapest policy that can be compared with the baseline and looks at the past only; None
    where there is none."""


def verdict_of(found: Comparison) -> CompareVerdict:
    """The verdict on `found`, under its central fill model."""
    leader = leader_of(found)
    alarms = _too_good(found)
    if leader is None:
        headline = (
            f"Nothing can be compared with {found.baseline}: the others filled less of their "
            "orders, or look ahead."
        )
        return CompareVerdict(headline, _uncompared(found), alarms, None)
    details = [
        *_picked(found, leader),
        *_why(found, leader),
        *_left_over(found, leader),
        *_under_others(found, leader),
        _tail(found, leader),
        *_seeds(found, leader),
        basis(found.sureness(leader, found.central).mean),
        *_uncompared(found),
    ]
    return CompareVerdict(_headline(found, leader), details, alarms, leader)


def leader_of(found: Comparison) -> str | None:
    """See `CompareVerdict.leader`."""
    model = found.central
    return min(_eligible(found), key=lambda p: found.sureness(p, model).mean.mean_bps, default=None)


def _eligible(found: Comparison) -> list[str]:
    """Who may lead."""
    model = found.central
    return [p for p in found.rivals if p not in found.ahead and found.comparable(p, model)]


def limits_kept(found: Comparison) -> str:
    """Whether anything broke a limit, in one sentence."""
    broken = {
        policy: sum(
            int(found.select(policy, model)["violations"].sum()) for model in found.fill_models
        )
        for policy in found.policies
    }
    guilty = [f"{policy} {count:,} times" for policy, count in broken.items() if count]
    worked = len(found.orders["parent"])
    if guilty:
        return f"Limits were broken: by {listed(guilty)}, in {worked:,} worked orders."
    children = int(found.orders["children"].sum())
    return (
        f"No limit was broken: of {plural(children, 'child order')} in {worked:,} worked orders, "
        "none was larger than allowed, none filled beyond its parent's price limit, and no parent "
        "was filled beyond its size."
    )


def under(model: str) -> str:
    """`under pessimistic fills`, or what stands for it where a market answers."""
    return "in markets that answer" if model == SIMULATED else f"under {model} fills"


def _headline(found: Comparison, leader: str) -> str:
    model, base = found.central, found.baseline
    sure = found.sureness(leader, model)
    mean = sure.mean
    cost = float(found.select(leader, model)["shortfall_bps"].mean())
    if math.isnan(mean.low_bps):
        word = "less" if mean.mean_bps <= 0.0 else "more"
        return (
            f"{leader} cost {plain(cost)} bps, {plain(abs(mean.mean_bps))} bps {word} than {base} "
            f"on these orders, and nothing is proven: {mean.missing}."
        )
    if mean.high_bps < 0.0:
        return (
            f"{leader} cost {plain(cost)} bps, {plain(-mean.mean_bps)} bps less than {base}"
            f"{_of_cost(sure.saving)}: 95 % interval {plain(-mean.high_bps)} to "
            f"{plain(-mean.low_bps)} bps."
        )
    who = "No policy beat" if len(found.rivals) > 1 else f"{leader} did not beat"
    if mean.low_bps > 0.0:
        return (
            f"{who} {base}. The nearest, {leader}, cost {plain(mean.mean_bps)} bps more: 95 % "
            f"interval {plain(mean.low_bps)} to {plain(mean.high_bps)} bps."
        )
    word = "less" if mean.mean_bps <= 0.0 else "more"
    return (
        f"No saving over {base} is proven. The cheapest rival, {leader}, cost "
        f"{plain(abs(mean.mean_bps))} bps {word}, and the 95 % interval of the difference, "
        f"{_range(mean)} bps, holds 0."
    )


def _of_cost(saving: Bounds) -> str:
    return "" if math.isnan(saving.value) else f" ({plain(100 * saving.value, 0)} %)"


def _range(pair: PairedDifference) -> str:
    return f"{plain(pair.low_bps)} to {plain(pair.high_bps)}"


def _picked(found: Comparison, leader: str) -> list[str]:
    """What picking the cheapest of several makes of the interval."""
    n = len(_eligible(found))
    if n < 2:
        return []
    pair = found.among(leader, found.central, n)
    if math.isnan(pair.low_bps):
        return []
    holds = ", and holds 0" if pair.low_bps <= 0.0 <= pair.high_bps else ""
    return [
        f"It is the cheapest of {n} rivals, so chance helped it: the interval of its difference "
        f"that allows for that (Bonferroni, {plain(100 - 5 / n, 1 if n < 50 else 2)} % each) is "
        f"{_range(pair)} bps{holds}."
    ]


def _why(found: Comparison, leader: str) -> list[str]:
    """Which parts of cost the difference comes from."""
    model = found.central
    said = []
    for part, name in PARTS.items():
        pair = found.part(leader, model, part)
        if abs(pair.mean_bps) > _NO_PART and pair.is_clear:
            said.append((pair.mean_bps, f"{name} {_way(pair.mean_bps)}"))
    if not said:
        return [f"Against {found.baseline}, no part of its cost differs clearly."]
    text = f"Where it comes from, {under(model)}: {listed([words for _, words in sorted(said)])}."
    part, name = next(iter(ASIDE.items()))
    pair = found.part(leader, model, part)
    if not math.isnan(pair.mean_bps):
        text += (
            f" Within a minute the mid went against its resting fills by {plain(pair.mean_bps)} "
            f"bps of the order {'more' if pair.mean_bps >= 0 else 'less'} ({name}, no part of the "
            "sum)."
        ).replace("by \N{MINUS SIGN}", "by ")
    return [text]


def _way(bps: float) -> str:
    return f"{plain(abs(bps))} bps {'saved' if bps < 0.0 else 'lost'}"


def _under_others(found: Comparison, leader: str) -> list[str]:
    if found.answers:
        return ["Each order was worked in a simulated market of its own, which answered."]
    others = [model for model in found.fill_models if model != found.central]
    if not others:
        return [f"Only {found.central} fills were run; a band of all three shows more."]
    mean = {model: found.sureness(leader, model).mean for model in others}
    said = [f"{plain(pair.mean_bps)} ({_range(pair)}) {under(m)}" for m, pair in mean.items()]
    centre = found.sureness(leader, found.central).mean.mean_bps
    same = all((pair.mean_bps < 0.0) == (centre < 0.0) for pair in mean.values())
    return [
        f"The same difference is {listed(said)}"
        + ("." if same else ": its sign depends on the queue, which nobody knows.")
    ]


def _left_over(found: Comparison, leader: str) -> list[str]:
    """What it is worth that one left more unfilled than the other, which counts at the mid."""
    ours, base = (found.select(p, found.central) for p in (leader, found.baseline))
    more = float(base["fill_rate"].mean() - ours["fill_rate"].mean())
    took = float(np.nan_to_num(base["fill_rate"] * (1.0 - base["maker_share"])).mean())
    if abs(more) < 5e-4 or not took > 0.0:
        return []
    crossing = float(base["taken_bps"].mean()) / took
    whose = "its" if more > 0 else "the other's"
    return [
        f"It left {plain(100 * abs(more), 1)} % {'more' if more > 0 else 'less'} of its orders "
        f"unfilled than {found.baseline}, at the mid of the end. At what {found.baseline} pays for "
        f"taking, {plain(crossing, 1)} bps, that is {plain(abs(more) * crossing)} bps of the order "
        f"in {whose} favour."
    ]


def _tail(found: Comparison, leader: str) -> str:
    tail = found.sureness(leader, found.central).cvar95
    word = "less" if tail.value < 0.0 else "more"
    clear = "" if tail.is_clear else ", which is not clear of 0"
    if math.isnan(tail.low):
        return "With so few days nothing can be said of its tail."
    return (
        f"Its worst 5 % of orders cost {plain(abs(tail.value))} bps {word} than the worst 5 % of "
        f"{found.baseline} (95 % interval of the difference {plain(tail.low)} to "
        f"{plain(tail.high)}){clear}."
    )


def _seeds(found: Comparison, leader: str) -> list[str]:
    model, said = found.central, []
    seeds = found.over_seeds(leader, model)
    if seeds.n > 1:
        said.append(f"Of {seeds.n} seeds of orders, {_agree(seeds, found.baseline)}")
    for family in found.families:
        trained = found.over_training(family, model)
        if trained.n > 1:
            said.append(f"Of {trained.n} trainings of {family}, {_agree(trained, found.baseline)}")
    return said


def _agree(seeds: Seeds, baseline: str) -> str:
    return (
        f"{seeds.cheaper} alone are cheaper than {baseline} at 95 % and {seeds.dearer} dearer; "
        f"their differences run from {plain(seeds.least_bps)} to {plain(seeds.most_bps)} bps."
    )


def _uncompared(found: Comparison) -> list[str]:
    model = found.central
    apart = [p for p in found.rivals if p not in found.ahead and not found.comparable(p, model)]
    notes = []
    if apart:
        rates = [
            f"{p} {plain(100 * found.fill_rate(p, model), 1)} %"
            for p in dict.fromkeys([*found.measures, *apart])
        ]
        they, their = ("they", "their") if len(apart) > 1 else ("it", "its")
        notes.append(
            f"Not compared, because {they} filled less of {their} orders: {listed(apart)} "
            f"({listed(rates)})."
        )
    if found.ahead:
        notes.append(
            f"{listed(sorted(found.ahead))} looks ahead. It is no policy, and shows how much "
            "timing could be worth at most."
        )
    return notes


def _too_good(found: Comparison) -> list[str]:
    """Savings that nobody should believe, each with what was written on it."""
    said = []
    for policy in found.rivals:
        worst: tuple[float, str] | None = None
        for model in found.fill_models:
            saving = found.sureness(policy, model).saving.value
            if saving > TOO_GOOD and (worst is None or saving > worst[0]):
                worst = (saving, model)
        if worst is None or policy in found.ahead:
            continue
        text = f"{policy} costs {plain(100 * worst[0], 0)} % less than {found.baseline} "
        text += f"{under(worst[1])}. "
        if found.tuning is None:
            said.append(
                f"{text}{found.baseline} was not tuned, and a gain of so much over a weak baseline "
                "says little: compare with one that was (--tune-days)."
            )
            continue
        text += (
            f"A gain above {plain(100 * TOO_GOOD, 0)} % is a fault of the measurement until it is "
            "explained in writing. "
        )
        if found.explanation:
            said.append(f"{text}The explanation given: {found.explanation}")
        else:
            said.append(f"{text}No explanation was given; do not use these figures.")
    return said
