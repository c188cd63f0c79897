"""The same orders for all: measured as in a backtest, at their own end, and never twice."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from env.market_days import DAYS, INSTRUMENT, random_rows, tape_of
from env.untaught import Pool
from paceline.decision.actions import ActionGrid
from paceline.decision.regimes import LiquidityRegimes
from paceline.decision.schema import N_FEATURES
from paceline.engine.queue import FillModel
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.env.episodes import on_both_sides
from paceline.env.policies import Urgency, make_plan
from paceline.env.simulated_pool import SimulatedPool
from paceline.env.working import PARENT_RECORD
from paceline.errors import ConfigError
from paceline.evaluate import compare as comparing
from paceline.evaluate.backtest import work_all
from paceline.evaluate.buckets import buckets_of, describe_orders
from paceline.evaluate.compare import compare
from paceline.evaluate.compare_settings import CompareSettings
from paceline.evaluate.comparison import PARTS, Comparison
from paceline.evaluate.contestants import HoldChooser, RandomChooser, Schedule, contestant
from paceline.evaluate.per_order import Columns, Run, TapeRuns, order_columns, prices_of
from paceline.evaluate.worked import Workshop, episode_settings, venue_of
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument

SETTINGS = CompareSettings(
    orders=24, horizon_s=300.0, slices=5, fill_model="pessimistic", maker_fee_bps=-0.2,
    taker_fee_bps=0.3, submit_ms=3.0,
)  # fmt: skip
PESSIMISTIC = FillModel.PESSIMISTIC


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    market = load_market("yhoo-2003")
    return [simulate_day(market, f"2024-01-{day:02d}", 4) for day in (8, 9)]


@pytest.fixture
def pool(tapes: list[Tape]) -> Pool:
    return Pool(tapes, episode_settings(SETTINGS), seed=3)


def alike(one: Columns, other: Columns, at: NDArray[np.int64] | None = None) -> None:
    """The same to the last bit, but for how long a choice took."""
    for name in one:
        if name != "decision_us":
            mine = one[name] if at is None else one[name][at]
            np.testing.assert_array_equal(mine, other[name], err_msg=name)


@pytest.mark.parametrize("text", ["twap/cross", "ac/mid+9s/7", "vwap/touch", "pov/inside"])
def test_a_schedule_is_measured_as_in_a_backtest(pool: Pool, text: str) -> None:
    episodes = pool.draw(30)
    shop, who = Workshop(pool, SETTINGS), contestant(text, 5)
    assert isinstance(who, Schedule)
    found = shop.work(episodes, who, PESSIMISTIC)
    assert comparing._wrong_with(found) == ""
    policy, venue = who.usual[0], venue_of(SETTINGS, PESSIMISTIC)
    for day, tape in enumerate(pool.tapes):
        at = np.flatnonzero(episodes["tape"] == day)
        parents = np.zeros(len(at), PARENT_RECORD)
        for name in PARENT_RECORD.names or ():
            parents[name] = episodes[name][at]
        urgency, lesson = Urgency(None, None), pool.lessons[day]
        plan = make_plan(policy, tape, lesson, parents, urgency, 0.1, True)
        run = Run(policy, PESSIMISTIC, plan, work_all(tape, venue, parents, plan))
        place = TapeRuns(tape, lesson, parents, [], [run], [])
        truth = order_columns(place, run, prices_of(place, shop.yards), venue.fees)
        for name, column in truth.items():
            # Volume is looked at a moment later, and what moved an order is counted otherwise.
            loose = name in ("participation", "replaces")
            if not loose:
                np.testing.assert_allclose(found[name][at], column, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("text", ["ac/mid", "random", "hold", "oracle"])
def test_parts_sum_to_the_shortfall(pool: Pool, text: str) -> None:
    found = compare(pool, ["twap", text], SETTINGS)
    of = found.select(text, "pessimistic")
    total = np.sum([of[part] for part in PARTS], axis=0)
    np.testing.assert_allclose(total, of["shortfall_bps"], atol=1e-9)
    assert np.all(of["taken_bps"] >= 0.0) or text == "ac/mid"
    assert np.any(of["shortfall_bps"] != 0.0)


@pytest.mark.parametrize("text", ["ac/mid", "take"])
def test_it_does_not_matter_who_is_worked_beside_whom(pool: Pool, text: str) -> None:
    who = Taker() if text == "take" else contestant(text, 5)
    episodes, shop = pool.draw(20), Workshop(pool, SETTINGS)
    together = shop.work(episodes, who, PESSIMISTIC)
    mixed = np.random.default_rng(1).permutation(20)
    alike(together, shop.work(episodes[mixed], who, PESSIMISTIC), mixed)
    for i in (0, 7, 19):
        alone = shop.work(episodes[i : i + 1], who, PESSIMISTIC)
        alike(together, alone, np.array([i]))


class Taker:
    """Takes all that it may, at once."""

    name, grid = "taker", ActionGrid(sizes=(1.0,), prices=("take_2",), waits_s=(2.0,), hold_s=2.0)

    def act(self, seen: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        return mask[:, 1].astype(np.int64)


def test_names_that_are_worked_in_different_ways_are_not_mixed_up() -> None:
    """Days of two names in turn, each name with a tactic of its own."""
    other = Instrument(symbol="OTHER", book_tick="0.01", order_tick="0.01")
    days = [
        tape_of(random_rows(k), DAYS[k // 2], other if k % 2 else INSTRUMENT) for k in range(4)
    ]  # fmt: skip
    pool = Pool(days, episode_settings(SETTINGS), seed=2)
    episodes, shop = pool.draw(40), Workshop(pool, SETTINGS)
    one, two = contestant("twap/cross/4", 4), contestant("twap/touch/9", 4)
    assert isinstance(one, Schedule)
    assert isinstance(two, Schedule)
    both = Schedule("both", one.usual, {("pessimistic", "OTHER"): two.usual})
    found = shop.work(episodes, both, PESSIMISTIC)
    for who, name in ((one, "TINY"), (two, "OTHER")):
        symbols = np.array([tape.instrument.symbol for tape in days])[episodes["tape"]]
        at = np.flatnonzero(symbols == name)
        assert len(at) > 5
        alike(found, shop.work(episodes[at], who, PESSIMISTIC), at)
    # Under another fill model it is what it usually is.
    alike(shop.work(episodes, both, FillModel.CALIBRATED),
          shop.work(episodes, one, FillModel.CALIBRATED))  # fmt: skip


def test_an_order_is_measured_when_it_is_over(pool: Pool) -> None:
    """What takes everything at once is done in seconds, and nothing is sent for it afterwards."""
    settings = CompareSettings(
        orders=24, horizon_s=300.0, participation=1.0, price_band_bps=0.0, qty_least=0.02,
        qty_most=0.5,
    )  # fmt: skip
    found = compare(pool, ["twap", Taker()], settings)
    of = found.select("taker", "calibrated")
    assert np.all(of["fill_rate"] == 1.0)
    assert len(np.unique(of["decisions"])) > 2
    assert of["decisions"].max() < 150
    assert np.all(of["messages"] <= of["decisions"])
    assert np.all(of["swept_share"] == 0.0)


class Forbidden:
    """Always chooses what it may not, if there is such a thing."""

    name, grid = "forbidden", ActionGrid()

    def act(self, seen: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.asarray(np.argmin(mask, axis=1))


def test_a_masked_choice_counts_and_is_not_carried_out(pool: Pool) -> None:
    strict = CompareSettings(
        orders=12, horizon_s=300.0, participation=0.02, qty_least=0.3, qty_most=0.5
    )
    pool.settings = episode_settings(strict)
    episodes, shop = pool.draw(12), Workshop(pool, strict)
    bad = shop.work(episodes, Forbidden(), PESSIMISTIC)
    legal = shop.work(episodes, contestant("random", 5), PESSIMISTIC)
    assert np.mean(bad["masked_choices"] > 0) > 0.3
    assert np.all(legal["masked_choices"] == 0)
    for columns in (bad, legal):
        assert np.all(columns["violations"] == 0)


def test_who_looks_ahead_wins_and_is_no_rival(tapes: list[Tape]) -> None:
    settings = msgspec.structs.replace(SETTINGS, orders=144)
    more = [simulate_day(load_market("yhoo-2003"), f"2024-01-{day}", 4) for day in (10, 11)]
    pool = Pool([*tapes, *more], episode_settings(settings), seed=3)
    found = compare(pool, ["twap", "ac", "oracle"], settings)
    sure = found.sureness("oracle", "pessimistic")
    assert sure.mean.high_bps < 0.0, "the harness can see skill when there is some"
    from paceline.evaluate.compare_verdict import leader_of

    assert found.ahead == {"oracle"}
    assert leader_of(found) == "ac"


def test_all_policies_have_the_same_orders_under_all_fill_models(pool: Pool) -> None:
    settings = CompareSettings(orders=10, seeds=2, seed=5, horizon_s=300.0, slices=5)
    found = compare(pool, ["ac", "twap/cross", "hold"], settings)
    assert found.fill_models == ["pessimistic", "calibrated", "optimistic"]
    assert len(found.parents["parent"]) == 20
    assert found.parents["seed"].tolist() == [5] * 10 + [6] * 10
    # Each is worked on both sides.
    assert len(np.unique(found.parents["start_ts"])) == 10
    for seed in (5, 6):
        start, side = (
            found.parents[c][found.parents["seed"] == seed] for c in ("start_ts", "side")
        )
        np.testing.assert_array_equal(start[:5], start[5:])
        np.testing.assert_array_equal(side[:5], -side[5:])
    for policy in found.policies:
        for model in found.fill_models:
            assert found.select(policy, model)["parent"].tolist() == list(range(20))
    crossed = [found.select("twap/cross", m)["shortfall_bps"] for m in found.fill_models]
    np.testing.assert_array_equal(crossed[0], crossed[2])  # nothing rests, so no queue matters
    again = compare(pool, ["ac", "twap/cross", "hold"], settings)
    alike(found.orders, again.orders)
    assert found.over_seeds("hold", "calibrated").n == 2


def test_buckets_part_the_orders(pool: Pool) -> None:
    found = compare(pool, ["ac", "twap"], CompareSettings(orders=60, horizon_s=300.0, slices=5))
    kinds = {bucket.what for bucket in found.buckets}
    assert {"side", "size", "time of day", "volatility"} <= kinds
    for kind in kinds:
        rows = np.sum([b.rows for b in found.buckets if b.what == kind], axis=0)
        assert rows.max() == 1, kind
        assert rows.mean() > 0.9, kind
    sizes = [b for b in found.buckets if b.what == "size"]
    share = found.parents["size_share"]
    assert share[sizes[0].rows].max() < share[sizes[-1].rows].min()
    assert {int(b.rows.sum()) for b in sizes} == {20}
    whole = found.sureness("twap", "calibrated").mean.mean_bps
    halves = [found.within("twap", "calibrated", b.rows) for b in found.buckets if b.what == "side"]
    assert whole == pytest.approx(np.average([h.mean_bps for h in halves],
                                             weights=[h.n for h in halves]))  # fmt: skip


def test_regimes_split_orders_by_the_likeliest(tapes: list[Tape]) -> None:
    pool = Pool(tapes[1:], episode_settings(SETTINGS), taught_by=tapes)
    settings = CompareSettings(orders=200, horizon_s=300.0, fill_model="pessimistic")
    seen, _ = Workshop(pool, settings).begun(pool.draw(200))
    regimes = LiquidityRegimes("2024-01-08", 2).fit(seen, ["2024-01-08"] * 200)
    found = compare(pool, ["ac/cross", "hold"], settings, regimes=regimes)
    named = found.parents["regime"]
    assert set(named.tolist()) - {""} == set(regimes.names)
    kept = [bucket for bucket in found.buckets if bucket.what == "regime"]
    assert sum(int(bucket.rows.sum()) for bucket in kept) == int((named != "").sum()) > 150
    late = LiquidityRegimes("2024-01-09", 2).fit(seen, ["2024-01-08"] * 200)
    with pytest.raises(ConfigError, match="regimes: were fitted up to 2024-01-09, and days"):
        compare(pool, ["ac/cross", "hold"], settings, regimes=late)


def test_what_was_worked_is_kept_when_it_is_cut_off(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["ac", "twap", "random"]
    whole = compare(pool, texts, SETTINGS)
    worked, real = [], Workshop.work

    def until_interrupted(self, episodes, who, model, progress=lambda done: None):
        if len(worked) == 2:
            raise KeyboardInterrupt
        worked.append(who.name)
        return real(self, episodes, who, model, progress)

    monkeypatch.setattr(Workshop, "work", until_interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare(pool, texts, SETTINGS, store=tmp_path)
    assert worked == ["ac", "twap"]
    worked.clear()
    told: list[int] = []
    found = compare(pool, texts, SETTINGS, store=tmp_path, progress=told.append)
    assert worked == ["random"]
    assert sum(told) == 3 * 24
    alike(found.orders, whole.orders)
    # Other orders, another policy of the same name: nothing of it is taken for these.
    worked.clear()
    with pytest.raises(KeyboardInterrupt):
        compare(pool, texts, CompareSettings(orders=23, horizon_s=300.0), store=tmp_path)
    assert worked == ["ac", "twap"]


@pytest.mark.parametrize("change", ["tick", "warm-up", "session"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_recording_that_is_read_otherwise_is_worked_anew(
    tapes: list[Tape], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: int, change: str
) -> None:
    """Also one that only teaches."""
    worked, real = [], Workshop.work
    monkeypatch.setattr(Workshop, "work", lambda self, *args: worked.append(1) or real(self, *args))
    told = tapes[which].manifest
    changes = {
        "tick": {"instrument": replace(told.instrument, order_tick=5 * told.instrument.order_tick)},
        "warm-up": {"quality": replace(told.quality, warmup_end_ts=told.session.open_ns + 10**9)},
        "session": {"session": replace(told.session, close_ns=told.session.close_ns - 60 * 10**9)},
    }
    tape = tapes[which]
    other = Tape(replace(told, **changes[change]), tape.events, tape.level_ticks, tape.images)
    assert other.manifest.tape_id == told.tape_id
    assert other.identity != tape.identity
    pools = [
        Pool([days[1]], episode_settings(SETTINGS), seed=3, taught_by=days)
        for days in (tapes, tapes, [other if k == which else tapes[k] for k in range(2)])
    ]
    counts = []
    for pool in pools:
        compare(pool, ["ac", "twap"], SETTINGS, store=tmp_path)
        counts.append(len(worked))
    assert counts == [2, 2, 4]


def test_what_is_saved_can_be_read(pool: Pool, tmp_path: Path) -> None:
    found = compare(pool, ["ac", "twap", "random"], SETTINGS)
    found.save(tmp_path)
    orders = pq.read_table(tmp_path / "orders.parquet").to_pydict()
    assert len(orders["policy"]) == 3 * 24
    assert {"symbol", "day", "side", "size_share", "shortfall_bps", "messages"} <= set(orders)
    rows = pq.read_table(tmp_path / "differences.parquet").to_pylist()
    assert {row["policy"] for row in rows} == {"twap", "random"}
    assert rows[0]["split_by"] == "all"
    told = json.loads((tmp_path / "comparison.json").read_text())
    assert told["baseline"] == "ac"
    (twap,) = [row for row in told["against_baseline"] if row["policy"] == "twap"]
    parts = sum(part["difference_bps"] for name, part in twap["parts"].items()
                if name in PARTS.values())  # fmt: skip
    assert parts == pytest.approx(twap["difference_bps"])


@pytest.mark.parametrize("texts", [["ac"], ["ac", "twap", "ac"], []])
def test_policies_have_names_of_their_own(pool: Pool, texts: list[str]) -> None:
    with pytest.raises(ConfigError, match="name each one once, at least two"):
        compare(pool, texts, SETTINGS)


def test_orders_of_a_market_know_its_regime() -> None:
    pool = SimulatedPool("yhoo-2003", episode_settings(SETTINGS), regimes={"thin": 1, "news": 3})
    episodes, seen = pool.draw(16), np.zeros((16, N_FEATURES), np.float32)
    parents = describe_orders(pool, episodes, seen, np.zeros(16, np.int64))
    names = [pool.markets[k].regimes[0].name for k in episodes["tape"]]
    assert set(names) == {"thin", "news"}
    assert parents["regime"].tolist() == names
    split = [bucket.name for bucket in buckets_of(parents, pool) if bucket.what == "regime"]
    assert split == ["news", "thin"]


@pytest.mark.skipif(
    not os.environ.get("PACELINE_SLOW"), reason="minutes of compiling; set PACELINE_SLOW=1"
)
def test_in_markets_that_answer() -> None:
    settings = CompareSettings(orders=10, horizon_s=120.0, slices=4)
    pool = SimulatedPool("yhoo-2003", episode_settings(settings), seed=3)
    found = compare(pool, ["ac/cross", "ac/mid", HoldChooser(), RandomChooser()], settings)
    assert isinstance(found, Comparison)
    assert found.answers
    assert found.fill_models == ["simulated"]
    for policy in found.policies:
        of = found.select(policy, "simulated")
        total = np.sum([of[part] for part in PARTS], axis=0)
        np.testing.assert_allclose(total, of["shortfall_bps"], atol=1e-9)
        assert np.all(np.isnan(of["given_back_1m_bps"]))
    assert found.select("ac/cross", "simulated")["maker_share"].max() == 0.0
    pool.reseed(settings.seed)
    shop = Workshop(pool, settings)
    episodes = on_both_sides(pool.draw(5))
    columns = shop.work(episodes, contestant("ac/mid", 4), FillModel.CALIBRATED)
    assert comparing._wrong_with(columns) == ""
    alike({k: v for k, v in found.select("ac/mid", "simulated").items() if k in columns}, columns)
    with pytest.raises(ConfigError, match="oracle looks ahead on recorded days only"):
        comparing.compare(pool, ["ac", "oracle"], settings)
