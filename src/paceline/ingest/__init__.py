"""Raw files to tapes.

    tapes = ingest("lobster/", "tapes/")       # a folder of days: one tape each
    tape = load("YHOO_2003-01-13_34200000_57600000_message_1.csv.gz")   # one day, in memory

Formats: `lobster`, `databento`, `binance`, and `columns` (any CSV or Parquet, with a mapping).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from paceline.errors import BusyError, IngestError, PacelineError, TapeError
from paceline.files.alone import alone

if TYPE_CHECKING:
    from paceline.ingest.day import RawDay, Recording
    from paceline.ingest.mapping import ColumnMapping
    from paceline.ingest.quality import Limits
    from paceline.ingest.sources import RawFile
    from paceline.market.tape import Manifest, Source, Tape

__all__ = ["FORMATS", "Failure", "Ingested", "ingest", "load"]

FORMATS = ("auto", "lobster", "databento", "binance", "columns")

Progress = Callable[[int, int, str], None]
"""Called before each day with (days done, days in all, what comes next), and once at the end."""


class Failure(NamedTuple):
    """A day that became no tape."""

    name: str
    error: PacelineError


class Ingested(list[Path]):
    """Folders of the tapes, those that were up to date included.

    `made` and `kept` split them; `failed` says which days became none and why; `ignored` names
    files that no format claims.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Path] = []
        self.kept: list[Path] = []
        self.manifests: list[Manifest] = []
        """Of the tapes in `made`, in their order."""
        self.failed: list[Failure] = []
        self.ignored: list[str] = []


def ingest(
    path: str | Path,
    out: str | Path,
    *,
    format: str = "auto",
    limits: Limits | None = None,
    mapping: ColumnMapping | dict[str, Any] | str | Path | None = None,
    force: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Ingested:
    """Make a tape `SYMBOL-YYYY-MM-DD.tape` in folder `out` for every day found at `path`.

    `path` is a file, a zip or a folder of them. `options` are the fields of
    `ingest.options.Options` (symbol, day, zone, session, book_tick, order_tick, lot, round_sizes,
    venue, currency).
    A tape that was made from the same bytes with the same options is left as it is, unless `force`.

    One bad day does not stop the others: it is in `failed` of the result. Raises `IngestError` if
    there is nothing to read, or if no day at all became a tape. An interrupt leaves whole tapes
    only, and a second call goes on where it stopped.
    """
    from paceline.ingest.day import to_tape
    from paceline.ingest.quality import Limits
    from paceline.ingest.refusals import refuse_look_alike
    from paceline.ingest.sources import fingerprint
    from paceline.orders.identity import file_form

    found, ignored, digest = _find(Path(path), format, mapping, options)
    result = Ingested()
    result.ignored = ignored
    busy: list[Recording] = []

    def make(recording: Recording) -> None:
        made_by = f"{recording.made_by} {digest}".rstrip()
        folder = Path(out) / f"{file_form(recording.symbol)}-{recording.day}.tape"
        _refuse_second(folder, result)
        refuse_look_alike(recording.symbol, Path(out))
        paths = dict.fromkeys(file.path for file in recording.files)
        sources = [fingerprint(source) for source in paths]
        with alone(folder):  # refused now, and not when the work is done
            if not force and _is_current(folder, sources, made_by):
                result.kept.append(folder)
            else:
                day = _in_currency(recording.read(), options.get("currency"))
                tape = to_tape(day, limits or Limits(), sources, made_by)
                result.made.append(tape.save(folder))
                result.manifests.append(tape.manifest)
        result.append(folder)

    # A tape that another process is making comes last: it may be ready then, and one of two that
    # make the same tapes always ends with all of them.
    for turn in (found, busy):
        for recording in turn:
            if progress:
                progress(len(result) + len(result.failed), len(found), _title(recording))
            try:
                make(recording)
            except BusyError as error:
                if turn is found:
                    busy.append(recording)
                else:
                    result.failed.append(Failure(recording.files[0].name, error))
            except PacelineError as error:
                result.failed.append(Failure(recording.files[0].name, error))
    if progress:
        progress(len(found), len(found), "")
    if not result:
        first = result.failed[0]
        more = f" (and {len(result.failed) - 1} more failed)" if len(result.failed) > 1 else ""
        raise IngestError(f"{first.error}{more}")
    return result


def _title(recording: Recording) -> str:
    return f"{recording.symbol} {recording.day}"


def load(
    path: str | Path,
    *,
    format: str = "auto",
    limits: Limits | None = None,
    mapping: ColumnMapping | dict[str, Any] | str | Path | None = None,
    **options: Any,
) -> Tape:
    """The one day at `path` as a tape in memory; `options` as in `ingest`.

    Raises `IngestError` if there is no day or more than one.
    """
    from paceline.ingest.day import to_tape
    from paceline.ingest.quality import Limits
    from paceline.ingest.sources import fingerprint

    found, _, digest = _find(Path(path), format, mapping, options)
    if len(found) > 1:
        days = ", ".join(f"{one.symbol} {one.day}" for one in found[:4])
        more = ", …" if len(found) > 4 else ""
        raise IngestError(
            f"path: {path} holds {len(found)} days ({days}{more}); give one, or ingest"
        )
    recording = found[0]
    sources = [fingerprint(source) for source in dict.fromkeys(f.path for f in recording.files)]
    made_by = f"{recording.made_by} {digest}".rstrip()
    day = _in_currency(recording.read(), options.get("currency"))
    return to_tape(day, limits or Limits(), sources, made_by)


def _find(
    path: Path, format: str, mapping: Any, given: dict[str, Any]
) -> tuple[list[Recording], list[str], str]:
    """What there is to read, the names of files that no format claims, a digest of the options."""
    from paceline.ingest.options import options_from
    from paceline.ingest.sources import walk

    if format not in FORMATS:
        raise IngestError(f"format: {format!r} is not one of {', '.join(FORMATS)}")
    options = options_from(given)
    if mapping is not None and format == "auto":
        format = "columns"
    if format == "columns" and mapping is None:
        raise IngestError("mapping: missing; format columns needs one, see docs/columns.md")
    if format != "columns" and mapping is not None:
        raise IngestError(f"mapping: format {format} takes none; leave it out, or the format")
    digest = options.digest
    if mapping is not None:
        from paceline.ingest.mapping import mapping_from

        mapping = mapping_from(mapping)
        digest = f"{mapping.digest} {digest}".rstrip()
    claimed: dict[str, list[RawFile]] = {}
    ignored = []
    for file in walk(path):
        claim = None
        if file.path.is_file():  # a pipe or a device would be waited for
            claim = _claim(file) if format == "auto" else _agrees(file, format)
        if claim:
            claimed.setdefault(claim, []).append(file)
        else:
            ignored.append(file.name)
    found: list[Recording] = []
    for claim, files in claimed.items():
        found += _recordings(claim, files, options, mapping)
    if not found and mapping is not None:
        raise IngestError(f"path: {path} holds no table; give .csv, .tsv, .txt, .parquet or .pq")
    if not found:
        raise IngestError(
            f"path: {path} holds nothing that a format claims; name the format "
            f"({', '.join(FORMATS[1:])}), or give a mapping for other CSV or Parquet files"
        )
    return found, ignored, digest


def _claim(file: RawFile) -> str | None:
    """Which format a file is of, by its name and its first bytes."""
    from paceline.ingest import binance, databento, lobster

    if lobster.title_of(file.title):
        return "lobster"
    if databento.claims(file):
        return "databento"
    if binance.claims(file):
        return "binance"
    return None


def _agrees(file: RawFile, format: str) -> str | None:
    """The format that was asked for, if a file can be of it."""
    from paceline.ingest import columns

    return format if format != "columns" or columns.claims(file) else None


def _recordings(format: str, files: list[RawFile], options: Any, mapping: Any) -> list[Recording]:
    if format == "lobster":
        from paceline.ingest import lobster

        return lobster.recordings(files, options)
    if format == "databento":
        from paceline.ingest import databento

        return databento.recordings(files, options)
    if format == "binance":
        from paceline.ingest import binance

        return binance.recordings(files, options)
    from paceline.ingest import columns

    return columns.recordings(files, options, mapping)


def _in_currency(day: RawDay, currency: str | None) -> RawDay:
    """A day whose prices are in `currency`, whatever the format takes them for."""
    if currency is None:
        return day
    return day._replace(instrument=msgspec.structs.replace(day.instrument, currency=currency))


def _refuse_second(folder: Path, result: Ingested) -> None:
    if folder in result:
        raise IngestError(
            f"file: a second recording of {folder.stem} in one call; ingest it to another folder"
        )


def _is_current(folder: Path, sources: list[Source], made_by: str) -> bool:
    """Whether `folder` holds a whole tape of exactly these bytes, made in the same way."""
    from paceline.market.tape import Tape

    if not folder.exists():
        return False
    try:
        manifest = Tape.open(folder).manifest
    except TapeError:
        return False
    return manifest.sources == sources and manifest.made_by == made_by
