"""Text that people write (orders, settings, mappings): files read under guard, JSON and YAML read
strictly.

    text = read_text("order.json")      # a regular file of moderate size, in UTF-8
    raw = parse_json(text)              # no key twice
    raw = parse_yaml(text)              # the same, and no tags, no alias bombs

Everything is refused with an `InputError` of one line; callers put their field in front.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from paceline.errors import InputError

MOST_BYTES = 16 << 20
"""Largest file of JSON or CSV that is read."""
MOST_YAML_BYTES = 256 << 10
"""Largest YAML; the longest that is shipped has 10 kB."""
_MOST_NODES = 10_000
"""Keys and values of a YAML, aliases counted as what they stand for. More take seconds."""
_MOST_DEPTH = 40
_MOST_DIGITS = 40
"""Digits of a number in YAML: more than any setting has, and quickly read."""


# --- files --------------------------------------------------------------------------------------


def read_bytes(path: str | Path, most: int = MOST_BYTES) -> bytes:
    """What a regular file of at most `most` bytes holds. Raises `InputError` for anything else,
    a folder, a pipe and a device included, without waiting on it."""
    if "\0" in str(path):
        raise InputError(f"{shown(str(path))}: is no name of a file; give another")
    try:
        _check_regular(path, os.stat(path).st_mode)
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(path, flags), "rb") as file:
            _check_regular(path, os.fstat(file.fileno()).st_mode)  # it may have been exchanged
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a file that can be read") from None
    if len(data) > most:
        size = f"{most >> 20} MiB" if most >= 1 << 20 else f"{most >> 10} KiB"
        raise InputError(f"{path}: has more than {size}; give a smaller file")
    return data


def read_text(path: str | Path, most: int = MOST_BYTES) -> str:
    """The text of a file, as `read_bytes` reads it. Raises `InputError` for what is not UTF-8."""
    data = read_bytes(path, most)
    for head, kind in _HEADS.items():
        if data.startswith(head):
            raise InputError(f"{path}: {kind}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = _place(data.decode("latin-1"), error.start)
        raise InputError(
            f"{path}: {at}: byte 0x{data[error.start]:02x} is not UTF-8 text (another encoding, "
            "such as Latin-1, or no text); save it as UTF-8"
        ) from None
    if "\0" in text:
        at = _place(text, text.index("\0"))
        raise InputError(f"{path}: {at}: a NUL is not text; save it as UTF-8")
    return text


_HEADS = {
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
    b"\x1f\x8b": "is compressed with gzip; unpack it first",
    b"PK\x03\x04": "is a zip archive; unpack it first",
    b"\x28\xb5\x2f\xfd": "is compressed with Zstandard; unpack it first",
}


def _check_regular(path: str | Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a folder; give a file")
    if not stat.S_ISREG(mode):
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"
        raise InputError(f"{path}: is {kind}; give a file on disk")


def _place(text: str, at: int) -> str:
    """Where the character `at` stands, from line 1 and column 1."""
    before = text[:at]
    return f"line {before.count(chr(10)) + 1}, column {at - before.rfind(chr(10))}"


# --- JSON ---------------------------------------------------------------------------------------


class Written(float):
    """A number with a fraction that remembers its text, for what has more digits than a float."""

    text: str

    def __new__(cls, text: str) -> Written:
        """The nearest float to `text`."""
        made = super().__new__(cls, text)
        made.text = text
        return made


_DECODER = msgspec.json.Decoder(float_hook=Written)
# Outside of strings, a JSON document has one colon for each member of each object.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def parse_json(data: bytes | str) -> Any:
    """What a JSON document says; numbers with a fraction are `Written`.

    Raises `InputError` for what is no JSON in UTF-8, NaN and Infinity included, for a number of
    thousands of digits, and for a key given twice at any depth.
    """
    try:
        text = data.encode() if isinstance(data, str) else data
        raw = _DECODER.decode(text)
        if _STRING.sub(b"", text).count(b":") != _members(raw):
            json.loads(text, object_pairs_hook=_refuse_duplicates)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise InputError(_json_fault(str(error), data)) from None
    except RecursionError:
        raise InputError("nested too deep; give a flat JSON document") from None
    return raw


def _json_fault(said: str, data: bytes | str) -> str:
    """The fault with its line and column, where the decoder told a byte."""
    found = re.search(r"\(byte (\d+)\)", said)
    if not found or isinstance(data, str):
        return said
    place = _place(data.decode("latin-1"), int(found[1]))
    return said.replace(found[0], f"({place})")


def _members(raw: Any) -> int:
    if isinstance(raw, dict):
        return len(raw) + sum(_members(value) for value in raw.values())
    if isinstance(raw, list):
        return sum(_members(value) for value in raw)
    return 0


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise InputError(f"{shown(key, quote=False)}: given twice; give each field once")
        seen[key] = value
    return seen


# --- YAML ---------------------------------------------------------------------------------------


def read_yaml(path: str | Path, *, words: bool = False) -> Any:
    """What a YAML file holds, see `parse_yaml`. Raises `InputError`, naming the file."""
    text = read_text(path, MOST_YAML_BYTES)
    try:
        return parse_yaml(text, words=words)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def parse_yaml(text: str, *, words: bool = False) -> Any:
    """What a YAML document says. With `words` every value is text, or None where it is empty.

    Numbers are as everybody means them: `1e-6` is one, `010` and `1:30` are none; a date is text.
    Raises `InputError`, with the line, for what is not YAML, a key given twice, a tag, a number of
    too many digits, and a document too deep or too large, aliases counted as what they stand for.
    """
    import yaml

    try:
        return yaml.load(text, Loader=_word_loader() if words else _loader())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{line}{problem}; give valid YAML") from None
    except RecursionError:
        raise InputError("nested too deep; give flat settings") from None


@cache
def _strict() -> type[Any]:
    """The loader without its numbers: what is refused in every YAML."""
    import yaml

    class Strict(yaml.SafeLoader):
        def __init__(self, stream: str) -> None:
            super().__init__(stream)
            self._nodes = self._depth = 0
            self._sizes: dict[int, int] = {}

        def compose_node(self, parent: Any, index: Any) -> Any:
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            line = f"line {event.start_mark.line + 1}"
            if getattr(event, "tag", None) not in (None, "!"):
                raise InputError(f"{line}: {event.tag!r} is a tag; give plain values")
            is_alias, before = self.check_event(yaml.AliasEvent), self._nodes
            self._depth += 1
            self._nodes += 1
            if self._depth > _MOST_DEPTH:
                raise InputError(f"{line}: nested too deep; give flat settings")
            node: Any = super().compose_node(parent, index)
            if is_alias:
                if id(node) not in self._sizes:
                    raise InputError(f"{line}: *{event.anchor} holds itself; write it out")
                self._nodes += self._sizes[id(node)]
            self._depth -= 1
            if self._nodes > _MOST_NODES:
                raise InputError(f"{line}: more than {_MOST_NODES:,} values; give fewer")
            self._sizes.setdefault(id(node), self._nodes - before)
            return node

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                line = f"line {key.start_mark.line + 1}"
                if not isinstance(key, yaml.ScalarNode):
                    raise InputError(f"{line}: a key is a group; give a name")
                if not isinstance(self.construct_object(key), str):
                    name = shown(key.value)
                    raise InputError(f"{line}: key {name} is not a name; give one in letters")
                if key.value in seen:
                    name = shown(key.value, quote=False)
                    raise InputError(f"{line}: {name}: given twice; give each key once")
                seen.add(key.value)
            return dict(super().construct_mapping(node, deep=True))

    Strict.add_constructor("tag:yaml.org,2002:map", Strict.construct_mapping)
    return Strict


@cache
def _loader() -> type[Any]:
    import yaml

    class Loader(_strict()):  # type: ignore[misc]
        yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
            first: [(tag, pattern) for tag, pattern in kinds if tag.split(":")[-1] not in _OURS]
            for first, kinds in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    def number(loader: Any, node: Any) -> int | float:
        text = node.value.replace("_", "")
        line = f"line {node.start_mark.line + 1}"
        if len(text) > _MOST_DIGITS:
            raise InputError(f"{line}: a number of {len(text):,} characters; give a shorter one")
        if re.match(r"[-+]?0[0-9]", text):
            raise InputError(f"{line}: {text} begins with 0; write the number without it")
        if node.tag.endswith(":int"):
            return int(text, 0)
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))

    for kind, pattern in _OURS.items():
        tag = f"tag:yaml.org,2002:{kind}"
        Loader.add_constructor(tag, number)
        if pattern:
            Loader.add_implicit_resolver(tag, re.compile(pattern), list("-+.0123456789"))
    return Loader


_OURS = {
    "int": r"[-+]?(?:[0-9][0-9_]*|0x[0-9a-fA-F]+|0o[0-7]+)\Z",
    "float": r"[-+]?(?:(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
    r"|\.inf|\.Inf|\.INF)\Z|\.(?:nan|NaN|NAN)\Z",
    "timestamp": "",  # text: whoever wants a date says in which form
}
"""Numbers as YAML 1.2 has them, in place of the octal and sexagesimal ones of 1.1."""


@cache
def _word_loader() -> type[Any]:
    class Words(_strict()):  # type: ignore[misc]
        yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            if node.id != "scalar":
                return super().construct_object(node, deep)
            is_empty = node.style is None and node.value in ("", "~", "null")
            return None if is_empty else node.value

    return Words


# --- words --------------------------------------------------------------------------------------

SYNONYMS = {
    "quantity": "qty", "size": "qty", "amount": "qty", "shares": "qty", "volume": "qty",
    "id": "order_id", "ticker": "symbol", "instrument": "symbol", "direction": "side",
    "price": "px", "limit_px": "px", "limit_price": "px", "arrival_price": "arrival_px",
    "start": "start_ts", "start_time": "start_ts", "end": "end_ts", "end_time": "end_ts",
    "limits": "constraints", "participation_cap": "participation", "pov": "participation",
    "max_child": "child_max", "price_band": "price_band_bps", "time": "ts", "timestamp": "ts",
}  # fmt: skip
"""What others call the fields of orders, and settings of the same name: suggested, never taken."""


def shown(value: object, *, quote: bool = True, plain: bool = False) -> str:
    """`value` as an error shows it: on one line, and short; `plain`: in ASCII, so that letters that
    look alike do not."""
    try:
        text = ascii(value) if plain else repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of thousands of digits"
    if not quote and isinstance(value, str):
        text = text[1:-1]
    return text if len(text) <= 60 else text[:57] + "..."


def remedy_for(
    word: object, known: Iterable[str], otherwise: str, synonyms: Mapping[str, str] | None = None
) -> str:
    """What to do about an unknown name: the one of `known` that it resembles, or which `synonyms`
    have for it; `otherwise` where there is none."""
    plain = {_plain(name): name for name in known}
    text = _plain(str(word)[:100])
    meant = (synonyms or {}).get(text)
    near = [meant] if meant in plain else get_close_matches(text, plain, n=1)
    return f"did you mean {plain[near[0]]}?" if near else otherwise


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
