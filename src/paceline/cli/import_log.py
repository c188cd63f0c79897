"""paceline import-log: a desk's own child orders, as a log to learn from."""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from paceline.cli.parser import add_verb
from paceline.cli.tapes import check_once, open_tapes
from paceline.errors import ConfigError, IngestError
from paceline.files.alone import alone_in
from paceline.files.writing import new_file
from paceline.progress import progress_bar

_EXAMPLES = """\
examples:
  paceline import-log children.parquet --parents parents.csv --mapping desk.yaml --tape tapes/
  paceline import-log children.csv --parents parents.csv --mapping desk.yaml --tape tapes/ \\
      --grid grid.yaml --config limits.yaml -o out/log-of-desk

The child orders are replayed on the tapes of their days. At each the log holds what was seen, what
was legal and the action of the grid that is nearest; `teaching.logs` of a recipe names it. A row
that cannot be true is in OUT/set-aside.csv, with the reason; a day with too many is refused. The
mapping is a few lines of YAML: docs/child_orders.md explains it, with an example.
"""

_ASIDE = "set-aside.csv"


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs, "import-log", run, "Read a desk's own child orders as a log to learn from.",
        _EXAMPLES,
    )  # fmt: skip
    parser.add_argument("children", type=Path, help="CSV or Parquet, a child order a row")
    parser.add_argument(
        "--parents", type=Path, required=True, help="CSV or Parquet, a parent order a row"
    )
    parser.add_argument("--mapping", type=Path, required=True, help="YAML: which column is what")
    parser.add_argument(
        "--tape", type=Path, nargs="+", required=True, help="tape folders, or folders of them"
    )
    parser.add_argument("--days", help="days to read: FROM..TO, or one [all]")
    parser.add_argument("--grid", type=Path, help="YAML of the actions [the default grid]")
    parser.add_argument("--config", type=Path, help="YAML of the limits of parent orders")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/log"), help="[%(default)s]")


def run(args: argparse.Namespace) -> None:
    """Run it."""
    import msgspec

    from paceline.config import load_yaml
    from paceline.decision.actions import EXTENDED, ActionGrid
    from paceline.decision.store import FeatureSet
    from paceline.env.episodes import EpisodeSettings
    from paceline.env.history import taught_days
    from paceline.ingest.child_mapping import ChildOrderMapping
    from paceline.ingest.child_orders import digest, read_child_orders, refuse_many
    from paceline.learn.desk_log import EXACT, NEAR
    from paceline.market.days import within

    for field in ("children", "parents"):
        path: Path = getattr(args, field)
        if not path.is_file():
            raise ConfigError(f"{field}: {path} is no file; give a CSV or Parquet that is there")
    mapping = load_yaml(args.mapping, ChildOrderMapping)
    grid = load_yaml(args.grid, ActionGrid) if args.grid else EXTENDED
    orders = load_yaml(args.config, EpisodeSettings) if args.config else EpisodeSettings()
    found = read_child_orders(args.children, args.parents, mapping)
    tapes = open_tapes(args.tape)
    chosen = within(tapes, args.days, "days") if args.days else tapes
    check_once(chosen)
    chosen = taught_days(chosen, tapes)
    settings = {
        "made_by": "import-log", "grid": msgspec.to_builtins(grid),
        "mapping": msgspec.to_builtins(mapping), "episodes": msgspec.to_builtins(orders),
        "files": {path.name: digest(path) for path in (args.children, args.parents)},
        "data": {tape.name: tape.identity for tape in tapes},
    }  # fmt: skip
    with alone_in(args.out):  # refused now, and not when a day is done
        kept = FeatureSet.create(args.out, len(grid), settings)
        aside: list[tuple[str, str, Any]] = []
        failed: list[str] = []
        counts: Counter[int] = Counter()
        with progress_bar() as bar:
            for day in found.days(chosen):
                symbol, date = day.tape.instrument.symbol, day.tape.session.day
                bar.say(f"replaying {symbol} {date}")
                told, late = _replay(day, found, tapes, grid, orders)
                aside += [(symbol, date, row) for row in [*day.aside, *late]]
                try:
                    refuse_many([*day.aside, *late], day.rows, mapping, f"file: {symbol} {date} is")
                except IngestError as error:
                    failed.append(str(error))
                    continue
                if told is None:
                    continue
                counts.update(told.verdicts.tolist())
                if not kept.holds(symbol, date):
                    kept.add(symbol, date, told.decisions, told.outcome)
        aside += [("", "", row) for row in found.aside]
        _write_aside(args.out / _ASIDE, aside)
    for reason, n in Counter(_plain(row.reason) for _, _, row in aside).most_common():
        print(f"  {n:,} set aside: a row {reason}")
    for refused in failed:
        print(f"  {refused}", file=sys.stderr)
    print(
        f"{args.out}: {kept.manifest.rows:,} decisions of {len(kept.manifest.days)} days, "
        f"{counts[EXACT] + counts[NEAR]:,} of them child orders ({counts[EXACT]:,} just as their "
        f"action means); {len(aside):,} rows set aside, see {args.out / _ASIDE}"
    )
    if failed:
        raise ConfigError("file: some days are refused (see above); the others are ready")
    if not kept.manifest.days:
        raise ConfigError(
            f"tape: no parent order is of a day that can be worked on; see {args.out / _ASIDE}"
        )


def _replay(day: Any, found: Any, tapes: list[Any], grid: Any, orders: Any) -> Any:
    """What `replayed` found, None without parent orders, and the rows that are no decision."""
    import numpy as np

    from paceline.env.episodes import Pool
    from paceline.learn.desk_log import CHILD_RECORD, VERDICTS, Nearness, replayed

    parents, children = day.parents, day.children
    if not len(parents.lots):
        return None, []
    pool = Pool([day.tape], orders, taught_by=tapes)
    episodes = pool.given(0, parents.side, parents.lots, parents.start_ts, parents.end_ts)
    rows = np.zeros(len(children.ts), CHILD_RECORD)
    for name in ("ts", "type", "ticks", "lots"):
        rows[name] = getattr(children, name)
    nearness = Nearness(found.mapping.max_steps_away, found.mapping.max_size_ratio)
    told = replayed(pool, grid, episodes, children.parent, rows, nearness)
    late = [
        found.child(row, *VERDICTS[verdict])
        for row, verdict in zip(children.row.tolist(), told.verdicts.tolist(), strict=True)
        if verdict in VERDICTS
    ]
    return told, late


def _write_aside(path: Path, aside: list[tuple[str, str, Any]]) -> None:
    """All rows that were set aside, each with its reason."""
    with new_file(path) as draft, open(draft, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "row", "symbol", "day", "reason", "text"))
        for symbol, day, one in aside:
            cells = (one.file, one.row, symbol, day, one.reason, one.text)
            writer.writerow([_harmless(cell) for cell in cells])


def _harmless(cell: object) -> object:
    """A cell that no spreadsheet runs: text that begins as a formula does, behind a quote."""
    is_formula = isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{cell}" if is_formula else cell


def _plain(reason: str) -> str:
    """A reason without the names in it, to be counted by."""
    return " ".join("…" if word.startswith("'") else word for word in reason.split())
