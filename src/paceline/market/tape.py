"""The tape: one instrument, one session, compiled once and memory-mapped ever after.

On disk a tape is a folder:

    manifest.json      what it is, where it came from, how good it is
    events.arrow       the event columns (`Events`)
    levels.arrow       the price table
    images.arrow       book images, and images_index.arrow: where each begins
    quarantine.parquet rows that were refused, with the reason (only if there were any)

Opening one maps the files; processes that open the same tape share its pages.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.errors import TapeError
from paceline.market.book import Book, new_book
from paceline.market.compiler import IMAGE_EVERY, Images, compile_rows
from paceline.market.events import ADD, SEED, Events, Rows
from paceline.market.session import Session
from paceline.market.spread import absurd
from paceline.orders.instrument import Instrument

SCHEMA_VERSION = 1


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

    schema_version: int
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
    crc32: dict[str, int] = {}
    """Checksum of each Arrow file, so that a damaged one is never traded on; empty until saved."""


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
        """Compile rows into a tape in memory. Raises `TapeError` if they are no book's history."""
        events, level_ticks, images = compile_rows(rows)
        orders = np.isin(events.kind, (ADD, SEED)) & (events.slot >= 0)
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
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
        return cls(manifest, events, level_ticks, images, quarantine=quarantine)

    @classmethod
    def open(cls, path: str | Path) -> Tape:
        """Open the tape in folder `path`. Raises `TapeError` if it is not a whole tape."""
        folder = Path(path)
        try:
            text = (folder / "manifest.json").read_bytes()
        except OSError:
            raise TapeError(f"tape: {folder} has no manifest.json; give a folder that "
                            "`paceline ingest` wrote") from None  # fmt: skip
        try:
            version = msgspec.json.decode(text).get("schema_version")
        except (msgspec.DecodeError, AttributeError) as error:
            raise TapeError(f"tape: {folder}/manifest.json is damaged ({error})") from None
        if version != SCHEMA_VERSION:
            raise TapeError(
                f"tape: {folder} has schema version {version!r}, this paceline reads "
                f"{SCHEMA_VERSION}; ingest the day again"
            )
        try:
            manifest = msgspec.json.decode(text, type=Manifest)
            if manifest.crc32 != _checksums(folder):
                raise ValueError("its files are not those its manifest speaks of")
            events = Events(**_read(folder / "events.arrow"))
            level_ticks = _read(folder / "levels.arrow")["ticks"]
            index = _read(folder / "images_index.arrow")
            halted = index["halted"][:-1]
            images = Images(index["offset"], halted, **_read(folder / "images.arrow"))
        except (OSError, msgspec.DecodeError, TypeError, KeyError, ValueError) as error:
            raise TapeError(f"tape: {folder} is damaged ({error}); ingest the day again") from None
        return cls(manifest, events, level_ticks, images, path=folder)

    def save(self, path: str | Path) -> Path:
        """Write the tape to folder `path`, replacing a tape that is there, never half of one."""
        import pyarrow.parquet as pq

        folder = Path(path)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and not (folder / "manifest.json").exists():
            raise TapeError(f"tape: {folder} exists and is no tape; give another folder")
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
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
                pq.write_table(self.quarantine, draft / "quarantine.parquet")
            self.manifest = msgspec.structs.replace(self.manifest, crc32=_checksums(draft))
            text = msgspec.json.format(msgspec.json.encode(self.manifest), indent=2)
            (draft / "manifest.json").write_bytes(text)
            os.chmod(draft, 0o755)
            if folder.exists():
                shutil.rmtree(folder)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
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


def _checksums(folder: Path) -> dict[str, int]:
    """CRC-32 of the Arrow files in `folder`. Reading them once costs little next to mapping bytes
    that nobody has looked at: a damaged level or slot would send a kernel out of its arrays."""
    return {path.name: zlib.crc32(path.read_bytes()) for path in sorted(folder.glob("*.arrow"))}


def _write(path: Path, columns: dict[str, NDArray[Any]]) -> None:
    """Write columns as one uncompressed Arrow record batch: what is on disk is what is mapped."""
    import pyarrow as pa

    batch = pa.record_batch({name: pa.array(column) for name, column in columns.items()})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Map the columns of an Arrow file, without a copy."""
    import pyarrow as pa

    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    if reader.num_record_batches != 1:
        raise ValueError(f"{path.name} is not one record batch")
    batch = reader.get_batch(0)
    return {name: batch.column(name).to_numpy(zero_copy_only=True) for name in batch.schema.names}
