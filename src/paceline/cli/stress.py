"""paceline stress: what scenarios there are, and what one does to a day."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from pathlib import Path
from typing import Any

from paceline.cli.flags import check_counts
from paceline.cli.parser import add_verb
from paceline.cli.tapes import open_tapes
from paceline.cli.terminal import show
from paceline.errors import ConfigError

_EXAMPLES = """\
examples:
  paceline stress
  paceline stress crash --tape tapes/YHOO-2003-03-05.tape
  paceline stress mine.yaml --market market.yaml -o out/mine --seed 7
  paceline stress halt --market default

Without a scenario it lists those that are shipped. To work orders under one, give it to
`paceline backtest --scenario`.
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "stress",
        run,
        "List scenarios, or show what one does to a recorded or a simulated day.",
        _EXAMPLES,
    )
    parser.add_argument(
        "scenario", nargs="?", help="name of a shipped scenario, or a YAML file; none lists them"
    )
    parser.add_argument("--tape", type=Path, help="a tape folder: the recorded day")
    parser.add_argument("--market", help="YAML of a market, the name of a shipped one, or default")
    parser.add_argument("--day", default="2024-01-02", help="of the simulated market [%(default)s]")
    parser.add_argument("--seed", type=int, default=1, help="of the simulated day [%(default)s]")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/stress"), help="[%(default)s]")


def run(args: argparse.Namespace) -> None:
    """Run it."""
    from paceline.stress.scenario import scenario, shipped

    if args.scenario is None:
        for name, known in shipped().items():
            width = shutil.get_terminal_size().columns
            print(textwrap.fill(f"{name:<12} {known.about}", width, subsequent_indent=" " * 13))
        return
    check_counts(seed=args.seed)
    chosen = scenario(args.scenario)
    if (args.tape is None) == (args.market is None):
        raise ConfigError("tape: give --tape or --market, and one of them only")
    from paceline.engine.shipped import load_market
    from paceline.stress.showing import facts_text, on_market, on_tape, write_shown

    if args.tape is not None:
        tapes = open_tapes([args.tape])
        if len(tapes) != 1:
            raise ConfigError(f"tape: {args.tape} holds {len(tapes)} tapes; give one")
        shown = on_tape(tapes[0], chosen)
    else:
        shown = on_market(
            load_market(args.market), chosen, args.day, args.seed, Path(args.market).stem
        )
    page = write_shown(shown, args.out)
    show(facts_text(shown))
    print(f"facts:  {args.out / 'facts.json'}\nreport: {page}")
