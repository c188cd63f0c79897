"""Feeds: what was known when, and never what came later."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from paceline.decision.features import features
from paceline.decision.feeds import NOTHING_TOLD, Feed, tell_news
from paceline.decision.schema import N_FEATURES, NAMES
from paceline.decision.state import new_state
from paceline.errors import ConfigError, InputError
from tests.files.not_text import write_with_bytes

S = 1_000_000_000
T = 1_704_708_000 * S  # 2024-01-08 10:00 UTC

moments = st.lists(st.integers(0, 400), min_size=0, max_size=150)


@given(came=moments, asked=st.lists(st.integers(-5, 500), min_size=1), stale=st.integers(1, 100))
def test_the_last_row_that_had_come_and_none_later(came, asked, stale) -> None:
    feed, rows = Feed(stale_s=stale), []
    for k, at in enumerate(sorted(came)):
        rows.append((T + at * S, (k % 11) / 10, (k % 21) / 10 - 1))
        feed.push(rows[-1][0], "ACME", *rows[-1][1:])
        feed.push(rows[-1][0], "OTHER", 1.0, 1.0)
    for at in asked:
        now = T + at * S
        known = [row for row in rows if row[0] <= now]
        found = feed.at("ACME", now)
        if known and now - known[-1][0] <= stale * S:
            assert found == known[-1][1:]
        else:
            assert all(math.isnan(value) for value in found)


def test_what_comes_later_changes_nothing() -> None:
    feed = Feed()
    feed.push(T, "ACME", 0.5, -0.25)
    before = feed.at("ACME", T + S)
    feed.push(T + S + 1, "ACME", 1.0, 1.0)
    assert feed.at("ACME", T + S) == before == (0.5, -0.25)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_is_what_was_pushed(tmp_path: Path, suffix: str) -> None:
    ts = [T + 9 * S, T, T + 5 * S, T + 7 * S]  # in no order
    columns = {
        "ts": ts, "symbol": ["ACME", "ACME", "600000", "ACME"],
        "score": [0.9, 0.0, 1.0, 0.7], "sentiment": [-1.0, 0.0, 0.5, 0.1],
    }  # fmt: skip
    path = tmp_path / f"news{suffix}"
    if suffix == ".csv":
        lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values()))]  # noqa: B905
        path.write_text("\n".join(lines))
    else:
        parquet.write_table(pa.table(columns), path)
    feed = Feed.read(path, stale_s=3)
    assert feed.at("ACME", T + 8 * S) == (0.7, 0.1)
    assert feed.at("ACME", T + 9 * S) == (0.9, -1.0)
    assert feed.at("600000", T + 5 * S) == (1.0, 0.5)
    assert math.isnan(feed.at("ACME", T + 4 * S)[0]), "stale"


def test_times_with_a_zone_are_times(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_text("ts,symbol,score,sentiment\n2024-01-08 10:00:00Z,ACME,0.5,0\n")
    assert Feed.read(path).at("ACME", T) == (0.5, 0.0)
    assert math.isnan(Feed.read(path).at("ACME", T - 1)[0])
    path.write_text("ts,symbol,score,sentiment\n2024-01-08 10:00:00,ACME,0.5,0\n")
    with pytest.raises(InputError, match=r"news\.csv: ts is timestamp\[s\]; give ns since"):
        Feed.read(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ts,symbol,score\n1,A,0.5\n", "lacks sentiment; give ts, symbol, score, sentiment"),
        ("ts,symbol,score,sentiment\n1,A,2,0\n", r"row 1: score: 2\.0 is not in 0 to 1"),
        ("ts,symbol,score,sentiment\n1,A,1,0\n2,A,1,-1.5\n", r"row 2: sentiment: -1\.5 is not in"),
        ("ts,symbol,score,sentiment\n1,A,,0\n", "empty cells in score"),
        ("ts,symbol,score,sentiment\n1,A,high,0\n", "is not a number in every row"),
        ("ts,symbol,score,sentiment\n1,,1,0\n", "row 1: symbol: '' is no symbol"),
        ("", "cannot be read"),
    ],
)
def test_a_bad_file_is_refused_in_a_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"bad\.csv.*{says}"):
        Feed.read(path)


@pytest.mark.parametrize("name", ["none.csv", "none.parquet"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"^\S+{name}: No such file or directory; give a file"):
        Feed.read(tmp_path / name)
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=rf"^\S+{name}: is "):
        Feed.read(tmp_path / name)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ((None, 0.5, 0.0), "ts: None is no time"),
        ((T + 0.5, 0.5, 0.0), "is no time; give whole ns"),
        ((math.nan, 0.5, 0.0), "ts: nan is no time"),
        ((2**63, 0.5, 0.0), "is no time"),
        ((T, None, 0.0), "score: None is not in 0 to 1"),
        ((T, "0.5", 0.0), "score: '0.5' is not in 0 to 1"),
        ((T, 0.5, None), "sentiment: None is not in -1 to 1"),
        ((T, 0.5, math.nan), "sentiment: nan is not in"),
    ],
)
def test_what_is_no_number_is_not_pushed(row: tuple[Any, Any, Any], says: str) -> None:
    feed = Feed()
    with pytest.raises(InputError, match=says):
        feed.push(row[0], "ACME", *row[1:])
    assert len(feed.told("ACME").ts) == 0
    feed.push(np.int64(T), "ACME", np.float32(0.5), 0)  # type: ignore[arg-type]
    assert feed.at("ACME", T) == (0.5, 0.0)


def test_a_bad_row_is_refused_in_a_line(tmp_path: Path) -> None:
    feed = Feed()
    feed.push(T, "ACME", 0.5, 0.0)
    for row, says in (
        ((T - 1, "ACME", 0.5, 0.0), f"ts: {T - 1} is before the last row of ACME"),
        ((T, "ACME", math.nan, 0.0), "score: nan is not in 0 to 1"),
        ((T, "ACME", 0.5, 1.1), r"sentiment: 1\.1 is not in -1 to 1"),
        ((T, 5, 0.5, 0.0), "symbol: 5 is no symbol"),
    ):
        with pytest.raises(InputError, match=says):
            feed.push(*row)
    feed.push(T - 5, "OTHER", 0.5, 0.0)  # each symbol has a time of its own
    with pytest.raises(ConfigError, match="stale_s: 0"):
        Feed(stale_s=0)
    with pytest.raises(InputError, match=r"does not end in \.csv or \.parquet"):
        Feed.read(tmp_path / "news.txt")


def test_a_state_is_told_and_without_a_feed_it_is_missing() -> None:
    feed, state, out = Feed(stale_s=60), new_state(), np.zeros(N_FEATURES, np.float32)
    feed.push(T, "ACME", 0.75, 0.5)
    state.order["side"], state.order["lots"], state.order["left"] = -1, 1, 1
    state.order["end_ts"], state.context["close_ns"] = T + 100 * S, T + 100 * S
    state.order["arrival_twice_mid"] = 100
    for told, now, expected in (
        (feed.told("ACME"), T + 1, (0.75, -0.5, 0.0)),  # good for who sells
        (feed.told("ACME"), T - 1, (0.0, 0.0, 1.0)),
        (feed.told("ACME"), T + 61 * S, (0.0, 0.0, 1.0)),
        (feed.told("OTHER"), T + 1, (0.0, 0.0, 1.0)),
        (NOTHING_TOLD, T + 1, (0.0, 0.0, 1.0)),
    ):
        state.order["now_ts"] = now
        tell_news(told, feed.stale_ns, state)
        features(state, out)
        got = dict(zip(NAMES, out.tolist(), strict=True))
        assert (got["news"], got["sentiment"], got["no news"]) == expected
        assert got["no sentiment"] == got["no news"]


@pytest.mark.parametrize("word", ["ACME", "symbol"])
def test_names_and_texts_that_are_no_text_are_refused(tmp_path: Path, word: str) -> None:
    table = pa.table({"ts": [T], "symbol": ["ACME"], "score": [0.5], "sentiment": [0.0]})
    path = write_with_bytes(table, tmp_path / "news.parquet", word)
    with pytest.raises(InputError, match=r"cannot be read .*; write it anew") as caught:
        Feed.read(path)
    assert "\n" not in str(caught.value)
