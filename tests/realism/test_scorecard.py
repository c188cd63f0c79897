"""The scorecard: what it says of markets that are known, and that it says the same twice."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from env.market_days import on_finer_grid
from paceline.engine.market_settings import MarketSettings
from paceline.engine.regimes import Regime
from paceline.engine.simulator import simulate_day
from paceline.errors import InputError
from paceline.ingest import load
from paceline.market.tape import Tape
from paceline.realism import periods
from paceline.realism.comparison import MOST_PAIRS, Gap, compare
from paceline.realism.distribution import distribution
from paceline.realism.doubt import day_errors, with_errors
from paceline.realism.facts import FACTS, facts_of
from paceline.realism.periods import halves_of
from paceline.realism.scorecard import (
    Scorecard,
    compare_days,
    from_json,
    score,
    simulated_dates,
    to_json,
)
from paceline.realism.series import arrivals_ns, settled_part
from paceline.realism.statistics import UNITS, statistics_of

QUIET = MarketSettings(
    symbol="QUIET", limit_bid_per_s=0.5, limit_ask_per_s=0.5, market_buy_per_s=0.06,
    market_sell_per_s=0.06,
)  # fmt: skip
DAYS = ("2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08")
POISSON_FAILS = {
    "lasting volatility", "memory of signs", "arrivals in clusters", "busy ends of the day",
}  # fmt: skip


@pytest.fixture(scope="module")
def days() -> list[Tape]:
    """Four days of a quiet Poisson market."""
    return [simulate_day(QUIET, day, 11) for day in DAYS]


@pytest.fixture(scope="module")
def own(days: list[Tape]) -> Scorecard:
    """The market held against days of its own."""
    return score(QUIET, days, seed=12, markets=0, jobs=1)


def test_a_poisson_market_fails_where_it_must(own: Scorecard):
    failed = {fact.name for fact in own.facts if not fact.simulated.ok}
    assert failed >= POISSON_FAILS
    assert own.passed == len(FACTS) - len(failed) < 9


def test_a_market_against_its_own_days_is_as_far_as_they_are(own: Scorecard):
    assert own.median_l1 == pytest.approx(1.0, abs=0.15)
    assert own.median_wasserstein == pytest.approx(1.0, abs=0.25)
    for one in own.statistics:
        assert one.l1.ratio < 2.0, one.name
    for fact in own.facts:
        if not np.isnan(fact.recorded.value + fact.simulated.value):
            doubt = np.hypot(fact.recorded.std_error, fact.simulated.std_error)
            assert abs(fact.recorded.value - fact.simulated.value) < 6 * doubt, fact.name


def test_a_day_on_finer_ticks_and_lots_is_the_same_day(days: list[Tape]):
    """All distances and facts are those of days on one grid; sizes are in the finer lots."""
    mixed = [days[0], on_finer_grid(days[1], 10, 4), days[2]]
    simulated = [on_finer_grid(day, 1, 4) for day in days[1:]]
    usual = compare_days([on_finer_grid(day, 1, 4) for day in days[:3]], simulated)
    found = compare_days(mixed, simulated)
    for part in ("facts", "answers"):
        one, other = (numbers(msgspec.to_builtins(getattr(card, part))) for card in (found, usual))
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    for one, other in zip(found.statistics, usual.statistics, strict=True):
        # A return on the edge of a bin may fall on either side of it: log of 10 a by 10 b.
        assert one.l1.ratio == pytest.approx(other.l1.ratio, rel=0.02)
        assert one.wasserstein.ratio == pytest.approx(other.wasserstein.ratio, rel=1e-6)
        assert one.recorded_quantiles == pytest.approx(other.recorded_quantiles)


def numbers(tree) -> list[float]:
    """All numbers in a tree of lists and dictionaries."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        return [one for part in tree for one in numbers(part)]
    return [float(tree)] if isinstance(tree, int | float) else []


def test_what_is_made_differently_is_found(days: list[Tape]):
    """Sizes doubled: sizes and depths are far off, times between arrivals are not."""
    twice = msgspec.structs.replace(QUIET, round_lot=200)
    card = compare_days(days[:3], [simulate_day(twice, day, 12) for day in DAYS[:3]])
    by_name = {one.name: one for one in card.statistics}
    for name in ("limit_size", "market_size", "bid_depth_1"):
        assert by_name[name].l1.ratio > 5.0, name
        recorded, simulated = by_name[name].recorded_quantiles, by_name[name].simulated_quantiles
        assert simulated[2] == 2 * recorded[2], name
    for name in ("inter_arrival", "lifetime", "spread"):
        assert by_name[name].l1.ratio < 2.0, name
    assert card.median_l1 < max(one.l1.ratio for one in card.statistics)


def test_days_against_themselves_are_no_distance_apart(days: list[Tape]):
    card = compare_days(days[:2], days[:2])
    for one in card.statistics:
        assert one.pooled_l1 == one.pooled_wasserstein == one.pooled_relative == 0.0, one.name
        assert one.recorded_quantiles == one.simulated_quantiles
    for fact in card.facts:
        assert fact.recorded == fact.simulated or np.isnan(fact.recorded.value)
    for answer in card.answers:
        assert np.array_equal(answer.recorded, answer.simulated, equal_nan=True)


def test_json_there_and_back(own: Scorecard):
    text = to_json(own)
    again = from_json(text)
    assert to_json(again) == text
    assert (again.passed, again.median_l1) == (own.passed, own.median_l1)
    assert [fact.high for fact in again.facts] == [fact.high for fact in own.facts]
    said = json.loads(text)
    assert {one["name"] for one in said["statistics"]} == set(UNITS)
    assert said["settings"]["symbol"] == "QUIET"
    assert "NaN" not in text
    assert "Infinity" not in text


@pytest.mark.parametrize("text", ["", "{}", '{"version": 3}', "[1]", "{"])
def test_what_is_no_scorecard_is_refused(text: str):
    with pytest.raises(InputError, match="scorecard: is none"):
        from_json(text)


def test_same_seed_same_card(days: list[Tape]):
    short = days[:2]
    first, again = (to_json(score(QUIET, short, seed=5, days=2, markets=0)) for _ in range(2))
    assert first == again
    assert to_json(score(QUIET, short, seed=6, days=2, markets=0)) != first


def test_simulated_days_are_the_recorded_ones_and_the_weekdays_after():
    friday = ["2026-01-02", "2025-12-31"]
    assert simulated_dates(friday, 1) == ["2025-12-31"]
    assert simulated_dates(friday, 4) == ["2025-12-31", "2026-01-02", "2026-01-05", "2026-01-06"]


def test_as_many_days_as_recorded_and_three_at_least(own: Scorecard, days: list[Tape]):
    assert len(own.simulated) == 4
    assert len(score(QUIET, days[:2], markets=0).simulated) == 3
    assert len({one.tape_id for one in own.recorded + own.simulated}) == 8, "all differ"


# --- one day ----------------------------------------------------------------------------------


def test_a_single_day_is_measured_by_its_halves(days: list[Tape]):
    card = score(QUIET, days[:1], days=2, markets=0)
    assert card.unit == "half day"
    assert (len(card.recorded), len(card.simulated)) == (2, 4)
    assert card.median_l1 == pytest.approx(1.0, abs=0.35)


def test_halves_are_the_day(days: list[Tape]):
    """Nothing is lost but what spans the middle."""
    whole, halves = days[0], halves_of(days[0])
    parts = [settled_part(one) for one in [whole, *halves]]
    assert parts[1].start_ns == parts[0].start_ns
    assert parts[1].stop <= parts[2].first + 1
    assert abs(parts[2].first - parts[1].stop) <= 3, "the second waits for a usual spread"
    assert parts[2].stop == parts[0].stop
    lengths = [part.end_ns - part.start_ns for part in parts]
    assert lengths[1] == pytest.approx(lengths[0] / 2, rel=0.01)
    assert sum(len(arrivals_ns(one)) for one in halves) == pytest.approx(
        len(arrivals_ns(whole)), abs=4
    )
    spread = [statistics_of(one)["spread"] for one in [whole, *halves]]
    assert spread[1].weights.sum() + spread[2].weights.sum() == pytest.approx(
        spread[0].weights.sum(), rel=0.01
    )


# --- what is refused ----------------------------------------------------------------------------


def levels_only(tape: Tape) -> Tape:
    manifest = msgspec.structs.replace(tape.manifest, depth="L2")
    return Tape(manifest, tape.events, tape.level_ticks, tape.images)


def of_another(tape: Tape) -> Tape:
    instrument = msgspec.structs.replace(tape.instrument, symbol="OTHER")
    manifest = msgspec.structs.replace(tape.manifest, instrument=instrument)
    return Tape(manifest, tape.events, tape.level_ticks, tape.images)


def cut(tape: Tape, minutes: float) -> Tape:
    session = msgspec.structs.replace(
        tape.session, close_ns=tape.session.open_ns + round(minutes * 60e9)
    )
    manifest = msgspec.structs.replace(tape.manifest, session=session)
    return Tape(manifest, tape.events, tape.level_ticks, tape.images)


def test_tapes_that_cannot_be_scored_are_refused(days: list[Tape]):
    one, two = days[:2]
    for tapes, said in (
        ([], "tape: none given; give at least one recorded day"),
        ([one, levels_only(two)], "shows levels, not orders; give L3 tapes"),
        ([one, of_another(two)], "OTHER-2026-01-06 .*|QUIET-2026-01-06 is not of QUIET"),
        ([one, two, one], "QUIET-2026-01-05 is given twice"),
        ([one, cut(two, 10.0)], "10.0 minutes of settled market, at least 15 are needed"),
        ([cut(one, 25.0)], "too few for two halves of 15; give a second day"),
    ):
        with pytest.raises(InputError, match=said):
            periods.check(tapes)
    periods.check([cut(one, 40.0)])
    with pytest.raises(InputError, match="days: 0 is too few"):
        score(QUIET, days, days=0)
    with pytest.raises(InputError, match="seed: -1"):
        score(QUIET, days[:2], seed=-1, markets=0)


# --- comparisons --------------------------------------------------------------------------------

SAMPLES = st.lists(
    st.lists(st.integers(0, 60).map(float), min_size=1, max_size=30), min_size=2, max_size=4
)


@given(SAMPLES, SAMPLES, st.sampled_from(["spread", "limit_size", "placement", "return_10s"]))
def test_shares_of_a_shape_are_shares(ours: list, theirs: list, name: str):
    parts = [[distribution(one) for one in those] for those in (ours, theirs)]
    found = compare(name, UNITS[name], *parts)
    shape = found.shape
    assert shape is not None
    low, high = np.array(shape.low), np.array(shape.high)
    assert np.all(low <= high)
    assert np.all(np.diff(shape.edges) > 0)
    for values in (shape.recorded, shape.simulated):
        share = np.array(values)
        assert np.all((share >= 0.0) & (share <= 1.0 + 1e-9))
        if shape.scale == "tail":
            assert len(share) == len(shape.edges)
            assert np.all(np.diff(share) <= 1e-12)
        else:
            assert len(share) == len(shape.edges) - 1
            assert share.sum() == pytest.approx(1.0)
    assert np.all(np.array(shape.recorded) <= high + 1e-9), "pooled days lie within their range"
    assert np.all(np.array(shape.recorded) >= low - 1e-9)
    assert 0.0 <= found.l1.distance <= 1.0


def test_a_ratio_by_hand():
    """Recorded periods 0 and 2, a simulated one 5: distances 5 and 3, yardstick 2."""
    ours = [distribution([0.0]), distribution([2.0])]
    found = compare("spread", "ticks", ours, [distribution([5.0])])
    assert (found.wasserstein.distance, found.wasserstein.yardstick) == (4.0, 2.0)
    assert found.wasserstein.ratio == 2.0
    assert found.pooled_wasserstein == 4.0
    assert (found.l1.distance, found.l1.yardstick) == (1.0, 1.0)


def test_ratios_where_there_is_nothing_to_divide_by():
    assert Gap(distance=0.0, yardstick=0.0).ratio == 0.0
    assert Gap(distance=1.0, yardstick=0.0).ratio == float("inf")
    assert np.isnan(Gap(distance=float("nan"), yardstick=1.0).ratio)
    nothing = compare("lifetime", "s", [distribution([])] * 2, [distribution([1.0])])
    assert nothing.shape is None
    assert np.isnan(nothing.l1.ratio)


def test_of_many_pairs_so_many_are_drawn_and_the_same_ones():
    dice = np.random.default_rng(1)
    ours = [distribution(dice.normal(k % 3, 1.0, 40)) for k in range(40)]
    assert len(ours) * (len(ours) - 1) // 2 > MOST_PAIRS
    first, again = (compare("spread", "ticks", ours, ours[:20], seed=3) for _ in range(2))
    assert first == again


# --- errors over days ---------------------------------------------------------------------------


def test_the_jackknife_of_a_mean_is_its_standard_error(days: list[Tape]):
    """The Allan factor is a mean over days, of which the jackknife knows the error exactly."""
    at = [fact.__name__ for fact in FACTS].index("arrivals_in_clusters")
    single = [facts_of([tape])[at].value for tape in days]
    expected = np.std(single, ddof=1) / np.sqrt(len(days))
    errors = day_errors(days)
    assert errors[at] == pytest.approx(expected)
    assert with_errors(facts_of(days), errors)[at].std_error == errors[at]


def test_of_two_days_there_is_no_error_over_days(days: list[Tape]):
    errors = day_errors(days[:2])
    assert np.all(np.isnan(errors))
    found = facts_of(days[:2])
    kept = with_errors(found, errors)
    assert [fact.std_error for fact in kept] == pytest.approx(
        [fact.std_error for fact in found], nan_ok=True
    )


# --- recorded days ------------------------------------------------------------------------------


@pytest.mark.recorded
def test_recorded_days_against_one_another_and_against_poisson(recorded: Path):
    """Days of a stock against other days of it are near; a Poisson market is not, and fails."""
    paths = sorted((recorded / "lobster-2003" / "INTC").glob("*.csv.gz"))[:6]
    tapes = [load(path) for path in paths]
    same = compare_days(tapes[:3], tapes[3:])
    poisson = score(MarketSettings(), tapes[:3], markets=0)
    assert same.median_l1 < 1.6
    assert same.recorded_passed >= 9
    assert poisson.median_l1 > 2.0
    assert {fact.name for fact in poisson.facts if not fact.simulated.ok} >= POISSON_FAILS
    for earlier, later in pairwise(one.name for one in same.recorded):
        assert earlier < later


def test_a_market_that_never_trades_is_one_line():
    halted = MarketSettings(regimes=(Regime(name="a", halted=True),))
    with pytest.raises(InputError, match=r"^market: SIM shows no two sides on "):
        score(halted, [simulate_day(MarketSettings(), "2024-01-02", 1)], markets=0)
