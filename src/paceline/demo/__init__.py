"""The demo: days to trade, a backtest on them, a policy that learns to do better, pages to open.

Without data it simulates a few days of plain Poisson order flow; with data it ingests them. Earlier
days teach, the last ones are traded. `demo.learning` trains, and compares.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from paceline.errors import ConfigError, InputError
from paceline.evaluate.settings import BacktestSettings
from paceline.files.results import result_in

if TYPE_CHECKING:
    from paceline.market.tape import Tape

POLICIES = ("ac", "ac/mid", "ac/cross", "twap", "vwap", "pov")
_FIRST_DAY = date(2026, 1, 5)
_DAYS = 6
"""Enough to teach, train and validate on three, and to have an interval from three that judge."""
_TRADED_DAYS = 5


class Pages(NamedTuple):
    """What there is to open, and what it says."""

    backtest: Path
    comparison: Path | None
    headline: str


def run_demo(
    out: Path,
    data: Path | None,
    orders: int | None,
    quick: bool,
    seed: int,
    bar: Any,
    market: str | None = None,
    training: bool = True,
) -> Pages:
    """Run it all below folder `out`.

    `market` is the name of one that is shipped, or a file; none is plain Poisson flow to backtest
    on, and a market like a recorded one to learn in. A quick one learns on days, for a market that
    answers takes minutes to compile.
    `bar` has `say(what)`, `on(what, done, total)` and `to(what, at, total)` to show progress.
    """
    from paceline.evaluate.backtest import backtest
    from paceline.evaluate.report import write_report
    from paceline.evaluate.venues import fill_models

    settings = BacktestSettings(
        orders=orders or (60 if quick else 500),
        qty_volume=0.05,
        horizon_s=600.0 if quick else 1800.0,
        slices=10 if quick else 30,
        fill_model="band",
        seed=seed,
    )
    folder = out / "tapes"
    if data is None:
        tapes = _simulated(folder, quick, seed, bar, market)
    else:
        tapes = _recorded(data, folder, bar)
    trade = _to_trade(tapes, settings)
    total = settings.orders * len(POLICIES) * len(fill_models(settings))
    result = backtest(
        tapes,
        POLICIES,
        settings,
        trade=trade,
        progress=lambda done: bar.on("orders worked", done, total),
    )
    bar.say("writing the report")
    with result_in(out, "backtest") as draft:
        result.write(draft)
        write_report(result, draft / "report.html", examples=2 if quick else 6)
    page = out / "report.html"
    if not training:
        return Pages(page, None, "")
    from paceline.demo.learning import MARKET, learn

    whole = [tape for tape in tapes if not tape.manifest.quality.short_session]
    where = (market or MARKET) if data is None and not quick else None
    learned = learn(out, where, whole, quick, seed, bar)
    return Pages(page, learned.report, learned.headline)


def _simulated(
    folder: Path, quick: bool, seed: int, bar: Any, market: str | None = None
) -> list[Tape]:
    from paceline.engine.market_settings import MarketSettings
    from paceline.engine.shipped import load_market
    from paceline.engine.simulator import simulate_day

    days = [(_FIRST_DAY + timedelta(days=i)).isoformat() for i in range(_DAYS)]
    settings = MarketSettings() if market is None else load_market(market)
    tapes = []
    for i, day in enumerate(days):
        bar.to(f"simulate {day}", i, len(days))
        tape = simulate_day(settings, day, seed)
        tape.save(folder / f"{tape.name}.tape")
        tapes.append(tape)
    return tapes


def _recorded(data: Path, folder: Path, bar: Any) -> list[Tape]:
    from paceline.ingest import ingest
    from paceline.market.tape import Tape

    if not data.exists():
        raise ConfigError(f"data: {data} does not exist; give raw files or a folder of them")
    done = ingest(data, folder, progress=lambda at, of, what: bar.to(f"ingest {what}", at, of))
    for failure in done.failed:
        print(f"left out: {failure.name}: {failure.error}")
    tapes = [Tape.open(path) for path in done]
    return sorted(tapes, key=lambda tape: (tape.instrument.symbol, tape.session.day))


def _to_trade(tapes: list[Tape], settings: BacktestSettings) -> list[Tape]:
    """The last days of each symbol that are long enough; never the first if there is another."""
    chosen: list[Tape] = []
    for symbol in dict.fromkeys(tape.instrument.symbol for tape in tapes):
        days = [
            tape
            for tape in tapes
            if tape.instrument.symbol == symbol and not tape.manifest.quality.short_session
        ]
        chosen += days[max(1, len(days) - _TRADED_DAYS) :] or days
    if not chosen:
        raise InputError(
            f"data: no whole session among {len(tapes)} tapes; give a day that is recorded to its "
            "close"
        )
    return chosen[-settings.orders :]
