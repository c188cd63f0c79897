"""A mistake in an option or a mapping is one line: the field, the value and the remedy."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paceline.cli import main
from paceline.errors import IngestError
from paceline.ingest import load
from paceline.ingest.excerpts import excerpt
from paceline.ingest.mapping import mapping_from

ORDERS = """time,action,side,price,size,order
2024-03-04T14:30:00.000Z,A,B,10.00,300,1
2024-03-04T14:30:00.100Z,A,S,10.02,200,2
2024-03-04T14:30:01.000Z,A,B,9.99,500,3
2024-03-04T14:30:02.000Z,E,S,10.02,100,2
"""
MAPPING = {
    "time": "time", "time_unit": "iso", "kind": "action", "kinds": "{A: add, E: execute}",
    "side": "side", "sides": "{B: bid, S: ask}", "price": "price", "size": "size",
    "order": "order",
}  # fmt: skip
KINDS = "add, reduce, delete, execute, modify, hidden, seed, cross, halt, quote, resume, clear"
Refuse = Callable[..., str]


@pytest.fixture
def refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refuse:
    """What `paceline ingest ABC.csv --mapping m.yaml WORDS` says when it refuses."""

    def call(*words: str, mapping: str | None = None, table: str = ORDERS) -> str:
        monkeypatch.chdir(tmp_path)
        Path("ABC.csv").write_text(table)
        given = "".join(f"{field}: {value}\n" for field, value in MAPPING.items())
        Path("m.yaml").write_text(given if mapping is None else mapping)
        status = main(["ingest", "ABC.csv", "-o", "out", "--mapping", "m.yaml", *words])
        out, err = capsys.readouterr()
        assert (status, out, err.count("\n")) == (2, "", 1), (out, err)
        assert not Path("out").exists()
        return err.removeprefix("paceline ingest: ").strip()

    return call


@pytest.mark.parametrize(("words", "line"), [
    ("--book-tick abc", "book_tick: 'abc' is not a number; give a step such as 0.01"),
    ("--book-tick 0", "book_tick: 0 is not positive; give a step such as 0.01"),
    ("--book-tick nan", "book_tick: nan is not positive; give a step such as 0.01"),
    ("--book-tick 1e30", "book_tick: 1e30 is out of range; give a step such as 0.01"),
    ("--book-tick 1e-20", "book_tick: 1e-20 is out of range; give a step such as 0.01"),
    ("--order-tick 0", "order_tick: 0 is not positive; give a step such as 0.01"),
    ("--order-tick x", "order_tick: 'x' is not a number; give a step such as 0.01"),
    ("--order-tick 0.015", "instrument.order_tick: 0.015 is not a multiple of book_tick 0.01"),
    ("--lot -1", "lot: -1 is not positive; give a step such as 1 or 0.001"),
    ("--lot many", "lot: 'many' is not a number; give a step such as 1 or 0.001"),
    ("--session nonsense",
     "session: 'nonsense' is not HH:MM-HH:MM; write it as in 09:30-16:00, or "
     "09:30-11:30,13:00-15:00 with a break"),
    ("--session 9:30-16",
     "session: '9:30-16' is not HH:MM-HH:MM; write it as in 09:30-16:00, or "
     "09:30-11:30,13:00-15:00 with a break"),
    ("--session 09:30-13:00,12:00-15:00",
     "session: '09:30-13:00,12:00-15:00' takes longer than a day; write its phases in order, "
     "without overlap"),
    ("--session 09:30-09:30",
     "session: '09:30-09:30' holds a phase or a break without length; leave it out"),
    ("--session 09:30-24:01",
     "session: '09:30-24:01' is not HH:MM-HH:MM; write it as in 09:30-16:00, or "
     "09:30-11:30,13:00-15:00 with a break"),
    ("--zone Mars/City",
     "zone: 'Mars/City' is not an IANA time zone; write one such as America/New_York or UTC"),
    ("--zone Asia",
     "zone: 'Asia' is not an IANA time zone; write one such as America/New_York or UTC"),
    ("--day 2024-13-01", "day: '2024-13-01' is not a date; write YYYY-MM-DD"),
    ("--day 3024-03-04", "day: '3024-03-04' is not between 1970 and 2261; write another"),
    ("--day 2024-05-04", "day: 2024-05-04 is not when ABC was recorded; its rows begin on "
     "2024-03-04 and end on 2024-03-04, give that or leave it out"),
    ("--format lobster", "mapping: format lobster takes none; leave it out, or the format"),
    ("--mapping none.yaml",
     "mapping: none.yaml: No such file or directory; give a file that can be read"),
])  # fmt: skip
def test_options(refuse: Refuse, words: str, line: str) -> None:
    assert refuse(*words.split()) == line


@pytest.mark.parametrize(("field", "value", "line"), [
    ("tiem", "ts", "mapping.tiem: unknown field; did you mean time?"),
    ("colour", "red", "mapping.colour: unknown field; known are time, time_unit, time_since, "
     "zone, kind, kinds, default_kind, side, sides, trade_side, price, price_unit, size, "
     "size_unit, order, symbol, symbol_column, delimiter, currency, book_tick, order_tick, lot, "
     "round_sizes"),
    ("time", None, "mapping.time: missing; name the column"),
    ("size", "", "mapping.size: missing; name the column"),
    ("kind", None, "mapping.kind: missing; name a column, or give a default_kind"),
    ("price", "px", "mapping.price: ABC.csv has no column 'px'; "
     "did you mean price? it has time, action, side, price, size, order"),
    ("price", "7", "mapping.price: ABC.csv has no column '7'; "
     "it has time, action, side, price, size, order"),
    ("price", "[a]", "mapping.price: ['a'] does not fit; give one word or name, as text"),
    ("delimiter", "';'", "mapping.time: ABC.csv has no column 'time'; "
     "it has time,action,side,price,size,order; is mapping.delimiter ','?"),
    ("delimiter", "\\t", "mapping.delimiter: '\\\\t' is not one ASCII character; write it in "
     'double quotes, such as ";" or "\\t"'),
    ("time_unit", "weeks",
     "mapping.time_unit: 'weeks' does not fit; use one of ns, us, ms, s, iso"),
    ("time_unit", "s", "mapping.time_unit: no row of ABC.csv has a time in s "
     "(the first is '2024-03-04T14:30:00.000Z'); write iso, for 2024-03-04"),
    ("time_since", "noon", "mapping.time_since: 'noon' does not fit; use one of epoch, midnight"),
    ("trade_side", "both",
     "mapping.trade_side: 'both' does not fit; use one of resting, aggressor"),
    ("zone", "Mars/City", "mapping.zone: 'Mars/City' is not an IANA time zone; "
     "write one such as America/New_York or UTC"),
    ("kinds", "{A: fly}", f"mapping.kinds: 'A' is 'fly'; use one of {KINDS}, ignore"),
    ("kinds", "{A: level}", "mapping.kinds: 'A' is 'level'; that is for files without order ids: "
     f"leave out mapping.order, or use one of {KINDS}, ignore"),
    ("order", None, "mapping.kinds: 'A' is 'add'; that needs the order ids: name their column in "
     "mapping.order, or use one of level, trade, cross, halt, quote, resume, clear, ignore"),
    ("kinds", "[A]", "mapping.kinds: ['A'] is not a table; write {VALUE: meaning, …}"),
    ("default_kind", "fly", f"mapping.default_kind: 'fly'; use one of {KINDS}, ignore"),
    ("sides", "{B: up}", "mapping.sides: 'B' is 'up'; use one of bid, ask, none"),
    ("price_unit", "cent",
     "mapping.price_unit: 'cent' is not a number; give a step such as 0.01"),
    ("size_unit", "-1", "mapping.size_unit: -1 is not positive; give a step such as 0.01"),
])  # fmt: skip
def test_fields_of_a_mapping(refuse: Refuse, field: str, value: str | None, line: str) -> None:
    fields = {name: told for name, told in MAPPING.items() if name != field}
    if value is not None:
        fields[field] = value
    mapping = "".join(f"{name}: {told}\n" for name, told in fields.items())
    assert refuse(mapping=mapping) == line


@pytest.mark.parametrize(("text", "line"), [
    ("", "mapping.time: missing; name the column"),
    ("- time\n", "mapping: ['time'] is no mapping; write `field: value` lines"),
    ("time: a\nsize: b\ntime: c\n",
     "mapping: m.yaml: line 3: time: given twice; give each key once"),
    ("time: [a\nkind: b\n",
     "mapping: m.yaml: line 2: expected ',' or ']', but got ':'; give valid YAML"),
    ("[" * 5000, "mapping: m.yaml: line 1: nested too deep; give flat settings"),
])  # fmt: skip
def test_files_that_are_no_mapping(refuse: Refuse, text: str, line: str) -> None:
    assert refuse(mapping=text) == line


@pytest.mark.parametrize(("unit", "first", "line"), [
    ("ns", "1709562600",
     "in ns, the times of ABC.csv are of 1970-01-01; write s, for 2024-03-04"),
    ("ns", "1709562600123",
     "in ns, the times of ABC.csv are of 1970-01-01; write ms, for 2024-03-04"),
    ("us", "1709562600123",
     "in us, the times of ABC.csv are of 1970-01-20; write ms, for 2024-03-04"),
    ("ms", "1709562600.5",
     "in ms, the times of ABC.csv are of 1970-01-20; write s, for 2024-03-04"),
    ("s", "1709562600123", "no row of ABC.csv has a time in s (the first is '1709562600123'); "
     "write ms, for 2024-03-04"),
])  # fmt: skip
def test_times_in_another_unit(refuse: Refuse, unit: str, first: str, line: str) -> None:
    mapping = f"time: t\ntime_unit: {unit}\ndefault_kind: trade\nprice: p\nsize: q\n"
    said = refuse(mapping=mapping, table=f"t,p,q\n{first},10,1\n")
    assert said == f"mapping.time_unit: {line}"


def orders(price: str = "{}", size: int = 300, taken: int = 100) -> str:
    """Ten orders, and two executions of each; `price` is how a price is written."""
    rows = ["time,action,side,price,size,order"]
    for k in range(10):
        told = price.format(f"{10 + k / 100:.2f}")
        rows.append(f"2024-03-04T14:30:{k:02}.000Z,A,B,{told},{size},{k}")
    for k in range(20):
        told = price.format(f"{10 + k // 2 / 100:.2f}")
        rows.append(f"2024-03-04T14:31:{k:02}.000Z,E,B,{told},{taken},{k // 2}")
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("price", ["${}", '"1,{}"', "{} USD"])
def test_the_cause_is_named_and_not_what_follows_from_it(refuse: Refuse, price: str) -> None:
    """Orders that cannot be read are missing to twice as many executions."""
    row = f"2024-03-04T14:30:00.000Z,A,B,{price.format('10.00')},300,0"
    assert refuse("--symbol", "ABC", table=orders(price)) == (
        "file: ABC 2024-03-04 is refused, 30 of 30 rows are bad (limits.max_bad_share 0.05); the "
        "first cause is that a row cannot be read as a row of this format (10 rows), first line 2: "
        f"{row!r}; because of it, another row names an order that was never added; are its "
        "time and its numbers readable? Write numbers as plain decimals such as 1234.5"
    )


def test_few_rows_that_cannot_be_read_are_not_the_cause(refuse: Refuse) -> None:
    table = orders().replace(",A,B,10.00,", ",A,B,$10.00,").splitlines()
    assert "most often a row executes an order that was never added" in refuse(
        table="\n".join([*table[:3], *table[11:]]) + "\n"
    )


def test_a_lot_that_sizes_are_no_multiples_of(refuse: Refuse) -> None:
    remedy = "; give a lot that all sizes are multiples of, leave it out, or add --round-sizes"
    assert refuse("--lot", "700", table=orders()).endswith(remedy)
    assert "--round-sizes" not in refuse(table=orders(size=0))


@pytest.mark.parametrize(("text", "told"), [
    ("x" * 200, "x" * 200), ("x" * 201, "x" * 200 + "…"), ("ä" * 200, "ä" * 200),
    ("😀" * 300, "😀" * 200 + "…"), ("", ""),
])  # fmt: skip
def test_what_is_cut_is_marked(text: str, told: str) -> None:
    assert excerpt(text) == excerpt(text.encode()) == excerpt(told) == told


def test_a_long_row_is_quoted_with_a_mark_where_it_is_cut(tmp_path: Path) -> None:
    """The same in every format, and once only."""
    long = "7" * 300
    table = tmp_path / "ABC.csv"
    table.write_text(f"t,p,q,s\n1709562600,x,{long},B\n")
    mapping = {"time": "t", "time_unit": "s", "default_kind": "trade", "price": "p", "size": "q"}
    lobster = tmp_path / "ABC_2024-03-04_34200000_57600000_message_1.csv"
    lobster.write_text(f"34200,1,7,100,x{long},1\n")
    capture = tmp_path / "capture.gz"
    told = {"e": "depthUpdate", "E": 1709562600000, "s": "BTCUSDT", "U": 1, "u": 1, "pu": 0}
    good = json.dumps(told | {"b": [["1", "1"]], "a": []})
    lines = [f"1709562600000000000 {good}"] + [f'1709562600000000000 {{"e": "{long}'] * 2
    capture.write_bytes(gzip.compress("\n".join(lines).encode()))
    given: list[tuple[Path, dict[str, Any]]] = [
        (table, {"mapping": mapping}), (lobster, {}), (capture, {}),
    ]  # fmt: skip
    for path, options in given:
        with pytest.raises(IngestError, match=r"7…'(; |$)") as caught:
            load(path, **options)
        assert str(caught.value).count("…") == 1


def test_rounded_sizes_that_do_not_add_up_are_named(refuse: Refuse) -> None:
    """300 and 100 are both one lot of 700, so the second execution finds no order."""
    told = refuse("--lot", "700", "--round-sizes", table=orders())
    assert "10 of 30 rows are bad" in told
    assert "most often a row executes an order that was never added, first line 13" in told
    assert (
        "; 30 sizes were rounded to lots of 700, so orders and their executions may not add up, "
        "give a finer lot; if the book began before the recording"
    ) in told


def test_words_of_a_mapping_are_text(tmp_path: Path) -> None:
    """What YAML would read as a number, a switch or a time is what it looks like."""
    path = tmp_path / "m.yaml"
    path.write_text(
        "time: 1\ntime_unit: iso\nkind: on\nkinds: {1: level, 'null': trade, no: ignore}\n"
        "sides: {1: bid, -1: ask}\nprice: 2\nprice_unit: 0.10\nsize: 3\nsymbol: NO\norder:\n"
    )
    mapping = mapping_from(path)
    assert (mapping.time, mapping.kind, mapping.price, mapping.symbol) == ("1", "on", "2", "NO")
    assert mapping.kinds == {"1": "level", "null": "trade", "no": "ignore"}
    assert mapping.sides == {"1": "bid", "-1": "ask"}
    assert str(mapping.price_unit) == "0.10"
    assert mapping.order is None


def test_a_lot_of_whole_shares_is_not_chosen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "AAA_2024-06-04_34200000_57600000_message_1.csv"
    path.write_text("34200.5,1,7,100,100000,1\n")
    assert main(["ingest", str(path), "-o", str(tmp_path / "out"), "--lot", "100"]) == 2
    assert capsys.readouterr().err == (
        "paceline ingest: lot: 100 does not fit LOBSTER files, whose sizes are whole shares or "
        "contracts; leave it out\n"
    )
