"""paceline calibrate: a simulated market like the recorded one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paceline.cli.parser import add_verb
from paceline.cli.tapes import open_tapes
from paceline.errors import ConfigError
from paceline.files.writing import write_file
from paceline.progress import progress_bar

if TYPE_CHECKING:
    from paceline.calibrate.fit import Fit

_EXAMPLES = """\
examples:
  paceline calibrate tapes/YHOO-2003-0[12]-*.tape -o yhoo.yaml
  paceline calibrate tapes/ -o market.yaml --report out/calibrate
  paceline realism --market yhoo.yaml --tape tapes/YHOO-2003-03-*.tape

Tapes are days of one instrument that name their orders (L3); a dozen days are plenty. What is
written is settings of the simulator, which every --market takes.
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "calibrate",
        run,
        "Fit a simulated market to recorded days; write its settings and a report.",
        _EXAMPLES,
    )
    parser.add_argument("tape", type=Path, nargs="+", help="tape folders, or folders of them")
    parser.add_argument("-o", "--out", type=Path, required=True, help="YAML file to write")
    parser.add_argument("--report", type=Path, help="folder for report.html and fit.json")


def run(args: argparse.Namespace) -> None:
    """Run it."""
    if args.out.is_dir():
        raise ConfigError(f"out: {args.out} is a folder; name the YAML file to write")
    if not args.out.parent.is_dir():
        raise ConfigError(f"out: there is no folder {args.out.parent}; make it, or name another")
    _check_writable(args.out)

    from paceline.calibrate.fit import fit
    from paceline.calibrate.report import write_fit
    from paceline.calibrate.writing import market_yaml

    tapes = open_tapes(args.tape)
    with progress_bar() as bar:
        found = fit(tapes, progress=bar.to)
        write_file(args.out, market_yaml(found.settings, head_of(found)))
        if args.report is not None:
            bar.say("writing the report")
            report = write_fit(found, args.report)
    print(f"market: {args.out}")
    if args.report is not None:
        print(f"report: {report}")


def _check_writable(path: Path) -> None:
    """Find out now, and not when the work is done."""
    new = not path.exists()
    try:
        path.open("a").close()
    except OSError as error:
        raise ConfigError(
            f"out: {path} cannot be written ({error.strerror}); name another"
        ) from None
    if new:
        path.unlink()


def head_of(fit: Fit) -> list[str]:
    """What a file of settings says of itself."""
    from paceline import __version__

    days = [tape.session.day for tape in fit.tapes]
    span = days[0] if len(days) == 1 else f"{len(days)} days, {days[0]} to {days[-1]}"
    return [
        f"A simulated market like {fit.settings.symbol}: {span}.",
        f"Fitted by paceline calibrate {__version__}; parameters only, no recorded data.",
    ]
