"""A page that shows what a scenario does: the calm day and the stressed one, side by side."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine.account import ANSWER_LINE, MARKET_LINE, SUBMIT_LINE
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.engine.venue import Venue
from paceline.files.results import result_in
from paceline.market.tape import Tape
from paceline.page.cells import Cell, Column, Table, number, percent, significant
from paceline.page.ink import Figure, beyond, hue, sheet, svg
from paceline.page.terminal import rich_table
from paceline.page.writing import write_page
from paceline.stress.facts import Course, Facts, course_of, facts_of
from paceline.stress.on_market import stress_market
from paceline.stress.on_tape import stress_tape
from paceline.stress.on_venue import added_ns, stress_venue
from paceline.stress.parts import Latency, StaleFeed
from paceline.stress.scenario import Scenario, in_words

if TYPE_CHECKING:
    from paceline.page.terminal import Fitting

_TEMPLATE = Path(__file__).with_name("scenario.html")
_CALM, _STRESSED = 0, 1


class Shown(NamedTuple):
    """A day without and with a scenario."""

    scenario: Scenario
    where: str
    calm: Tape
    stressed: Tape

    @property
    def facts(self) -> tuple[Facts, Facts]:
        """Of the calm day and of the stressed one."""
        return facts_of(self.calm), facts_of(self.stressed)


def on_tape(tape: Tape, scenario: Scenario) -> Shown:
    """A recorded day."""
    return Shown(scenario, tape.name, tape, stress_tape(tape, scenario))


def on_market(
    settings: MarketSettings, scenario: Scenario, day: str, seed: int, name: str = ""
) -> Shown:
    """A simulated day, of one seed; `name` is what the market goes by."""
    calm = simulate_day(settings, day, seed)
    stressed = simulate_day(stress_market(settings, scenario), day, seed)
    market = f"the simulated market {name or settings.symbol}, seed {seed}"
    return Shown(scenario, market, calm, stressed)


def write_shown(shown: Shown, folder: str | Path) -> Path:
    """Write `facts.json` and `report.html` to `folder`, both or none; returns the page."""
    scenario = shown.scenario
    contents = {
        "title": f"Scenario {scenario.name}",
        "lead": f"{in_words(scenario)} On {shown.where}, {shown.calm.session.day}.",
        "hues": {"calm": _CALM, "stressed": _STRESSED},
        "facts": facts_table(shown),
        "figures": [*_delay_figures(shown), course_figure(shown)],
    }
    with result_in(folder, "stress") as draft:
        (draft / "facts.json").write_text(json.dumps(as_dict(shown), indent=2) + "\n")
        write_page(draft / "report.html", _TEMPLATE, contents)
    return Path(folder) / "report.html"


def as_dict(shown: Shown) -> dict[str, Any]:
    """The facts, ready for JSON; NaN is None."""
    calm, stressed = (
        {name: None if math.isnan(value) else value for name, value in facts._asdict().items()}
        for facts in shown.facts
    )
    return {
        "scenario": shown.scenario.name, "where": shown.where, "day": shown.calm.session.day,
        "calm": calm, "stressed": stressed,
    }  # fmt: skip


_SAID = (
    ("spread_ticks", "spread", "ticks"), ("depth_lots", "depth of the book", "lots"),
    ("volatility_ticks", "volatility of a minute", "ticks"), ("volume_lots", "volume", "lots"),
    ("sell_share", "market orders that sell", "%"), ("change", "price from first to last", "%"),
    ("lowest", "lowest price against the first", "%"), ("halted_s", "time halted", "s"),
)  # fmt: skip


def facts_table(shown: Shown) -> Table:
    """The facts of both days."""
    calm, stressed = shown.facts
    lot = shown.calm.instrument.lot
    rows = []
    for name, said, unit in _SAID:
        before, after = getattr(calm, name), getattr(stressed, name)
        share = unit == "%"
        if unit == "lots":  # a reader thinks in shares, contracts or coins
            before, after = before * float(lot), after * float(lot)
            unit = "shares" if lot % 1 == 0 else "units"
        rows.append(
            [
                Cell(said),
                Cell(unit),
                percent(before, 2) if share else Cell(significant(before)),
                percent(after, 2) if share else Cell(significant(after)),
                number(after / before if before and not share else math.nan, missing="no ratio"),
            ]
        )
    columns = [
        Column("", is_text=True),
        Column("unit", is_text=True),
        Column("calm"),
        Column("stressed"),
        Column("ratio"),
    ]
    return Table("facts", columns, rows)


def facts_text(shown: Shown) -> Fitting:
    """The same for `rich.print`."""
    return rich_table(facts_table(shown))


def course_figure(shown: Shown) -> Figure:
    """Mid, spread, depth, volume and the side of market orders through the day."""
    courses = course_of(shown.calm), course_of(shown.stressed)
    tick = float(shown.calm.instrument.book_tick)
    panels: list[tuple[str, Any]] = [
        ("mid, currency", lambda c: c.mid * tick),
        ("spread, currency", lambda c: c.spread * tick),
        ("depth, lots", lambda c: c.depth),
        ("volume a span, lots", lambda c: c.volume),
        ("share that sells", lambda c: _smooth(c.sells)),
    ]
    cut = ""
    with sheet(8.6) as figure:
        rows = figure.subplots(len(panels), 1, sharex=True, height_ratios=[2, 1, 1, 1, 1])
        for axes, (name, of) in zip(rows, panels, strict=True):
            for k, (label, course) in enumerate(zip(("calm", "stressed"), courses, strict=True)):
                axes.plot(
                    course.at_s / 60, of(course), color=hue(k), linewidth=1.0, label=label,
                    zorder=3 - k, drawstyle="steps-mid" if "volume" in name else "default",
                )  # fmt: skip
            cut += _robust(axes, name, [of(course) for course in courses])
            axes.set_title(name)
        rows[0].legend(loc="lower left", bbox_to_anchor=(0.3, 1.0), ncols=2)
        rows[-1].set_xlabel("minutes after the open")
        drawn = svg(figure, "course", "Mid, spread, depth and volume, calm and stressed")
    same = shown.calm.manifest.tape_id == shown.stressed.manifest.tape_id
    unchanged = " The market is as it was: the scenario is about messages alone." if same else ""
    return Figure(drawn, _caption(courses) + unchanged + cut)


def _caption(courses: tuple[Course, Course]) -> str:
    minutes = (courses[0].at_s[1] - courses[0].at_s[0]) / 60
    return (
        f"In spans of {minutes:.2g} min: mid at the end of each, spread and depth as means over "
        "time, share of market orders that sell as a mean of fifteen spans."
    )


def _smooth(values: NDArray[np.float64], n: int = 15) -> NDArray[np.float64]:
    known = np.isfinite(values).astype(np.float64)
    total = np.convolve(np.nan_to_num(values), np.ones(n), "same")
    count = np.convolve(known, np.ones(n), "same")
    mean = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
    return np.asarray(mean)


def _robust(axes: Any, name: str, lines: list[NDArray[np.float64]]) -> str:
    """Limits that a few wild spans, as at the open of a recording, do not set; says what they cut
    off."""
    values = np.concatenate(lines)
    values = values[np.isfinite(values)]
    if not len(values):
        return ""
    low, high = np.quantile(values, [0.004, 0.996])
    room = 0.08 * (high - low) or 1.0
    bottom, top = low - room if "mid" in name else 0.0, high + room
    axes.set_ylim(bottom, top)
    what, _, unit = name.partition(", ")
    return beyond(values, bottom, top, f"spans ({what})", unit)


def _delay_figures(shown: Shown) -> list[Figure]:
    """What lines add to delays, if the scenario slows any."""
    if not shown.scenario.of(Latency, StaleFeed):
        return []
    session = shown.calm.session
    venue = stress_venue(Venue(), shown.scenario, session)
    slow = venue.rules(shown.calm.instrument, session).slow
    ts = np.linspace(session.open_ns, session.close_ns, 4000).astype(np.int64)
    lines = {"to the exchange": SUBMIT_LINE, "answers": ANSWER_LINE, "market data": MARKET_LINE}
    with sheet(2.4) as figure:
        axes = figure.subplots()
        for k, (label, line) in enumerate(lines.items()):
            added = added_ns(slow, line, ts) / 1e9
            axes.plot(
                (ts - session.open_ns) / 6e10, added, color=hue(k + 1), label=label,
                linestyle=("-", "--", "-")[k],
            )  # fmt: skip
        axes.set_xlabel("minutes after the open")
        axes.set_title("added to delays, s")
        axes.legend(loc="lower left", bbox_to_anchor=(0.3, 1.0), ncols=3)
        drawn = svg(figure, "delays", "What is added to delays through the day")
    return [Figure(drawn, "By when a message sets out; of market data, by when it is looked at.")]
