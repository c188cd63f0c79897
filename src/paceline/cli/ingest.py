"""paceline ingest: raw recordings to tapes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from paceline.cli.parser import add_verb
from paceline.errors import ConfigError
from paceline.progress import progress_bar


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
        "venue": "venue code",
    }.items():
        parser.add_argument(f"--{name}", help=help)


def run(args: argparse.Namespace) -> None:
    """Run it."""
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
