"""The facts: estimators on laws that are known, each fact on series made to have it or not, and a
Poisson day that must fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.errors import InputError
from paceline.ingest import load
from paceline.market.events import ADD, ASK, BID, EXECUTE
from paceline.market.tape import Tape
from paceline.realism import facts
from paceline.realism.estimators import (
    autocorrelation,
    excess_kurtosis,
    power_law,
    tail_index,
)
from paceline.realism.series import MarketOrders, live_mid_ticks, returns
from paceline.units import NS_PER_S

from .test_statistics import tape_of

DICE = np.random.default_rng


def long_memory(n: int, exponent: float, seed: int) -> np.ndarray:
    """Fractional Gaussian noise `[n]` whose autocorrelation falls as lag^-exponent, by circulant
    embedding (Davies & Harte, 1987)."""
    h2 = 2.0 - exponent
    lag = np.arange(n + 1.0)
    rho = 0.5 * ((lag + 1) ** h2 - 2 * lag**h2 + np.abs(lag - 1) ** h2)
    power = np.fft.fft(np.concatenate([rho, rho[-2:0:-1]])).real
    dice = DICE(seed)
    noise = dice.normal(size=2 * n) + 1j * dice.normal(size=2 * n)
    return np.fft.fft(np.sqrt(np.maximum(power, 0.0) / (2 * n)) * noise)[:n].real


# --- estimators ----------------------------------------------------------------------------------


def test_autocorrelation_by_hand():
    """About a mean of 0: 1, -1, 1, -1 and 2, -2; a day's end does not meet the next day's start."""
    found = autocorrelation([np.array([1.0, -1, 1, -1]), np.array([2.0, -2])], [1, 2, 5])
    assert found.value[0] == pytest.approx((-3 - 4) / 4 / 2.0)
    assert found.value[1] == pytest.approx(1.0 / 2.0)
    assert np.isnan(found.value[2])


def test_autocorrelation_leaves_out_what_is_unknown_and_keeps_its_place():
    found = autocorrelation([np.array([1.0, -1, np.nan, -1, 1])], [1, 3])
    assert found.value.tolist() == [-1.0, -1.0]


def test_autocorrelation_of_a_moving_average():
    """x = e + e[-1]: one half at lag 1, nothing beyond; the error is what chance does."""
    noise = DICE(1).normal(size=40_001)
    found = autocorrelation([noise[1:] + noise[:-1]], [1, 2, 7])
    assert found.value[0] == pytest.approx(0.5, abs=0.02)
    assert np.all(np.abs(found.value[1:]) < 4 * np.sqrt(1.5) * found.std_error[1:])


@given(st.floats(1.2, 4.0), st.integers(0, 2**31))
def test_tail_index_of_a_pareto_law(exponent: float, seed: int):
    found = tail_index(1.0 + DICE(seed).pareto(exponent, size=20_000), 0.05)
    assert found.n == 1000
    assert abs(found.value - exponent) < 5 * found.std_error


def test_a_tail_too_short_or_of_one_value_has_no_index():
    assert np.isnan(tail_index(np.arange(1.0, 100.0), 0.05).value)
    assert np.isnan(tail_index(np.ones(1000), 0.05).value)
    assert np.isnan(tail_index(np.empty(0), 0.05).value)


def test_kurtosis_of_known_laws():
    assert excess_kurtosis(np.array([-1.0, 1.0, np.nan])) == pytest.approx(-2.0)
    assert excess_kurtosis(DICE(2).normal(size=200_000)) == pytest.approx(0.0, abs=0.06)
    assert excess_kurtosis(DICE(2).laplace(size=400_000)) == pytest.approx(3.0, abs=0.3)
    assert np.isnan(excess_kurtosis(np.ones(5)))


@given(st.floats(0.1, 3.0), st.floats(0.01, 100.0))
def test_a_power_law_is_found(exponent: float, scale: float):
    x = np.array([1.0, 3.0, 10.0, 40.0])
    assert power_law(x, scale * x**-exponent) == pytest.approx(exponent)


def test_no_power_law_through_what_is_not_positive():
    assert np.isnan(power_law(np.arange(1.0, 4.0), np.array([1.0, 0.0, 1.0])))


# --- facts on series that have them or not -------------------------------------------------------

Days = Callable[..., list]


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> Days:
    """Days that are nothing but their series: `days(returns=[...])` and the like; 10-second
    returns add up to longer ones."""

    def made(**series: list) -> list:
        count = len(next(iter(series.values())))

        def of(name: str) -> Callable:
            return lambda tape, *step: series[name][tape.at]

        def summed(tape: SimpleNamespace, step_s: float) -> np.ndarray:
            steps, day = round(step_s / 10), series["returns"][tape.at]
            return day[: len(day) // steps * steps].reshape(-1, steps).sum(axis=1)

        for name in series:
            monkeypatch.setattr(facts, name, summed if name == "returns" else of(name))
        return [SimpleNamespace(at=k) for k in range(count)]

    return made


def returns_of(law: Callable[[np.random.Generator, int], np.ndarray], n_days: int = 20) -> list:
    return [law(DICE(seed), 2340) for seed in range(n_days)]


def test_independent_normal_returns_have_neither_tails_nor_memory(days: Days):
    tapes = days(returns=returns_of(lambda dice, n: dice.normal(size=n)))
    assert facts.no_linear_memory(tapes).ok
    assert facts.no_linear_memory(tapes).value < 0.03
    assert facts.diffusive_price(tapes).value == pytest.approx(1.0, abs=0.1)
    assert facts.fat_tails(tapes).value > 5.0
    assert not facts.fat_tails(tapes).ok
    assert not facts.lasting_volatility(tapes).ok


def test_heavy_returns_have_tails_and_grow_normal(days: Days):
    """Student's t with 3 degrees of freedom each minute, nothing in between."""

    def law(dice: np.random.Generator, n: int) -> np.ndarray:
        returns = np.zeros(n)
        returns[::6] = dice.standard_t(3, size=n // 6)
        return returns

    tapes = days(returns=returns_of(law))
    found = facts.fat_tails(tapes)
    assert found.ok
    assert found.value == pytest.approx(3.0, abs=4 * found.std_error)
    assert facts.nearer_normal_with_time(tapes).ok


def test_kurtosis_that_does_not_fall_with_time_is_no_fact(days: Days):
    """The day's scale itself is drawn every 5 minutes: all horizons up to there are alike heavy."""

    def law(dice: np.random.Generator, n: int) -> np.ndarray:
        return np.repeat(dice.standard_t(5, size=n // 30), 30) * 0.1

    assert facts.nearer_normal_with_time(days(returns=returns_of(law))).value > 0.9


def test_returns_that_echo_have_linear_memory(days: Days):
    """Half of each minute comes back two minutes later."""

    def law(dice: np.random.Generator, n: int) -> np.ndarray:
        noise = dice.normal(size=n + 12)
        return noise[12:] + 0.5 * noise[:-12]

    found = facts.no_linear_memory(days(returns=returns_of(law)))
    assert not found.ok
    assert found.value == pytest.approx(0.4 / 3.0, abs=0.02)  # 0.4 at one of nine lags


def test_a_price_that_bounces_or_runs_is_not_diffusive(days: Days):
    def bounce(dice: np.random.Generator, n: int) -> np.ndarray:
        return np.diff(dice.normal(size=n + 1)) + 0.1 * dice.normal(size=n)

    def run(dice: np.random.Generator, n: int) -> np.ndarray:
        return np.repeat(dice.normal(size=n // 30), 30)

    assert facts.diffusive_price(days(returns=returns_of(bounce))).value > 2.0
    assert facts.diffusive_price(days(returns=returns_of(run))).value < 0.5


def test_volatility_with_long_memory_lasts(days: Days):
    def law(dice: np.random.Generator, n: int) -> np.ndarray:
        return np.exp(long_memory(n, 0.3, int(dice.integers(2**31)))) * dice.normal(size=n)

    assert facts.lasting_volatility(days(returns=returns_of(law))).ok


def test_volatility_of_a_minute_or_of_the_hour_of_day_does_not_last(days: Days):
    def minute(dice: np.random.Generator, n: int) -> np.ndarray:
        return np.repeat(np.exp(dice.normal(size=n // 6)), 6) * dice.normal(size=n)

    def u_shape(dice: np.random.Generator, n: int) -> np.ndarray:
        return (0.5 + np.linspace(-1, 1, n) ** 2) * dice.normal(size=n)

    assert not facts.lasting_volatility(days(returns=returns_of(minute))).ok
    assert not facts.lasting_volatility(days(returns=returns_of(u_shape))).ok


def test_the_shape_of_the_day_is_no_memory(days: Days):
    """A U on top of lasting volatility leaves its exponent where it is."""

    def law(dice: np.random.Generator, n: int) -> np.ndarray:
        return np.exp(long_memory(n, 0.3, int(dice.integers(2**31)))) * dice.normal(size=n)

    plain = returns_of(law)
    shaped = [day * (0.3 + 2.0 * np.linspace(-1, 1, len(day)) ** 2) for day in plain]
    exponent = facts.lasting_volatility(days(returns=plain)).value
    assert facts.lasting_volatility(days(returns=shaped)).value == pytest.approx(exponent, abs=0.1)


def orders(sign: np.ndarray | None = None, lots: np.ndarray | None = None) -> MarketOrders:
    n = len(sign if sign is not None else lots)
    ones = np.ones(n, np.int64)
    sign, lots = (ones if one is None else one.astype(np.int64) for one in (sign, lots))
    return MarketOrders(np.arange(n), sign, lots, np.arange(n), np.arange(n))


@pytest.mark.parametrize("exponent", [0.4, 0.6])
def test_signs_with_long_memory_are_found_with_their_exponent(days: Days, exponent: float):
    signs = [orders(np.sign(long_memory(16_384, exponent, seed))) for seed in range(6)]
    found = facts.sign_memory(days(market_orders=signs))
    assert found.ok
    assert found.value == pytest.approx(exponent, abs=0.1)


def test_signs_that_forget_are_told_apart(days: Days):
    """A coin, and one that is turned with a chance of a quarter: both are 1 in the long run."""
    coin = [orders(np.where(DICE(seed).random(8000) < 0.5, 1, -1)) for seed in range(5)]
    assert facts.sign_memory(days(market_orders=coin)).value == pytest.approx(1.0, abs=0.15)
    turned = [
        orders(np.cumprod(np.where(DICE(seed).random(8000) < 0.25, -1, 1))) for seed in range(5)
    ]
    assert not facts.sign_memory(days(market_orders=turned)).ok


def test_sizes_of_a_pareto_law_and_of_a_normal_one(days: Days):
    pareto = days(market_orders=[orders(lots=100 * (1 + DICE(3).pareto(1.5, size=20_000)))])
    assert facts.heavy_sizes(pareto).value == pytest.approx(1.5, abs=0.2)
    assert facts.heavy_sizes(pareto).ok
    normal = days(market_orders=[orders(lots=1000 + 100 * DICE(3).normal(size=20_000))])
    assert not facts.heavy_sizes(normal).ok


def test_imbalance_explains_the_price_or_not(days: Days):
    flow, noise = DICE(4).normal(size=(2, 720))
    for weight, r2 in ((0.0, 1.0), (1.0, 0.5), (30.0, 0.02)):
        mid = np.concatenate([[1000.0], 1000.0 + np.cumsum(flow + weight * noise)])
        found = facts.price_follows_imbalance(days(mids=[mid], flow_imbalance=[flow]))
        assert found.n == 12
        assert found.value == pytest.approx(r2, abs=0.06)


def test_volume_and_volatility(days: Days, monkeypatch: pytest.MonkeyPatch):
    size = DICE(5).lognormal(size=78)
    tapes = days(volumes=[size])
    monkeypatch.setattr(facts, "returns", lambda tape, step: -size)
    assert facts.volume_with_volatility(tapes).value == pytest.approx(1.0)
    monkeypatch.setattr(facts, "returns", lambda tape, step: size.mean() - size / 9)
    assert not facts.volume_with_volatility(tapes).ok


@pytest.mark.parametrize("size", [1, 3, 5])
def test_clusters_of_k_at_once_have_an_allan_factor_of_k(days: Days, size: int):
    length = 20_000
    at = np.sort(DICE(6).uniform(0, length, 30_000)) * NS_PER_S
    grid = np.arange(0, length + 1, 10) * NS_PER_S
    found = facts.arrivals_in_clusters(days(arrivals_ns=[np.repeat(at, size)], grid_ns=[grid]))
    assert found.value == pytest.approx(size, rel=0.1)
    assert found.ok == (size > 1)


def test_a_u_of_poisson_arrivals_is_no_cluster(days: Days):
    place = DICE(7).beta(0.7, 0.7, 40_000)
    grid = np.arange(0, 23_401, 10) * NS_PER_S
    found = facts.arrivals_in_clusters(
        days(arrivals_ns=[np.sort(place * 23_400 * NS_PER_S)], grid_ns=[grid])
    )
    assert found.value < 1.3


def day_of_hours(*lots: int) -> Tape:
    """One trade half-way through every hour."""
    trades = [(3600 * h + 1800, EXECUTE, BID, 100, lot, 0) for h, lot in enumerate(lots)]
    rows = [(0, ADD, BID, 100, 10_000, 0), (0, ADD, ASK, 101, 10_000, 1), *trades]
    return tape_of(*rows, length_s=3600.0 * len(lots))


def test_the_ends_of_the_day_by_hand():
    """8 hours, of which the middle half is 2 to 6: 10 and 12 at the ends, 4 an hour between."""
    u = day_of_hours(10, 1, 4, 4, 4, 4, 1, 12)
    assert facts.busy_ends([u]).value == pytest.approx(10 / 4)
    assert facts.busy_ends([u]).ok
    quiet_end = day_of_hours(20, 1, 4, 4, 4, 4, 1, 2)
    assert facts.busy_ends([quiet_end]).value == pytest.approx(0.5)
    both = facts.busy_ends([u, quiet_end])
    assert (both.value, both.n) == (pytest.approx(7 / 4), 2)


def test_what_cannot_be_told_is_not_ok():
    """A few hours with a few trades: every number is NaN or says little, and nothing breaks."""
    short = day_of_hours(10, 1)
    found = facts.facts_of([short])
    assert len(found) == len({fact.name for fact in found}) == 11
    unknown = [fact for fact in found if np.isnan(fact.value)]
    assert {"memory of signs", "busy ends of the day", "fat tails"} <= {f.name for f in unknown}
    assert not any(fact.ok for fact in unknown)
    assert all(fact.source and fact.says and fact.low < fact.high for fact in found)


def test_no_tapes_no_facts():
    with pytest.raises(InputError, match="tapes"):
        facts.facts_of([])


def test_a_dead_mid_is_no_price():
    """A touch falls to a stub for a second: half of the mid is no price, and no return says so."""
    rows = [(0, ADD, BID, 1000, 10, 0), (0, ADD, ASK, 1002, 10, 1), (0, ADD, BID, 10, 10, 2)]
    rows += [(i, ADD, ASK, 1003, 1, 2 + i) for i in range(1, 40)]
    rows += [(40, EXECUTE, BID, 1000, 10, 0), (41, ADD, BID, 1000, 10, 0)]
    rows += [(100, ADD, ASK, 1003, 1, 50)]
    tape = tape_of(*rows)
    stub = tape.bid_ticks() == 10
    assert stub.sum() == 1
    assert np.isnan(tape.mid_ticks()[stub]).all()
    assert np.nanmin(live_mid_ticks(tape)) == 1001.0
    assert np.nansum(np.abs(returns(tape, 1.0))) == 0.0


# --- whole days ----------------------------------------------------------------------------------


def test_a_poisson_day_fails_where_it_must():
    found = {fact.name: fact for fact in facts.facts_of(
        [simulate_day(MarketSettings(), "2026-01-05", 7)]
    )}  # fmt: skip
    for name in (
        "lasting volatility",
        "memory of signs",
        "arrivals in clusters",
        "busy ends of the day",
    ):
        assert not found[name].ok, found[name]
    assert found["memory of signs"].value == pytest.approx(1.0, abs=0.25)
    assert found["arrivals in clusters"].value == pytest.approx(1.0, abs=0.2)
    assert sum(fact.ok for fact in found.values()) < 9


@pytest.mark.recorded
@pytest.mark.parametrize("symbol", ["CSCO", "INTC"])
def test_recorded_days_have_at_least_nine_of_the_facts(recorded: Path, symbol: str):
    paths = sorted((recorded / "lobster-2003" / symbol).glob("*.csv.gz"))[:4]
    found = facts.facts_of([load(path) for path in paths])
    assert sum(fact.ok for fact in found) >= 9, [fact for fact in found if not fact.ok]
