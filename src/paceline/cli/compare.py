"""paceline compare: the same parent orders, worked by every policy, and what is proven of it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paceline.cli.flags import add_flags, check_counts, chosen_settings
from paceline.cli.parser import add_verb
from paceline.cli.tapes import open_tapes
from paceline.cli.terminal import show
from paceline.config import from_dict
from paceline.documents import read_text
from paceline.errors import ConfigError
from paceline.evaluate.compare_settings import CompareSettings
from paceline.files.alone import alone_in
from paceline.files.results import result_in
from paceline.progress import Bar, progress_bar

_EXAMPLES = """\
examples:
  paceline compare --tape tapes/ --policies ac,twap,vwap,pov --days 2003-03-03..2003-03-14
  paceline compare --tape tapes/ --policies ac,ac/cross,twap/mid --days 2003-03-03..2003-03-14 \\
      --tune-days 2003-02-03..2003-02-28 --orders 2000
  paceline compare --market yhoo-2003 --policies ac,twap,random --seeds 5 --orders 500
  paceline compare --market yhoo-2003 --regimes normal,thin,volatile --policies ac,out/run
  paceline compare --tape tapes/ --policies twap,vwap --days 2003-03-03..2003-03-14 \\
      --tuned out/compare/tuned.json

A policy is a schedule with its tactic (see `paceline backtest --help`), or one of
  random      any legal action
  hold        waits, and is swept at the end of the horizon
  oracle      looks ahead: no policy, but the most that timing could be worth; on tapes only

With --tune-days or --tuned the baseline is Almgren-Chriss with the tactic that was best on days
before those compared; plain ac is shown beside it. Otherwise it is the first policy. Tapes of no
range only teach. A trained policy is compared on days after those that it was trained and validated
on, or in markets of other seeds. What has been worked is kept, so the same command goes on where it
was cut off.
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "compare",
        run,
        "Compare policies on the same parent orders: savings with intervals, and where they come "
        "from.",
        _EXAMPLES,
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--tape", type=Path, nargs="+", help="tape folders, or folders of them")
    where.add_argument(
        "--market",
        help="YAML or names of simulated markets, comma-separated: each order has its own",
    )
    parser.add_argument(
        "--policies", default="ac,twap,vwap,pov", help="comma-separated [%(default)s]"
    )
    parser.add_argument("--days", help="days to compare on: FROM..TO, or one [all]")
    parser.add_argument("--baseline", help="policy that others are compared with [the first]")
    parser.add_argument("--tune-days", help="days to tune the baseline on: FROM..TO, before --days")
    parser.add_argument(
        "--tune-seed", type=int, help="with --market: seed of the markets to tune the baseline on"
    )
    parser.add_argument(
        "--tune-orders", type=int, default=2048, help="parent orders to tune on [%(default)s]"
    )
    parser.add_argument("--tuned", type=Path, help="a baseline that was tuned before (tuned.json)")
    parser.add_argument(
        "--explanation", type=Path, help="text that explains a gain which looks too good"
    )
    parser.add_argument(
        "--regimes",
        help="with --tape: file of regimes fitted on training days, to split differences by; with "
        "--market: names of regimes, comma-separated, in each of which it is as often",
    )
    parser.add_argument("--config", type=Path, help="YAML with any of the settings below")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/compare"), help="[%(default)s]")
    parser.add_argument("--jobs", type=int, help="threads [as many as cores]")
    add_flags(parser.add_argument_group("settings"), CompareSettings)


def run(args: argparse.Namespace) -> None:
    """Run it."""
    import os

    from paceline.decision.regimes import LiquidityRegimes
    from paceline.evaluate.compare import check_limits, check_unseen, compare, models_of
    from paceline.evaluate.compare_page import comparison_text, write_comparison

    check_counts(jobs=args.jobs, tune_orders=args.tune_orders, seed=args.tune_seed)
    settings = from_dict(chosen_settings(args, CompareSettings), CompareSettings)
    names = _names(args.policies)
    jobs = _jobs(args.jobs) or os.cpu_count() or 1
    explanation = " ".join(read_text(args.explanation).split()) if args.explanation else ""
    _check_tuning(args, settings)
    regimes = LiquidityRegimes.load(args.regimes) if args.regimes and args.tape else None
    who = _contestants(names, settings)
    check_limits(who, settings)  # now, and not when the baseline is tuned
    # The folder is made, or refused, now and not when the work is done.
    with alone_in(args.out), progress_bar() as bar:
        bar.say("opening")
        tapes = open_tapes(args.tape) if args.tape else []
        pool, days, notes = _pool(args, tapes, settings)
        check_unseen(who, pool, settings)  # as above
        models = [model.name.lower() for model in models_of(settings, pool)]
        tuned = _tuned(args, tapes, settings, days, bar, jobs)
        if tuned is not None:
            seeds = range(settings.seed, settings.seed + settings.seeds)
            tuned.check(days, models, seeds)
            plain = [] if any(one.name == "ac" for one in who) else _contestants(["ac"], settings)
            who = [tuned.schedule(), *plain, *who]
        who = _from_baseline(who, args.baseline)
        total = settings.orders * settings.seeds * len(models) * len(who)
        found = compare(
            pool, who, settings, store=args.out / "worked", jobs=jobs,
            progress=lambda done: bar.on("orders worked", done, total),
            tuning=None if tuned is None else tuned.as_dict(), explanation=explanation,
            regimes=regimes,
        )  # fmt: skip
        found.notes[:0] = notes
        bar.say("intervals")
        with result_in(args.out, "compare") as draft:
            found.write(draft)
            bar.say("writing")
            write_comparison(found, draft / "report.html")
    show(comparison_text(found))
    print(f"results: {args.out}\nreport:  {args.out / 'report.html'}")


def _jobs(jobs: int | None) -> int | None:
    if jobs is not None and jobs < 1:
        raise ConfigError(f"jobs: {jobs} is no count of threads; give 1 or more")
    return jobs


def _contestants(names: Sequence[str], settings: CompareSettings) -> list[Any]:
    from paceline.env.policies import Urgency
    from paceline.evaluate.contestants import contestant

    urgency = Urgency(settings.half_life_s, None)
    return [contestant(name, settings.slices, urgency) for name in names]


def _from_baseline(who: list[Any], baseline: str | None) -> list[Any]:
    """The baseline first."""
    if baseline is None:
        return who
    first = [one for one in who if one.name == baseline]
    if not first:
        raise ConfigError(
            f"baseline: {baseline!r} is none of {', '.join(one.name for one in who)}; give one of "
            "these"
        )
    return [*first, *(one for one in who if one.name != baseline)]


def _check_tuning(args: argparse.Namespace, settings: CompareSettings) -> None:
    """Raises `ConfigError` for ways to tune that do not go together."""
    given = [
        name for name in ("tune_days", "tune_seed", "tuned") if getattr(args, name) is not None
    ]
    if len(given) > 1:
        raise ConfigError(f"{given[1]}: {given[0]} is given too; give one of them")
    if args.tune_days is not None and args.market is not None:
        raise ConfigError("tune_days: a market has no days; give --tune-seed")
    if args.tune_seed is not None and args.market is None:
        raise ConfigError("tune_seed: is of --market; give --tune-days")
    if args.tune_orders < 32:
        raise ConfigError(f"tune_orders: {args.tune_orders} are too few to tell; give 32 or more")
    if args.tune_seed is not None and args.tune_seed < 0:
        raise ConfigError(f"tune_seed: {args.tune_seed} is below 0; give 0 or more")
    seeds = range(settings.seed, settings.seed + settings.seeds)
    if args.tune_seed in seeds:
        raise ConfigError(
            f"tune_seed: {args.tune_seed} draws orders that are compared; give one outside "
            f"{seeds[0]} to {seeds[-1]}"
        )
    if args.days is not None and args.market is not None:
        raise ConfigError("days: a market has no days; leave them out")


def _pool(
    args: argparse.Namespace, tapes: list[Any], settings: CompareSettings
) -> tuple[Any, list[str], list[str]]:
    """What to compare on, its days, and notes on what was left out."""
    from paceline.env.episodes import Pool
    from paceline.evaluate.worked import episode_settings

    if args.market is not None:
        return _markets(args, episode_settings(settings), settings.seed), [], []
    chosen, notes = _whole(_within(tapes, args.days, "days"), "days")
    # A day without one before it is noted in what is found, as it is in a backtest.
    pool = Pool(
        chosen, episode_settings(settings), seed=settings.seed, taught_by=tapes, untaught="own"
    )
    return pool, sorted({tape.session.day for tape in chosen}), notes


def _markets(args: argparse.Namespace, orders: Any, seed: int) -> Any:
    """The markets of `--market`, in the regimes of `--regimes`."""
    from paceline.learn.source import in_markets

    return in_markets(_names(args.market), _names(args.regimes or ""), orders, seed)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _tuned(
    args: argparse.Namespace,
    tapes: list[Any],
    settings: CompareSettings,
    days: list[str],
    bar: Bar,
    jobs: int,
) -> Any:
    """The tuned baseline that was asked for; None without one."""
    import msgspec

    from paceline.env.episodes import Pool
    from paceline.evaluate.compare import models_of
    from paceline.evaluate.tuning import Tuned, check_days, grid, orders_at_most, tune
    from paceline.evaluate.worked import episode_settings

    if args.tuned is not None:
        return Tuned.load(args.tuned)
    if args.tune_days is None and args.tune_seed is None:
        return None
    seed = settings.seed if args.tune_seed is None else args.tune_seed
    mine = msgspec.structs.replace(settings, orders=args.tune_orders, seed=seed, seeds=1)
    like = episode_settings(mine)
    if args.tune_days is not None:
        chosen = _within(tapes, args.tune_days, "tune_days")
        check_days([tape.session.day for tape in chosen], days)
        chosen, _ = _whole(chosen, "tune_days")
        pool: Any = Pool(chosen, like, seed=seed, taught_by=tapes, untaught="own")
    else:
        pool = _markets(args, like, seed)
    names = {tape.instrument.symbol for tape in pool.tapes}
    most = orders_at_most(len(grid(mine.horizon_s)), mine.orders, len(names))
    most *= len(models_of(mine, pool))
    found = tune(
        pool, mine, progress=lambda done: bar.on("tuning the baseline", done, most), jobs=jobs
    )
    found.save(args.out / "tuned.json")
    return found


def _within(tapes: list[Any], text: str | None, field: str) -> list[Any]:
    """The tapes of days in `text`, FROM..TO or a day alone; all without."""
    from paceline.market.days import within

    return tapes if text is None else within(tapes, text, field)


def _whole(tapes: list[Any], field: str) -> tuple[list[Any], list[str]]:
    """The tapes that do not end early, and a note on each that does."""
    whole = [tape for tape in tapes if not tape.manifest.quality.short_session]
    if not whole:
        raise ConfigError(f"{field}: all tapes end early; give whole days")
    short = [tape.name for tape in tapes if tape.manifest.quality.short_session]
    return whole, [f"{name}: was left out (it ends early)" for name in short]
