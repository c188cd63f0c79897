"""The feature store: sets of decisions in Parquet, with what they were made for and by.

    a_set = FeatureSet.create("out/features/yhoo", 97, settings)   # or .open(...)
    a_set.add("YHOO", "2024-01-08", decisions)
    a_set.read("YHOO", "2024-01-08").features                      # [n, N_FEATURES]
    a_set.column("spread")                                         # of all days, NaN where missing

A set is a folder: `manifest.json` and a file `symbol=S/date=D/decisions.parquet` for each day,
which other tools read, too (`day` is a feature). The manifest holds the schema itself beside its
hash, so that a set of another schema, which is refused, still says what its features were. A day is
in the manifest once its file is whole; what is cut off in between is no loss.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.decision import manifest as manifests
from paceline.decision.schema import FEATURES, N_FEATURES, NAMES, Feature, check_schema, schema_hash
from paceline.errors import InputError

_FORMAT = 1
_TERM = "reward."
"""Before the names of columns that are terms of the reward."""


class Decisions(NamedTuple):
    """What was seen and chosen, a row for each decision."""

    ts: NDArray[np.int64]  # [n] ns since the epoch
    episode: NDArray[np.int64]  # [n] the parent order, a number within the day
    features: NDArray[np.float32]  # [n, N_FEATURES]
    mask: NDArray[np.bool_]  # [n, n_actions] which actions were legal
    action: NDArray[np.int64]  # [n]


class Outcome(NamedTuple):
    """What came of decisions, a row for each; a set of logged decisions has it."""

    propensity: NDArray[np.float32]  # [n] probability of the action; NaN: not known
    over: NDArray[np.int8]  # [n] 0: its next row follows, 1: terminated, 2: truncated
    policy: NDArray[np.str_]  # [n] who chose
    terms: dict[str, NDArray[np.float32]]  # name of a term of the reward -> [n]


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A day that a set holds."""

    symbol: str
    day: str
    rows: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a set was made for and by."""

    format: int = _FORMAT
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

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest

    @classmethod
    def create(cls, folder: str | Path, n_actions: int, settings: dict[str, Any]) -> FeatureSet:
        """A new set, or the one that was begun here with the same settings, to go on with.

        One without a day is nobody's, and a new one takes its place. `settings` are what JSON can
        hold. Raises `InputError` if another set is here."""
        folder = Path(folder)
        # As it will be read again: tuples are lists.
        settings = msgspec.json.decode(msgspec.json.encode(settings))
        if (folder / manifests.FILE).exists():
            begun = cls.open(folder)
            if (begun.manifest.n_actions, begun.manifest.settings) == (n_actions, settings):
                # A day whose file is gone is to be made again.
                days = tuple(
                    day for day in begun.manifest.days if begun._path(day.symbol, day.day).is_file()
                )
                begun.manifest = msgspec.structs.replace(begun.manifest, days=days)
                return begun
            if begun.manifest.days or any(folder.rglob("*.parquet")):
                raise InputError(
                    f"{folder}: holds a set of other tapes or settings; give another folder"
                )
        elif folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder}: is not empty and holds no set; give another folder")
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(
            folder,
            Manifest(
                schema=schema_hash(), features=FEATURES, n_actions=n_actions, settings=settings
            ),
        )
        manifests.write(folder, made.manifest)
        return made

    @classmethod
    def open(cls, folder: str | Path) -> FeatureSet:
        """A set to read. Raises `InputError` if there is none, or it is of another schema."""
        manifest = read_manifest(folder)
        check_schema(manifest.schema, str(folder))
        return cls(Path(folder), manifest)

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
        if outcome is not None:
            columns |= {
                "propensity": outcome.propensity,
                "over": outcome.over,
                "policy": pa.array(outcome.policy).dictionary_encode(),
                **{_TERM + name: column for name, column in outcome.terms.items()},
            }
        path = self._path(symbol, day)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        try:
            parquet.write_table(pa.table(columns), draft, compression="zstd")
            os.replace(draft, path)
            kept = Kept(symbol=symbol, day=day, rows=n)
            days = sorted([*self.manifest.days, kept], key=lambda kept: (kept.symbol, kept.day))
            manifest = msgspec.structs.replace(self.manifest, days=tuple(days))
            manifests.write(self.folder, manifest)
        except OSError as error:
            draft.unlink(missing_ok=True)
            reason = os.strerror(error.errno) if error.errno else str(error).splitlines()[0]
            raise InputError(
                f"{path}: cannot be written ({reason}); the days before are whole, make room and "
                "go on"
            ) from None
        self.manifest = manifest

    def read(self, symbol: str, day: str) -> Decisions:
        """The decisions of a day, to the last bit. Raises `InputError` if it is not in the set."""
        if not self.holds(symbol, day):
            raise InputError(f"{self.folder}: holds no {symbol} {day}; it was not made")
        table = self._columns(symbol, day, ["ts", "episode", "action", "mask", *NAMES])
        n, n_actions = len(table), self.manifest.n_actions
        packed = np.frombuffer(b"".join(table["mask"].to_pylist()), np.uint8)
        packed = packed.reshape(n, -(-n_actions // 8))
        return Decisions(
            ts=table["ts"].to_numpy(),
            episode=table["episode"].to_numpy(),
            features=np.stack([table[name].to_numpy() for name in NAMES], axis=1),
            mask=np.unpackbits(packed, axis=1, count=n_actions).astype(bool),
            action=table["action"].to_numpy().astype(np.int64),
        )

    def outcome(self, symbol: str, day: str) -> Outcome:
        """What came of the decisions of a day. Raises `InputError` if that was not logged."""
        if not self.holds(symbol, day):
            raise InputError(f"{self.folder}: holds no {symbol} {day}; it was not made")
        with self._opened(symbol, day) as file:
            names = file.schema_arrow.names
        terms = [name for name in names if name.startswith(_TERM)]
        if "propensity" not in names or not terms:
            raise InputError(
                f"{self.folder}: {symbol} {day} holds what was seen, not what came of it; make it "
                "with `paceline log`"
            )
        table = self._columns(symbol, day, ["propensity", "over", "policy", *terms])
        return Outcome(
            propensity=table["propensity"].to_numpy(),
            over=table["over"].to_numpy(),
            policy=np.asarray(table["policy"].to_pylist(), np.str_),
            terms={name.removeprefix(_TERM): table[name].to_numpy() for name in terms},
        )

    def column(self, name: str) -> NDArray[np.float32]:
        """`[rows]` one feature of all days, NaN where it is missing.

        Raises `InputError` for a feature that there is not."""
        if name not in (one.name for one in FEATURES):
            raise InputError(f"feature: there is no {name!r}; `paceline features list` names them")
        flag = f"no {name}"
        names = [name, flag] if flag in NAMES else [name]
        parts = [np.zeros(0, np.float32)]
        for kept in self.manifest.days:
            table = self._columns(kept.symbol, kept.day, names)
            values = table[name].to_numpy()
            if flag in names:
                values = np.where(table[flag].to_numpy() > 0, np.float32(np.nan), values)
            parts.append(values)
        return np.concatenate(parts)

    def _columns(self, symbol: str, day: str, names: list[str]) -> Any:
        with self._opened(symbol, day) as file:
            return file.read(columns=names)

    @contextmanager
    def _opened(self, symbol: str, day: str) -> Iterator[Any]:
        """The file of a day. Raises `InputError` if it is gone, or is none."""
        import pyarrow as pa
        from pyarrow import parquet

        path = self._path(symbol, day)
        if not path.is_file():
            raise InputError(f"{path}: is gone, and the set names it; make the set again")
        try:
            # Not `read_table`, which adds the folders' names as columns.
            with parquet.ParquetFile(path) as file:
                yield file
        except (pa.ArrowInvalid, OSError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{path}: cannot be read ({reason}); make the set again") from None

    def _path(self, symbol: str, day: str) -> Path:
        # Readers of such folders decode them again.
        where = self.folder / f"symbol={quote(symbol, safe='')}" / f"date={quote(day, safe='')}"
        return where / "decisions.parquet"


def read_manifest(folder: str | Path) -> Manifest:
    """The manifest of a set, whatever its schema. Raises `InputError` if there is none."""
    return manifests.read(folder, Manifest, "feature set", _FORMAT, "make the set again")


def sets_in(folder: str | Path) -> dict[str, Manifest]:
    """The sets that are in a folder, or below it, by their paths relative to it."""
    found = {}
    for path in sorted(Path(folder).rglob(manifests.FILE)):
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
