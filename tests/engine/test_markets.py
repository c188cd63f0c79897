"""Many markets at once are the markets they would be alone."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from paceline.engine.dice import new_dice
from paceline.engine.market_settings import MarketSettings
from paceline.engine.markets import Markets
from paceline.engine.simulator import Simulator
from paceline.errors import ExchangeError, InputError
from paceline.units import NS_PER_S

from .test_flow import EVERYTHING

DAY = "2024-01-02"
ORDINAL = 738_887  # of that day


def alone(settings: MarketSettings, i: int, seed: int) -> Simulator:
    """Market `i` on its own."""
    simulator = Simulator(settings, DAY, seed)
    simulator.market.flow.dice[:] = new_dice(seed, ORDINAL, i)
    return simulator


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("settings", [MarketSettings(close_s=34_300.0), EVERYTHING])
def test_each_market_is_as_it_would_be_alone(settings: MarketSettings) -> None:
    markets = Markets(settings, 5, DAY, seed=3)
    open_ns = markets.session.open_ns
    for seconds in (20, 35, 90):
        markets.advance(open_ns + seconds * NS_PER_S)
    state = markets.save().state
    for i in range(5):
        simulator = alone(settings, i, 3)
        simulator.advance(open_ns + 90 * NS_PER_S)
        assert same(simulator.market.flow, [column[i] for column in state.flow])
        mine, theirs = simulator.market.book, state.book
        for name in ("levels", "slots", "best"):
            assert np.array_equal(getattr(mine, name), getattr(theirs, name)[i])
    assert len(set(markets.n_events)) > 1
    bid, ask = markets.touch_ticks()
    assert np.all(~(ask <= bid))


def test_room_grows_for_all() -> None:
    settings = MarketSettings(opening_depth=0.0, close_s=34_400.0)
    small = Markets(settings, 3, DAY, seed=1)
    few = 4
    flow, book = small._all.flow, small._all.book
    small._all = small._all._replace(
        flow=flow._replace(
            slots=np.tile(np.arange(few, dtype=np.int32), (3, 1)),
            place=np.tile(np.arange(few), (3, 1)),
        ),
        book=book._replace(slots=book.slots[:, :few].copy()),
    )
    large = Markets(settings, 3, DAY, seed=1)
    for markets in (small, large):
        markets.advance(markets.session.close_ns)
    assert small._all.flow.slots.shape[1] > few
    assert np.array_equal(small.n_events, large.n_events)
    assert np.array_equal(small._all.book.levels["lots"], large._all.book.levels["lots"])


def test_saved_and_restored() -> None:
    markets = Markets(EVERYTHING, 4, DAY, seed=8)
    middle, close = markets.session.open_ns + 30 * NS_PER_S, markets.session.close_ns
    markets.advance(middle)
    saved = markets.save()
    markets.advance(close)
    first = markets.save()
    markets.restore(saved)
    markets.advance(close)
    assert same(markets.save().state.flow, first.state.flow)
    others = {
        "another number of markets": Markets(EVERYTHING, 3, DAY, seed=8),
        "another session": Markets(EVERYTHING, 4, "2024-01-03", seed=8),
        "other settings": Markets(
            msgspec.structs.replace(EVERYTHING, limit_bid_per_s=0.1), 4, DAY, seed=8
        ),
    }
    for what, other in others.items():
        before = other.save().state
        with pytest.raises(ExchangeError, match=f"^saved: has {what}; restore it into a market"):
            other.restore(saved)
        assert same(other.save().state.flow, before.flow)


def test_memory_is_bounded_and_told() -> None:
    one, many = (Markets(MarketSettings(), n, DAY, seed=0) for n in (1, 64))
    assert many.nbytes < 64 * one.nbytes
    before = many.nbytes
    many.advance(many.session.open_ns + 60 * NS_PER_S)
    assert many.nbytes == before


def test_no_such_markets() -> None:
    for n in (0, -1, True, 1.5):
        with pytest.raises(InputError, match="n: "):
            Markets(MarketSettings(), n, DAY, seed=0)
