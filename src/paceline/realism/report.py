"""The report of a scorecard: one HTML file that stands alone, and a few lines for a terminal.

write_report(card, "out/report.html")
print(summary_text(card))              # with rich
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paceline.page.cells import (
    DASH,
    Cell,
    Column,
    Table,
    duration,
    listed,
    number,
    plain,
    plural,
    significant,
)
from paceline.page.terminal import rich_table
from paceline.page.writing import write_page
from paceline.realism import plots
from paceline.realism.comparison import Comparison, Gap
from paceline.realism.own_plots import impact
from paceline.realism.plots import ENOUGH, LABELS, RECORDED, SIMULATED, in_unit
from paceline.realism.scorecard import FactScore, Measured, Scorecard
from paceline.realism.shape_plots import shapes

if TYPE_CHECKING:
    from rich.console import Group

_FAR = 2.0
"""Times as far as recorded, above which it is said."""

_SOME_ONE_SIDED = 1.0
"""Percent of the time beyond the recorded, above which it is said."""

_FEW_PAIRS = 6
"""Of recorded days, below which a yardstick is called rough."""

SQUARE_ROOT = (0.4, 0.7)
"""Exponents of impact found in markets (Toth et al., 2011)."""

_TEMPLATE = Path(__file__).with_name("report.html")


def write_report(card: Scorecard, path: str | Path, *, title: str | None = None) -> Path:
    """Write the report of `card` to `path`, one file that loads nothing from elsewhere."""
    return write_page(
        path,
        _TEMPLATE,
        {
            "title": title or f"{card.market} against recorded {card.symbol}",
            "lead": lead(card),
            "headline": headline(card),
            "details": details(card),
            "notes": notes(card),
            "overview": plots.overview(card),
            "shapes": shapes(card),
            "distances": distance_table(card),
            "facts": plots.facts(card),
            "fact_table": fact_table(card),
            "sources": [(fact.name, fact.says, fact.source) for fact in card.facts],
            "answers": plots.answers(card),
            "impact": impact(card),
            "impact_words": impact_words(card),
            "periods": period_table(card),
            "settings": settings_table(card),
            "hues": {"recorded": RECORDED, "simulated": SIMULATED},
            "unit": card.unit,
            "recorded": len(card.recorded),
            "simulated": len(card.simulated),
        },
    )


def summary_text(card: Scorecard) -> Group:
    """The answer and both tables, for `rich.print`."""
    from rich.console import Group
    from rich.text import Text

    return Group(
        Text(headline(card), style="bold"),
        Text(" ".join(details(card))),
        *(Text(note) for note in [*impact_words(card), *notes(card)]),
        rich_table(distance_table(card), ("statistic", "recorded", "simulated", "L1 ×", "W ×")),
        rich_table(fact_table(card), ("fact", "range", "recorded", "simulated", "verdict"), "fact"),
    )


def lead(card: Scorecard) -> str:
    """What was done, in one sentence."""
    return (
        f"{plural(len(card.simulated), card.unit)} of the simulated market {card.market} "
        f"(seed {card.seed}) held against {plural(len(card.recorded), card.unit)} recorded in "
        f"{card.symbol}, {_span([one.name for one in card.recorded])}."
    )


def _span(names: list[str]) -> str:
    days = sorted({" ".join(name.split()[:1])[-10:] for name in names})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def headline(card: Scorecard) -> str:
    """The two figures that count."""
    return (
        f"{card.passed} of {len(card.facts)} facts hold, and the median statistic lies "
        f"{plain(card.median_l1, 1)}× (L1) and {plain(card.median_wasserstein, 1)}× (Wasserstein) "
        f"as far from the record as recorded {card.unit}s do from one another."
    )


def details(card: Scorecard) -> list[str]:
    """Where the market fails, and what the record itself does."""
    said = []
    missed = [fact.name for fact in card.facts if not fact.simulated.ok]
    said.append(f"It fails {listed(missed)}." if missed else "It fails none.")
    real = [fact.name for fact in card.facts if not fact.recorded.ok]
    if real:
        said.append(
            f"The recorded {card.unit}s hold {card.recorded_passed}, all but {listed(real)}."
        )
    worst = sorted(card.statistics, key=lambda one: -_known(one.l1.ratio))[:3]
    far = [f"{LABELS[one.name]} ({_times(one.l1)})" for one in worst if one.l1.ratio > ENOUGH]
    if far:
        said.append(f"Furthest off by L1: {listed(far)}.")
    return said


def impact_words(card: Scorecard) -> list[str]:
    """What our own large orders showed, against what is known of real ones."""
    seen = card.impact
    if seen is None:
        return []
    if np.isnan(seen.exponent):
        law = (
            f"Impact is lost in the noise (a return over {duration(seen.work_s)} has "
            f"{plain(seen.sigma_bps, 0)} bps), so that it has no exponent; work orders in more "
            "markets."
        )
    else:
        agrees = _agree(seen.exponent, seen.exponent_error, *SQUARE_ROOT)
        law = (
            f"Impact grows with the power {plain(seen.exponent)} ± {plain(seen.exponent_error)} of "
            f"size; that of real metaorders is {SQUARE_ROOT[0]:g} to {SQUARE_ROOT[1]:g}: {agrees}."
        )
    if np.isnan(seen.reverted):
        return [law]
    return [law, _after(100.0 * seen.reverted, 100.0 * seen.reverted_error)]


def _after(share: float, error: float) -> str:
    """What became of the impact, two durations after the order; both in percent."""
    doubt = f"± {plain(error, 0)} %"
    if share < -2.0 * error:
        return (
            f"Two durations after its end the impact has grown by {plain(-share, 0)} {doubt}; real "
            "metaorders see a part of it revert."
        )
    gone = f"Two durations after its end {plain(share, 0)} {doubt} of the impact is gone"
    if share < 2.0 * error:
        return (
            f"{gone}, which cannot be told from none; of the impact of real metaorders a part goes."
        )
    if 100.0 - share < 2.0 * error:
        return (
            f"{gone}, which cannot be told from all; of the impact of real metaorders a part stays."
        )
    return f"{gone}: a part and not all, as after real metaorders."


def _agree(value: float, error: float, low: float, high: float) -> str:
    if low <= value <= high:
        return "they agree"
    away = min(abs(value - low), abs(value - high))
    return "they may agree" if away < 2 * error else "they do not agree"


def notes(card: Scorecard) -> list[str]:
    """What a reader must know before believing the numbers."""
    said = []
    if card.unit != "day":
        said.append(
            "Only one day was recorded, so the yardstick is the distance between its two halves. "
            "They differ by the hour as well as by chance, and another day would differ in other "
            "ways: give more days for a yardstick that means something."
        )
    pairs = len(card.recorded) * (len(card.recorded) - 1) // 2
    if card.unit == "day" and pairs < _FEW_PAIRS:
        said.append(
            f"The yardstick rests on {plural(pairs, 'pair')} of recorded days: it is rough."
        )
    far, goes = (
        100.0 * float(np.sqrt(np.mean([one.moved**2 for one in some] or [np.nan])))
        for some in (card.recorded, card.simulated)
    )
    if goes > _FAR * far:
        said.append(
            f"A simulated {card.unit} ends {plain(goes, 1)} % from where it began (root mean "
            f"square), a recorded one {plain(far, 1)} %: a price that runs away is no market's."
        )
    real, made = (
        100.0 * float(np.nanmean([one.one_sided for one in some] or [np.nan]))
        for some in (card.recorded, card.simulated)
    )
    if made > real + _SOME_ONE_SIDED:
        said.append(
            f"For {plain(made, 1)} % of the time the simulated book shows one side only, the "
            f"recorded one for {plain(real, 1)} %: then nobody can trade on the other."
        )
    return said


def distance_table(card: Scorecard) -> Table:
    """Distances of every statistic with their yardsticks."""
    columns = [
        Column("statistic", is_text=True),
        Column("unit", is_text=True),
        Column("recorded", "median (5–95 %)"),
        Column("simulated", "median (5–95 %)"),
        Column("L1", why=f"between a recorded and a simulated {card.unit}, from 0 to 1"),
        Column("yardstick", "L1", f"between two recorded {card.unit}s"),
        Column("L1 ×", why="distance by yardstick"),
        Column("W", "in the unit", f"Wasserstein: a recorded and a simulated {card.unit}"),
        Column("yardstick", "W", f"between two recorded {card.unit}s"),
        Column("W ×", why="distance by yardstick"),
    ]
    rows = [_distance_row(one) for one in card.statistics]
    rows.append(
        [
            Cell("median"), *[Cell("")] * 5, _ratio(card.median_l1), *[Cell("")] * 2,
            _ratio(card.median_wasserstein),
        ]
    )  # fmt: skip
    return Table("distances", columns, rows)


def _distance_row(one: Comparison) -> list[Cell]:
    factor, unit = in_unit(one)
    return [
        Cell(LABELS[one.name]),
        Cell(unit),
        _quantiles(np.array(one.recorded_quantiles) * factor),
        _quantiles(np.array(one.simulated_quantiles) * factor),
        number(one.l1.distance),
        number(one.l1.yardstick),
        _ratio(one.l1.ratio),
        Cell(significant(one.wasserstein.distance * factor)),
        Cell(significant(one.wasserstein.yardstick * factor)),
        _ratio(one.wasserstein.ratio),
    ]


def _quantiles(values: Any) -> Cell:
    low, _, middle, _, high = (significant(value, 2) for value in values)
    return Cell(f"{middle} ({low}{DASH}{high})")


def _ratio(ratio: float) -> Cell:
    # As it is shown: a 2.0 is no more than twice.
    return number(ratio, 1, kind="clear" if round(ratio, 1) > ENOUGH else "")


def _times(gap: Gap) -> str:
    return f"{plain(gap.ratio, 1)}×"


def fact_table(card: Scorecard) -> Table:
    """Facts, both markets side by side."""
    columns = [
        Column("fact", is_text=True),
        Column("range"),
        Column("recorded", "± s.e."),
        Column("holds", "recorded", is_text=True),
        Column("simulated", "± s.e."),
        Column("verdict", "simulated", is_text=True),
    ]
    rows = [
        [
            Cell(fact.name, fact.says),
            Cell(_range(fact)),
            _measured(fact.recorded),
            _verdict(fact.recorded, fact),
            _measured(fact.simulated),
            _verdict(fact.simulated, fact),
        ]
        for fact in card.facts
    ]
    return Table("fact-table", columns, rows)


def _range(fact: FactScore) -> str:
    low = significant(fact.low, 2)
    if np.isinf(fact.high):
        return f"{low} and more"
    return f"{low} to {significant(fact.high, 2)}"


def _measured(one: Measured) -> Cell:
    if np.isnan(one.value):
        return Cell(DASH, "the days cannot tell")
    error = "" if np.isnan(one.std_error) else f" ± {significant(one.std_error, 2)}"
    return Cell(f"{plain(one.value)}{error}", f"n = {one.n:,}")


def _verdict(one: Measured, fact: FactScore) -> Cell:
    if np.isnan(one.value):
        return Cell("✗ not known", "a fact that cannot be told does not hold", "missed")
    # 0 and 1 end a share or a size by nature: to be near them is to be far from failing.
    bounds = [bound for bound in (fact.low, fact.high) if bound not in (0.0, 1.0)]
    away = min(abs(one.value - bound) for bound in bounds)
    close = not np.isnan(one.std_error) and away < 2 * one.std_error
    why = "a bound lies within two standard errors" if close else ""
    said = ("✓ holds", "held") if one.ok else ("✗ fails", "missed")
    return Cell(said[0] + (", narrowly" if close else ""), why, said[1])


def _known(ratio: float) -> float:
    return ratio if np.isfinite(ratio) else 1e9


def period_table(card: Scorecard) -> Table:
    """What was held against what."""
    rows = [
        [Cell(kind, kind="named"), Cell(one.name), Cell(f"{one.events:,}"),
         Cell(one.tape_id[:12], one.tape_id, "code")]
        for kind, those in (("recorded", card.recorded), ("simulated", card.simulated))
        for one in those
    ]  # fmt: skip
    columns = [
        Column("", is_text=True),
        Column(card.unit, "venue's clock", is_text=True),
        Column("events"),
        Column("tape id", is_text=True),
    ]
    return Table("periods", columns, rows)


_LONGEST = 96


def settings_table(card: Scorecard) -> Table:
    """The settings of the simulated market."""
    rows = []
    for name, value in card.settings.items():
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
        short = text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
        rows.append([Cell(name, kind="code"), Cell(short, text if short != text else "")])
    columns = [Column("setting", is_text=True), Column("value", is_text=True)]
    return Table("settings", columns, rows)
