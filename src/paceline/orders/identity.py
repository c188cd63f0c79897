"""What a name means: one form to write it, one key to compare it, one form for files.

Symbols, parent orders, policies, desks and people are told apart by these functions and by nothing
else. Three forms, from strict to loose:

* `checked` is for creating: the text must be in canonical form already (Unicode NFKC, single spaces
  inside and none outside, visible characters only), or it is refused.
* `canonical` is for naming what exists: it brings the text into that form first.
* `key` is for comparing: names with the same key may not both be created, and stopping one of them
  stops all. It ignores case and letters of other alphabets that look like Latin ones. Some
  exchanges tell "BRKb" from "BRKB"; a person who stops one in a hurry must not miss because of a
  capital.

Two people release what was thrown, so one person must not be two: `checked_person` lets through
plain letters of one alphabet only, and `person_key` compares letters and digits only.
"""

from __future__ import annotations

import re
import unicodedata
from functools import partial
from urllib.parse import unquote_to_bytes

from paceline.documents import shown
from paceline.errors import InputError, OrderError

LONGEST = 128
"""Characters of a name."""
LONGEST_FILE = 200
"""Bytes of its form for files; file systems allow 255, and an ending is added to it."""

_shown = partial(shown, plain=True)

# Printable by Python's definition, but shown as nothing (Unicode: Default_Ignorable_Code_Point).
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U0001bca0-\U0001bca3\U000e0000-\U000e0fff]"
)
# Small letters of the Cyrillic and Greek alphabets that look like Latin ones, small or capital.
_LIKE_LATIN = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0458\u0455"
    "\u04bb\u0501\u051b\u051d\u04cf\u03b1\u03b2\u03b5\u03b6\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf"
    "\u03c1\u03c4\u03c5\u03c7\u0131",
    "abekmhopctyxijs" + "hdqwlabezhikmno" + "ptyxi",
)
# Of a person's name, small and without accents. A list of what is plain, because what looks like a
# plain letter has no end: phonetic letters, small capitals, Cherokee.
_ALPHABETS = (
    frozenset(
        "abcdefghijklmnopqrstuvwxyz"
        "\u00e6\u00f0\u00f8\u00fe\u0111\u0127\u0131\u0142\u0153\u0167"  # æ ð ø þ đ ħ ı ł œ ŧ
    ),
    frozenset(map(chr, range(0x3B1, 0x3CA))),  # α to ω
    frozenset(map(chr, range(0x430, 0x460))) | {"\u0491"},  # а to џ, ґ
)
_NO_LETTERS = frozenset("0123456789 .,-'\u2019_")
# Strokes are part of a letter for Unicode, and no accents.
_LIKE_LETTERS = _LIKE_LATIN | str.maketrans(
    {
        "\u00e6": "ae", "\u0153": "oe", "\u00f8": "o", "\u00f0": "d", "\u0111": "d",
        "\u0127": "h", "\u0142": "l", "\u0167": "t", "0": "o", "1": "l",
    }
)  # fmt: skip
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")


def canonical(value: object, field: str, error: type[InputError] = OrderError) -> str:
    """`value` in canonical form. Raises `error`, naming `field`, when it can name nothing: no text,
    empty, too long, unprintable or invisible characters, or half of a surrogate pair."""
    if not isinstance(value, str):
        raise error(f"{field}: {_shown(value)} is not text; give a quoted name")
    if len(value) > 8 * LONGEST:
        raise error(f"{field}: {_shown(value)} is too long; give at most {LONGEST} characters")
    # Line breaks and tabs inside a name are refused, at its ends they are spaces.
    name = re.sub(" +", " ", unicodedata.normalize("NFKC", value).strip())
    if not name:
        raise error(f"{field}: {_shown(value)} is empty; give a name")
    if not name.isprintable() or _INVISIBLE.search(name):
        raise error(
            f"{field}: {_shown(value)} has unprintable or invisible characters; remove them"
        )
    if len(name) > LONGEST:
        raise error(f"{field}: {_shown(value)} is too long; give at most {LONGEST} characters")
    return name


def checked(value: object, field: str, error: type[InputError] = OrderError) -> str:
    """`value`, which must be in canonical form already; otherwise `error`, naming `field`."""
    name = canonical(value, field, error)
    if name == value:
        return name
    if isinstance(value, str) and value.strip() != value:
        raise error(
            f"{field}: {_shown(value)} has unprintable characters or outer spaces; remove them"
        )
    raise error(f"{field}: {_shown(value)} has another plain form; write {_shown(name)}")


def key(name: str) -> str:
    """What is compared instead of a canonical name: equal for all that a person may confuse."""
    folded = unicodedata.normalize("NFKC", name.casefold()).casefold()
    return folded.translate(_LIKE_LATIN)


def checked_person(value: object, field: str, error: type[InputError] = OrderError) -> str:
    """`checked`, for a person's name: Latin, Greek or Cyrillic letters, with accents or without,
    of one alphabet, and digits and ` . , - ' _` between them. Raises `error`, naming `field`."""
    name = checked(value, field, error)
    small = unicodedata.normalize("NFD", name.casefold())
    letters = {one for one in small if not unicodedata.combining(one)} - _NO_LETTERS
    if not letters or not any(letters <= alphabet for alphabet in _ALPHABETS):
        raise error(
            f"{field}: {_shown(name)} may be taken for another name; write it in letters of one "
            "alphabet: Latin, Greek or Cyrillic"
        )
    return name


def person_key(name: str) -> str:
    """`key` of a person's canonical name, of its letters and digits alone: neither accents nor
    what stands between letters make another person, nor do digits that look like letters."""
    bare = filter(str.isalnum, unicodedata.normalize("NFD", key(name)))
    return "".join(bare).translate(_LIKE_LETTERS)


def file_form(name: str) -> str:
    """A canonical name as the name of a file: all but `A-Z a-z 0-9 . -` as `%` and two hex digits.

    Names that differ have forms that differ, and plain symbols stay as they are. A dot or dash in
    front and a dot at the end are written in hex as well, because systems and shells read meaning
    into them.
    Raises `OrderError` when the form is too long for a file.
    """
    raw = name.encode()
    last = len(raw) - 1
    form = "".join(
        chr(byte)
        if byte in _PLAIN and not (byte in b".-" and at == 0) and not (byte == 46 and at == last)
        else f"%{byte:02X}"
        for at, byte in enumerate(raw)
    )
    if len(form) > LONGEST_FILE:
        raise OrderError(f"name: {_shown(name)} is too long for the name of a file; shorten it")
    return form


def from_file_form(form: str) -> str:
    """The name whose `file_form` is `form`; `OrderError` when it is that of no name."""
    try:
        name = checked(unquote_to_bytes(form).decode(), "file name")
        if file_form(name) == form:
            return name
    except (UnicodeError, OrderError):
        pass
    raise OrderError(f"file name: {_shown(form)} names nothing; give one that paceline wrote")
