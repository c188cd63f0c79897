"""The edge every order crosses: JSON or keywords in, one line of error out.

A constructor call and a JSON document go through the same checks of values, because both end in
`__post_init__`. Other names of a field (`start_ns`) and hints at misspelt ones are for documents
(`from_json`, `from_dict`); in a call a field that is missing or unknown is Python's `TypeError`.
Types on the fields give the JSON schema and hold when another codec decodes them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar

import msgspec
from msgspec import Meta

from paceline.documents import SYNONYMS, parse_json, remedy_for, shown
from paceline.errors import InputError, OrderError
from paceline.orders.identity import checked
from paceline.orders.times import nanoseconds
from paceline.units import INT64_MAX, to_steps

if TYPE_CHECKING:
    from paceline.orders.instrument import Instrument

Choice = TypeVar("Choice", bound=StrEnum)

Identifier = Annotated[
    str, Meta(min_length=1, max_length=128, description="Printable, no space at either end.")
]
Positive = Annotated[int, Meta(gt=0)] | Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(gt=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=INT64_MAX)]
if TYPE_CHECKING:
    Instant = int
else:
    Instant = Annotated[
        int | float | str,
        Meta(
            description="Seconds since the epoch (a number below 1e11, fractions allowed), ISO "
            "8601 text with an offset from UTC, or nanoseconds since the epoch (from 1e17); in "
            "1990 to 2100."
        ),
    ]
"""A time as it is written, see `orders.times`; nanoseconds since the epoch once it is read."""


class Payload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One JSON object of the vocabulary. Subclasses check their fields in `__post_init__`."""

    label: ClassVar[str] = "payload"
    """How errors call it: `label.field: value ...`."""
    in_ns: ClassVar[Mapping[str, str]] = {}
    """Names under which a time is given in nanoseconds, and the fields they are."""

    def check(self, instrument: Instrument) -> Self:
        """Itself, when everything lies on the grids of `instrument`; otherwise `OrderError`."""
        return self

    @classmethod
    def from_dict(cls, raw: object, instrument: Instrument | None = None) -> Self:
        """From decoded JSON. Raises `OrderError` for the first field that is wrong."""
        if not isinstance(raw, Mapping):
            raise OrderError(f"{cls.label}: {shown(raw)} is not an object; give named fields")
        given: dict[str, Any] = {}
        for key, value in raw.items():
            name = cls.in_ns.get(key, key)
            where = f"{cls.label}.{shown(key, quote=False)}"
            if name not in cls.__struct_fields__:
                known = (*cls.__struct_fields__, *cls.in_ns)
                remedy = remedy_for(key, known, "remove it", SYNONYMS)
                raise OrderError(f"{where}: unknown field; {remedy}")
            if name in given:
                raise OrderError(f"{where}: {name} is given in another way, too; give one of them")
            given[name] = value if name == key else nanoseconds(value, where)
        for field in _required(cls):
            if field not in given:
                raise OrderError(f"{cls.label}.{field}: missing, and it has no default; add it")
        payload = cls(**given)
        return payload if instrument is None else payload.check(instrument)

    @classmethod
    def from_json(cls, data: bytes | str, instrument: Instrument | None = None) -> Self:
        """From one JSON object. Raises `OrderError`; a key given twice is refused as well."""
        try:
            raw = parse_json(data)
        except InputError as error:
            said = str(error)
            whose = "" if said.endswith("once") else f"{cls.label}: "
            raise OrderError(f"{whose}{said}") from None
        return cls.from_dict(raw, instrument)

    def to_json(self) -> bytes:
        """One JSON object without white space; limits that are not set are left out."""
        raw = msgspec.to_builtins(self)
        return msgspec.json.encode(_without_none(raw))


@cache
def _required(payload: type[Payload]) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(payload) if field.required)


def _without_none(raw: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in raw.items()
        if value is not None
    }


def number(value: object, field: str) -> int | float:
    """A finite number, exact: no boolean, no text. NumPy and Decimal scalars become plain ones.

    A float without a fraction becomes an integer, so that equal payloads are equal as text too.
    """
    if isinstance(value, bool) or type(value).__name__ == "bool":
        raise OrderError(f"{field}: {value!r} is a boolean; give a number")
    if isinstance(value, str | bytes):
        raise OrderError(f"{field}: {shown(value)} is text; give a plain number, such as 250000")
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            raise OrderError(f"{field}: {value} is not finite; give a finite number")
        nearest = float(value)
        if isinstance(value, Decimal) and Decimal(repr(nearest)) != value:
            raise OrderError(f"{field}: {value} has more digits than a float holds; shorten it")
        exact: int | float = int(nearest) if nearest.is_integer() else nearest
    elif hasattr(value, "__index__"):
        exact = operator.index(value)
    else:
        raise OrderError(f"{field}: {shown(value)} is not a number; give a number")
    if abs(exact) > INT64_MAX:
        raise OrderError(f"{field}: {shown(value)} is out of range; give at most {INT64_MAX}")
    return exact


def positive(value: object, field: str) -> int | float:
    """A number above zero."""
    exact = number(value, field)
    if exact <= 0:
        raise OrderError(f"{field}: {exact} is not positive; give a number above 0")
    return exact


def share(value: object, field: str) -> float:
    """A number in (0, 1]."""
    exact = positive(value, field)
    if exact > 1:
        raise OrderError(f"{field}: {exact} is above 1; give a share in (0, 1]")
    return exact


def whole(value: object, field: str, least: int = 0) -> int:
    """An integer of at least `least`."""
    exact = number(value, field)
    if isinstance(value, float | Decimal) or not isinstance(exact, int):
        raise OrderError(f"{field}: {shown(value)} is not an integer; give a whole number")
    if exact < least:
        raise OrderError(f"{field}: {exact} is too small; give at least {least}")
    return exact


def identifier(value: object, field: str) -> str:
    """Text that names something, in canonical form (`orders.identity`)."""
    return checked(value, field)


def choice(value: object, kind: type[Choice], field: str) -> Choice:
    """A member of `kind`, given as itself or by its text."""
    if isinstance(value, str):
        for member in kind:
            if value == member.value:
                return member
    known = ", ".join(member.value for member in kind)
    raise OrderError(f"{field}: {shown(value)} is not known; give one of {known}")


def steps(value: int | float, step: Decimal, field: str, remedy: str) -> int:
    """How many whole `step`s make `value`; `OrderError` ending in `remedy` off the grid."""
    try:
        return to_steps(value, step, field)
    except InputError as error:
        raise OrderError(f"{error}; {remedy}") from None
