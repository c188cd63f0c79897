"""The report of a fit: one HTML file that stands alone, and all fitted numbers as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.calibrate import plots
from paceline.calibrate.days import Day, days_of
from paceline.calibrate.doubt import NAN, Number, branching_ratio, direct_numbers
from paceline.calibrate.fit import Fit
from paceline.engine.simulator import simulate_day
from paceline.files.results import result_in
from paceline.market.tape import Tape
from paceline.page.cells import Cell, Column, Table, duration, number, plural, significant
from paceline.page.writing import write_page

_TEMPLATE = Path(__file__).with_name("fit.html")
_WHATS = ("limit order", "market order", "cancel")
_MOST_DAYS = 5

BIAS = (
    "This branching ratio is too high: a rate that moves for reasons of its own looks like "
    "excitation, the more so the longer the half-life. The hours of the day are taken out, news "
    "and the moods of days are not (Filimonov and Sornette, 2015)."
)


def write_fit(fit: Fit, folder: str | Path) -> Path:
    """Write `report.html` and `fit.json` into `folder`, both or none; returns the path of the
    report."""
    days = days_of(fit)
    counted = direct_numbers(days)
    written = json.dumps(numbers(fit, counted), indent=1)
    simulated = [simulate_day(fit.settings, tape.session.day, 1) for tape in fit.tapes[:_MOST_DAYS]]
    contents = _contents(fit, days, counted, simulated)
    with result_in(folder, "calibrate") as draft:
        (draft / "fit.json").write_text(written, encoding="utf-8")
        write_page(draft / "report.html", _TEMPLATE, contents)
    return Path(folder) / "report.html"


def _contents(
    fit: Fit, days: list[Day], counted: dict[str, Number], simulated: list[Tape]
) -> dict[str, Any]:
    symbol = fit.settings.symbol
    names = [tape.session.day for tape in fit.tapes]
    return {
        "title": f"A market like {symbol}",
        "lead": (
            f"The simulator's settings fitted to {plural(len(names), 'day')} of {symbol}, "
            f"{names[0]} to {names[-1]}."
        ),
        "headline": _headline(fit),
        "notes": [BIAS] if fit.excitation is not None else [],
        "numbers": number_table(
            {**counted, **tempo_numbers(fit), "branching ratio": branching_ratio(fit)}
        ),
        "reactions": plots.reactions(fit),
        "places": plots.places(fit),
        "laws": plots.laws([day.tape for day in days[:_MOST_DAYS]], simulated),
        "memory": plots.memory(days, simulated),
        "resilience": plots.resilience(days, simulated),
        "ticks": _ticks(fit),
        "norms": norm_table(fit),
        "left_over": left_over_table(fit),
    }


def tempo_numbers(fit: Fit) -> dict[str, Number]:
    """How unevenly the market's clock runs; nothing if it runs evenly."""
    tempo = fit.settings.tempo
    if tempo.sd == 0.0:
        return {}
    return {
        "standard deviation of the clock's log speed": Number("waves", tempo.sd, NAN),
        "half-life of its speed, s": Number("waves", tempo.half_life_s, NAN),
    }


def _ticks(fit: Fit) -> str:
    """What a tick is on this page."""
    tick, order_tick = fit.settings.tick, fit.settings.order_tick
    currency = fit.tapes[0].instrument.currency
    said = f"Ticks are those that the market's own orders sit on, {tick:g} {currency}"
    if tick == order_tick:
        return f"{said}."
    return (
        f"{said}; other pages count those on which orders may be sent, {order_tick:g} {currency}."
    )


def _headline(fit: Fit) -> str:
    limit, market, cancel = (
        fit.seen.came[fit.seen.came == what].size / fit.seconds.sum() for what in range(3)
    )
    said = (
        f"{significant(limit)} limit orders, {significant(market)} market orders and "
        f"{significant(cancel)} cancels arrive per second"
    )
    if fit.excitation is None:
        return said + "."
    ratio = fit.settings.excitation.branching()
    return f"{said}; {100 * ratio:.0f} % of them are brought about by others."


def number_table(found: dict[str, Number]) -> Table:
    """What is fitted directly, with standard errors."""
    rows = [
        [Cell(one.law, kind="named"), Cell(name), _known(one.value, 3), _known(one.std_error, 2)]
        for name, one in found.items()
    ]
    columns = [
        Column("of", is_text=True),
        Column("number", is_text=True),
        Column("value"),
        Column("std. error"),
    ]
    return Table("numbers", columns, rows)


def _known(value: float, digits: int) -> Cell:
    return Cell("not known" if np.isnan(value) else significant(value, digits))


def norm_table(fit: Fit) -> Table:
    """Arrivals that one arrival brings about, by time scale."""
    columns = [
        Column("half-life", is_text=True),
        Column("what happened", is_text=True),
        Column("side", is_text=True),
        *(Column(f"{what}s", why="brought about by one, on average") for what in _WHATS),
    ]
    rows = []
    found = fit.excitation
    if found is not None:
        for m, half_life in enumerate(found.half_lives_s):
            for side, name in enumerate(("same", "other")):
                for what in range(3):
                    cells = [
                        _with_error(found.norms[m, side, what, k], found.errors[m, side, what, k])
                        for k in range(3)
                    ]
                    rows.append([Cell(duration(half_life)), Cell(_WHATS[what]), Cell(name), *cells])
    return Table("norms", columns, rows)


def _with_error(value: float, error: float) -> Cell:
    if np.isnan(error):
        return Cell("0", "at its bound")
    doubtful = "doubtful" if value < 2 * error else ""
    return Cell(f"{value:.3f} ± {error:.3f}", kind=doubtful)


def left_over_table(fit: Fit) -> Table:
    """Waiting times in units of what the rate lets expect."""
    columns = [
        Column("arrivals", is_text=True),
        Column("mean", why="1 if the rate is right"),
        Column("variance", why="1 for a Poisson process in its own time"),
        Column("excess kurtosis", why="6 for a Poisson process in its own time"),
    ]
    rows = []
    if fit.excitation is not None:
        for what, values in zip(_WHATS, fit.excitation.left_over, strict=True):
            rows.append([Cell(f"{what}s"), *(number(float(value)) for value in values)])
    return Table("left-over", columns, rows)


def numbers(fit: Fit, counted: dict[str, Number]) -> dict[str, Any]:
    """All that was fitted, with standard errors where they are known."""
    found = fit.excitation
    excitation = None
    if found is not None:
        ratio = branching_ratio(fit)
        excitation = {
            "half_lives_s": list(found.half_lives_s),
            "axes": ["scale", "same or other side", "what happened", "what it brings"],
            "norms": _listed(found.norms),
            "std_errors": _listed(found.errors),
            "branching_ratio": ratio.value,
            "branching_ratio_std_error": _or_none(ratio.std_error),
            "bias": BIAS,
            "waiting_times": {
                what: dict(zip(("mean", "variance", "excess_kurtosis"), _listed(row), strict=True))
                for what, row in zip(_WHATS, found.left_over, strict=True)
            },
        }
    return {
        "symbol": fit.settings.symbol,
        "tapes": [tape.name for tape in fit.tapes],
        "settings": msgspec.to_builtins(fit.settings),
        "direct": {
            name: {"of": law, "value": _or_none(value), "std_error": _or_none(error)}
            for name, (law, value, error) in counted.items()
        },
        "reactions": {
            name: {"multiples": _listed(table), "std_errors": _listed(errors)}
            for name, table, errors in plots.with_errors(fit)
        },
        "excitation": excitation,
    }


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


def _listed(values: NDArray[np.float64]) -> Any:
    """Nested lists, with None for what is not known."""
    if values.ndim == 0:
        return None if np.isnan(values) else float(f"{float(values):.6g}")
    return [_listed(np.asarray(one)) for one in values]
