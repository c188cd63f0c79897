"""A book that is crossed for good is refused, with the row where it began and the cause."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from paceline.errors import IngestError
from paceline.ingest import load
from paceline.ingest.quality import Limits

from .plain import NAME, random_day

LOBSTER: dict[str, Any] = {
    "time": "t", "time_unit": "s", "time_since": "midnight", "zone": "America/New_York",
    "kind": "k", "kinds": {"1": "add", "2": "reduce", "3": "delete", "4": "execute", "5": "hidden"},
    "side": "d", "price": "p", "price_unit": "0.0001", "size": "q", "order": "id", "symbol": "TEST",
}  # fmt: skip
LEVELS: dict[str, Any] = {
    "time": "t", "time_unit": "s", "time_since": "midnight", "default_kind": "level", "side": "s",
    "price": "p", "size": "q", "symbol": "TEST",
}  # fmt: skip
LENIENT = Limits(max_bad_share=1.0)


def refusal(folder: Path, text: str, mapping: dict[str, Any], limits: Limits = LENIENT) -> str:
    path = folder / "table.csv"
    path.write_text(text)
    with pytest.raises(IngestError) as caught:
        load(path, mapping=mapping, day="2024-06-07", limits=limits)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def trading_day() -> str:
    """300 random messages whose book never crosses."""
    return "t,k,id,q,p,d\n" + random_day(3, 300).messages()


def test_swapped_sides_are_named(tmp_path: Path) -> None:
    told = refusal(tmp_path, trading_day(), LOBSTER | {"sides": {"1": "ask", "-1": "bid"}})
    assert "its bids stand above its offers after" in told
    assert re.search(r"first at line \d+: '342\d\d", told)
    assert "the sides are swapped, so give them the other way round (mapping.sides)" in told


def test_swapped_sides_of_levels_are_named_at_the_first_crossing_row(tmp_path: Path) -> None:
    text = "t,s,p,q\n" + "".join(
        f"{34200 + k},{side},{price},{k + 1}\n"
        for k in range(50)
        for side, price in (("S", "100.00"), ("B", "100.01"))
    )
    assert re.search(
        r"after 100 % of its instants \(limits\.max_crossed_share 0\.05\), first at \w+ \d+: "
        r"'34200,B,100\.01,1'; with bids and offers swapped, 0\.0 % of it are: the sides are "
        "swapped",
        refusal(tmp_path, text, LEVELS),
    )


def test_kinds_that_are_not_known_are_named(tmp_path: Path) -> None:
    """Without its deletes and executions the book crosses, and so it does with sides swapped."""
    kinds = {"1": "add", "2": "reduce", "5": "hidden"}
    told = refusal(tmp_path, trading_day(), LOBSTER | {"kinds": kinds})
    assert re.search(r"\d+ rows are of kinds that are not known, the first at \w+ \d+: they", told)
    assert "the sides are swapped" not in told


def test_cancels_that_are_not_there_are_missed(tmp_path: Path) -> None:
    adds = [line for line in trading_day().splitlines() if line.split(",")[1] in ("k", "1")]
    told = refusal(tmp_path, "\n".join(adds) + "\n", LOBSTER)
    assert "no row takes an order away: are cancels and executions in another file?" in told


def test_orders_that_left_the_view_are_guessed(tmp_path: Path) -> None:
    """The price wanders and levels that fell behind are never taken away."""
    text = "t,s,p,q\n" + "".join(
        f"{34200 + k},{side},{100 + step / 100 * k:.2f},5\n"
        for k in range(200)
        for side, step in (("B", 1), ("S", 1.002))
    ).replace("34200,S,100.00", "34200,S,100.01")
    told = refusal(tmp_path, text, LEVELS)
    assert "levels may have left the recorded view without a row that says so" in told


@pytest.mark.parametrize(("wrong", "cause"), [
    ("sides", "the sides are swapped, so mend the file"),
    ("kinds", "they may take orders away, so mend the file"),
])  # fmt: skip
def test_a_format_without_a_mapping_is_not_told_to_mend_it(
    tmp_path: Path, wrong: str, cause: str
) -> None:
    rows = random_day(3, 300).rows
    if wrong == "sides":
        rows = [(*row[:5], -row[5]) for row in rows]
    else:
        rows = [(row[0], row[1] if row[1] in (1, 2, 5) else 9, *row[2:]) for row in rows]
    path = tmp_path / NAME.format(part="message", levels=1)
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    with pytest.raises(IngestError) as caught:
        load(path, limits=LENIENT)
    assert str(caught.value).endswith(cause)


def whole_until(crossing: str) -> str:
    """Levels of 200 s that do not cross until the row `crossing` at 34300.5 s."""
    rows = [f"{34200 + k},{'S' if k % 2 else 'B'},{100.01 if k % 2 else 100.0},{k + 1}"
            for k in range(200)]  # fmt: skip
    return "t,s,p,q\n" + "\n".join([*rows[:101], crossing, *rows[101:]]) + "\n"


def test_a_book_that_crosses_later_is_refused_at_the_row_where_it_began(tmp_path: Path) -> None:
    """A level far above the offers comes and never leaves."""
    told = refusal(tmp_path, whole_until("34300.5,B,1000,7"), LEVELS)
    assert told == (
        "file: TEST 2024-06-07 is refused, its bids stand above its offers after 50 % of its "
        "events after the warm-up (limits.max_crossed_share 0.05), first at line 103: "
        "'34300.5,B,1000,7'; is that row wrong in its side or its price? If not, levels may have "
        "left the recorded view without a row that says so: "
        "give the feed's snapshots or its orderbook file too, or a recording that shows all levels"
    )


def test_a_book_that_crosses_for_a_while_is_accepted(tmp_path: Path) -> None:
    """The warm-up may cross, and so may two rows in a hundred after it."""
    rows = [f"{34200 + k},{'S' if k % 2 else 'B'},{100.01 if k % 2 else 100.0},{k + 1}"
            for k in range(200)]  # fmt: skip
    crossing = [f"{34300.5},B,100.05,1", f"{34300.7},B,100.05,0"]
    path = tmp_path / "table.csv"
    path.write_text("t,s,p,q\n" + "\n".join([*rows[:101], *crossing, *rows[101:]]) + "\n")
    tape = load(path, mapping=LEVELS, day="2024-06-07")
    assert tape.manifest.quality.findings["crossed_book"].count == 1
