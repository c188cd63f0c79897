"""Who may throw the kill switch, release it and confirm a release: known people, each with a
secret.

A file holds their names and a key made from each secret (scrypt, RFC 7914), never the secret
itself. A name is in plain letters of one alphabet, and counts as known in any spelling that may be
taken for it (`orders.identity.person_key`), so that one person cannot be two. Keep the file where
only those who administer it can write.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from paceline.errors import InputError
from paceline.files.alone import alone
from paceline.files.sealing import Kind, read_sealed, seal
from paceline.files.writing import new_file
from paceline.orders.identity import canonical, checked_person, person_key

SHORTEST = 8
"""Characters of a secret."""
COST = 2**14
"""Of making a key from a secret, in steps and kilobytes: about 50 ms and 16 MB."""
KIND = Kind("people", 1, "restore the file; until then nobody is known")


class Right(StrEnum):
    """What a person may do."""

    THROW = "throw"
    """Anybody can throw; this one is recorded as known."""
    RELEASE = "release"
    """Release what was thrown, and let a stopped policy go on."""
    CONFIRM = "confirm"
    """Confirm what another one releases."""


class Signed(NamedTuple):
    """A person's name, and the secret that shows who it is."""

    name: str
    secret: str

    def __repr__(self) -> str:
        return f"Signed({self.name!r}, ...)"


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the file."""

    name: Annotated[str, Meta(min_length=1)]
    may: tuple[Right, ...]
    salt: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    key: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    cost: Annotated[int, Meta(ge=2, le=2**17)]


class People:
    """The people of one file, read again at every question: one who was removed is unknown at
    once."""

    def __init__(self, path: str | Path) -> None:
        """The people in `path`, which need not be readable yet; while it is not, nobody is
        known."""
        self._path = Path(path)

    @classmethod
    def load(cls, path: str | Path) -> People:
        """The people in `path`; `InputError` when it cannot be read."""
        people = cls(path)
        people._read()
        return people

    @classmethod
    def create(cls, path: str | Path) -> People:
        """A new file with nobody in it, readable by its owner only. `InputError` when there is one,
        or none can be written."""
        people = cls(path)
        try:
            with alone(people._path, wait=True):
                if people._path.exists():
                    raise InputError(f"{path}: is there already; open it, or remove it on purpose")
                people._write(())
        except OSError as error:
            raise InputError(
                f"{path}: {error.strerror}; give a file in a folder that can be written to"
            ) from None
        return people

    def add(
        self,
        name: str,
        secret: str,
        may: tuple[Right | str, ...] = tuple(Right),
        cost: int = COST,
    ) -> None:
        """Make a person known; `cost` of trying a secret, a power of 2. `InputError` when one is
        known whose name may be taken for this one, when the name is not in letters of one
        alphabet, when the secret is short, or when the file cannot be read or written."""
        checked_person(name, "people.name", InputError)
        if not isinstance(secret, str) or len(secret) < SHORTEST:
            raise InputError(f"people.secret: is too short; give at least {SHORTEST} characters")
        try:
            rights = tuple(Right(right) for right in may)
            salt = os.urandom(16)
            made = _key_of(secret, salt, cost).hex()
            person = Person(name=name, may=rights, salt=salt.hex(), key=made, cost=cost)
        except ValueError:
            raise InputError(f"people.may: {may!a}; give some of {', '.join(Right)}") from None
        self._change(lambda people: self._with(people, person))

    def remove(self, name: str) -> None:
        """Make a person unknown; `InputError` when it is already."""
        gone = person_key(canonical(name, "people.name", InputError))

        def without(people: tuple[Person, ...]) -> tuple[Person, ...]:
            left = tuple(person for person in people if person_key(person.name) != gone)
            if left == people:
                raise InputError(f"people.name: {name!a} is not known; look at who is")
            return left

        self._change(without)

    def names(self) -> tuple[str, ...]:
        """Who is known; `InputError` when the file cannot be read."""
        return tuple(person.name for person in self._read())

    def sure(self, signed: object, right: Right, field: str) -> str:
        """The name of a known person who gave the right secret and may do this. `InputError`,
        naming `field`, otherwise."""
        if not isinstance(signed, Signed):
            raise InputError(
                f"{field}: {signed!a} is not signed; give Signed(name, secret) of a known person"
            )
        name = person_key(canonical(signed.name, field, InputError))
        for person in self._read():
            if person_key(person.name) != name:
                continue
            checked_person(person.name, field, InputError)  # an earlier paceline took any name
            given = _key_of(str(signed.secret), bytes.fromhex(person.salt), person.cost)
            if not hmac.compare_digest(given, bytes.fromhex(person.key)):
                break
            if right not in person.may:
                raise InputError(
                    f"{field}: {person.name!a} may not {right}; have one who may do it"
                )
            return person.name
        raise InputError(
            f"{field}: {signed.name!a} is not known, or the secret is wrong; have a known person "
            "do it, or add this one to the file of people"
        )

    @staticmethod
    def _with(people: tuple[Person, ...], person: Person) -> tuple[Person, ...]:
        for other in people:
            if person_key(other.name) == person_key(person.name):
                raise InputError(
                    f"people.name: {person.name!a} may be taken for {other.name!a}, who is known; "
                    "give another name"
                )
        return (*people, person)

    def _change(self, change: Callable[[tuple[Person, ...]], tuple[Person, ...]]) -> None:
        try:
            with alone(self._path, wait=True):
                self._write(change(self._read()))
        except OSError as error:
            raise InputError(f"{self._path}: {error.strerror}; nothing was changed") from None

    def _write(self, people: tuple[Person, ...]) -> None:
        with new_file(self._path) as draft:
            os.chmod(draft, 0o600)
            draft.write_bytes(seal(KIND, people))

    def _read(self) -> tuple[Person, ...]:
        return read_sealed(self._path, KIND, tuple[Person, ...])


def _key_of(secret: str, salt: bytes, cost: int) -> bytes:
    raw = secret.encode(errors="surrogatepass")
    return hashlib.scrypt(raw, salt=salt, n=cost, r=8, p=1, maxmem=2**28, dklen=32)
