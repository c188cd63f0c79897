"""Settings that are known come back from the days they make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from env.market_days import on_finer_grid
from paceline.calibrate.fit import FEWEST, Fit, fit, fit_market
from paceline.calibrate.rates import joined_bins
from paceline.calibrate.sizes import histogram, wanted
from paceline.calibrate.writing import market_yaml
from paceline.config import load_yaml
from paceline.engine.flow_settings import (
    GapReaction,
    Histogram,
    Placement,
    QueueReaction,
    Reposts,
    Sizes,
    SpreadReaction,
)
from paceline.engine.laws import CANCEL, LOOKS
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.errors import InputError
from paceline.ingest import load
from paceline.market.events import ADD, ASK, BID, DELETE, EXECUTE, HIDDEN, Rows
from paceline.market.tape import Tape
from tests.engine import flows

from .tapes import tape_of

DAYS = ("2024-01-02", "2024-01-03", "2024-01-04")
HOURS = (2.0, 1.5, 1.2, 1.0, 0.8, 0.6, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.3)
TRUTH = MarketSettings(
    symbol="TRUE",
    start_price=20.0,
    limit_bid_per_s=1.5,
    limit_ask_per_s=1.5,
    market_buy_per_s=0.9,
    market_sell_per_s=0.9,
    cancel_per_s=0.05,
    reduce_share=0.2,
    hidden_share=0.25,
    placement=Placement(
        anchor="own",
        histogram=Histogram(edges=(0, 1, 2, 6, 20), weights=(50, 20, 20, 10)),
        improve=(0.0, 0.1, 0.1, 0.1, 0.2),
        parted=(0.5,),
        parts=(3.0, 1.0),
    ),
    reposts=Reposts(share=0.3),
    limit_size=Sizes(histogram=Histogram(edges=(1, 2, 3, 5, 6), weights=(50, 20, 20, 10))),
    market_size=Sizes(histogram=Histogram(edges=(1, 2, 4), weights=(70, 30))),
    patience=(1.0, 0.8, 0.8, 0.4),
    tension=SpreadReaction(limit=(0.8, 1.0, 1.0, 1.2, 1.5), market=(1.5, 1.0, 1.0, 0.7)),
    backing=GapReaction(market=(0.5, 1.0, 1.0, 1.5)),
    walk_share=0.3,
    day=HOURS,
)


@pytest.fixture(scope="module")
def days() -> list[Tape]:
    return [simulate_day(TRUTH, day, seed=11) for day in DAYS]


@pytest.fixture(scope="module")
def found(days: list[Tape]) -> Fit:
    return fit(days, excited=())


@pytest.fixture(scope="module")
def fitted(found: Fit) -> MarketSettings:
    return found.settings


def test_the_frame_is_found(fitted):
    assert (fitted.symbol, fitted.tick, fitted.round_lot) == ("TRUE", 0.01, 100)
    assert (fitted.zone, fitted.open_s, fitted.close_s) == (TRUTH.zone, TRUTH.open_s, TRUTH.close_s)
    assert fitted.start_price == pytest.approx(20.0, rel=0.05)
    assert fitted.placement.anchor == "own"


@pytest.mark.parametrize("name", ["limit_bid_per_s", "market_buy_per_s"])
def test_rates_are_found(days, fitted, name):
    """The base and its multiples share one level: what counts is how many come."""
    again = simulate_day(fitted, DAYS[0], seed=3)
    kinds = (ADD,) if name == "limit_bid_per_s" else (EXECUTE, HIDDEN)
    came = [int(np.isin(tape.events.kind, kinds).sum()) for tape in (*days, again)]
    assert came[-1] == pytest.approx(np.mean(came[:-1]), rel=0.06)


def test_a_day_on_a_finer_tick_changes_nothing(days, fitted):
    mixed = [days[0], on_finer_grid(days[1], 10, 1), days[2]]
    assert fit_market(mixed, excited=()) == fitted


def test_both_sides_are_alike(fitted):
    assert fitted.limit_bid_per_s == fitted.limit_ask_per_s
    assert fitted.market_buy_per_s == fitted.market_sell_per_s


def test_the_hours_are_found(fitted):
    assert np.mean(fitted.day) == pytest.approx(1.0, abs=1e-3)
    np.testing.assert_allclose(fitted.day, TRUTH.day, rtol=0.04)


def test_placement_is_found(fitted):
    seen, true = fitted.placement.weights(), TRUTH.placement.weights()
    np.testing.assert_allclose(seen[: len(true)], true, atol=0.005)
    assert seen[len(true) :].sum() == 0.0


def test_improvements_are_found(fitted):
    shares = fitted.placement.improving()
    np.testing.assert_allclose(shares[[2, 3]], 0.1, atol=0.015)
    np.testing.assert_allclose(shares[4], 0.2, atol=0.02)
    assert shares[0] == 0.0
    # In a gap of three ticks and more: by one tick, or by a part of what is left of it.
    assert fitted.placement.parted[3] == pytest.approx(0.5, abs=0.05)
    parts = fitted.placement.parts
    assert sum(parts[:10]) > sum(parts[10:])


def test_orders_that_come_again_are_found(fitted):
    """And some that only look like them: in this market half of all orders are as large."""
    assert 0.3 < fitted.reposts.share < 0.4


@pytest.mark.parametrize(
    ("k", "true"),
    [(1, TRUTH.tension.table()), (2, TRUTH.backing.table()), (3, np.ones((3, LOOKS))),
     (4, np.ones((3, LOOKS)))],
)  # fmt: skip
def test_reactions_are_found(found, k, true):
    """To the spread, to the gap, and none to where the touch has been. Up to a level, which the
    base has: what is left differs from 1 by a few standard errors."""
    for what in range(3):
        if (k, what) == (2, CANCEL):
            continue  # that is patience
        seen = found.seen.buckets[k][found.seen.came == what]
        n = np.bincount(seen, minlength=true.shape[1])
        often = n > 300
        ratio = found.rates.tables[k][what][often] / true[what][often]
        score = (ratio / np.average(ratio, weights=n[often]) - 1.0) * np.sqrt(n[often])
        assert np.abs(score).max() < 4.5


def test_patience_is_found(fitted):
    patience = fitted.laws().patience[:8]
    lonely = np.array(fitted.backing.cancel[:4])
    ratio = patience[1:] / np.array((0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 0.4))
    np.testing.assert_allclose(ratio / ratio.mean(), 1.0, atol=0.08)
    assert (patience[0] * lonely).mean() / patience[1] == pytest.approx(1 / 0.8, rel=0.1)


def test_sizes_are_found(fitted):
    limit, market = fitted.limit_size.weights(), fitted.market_size.weights()
    np.testing.assert_allclose(limit, (0.5, 0.2, 0.1, 0.1, 0.1), atol=0.01)
    np.testing.assert_allclose(market[:3], (0.7, 0.15, 0.15), atol=0.04)


def test_shares_are_found(fitted):
    assert fitted.reduce_share == pytest.approx(0.2, abs=0.01)
    assert fitted.hidden_share == pytest.approx(0.25, abs=0.03)


def test_a_flow_that_does_not_look_at_queues_is_found_flat(fitted):
    table = fitted.reaction.table()
    np.testing.assert_allclose(table, 1.0, atol=0.15)
    assert np.abs(table - 1.0).mean() < 0.04


def test_signs_without_memory_have_no_metaorders(fitted):
    assert fitted.metaorders.share == 0.0


def test_a_reaction_to_queues_is_found():
    rising = tuple(np.linspace(0.5, 1.5, 17).tolist())
    reaction = QueueReaction(usual_lots=400.0, market=rising[::-1], cancel=rising)
    market = MarketSettings(
        limit_bid_per_s=2.0, limit_ask_per_s=2.0, market_buy_per_s=0.5, market_sell_per_s=0.5,
        cancel_per_s=0.05, reaction=reaction,
    )  # fmt: skip
    found = fit_market([simulate_day(market, day, seed=3) for day in DAYS], excited=())
    ours, theirs = found.reaction.table(), reaction.table()
    shift = round(2 * np.log2(found.reaction.usual_lots / 400.0))
    often = np.arange(7, 14)  # from one round lot, half of the usual queue, to six times as much
    for what in (0, 1, 2):
        there = theirs[what][np.clip(often + shift, 0, 16)]
        ratio = ours[what][often] / there
        np.testing.assert_allclose(ratio / ratio.mean(), 1.0, atol=0.1)


def test_settings_survive_a_file(fitted, tmp_path):
    path = tmp_path / "market.yaml"
    path.write_text(market_yaml(fitted, ["A market."]))
    assert load_yaml(path, MarketSettings) == fitted
    assert path.stat().st_size < 10_000


# --- parts ---------------------------------------------------------------------------------------


def test_histograms_are_small_and_keep_popular_values():
    weights = np.ones(5000)
    weights[[99, 499]] = 3000.0
    law = histogram(weights, 1)
    assert len(law.weights) <= 48
    shares = law.shares(1)
    assert len(shares) == 5000
    assert shares[99] == shares[499] == pytest.approx(3000 / 10998)
    assert shares.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(np.delete(shares, [99, 499]), 1 / 10998, rtol=1e-6)


def test_what_is_wanted_is_cleared_of_what_the_touch_shows():
    """Touches of 1 to 4, wishes of 1 to 3: the smaller of the two is taken."""
    dice = np.random.default_rng(4)
    law = np.array([0.5, 0.3, 0.2])
    wants, touch = 1 + dice.choice(3, 40_000, p=law), dice.integers(1, 5, 40_000)
    walks = dice.random(40_000) < 0.1
    taken = np.where(walks, wants, np.minimum(wants, touch))
    assert np.mean(taken == 3) < 0.15, "plain counts are short of it"
    np.testing.assert_allclose(wanted(taken, touch, 0.1), law, atol=0.015)


def test_bins_are_joined_until_they_say_something():
    assert joined_bins(np.array([5, 1, 1, 9, 2, 0, 1]), 4).tolist() == [0, 1, 1, 1, 1, 1, 1]
    assert joined_bins(np.array([5, 6, 7]), 5).tolist() == [0, 1, 2]
    assert joined_bins(np.array([1, 1]), 5).tolist() == [0, 0]


def one_level() -> Tape:
    """A bid and an offer, of which nothing is ever behind the touch."""
    steps = [(ADD, BID, 100, 0), (ADD, ASK, 105, 1)] + 150 * [
        (EXECUTE, ASK, 105, 1), (ADD, ASK, 106, 1), (DELETE, BID, 100, 0), (ADD, BID, 101, 0),
        (DELETE, ASK, 106, 1), (ADD, ASK, 105, 1), (DELETE, BID, 101, 0), (ADD, BID, 100, 0),
    ]  # fmt: skip
    kind, side, ticks, slot = (np.array(column) for column in zip(*steps, strict=True))
    ts = 10**8 * (1 + np.arange(len(steps), dtype=np.int64))
    lots = np.full(len(steps), 5)
    columns = kind.astype(np.uint8), side.astype(np.int8), ticks, lots, slot.astype(np.int32)
    return tape_of(Rows(ts, *columns), int(ts[-1]) + 10**9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda days: [], "of 0 symbols"),
        (lambda days: [one_level()], "the best level of each side and nothing behind it"),
        (
            lambda days: [tape_of(flows.market(flows.random_steps(1, 50), "L2"))],
            "names no orders; calibration needs L3 tapes",
        ),
        (
            lambda days: [tape_of(flows.market(flows.random_steps(1, 50), "L3"))],
            f"limit orders; need {FEWEST}",
        ),
        (
            lambda days: [*days, tape_of(flows.market(flows.random_steps(1, 50), "L3"))],
            "of 2 symbols",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(days, make, message):
    with pytest.raises(InputError, match=f"^tapes: .*{message}"):
        fit_market(make(days))


# --- a recorded day ------------------------------------------------------------------------------


def spread_and_volume(tape: Tape) -> tuple[float, float]:
    """Mean spread over time in currency, and lots traded, from ten minutes after the open."""
    start = tape.session.open_ns + 600 * 10**9
    ts = tape.events.ts
    during = (ts >= start) & (ts < tape.session.close_ns)
    spread = (tape.ask_ticks() - tape.bid_ticks())[during] * float(tape.instrument.book_tick)
    seconds = np.diff(ts[during], append=tape.session.close_ns) / 1e9
    volume = tape.events.volume[during]
    shown = ~np.isnan(spread)
    return float(np.average(spread[shown], weights=seconds[shown])), float(volume[-1] - volume[0])


@pytest.mark.recorded
def test_a_recorded_day_and_one_like_it(recorded: Path) -> None:
    (path,) = (recorded / "lobster-2003" / "YHOO").glob("YHOO_2003-03-03_*_message_1.csv.gz")
    tape = load(path)
    settings = fit_market([tape])
    spread, volume = spread_and_volume(tape)
    like = [spread_and_volume(simulate_day(settings, DAYS[0], seed)) for seed in range(5)]
    like_spread, like_volume = np.mean(like, axis=0)
    assert 1 / 1.5 < like_volume / volume < 1.5
    assert 1 / 1.6 < like_spread / spread < 1.6
