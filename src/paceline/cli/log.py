"""paceline log: decision logs of schedules and tactics with known exploration, to learn from."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from paceline.cli.flags import check_drawing
from paceline.cli.parser import add_verb
from paceline.cli.tapes import check_once, open_tapes
from paceline.errors import ConfigError
from paceline.files.alone import alone_in
from paceline.progress import progress_bar

_EXAMPLES = """\
examples:
  paceline log --tape tapes/ --teachers ac/mid,twap/touch,random --orders 500 -o out/log
  paceline log --market yhoo-2003 --teachers ac/mid/0.02 --explore 0.2 -o out/log
  paceline log --tape tapes/ --days 2003-02-03..2003-02-21 --grid grid.yaml --config orders.yaml
  paceline log --tape tapes/ --teachers out/run,ac/mid --explore 0.05 -o out/log-of-run

A teacher is random, the folder of a trained policy (a run, or a checkpoint), or
PATH[/PRICE[/PATIENCE]]: a path of twap, ac or vwap; a price of the grid at which it rests; and how
far behind, as a share of the order, it begins to take. With a trained policy grid and limits are
those that it was trained with. The log is a feature set (`paceline features show --set`) that also
holds the probability of each action and the terms of its reward. The same command goes on where it
was cut off. A desk's own child orders are read by `paceline import-log`.
"""

_PART = 256
"""Orders in a simulated market that are logged at once."""
_MOST_ORDERS = 4096
"""Child orders that a parent order has room for."""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "log",
        run,
        "Log what schedules and tactics decide, with known exploration, to learn from.",
        _EXAMPLES,
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--tape", type=Path, nargs="+", help="tape folders, or folders of them")
    where.add_argument("--market", help="YAML or name of a simulated market, one for each order")
    parser.add_argument("--days", help="days to work on: FROM..TO, or one [all]")
    parser.add_argument(
        "--teachers", default="ac/touch,ac/inside,twap/touch,random",
        help="comma-separated, taking turns [%(default)s]",
    )  # fmt: skip
    parser.add_argument(
        "--explore", type=float, default=0.1, help="share of actions by chance [%(default)s]"
    )
    parser.add_argument("--orders", type=int, default=500, help="a day [%(default)s]")
    parser.add_argument("--grid", type=Path, help="YAML of the actions [the default grid]")
    parser.add_argument("--config", type=Path, help="YAML of what parent orders are like")
    parser.add_argument("--seed", type=int, default=1, help="of orders and actions [%(default)s]")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/log"), help="[%(default)s]")


def run(args: argparse.Namespace) -> None:
    """Run it."""
    import msgspec

    from paceline.config import load_yaml
    from paceline.decision.actions import EXTENDED, ActionGrid
    from paceline.decision.store import FeatureSet
    from paceline.env.episodes import EpisodeSettings
    from paceline.learn.trained_teacher import grid_they_need, teachers_of

    check_drawing(args.orders, args.seed)
    names = [name.strip() for name in args.teachers.split(",") if name.strip()]
    if not names:
        raise ConfigError("teachers: none is given; give one or more, e.g. ac/mid")
    grid = load_yaml(args.grid, ActionGrid) if args.grid else grid_they_need(names) or EXTENDED
    teachers = teachers_of(names, grid, args.explore)
    given = load_yaml(args.config, EpisodeSettings) if args.config else None
    orders, desk, policies = _under_limits(teachers, given)
    with progress_bar() as bar:
        bar.say("opening")
        works, data = _days(args, orders) if args.tape else _market(args, orders)
        settings = {
            "made_by": "log", "teachers": names, "explore": args.explore, "orders": args.orders,
            "seed": args.seed, "grid": msgspec.to_builtins(grid), "data": data,
            "episodes": msgspec.to_builtins(orders), **policies,
        }  # fmt: skip
        with alone_in(args.out):  # refused now, and not when a day is done
            kept = FeatureSet.create(args.out, len(grid), settings)
            for work in works:
                _log(work, kept, grid, desk, teachers, bar, sum(one.orders for one in works))
    print(f"{args.out}: {kept.manifest.rows:,} decisions of {len(kept.manifest.days)} days")


class Work(NamedTuple):
    """A day to log, or as many orders in a simulated market."""

    symbol: str
    day: str
    orders: int
    seed: int
    pool: Callable[[], Any]
    """Where its orders come from; made when it is its turn."""


def _days(args: argparse.Namespace, orders: Any) -> tuple[list[Work], dict[str, str]]:
    """The days of `--tape`, each taught by those before it."""
    from functools import partial

    from paceline.env.episodes import Pool
    from paceline.env.history import taught_days
    from paceline.market.days import within

    tapes = open_tapes(args.tape)
    chosen = within(tapes, args.days, "days") if args.days else tapes
    check_once(chosen)
    chosen = taught_days(chosen, tapes)
    if not chosen:
        raise ConfigError(
            "tape: each is the first day of its symbol, and that only teaches; give earlier days"
        )
    works = [
        Work(
            tape.instrument.symbol, tape.session.day, args.orders,
            # Of the tape alone: what else is logged does not change it.
            args.seed + int(tape.manifest.tape_id[:8], 16),
            partial(Pool, [tape], orders, taught_by=tapes),
        )
        for tape in chosen
    ]  # fmt: skip
    last = max(tape.session.day for tape in chosen)
    return works, {tape.name: tape.identity for tape in tapes if tape.session.day <= last}


def _market(args: argparse.Namespace, orders: Any) -> tuple[list[Work], dict[str, str]]:
    """Orders in a simulated market, in parts, so that what is cut off loses little."""
    from paceline.env.simulated_pool import SimulatedPool

    pool = SimulatedPool(args.market, orders)
    works = [
        Work(pool.tapes[0].instrument.symbol, f"part-{k:04d}", min(_PART, args.orders - first),
             args.seed + k, lambda: pool)
        for k, first in enumerate(range(0, args.orders, _PART))
    ]  # fmt: skip
    return works, {args.market: pool.tapes[0].identity}


def _under_limits(teachers: Sequence[Any], given: Any) -> tuple[Any, Any, dict[str, Any]]:
    """What orders are like, the desk's limits, and what the log says of trained policies: these
    work under the limits that they learnt under. Raises `ConfigError` where those are not one."""
    import msgspec

    from paceline.env.episodes import EpisodeSettings
    from paceline.learn.limits import limits_of

    trained = [one for one in teachers if hasattr(one, "limits")]
    known = [one for one in trained if one.limits is not None]
    orders, limits = given or EpisodeSettings(), None
    if known:
        limits = known[0].limits
        if given is None:
            orders = limits.orders(orders)
        here = limits_of(orders, band_ticks=limits.price_band_ticks, child_max=limits.child_max)
        for one in known:
            one.limits.check(one.name, here)
    told = {"policies": {one.name: one.identity for one in trained}} if trained else {}
    if known:
        told["limits"] = msgspec.to_builtins(limits)
    return orders, None if limits is None else limits.desk(), told


def _log(
    work: Work, kept: Any, grid: Any, desk: Any, teachers: Sequence[Any], bar: Any, of: int
) -> None:
    """Log a day that is not logged yet."""
    from paceline.env.batch_env import BatchExecutionEnv
    from paceline.learn.logbook import worked

    if kept.holds(work.symbol, work.day):
        bar.on("orders", work.orders, of)
        return
    env = BatchExecutionEnv(
        work.pool(), work.orders, grid=grid, limits=desk, max_orders=_MOST_ORDERS,
        max_fills=2 * _MOST_ORDERS,
    )  # fmt: skip
    found = worked(env, teachers, seed=work.seed, progress=lambda n: bar.on("orders", n, of))
    kept.add(work.symbol, work.day, *found)
