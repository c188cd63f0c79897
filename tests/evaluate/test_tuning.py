"""The baseline is the best of its grid, on its own days and on nothing later."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from env.untaught import Pool
from paceline.engine.queue import FillModel
from paceline.errors import ConfigError, InputError
from paceline.evaluate import tuning
from paceline.evaluate.compare_settings import CompareSettings
from paceline.evaluate.fill_floor import TUNED
from paceline.evaluate.tuning import (
    POOLED,
    TUNED_FILE,
    Choice,
    Scored,
    Tuned,
    check_days,
    grid,
    orders_at_most,
    tune,
)
from paceline.files.sealing import seal
from paceline.market.tape import Tape


class Shop:
    """Stands for the work: each tactic costs what a table says for each name."""

    def __init__(self, pool: Pool, settings: CompareSettings, jobs: int = 1) -> None:
        self.pool, self.calls = pool, []

    def begun(self, episodes):
        return np.zeros((len(episodes), 1)), np.ones(len(episodes), bool)

    def work(self, episodes, who, model, progress):
        slices, half_life = who.usual[0].n_slices, who.usual[1].half_life_s
        placement = int(who.usual[0].tactic.placement)
        symbols = [self.pool.tapes[k].instrument.symbol for k in episodes["tape"]]
        # The best for A is 15 slices at the touch, for B 30; over all it is 15, for A has more of
        # a loss. A low half-life costs; crossing is cheapest of all and leaves a third over.
        off = np.array([abs(slices - (15 if s == "A" else 30)) * (2 if s == "A" else 1)
                        for s in symbols])  # fmt: skip
        noise = np.random.default_rng(0).normal(size=len(episodes))
        cost = 10.0 + 0.1 * off + abs(placement - 1) + (half_life < 500) + noise
        progress(len(episodes))
        lazy = placement == 0
        rate = np.full(len(episodes), 0.7 if lazy else 1.0)
        return {"shortfall_bps": cost - 9.0 * lazy, "fill_rate": rate}


class TwoNames:
    """Stands for a pool of two days of A and two of B."""

    def __init__(self) -> None:
        self.tapes = [
            type("Tape", (), {
                "instrument": type("I", (), {"symbol": symbol}),
                "session": type("S", (), {"day": day}),
            })
            for symbol in "AB" for day in ("2024-01-03", "2024-01-02")
        ]  # fmt: skip

    def enter(self, stage) -> None:
        self.stage = stage

    def reseed(self, seed: int) -> None:
        self.seed = seed

    def draw(self, n: int) -> np.ndarray:
        found = np.zeros(n, [("tape", np.int64), ("side", np.int64)])
        found["tape"] = np.arange(n) % 4
        return found


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch) -> Tuned:
    monkeypatch.setattr(tuning, "Workshop", Shop)
    told: list[int] = []
    settings = CompareSettings(orders=640, seed=9, fill_model="pessimistic")
    found = tune(TwoNames(), settings, progress=told.append)  # type: ignore[arg-type]
    assert 0 < sum(told) <= orders_at_most(found.tried, 640, 2)
    return found


def test_the_best_that_fills_its_orders_wins(tuned: Tuned) -> None:
    assert tuned.tried == len(set(grid(1800.0))) == 9 * 5 * 3
    assert grid(1800.0)[0] == ("ac/touch/30", 900.0), "the naive one is the first"
    best = {choice.scope: choice.best.policy for choice in tuned.choices}
    assert best["A"].split("/")[1:] in (["touch", "15"], ["touch+5s", "15"])
    assert best["B"].split("/")[1:] in (["touch", "30"], ["touch+5s", "30"])
    assert best[POOLED].split("/")[2] == "15"
    for choice in tuned.choices:
        costs = [one.mean_bps for one in choice.ranking]
        assert costs == sorted(costs)
        assert all("cross" not in one.policy for one in choice.ranking), "leaves a third over"
        # Nearly all that cross were cheaper, on the few orders of the first rung.
        assert 12 <= len(choice.left_out) <= 15
        assert all("cross" in one.policy for one in choice.left_out)
        assert choice.left_out[0].mean_bps == min(one.mean_bps for one in choice.left_out)
        assert max(one.mean_bps for one in choice.left_out) < choice.best.mean_bps
    whole = tuned.choice("pessimistic", POOLED)
    assert whole.best.orders == 640
    assert tuned.choice("pessimistic", "A").best.orders == 320
    assert tuned.days == ("2024-01-02", "2024-01-03")


def test_a_tactic_fills_one_percent_less_at_most() -> None:
    def scored(policy: str, mean_bps: float, fill_rate: float) -> Scored:
        return Scored(policy, 900.0, mean_bps, 0.1, 9.0, fill_rate, 10)

    naive = scored("naive", 5.0, 0.99)
    tactics = [naive, scored("good", 4.0, 0.981), scored("lazy", 3.0, 0.979),
               scored("dear and lazy", 4.5, 0.979)]  # fmt: skip
    whole, lazy = tuning._ranked(tactics)
    assert [one.policy for one in whole] == ["good", "naive"]
    assert [one.policy for one in lazy] == ["lazy"], "what would not have won is not named"


def test_each_name_is_worked_in_its_own_way(tuned: Tuned) -> None:
    who = tuned.schedule()
    assert who.name == TUNED
    assert who.on("pessimistic", "A")[0].n_slices == 15
    assert who.on("pessimistic", "B")[0].n_slices == 30
    assert who.on("pessimistic", "new name")[0].n_slices == 15
    policy, urgency = who.on("pessimistic", "B")
    assert urgency.half_life_s == tuned.choice("pessimistic", "B").best.half_life_s
    assert policy.name == tuned.choice("pessimistic", "B").best.policy


def test_it_is_read_as_it_was_written(tuned: Tuned, tmp_path: Path) -> None:
    path = tuned.save(tmp_path / "deep" / "tuned.json")
    assert Tuned.load(path) == tuned
    older = json.loads(path.read_text())["content"]
    for choice in older["choices"]:
        del choice["left_out"]
    path.write_bytes(seal(TUNED_FILE, older))
    assert Tuned.load(path).choices[0].ranking == tuned.choices[0].ranking
    assert Tuned.load(path).choices[0].left_out == ()
    (tmp_path / "bad.json").write_text('{"days": 3}')
    with pytest.raises(InputError, match=r"bad\.json: has no seal .*no tuned baseline\); tune it"):
        Tuned.load(tmp_path / "bad.json")
    (tmp_path / "bad.json").write_bytes(path.read_bytes().replace(b"pessimistic", b"optimistic"))
    with pytest.raises(InputError, match=r"bad\.json: is damaged or was edited"):
        Tuned.load(tmp_path / "bad.json")
    with pytest.raises(InputError, match="nothing for A under optimistic fills"):
        tuned.choice("optimistic", "A")


@pytest.mark.parametrize(
    ("tuned_on", "tested_on", "said"),
    [
        (["2024-01-02", "2024-01-03"], ["2024-01-03", "2024-01-04"], "2024-01-03 is in both"),
        (["2024-01-05"], ["2024-01-04"], "2024-01-05 is after 2024-01-04"),
    ],
)
def test_days_that_are_compared_on_have_no_say(
    tuned_on: list[str], tested_on: list[str], said: str
) -> None:
    with pytest.raises(ConfigError) as error:
        check_days(tuned_on, tested_on)
    assert str(error.value).startswith(f"tune_days: {said}; tune on days before")
    assert "\n" not in str(error.value)


def test_days_before_may_teach() -> None:
    check_days(["2024-01-02", "2024-01-03"], ["2024-01-04"])
    check_days([], ["2024-01-04"])


def test_a_baseline_for_other_fills_or_orders_is_refused() -> None:
    best = Scored("ac/mid/15", 900.0, 5.0, 0.1, 9.0, 1.0, 10)
    choices = (Choice("pessimistic", POOLED, (best,)),)
    tuned = Tuned(days=(), seed=7, settings={}, tried=1, choices=choices)
    tuned.check([], ["pessimistic"], range(3))
    with pytest.raises(ConfigError, match="seed 7 drew the orders that it was tuned on"):
        tuned.check([], ["pessimistic"], range(5, 9))
    with pytest.raises(ConfigError, match="for pessimistic fills only, not calibrated"):
        tuned.check([], ["pessimistic", "calibrated"], [1])


def test_on_a_real_market(tapes: list[Tape]) -> None:
    """The winner has the least mean on the very orders that all were tried on."""
    settings = CompareSettings(orders=32, horizon_s=300.0, fill_model="pessimistic")
    pool = Pool(tapes, seed=1)
    tactics = [("ac/cross/4", 150.0), ("ac/mid/4", 150.0), ("ac/touch/8", 600.0)]
    found = tune(pool, settings, tactics=tactics)
    ranked = found.choice("pessimistic", POOLED).ranking
    assert ranked[0].mean_bps == min(one.mean_bps for one in ranked)
    assert found.schedule().on("pessimistic", "elsewhere")[0].name in dict(tactics)
    assert FillModel.PESSIMISTIC.name.lower() in {choice.fill_model for choice in found.choices}


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    from paceline.engine.shipped import load_market
    from paceline.engine.simulator import simulate_day

    return [simulate_day(load_market("yhoo-2003"), "2024-01-08", 4)]
