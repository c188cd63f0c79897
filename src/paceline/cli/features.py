"""paceline features: what decisions look at, and sets of it on disk."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from paceline.cli.flags import check_drawing
from paceline.cli.parser import add_verb
from paceline.cli.tapes import check_once, open_tapes
from paceline.cli.terminal import show
from paceline.documents import remedy_for
from paceline.errors import ConfigError
from paceline.files.alone import alone_in
from paceline.progress import progress_bar

_EXAMPLES = """\
examples:
  paceline features list
  paceline features materialise --tape tapes/ -o out/features/yhoo --orders 64 --policy random
  paceline features show --set out/features/yhoo
  paceline features show spread --set out/features/yhoo

A set that is cut off goes on where it was when the same command is given again.
"""

_STORE = Path("out/features")
_BARS, _BAR_WIDTH = 16, 40


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "features",
        _list,
        "List the features of a decision, make sets of them on tapes, and look into those.",
        _EXAMPLES,
    )
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

    listed = add_verb(what, "list", _list, "The features, and the sets in a folder.")
    listed.add_argument(
        "folder", type=Path, nargs="?", default=_STORE, help="of the sets [%(default)s]"
    )

    shown = add_verb(what, "show", _show, "A set, or a feature, alone or in a set.")
    shown.add_argument("feature", nargs="?", help="its name; none: all features of the set")
    shown.add_argument("--set", type=Path, help="folder of the set")

    made = add_verb(
        what, "materialise", _materialise, "Work orders on tapes and keep what is seen."
    )
    made.add_argument(
        "--tape", type=Path, nargs="+", required=True, help="tape folders, or folders of them"
    )
    made.add_argument("-o", "--out", type=Path, required=True, help="folder of the set")
    made.add_argument("--orders", type=int, default=64, help="parent orders of a day [%(default)s]")
    made.add_argument(
        "--policy", choices=("random", "hold"), default="random",
        help="any legal action, or always to hold [%(default)s]",
    )  # fmt: skip
    made.add_argument("--config", type=Path, help="YAML of what parent orders are like")
    made.add_argument("--seed", type=int, default=1, help="of orders and actions [%(default)s]")


def _list(args: argparse.Namespace) -> None:
    from paceline.decision.schema import FEATURES, VERSION, schema_hash
    from paceline.decision.store import sets_in

    if args.folder.exists() and not args.folder.is_dir():
        raise ConfigError(f"folder: {args.folder} is a file; give the folder of the sets")
    print(f"schema {VERSION}, {schema_hash()[:12]}: {len(FEATURES)} features")
    print("those with a * may be missing")
    table = _table("feature", "unit", "from", "to", "what it is")
    last = ""
    for one in FEATURES:
        if one.group != last:
            table.add_section()
            table.add_row(f"[bold]{one.group}[/bold]", "", "", "", "")
        last = one.group
        name = f"{one.name}{' *' if one.may_miss else ''}"
        table.add_row(name, one.unit, f"{one.low:g}", f"{one.high:g}", one.says)
    show(table)
    found = sets_in(args.folder)
    if not found:
        print(f"{args.folder}: holds no set; `paceline features materialise` makes one")
        return
    sets = _table("set", "schema", "symbols", "days", "decisions")
    for name, kept in found.items():
        mine = "this" if kept.schema == schema_hash() else f"another, {kept.schema[:12]}"
        symbols = sorted({day.symbol for day in kept.days})
        sets.add_row(name, mine, ", ".join(symbols), f"{len(kept.days)}", f"{kept.rows:,}")
    show(sets)


def _show(args: argparse.Namespace) -> None:
    from paceline.decision.schema import FEATURES
    from paceline.decision.store import FeatureSet, summary

    if args.feature is None and args.set is None:
        raise ConfigError("feature: neither a feature nor --set is given; give one or both")
    if args.feature is not None:
        known = {one.name: one for one in FEATURES}
        if args.feature not in known:
            raise ConfigError(_unknown(args.feature, list(known)))
        one = known[args.feature]
        unit = f", {one.unit}" if one.unit else ""
        print(f"{one.name} ({one.group}{unit}, {one.low:g} to {one.high:g}): {one.says}")
    if args.set is None:
        return
    kept = FeatureSet.open(args.set)
    days = [day.day for day in kept.manifest.days]
    print(
        f"{args.set}: {kept.manifest.rows:,} decisions, "
        + (f"{min(days)} to {max(days)}" if days else "no day is finished")
    )
    if args.feature is None:
        for name, value in kept.manifest.settings.items():
            print(f"  {name}: {value}")
    table = _table("feature", "missing", "mean", "5 %", "median", "95 %")
    for one in FEATURES:
        if args.feature in (None, one.name):
            facts = summary(kept.column(one.name))
            cells = map(_number, (facts.mean, facts.low, facts.median, facts.high))
            table.add_row(one.name, f"{100 * facts.missing:.1f} %", *cells)
    show(table)
    if args.feature is not None:
        _print_histogram(kept.column(args.feature))


def _print_histogram(values: Any) -> None:
    import numpy as np

    known = values[~np.isnan(values)]
    if not len(known):
        return
    counts, edges = np.histogram(known.astype(float), bins=_BARS)
    for count, low, high in zip(counts, edges, edges[1:], strict=False):
        bar = "█" * math.ceil(_BAR_WIDTH * count / counts.max())
        print(f"{low:>10.4g} to {high:<10.4g} {bar:<{_BAR_WIDTH}} {count:,}")


def _materialise(args: argparse.Namespace) -> None:
    import msgspec

    from paceline.config import load_yaml
    from paceline.decision.actions import ActionGrid
    from paceline.decision.store import FeatureSet
    from paceline.env.episodes import EpisodeSettings
    from paceline.env.history import taught_days

    check_drawing(args.orders, args.seed)
    tapes = open_tapes(args.tape)
    check_once(tapes)
    worked = taught_days(tapes, tapes)
    if not worked:
        raise ConfigError(
            "tape: each is the first day of its symbol, and that only teaches; give later ones, too"
        )
    episodes = load_yaml(args.config, EpisodeSettings) if args.config else EpisodeSettings()
    grid = ActionGrid()
    settings = {
        "policy": args.policy, "orders": args.orders, "seed": args.seed,
        "tapes": {tape.name: tape.identity for tape in tapes},
        "episodes": msgspec.to_builtins(episodes), "grid": msgspec.to_builtins(grid),
    }  # fmt: skip
    with alone_in(args.out):  # refused now, and not when a day is done
        kept = FeatureSet.create(args.out, len(grid), settings)
        with progress_bar() as bar:
            for tape in worked:
                symbol, day = tape.instrument.symbol, tape.session.day
                if kept.holds(symbol, day):
                    bar.on("orders", args.orders, args.orders * len(worked))
                    continue
                found = decided(
                    tape, tapes, episodes, grid, args.orders, args.policy, args.seed,
                    lambda n: bar.on("orders", n, args.orders * len(worked)),
                )  # fmt: skip
                kept.add(symbol, day, found)
    print(f"{args.out}: {kept.manifest.rows:,} decisions of {len(kept.manifest.days)} days")


def decided(
    tape: Any,
    tapes: Sequence[Any],
    episodes: Any,
    grid: Any,
    orders: int,
    policy: str,
    seed: int,
    progress: Callable[[int], None],
) -> Any:
    """The decisions of `orders` parent orders on `tape`, taught by `tapes`, each to its end."""
    import numpy as np

    from paceline.env.batch_env import BatchExecutionEnv
    from paceline.env.episodes import Pool
    from paceline.learn.logbook import worked
    from paceline.learn.teachers import Teacher

    # Of the tape alone: what else is made does not change it.
    rng = np.random.default_rng([seed, int(tape.manifest.tape_id[:8], 16)])
    pool = Pool([tape], episodes, taught_by=tapes)
    env = BatchExecutionEnv(pool, orders, grid=grid, max_orders=4096, max_fills=8192)
    teacher = Teacher(policy, grid)
    decisions, _ = worked(env, [teacher], seed=int(rng.integers(2**32)), progress=progress)
    return decisions


def _table(*columns: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in columns:  # in a narrow window the last one may break, and nothing else
        table.add_column(column, no_wrap=column != columns[-1], overflow="fold")
    return table


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4g}"


def _unknown(name: str, known: list[str]) -> str:
    remedy = remedy_for(name, known, "`paceline features list` names them")
    return f"feature: there is no {name!r}; {remedy}"
