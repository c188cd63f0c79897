"""What a reader must know before the numbers: notes on days and on policies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from paceline.engine.venue import Venue
from paceline.env.history import cancel_exponent
from paceline.market.spread import ABSURD_SHARE, absurd
from paceline.page.cells import listed
from paceline.units import NS_PER_S

if TYPE_CHECKING:
    from paceline.evaluate.results import BacktestResult

_DAY = re.compile(r"(?P<symbol>.+)-(?P<day>\d{4}-\d\d-\d\d): (?P<text>.+)", re.DOTALL)
_REASON = re.compile(r"(?P<what>[^(]+) \((?P<why>.+)\)", re.DOTALL)
_SHOWN = 2
"""Reasons that are spelt out of many."""

_LATE = 0.001
"""Share of the horizon by which a fill may come after its end unsaid: two seconds of half an hour.
What is sent at the end always arrives a delay later."""

_MUCH_SWEPT = 0.1
"""Share of the quantity from which a cost is more the sweep's than the policy's."""


def notes_on(result: BacktestResult) -> list[str]:
    """All notes on `result`: on orders that were given, on its days, those alike merged, and on its
    policies."""
    about_days = [
        *result.left_out,
        *(note for place in result.places for note in (*place.lesson.notes, *place.notes)),
        *_queue_notes(result),
        *_decay_notes(result),
    ]
    return [
        *result.given,
        *merged(about_days),
        *_sweep_notes(result),
        *late_notes(result),
        *stub_notes(result),
    ]


def taught_notes(result: BacktestResult) -> list[str]:
    """What earlier days could not teach, those that did not count as whole days among it."""
    return merged(note for place in result.places for note in place.lesson.notes)


def _queue_notes(result: BacktestResult) -> list[str]:
    if "calibrated" not in result.fill_models:
        return []
    chosen = result.settings.get("cancel_exponent")
    return [
        unnamed_orders_note(
            place.tape.name,
            cancel_exponent(chosen, place.lesson),
            chosen in (None, Venue().cancel_exponent),
            place.lesson.cancels,
        )
        for place in result.places
        if not place.tape.has_orders and (chosen is not None or place.lesson.cancels is None)
    ]


def _decay_notes(result: BacktestResult) -> list[str]:
    asked = result.settings.get("impact") == "fitted"
    if not asked or result.settings.get("transient_half_life_s") is not None:
        return []
    return [
        f"{place.tape.name}: fitted impact fades with the half-life of recovery, for no decay of "
        "its own could be fitted"
        for place in result.places
        if place.lesson.decay is None
    ]


def _sweep_notes(result: BacktestResult) -> list[str]:
    models = result.fill_models
    model = "calibrated" if "calibrated" in models else models[0]
    schedules = {run.policy.name: run.policy.schedule for p in result.places for run in p.runs}
    shares = {
        policy: float(np.mean(result.select(policy, model)["swept_share"]))
        for policy in result.policies
    }
    return [
        sweep_note(policy, schedules[policy], share)
        for policy, share in shares.items()
        if share > _MUCH_SWEPT
    ]


def late_notes(result: BacktestResult) -> list[str]:
    """What was filled after the end of the horizon by messages on their way at it, where that is
    later than delays of milliseconds make it."""
    late: dict[tuple[str, str], list[float]] = {}
    for place in result.places:
        length = place.parents["end_ts"] - place.parents["start_ts"]
        for run in place.runs:
            whose, fills = run.log.fill_parent, run.log.fills
            after = fills["ts"] - place.parents["end_ts"][whose]
            by = after > _LATE * length[whose]
            found = late.setdefault((run.policy.name, run.fills), [0.0, 0.0, 0.0])
            found[0] += float(fills["lots"][by].sum() * place.tape.instrument.lot)
            found[1] += float(fills["lots"].sum() * place.tape.instrument.lot)
            found[2] = max(found[2], float(after[by].max(initial=0)) / NS_PER_S)
    return [
        f"{policy}: {100 * lots / total:.2g} % of what it filled ({model} fills) was filled after "
        f"the end of the horizon, up to {most_s:.3g} s late: what is sent at the end arrives one "
        "delay later. Shorten submit_ms, or lengthen the horizon."
        for (policy, model), (lots, total, most_s) in late.items()
        if lots > 0
    ]


def stub_notes(result: BacktestResult) -> list[str]:
    """What was filled while the spread was absurd: at prices that were nobody's market."""
    stub: dict[tuple[str, str], list[float]] = {}
    for place in result.places:
        tape = place.tape
        wide = np.append(absurd(tape.bid_ticks(), tape.ask_ticks()), False)  # at -1: no book yet
        for run in place.runs:
            if run.relive is not None:
                continue  # simulated markets have no stub quotes
            fills = run.log.fills
            by = wide[np.searchsorted(tape.events.ts, fills["ts"], side="right") - 1]
            found = stub.setdefault((run.policy.name, run.fills), [0.0, 0.0])
            found[0] += float(fills["lots"][by].sum() * tape.instrument.lot)
            found[1] += float(fills["lots"].sum() * tape.instrument.lot)
    return [
        f"{policy}: {100 * lots / total:.2g} % of what it filled ({model} fills) was filled while "
        f"the spread was above {100 * ABSURD_SHARE:g} % of the price, at stub quotes; give the "
        "order a price_band_bps, or start it later."
        for (policy, model), (lots, total) in stub.items()
        if lots > 0
    ]


def merged(notes: Iterable[str]) -> list[str]:
    """`notes`, each said once: those of several days that say the same are one that counts days.

    A note is `SYMBOL-DAY: what (why)` or without the `(why)`; reasons may differ between days.
    Anything else stays as it is.
    """
    groups: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for note in dict.fromkeys(notes):
        of_day = _DAY.fullmatch(note)
        if of_day is None:
            groups.setdefault(("", note), []).append((note, "", ""))
            continue
        said = _REASON.fullmatch(of_day["text"])
        what, why = (said["what"], said["why"]) if said else (of_day["text"], "")
        groups.setdefault((of_day["symbol"], what), []).append((note, of_day["day"], why))
    return [
        cases[0][0] if len(cases) == 1 else _of_days(*key, cases) for key, cases in groups.items()
    ]


def _of_days(symbol: str, what: str, cases: list[tuple[str, str, str]]) -> str:
    days = sorted(day for _, day, _ in cases)
    when = f"{len(days)} days ({days[0]} to {days[-1]})"
    reasons = list(dict.fromkeys(why for _, _, why in cases if why))
    if not reasons:
        return f"{symbol}, {when}: {what}"
    more = ["other reasons like it"] if len(reasons) > _SHOWN else []
    return f"{symbol}: {what} on {when} ({listed([*reasons[:_SHOWN], *more])})"


def sweep_note(policy: str, schedule: str, share: float) -> str:
    """That `share` of what `policy` had to trade was left to the end, and what would change it."""
    remedy = (
        "Raise pov_rate or lengthen the horizon"
        if schedule == "pov"
        else "Lengthen the horizon, or loosen what holds it back before"
    )
    return (
        f"{policy}: {100 * share:.0f} % of the quantity was left to the sweep at the end of the "
        f"horizon; its cost is that of the sweep. {remedy}."
    )


def unnamed_orders_note(
    name: str, exponent: float, is_default: bool, fitted: tuple[float, float] | None
) -> str:
    """That queue positions on the tape `name` rest on an `exponent` that nobody `fitted` to it;
    `fitted` is what its earlier days say, with its standard error."""
    known = (
        "measure one on a tape with orders by `paceline inspect`"
        if fitted is None
        else f"earlier days with orders say {fitted[0]:.2f} ± {fitted[1]:.2f}"
    )
    return (
        f"{name}: queue positions on a book without orders use cancel exponent {exponent:g}, "
        f"{'assumed' if is_default else 'as set'}, not fitted; {known}"
    )
