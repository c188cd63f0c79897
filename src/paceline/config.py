"""Frozen settings: unknown keys refused, a sentence and a unit on every field.

    class Latency(Settings):
        submit_ns: Annotated[int, Meta(ge=0), Field("From decision to exchange.", "ns")] = 0

Constructor and YAML go through the same checks. An error is one line that names the path of the
key, the value and the remedy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
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

from paceline.errors import ConfigError

T = TypeVar("T", bound="Settings")


class Field(NamedTuple):
    """What one setting is, for a person."""

    sentence: str
    unit: str
    """`""` for a name, a switch or a group of settings; otherwise the unit."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all settings. Raises `ConfigError` for a value that its field cannot hold."""

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
    """What a YAML file holds. Raises `ConfigError` when it is missing, is not YAML, or gives a key
    twice."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"{path}: {reason}; give a readable YAML file") from None
    try:
        return _parse(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def from_dict(raw: object, kind: type[T], at: str = "") -> T:
    """Settings of `kind` from nested mappings. Raises `ConfigError`, naming the path of the key."""
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{at or 'settings'}: {raw!r} is not a group; give `key: value` lines")
    kinds = _kinds(kind)
    for key in raw:
        if key not in kinds:
            near = get_close_matches(str(key), kinds, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"known are {', '.join(kinds)}"
            raise ConfigError(f"{_join(at, key)}: unknown key; {remedy}")
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in raw:
            raise ConfigError(f"{_join(at, field.name)}: missing; add it")
    values = {key: _value(value, kinds[key], _join(at, key)) for key, value in raw.items()}
    try:
        return kind(**values)
    except ConfigError as error:  # of values that do not go together
        raise ConfigError(_join(at, error)) from None


def _join(at: str, key: object) -> str:
    return f"{at}.{key}" if at else str(key)


@cache
def _kinds(settings: type[Settings]) -> dict[str, Any]:
    return get_type_hints(settings, include_extras=True)


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
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{at}: {value} is not finite; give a finite number")
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        wanted = _wanted(kind)
        reason = str(error)
        remedy = f"give {wanted}" if wanted else reason[:1].lower() + reason[1:]
        raise ConfigError(f"{at}: {value!r} does not fit; {remedy}") from None


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


def _parse(text: str) -> object:
    """YAML 1.1 without duplicate keys, and with `1e-6` as the number everybody means."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[object, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = loader.construct_object(key_node)
            if not isinstance(key, str):
                raise ConfigError(f"line {key_node.start_mark.line + 1}: key {key!r} is not a name")
            if key in seen:
                raise ConfigError(f"{key}: given twice; give each key once")
            seen.add(key)
        return loader.construct_mapping(node, deep=True)

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"[-+]?\d[\d_]*(\.\d*)?[eE][-+]?\d+\Z"),
        list("-+0123456789"),
    )
    try:
        return yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{line}{problem}; give valid YAML") from None
    except RecursionError:
        raise ConfigError("nested too deep; give flat settings") from None
