"""paceline realism: a simulated market held against recorded days."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from paceline.cli.flags import check_counts
from paceline.cli.parser import add_verb
from paceline.cli.tapes import open_tapes
from paceline.cli.terminal import show
from paceline.files.alone import alone_in
from paceline.files.results import result_in
from paceline.progress import progress_bar

_EXAMPLES = """\
examples:
  paceline realism --market market.yaml --tape tapes/YHOO-2003-03-*.tape
  paceline realism --market market.yaml --tape tapes/ -o out/yhoo --days 10 --seed 7

Distances are in units of what two recorded days differ by; with one recorded day, of what its two
halves differ by. Score on days that the market was not calibrated on.
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "realism",
        run,
        "Hold a simulated market against recorded days; write a scorecard and a report.",
        _EXAMPLES,
    )
    parser.add_argument(
        "--market", required=True, help="YAML of a market, or the name of a shipped one"
    )
    parser.add_argument(
        "--tape", type=Path, nargs="+", required=True, help="tape folders, or folders of them"
    )
    parser.add_argument("-o", "--out", type=Path, default=Path("out/realism"), help="[%(default)s]")
    parser.add_argument(
        "--days", type=int, help="days to simulate [as many as recorded, 3 at least]"
    )
    parser.add_argument(
        "--markets",
        type=int,
        default=200,
        help="markets in which large orders of ours are worked; 0: none [%(default)s]",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the simulated days [%(default)s]")
    parser.add_argument("--jobs", type=int, help="threads [as many as cores]")


def run(args: argparse.Namespace) -> None:
    """Run it."""
    from paceline.engine.shipped import load_market
    from paceline.realism.report import summary_text, write_report
    from paceline.realism.scorecard import score, to_json

    check_counts(days=args.days, markets=args.markets, jobs=args.jobs, seed=args.seed)
    settings = load_market(args.market)
    tapes = open_tapes(args.tape)
    # The folder is made, or refused, now and not when the work is done.
    with alone_in(args.out), progress_bar() as bar:
        card = score(
            settings,
            tapes,
            days=args.days,
            seed=args.seed,
            market=Path(args.market).stem,
            markets=args.markets,
            progress=bar.to,
            jobs=args.jobs,
        )
        bar.say("writing")
        with result_in(args.out, "realism") as draft:
            (draft / "scorecard.json").write_text(to_json(card), encoding="utf-8")
            write_report(card, draft / "report.html")
    show(summary_text(card))
    print(f"scorecard: {args.out / 'scorecard.json'}\nreport:    {args.out / 'report.html'}")
