"""paceline <verb>: the command line, a module for each verb.

Nothing heavy is imported before a verb needs it, so that `--help` comes at once. A mistake of the
user's is one line and exit status 2; an interrupt is 130.
"""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence
from pathlib import Path

from paceline import __version__
from paceline.cli import (
    backtest,
    calibrate,
    compare,
    demo,
    features,
    import_log,
    ingest,
    inspect,
    log,
    realism,
    schema,
    stress,
    terminal,
    train,
)
from paceline.cli.parser import Parser
from paceline.errors import PacelineError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status."""
    terminal.prepare()
    try:
        try:
            return _run(build_parser().parse_args(argv))
        finally:
            terminal.flush()
    except BrokenPipeError:
        terminal.stop_writing()
        return 0
    except OSError as error:  # of writing to the terminal itself
        if error.errno not in _FULL:
            raise
        terminal.stop_writing()
        return _fail("", "stdout: no room is left where it goes; make room")


_FULL = (errno.ENOSPC, errno.EDQUOT)


def _run(args: argparse.Namespace) -> int:
    try:
        args.run(args)
    except PacelineError as error:
        return _fail(args.verb, str(error))
    except ModuleNotFoundError as error:
        missing = terminal.missing_extra(error)
        if missing is None:
            raise
        return _fail(args.verb, missing)
    except MemoryError:
        return _fail(
            args.verb,
            "memory: what was asked for needs more than there is; give fewer orders, days or seeds",
        )
    except KeyboardInterrupt as asked:
        kept = str(asked) or "what was written is whole, and the same command goes on from it"
        _fail(args.verb, f"interrupted; {kept}")
        return 130
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            return _fail(
                args.verb,
                f"{error.filename or 'the disk'}: no room is left; what was written is whole, "
                "make room and give the same command again",
            )
        if error.filename is None:
            raise  # no file of the user's
        out = getattr(args, "out", None)
        if error.errno in (errno.EEXIST, errno.ENOTDIR) and out is not None and Path(out).is_file():
            return _fail(args.verb, f"out: {out} is a file; give a folder")
        return _fail(args.verb, f"{error.filename}: {error.strerror}; give another path")
    return 0


def _fail(verb: str, message: str) -> int:
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    print(f"paceline {verb}: {line}" if verb else f"paceline: {line}", file=sys.stderr)
    return 2


def build_parser() -> argparse.ArgumentParser:
    """The parser with all verbs."""
    parser = Parser(
        prog="paceline",
        description="Work a parent order at little cost, under hard limits, and prove it.",
        epilog="Start with `paceline demo`; `paceline VERB --help` teaches each verb.",
    )
    parser.add_argument("--version", action="version", version=f"paceline {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in (
        demo, ingest, inspect, backtest, compare, calibrate, realism, stress, features, log,
        import_log, train, schema,
    ):  # fmt: skip
        verb.add(verbs)
    return parser
