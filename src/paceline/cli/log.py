"""paceline log: decision logs of schedules and tactics with known exploration, to learn from."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from paceline.cli.parser import add_verb
from paceline.cli.tapes import open_tapes
from paceline.errors import ConfigError
from paceline.progress import progress_bar

_EXAMPLES = """\
examples:
  paceline log --tape tapes/ --teachers ac/mid,twap/touch,random --orders 500 -o out/log
  paceline log --market yhoo-2003 --teachers ac/mid/0.02 --explore 0.2 -o out/log
  paceline log --tape tapes/ --days 2003-02-03..2003-02-21 --grid grid.yaml --config orders.yaml

A teacher is random, or PATH[/PRICE[/PATIENCE]]: a path of twap, ac or vwap; a price of the grid at
which it rests; and how far behind, as a share of the order, it begins to take. The log is a feature
set (`paceline features show --set`) that also holds the probability of each action and the terms of
its reward. The same command goes on where it was cut off.
"""


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
    from paceline.learn.logbook import log_day
    from paceline.learn.teachers import Teacher

    if args.orders < 1:
        raise ConfigError(f"orders: {args.orders} is no count; give 1 or more")
    if args.seed < 0:
        raise ConfigError(f"seed: {args.seed} is below 0; give 0 or more")
    grid = load_yaml(args.grid, ActionGrid) if args.grid else EXTENDED
    episodes = load_yaml(args.config, EpisodeSettings) if args.config else EpisodeSettings()
    names = [name.strip() for name in args.teachers.split(",") if name.strip()]
    if not names:
        raise ConfigError("teachers: none is given; give one or more, e.g. ac/mid")
    teachers = [Teacher(name, grid, explore=args.explore) for name in names]
    with progress_bar() as bar:
        bar.say("opening")
        tapes = open_tapes(args.tape) if args.tape else []
        source = Source(tapes, args.days, args.market, episodes)
        settings = {
            "made_by": "log", "teachers": names, "explore": args.explore, "orders": args.orders,
            "seed": args.seed, "grid": msgspec.to_builtins(grid), **source.told,
        }  # fmt: skip
        kept = FeatureSet.create(args.out, len(grid), settings)
        gather(source, kept, grid, teachers, args.orders, args.seed, bar)
    print(f"{args.out}: {kept.manifest.rows:,} decisions of {len(kept.manifest.days)} days")
