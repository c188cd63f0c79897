"""Many episodes at once: cost, determinism, what may be known, and what is never exceeded."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from env.market_days import on_finer_grid
from env.untaught import Pool
from paceline.cost.shortfall import shortfall
from paceline.decision.actions import ActionGrid
from paceline.decision.schema import N_FEATURES, N_VALUES, NAMES, ranges
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.engine.venue import Fees, Footprint, Latency, Venue
from paceline.env.batch_env import (
    OPEN_LIMITS,
    TERM_NAMES,
    BatchExecutionEnv,
    RewardSettings,
)
from paceline.env.episodes import EpisodeSettings, Stage, split
from paceline.env.execution_env import ExecutionEnv
from paceline.env.policies import parse_policy
from paceline.errors import ConfigError, InputError
from paceline.market.events import HIDDEN, NO_SLOT, Rows
from paceline.market.tape import Tape
from paceline.market.watch import SQUARES, WINDOWS_S
from paceline.units import NS_PER_S

SHORT = EpisodeSettings(horizon_s=(120.0, 300.0), participation=None)
VENUE = Venue(
    submit=Latency.constant(5.0), ack=Latency.constant(3.0), market_data=Latency.constant(2.0),
    fees=Fees(maker_per_share=-0.002, taker_per_share=0.003, taker_bps=0.1),
)  # fmt: skip


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    market = load_market("yhoo-2003")
    return [simulate_day(market, f"2024-01-{day:02d}", 4) for day in (8, 9)]


def played(
    tapes: list[Tape], n: int, steps: int, seed: int = 3, **options: Any
) -> tuple[BatchExecutionEnv, list[dict[str, Any]], NDArray[np.float64]]:
    """An environment after random actions, the infos, and all rewards `[steps, n]`."""
    env = BatchExecutionEnv(Pool(tapes, SHORT, seed=seed), n, venue=VENUE, **options)
    env.reset()
    dice = np.random.default_rng(seed)
    infos, rewards = [], []
    for _ in range(steps):
        _, reward, _, _, info = env.step(dice.integers(len(env.grid), size=n))
        infos.append(info)
        rewards.append(reward.copy())
    return env, [info for info in infos if "done" in info], np.array(rewards)


def test_cost_is_shortfall(tapes: list[Tape]) -> None:
    """The figure of the kernels and that of `cost.shortfall`, from the fills, to the last digits;
    and what is left is worth the mid at the end."""
    env, infos, _ = played(tapes, 16, 300, keep_fills=True)
    seen = 0
    for info in infos:
        columns = (info[f"final_{name}"] for name in ("episode", "order", "bps", "fills"))
        for episode, order, bps, fills in zip(*columns, strict=True):
            tape = env.pool.tapes[episode["tape"]]
            start, end = np.searchsorted(
                tape.events.ts, (episode["start_ts"], episode["end_ts"]), side="right"
            )
            mid = tape.mid_ticks()
            paid = fills["ticks"] + episode["side"] * fills["shift"]
            fee = VENUE.fees.charge(paid, fills["lots"], fills["maker"] == 1, tape.instrument)
            arrival = mid[start - 1 : start]
            cost = shortfall(
                [episode["side"]], [episode["lots"]], arrival, arrival, mid[end - 1 : end],
                np.zeros(len(fills), np.int64), paid, fills["lots"], fee,
            )  # fmt: skip
            assert bps == pytest.approx(cost.shortfall_bps[0], abs=1e-9)
            assert cost.filled_lots[0] == order["lots"] - order["left"]
            seen += 1
    assert seen > 20


def test_rewards_add_up_to_the_shortfall(tapes: list[Tape]) -> None:
    env = BatchExecutionEnv(Pool(tapes, SHORT, seed=3), 4, venue=VENUE)
    env.reset()
    dice, total = np.random.default_rng(3), np.zeros(4)
    for _ in range(200):
        _, reward, _, _, info = env.step(dice.integers(len(env.grid), size=4))
        total += reward
        for i, bps in zip(info.get("done", ()), info.get("final_bps", ()), strict=True):
            assert -total[i] == pytest.approx(bps, abs=1e-9)
            total[i] = 0.0


def test_reward_terms_are_named_weighed_and_shaped(tapes: list[Tape]) -> None:
    assert TERM_NAMES == (
        "is_step", "risk", "temporary", "permanent", "violation", "is_total", "variance", "plan",
        "left",
    )  # fmt: skip
    env = BatchExecutionEnv(
        Pool(tapes, SHORT, seed=1), 8, reward=RewardSettings(risk=0.5, is_total=2.0)
    )
    env.reset()
    dice = np.random.default_rng(0)
    for _ in range(100):
        _, reward, over, _, _ = env.step(dice.integers(len(env.grid), size=8))
        terms = env.terms
        np.testing.assert_allclose(reward, terms[:, 0] + 0.5 * terms[:, 1] + 2.0 * terms[:, 5])
        assert np.all(terms[:, 1:5] <= 0.0)
        assert np.all(terms[~over, 5] == 0.0)


def test_the_plan_pays_for_the_way_of_the_mid_and_the_end_for_what_is_left(
    tapes: list[Tape],
) -> None:
    env = BatchExecutionEnv(Pool(tapes, SHORT, seed=2), 8)
    env.reset()
    dice, paid = np.random.default_rng(1), 0
    for _ in range(400):
        going = env.lives.progress["over"] == 0
        if not going.any():
            break
        order, mid2 = env.lives.order[:, 0].copy(), env.lives.progress["twice_mid"].copy()
        env.advance(dice.integers(len(env.grid), size=8))
        for i in np.flatnonzero(going):
            one = order[i]
            time_left = (one["end_ts"] - one["now_ts"]) / (one["end_ts"] - one["start_ts"])
            steep = one["steepness"]
            planned = np.sinh(steep * time_left) / np.sinh(steep)
            moved = (env.lives.progress["twice_mid"][i] - mid2[i]) / one["arrival_twice_mid"]
            assert env.terms[i, 7] == pytest.approx(one["side"] * planned * moved * 1e4)
            paid += env.terms[i, 7] != 0.0
            over = env.lives.progress["over"][i] != 0
            left = env.lives.order["left"][i, 0] / env.lives.order["lots"][i, 0]
            assert env.terms[i, 8] == (-left if over else 0.0)
    assert paid > 20


def test_no_action_changes_what_the_plan_is_paid(tapes: list[Tape]) -> None:
    """Nor does being done early: the plan is paid to the end of the horizon. An order that is
    done by a fill that rests would else be spared what the mid does after such fills."""
    grid = ActionGrid(sizes=(0.05, 1.0), prices=("touch", "take_2"), waits_s=(10.0,), hold_s=10.0)
    env = BatchExecutionEnv(Pool(tapes, SHORT, seed=2), 32, grid=grid, venue=VENUE)
    episodes = env.pool.draw(32)
    sums, done_early = [], []
    for wanted in ((0,), (grid.index(1, 1, 0),), (grid.index(1, 0, 0), grid.index(0, 0, 0))):
        env.reset(options={"episodes": episodes})
        paid = np.zeros(32)
        while np.any(going := env.lives.progress["over"] == 0):
            legal, actions = env.action_masks(), np.zeros(32, np.int64)
            for one in reversed(wanted):
                actions[legal[:, one]] = one
            env.advance(np.where(going, actions, 0))
            paid[going] += env.terms[going, TERM_NAMES.index("plan")]
        sums.append(paid)
        done_early.append((env.lives.progress["ts"] < episodes["end_ts"]).sum())
    assert done_early[0] == 0
    assert min(done_early[1:]) > 3
    assert np.abs(sums[0]).max() > 1.0
    for other in sums[1:]:
        np.testing.assert_allclose(other, sums[0], atol=1e-9)


def test_risk_is_charged_for_what_was_held_and_as_long_as_it_was(tapes: list[Tape]) -> None:
    """Against a slow sum over the fills; who takes everything at once holds nothing."""
    env = BatchExecutionEnv(Pool(tapes, SHORT, seed=6), 64)
    env.reset()
    dice, within, brief = np.random.default_rng(6), 0, 0
    for _ in range(400):
        going = np.flatnonzero(env.lives.progress["over"] == 0)
        if not len(going):
            break
        before, since = env.lives.order["left"][:, 0].copy(), env.lives.progress["ts"].copy()
        told = [len(env.fills(i)) for i in range(64)]  # also fills at the instant of the decision
        env.advance(dice.integers(len(env.grid), size=64))
        for i in going:
            lots, until = env.lives.order["lots"][i, 0], env.lives.progress["ts"][i]
            fills = [f for f in env.fills(i)[told[i] :] if f["ts"] < until]
            edges = [since[i], *(f["ts"] for f in fills), until]
            held = before[i] - np.cumsum([0, *(f["lots"] for f in fills)])
            square_s = np.sum((held / lots) ** 2 * np.diff(edges)) / NS_PER_S
            watch = env.lives.watch
            heard = watch.clock["second"][i, 0] - watch.clock["began"][i, 0] + 1
            brief += heard < WINDOWS_S[2]  # soon after the open
            long, lately = (watch.sums[i, w, SQUARES] / min(heard, WINDOWS_S[w]) for w in (2, 1))
            calm = np.sqrt(min(long, 4.0 * lately))
            sigma_bps = min(calm / env.lives.progress["twice_mid"][i] * 1e4, 10.0)
            assert env.terms[i, 1] == pytest.approx(-square_s * sigma_bps, rel=1e-9)
            within += any(since[i] < f["ts"] for f in fills)
    assert within > 10, "fills between decisions"
    assert brief > 20, "orders that began soon after the open"
    grid = ActionGrid(sizes=(1.0,), prices=("take_2",), waits_s=(5.0,), hold_s=5.0)
    env = BatchExecutionEnv(Pool(tapes, SHORT, seed=6), 8, grid=grid)
    env.reset()
    start = env.lives.order["lots"][:, 0].copy()
    env.advance(np.ones(8, np.int64))
    left = env.lives.order["left"][:, 0]
    assert np.any(left == 0)
    assert np.all(env.terms[left == 0, 1] == 0.0)
    assert np.all(env.terms[left == start, 1] < 0.0)


def test_what_cannot_begin_is_told_apart(tapes: list[Tape]) -> None:
    pool = Pool(tapes, SHORT, seed=2, gap_s=2.0)  # many an order would begin in a gap
    episodes = pool.draw(64)
    env = BatchExecutionEnv(pool, 64, venue=VENUE)
    good = env.can_begin(episodes)
    assert 5 < good.sum() < 59
    with pytest.raises(InputError, match="cannot begin"):
        env.reset(options={"episodes": episodes})
    some = BatchExecutionEnv(pool, int(good.sum()), venue=VENUE)
    seen, _ = some.reset(options={"episodes": episodes[good]})
    env.can_begin(episodes)
    np.testing.assert_array_equal(seen, env.seen[good])


def test_the_same_seed_plays_the_same_game(tapes: list[Tape]) -> None:
    first, second = played(tapes, 8, 80), played(tapes, 8, 80)
    np.testing.assert_array_equal(first[2], second[2])
    np.testing.assert_array_equal(first[0].seen, second[0].seen)
    other = played(tapes, 8, 80, seed=4)
    assert not np.array_equal(first[2], other[2])


def test_many_are_as_many_alone(tapes: list[Tape]) -> None:
    """Bit for bit: each of eight, and eight environments of one."""
    pool = Pool(tapes, SHORT, seed=9)
    episodes = pool.draw(8)
    actions = np.random.default_rng(9).integers(97, size=(25, 8))
    together = BatchExecutionEnv(pool, 8, venue=VENUE)
    together.reset(options={"episodes": episodes})
    alone = [BatchExecutionEnv(pool, 1, venue=VENUE) for _ in range(8)]
    for i, env in enumerate(alone):
        env.reset(options={"episodes": episodes[i : i + 1]})
    going = np.ones(8, bool)
    for row in actions:
        seen, reward, over, _, _ = together.step(row)
        for i in np.flatnonzero(going):
            mine = alone[i].step(row[i : i + 1])
            assert mine[1][0] == reward[i]
            assert mine[2][0] == over[i]
            if not over[i]:
                np.testing.assert_array_equal(mine[0][0], seen[i])
        going &= ~over
    assert going.any()


def test_environments_of_one_pool_draw_for_themselves(tapes: list[Tape]) -> None:
    """What one draws does not depend on what others do, nor on what the pool itself does."""
    pool = Pool(tapes, SHORT, seed=3)
    alone = BatchExecutionEnv(Pool(tapes, SHORT, seed=3), 4)
    one, other = (BatchExecutionEnv(pool, 4) for _ in range(2))
    for seed in (None, 5, None):
        alone.reset(seed=seed)
        other.reset(seed=None if seed is None else seed + 1)
        pool.draw(7)
        one.reset(seed=seed)
        np.testing.assert_array_equal(one.episodes, alone.episodes)
        other.reset()
    pool.enter(Stage(name="long", episodes=EpisodeSettings(horizon_s=(1200.0,))))
    for env in (one, other):
        env.reset()
        assert np.all(env.episodes["end_ts"] - env.episodes["start_ts"] == 1200 * NS_PER_S)


def same_form(ours: dict[str, Any], theirs: dict[str, Any], where: str) -> None:
    """All that Gymnasium says, of the same kind, and with the same in it."""
    for name, value in theirs.items():
        if isinstance(value, dict):
            same_form(ours[name], value, f"{where}.{name}")
            continue
        assert type(ours[name]) is type(value), f"{where}.{name}"
        assert ours[name].dtype == value.dtype, f"{where}.{name}"
        if name == "final_obs":
            assert [one is None for one in ours[name]] == [one is None for one in value]
            for mine, yours in zip(ours[name], value, strict=True):
                np.testing.assert_array_equal(mine, yours)
        else:
            np.testing.assert_array_equal(ours[name], value, f"{where}.{name}")


def test_info_has_the_form_of_gymnasiums_own_environments(tapes: list[Tape]) -> None:
    """Number by number as `SyncVectorEnv` says it of single ones, up to where episodes begin anew,
    which these draw for themselves."""
    settings = EpisodeSettings(horizon_s=(60.0, 90.0, 120.0), participation=None)
    pool = Pool(tapes, settings, seed=3)
    theirs = SyncVectorEnv(
        [lambda: ExecutionEnv(pool, venue=VENUE)] * 3, autoreset_mode=AutoresetMode.SAME_STEP
    )
    ours = BatchExecutionEnv(pool, 3, venue=VENUE)
    _, said = theirs.reset(seed=4)
    given = np.concatenate([env.unwrapped.batch.episodes for env in theirs.envs])
    _, info = ours.reset(options={"episodes": given})
    same_form(info, said, "info")
    dice, done = np.random.default_rng(2), np.zeros(3, np.bool_)
    while not done.any():
        actions = dice.integers(97, size=3)
        *_, over, cut, info = ours.step(actions)
        *_, their_over, their_cut, said = theirs.step(actions)
        done = over | cut
        np.testing.assert_array_equal(done, their_over | their_cut)
        if done.any():
            begun = {name: info.pop(name) for name in ("final_obs", "_final_obs", "final_info")}
            same_form(begun, {name: said[name] for name in begun}, "info")
            np.testing.assert_array_equal(info["_final_info"], said["_final_info"])
        else:
            same_form(info, said, "info")
    assert not done.all(), "one that goes on beside one that ended"


def test_nothing_is_known_of_the_future(tapes: list[Tape]) -> None:
    """Where the market is another one from some time on, all that was seen and paid before stays
    the same to the last bit."""
    tape = tapes[1]
    pool = Pool([tape], SHORT, seed=2, taught_by=tapes[:1])
    episodes = pool.draw(64)
    cut = int(np.median(episodes["start_ts"])) + 60 * 10**9
    other = Pool([_with_another_future(tape, cut)], SHORT, seed=2, taught_by=tapes[:1])
    env, changed = (BatchExecutionEnv(pool_of, 64, venue=VENUE) for pool_of in (pool, other))
    seen, _ = env.reset(options={"episodes": episodes})
    theirs, _ = changed.reset(options={"episodes": episodes})
    dice, compared, moved = np.random.default_rng(1), 0, 0
    going = np.ones(64, bool)
    for _ in range(40):
        past = going & (env.lives.progress["ts"] < cut)
        np.testing.assert_array_equal(seen[past], theirs[past])
        compared += int(past.sum())
        moved += int(np.any(seen[going & ~past] != theirs[going & ~past]))
        actions = dice.integers(len(env.grid), size=64)
        seen, _, over, cut_off, _ = env.step(actions)
        theirs, _, also_over, _, _ = changed.step(actions)
        going &= ~(over | cut_off | also_over)
    assert compared > 200
    assert moved > 0, "the future did change"


def _with_another_future(tape: Tape, cut: int) -> Tape:
    """From `cut` on nothing but prints that no book has to hold."""
    events, late = tape.events, tape.events.ts >= cut
    ticks = np.where(late, int(tape.level_ticks[0]), tape.level_ticks[np.maximum(events.level, 0)])
    rows = Rows(
        np.array(events.ts),
        np.where(late, HIDDEN, events.kind).astype(np.uint8),
        np.where(late, 1, events.side).astype(np.int8),
        ticks,
        np.where(late, 977, events.qty).astype(np.int64),
        np.where(late, NO_SLOT, events.slot).astype(np.int32),
    )
    return Tape.compile(rows, tape.instrument, tape.session)


def test_no_more_is_ever_traded_than_was_ordered(tapes: list[Tape]) -> None:
    _, infos, _ = played(tapes, 32, 200, keep_fills=True)
    for info in infos:
        for episode, fills in zip(info["final_episode"], info["final_fills"], strict=True):
            assert fills["lots"].sum() <= episode["lots"]


def test_features_are_within_their_ranges_and_flagged(tapes: list[Tape]) -> None:
    env, _, _ = played(tapes, 64, 60)
    seen = env.seen
    low, high = ranges().T
    assert seen.shape == (64, N_FEATURES) == (64, len(NAMES))
    assert np.isfinite(seen).all()
    assert np.all(seen[:, :N_VALUES] >= low.astype(np.float32))
    assert np.all(seen[:, :N_VALUES] <= high.astype(np.float32))
    assert set(np.unique(seen[:, N_VALUES:])) <= {0.0, 1.0}
    named = dict(zip(NAMES, seen.T, strict=True))
    assert np.all(named["no regime_0"] == 1.0)
    assert np.mean(named["no spread"]) < 0.1
    assert named["inventory"].std() > 0.0
    opened = [env.pool.tapes[day].session.open_ns for day in env.episodes["tape"]]
    late = env.episodes["start_ts"] - opened > 306 * NS_PER_S
    assert late.any()
    for name in ("volatility_300s", "volume_300s", "near_adds_60s"):
        assert np.all(named[f"no {name}"][late] == 0.0), "five minutes were listened to"


def test_a_watch_in_an_episode_is_one_that_listened_to_all(tapes: list[Tape]) -> None:
    """What a live feed would have: every row since the open, one by one."""
    from paceline.market.watch import begin, look_back, new_watch, note_rows

    env, _, _ = played(tapes, 16, 30)
    for i in range(16):
        tape = env.pool.tapes[env.episodes[i]["tape"]]
        watch = new_watch()
        begin(watch, tape.session.open_ns)
        seen_ts = int(env.lives.account.clock[i, 0]["last_seen"])
        stop = int(np.searchsorted(tape.events.ts, seen_ts, side="right"))
        for row in range(stop):
            note_rows(watch, tape.events, tape.level_ticks, row, row + 1)
        look_back(watch, seen_ts)
        np.testing.assert_array_equal(watch.sums, env.lives.watch.sums[i])


def test_bad_input_is_one_line(tapes: list[Tape]) -> None:
    env = BatchExecutionEnv(Pool(tapes, SHORT), 2)
    env.reset()
    with pytest.raises(InputError, match=r"actions: give \[2\] numbers from 0 to 96"):
        env.step(np.array([0, 97]))
    with pytest.raises(InputError, match="num_envs: 0 is no count"):
        BatchExecutionEnv(Pool(tapes, SHORT), 0)
    with pytest.raises(ConfigError, match=r"qty_volume: 0\.2 is above 0\.1"):
        EpisodeSettings(qty_volume=(0.2, 0.1))
    with pytest.raises(ConfigError, match="tapes: none is given"):
        Pool([])


def test_days_of_training_validation_and_test_never_mix(tapes: list[Tape]) -> None:
    market = load_market("yhoo-2003")
    days = [*tapes, simulate_day(market, "2024-01-10", 4)]
    parts = split(days, "2024-01-09", "2024-01-10")
    assert [[tape.session.day for tape in part] for part in parts] == [
        ["2024-01-08"], ["2024-01-09"], ["2024-01-10"]
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="validation: has no day"):
        split(days, "2024-01-11", "2024-01-12")
    with pytest.raises(ConfigError, match="is not after validation"):
        split(days, "2024-01-10", "2024-01-09")


def test_no_legal_choice_goes_beyond_a_limit(tapes: list[Tape]) -> None:
    """Band, size, participation and counts, of the desk and of the order: the tighter one holds."""
    settings = EpisodeSettings(horizon_s=(300.0,), participation=0.3, price_band_bps=6.0)
    limits = msgspec.structs.replace(
        OPEN_LIMITS, child_max=300, participation=0.2, max_messages=25, max_cancels=12
    )
    pool = Pool(tapes, settings, seed=8)
    env = BatchExecutionEnv(pool, 32, venue=Venue(submit=Latency.constant(1.0)), limits=limits)
    env.reset(seed=8)
    named = {name: env.seen[:, k] for k, name in enumerate(NAMES)}
    np.testing.assert_allclose(named["cap"], 0.2)
    assert np.all(named["no cancels_used"] == 0.0)
    sent = 0
    for _ in range(60):
        before = env.lives.account.clock["n_orders"][:, 0].copy()
        going = env.lives.progress["over"] == 0
        env.advance(np.where(going, env.random_actions(), 0))
        for i in np.flatnonzero(going & (env.lives.progress["over"] == 0)):
            episode, account = env.episodes[i], env.lives.account
            for order in account.orders[i, before[i] : account.clock[i, 0]["n_orders"]]:
                sent += 1
                assert order["lots"] <= 300
                bound = episode["band_high"] if episode["side"] > 0 else episode["band_low"]
                assert episode["side"] * (order["first_ticks"] - bound) <= 0
            assert env.lives.order[i, 0]["messages"] <= 25
            assert env.lives.order[i, 0]["cancels"] <= 12
    assert sent > 100


def test_a_seed_begins_random_actions_anew(tapes: list[Tape]) -> None:
    env = BatchExecutionEnv(Pool(tapes, SHORT), 8)
    env.reset(seed=5)
    first = env.random_actions()
    env.reset(seed=5)
    np.testing.assert_array_equal(env.random_actions(), first)


def test_what_was_returned_stays_as_it_was(tapes: list[Tape]) -> None:
    """Observation, times, costs and terms of a step are kept by a user while the next is done."""
    env = BatchExecutionEnv(Pool(tapes, SHORT, seed=3), 4, venue=VENUE)
    first, info = env.reset()
    now = env.lives.progress["ts"].copy()
    seen, _, _, _, after = env.step(env.random_actions())
    kept = (
        seen.copy(),
        after["ts"].copy(),
        after["shortfall_bps"].copy(),
        after["action_mask"].copy(),
    )
    terms = {name: after["reward_terms"][name].copy() for name in TERM_NAMES}
    for _ in range(5):
        env.step(env.random_actions())
    assert np.any(first != env.seen)
    np.testing.assert_array_equal(info["ts"], now)
    found = seen, after["ts"], after["shortfall_bps"], after["action_mask"]
    for one, other in zip(kept, found, strict=True):
        np.testing.assert_array_equal(one, other)
    for name in TERM_NAMES:
        np.testing.assert_array_equal(terms[name], after["reward_terms"][name])


def test_a_loop_that_is_done_with_them_gets_the_arrays_themselves(tapes: list[Tape]) -> None:
    envs = [BatchExecutionEnv(Pool(tapes, SHORT, seed=3), 4, copy=copy) for copy in (True, False)]
    for env in envs:
        env.reset()
    own, copied = envs[1].step(np.zeros(4, int))[0], envs[0].step(np.zeros(4, int))[0]
    assert own is envs[1].seen
    np.testing.assert_array_equal(own, copied)


def test_messages_that_take_a_horizon_are_refused(tapes: list[Tape]) -> None:
    pool = Pool(tapes, EpisodeSettings(horizon_s=(60.0,)), seed=3)
    for name in ("submit", "ack", "market_data"):
        slow = Venue(**{name: Latency.constant(120_000.0)})
        with pytest.raises(
            ConfigError, match=rf"{name}_ms: a delay of 120000 ms is not shorter than a"
        ):
            BatchExecutionEnv(pool, 2, venue=slow).reset()
    BatchExecutionEnv(pool, 2, venue=Venue(submit=Latency.lognormal(50.0, 90_000.0))).reset()
    env = BatchExecutionEnv(pool, 2, venue=Venue(submit=Latency.constant(6_000.0)))
    env.reset()
    with pytest.raises(ConfigError, match=r"not shorter than a slice of twap/cross/10 of 6 s"):
        env.follow(parse_policy("twap/cross/10", 10, 100.0))


def test_impact_in_ticks_is_refused_where_days_have_several(tapes: list[Tape]) -> None:
    mixed = [tapes[0], on_finer_grid(tapes[1], 10, 1)]
    push = Venue(footprint=Footprint(permanent_ticks_per_lot=0.1))
    with pytest.raises(
        ConfigError, match=r"permanent_ticks_per_lot: counts in ticks and lots, and"
    ):
        BatchExecutionEnv(Pool(mixed, SHORT), 2, venue=push)
    BatchExecutionEnv(Pool(tapes, SHORT), 2, venue=push)
    BatchExecutionEnv(Pool(mixed, SHORT), 2)
