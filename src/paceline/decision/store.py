"""The feature store: sets of decisions in Parquet, with what they were made for and by.

    a_set = FeatureSet.create("out/features/yhoo", 97, settings)   # or .open(...)
    a_set.add("YHOO", "2024-01-08", decisions)
    a_set.read("YHOO", "2024-01-08").features                      # [n, N_FEATURES]
    a_set.column("spread")                                         # of all days, NaN where missing

A set is a folder: `manifest.json` and a file `symbol=S/date=D/decisions.parquet` for each day,
which other tools read, too (`day` is a feature). The manifest is sealed (`paceline.files`) and has
the schema itself beside its hash, so that a set of another schema, which is refused, still says
what its features were. A day is in the manifest once its file is whole; a file that is not in it is
a leftover of a write that was cut off, and is not read. A set that goes on makes again what is
missing or damaged.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.decision.rows import (
    Decisions,
    Outcome,
    check_outcome,
    check_rows,
    numbers_of,
)
from paceline.decision.schema import FEATURES, N_FEATURES, NAMES, Feature, check_schema, schema_hash
from paceline.errors import InputError
from paceline.files import drafts
from paceline.files.alone import alone_in
from paceline.files.members import SealedFolder, member_of, opened, read_folder
from paceline.files.sealing import MANIFEST, Kind, Member, seal
from paceline.files.writing import new_file, write_file

SET = Kind("feature set", 2, "make the set again")

_PART = "decisions.parquet"
_TERM = "reward."
"""Before the names of columns that are terms of the reward."""


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A day that a set holds."""

    symbol: str
    day: str
    rows: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a set was made for and by."""

    schema: str
    """Hash of the schema."""
    features: tuple[Feature, ...]
    n_actions: int
    settings: dict[str, Any]
    """Of who made it: tapes by their ids, policy, seed and so on."""
    days: tuple[Kept, ...] = ()

    @property
    def rows(self) -> int:
        """Decisions in all days."""
        return sum(day.rows for day in self.days)


class Summary(NamedTuple):
    """A feature over many rows; NaN where it is missing in all of them."""

    rows: int
    missing: float
    """Share of rows."""
    mean: float
    low: float
    """5 % are below."""
    median: float
    high: float
    """5 % are above."""


class FeatureSet:
    """A set of decisions on disk."""

    def __init__(
        self, folder: Path, manifest: Manifest, members: Mapping[str, Member] | None = None
    ) -> None:
        self.folder, self.manifest = folder, manifest
        self._members = dict(members or {})

    @classmethod
    def create(cls, folder: str | Path, n_actions: int, settings: dict[str, Any]) -> FeatureSet:
        """A new set, or the one that was begun here with the same settings, to go on with.

        A set without a day belongs to nothing yet, and a new one takes its place. `settings` are
        what JSON can hold. Raises `InputError` if another set is here, and `BusyError` if another
        process is writing here."""
        folder = Path(folder)
        # As it will be read again: tuples are lists.
        settings = msgspec.json.decode(msgspec.json.encode(settings))
        with alone_in(folder):
            made = cls._begun(folder, n_actions, settings) or cls(
                folder,
                Manifest(
                    schema=schema_hash(), features=FEATURES, n_actions=n_actions, settings=settings
                ),
            )
            made._tidy()
            made._seal()
        return made

    @classmethod
    def _begun(cls, folder: Path, n_actions: int, settings: dict[str, Any]) -> FeatureSet | None:
        """The set that is here, with the days of it that are whole; None where there is none.

        Raises `InputError` for another set, and for a folder that holds something else."""
        if not (folder / MANIFEST).exists():
            if any(_is_foreign(path) for path in folder.iterdir()):
                raise InputError(f"{folder}: is not empty and holds no set; give another folder")
            return None
        begun = cls.open(folder)
        if (begun.manifest.n_actions, begun.manifest.settings) != (n_actions, settings):
            if begun.manifest.days:
                raise InputError(
                    f"{folder}: holds a set of other tapes or settings; give another folder"
                )
            return None
        whole = []
        with opened(folder, SET) as here:
            for kept in begun.manifest.days:
                try:
                    here.check(_name(kept.symbol, kept.day))
                except InputError:
                    continue
                whole.append(kept)
        begun._keep(whole)
        return begun

    @classmethod
    def open(cls, folder: str | Path) -> FeatureSet:
        """A set to read. Raises `InputError` if there is none, or it is of another schema."""
        manifest, members = read_folder(folder, SET, _manifest_of)
        check_schema(manifest.schema, str(folder))
        if manifest.features != FEATURES or manifest.n_actions < 1:
            raise InputError(f"{folder}: its features are not those of its schema; {SET.remedy}")
        return cls(Path(folder), manifest, members)

    def holds(self, symbol: str, day: str) -> bool:
        """Whether a day is in it."""
        return any((kept.symbol, kept.day) == (symbol, day) for kept in self.manifest.days)

    def add(
        self, symbol: str, day: str, decisions: Decisions, outcome: Outcome | None = None
    ) -> None:
        """Write a day, and what came of its decisions if that is known.

        Raises `InputError` if it is in the set, or its arrays do not fit."""
        import pyarrow as pa
        from pyarrow import parquet

        if self.holds(symbol, day):
            raise InputError(f"{self.folder}: holds {symbol} {day} already; write each day once")
        n = len(decisions.ts)
        wanted = [(n,), (n,), (n, N_FEATURES), (n, self.manifest.n_actions), (n,)]
        if [column.shape for column in decisions] != wanted:
            raise InputError(
                f"decisions: shapes are {[column.shape for column in decisions]}; give {wanted}"
            )
        packed = np.packbits(decisions.mask, axis=1)
        columns = {
            "ts": decisions.ts,
            "episode": decisions.episode,
            "action": decisions.action.astype(np.int32),
            "mask": pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(packed.shape[1]), n, [None, pa.py_buffer(packed)]
            ),
            **dict(zip(NAMES, decisions.features.T, strict=True)),
        }
        check_rows(f"{symbol} {day}", decisions, outcome, self.manifest.n_actions)
        if outcome is not None:
            longest = int(np.char.str_len(outcome.policy).max(initial=0))
            if longest > _LONGEST:
                raise InputError(
                    f"policy: has a name of {longest:,} characters; give at most {_LONGEST:,}"
                )
            columns |= {
                "propensity": outcome.propensity,
                "over": outcome.over,
                "policy": pa.array(outcome.policy).dictionary_encode(),
                **{_TERM + name: column for name, column in outcome.terms.items()},
            }
        name = _name(symbol, day)
        try:
            with alone_in(self.folder):
                if read_folder(self.folder, SET, _manifest_of) != (self.manifest, self._members):
                    raise InputError(
                        f"{self.folder}: another process has written to it meanwhile; give the "
                        "same command again"
                    )
                with new_file(self.folder / name) as draft:
                    parquet.write_table(pa.table(columns), draft, compression="zstd")
                kept = Kept(symbol=symbol, day=day, rows=n)
                self._seal(kept, member_of(self.folder / name))
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error).splitlines()[0]
            raise InputError(
                f"{self.folder / name}: cannot be written ({reason}); the days before are whole, "
                "make room and go on"
            ) from None

    def read(self, symbol: str, day: str) -> Decisions:
        """The decisions of a day, to the last bit. Raises `InputError` if it is not in the set."""
        if not self.holds(symbol, day):
            raise InputError(f"{self.folder}: holds no {symbol} {day}; it was not made")
        with self._opened(symbol, day) as (here, file):
            table = file.read(columns=["ts", "episode", "action", "mask", *NAMES])
            n, n_actions = len(table), self.manifest.n_actions
            try:
                packed = np.frombuffer(b"".join(table["mask"].to_pylist()), np.uint8)
                packed = packed.reshape(n, -(-n_actions // 8))
                found = Decisions(
                    ts=numbers_of(table, "ts", np.int64),
                    episode=numbers_of(table, "episode", np.int64),
                    features=np.stack([numbers_of(table, x, np.float32) for x in NAMES], axis=1),
                    mask=np.unpackbits(packed, axis=1, count=n_actions).astype(bool),
                    action=numbers_of(table, "action", np.int32).astype(np.int64),
                )
                check_rows(f"{symbol} {day}", found, None, n_actions)
            except (KeyError, TypeError, ValueError) as error:
                raise here.wrong(_name(symbol, day), f"is damaged ({error})") from None
        return found

    def outcome(self, symbol: str, day: str) -> Outcome:
        """What came of the decisions of a day. Raises `InputError` if that was not logged."""
        if not self.holds(symbol, day):
            raise InputError(f"{self.folder}: holds no {symbol} {day}; it was not made")
        with self._opened(symbol, day) as (here, file):
            names = file.schema_arrow.names
            terms = [name for name in names if name.startswith(_TERM)]
            if "propensity" not in names or not terms:
                raise InputError(
                    f"{self.folder}: {symbol} {day} holds what was seen, not what came of it; make "
                    "it with `paceline log`"
                )
            table = file.read(columns=["propensity", "over", "policy", *terms])
            packed = [name for part in table["policy"].chunks for name in part.dictionary]
            longest = max((len(str(name)) for name in packed), default=0)
            if longest > _LONGEST:
                raise here.wrong(
                    _name(symbol, day),
                    f"names a policy in {longest:,} characters, {_LONGEST:,} are the most",
                )
            try:
                found = Outcome(
                    propensity=numbers_of(table, "propensity", np.float32),
                    over=numbers_of(table, "over", np.int8),
                    policy=np.asarray(table["policy"].to_pylist(), np.str_),
                    terms={x.removeprefix(_TERM): numbers_of(table, x, np.float32) for x in terms},
                )
                check_outcome(f"{symbol} {day}", found)
            except (KeyError, TypeError, ValueError) as error:
                raise here.wrong(_name(symbol, day), f"is damaged ({error})") from None
        return found

    def column(self, name: str) -> NDArray[np.float32]:
        """`[rows]` one feature of all days, NaN where it is missing.

        Raises `InputError` for a feature that there is not."""
        if name not in (one.name for one in FEATURES):
            raise InputError(f"feature: there is no {name!r}; `paceline features list` names them")
        flag = f"no {name}"
        names = [name, flag] if flag in NAMES else [name]
        parts = [np.zeros(0, np.float32)]
        for kept in self.manifest.days:
            with self._opened(kept.symbol, kept.day) as (_, file):
                table = file.read(columns=names)
            values = table[name].to_numpy()
            if flag in names:
                values = np.where(table[flag].to_numpy() > 0, np.float32(np.nan), values)
            parts.append(values)
        return np.concatenate(parts)

    @contextmanager
    def _opened(self, symbol: str, day: str) -> Iterator[tuple[SealedFolder, Any]]:
        """The set and the file of a day. Raises `InputError` if it is gone or damaged."""
        import pyarrow as pa
        from pyarrow import parquet

        name = _name(symbol, day)
        rows = next(k.rows for k in self.manifest.days if (k.symbol, k.day) == (symbol, day))
        with opened(self.folder, SET) as here:
            content = pa.py_buffer(here.mapped(name))
            try:
                with parquet.ParquetFile(pa.BufferReader(content)) as file:
                    told = file.metadata
                    groups = map(told.row_group, range(told.num_row_groups))
                    size = sum(group.total_byte_size for group in groups)
                    most = _ROOM + rows * told.num_columns * _MOST_BYTES
                    if told.num_rows != rows:
                        raise here.wrong(name, f"has {told.num_rows:,} rows, not {rows:,}")
                    if size > most:
                        raise here.wrong(
                            name, f"unpacks to {size:,} bytes, {most:,} are the most for its rows"
                        )
                    for column in file.schema_arrow:
                        if not self._is_small(column):
                            raise here.wrong(name, f"is damaged ({column.name} is {column.type})")
                    yield here, file
            except (pa.ArrowException, OSError, UnicodeError) as error:  # a name may be no text
                reason = str(error).splitlines()[0]
                raise here.wrong(name, f"cannot be read ({reason})") from None

    def _is_small(self, column: Any) -> bool:
        """Whether a value of an Arrow field takes a few bytes. Others may be packed as one value
        and a number for each row, and are not as large as the file says until they are read."""
        import pyarrow as pa

        if column.name == "mask":
            return bool(column.type == pa.binary(-(-self.manifest.n_actions // 8)))
        if column.name == "policy":  # stays packed when it is read
            return bool(column.type == pa.dictionary(pa.int32(), pa.string()))
        return bool(pa.types.is_primitive(column.type))

    def _keep(self, days: list[Kept]) -> None:
        """Forget all days but these."""
        self.manifest = msgspec.structs.replace(self.manifest, days=tuple(days))
        names = {_name(kept.symbol, kept.day) for kept in days}
        self._members = {name: one for name, one in self._members.items() if name in names}

    def _seal(self, kept: Kept | None = None, member: Member | None = None) -> None:
        """Write the manifest, with one more day if it is given."""
        manifest, members = self.manifest, dict(self._members)
        if kept is not None and member is not None:
            days = sorted([*manifest.days, kept], key=lambda one: (one.symbol, one.day))
            manifest = msgspec.structs.replace(manifest, days=tuple(days))
            members[_name(kept.symbol, kept.day)] = member
        write_file(self.folder / MANIFEST, seal(SET, manifest, members))
        self.manifest, self._members = manifest, members

    def _tidy(self) -> None:
        """Remove files of days that are not in the manifest: what a write that was cut off left."""
        drafts.clear(self.folder)
        for path in self.folder.glob("symbol=*/date=*"):
            drafts.clear(path)
            part = path / _PART
            if part.is_file() and part.relative_to(self.folder).as_posix() not in self._members:
                part.unlink()


_ROOM, _MOST_BYTES = 1 << 20, 64
"""Bytes that a file of a day may take in memory, and bytes more for each number."""
_LONGEST = 1024
"""Characters of a policy's name, which is unpacked for each row."""


def _name(symbol: str, day: str) -> str:
    """The file of a day, within its set. Readers of such folders decode the names again."""
    return f"symbol={quote(symbol, safe='')}/date={quote(day, safe='')}/{_PART}"


def _is_foreign(path: Path) -> bool:
    """Whether a file or folder is nothing that a set that was cut off leaves."""
    if drafts.is_ours(path.name):
        return False
    return not (path.is_dir() and path.name.startswith("symbol=")) or any(
        one.is_file() and one.name != _PART and not drafts.is_ours(one.name)
        for one in path.rglob("*")
    )


def _manifest_of(here: SealedFolder) -> tuple[Manifest, dict[str, Member]]:
    manifest = here.content_as(Manifest)
    names = [_name(kept.symbol, kept.day) for kept in manifest.days]
    if sorted(names) != sorted(here.members) or any(kept.rows < 0 for kept in manifest.days):
        raise here.wrong(MANIFEST, "names other days than files")
    return manifest, dict(here.members)


def read_manifest(folder: str | Path) -> Manifest:
    """The manifest of a set, whatever its schema. Raises `InputError` if there is none."""
    return read_folder(folder, SET, _manifest_of)[0]


def sets_in(folder: str | Path) -> dict[str, Manifest]:
    """The sets that are in a folder, or below it, by their paths relative to it."""
    found = {}
    for path in sorted(Path(folder).rglob(MANIFEST)):
        try:
            found[str(path.parent.relative_to(folder))] = read_manifest(path.parent)
        except InputError:
            continue  # a tape has a manifest, too
    return found


def summary(values: NDArray[np.float32]) -> Summary:
    """What `values` `[rows]` of a feature are like; NaN is missing."""
    known = values[~np.isnan(values)].astype(np.float64)
    if not len(known):
        share = 1.0 if len(values) else math.nan
        return Summary(len(values), share, math.nan, math.nan, math.nan, math.nan)
    low, median, high = np.quantile(known, (0.05, 0.5, 0.95)).tolist()
    missing = 1.0 - len(known) / len(values)
    return Summary(len(values), missing, float(known.mean()), low, median, high)
