"""paceline backtest: many parent orders, several policies, a report."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from paceline.cli.flags import add_flags, check_counts, chosen_settings
from paceline.cli.parser import add_verb
from paceline.cli.tapes import open_tapes
from paceline.cli.terminal import show
from paceline.config import from_dict
from paceline.errors import ConfigError
from paceline.evaluate.settings import LIMITS, BacktestSettings
from paceline.files.alone import alone_in
from paceline.files.results import result_in
from paceline.progress import progress_bar

_EXAMPLES = """\
examples:
  paceline backtest --tape tapes/ --policy ac,twap,vwap,pov --orders 500 --qty-adv 0.02
  paceline backtest --tape tapes/YHOO-2003-03-0*.tape --policy ac,ac/mid,ac/cross \\
      --qty-volume 0.05 --horizon 30m --fill-model band --trade-from 2003-03-03
  paceline backtest --tape tapes/ --policy ac --order parent.json
  paceline backtest --tape tapes/ --policy ac,twap --order orders.csv --participation 0.1
  paceline backtest --tape tapes/ --policy ac,twap --scenario crash,thin-book,mine.yaml
  paceline backtest --market market.yaml --days 10 --policy ac,twap

A policy is SCHEDULE[/PLACEMENT[+SECONDSs][/SLICES]]:
  schedule    twap, vwap, pov, ac (Almgren-Chriss)
  placement   cross, or rest at touch (the default), inside or mid and cross at the slice's end;
              +5s moves resting orders after the market every 5 s
  e.g. ac, ac/cross, vwap/mid/15, twap/touch+5s

An order of --order has order_id, symbol, side (buy, sell), qty, arrival_px (the mid at its start),
start_ts and end_ts, and in its constraints participation, price_band_bps and child_max. In CSV and
Parquet these are columns. A time is seconds since the epoch (1693564800.25), ISO 8601 text with an
offset (2023-09-01T06:40:00-04:00), or nanoseconds as start_ns and end_ns. A limit that an order
does not have is that of the flag.

Earlier days among the tapes teach volume curve, ADV and impact to later ones. The first policy is
the baseline of the comparison.
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "backtest",
        run,
        "Work many parent orders with several policies on tapes; write results and a report.",
        _EXAMPLES,
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--tape", type=Path, nargs="+", help="tape folders, or folders of them")
    where.add_argument(
        "--market",
        help="YAML or name of a simulated market: each order is worked in one of its own, "
        "which answers",
    )
    parser.add_argument("--days", type=_count, help="days of --market to simulate [5]")
    parser.add_argument(
        "--policy", default="ac,twap,vwap,pov", help="comma-separated [%(default)s]"
    )
    parser.add_argument("--trade-from", help="first day to trade; earlier ones only teach")
    parser.add_argument(
        "--order",
        type=Path,
        help="JSON, CSV or Parquet: your own parent orders instead of drawn ones; what is in them "
        "is told above",
    )
    parser.add_argument(
        "--scenario",
        default="",
        help="comma-separated scenarios to work the same orders under, and to compare with the "
        "calm: names (`paceline stress` lists them) or YAML files",
    )
    parser.add_argument("--config", type=Path, help="YAML with any of the settings below")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("out/backtest"), help="[%(default)s]"
    )
    parser.add_argument("--jobs", type=int, help="threads [as many as cores]")
    parser.add_argument(
        "--examples", type=_count, default=6, help="orders drawn in the report [%(default)s]"
    )
    settings = parser.add_argument_group("settings")
    add_flags(settings, BacktestSettings)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give 0 or more")
    return int(text)


def run(args: argparse.Namespace) -> None:
    """Run it."""
    check_counts(days=args.days, jobs=args.jobs, examples=args.examples)
    settings = settings_from(args)
    import msgspec

    from paceline.evaluate.backtest import backtest
    from paceline.evaluate.report import summary_text, write_report
    from paceline.evaluate.venues import fill_models
    from paceline.orders.reading import read_parents
    from paceline.stress.scenario import scenario

    scenarios = [scenario(name.strip()) for name in args.scenario.split(",") if name.strip()]
    with progress_bar() as bar:
        answering = _simulated(args, settings.seed, bar)
    tapes = [day.tape for day in answering] or open_tapes(args.tape)
    trade = _traded(tapes, args.trade_from)
    known = {tape.instrument.symbol: tape.instrument for tape in tapes}
    given = read_parents(args.order, known, _limits(settings)) if args.order else None
    orders = None if given is None else given.orders
    if given is not None:  # what an order does not use stays, and is refused
        settings = msgspec.structs.replace(settings, **dict.fromkeys(given.filled_in))
    policies = [name.strip() for name in args.policy.split(",") if name.strip()]
    with alone_in(args.out):  # refused now, and not when the work is done
        count = settings.orders if orders is None else len(orders)
        total = count * len(policies) * len(fill_models(settings)) * (1 + len(scenarios))
        with progress_bar() as bar:
            result = backtest(
                tapes,
                policies,
                settings,
                orders=orders,
                trade=trade,
                answering=answering,
                scenarios=scenarios,
                notes=() if given is None else given.notes,
                progress=lambda done: bar.on("orders worked", done, total),
                jobs=args.jobs,
            )
            bar.say("writing")
            with result_in(args.out, "backtest") as draft:
                result.write(draft)
                write_report(result, draft / "report.html", examples=args.examples)
    show(summary_text(result))
    print(f"results: {args.out}\nreport:  {args.out / 'report.html'}")


def _limits(settings: BacktestSettings) -> dict[str, float | None]:
    """Limits of an order that has none of its own."""
    return {name: getattr(settings, name) for name in LIMITS}


def _simulated(args: argparse.Namespace, seed: int, bar: Any) -> list[Any]:
    """The days of `--market`; none without one."""
    if args.market is None:
        if args.days is not None:
            raise ConfigError(f"days: {args.days} are of --market; leave them out with --tape")
        return []
    from paceline.engine.shipped import load_market
    from paceline.evaluate.answering import simulated_days

    market = load_market(args.market)
    days = 5 if args.days is None else args.days
    return simulated_days(
        market, days, seed, progress=lambda more: bar.on("days simulated", more, days)
    )


def _traded(tapes: Sequence[Any], first_day: str | None) -> list[Any]:
    """The tapes of `first_day` (YYYY-MM-DD) and later."""
    if first_day is None:
        return list(tapes)
    try:
        first = date.fromisoformat(first_day).isoformat()
    except ValueError:
        raise ConfigError(f"trade_from: {first_day!r} is not a date; write YYYY-MM-DD") from None
    trade = [tape for tape in tapes if tape.session.day >= first]
    if not trade:
        raise ConfigError(f"trade_from: no tape is of {first} or later; give an earlier day")
    return trade


def settings_from(args: argparse.Namespace) -> BacktestSettings:
    """Settings of `--config`, and of the flags over them."""
    chosen = chosen_settings(args, BacktestSettings)
    drawn = args.order is None
    if drawn and all(chosen.get(name) is None for name in ("qty", "qty_adv", "qty_volume")):
        chosen["qty_adv"] = 0.02
    return from_dict(chosen, BacktestSettings)
