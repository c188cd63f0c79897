"""Markets that are shipped: they load, are small, hold together, and behave like markets."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from engine.test_flow import many_events
from paceline.calibrate.writing import market_yaml
from paceline.engine import shipped
from paceline.engine.market_settings import MarketSettings
from paceline.engine.shipped import load_market, shipped_markets
from paceline.engine.simulator import Simulator, simulate_day
from paceline.errors import ConfigError
from paceline.realism.facts import facts_of
from paceline.realism.series import returns

FILES = sorted((Path(shipped.__file__).parent / "shipped_markets").glob("*.yaml"))


def test_there_are_some():
    assert {"yhoo-2003", "amzn-2012"} <= set(shipped_markets())
    assert [path.stem for path in FILES] == list(shipped_markets())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_are_small_and_say_what_they_are(path):
    text = path.read_text(encoding="utf-8")
    assert len(text) < 10_500
    head = text.split("\n\n")[0]
    assert re.search(r"\d{4}-\d\d-\d\d", head), "the days it was fitted to"
    assert "no recorded data" in head
    assert not re.search(r"(^|\s)/\w+/", text), "no path of anybody's machine"


@pytest.mark.parametrize("name", shipped_markets())
def test_an_hour_passes_without_trouble(name):
    settings = load_market(name)
    simulator = Simulator(settings, "2024-01-02", seed=3)
    rows = simulator.advance(simulator.session.open_ns + 3600 * 10**9)
    assert len(rows.ts) > 500
    book = simulator.market.book
    assert book.best[0] < book.best[1]
    assert (book.slots["lots"] >= 0).all()


def test_a_shipped_market_behaves_like_one():
    """Most of eleven facts on a few days; `benchmarks.realism` tells how many on recorded terms."""
    market = load_market("yhoo-2003")
    days = [simulate_day(market, f"2024-01-{day:02d}", 1) for day in (8, 9, 10, 11, 12, 16)]
    facts = facts_of(days)
    assert sum(fact.ok for fact in facts) >= 8, [fact.name for fact in facts if not fact.ok]


@many_events
@pytest.mark.parametrize("name", shipped_markets())
def test_a_day_goes_as_far_as_its_half_hours_let_expect(name):
    """Else something in the book grows all day and carries the price away."""
    days = [simulate_day(load_market(name), f"2024-01-{day:02d}", 1) for day in range(1, 25)]
    half_hours = [returns(day, 1800.0) for day in days]
    moved = np.array([np.nansum(day) for day in half_hours])
    steps = np.array([np.nansum(day**2) for day in half_hours])
    assert np.mean(moved**2) / np.mean(steps) < 2.0  # 1 for independent ones; +- 0.3


def test_a_name_that_is_not_known_is_one_line_that_lists_them(tmp_path):
    with pytest.raises(ConfigError, match=r"^market: 'yahoo' is neither .* one of .*yhoo-2003"):
        load_market("yahoo")
    with pytest.raises(ConfigError, match="give a file that can be read"):
        load_market(tmp_path / "none.yaml")


def test_a_file_is_read_by_its_path(tmp_path):
    path = tmp_path / "mine.yaml"
    settings = MarketSettings(day=(1.0, 0.5), market_day=(2.0, 0.1 + 0.2))
    path.write_text(market_yaml(settings, ["Mine.", ""]))
    assert load_market(path) == load_market(str(path)) == settings
    assert np.all([len(line) <= 100 for line in path.read_text().splitlines()])
