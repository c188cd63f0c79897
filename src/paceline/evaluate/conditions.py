"""Under which conditions a result holds: settings, models, and the data with its faults."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.config import describe
from paceline.engine.venue import Footprint
from paceline.evaluate.headings import shown_settings
from paceline.evaluate.per_order import TapeRuns
from paceline.evaluate.results import BacktestResult
from paceline.evaluate.settings import BacktestSettings
from paceline.market.session import clock
from paceline.page.cells import (
    DASH,
    Cell,
    Column,
    Table,
    duration,
    listed,
    plain,
    plural,
    significant,
)

_FILLS = {
    "pessimistic": "Pessimistic: only trades at our price move a resting order up its queue.",
    "calibrated": "Calibrated: the place in the queue is exact where the tape knows orders (L3); "
    "where it knows levels only (L2), a cancel was in front of us with the probability x to the "
    "power of the cancel exponent, at relative place x in the queue.",
    "optimistic": "Optimistic: every cancel at our price was in front of us.",
}


_OF_REPLAY = ("fill_model", "cancel_exponent", "recovery_half_life_s")
"""Settings that say what a recorded market would have done; one that answers does it. (A fitted
push that shows no decay of its own fades as the last of them says.)"""


def settings_table(result: BacktestResult) -> Table:
    """Every setting with its value, its unit and its sentence."""
    fitted = result.settings.get("impact") == "fitted"
    of_replay = _OF_REPLAY[: 2 if fitted else 3] if result.answers else ()
    # Given orders brought some of their own.
    brought = {row.path for row in describe(BacktestSettings)} - set(result.settings)
    return shown_settings(
        BacktestSettings, result.settings, lambda path: _fitted(result, path),
        {*brought, *of_replay},
    )  # fmt: skip


class _Fit(NamedTuple):
    """What one tape was worked with where a setting was left out."""

    tape: str
    value: float
    low: float
    high: float
    n: int
    days: int
    """Earlier days it was fitted on; 0: on the day itself."""


def _fitted(result: BacktestResult, setting: str) -> Cell:
    """What took the place of a setting that was left out, as fitted on the tapes."""
    fits = [fit for place in result.places if (fit := _fit_of(place, setting, result.settings))]
    if not fits:
        return Cell(DASH, "not set")
    unit = " s" if setting.endswith("_s") else ""
    values = [fit.value for fit in fits]
    why = "; ".join(f"{fit.tape}: {_said(fit, unit)}" for fit in fits)
    symbols = {place.tape.instrument.symbol for place in result.places}
    one = "day" if len(symbols) == 1 else "tape"
    if len(result.places) == 1:
        return Cell(f"fitted: {_said(fits[0], unit)}")
    missing = len(result.places) - len(fits)
    default = f"; default on {plural(missing, one)}" if missing else ""
    low, high = (significant(value) for value in (min(values), max(values)))
    return Cell(f"fitted: {low}–{high}{unit} over {plural(len(fits), one)}{default}", why)


def _said(fit: _Fit, unit: str) -> str:
    source = f"from {plural(fit.days, 'day')}" if fit.days else "from the traded day itself"
    low, high = significant(fit.low), significant(fit.high)
    return f"{significant(fit.value)}{unit} ({low}–{high}), n = {fit.n:,}, {source}"


def _fit_of(place: TapeRuns, setting: str, settings: dict[str, Any]) -> _Fit | None:
    lesson, name = place.lesson, place.tape.name
    days = len(lesson.days)
    if setting == "recovery_half_life_s" and lesson.recovery is not None:
        back = lesson.recovery
        return _Fit(name, back.half_life_s, back.low_s, back.high_s, back.n, days)
    uses_decay = setting == "transient_half_life_s" and settings.get("impact") == "fitted"
    if uses_decay and lesson.decay is not None:
        return _Fit(name, lesson.decay.value, *lesson.decay.interval(), lesson.decay.n, days)
    if setting == "cancel_exponent" and lesson.cancels is not None:
        value, error = lesson.cancels
        count = round((value / error) ** 2)
        return _Fit(name, value, value - 1.96 * error, value + 1.96 * error, count, days)
    return None


def model_notes(result: BacktestResult) -> list[tuple[str, str]]:
    """The market models that were used: (name, sentence)."""
    settings = result.settings
    notes = _market(result)
    notes.append(_latency(settings))
    notes.append(_fees(settings))
    if settings.get("venue_band_bps") is not None:
        notes.append(
            f"Band: the venue takes no order further than {settings['venue_band_bps']:g} bps from "
            "the first mid of the settled market."
        )
    notes.append(_limits(result))
    if settings.get("finish") == "leave":
        notes.append(
            "Horizon end: what is left stays unfilled and costs the way of the mid (opportunity)."
        )
    else:
        notes.append(
            "Horizon end: what is left takes the visible book, level by level, and pays for "
            "it; what the book does not hold is opportunity cost."
        )
    return [(name, text) for name, _, text in (note.partition(": ") for note in notes)]


def _market(result: BacktestResult) -> list[str]:
    """How the market takes our orders."""
    fitted = result.settings.get("impact") == "fitted"
    if result.answers:
        return [
            "Market: simulated, and it answers. Each order is worked in a market of its own, which "
            "is the day as drawn until the first child order arrives. From then on our orders "
            "stand in its queues and take its liquidity, and others react to them.",
            "Impact: "
            + (
                "what emerges, and on top a permanent and a fading push per lot, as fitted."
                if fitted
                else "what emerges; nothing is put on top."
            ),
        ]
    return [
        *(_FILLS[model] for model in result.fill_models),
        "Footprint: what we take is gone from the recorded book and comes back over time "
        f"({_recovery(result)}); nobody fills twice from the same liquidity.",
        "Impact: on top of the footprint, fills are shifted against us by a permanent and a "
        "fading push per lot, as fitted on the tapes that teach."
        if fitted
        else "Impact: off. Beyond the footprint the recorded market does not react to us, so large "
        "orders look cheaper than they would be.",
    ]


def _recovery(result: BacktestResult) -> str:
    chosen = result.settings.get("recovery_half_life_s")
    if chosen is not None:
        return f"half of it within {duration(float(chosen))}, as set"
    fit = _fitted(result, "recovery_half_life_s").text
    if fit == DASH:
        usual = duration(Footprint().recovery_half_life_s)
        return f"half of it within {usual}, assumed: it could not be fitted"
    return f"half-life {fit}"


def _latency(settings: dict[str, Any]) -> str:
    submit, ack, market = (
        duration(float(settings.get(f"{what}_ms") or 0.0) / 1000.0)
        for what in ("submit", "ack", "market_data")
    )
    if settings.get("latency_sample"):
        return f"Latency: messages as in the recorded sample, market data {market}."
    if settings.get("latency_p99_ms") is not None:
        slow = duration(float(settings["latency_p99_ms"]) / 1000.0)
        return (
            f"Latency: log-normal, with medians of {submit} to the exchange, {ack} back and "
            f"{market} for market data, and a 99th percentile of {slow}."
        )
    return f"Latency: {submit} to the exchange, {ack} back, market data {market}, always the same."


def _fees(settings: dict[str, Any]) -> str:
    charged = []
    for name, unit in (("fee", "a share"), ("fee_bps", "bps")):
        taker, maker = settings.get(f"taker_{name}", 0.0), settings.get(f"maker_{name}", 0.0)
        if taker or maker:
            charged.append(f"{plain(taker, 4)} {unit} for taking, {plain(maker, 4)} for resting")
    if not charged:
        return "Fees: nothing is charged."
    return f"Fees: {listed(charged)} (below 0 is a rebate)."


def _limits(result: BacktestResult) -> str:
    """The hard limits of the parent orders, as they were worked."""
    said = [
        f"{what} {_range(known)}"
        for name, what in (
            ("participation_limit", "participation at most"),
            ("child_max", "child orders of at most"),
        )
        if len(known := result.parents[name][~np.isnan(result.parents[name])])
    ]
    bands = ~np.isnan(result.parents["band_high_px"])
    if bands.any():
        said.append(f"a price band around {plural(int(bands.sum()), 'order')}")
    whose = "as set" if "orders" in result.settings else "as the orders brought them"
    return f"Limits: {listed(said)}, {whose}." if said else "Limits: no order has any."


def _range(values: NDArray[np.float64]) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def data_table(result: BacktestResult) -> Table:
    """The tapes that were traded."""
    rows = []
    for place in result.places:
        tape, found = place.tape, place.tape.manifest.quality
        zone = tape.session.zone
        first, last = (clock(int(tape.events.ts[at]), zone) for at in (0, -1))
        flaws = sum(1 for finding in found.findings.values() if finding.count)
        rows.append(
            [
                Cell(tape.name),
                Cell(tape.manifest.depth),
                Cell(f"{len(tape):,}"),
                Cell(f"{first}–{last}"),
                Cell(clock(found.warmup_end_ts, zone) if found.warmup_end_ts else "none"),
                Cell("ends early" if found.short_session else "whole"),
                Cell(f"{found.rows_quarantined:,}"),
                Cell(str(flaws)),
                Cell(f"{len(place.parents):,}"),
                Cell(str(len(place.lesson.days)), ", ".join(place.lesson.days)),
                Cell(tape.manifest.tape_id[:12], tape.manifest.tape_id, "code"),
            ]
        )
    columns = [
        Column("tape", is_text=True),
        Column("depth", is_text=True),
        Column("events"),
        Column("recorded", "venue's clock", is_text=True),
        Column("warm-up to", is_text=True),
        Column("session", is_text=True),
        Column("quarantined", "rows"),
        Column("findings", why="checks that found something; listed below"),
        Column("orders"),
        Column("earlier days", why="days that taught volume and impact"),
        Column("tape id", is_text=True),
    ]
    return Table("data", columns, rows)


def quality_tables(result: BacktestResult) -> Table | None:
    """What ingest found in the tapes, over all of them; None if it found nothing."""
    found: dict[str, list[tuple[str, int, str]]] = {}
    for place in result.places:
        for name, finding in place.tape.manifest.quality.findings.items():
            if finding.count:
                found.setdefault(name, []).append((place.tape.name, finding.count, finding.note))
    if not found:
        return None
    rows = [
        [
            Cell(name.replace("_", " ")),
            Cell(f"{sum(count for _, count, _ in cases):,}"),
            Cell(
                plural(len(cases), "tape"),
                ", ".join(f"{tape}: {count:,}" for tape, count, _ in cases),
            ),
            Cell("; ".join(dict.fromkeys(note for _, _, note in cases if note))),
        ]
        for name, cases in sorted(found.items(), key=lambda case: -sum(c for _, c, _ in case[1]))
    ]
    columns = [
        Column("finding at ingest", is_text=True),
        Column("count"),
        Column("where"),
        Column("note", is_text=True),
    ]
    if not any(row[3].text for row in rows):
        columns, rows = columns[:3], [row[:3] for row in rows]
    return Table("findings", columns, rows)
