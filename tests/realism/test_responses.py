"""Response functions: by hand, by a slow twin, and what must hold at the first lag."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.errors import InputError
from paceline.ingest import load
from paceline.market.events import ADD, ASK, BID, DELETE, EXECUTE, LEVEL, NO_SLOT
from paceline.market.tape import Tape
from paceline.realism.responses import KINDS, responses, touch_events

from .test_statistics import tape_of

STAYS, MOVES = slice(0, None, 2), slice(1, None, 2)


@pytest.fixture(scope="module")
def hour() -> Tape:
    return simulate_day(MarketSettings(close_s=37_800.0), "2024-01-02", seed=4)


@pytest.fixture(scope="module")
def small() -> Tape:
    """Order ticks are 5 book ticks. Bids 100 and 95, asks 110 and 115."""
    return tape_of(
        (0, ADD, BID, 95, 10, 0),
        (0, ADD, BID, 100, 20, 1),
        (0, ADD, ASK, 115, 10, 2),
        (0, ADD, ASK, 110, 30, 3),  # improves the asks: the mid falls from 107.5 to 105
        (1, ADD, BID, 90, 10, 4),  # away from the touch: no event
        (2, EXECUTE, ASK, 110, 30, 3),  # one buyer, two orders: the mid rises to 107.5
        (2, EXECUTE, ASK, 115, 5, 2),
        (3, ADD, BID, 105, 40, 5),  # rises to 110
        (4, ADD, BID, 105, 10, 6),  # stays
        (5, DELETE, BID, 105, 40, 5),  # stays
        (6, DELETE, BID, 105, 10, 6),  # falls to 107.5
        (7, DELETE, BID, 90, 10, 4),  # away
        (8, ADD, BID, 100, 1, 4),  # stays
    )


def test_events_at_the_touch_by_hand(small: Tape):
    found = touch_events(small)
    names = [KINDS[kind] for kind in found.kind]
    assert names[-7:] == [
        "limit, mid moves",
        "market, mid moves",
        "limit, mid moves",
        "limit, mid stays",
        "cancel, mid stays",
        "cancel, mid moves",
        "limit, mid stays",
    ]
    assert found.sign[-7:].tolist() == [-1, 1, 1, 1, -1, -1, 1]
    assert found.before[-7:].tolist() == [107.5, 105.0, 107.5, 110.0, 110.0, 110.0, 107.5]


def test_responses_by_hand(small: Tape):
    """The buyer's order: the mid goes from 105 to 107.5 at once and is at 110 one event later."""
    found = responses([small], (1, 2))
    assert found.value[KINDS.index("market, mid moves")].tolist() == [0.5, 1.0]
    assert found.value[KINDS.index("cancel, mid stays")].tolist() == [0.0, 0.5]
    assert found.n[KINDS.index("cancel, mid moves")].tolist() == [1, 0]
    assert np.isnan(found.value[KINDS.index("cancel, mid moves"), 1])


def test_what_moves_the_mid_moves_it_its_own_way(hour: Tape):
    """At the first lag: nothing where the mid stays, at least half a tick where it moves."""
    found = responses([hour], (1,))
    assert np.all(found.n > 0)
    assert np.all(found.value[STAYS] == 0.0)
    assert np.all(found.value[MOVES] >= 0.5)


def test_responses_are_those_of_events_taken_one_by_one(hour: Tape):
    kind, sign, before = (column.tolist() for column in touch_events(hour))
    lags = (1, 3, 50)
    found = responses([hour], lags)
    for k, lag in enumerate(lags):
        answers: list[list[float]] = [[] for _ in KINDS]
        for t in range(len(kind) - lag):
            move = sign[t] * (before[t + lag] - before[t])
            if move == move:
                answers[kind[t]].append(move)
        assert found.n[:, k].tolist() == [len(one) for one in answers]
        assert found.value[:, k] == pytest.approx([np.mean(one) for one in answers])
        errors = [np.std(one) / np.sqrt(len(one)) for one in answers]
        assert found.std_error[:, k] == pytest.approx(errors, abs=1e-9)


def test_days_are_pooled_and_never_joined(hour: Tape, small: Tape):
    one, two = responses([hour], (1, 20)), responses([hour, hour], (1, 20))
    assert np.array_equal(two.n, 2 * one.n)
    assert two.value == pytest.approx(one.value)


def test_lags_longer_than_the_day_have_no_answer(small: Tape):
    assert np.isnan(responses([small], (500,)).value).all()


def test_what_cannot_be_answered_is_refused(small: Tape):
    levels = tape_of((0, LEVEL, BID, 100, 20, NO_SLOT), (0, LEVEL, ASK, 110, 30, NO_SLOT))
    with pytest.raises(InputError, match="shows levels"):
        responses([levels])
    with pytest.raises(InputError, match="lags"):
        responses([small], (0,))


@pytest.mark.recorded
def test_recorded_market_orders_go_on_moving_the_price(recorded: Path):
    """Those that leave the mid where it is push it later (Eisler et al., 2012)."""
    path = sorted((recorded / "lobster-2003" / "INTC").glob("*.csv.gz"))[0]
    found = responses([load(path)])
    stays = found.value[KINDS.index("market, mid stays")]
    assert np.all(stays[3:10] > 3 * found.std_error[KINDS.index("market, mid stays"), 3:10])
