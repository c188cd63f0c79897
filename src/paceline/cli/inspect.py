"""paceline inspect: what is in a tape."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from paceline.cli.parser import add_verb
from paceline.cli.tapes import open_tapes
from paceline.errors import ConfigError

_PLOTS = (".png", ".svg", ".pdf")


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "inspect",
        run,
        "What is in a tape: events, quality, spread, depth and volume through the day.",
        "example:\n  paceline inspect tapes/YHOO-2003-03-03.tape --plot day.png\n",
    )
    parser.add_argument("tape", type=Path, nargs="+", help="tape folders, or folders of them")
    parser.add_argument("--plot", type=Path, help=f"write the plots here ({', '.join(_PLOTS)})")
    parser.add_argument("--json", action="store_true", help="print the manifest as JSON instead")


def run(args: argparse.Namespace) -> None:
    """Run it."""
    from paceline.market.drawing import draw_portrait, portrait_text
    from paceline.market.portrait import portrait_of

    tapes = open_tapes(args.tape)
    if args.plot and len(tapes) > 1:
        raise ConfigError(f"plot: {args.plot} is one file for {len(tapes)} tapes; give one tape")
    if args.plot and args.plot.suffix not in _PLOTS:
        raise ConfigError(f"plot: {args.plot} does not end in one of {', '.join(_PLOTS)}")
    for tape in tapes:
        if args.json:
            print(msgspec.json.encode(tape.manifest).decode())
            continue
        portrait = portrait_of(tape)
        print(portrait_text(portrait))
        if tape.has_orders:
            _print_queue_facts(tape)
        if args.plot:
            print(f"plot: {draw_portrait(portrait, args.plot)}")


def _print_queue_facts(tape: Any) -> None:
    """What the tape says of queues and recovery, for the settings of a backtest."""
    from paceline.engine.queue import fit_cancels
    from paceline.engine.recovery import fit_recovery
    from paceline.errors import InputError

    try:
        exponent, error = fit_cancels(tape)
        print(f"cancels in queues: exponent {exponent:.2f} ± {error:.2f} (1: anywhere)")
        back = fit_recovery([tape])
        print(
            f"emptied touch: half back within {back.half_life_s:.1f} s "
            f"({back.low_s:.1f} to {back.high_s:.1f}, n = {back.n:,})"
        )
    except InputError as error:
        print(f"not measured: {error}")
