"""What the file of a kill switch holds: everything that was ever thrown and released, in order.

The file is sealed, so no byte of it can change unnoticed. Entries are linked: the link of one is a
digest of the entry and of the link before it. A process that has seen an entry knows by its link
whether a file still has all that came before.

An entry must also make sense: a release names the throws that it ends, all of its scope and name,
by two different people, and no earlier than they were thrown.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from hashlib import blake2b
from typing import Annotated, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from paceline.errors import InputError
from paceline.files.sealing import Kind, content_as, seal, unseal
from paceline.guard import snapshot
from paceline.orders.identity import canonical, key, person_key


class Mode(IntEnum):
    """What a thrown switch does; the larger is the stricter."""

    RUNNING = snapshot.RUNNING
    REDUCE_ONLY = snapshot.REDUCE_ONLY
    """Only orders that reduce the position may go, and cancels."""
    HALT = snapshot.HALT
    """No order may go; cancels may."""
    CANCEL_ALL = snapshot.CANCEL_ALL
    """No order may go, and what works is to be cancelled."""


class Scope(StrEnum):
    """What a switch stops."""

    ORDER = "order"
    """One parent order."""
    SYMBOL = "symbol"
    POLICY = "policy"
    DESK = "desk"
    ALL = "all"
    """Everything; its name is empty."""


Words = Annotated[str, Meta(min_length=1, pattern=r"\S")]
Time = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Thrown(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind",
    tag="thrown",
):  # fmt: skip
    """A switch, and who threw it."""

    scope: Scope
    name: str
    """In canonical form."""
    mode: Mode
    who: Words
    known: bool = False
    """Whether `who` gave the secret of a known person. Anybody can throw."""
    why: Words
    ts: Time
    """ns since the epoch."""


class Released(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind",
    tag="released",
):  # fmt: skip
    """What was released, by whom, and which throws that ended."""

    scope: Scope
    name: str
    who: Words
    confirmed_by: Words
    why: Words
    ts: Time
    thrown: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(min_length=1)]
    """Their places in the history, from 0."""


Entry = Thrown | Released
T = TypeVar("T", Thrown, Released)
KIND = Kind("kill switch", 2, "restore it")
_FIRST = blake2b(b"paceline kill switch 2", digest_size=16).hexdigest().encode()


class History(NamedTuple):
    """Entries, and for each the link that holds it and all before it."""

    entries: tuple[Entry, ...] = ()
    links: tuple[bytes, ...] = ()

    def goes_on_from(self, other: History) -> bool:
        """Whether it begins with all of `other`."""
        n = len(other.links)
        return n == 0 or (len(self.links) >= n and self.links[n - 1] == other.links[n - 1])

    def then(self, *entries: Entry) -> History:
        """With more entries."""
        links = list(self.links)
        for entry in entries:
            links.append(_link(links[-1] if links else _FIRST, msgspec.json.encode(entry)))
        return History((*self.entries, *entries), tuple(links))

    def holding(self) -> Mapping[int, Thrown]:
        """What is thrown and not released, by its place. Raises `InputError` where a release
        makes no sense."""
        held: dict[int, Thrown] = {}
        for place, entry in enumerate(self.entries):
            if isinstance(entry, Thrown):
                held[place] = entry
                continue
            ended = tuple(
                at for at, thrown in held.items() if same(thrown, entry.scope, entry.name)
            )
            if entry.thrown != ended:
                raise InputError(f"entry {place + 1} releases what is not thrown")
            if person_key(entry.who) == person_key(entry.confirmed_by):
                raise InputError(f"entry {place + 1} is released by one person")
            if entry.ts < max(held[at].ts for at in ended):
                raise InputError(f"entry {place + 1} is released before it was thrown")
            for at in ended:
                del held[at]
        return held

    def to_bytes(self) -> bytes:
        """The file."""
        return seal(KIND, _File(entries=self.entries, link=self.last.decode()))

    @property
    def last(self) -> bytes:
        """The link of the last entry."""
        return self.links[-1] if self.links else _FIRST

    @classmethod
    def from_bytes(cls, raw: bytes, name: str) -> History:
        """What `to_bytes` wrote; `InputError` for anything else. `name`: the file, for words."""
        try:
            found = content_as(unseal(raw, KIND, name), KIND, _File, name)
        except InputError as error:
            raise InputError(str(error).rpartition(";")[0]) from None
        history = cls().then(*found.entries)
        if history.last.decode() != found.link:
            raise InputError(f"{name}: its entries are not those that were written")
        for place, entry in enumerate(history.entries):
            if (entry.scope == Scope.ALL) != (entry.name == ""):
                raise InputError(f"{name}: entry {place + 1} names nothing")
        try:
            history.holding()
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        return history


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of the file."""

    entries: tuple[Entry, ...]
    link: str


def same(thrown: Thrown, scope: Scope, name: str) -> bool:
    """Whether a switch is the one of this scope and name."""
    return thrown.scope == scope and key(thrown.name) == key(name)


def entry_of(kind: type[T], **given: object) -> T:
    """One entry with its names in canonical form, checked as the file would be; `InputError` for
    the first field that is wrong."""
    for field in ("name", "who", "confirmed_by"):
        if field in given and not (field == "name" and given["name"] == ""):
            given[field] = canonical(given[field], f"kill.{field}", InputError)
    try:
        found = msgspec.convert(given, kind)
        msgspec.json.encode(found)
    except UnicodeEncodeError:
        raise InputError(
            f"kill.why: {given['why']!a} has half of a surrogate pair; remove it"
        ) from None
    except msgspec.ValidationError as error:
        # It ends with the field: "... - at `$.scope`".
        what, _, field = str(error).rstrip("`").rpartition(" - at `$.")
        remedy = _REMEDIES.get(field, "say who and why")
        raise InputError(f"kill.{field}: {given.get(field)!a} ({what}); {remedy}") from None
    if (given["scope"] == Scope.ALL) != (given["name"] == ""):
        raise InputError(
            f"kill.name: {given['name']!a} does not fit scope {given['scope']}; name what is to "
            "stop, and leave it empty for all"
        )
    return found


_REMEDIES = {
    "scope": f"give one of {', '.join(Scope)}",
    "mode": f"give one of {', '.join(mode.name for mode in Mode if mode != Mode.RUNNING)}",
    "ts": "give whole ns since the epoch",
}
"""Of fields that say neither who nor why."""


def _link(before: bytes, body: bytes) -> bytes:
    return blake2b(before + b" " + body, digest_size=16).hexdigest().encode()
