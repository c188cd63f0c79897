"""paceline demo: a backtest, a policy that is trained and compared, pages to open."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from paceline.cli.flags import check_counts
from paceline.cli.parser import add_verb
from paceline.errors import ConfigError
from paceline.progress import progress_bar


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "demo",
        run,
        "Work parent orders on simulated days, or on yours, train a policy and compare it.",
        "examples:\n  paceline demo\n  paceline demo --no-training\n"
        "  paceline demo --market ibm-2003\n  paceline demo --data lobster/YHOO --out out/yhoo\n",
    )
    parser.add_argument("--data", type=Path, help="raw files or a folder of days; none: simulate")
    parser.add_argument("--market", help="YAML or name of the market to simulate [a plain one]")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder [%(default)s]")
    parser.add_argument("--orders", type=int, help="parent orders [500; 60 with --quick]")
    parser.add_argument("--quick", action="store_true", help="fewer orders and shorter days")
    parser.add_argument(
        "--no-training", dest="training", action="store_false", help="the backtest alone: seconds"
    )
    parser.add_argument("--seed", type=int, default=7, help="of days and orders [%(default)s]")


def run(args: argparse.Namespace) -> None:
    """Run it."""
    from paceline.demo import run_demo

    if args.data is not None and args.market is not None:
        raise ConfigError("market: is simulated, --data is recorded; give one of them")
    check_counts(orders=args.orders, seed=args.seed)
    with progress_bar() as bar:
        pages = run_demo(
            args.out, args.data, args.orders, args.quick, args.seed, bar, args.market,
            training=args.training,
        )  # fmt: skip
    print(f"\nreport: {pages.backtest}")
    if pages.comparison is not None:
        print(f"learned: {pages.comparison}\n{pages.headline}")
