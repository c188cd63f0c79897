"""The tape: one instrument, one session, compiled once and memory-mapped ever after.

On disk a tape is a folder:

    manifest.json      what it is, where it came from, how good it is: sealed (`paceline.files`)
    events.arrow       the event columns (`Events`)
    levels.arrow       the price table
    images.arrow       book images, and images_index.arrow: where each begins
    quarantine.parquet rows that were refused, with the reason (only if there were any)

Opening one maps the files; processes that open the same tape share its pages.
"""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.errors import TapeError
from paceline.files.drafts import is_ours
from paceline.files.members import SealedFolder, members_of, read_folder
from paceline.files.sealing import MANIFEST, Kind, seal
from paceline.files.writing import new_folder
from paceline.market.book import Book, new_book
from paceline.market.checks import check_content
from paceline.market.compiler import IMAGE_EVERY, Images, compile_rows
from paceline.market.events import ADD, SEED, Events, Rows
from paceline.market.manifest_checks import check_manifest
from paceline.market.session import Session
from paceline.market.spread import absurd
from paceline.orders.instrument import Instrument

TAPE = Kind("tape", 2, "ingest the day again", TapeError)

_COLUMNS: dict[str, dict[str, type]] = {
    "events.arrow": {
        "ts": np.int64, "kind": np.uint8, "side": np.int8, "level": np.int32, "qty": np.int32,
        "slot": np.int32, "bid": np.int32, "ask": np.int32, "volume": np.int64,
    },
    "levels.arrow": {"ticks": np.int64},
    "images_index.arrow": {"offset": np.int64, "halted": np.uint8},
    "images.arrow": {
        "slot": np.int32, "level": np.int32, "row": np.int8, "lots": np.int32, "seq": np.int64,
    },
}  # fmt: skip
_ARROW = tuple(_COLUMNS)
_QUARANTINE = "quarantine.parquet"
_MOST_NS = 1 << 62
"""Before it lie the times of all events: differences of two such fit 64 bits."""


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A raw file the tape was made from."""

    name: str
    bytes: int
    sha256: str


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that was checked at ingest: how often it happened, and where first."""

    count: int
    first_row: int | None = None
    """Place in the raw file of the first example, counted from 1: a line as an editor shows it, or
    a record."""
    first_ts: int | None = None
    """Its time, ns since the epoch."""
    note: str = ""


class Inferred(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a tick or lot is what it is: given, or found from the numbers."""

    why: str
    doubtful: bool = False
    """Whether a person should look at it."""


class Quality(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ingest found. A tape without an entry was not checked for it."""

    rows_read: int = 0
    rows_quarantined: int = 0
    warmup_end_ts: int | None = None
    """When the book had become complete and stayed uncrossed; None: from the first row."""
    short_session: bool = False
    """The recording ends well before the announced close."""
    findings: dict[str, Finding] = {}
    inferred: dict[str, Inferred] = {}
    """Why book_tick, order_tick and lot of the instrument are what they are."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tape is."""

    tape_id: str
    """SHA-256 over the event columns and the price table: equal content, equal id."""
    depth: Literal["L3", "L2"]
    """L3 keeps orders, L2 keeps levels."""
    instrument: Instrument
    session: Session
    n_events: int
    n_levels: int
    n_slots: int
    image_every: int
    sources: list[Source] = []
    quality: Quality = Quality()
    made_by: str = ""


class Tape:
    """A compiled day. Read-only.

    Make one with `Tape.compile` (rows in memory) or `Tape.open` (a folder on disk).
    """

    def __init__(
        self,
        manifest: Manifest,
        events: Events,
        level_ticks: NDArray[np.int64],
        images: Images,
        path: Path | None = None,
        quarantine: Any = None,
    ) -> None:
        self.manifest = manifest
        self.events = events
        self.level_ticks = level_ticks
        self.images = images
        self.path = path
        self.quarantine = quarantine
        """pyarrow.Table of refused rows, on a tape that has just been made; None otherwise."""

    @classmethod
    def compile(
        cls,
        rows: Rows,
        instrument: Instrument,
        session: Session,
        *,
        sources: list[Source] | None = None,
        quality: Quality | None = None,
        made_by: str = "",
        quarantine: Any = None,
    ) -> Tape:
        """Compile rows into a tape in memory. Raises `TapeError` if they are no book's history, or
        the manifest would say what none may (`manifest_checks`)."""
        events, level_ticks, images = compile_rows(rows)
        orders = np.isin(events.kind, (ADD, SEED)) & (events.slot >= 0)
        manifest = Manifest(
            tape_id=_content_id(events, level_ticks),
            depth="L3" if orders.any() else "L2",
            instrument=instrument,
            session=session,
            n_events=len(events.ts),
            n_levels=len(level_ticks),
            n_slots=int(events.slot.max()) + 1,
            image_every=IMAGE_EVERY,
            sources=sources or [],
            quality=quality or Quality(rows_read=len(events.ts)),
            made_by=made_by,
        )
        _refuse_unsound(manifest)
        return cls(manifest, events, level_ticks, images, quarantine=quarantine)

    @classmethod
    def open(cls, path: str | Path) -> Tape:
        """Open the tape in folder `path`. Raises `TapeError` if it is not a whole tape."""
        return read_folder(path, TAPE, cls._read)

    @classmethod
    def _read(cls, here: SealedFolder) -> Tape:
        here.need(*_ARROW)
        here.only(*_ARROW, _QUARANTINE)
        manifest = here.content_as(Manifest)
        try:
            events = Events(**_read(here, "events.arrow"))
            level_ticks = _read(here, "levels.arrow")["ticks"]
            index = _read(here, "images_index.arrow")
            images = Images(index["offset"], index["halted"][:-1], **_read(here, "images.arrow"))
            _check(manifest, events, level_ticks, images)
        except TapeError:
            raise
        except (OSError, TypeError, KeyError, IndexError, ValueError) as error:
            raise TapeError(f"{here.path}: is damaged ({error}); {TAPE.remedy}") from None
        if here.has(_QUARANTINE):
            here.check(_QUARANTINE)
        return cls(manifest, events, level_ticks, images, path=here.path)

    def save(self, path: str | Path) -> Path:
        """Write the tape to folder `path`, replacing a tape that is there, never half of one.

        Raises `TapeError` where the folder holds something else, and for what would not open."""
        import pyarrow.parquet as pq

        _refuse_unsound(self.manifest)
        folder = Path(path)
        with new_folder(folder) as draft:  # what was left of another writer is put right by now
            _refuse_others(folder)
            _write(draft / "events.arrow", self.events._asdict())
            _write(draft / "levels.arrow", {"ticks": self.level_ticks})
            columns = self.images._asdict()
            offset, halted = columns.pop("offset"), columns.pop("halted")
            _write(
                draft / "images_index.arrow",
                {"offset": offset, "halted": np.append(halted, np.uint8(0))},
            )
            _write(draft / "images.arrow", columns)
            if self.quarantine is not None and len(self.quarantine):
                pq.write_table(self.quarantine, draft / _QUARANTINE)
            (draft / MANIFEST).write_bytes(seal(TAPE, self.manifest, members_of(draft)))
        self.path = folder
        return folder

    def __len__(self) -> int:
        return self.manifest.n_events

    def __repr__(self) -> str:
        m = self.manifest
        return (
            f"<Tape {m.instrument.symbol} {m.session.day} {m.depth}, {m.n_events:,} events, "
            f"{m.n_levels:,} prices>"
        )

    @property
    def instrument(self) -> Instrument:
        return self.manifest.instrument

    @property
    def session(self) -> Session:
        return self.manifest.session

    @property
    def name(self) -> str:
        """Symbol and day, as in file names: AMZN-2012-06-21."""
        return f"{self.instrument.symbol}-{self.session.day}"

    @cached_property
    def identity(self) -> str:
        """SHA-256 over all that may change what comes of working on the tape: its events, and the
        instrument, the session and the warm-up that they are read with. What is kept for later use
        is kept under it; `tape_id` stays as it is when the same recording is given another tick."""
        manifest, quality = self.manifest, self.manifest.quality
        read_with = (manifest.instrument, manifest.session, quality.warmup_end_ts)
        told = msgspec.json.encode((manifest.tape_id, *read_with, quality.short_session))
        return hashlib.sha256(told).hexdigest()

    @property
    def has_orders(self) -> bool:
        """Whether the book keeps orders (L3) and not levels only (L2)."""
        return self.manifest.depth == "L3"

    def index_at(self, ts: int) -> int:
        """How many events had happened by `ts` (those at `ts` included)."""
        return int(np.searchsorted(self.events.ts, ts, side="right"))

    def new_book(self) -> Book:
        """An empty book for this tape's prices and slots."""
        return new_book(self.level_ticks, self.manifest.n_slots)

    def mid_ticks(self) -> NDArray[np.float64]:
        """Mid price after every event in ticks `[n_events]`; NaN while a side is empty, or the
        spread absurd (`market.spread`)."""
        bid, ask = self.bid_ticks(), self.ask_ticks()
        return np.where(absurd(bid, ask), np.nan, (bid + ask) / 2)

    def bid_ticks(self) -> NDArray[np.float64]:
        """Best bid after every event in ticks `[n_events]`; NaN while there is none."""
        return self._ticks_of(self.events.bid)

    def ask_ticks(self) -> NDArray[np.float64]:
        """Best ask after every event in ticks `[n_events]`; NaN while there is none."""
        return self._ticks_of(self.events.ask)

    def _ticks_of(self, level: NDArray[np.int32]) -> NDArray[np.float64]:
        known = (level >= 0) & (level < len(self.level_ticks))
        ticks = np.full(len(level), np.nan)
        ticks[known] = self.level_ticks[level[known]]
        return ticks


def _content_id(events: Events, level_ticks: NDArray[np.int64]) -> str:
    digest = hashlib.sha256()
    for column in (
        level_ticks,
        events.ts,
        events.kind,
        events.side,
        events.level,
        events.qty,
        events.slot,
    ):
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()


def _refuse_unsound(manifest: Manifest) -> None:
    """Raises `TapeError` for a manifest that would be refused when it is read."""
    try:
        check_manifest(manifest)
    except ValueError as error:
        raise TapeError(f"tape: {error}; compile it with what a tape may say") from None


def _refuse_others(folder: Path) -> None:
    """Raises `TapeError` if `folder` holds anything but a tape, whole or damaged."""
    if not folder.exists():
        return
    files = {MANIFEST, _QUARANTINE, *_ARROW}
    if not folder.is_dir() or any(
        name not in files and not is_ours(name) for name in os.listdir(folder)
    ):
        raise TapeError(f"tape: {folder} exists and is no tape; give another folder")


def _check(
    manifest: Manifest, events: Events, level_ticks: NDArray[np.int64], images: Images
) -> None:
    """Raises `ValueError` for what no kernel may be given, or where the manifest says otherwise."""
    check_manifest(manifest)
    if len(events.ts) and max(-int(events.ts[0]), int(events.ts[-1])) >= _MOST_NS:
        raise ValueError(f"its events are from {events.ts[0]} to {events.ts[-1]} ns")
    check_content(events, level_ticks, images, manifest.n_slots)
    orders = ((events.kind == ADD) | (events.kind == SEED)) & (events.slot >= 0)
    for name, found in {
        "n_events": len(events.ts),
        "n_levels": len(level_ticks),
        "image_every": IMAGE_EVERY,
        "depth": "L3" if orders.any() else "L2",
    }.items():
        if getattr(manifest, name) != found:
            raise ValueError(f"{name} is {getattr(manifest, name)!r}, its files have {found!r}")


def _write(path: Path, columns: dict[str, NDArray[Any]]) -> None:
    """Write columns as one uncompressed Arrow record batch: what is on disk is what is mapped."""
    import pyarrow as pa

    batch = pa.record_batch({name: pa.array(column) for name, column in columns.items()})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def _read(here: SealedFolder, name: str) -> dict[str, NDArray[Any]]:
    """Map the columns of an Arrow file, without a copy."""
    import pyarrow as pa

    reader = pa.ipc.open_file(pa.py_buffer(here.mapped(name)))
    if reader.num_record_batches != 1:
        raise ValueError(f"{name} is not one record batch")
    batch = reader.get_batch(0)
    batch.validate()
    columns = {one: batch.column(one).to_numpy(zero_copy_only=True) for one in batch.schema.names}
    for one, dtype in _COLUMNS[name].items():
        if columns[one].dtype != dtype:
            raise ValueError(f"{name}: {one} is {columns[one].dtype}, not {np.dtype(dtype)}")
    if len(columns) != len(_COLUMNS[name]):
        raise ValueError(f"{name} has other columns")
    return columns
