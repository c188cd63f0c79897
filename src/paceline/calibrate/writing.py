"""Settings of a market as YAML that a person reads: a head, a comment on every field, long lists
wrapped, and nothing that is at its default."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from paceline.config import Row, Settings, describe
from paceline.engine.market_settings import MarketSettings

_WIDTH = 100


def market_yaml(settings: MarketSettings, head: Sequence[str]) -> str:
    """`settings` as YAML that `load_market` reads back as they are; `head` are lines of comment."""
    sentences = {row.path: row for row in describe(MarketSettings)}
    lines = [f"# {line}".rstrip() for line in head]
    return "\n".join([*lines, "", *_lines(settings, sentences, "", "")]) + "\n"


def _lines(
    settings: Settings, sentences: dict[str, Row], prefix: str, indent: str
) -> Iterator[str]:
    for field in msgspec.structs.fields(type(settings)):
        value = getattr(settings, field.name)
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        if value == default:
            continue
        path = f"{prefix}{field.name}"
        row = sentences.get(path)
        if row is not None:
            unit = f" [{row.unit}]" if row.unit else ""
            yield from _comment(f"{row.sentence}{unit}", indent)
        if isinstance(value, Settings):
            yield f"{indent}{field.name}:"
            yield from _lines(value, sentences, f"{path}.", indent + "  ")
        else:
            yield from _wrapped(f"{indent}{field.name}: ", _flow(value), indent + "  ")


def _comment(text: str, indent: str) -> Iterator[str]:
    yield from _wrapped(f"{indent}# ", text.split(" "), f"{indent}# ", glue=" ")


def _flow(value: Any) -> list[str]:
    """A value as the words of YAML in one line."""
    text = msgspec.json.encode(value).decode()
    if isinstance(value, float):
        return [_number(value)]
    if isinstance(value, tuple | list):
        return _list(value)
    return [text]


def _list(values: Sequence[Any]) -> list[str]:
    words = []
    for value in values:
        if isinstance(value, tuple | list):
            inner = _list(value)
            words += inner
        else:
            words.append(_number(value) if isinstance(value, float) else str(value))
        words[-1] += ","
    if words:
        words[-1] = words[-1].removesuffix(",")
    else:
        words = [""]
    words[0], words[-1] = f"[{words[0]}", f"{words[-1]}]" if len(words) > 1 else words[-1]
    if len(words) == 1:
        words[0] += "]"
    return words


def _number(value: float) -> str:
    """As short as it reads back the same."""
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2] if abs(value) >= 1 or value == 0 else text
    return text


def _wrapped(start: str, words: Sequence[str], indent: str, glue: str = " ") -> Iterator[str]:
    line = start.rstrip(" ") if not words else start
    first = True
    for word in words:
        if not first and len(line) + len(glue) + len(word) > _WIDTH:
            yield line
            line = indent + word
        else:
            line = line + word if first else line + glue + word
        first = False
    yield line
