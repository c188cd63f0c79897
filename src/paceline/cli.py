"""paceline <verb>: the command line.

Nothing heavy is imported before a verb needs it, so that `--help` comes at once. A mistake of the
user's is one line and exit status 2; an interrupt is 130.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from paceline import __version__
from paceline.config import describe, from_dict, load_yaml
from paceline.errors import ConfigError, PacelineError
from paceline.evaluate.settings import BacktestSettings
from paceline.progress import progress_bar

_PLOTS = (".png", ".svg", ".pdf")
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

_BACKTEST_EXAMPLES = """\
examples:
  paceline backtest --tape tapes/ --policy ac,twap,vwap,pov --orders 500 --qty-adv 0.02
  paceline backtest --tape tapes/YHOO-2003-03-0*.tape --policy ac,ac/mid,ac/cross \\
      --qty-volume 0.05 --horizon 30m --fill-model band --trade-from 2003-03-03
  paceline backtest --tape tapes/ --policy ac --order parent.json

A policy is SCHEDULE[/PLACEMENT[+SECONDSs][/SLICES]]:
  schedule    twap, vwap, pov, ac (Almgren-Chriss)
  placement   cross, or rest at touch (the default), inside or mid and cross at the slice's end;
              +5s moves resting orders after the market every 5 s
  e.g. ac, ac/cross, vwap/mid/15, twap/touch+5s

Earlier days among the tapes teach volume curve, ADV and impact to later ones. The first policy is
the baseline of the comparison.
"""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status."""
    args = build_parser().parse_args(argv)
    try:
        args.run(args)
    except PacelineError as error:
        return _fail(args.verb, str(error))
    except KeyboardInterrupt:
        _fail(args.verb, "interrupted; tapes and results that were written are whole")
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.filename is None:
            raise  # no file of the user's
        return _fail(args.verb, f"{error.filename}: {error.strerror}; give another path")
    return 0


def _fail(verb: str, message: str) -> int:
    print(f"paceline {verb}: {' '.join(message.split())}", file=sys.stderr)
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
    _add_demo(verbs)
    _add_ingest(verbs)
    _add_inspect(verbs)
    _add_backtest(verbs)
    _add_schema(verbs)
    return parser


def _verb(verbs: Any, name: str, run: Callable[..., None], help: str, epilog: str = "") -> Any:
    parser = verbs.add_parser(
        name,
        help=help,
        description=help,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


# --- demo -------------------------------------------------------------------------------------


def _add_demo(verbs: Any) -> None:
    parser = _verb(
        verbs,
        "demo",
        _demo,
        "Work parent orders on simulated days, or on yours, and write a report.",
        "examples:\n  paceline demo\n  paceline demo --data lobster/YHOO --out out/yhoo\n",
    )
    parser.add_argument("--data", type=Path, help="raw files or a folder of days; none: simulate")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder [%(default)s]")
    parser.add_argument("--orders", type=int, help="parent orders [500; 60 with --quick]")
    parser.add_argument("--quick", action="store_true", help="fewer orders and shorter days")
    parser.add_argument("--seed", type=int, default=7, help="of days and orders [%(default)s]")


def _demo(args: argparse.Namespace) -> None:
    from paceline.demo import run_demo

    with progress_bar() as bar:
        report = run_demo(args.out, args.data, args.orders, args.quick, args.seed, bar)
    print(f"\nreport: {report}")


# --- ingest -----------------------------------------------------------------------------------


def _add_ingest(verbs: Any) -> None:
    parser = _verb(
        verbs,
        "ingest",
        _ingest,
        "Compile raw recordings into tapes, one for each instrument and day.",
        "examples:\n"
        "  paceline ingest lobster/YHOO -o tapes/\n"
        "  paceline ingest LOBSTER_SampleFile_AMZN_2012-06-21_5.zip -o tapes/\n"
        "  paceline ingest btcusdt.gz -o tapes/ --format binance\n"
        "  paceline ingest trades.parquet -o tapes/ --mapping columns.yaml\n\n"
        "A day that was ingested from the same bytes is left alone. Rows that cannot be true go\n"
        "to quarantine.parquet beside the tape, with the reason. A mapping of columns is a few\n"
        "lines of YAML; docs/columns.md explains it, with an example:\n"
        "  {time: ts, time_unit: us, kind: what, kinds: {L: level, T: trade}, side: side,\n"
        "   price: px, size: qty}\n",
    )
    parser.add_argument("path", type=Path, nargs="+", help="files, zips or folders")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the tapes")
    parser.add_argument(
        "--format", default="auto", help="auto, lobster, databento, binance or columns [auto]"
    )
    parser.add_argument("--mapping", type=Path, help="YAML: which column is what (docs/columns.md)")
    parser.add_argument("--force", action="store_true", help="ingest again what is up to date")
    for name, help in {
        "symbol": "ticker, or which instrument of several",
        "day": "trading date, YYYY-MM-DD",
        "zone": "time zone of the venue, e.g. America/New_York",
        "session": "continuous trading in that zone, e.g. 09:30-16:00",
        "book-tick": "smallest price step of the book",
        "order-tick": "smallest price step of our orders",
        "lot": "smallest size step",
        "venue": "venue code",
    }.items():
        parser.add_argument(f"--{name}", help=help)


def _ingest(args: argparse.Namespace) -> None:
    from paceline.ingest import ingest

    options = {
        name: getattr(args, name)
        for name in (
            "symbol", "day", "zone", "session", "book_tick", "order_tick", "lot", "venue",
        )
    }  # fmt: skip
    failed = False
    for path in args.path:
        with progress_bar() as bar:
            done = ingest(
                path,
                args.out,
                format=args.format,
                mapping=args.mapping,
                force=args.force,
                progress=lambda at, of, what: bar.to(f"ingest {what}".rstrip(), at, of),
                **options,
            )
        print(f"{path}: {len(done.made)} made, {len(done.kept)} up to date, in {args.out}")
        for failure in done.failed:
            failed = True
            print(f"  {failure.name}: {failure.error}", file=sys.stderr)
        if done.ignored:
            print(f"  not read (no format claims them): {', '.join(done.ignored[:5])}")
    if failed:
        raise ConfigError("path: some days became no tape (see above); the others are ready")


# --- inspect ----------------------------------------------------------------------------------


def _add_inspect(verbs: Any) -> None:
    parser = _verb(
        verbs,
        "inspect",
        _inspect,
        "What is in a tape: events, quality, spread, depth and volume through the day.",
        "example:\n  paceline inspect tapes/YHOO-2003-03-03.tape --plot day.png\n",
    )
    parser.add_argument("tape", type=Path, nargs="+", help="tape folders, or folders of them")
    parser.add_argument("--plot", type=Path, help=f"write the plots here ({', '.join(_PLOTS)})")
    parser.add_argument("--json", action="store_true", help="print the manifest as JSON instead")


def _inspect(args: argparse.Namespace) -> None:
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


# --- backtest ---------------------------------------------------------------------------------


def _add_backtest(verbs: Any) -> None:
    parser = _verb(
        verbs,
        "backtest",
        _backtest,
        "Work many parent orders with several policies on tapes; write results and a report.",
        _BACKTEST_EXAMPLES,
    )
    parser.add_argument(
        "--tape", type=Path, nargs="+", required=True, help="tape folders, or folders of them"
    )
    parser.add_argument(
        "--policy", default="ac,twap,vwap,pov", help="comma-separated [%(default)s]"
    )
    parser.add_argument("--trade-from", help="first day to trade; earlier ones only teach")
    parser.add_argument("--order", type=Path, help="JSON: a parent order, or a list of them")
    parser.add_argument("--config", type=Path, help="YAML with any of the settings below")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("out/backtest"), help="[%(default)s]"
    )
    parser.add_argument("--jobs", type=int, help="threads [as many as cores]")
    parser.add_argument(
        "--examples", type=_count, default=6, help="orders drawn in the report [%(default)s]"
    )
    settings = parser.add_argument_group("settings")
    for row in describe(BacktestSettings):
        flag = "--" + _flag(row.path).replace("_", "-")
        default = "" if row.default is None else f" [{row.default}]"
        unit = f", {row.unit}" if row.unit and row.unit != "s" else ""
        text = f"{row.sentence.rstrip('.')}{unit}{default}".replace("%", "%%")
        settings.add_argument(flag, dest=row.path, metavar="X", help=text)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give 0 or more")
    return int(text)


def _flag(path: str) -> str:
    """Settings in seconds lose their unit: `--horizon 30m`."""
    return path.removesuffix("_s")


def _backtest(args: argparse.Namespace) -> None:
    settings = settings_from(args)
    from paceline.evaluate.backtest import backtest
    from paceline.evaluate.report import summary_text, write_report
    from paceline.evaluate.venues import fill_models
    from paceline.orders.reading import read_parents

    tapes = open_tapes(args.tape)
    trade = _traded(tapes, args.trade_from)
    known = {tape.instrument.symbol: tape.instrument for tape in tapes}
    orders = read_parents(args.order, known) if args.order else None
    policies = [name.strip() for name in args.policy.split(",") if name.strip()]
    args.out.mkdir(parents=True, exist_ok=True)  # now, and not when the work is done
    count = settings.orders if orders is None else len(orders)
    total = count * len(policies) * len(fill_models(settings))
    with progress_bar() as bar:
        result = backtest(
            tapes,
            policies,
            settings,
            orders=orders,
            trade=trade,
            progress=lambda done: bar.on("orders worked", done, total),
            jobs=args.jobs,
        )
        bar.say("writing")
        folder = result.save(args.out)
        report = write_report(result, folder / "report.html", examples=args.examples)
    _print_rich(summary_text(result))
    print(f"results: {folder}\nreport:  {report}")


def _traded(tapes: Sequence[Any], first_day: str | None) -> list[Any]:
    """The tapes of `first_day` (YYYY-MM-DD) and later."""
    if first_day is None:
        return list(tapes)
    try:
        first = date.fromisoformat(first_day).isoformat()
    except ValueError:
        raise ConfigError(f"trade_from: {first_day!r} is not a date; write YYYY-MM-DD") from None
    trade = [tape for tape in tapes if tape.session.day >= first]
    if not trade:
        raise ConfigError(f"trade_from: no tape is of {first} or later; give an earlier day")
    return trade


def settings_from(args: argparse.Namespace) -> BacktestSettings:
    """Settings of `--config`, and of the flags over them."""
    base = load_yaml(args.config, BacktestSettings) if args.config else None
    chosen: dict[str, Any] = msgspec.to_builtins(base) if base else {}
    for row in describe(BacktestSettings):
        text = getattr(args, row.path)
        if text is not None:
            chosen[row.path] = _duration(row.path, text) if row.unit == "s" else _number(text)
    drawn = args.order is None
    if drawn and all(chosen.get(name) is None for name in ("qty", "qty_adv", "qty_volume")):
        chosen["qty_adv"] = 0.02
    return from_dict(chosen, BacktestSettings)


def _number(text: str) -> int | float | str:
    """What a flag says, as a number if it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _duration(field: str, text: str) -> float:
    found = re.fullmatch(r"([0-9.]+)(ms|s|m|h)?", text)
    try:
        if found:
            return float(found[1]) * _SECONDS[found[2] or "s"]
    except ValueError:
        pass
    raise ConfigError(f"{_flag(field)}: {text!r} is not a time; write 500ms, 30s, 15m or 2h")


# --- schema -----------------------------------------------------------------------------------


def _add_schema(verbs: Any) -> None:
    _verb(
        verbs,
        "schema",
        _schema,
        "Print the JSON schema of parent orders, child orders, fills.",
        "example:\n  paceline schema > orders.schema.json\n",
    )


def _schema(args: argparse.Namespace) -> None:
    from paceline.orders.schema import json_schema

    print(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode())


# --- shared by the verbs ----------------------------------------------------------------------


def open_tapes(paths: Sequence[Path]) -> list[Any]:
    """The tapes at `paths` (tape folders, or folders of them), in order of name and day."""
    from paceline.market.tape import Tape

    folders: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.tape")) if path.is_dir() else []
        folders += inside if inside and not (path / "manifest.json").exists() else [path]
    tapes = [Tape.open(folder) for folder in dict.fromkeys(folders)]
    return sorted(tapes, key=lambda tape: (tape.instrument.symbol, tape.session.day))


def _print_rich(what: Any) -> None:
    from rich.console import Console

    Console().print(what)


if __name__ == "__main__":
    raise SystemExit(main())
