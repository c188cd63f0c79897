"""Frozen settings: unknown keys refused, a sentence and a unit on every field.

    class Latency(Settings):
        submit_ns: Annotated[int, Meta(ge=0), Field("From decision to exchange.", "ns")] = 0

Constructor and YAML go through the same checks. An error is one line that names the path of the
key, the value and the remedy. A key may be spelt as the flag of the command line is: `horizon: 30m`
for `horizon_s: 1800`, `price-band-bps` for `price_band_bps`; other spellings stand in `also`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec.structs import force_setattr

from paceline import documents
from paceline.documents import SYNONYMS, remedy_for, shown
from paceline.errors import ConfigError, InputError

T = TypeVar("T", bound="Settings")


class Field(NamedTuple):
    """What one setting is, for a person."""

    sentence: str
    unit: str
    """`""` for a name, a switch or a group of settings; otherwise the unit."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all settings. Raises `ConfigError` for a value that its field cannot hold."""

    also: ClassVar[Mapping[str, str]] = {}
    """Other spellings of keys in a file, such as a flag's name, and the fields they mean."""

    def __post_init__(self) -> None:
        for key, kind in _kinds(type(self)).items():
            force_setattr(self, key, _value(getattr(self, key), kind, key))

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        REGISTERED.append(cls)


REGISTERED: list[type[Settings]] = []
"""Every class of settings that has been imported, so that a test can read them all."""


class Row(NamedTuple):
    """One line of a settings table."""

    path: str
    sentence: str
    unit: str
    default: object
    """`msgspec.NODEFAULT` when the setting must be given."""


def describe(kind: type[Settings], prefix: str = "") -> Iterator[Row]:
    """Every setting of `kind` and of the groups inside it, in order.

    Raises `TypeError` for a field without a sentence: that is a fault of ours, not of a user.
    """
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        notes = [note for note in get_args(hints[field.name])[1:] if isinstance(note, Field)]
        if not notes or not notes[0].sentence.endswith("."):
            raise TypeError(f"{kind.__name__}.{field.name} needs a Field with a sentence")
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        yield Row(prefix + field.name, notes[0].sentence, notes[0].unit, default)
        group = _group(hints[field.name])
        if group is not None:
            yield from describe(group, f"{prefix}{field.name}.")


def load_yaml(path: str | Path, kind: type[T]) -> T:
    """Settings of `kind` from a YAML file; an empty file is all defaults.

    Raises `ConfigError` when the file is missing, is not YAML, gives a key twice, or holds what
    `kind` refuses.
    """
    raw = read_yaml(path)
    try:
        return from_dict(raw, kind)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def read_yaml(path: str | Path) -> object:
    """What a YAML file holds, see `documents.parse_yaml`. Raises `ConfigError`, naming the file."""
    try:
        return documents.read_yaml(path)
    except InputError as error:
        raise ConfigError(str(error)) from None


def from_dict(raw: object, kind: type[T], at: str = "") -> T:
    """Settings of `kind` from nested mappings. Raises `ConfigError`, naming the path of the key."""
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        raise ConfigError(
            f"{at or 'settings'}: {shown(raw)} is not a group; give `key: value` lines"
        )
    kinds = _kinds(kind)
    values: dict[str, object] = {}
    for key, value in raw.items():
        name = _field_of(str(key), kind)
        where = _join(at, shown(str(key), quote=False))
        if name not in kinds:
            known = f"known are {', '.join(kinds)}"
            raise ConfigError(f"{where}: unknown key; {remedy_for(key, kinds, known, SYNONYMS)}")
        if name in values:
            raise ConfigError(f"{where}: is {name}, which is given too; give one of them")
        if name != key and name == f"{key}_s":
            value = _durations(value, where)
        values[name] = _value(value, kinds[name], where)
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in values:
            raise ConfigError(f"{_join(at, field.name)}: missing; add it")
    try:
        return kind(**values)
    except ConfigError as error:  # of values that do not go together
        raise ConfigError(_join(at, error)) from None


def flag_of(path: str) -> str:
    """The name of a setting on the command line; one in seconds takes times: `--horizon 30m`."""
    return path.removesuffix("_s")


def duration(text: str, field: str) -> float:
    """Seconds of `500ms`, `30s`, `15m`, `2h` or a plain number. Raises `ConfigError`."""
    found = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ms|s|m|h)?", text)
    if found:
        return float(found[1]) * _SECONDS[found[2] or "s"]
    raise ConfigError(f"{field}: {shown(text)} is not a time; write 500ms, 30s, 15m or 2h")


_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _durations(value: object, field: str) -> object:
    """`value` of a key spelt as its flag: each time in it as seconds."""
    if isinstance(value, list | tuple):
        return [_durations(part, field) for part in value]
    return duration(value, field) if isinstance(value, str) else value


def _field_of(key: str, kind: type[Settings]) -> str:
    """The field that a key of a file means: itself, as its flag is spelt, or as `also` has it."""
    kinds = _kinds(kind)
    plain = key.replace("-", "_")
    names = (key, plain, kind.also.get(plain, ""), f"{plain}_s")
    return next((name for name in names if name in kinds), key)


def _join(at: str, key: object) -> str:
    return f"{at}.{key}" if at else str(key)


@cache
def _kinds(settings: type[Settings]) -> dict[str, Any]:
    hints = get_type_hints(settings, include_extras=True)
    return {field.name: hints[field.name] for field in msgspec.structs.fields(settings)}


def _group(kind: Any) -> type[Settings] | None:
    """The class of settings inside `kind`, when it is one."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def _each(kind: Any) -> type[Settings] | None:
    """The class of settings of which `kind` is a row, or may be one."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is tuple and parts[1:] == (...,):
        return _group(parts[0])
    if origin is Annotated:
        return _each(parts[0])
    if origin in (Union, UnionType):
        return next((found for part in parts if (found := _each(part))), None)
    return None


def _value(value: object, kind: Any, at: str) -> object:
    group = _group(kind)
    if group is not None:
        return value if isinstance(value, group) else from_dict(value, group, at)
    each = _each(kind)
    if each is not None and isinstance(value, list | tuple):
        return tuple(_value(part, each, f"{at}[{i}]") for i, part in enumerate(value))
    _check_numbers(value, at)
    if _is_row(kind) and isinstance(value, str | int | float):
        value = (value,)  # one is a row of one
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        wanted = _wanted(kind)
        reason = str(error)
        remedy = f"give {wanted}" if wanted else reason[:1].lower() + reason[1:]
        raise ConfigError(f"{at}: {shown(value)} does not fit; {remedy}") from None


def _check_numbers(value: object, at: str) -> None:
    """Raises `ConfigError` for a number, however deep, that no setting holds."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{at}: {value} is not finite; give a finite number")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ConfigError(f"{at}: {shown(value)} is out of range; give fewer digits")
    if isinstance(value, Mapping):
        for key, part in value.items():
            _check_numbers(part, _join(at, key))
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value):
            _check_numbers(part, f"{at}[{i}]")


def _is_row(kind: Any) -> bool:
    """Whether a field takes any number of values."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _is_row(parts[0])
    return origin is tuple and parts[1:] == (...,)


_NOUNS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
_BOUNDS = {"gt": "above", "ge": "from", "lt": "below", "le": "up to"}


def _wanted(kind: Any) -> str | None:
    """What a field of `kind` takes, for a person; None for kinds that have no short name."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        noun = _wanted(parts[0])
        bounds = [
            f"{word} {bound:g}"
            for meta in parts[1:]
            if isinstance(meta, msgspec.Meta)
            for name, word in _BOUNDS.items()
            if (bound := getattr(meta, name)) is not None
        ]
        return " ".join([noun, *bounds]) if noun else None
    if origin is Literal:
        return "one of " + ", ".join(str(part) for part in parts)
    if origin in (Union, UnionType):
        nouns = [_wanted(part) for part in parts if part is not NoneType]
        return " or ".join(noun for noun in nouns if noun) if all(nouns) else None
    return _NOUNS.get(kind)
