"""paceline ingest: raw recordings to tapes."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paceline.cli.parser import add_verb
from paceline.errors import ConfigError
from paceline.progress import progress_bar

if TYPE_CHECKING:
    from paceline.market.tape import Manifest


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "ingest",
        run,
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
        "session": "continuous trading in that zone: 09:30-16:00; 09:30-11:30,13:00-15:00 with "
        "a break; 18:00-17:00 from the evening before",
        "book-tick": "smallest price step of the book",
        "order-tick": "smallest price step of our orders",
        "lot": "smallest size step",
        "currency": "currency of prices, e.g. EUR or USDT",
        "venue": "venue code",
    }.items():
        parser.add_argument(f"--{name}", help=help)
    parser.add_argument(
        "--round-sizes",
        action="store_true",
        default=None,
        help="round sizes to whole lots (with --lot), for coins of many decimals",
    )


def run(args: argparse.Namespace) -> None:
    """Run it."""
    from paceline.ingest import ingest

    options = {
        name: getattr(args, name)
        for name in (
            "symbol", "day", "zone", "session", "book_tick", "order_tick", "lot", "round_sizes",
            "currency", "venue",
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
        for line in _told(done.manifests):
            print(f"  {line}")
        for failure in done.failed:
            failed = True
            print(f"  {failure.name}: {failure.error}", file=sys.stderr)
        if done.ignored:
            print(f"  not read (no format claims them): {', '.join(done.ignored[:5])}")
    if failed:
        raise ConfigError("path: some days became no tape (see above); the others are ready")


def _told(manifests: Sequence[Manifest]) -> Iterator[str]:
    """What was found in the days that became tapes: their grids, what to look at, what is aside."""
    alike: dict[tuple[str, ...], list[Manifest]] = {}
    for one in manifests:
        traded = one.instrument
        grid = (
            f"book tick {traded.book_tick:f}, order tick {traded.order_tick:f}, "
            f"lot {traded.lot:f}, in {traded.currency}"
        )
        alike.setdefault((traded.symbol, grid), []).append(one)
    for (symbol, grid), days in alike.items():
        when = days[0].session.day
        if len(days) > 1:
            when = f"{len(days)} days, {when} to {days[-1].session.day}"
        yield f"{symbol} {when}: {grid}"
    for one in manifests:
        for name, why in one.quality.inferred.items():
            if why.doubtful or len(manifests) == 1:
                step = getattr(one.instrument, name)
                at = f"{one.instrument.symbol} {one.session.day} " if len(manifests) > 1 else ""
                look = "look: " if why.doubtful else ""
                yield f"{look}{at}{name.replace('_', ' ')} {step:f}: {why.why}"
    aside = sum(one.quality.rows_quarantined for one in manifests)
    if aside:
        found = Counter[str]()
        for one in manifests:
            found.update({name: one.quality.findings[name].count for name in _left_out(one)})
        told = ", ".join(f"{name} {count:,}" for name, count in found.most_common() if count)
        rows = sum(one.quality.rows_read for one in manifests)
        yield (
            f"set aside: {aside:,} of {rows:,} rows ({told}), told in the tape's quarantine.parquet"
        )


def _left_out(one: Manifest) -> list[str]:
    from paceline.ingest.quality import LEFT_OUT

    return [name for name in one.quality.findings if name in LEFT_OUT]
