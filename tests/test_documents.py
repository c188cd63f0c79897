"""Text that people write: what is no plain file, no plain text or no plain document is refused in
one line, and soon."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.config import load_yaml
from paceline.documents import parse_json, parse_yaml, read_text, read_yaml, remedy_for
from paceline.engine.market_settings import MarketSettings
from paceline.engine.shipped import load_market
from paceline.errors import ConfigError, InputError
from paceline.evaluate.settings import BacktestSettings
from paceline.ingest.mapping import mapping_from
from paceline.learn.shipped import load_recipe
from paceline.stress.scenario import load_scenario

READERS = {
    "settings": lambda path: load_yaml(path, BacktestSettings),
    "market": load_market,
    "recipe": load_recipe,
    "scenario": load_scenario,
    "mapping": mapping_from,
}
"""Every kind of YAML that users write."""
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)
)
BAD = {
    "twice": (b"name: a\nname: b\n", "line 2: name: given twice; give each key once"),
    "twice, nested": (b"x: {k: 1, k: 2}\n", "line 1: k: given twice"),
    "Latin-1": ("name: caf\u00e9\n".encode("latin-1"), "line 1, column 10: byte 0xe9 is not UTF-8"),
    "UTF-16": ("name: a\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
    "NUL": (b"name: a\0b\n", "line 1, column 8: a NUL is not text"),
    "gzip": (b"\x1f\x8b\x08\0" + b"\0" * 50, "is compressed with gzip; unpack it first"),
    "bomb": (BOMB.encode(), "line 5: more than 10,000 values"),
    "own alias": (b"a: &a [*a]\n", "line 1: *a holds itself"),
    "deep": (b"[" * 100_000, "line 1: nested too deep"),
    "deep, by lines": (b"".join(b" " * i + b"a:\n" for i in range(200)), "nested too deep"),
    "many values": (b"- a\n" * 60_000, "line 10000: more than 10,000 values"),
    "a tag": (b"a: !!python/object:os.system {}\n", "is a tag; give plain values"),
    "not YAML": (b"a: [1\n", "give valid YAML"),
}


def refused(reader: Any, path: Path) -> str:
    began = time.process_time()
    with pytest.raises(ConfigError) as error:
        reader(path)
    assert time.process_time() - began < 5.0
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 500 + len(str(path))
    return message


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize(("content", "says"), BAD.values(), ids=BAD)
def test_a_file_that_is_no_plain_document_is_refused(
    tmp_path: Path, reader: Any, content: bytes, says: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    assert says in refused(reader, path)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, reader: Any) -> None:
    path = tmp_path / "mine.yaml"
    assert "No such file or directory; give a file that can be read" in refused(reader, path)
    path.mkdir()
    assert "is a folder; give a file" in refused(reader, path)
    path.rmdir()
    os.mkfifo(path)
    assert "is a pipe; give a file on disk" in refused(reader, path)
    path.unlink()
    path.symlink_to("/dev/zero")
    assert "is a device or socket" in refused(reader, path)
    path.unlink()
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    assert "has more than 256 KiB" in refused(reader, path)


def test_a_pipe_that_somebody_writes_is_no_file_either(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK)))
    writer.start()
    writer.join()
    with pytest.raises(InputError, match="is a pipe"):
        read_text(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12), ("-3", -3), ("+2", 2), ("1_000", 1000), ("0x1F", 31), ("0", 0), ("0.5", 0.5),
        (".5", 0.5), ("1e-6", 1e-6), ("5.0e-4", 5e-4), ("2.", 2.0), ("1:30", "1:30"),
        ("09:30", "09:30"), ("2024-01-02", "2024-01-02"), ("2024-01-02T10:00:00Z",) * 2,
        ("'5'", "5"), ("true", True), ("yes", True), ("~", None), ("", None), ("a b", "a b"),
        ("-", InputError), ("010", InputError), ("9" * 5000, InputError), ("-0o7", -7),
    ],
)  # fmt: skip
def test_values_are_what_everybody_means(text: str, value: Any) -> None:
    """No octal 010, no sexagesimal 1:30, no dates where text is wanted."""
    if value is InputError:
        with pytest.raises(InputError, match="line 1: "):
            parse_yaml(f"a: {text}")
    else:
        assert parse_yaml(f"a: {text}") == {"a": value}


def test_in_words_every_value_is_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: -1\nb: no\n1: 010\nc:\nd: '~'\n")
    assert read_yaml(path, words=True) == {"a": "-1", "b": "no", "1": "010", "c": None, "d": "~"}


def test_an_alias_is_read_as_what_it_stands_for() -> None:
    assert parse_yaml("a: &x {b: 1}\nc: *x") == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1, "a": 2}', "a: given twice"),
        ('{"x": [{"b": 1, "b": ":"}]}', "b: given twice"),
        ('{"\\u0061": 1, "a": 1}', "a: given twice"),
        ('{"a": Infinity}', "malformed"),
        ('{"a": 1} x', "trailing characters"),
        ("[" * 100_000, "nested too deep"),
        ('"\ud800"', "surrogates not allowed"),
    ],
)
def test_json_is_strict(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_json(text)


def test_json_says_where() -> None:
    with pytest.raises(InputError, match=r"trailing comma in object \(line 3, column 1\)"):
        parse_json(b'{"a": 1,\n "b": 2,\n}')


def test_a_fraction_keeps_its_digits() -> None:
    (number,) = parse_json("[0.12345678901234567890]")
    assert number == 0.12345678901234567890
    assert number.text == "0.12345678901234567890"


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
def test_any_text_is_a_document_or_refused_in_one_line(text: str) -> None:
    for parse in (parse_yaml, lambda text: parse_yaml(text, words=True), parse_json):
        try:
            parse(text)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017


PIECES = st.sampled_from(
    ["a", "b: ", "- ", "? ", "[", "]", "{", "}", ",", "&x ", "*x", "!t ", "|\n", ">\n", "\n", "  ",
     "<<: ", "'", '"', "%", "---\n", "...\n", "#", "0", "1", ".", "e", ":", "~", "=", "\t"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=60).map("".join))
def test_any_pieces_of_yaml_are_a_document_or_refused(text: str) -> None:
    for words in (False, True):
        try:
            parse_yaml(text, words=words)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_shipped_markets_are_far_below_the_limits() -> None:
    assert isinstance(load_market("yhoo-2003"), MarketSettings)


def test_a_name_that_resembles_another_is_suggested() -> None:
    known = ("price_band_bps", "child_max", "qty")
    assert remedy_for("price-band-bp", known, "x") == "did you mean price_band_bps?"
    assert remedy_for("CHILD_MAX", known, "x") == "did you mean child_max?"
    assert remedy_for("zzz", known, "none") == "none"
    assert remedy_for("quantity", known, "x", {"quantity": "qty"}) == "did you mean qty?"
    assert remedy_for("quantity", ("a",), "x", {"quantity": "qty"}) == "x"
