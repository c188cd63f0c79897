"""The limits of a desk hold for whatever an environment sends; what it cannot keep is refused."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from env.untaught import Pool
from paceline.decision.actions import ActionGrid
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.engine.venue import Venue
from paceline.env.batch_env import OPEN_LIMITS, BatchExecutionEnv
from paceline.env.episode import RUNNING, TERMINATED, TRUNCATED
from paceline.env.episodes import EpisodeSettings
from paceline.env.execution_env import ExecutionEnv
from paceline.env.policies import parse_policy
from paceline.errors import CapacityError, ConfigError, InputError
from paceline.guard.limits import Limits
from paceline.market.events import HALT, NO_SLOT, RESUME, Rows
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_S

N = 24
LARGE = EpisodeSettings(
    horizon_s=(300.0,), qty_volume=(0.5, 1.0), participation=None, price_band_bps=None
)


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    market = load_market("yhoo-2003")
    return [simulate_day(market, f"2024-01-{day:02d}", 4) for day in (8, 9)]


def desk(**limits: Any) -> Limits:
    return msgspec.structs.replace(OPEN_LIMITS, **limits)


def test_a_band_ends_where_its_last_price_is(tapes: list[Tape]) -> None:
    """Of the parent order's own and of the desk's, and of the one within the other: the costliest
    price that is not beyond it, also where the mid lies on half a tick."""
    fine = Instrument(symbol="FINE", book_tick="0.0005", order_tick="0.0005", lot=1)  # type: ignore[arg-type]
    finer = [_on(tape, fine) for tape in tapes]
    odd = 0
    for own, desks, days in (
        (6.0, "unlimited", tapes), (6.0, "unlimited", finer), (None, 6.0, finer), (6.0, 9.0, finer),
        (9.0, 6.0, finer), (0.29, "unlimited", finer),
    ):  # fmt: skip
        settings = EpisodeSettings(horizon_s=(60.0,), price_band_bps=own)
        env = BatchExecutionEnv(Pool(days, settings, seed=3), 64, limits=desk(band_bps=desks))
        env.reset(seed=3)
        bps = min(value for value in (own, desks) if isinstance(value, float))
        part, step = Fraction(str(bps)) / 10_000, days[0].instrument.order_step
        for i, episode in enumerate(env.episodes):
            arrival, side = int(env.lives.order[i, 0]["arrival_twice_mid"]), int(episode["side"])
            odd += arrival % 2
            last = Fraction(arrival, 2) * (1 + side * part) / step
            expected = step * (math.floor(last) if side > 0 else math.ceil(last))
            assert episode["band_high" if side > 0 else "band_low"] == expected
            assert env.lives.context[i, 0]["band_ticks"] == expected
    assert odd > 50


def _on(tape: Tape, instrument: Instrument) -> Tape:
    """The same day of another instrument, whose tick may be half of what it was."""
    rows, ticks = tape.events, tape.level_ticks[np.maximum(tape.events.level, 0)]
    finer = round(float(tape.instrument.book_tick / instrument.book_tick))
    # Bids stand a tick higher, so that spreads and mids are odd.
    moved = np.where(rows.level >= 0, finer * ticks + (rows.side == 1), 0)
    columns = [rows.ts, rows.kind, rows.side, moved, rows.qty, rows.slot]
    return Tape.compile(Rows(*(np.array(one) for one in columns)), instrument, tape.session)


def held_to_the_end(tapes: list[Tape], limits: Limits | None, **options: Any) -> BatchExecutionEnv:
    """Orders that are swept at the end, and not worked before."""
    env = BatchExecutionEnv(Pool(tapes, LARGE, seed=1), N, limits=limits, **options)
    env.reset(seed=1)
    while np.any(env.lives.progress["over"] == RUNNING):
        env.advance(np.zeros(N, np.int64))
    return env


def sent_by(env: BatchExecutionEnv, i: int) -> NDArray[np.void]:
    account = env.lives.account
    return account.orders[i, : account.clock[i, 0]["n_orders"]]


def volume_of(tape: Tape, since: int, until: int) -> int:
    """Lots that traded after `since`, up to `until`."""
    at = np.searchsorted(tape.events.ts, (since, until), side="right")
    return int(np.diff(np.concatenate([[0], tape.events.volume])[at])[0])


def assert_within(
    env: BatchExecutionEnv, child: int, bps: float, share: float, window_s: float
) -> int:
    """Size and price of every order, and participation at every fill; returns how many were sent.
    Without delays, the window that is looked at ends where it is sent."""
    sent = 0
    for i, episode in enumerate(env.episodes):
        arrival = env.lives.order[i, 0]["arrival_twice_mid"] / 2
        orders, fills = sent_by(env, i), env.fills(i)
        sent += len(orders)
        assert np.all(orders["lots"] <= child)
        for row in (orders["first_ticks"], fills["ticks"]):
            assert np.all(episode["side"] * (row - arrival) <= arrival * bps * 1e-4 + 1e-9)
        tape = env.pool.tapes[episode["tape"]]
        for ts in np.unique(orders["sent_ts"]):
            since = ts - round(window_s * NS_PER_S)
            ours = fills[(fills["ts"] > since) & (fills["ts"] <= ts)]
            others = volume_of(tape, since, ts) - int((ours["lots"] * ours["displaced"]).sum())
            lots = int(ours["lots"].sum())
            assert lots * 1e6 <= round(share * 1e6) * (lots + max(others, 0)) + 1e6
    return sent


def test_the_sweep_at_the_end_keeps_the_limits_of_the_desk(tapes: list[Tape]) -> None:
    free = held_to_the_end(tapes, None)
    assert max(sent_by(free, i)["lots"].max() for i in range(N)) > 200
    env = held_to_the_end(
        tapes, desk(child_max=200, participation=0.05, band_bps=5.0, window_s=120.0)
    )
    assert assert_within(env, 200, 5.0, 0.05, 120.0) > N
    assert np.all(env.lives.order["left"][:, 0] > 0)
    # The other names for the same.
    same = held_to_the_end(
        tapes,
        desk(max_order_quantity=200, symbol_participation=0.05, band_bps=5.0, window_s=120.0),
    )
    np.testing.assert_array_equal(same.lives.order["left"], env.lives.order["left"])


def test_a_sweep_may_take_more_children_than_are_under_way_at_a_time(tapes: list[Tape]) -> None:
    """Where size is all that is limited, small children get what a large one gets."""
    most = max(int(sent_by(held_to_the_end(tapes, None), i)["lots"].max()) for i in range(N))
    child = -(-most // 100)
    small, large = held_to_the_end(tapes, desk(child_max=child)), held_to_the_end(tapes, None)
    assert max(len(sent_by(small, i)) for i in range(N)) > 64
    np.testing.assert_array_equal(small.lives.order["left"], large.lives.order["left"])


def test_a_schedule_keeps_the_limits_of_the_desk(tapes: list[Tape]) -> None:
    limits = desk(child_max=300, participation=0.1, band_bps=8.0, window_s=60.0)
    env = BatchExecutionEnv(Pool(tapes, LARGE, seed=1), N, limits=limits)
    env.reset(seed=1)
    list(env.follow(parse_policy("twap/cross/10", 10, 100.0)))
    assert assert_within(env, 300, 8.0, 0.1, 60.0) > 2 * N


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_messages", 5), ("cancel_rate", 1), ("min_resting_s", 1.0), ("max_position", 500.0)],
)
def test_what_a_schedule_does_not_keep_is_refused(
    tapes: list[Tape], name: str, value: float
) -> None:
    env = BatchExecutionEnv(Pool(tapes, LARGE), 1, limits=desk(**{name: value}))
    env.reset(seed=1)
    with pytest.raises(ConfigError, match=rf"limits\.{name}: .* not kept by a schedule; give"):
        env.follow(parse_policy("twap/cross/10", 10, 100.0))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (desk(move_bps=50.0), r"limits\.move_bps: 50\.0 .* give unlimited"),
        (desk(duplicate_s=5.0), r"limits\.duplicate_s: 5\.0 .* unlimited"),
        (desk(max_position=None), r"limits\.max_position: is not set, .* or unlimited"),
        (desk(participation=0.1, window_s=None), r"limits\.window_s: is not set"),
        (Limits(participation=0.1, window_s=300.0), r"limits\.\w+: is not set"),
        (desk(child_max=0.5), r"limits\.child_max: 0\.5 is less than one lot"),
        (desk(participation=1e-8), r"limits\.participation: 1e-08 is less than one part in"),
    ],
)
def test_what_an_environment_cannot_keep_is_refused(
    tapes: list[Tape], limits: Limits, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        BatchExecutionEnv(Pool(tapes, LARGE), 1, limits=limits)


def test_spans_of_what_is_unlimited_may_be_left_out(tapes: list[Tape]) -> None:
    spans = {"window_s": None, "rate_window_s": None, "move_window_s": None}
    env = BatchExecutionEnv(Pool(tapes, LARGE, seed=1), 8, limits=desk(**spans))
    env.reset(seed=1)
    assert np.all(env.action_masks().sum(axis=1) > 1)


def test_one_window_of_participation(tapes: list[Tape]) -> None:
    """Two of them are refused; a parent order without a share is held to the desk's."""
    limits = desk(participation=0.1, window_s=30.0)
    message = r"limits\.window_s: 30 of the desk's participation is not the 300 of a parent"
    with pytest.raises(ConfigError, match=message):
        BatchExecutionEnv(Pool(tapes, EpisodeSettings()), 1, limits=limits)
    env = BatchExecutionEnv(Pool(tapes, LARGE, seed=1), N, limits=limits)
    given = Pool(tapes, EpisodeSettings(), seed=1).draw(N)
    with pytest.raises(ConfigError, match=message):
        env.reset(options={"episodes": given})
    env.reset(seed=1)
    for i, episode in enumerate(env.episodes):
        seen = int(env.lives.account.clock[i, 0]["last_seen"])
        tape = env.pool.tapes[episode["tape"]]
        expected = volume_of(tape, seen - 30 * NS_PER_S, seen)
        assert env.lives.snapshot[i]["others_lots"] == expected
    settings = EpisodeSettings(participation=0.3, participation_window_s=30.0)
    both = BatchExecutionEnv(Pool(tapes, settings, seed=1), 2, limits=limits)
    both.reset(seed=1)
    assert np.all(both.episodes["share_ppm"] == 100_000)


def test_follow_begins_where_nothing_was_decided(tapes: list[Tape]) -> None:
    env = BatchExecutionEnv(Pool(tapes, LARGE, seed=1), 4)
    env.reset(seed=1)
    env.advance(np.zeros(4, np.int64))
    with pytest.raises(InputError, match="follow: some orders are at work already; reset"):
        env.follow(parse_policy("twap/cross/4", 4, 100.0))


def test_an_account_that_is_full_says_of_what(tapes: list[Tape]) -> None:
    policy = parse_policy("twap/cross/30", 10, 100.0)
    for room, what in (({"max_orders": 8}, "max_orders"), ({"max_fills": 8}, "max_fills")):
        env = BatchExecutionEnv(Pool(tapes, LARGE, seed=1), 4, **room)
        env.reset(seed=1)
        with pytest.raises(CapacityError, match=f"account: full; .* a larger {what}"):
            list(env.follow(policy))
    # A slice in more children than may be under way; a sweep waits until the first have arrived.
    env = BatchExecutionEnv(Pool(tapes, LARGE, seed=1), 4, limits=desk(child_max=2))
    env.reset(seed=1)
    with pytest.raises(CapacityError, match="a larger child_max: too many orders were under way"):
        list(env.follow(policy))
    grid = ActionGrid(sizes=(0.5,), prices=("take_2",), waits_s=(1.0,))
    env = BatchExecutionEnv(Pool(tapes, LARGE, seed=1), 4, max_fills=2, grid=grid)
    env.reset(seed=1)
    with pytest.raises(CapacityError, match="a larger max_fills"):
        _ = [env.advance(np.ones(4, np.int64)) for _ in range(20)]


@pytest.mark.parametrize("name", ["threads", "max_orders", "max_fills"])
def test_counts_that_are_none_are_refused(tapes: list[Tape], name: str) -> None:
    with pytest.raises(InputError, match=rf"{name}: -3 is no count; give 1 or more"):
        BatchExecutionEnv(Pool(tapes, LARGE), 1, **{name: -3})


def test_what_is_over_earns_nothing(tapes: list[Tape]) -> None:
    env = held_to_the_end(tapes, None)
    before = env.lives.order.copy(), env.lives.progress.copy()
    reward, over = env.advance(np.zeros(N, np.int64))
    assert np.all(over == TERMINATED)
    assert not np.any(reward)
    assert not np.any(env.terms)
    np.testing.assert_array_equal(env.lives.order, before[0])
    np.testing.assert_array_equal(env.lives.progress, before[1])


def cut_short(tape: Tape, last_ts: int) -> Tape:
    """The same day, whose recording ends at `last_ts`."""
    quality = msgspec.structs.replace(tape.manifest.quality, short_session=True)
    stop = int(np.searchsorted(tape.events.ts, last_ts, side="right"))
    rows = tape.events
    ticks = tape.level_ticks[np.maximum(rows.level, 0)]
    columns = [rows.ts, rows.kind, rows.side, ticks, rows.qty, rows.slot]
    part = Rows(*(np.array(column[:stop]) for column in columns))
    return Tape.compile(part, tape.instrument, tape.session, quality=quality)


def test_an_episode_that_outlasts_the_recording_is_truncated(tapes: list[Tape]) -> None:
    """There, not before, and without a sweep; what was ordered in time is what it was."""
    whole = Pool([tapes[0]], LARGE, seed=1)
    given = whole.draw(4)
    given["start_ts"] = given["start_ts"][0]
    given["end_ts"] = given["start_ts"] + 300 * NS_PER_S
    given["end_ts"][0] = given["start_ts"][0] + 60 * NS_PER_S
    last = int(given["start_ts"][0]) + 200 * NS_PER_S
    short = Pool([cut_short(tapes[0], last)], LARGE, seed=1)
    last = int(short.tapes[0].events.ts[-1])
    env = BatchExecutionEnv(short, 4, venue=Venue(), keep_fills=True)
    env.reset(options={"episodes": given})
    ended: dict[int, int] = {}
    while len(ended) < 4:
        _, over = env.advance(np.zeros(4, np.int64))
        for i in np.flatnonzero(over != RUNNING):
            ended.setdefault(int(i), int(over[i]))
    assert ended == {0: TERMINATED, 1: TRUNCATED, 2: TRUNCATED, 3: TRUNCATED}
    assert np.all(env.lives.progress["ts"][1:] == last)
    assert np.all(env.lives.order["left"][1:, 0] == given["lots"][1:])
    env.reset(options={"episodes": given})
    while True:
        _, _, terminated, truncated, info = env.step(np.zeros(4, np.int64))
        assert not np.any(terminated[1:])
        if np.any(truncated):
            break
    np.testing.assert_array_equal(truncated, [False, True, True, True])
    assert np.all(info["final_order"]["left"] == given["lots"][1:])
    env.reset(options={"episodes": given})
    list(env.follow(parse_policy("twap/cross/6", 10, 100.0)))
    np.testing.assert_array_equal(env.lives.progress["over"], [TERMINATED] + [TRUNCATED] * 3)
    assert np.all(env.lives.order["left"][1:, 0] < given["lots"][1:])


def silent(tape: Tape, since: int, until: int, halted: bool = False) -> Tape:
    """The same day, of which nothing was recorded after `since` and before `until`."""
    rows, ticks = tape.events, tape.level_ticks[np.maximum(tape.events.level, 0)]
    columns = [np.array(one) for one in (rows.ts, rows.kind, rows.side, ticks, rows.qty, rows.slot)]
    columns[0] = np.where((rows.ts > since) & (rows.ts < until), since, rows.ts)
    if halted:
        for ts, kind in ((since, HALT), (until, RESUME)):
            at = np.searchsorted(columns[0], ts, side="right")
            blank = (ts, kind, 0, 0, 0, NO_SLOT)
            columns = [np.insert(c, at, v) for c, v in zip(columns, blank, strict=True)]
    return Tape.compile(Rows(*columns), tape.instrument, tape.session)


def test_a_gap_in_a_recording_truncates(tapes: list[Tape]) -> None:
    """At the last row before it, whoever works the order; what ends before it terminates, what
    begins after it is not touched, and in it nothing can begin. A halt is no gap."""
    given = Pool([tapes[0]], LARGE, seed=1).draw(4)
    since = int(np.median(tapes[0].events.ts))
    until = since + 400 * NS_PER_S
    given["start_ts"] = [since - 250 * NS_PER_S] * 2 + [since - 100 * NS_PER_S, until + NS_PER_S]
    given["end_ts"] = given["start_ts"] + 200 * NS_PER_S

    def ends(tape: Tape, gap_s: float | None, schedule: bool) -> tuple[list[int], list[int]]:
        env = BatchExecutionEnv(Pool([tape], LARGE, seed=1, gap_s=gap_s), 4, venue=Venue())
        env.reset(options={"episodes": given})
        if schedule:
            list(env.follow(parse_policy("twap/cross/4", 10, 100.0)))
        while np.any(env.lives.progress["over"] == RUNNING):
            env.advance(np.zeros(4, np.int64))
        return env.lives.progress["over"].tolist(), env.lives.progress["ts"].tolist()

    tape = silent(tapes[0], since, until)
    last = since  # what had happened in it happens just before
    for schedule in (False, True):
        over, ts = ends(tape, 300.0, schedule)
        assert over == [TERMINATED, TERMINATED, TRUNCATED, TERMINATED]
        assert ts == [int(given["end_ts"][0])] * 2 + [last, int(given["end_ts"][3])]
    assert ends(tape, 450.0, False)[0] == [TERMINATED] * 4
    assert ends(tape, None, False)[0] == [TERMINATED] * 4
    assert ends(tapes[0], 300.0, False)[0] == [TERMINATED] * 4
    assert ends(silent(tapes[0], since, until, halted=True), 300.0, False)[0] == [TERMINATED] * 4
    given["start_ts"][1], given["end_ts"][1] = since + NS_PER_S, until + NS_PER_S
    with pytest.raises(InputError, match=r"number 1 cannot begin, .* or is in a gap; give another"):
        ends(tape, 300.0, False)
    env = BatchExecutionEnv(Pool([tape], LARGE, seed=5), 512)
    env.reset()
    start = env.episodes["start_ts"]
    assert not np.any((start >= last) & (start < until)), "others are drawn instead"
    with pytest.raises(ConfigError, match=r"gap_s: -1\.0 is no length; give seconds, or None"):
        Pool([tape], LARGE, gap_s=-1.0)


def test_a_given_episode_that_cannot_begin_is_refused(tapes: list[Tape]) -> None:
    """And not put another in its place."""
    last = int(np.median(tapes[0].events.ts))
    pool, start = Pool([cut_short(tapes[0], last), tapes[1]], LARGE, seed=1), last + NS_PER_S
    given = pool.draw(2)
    given["tape"][1] = 0
    given["start_ts"][1], given["end_ts"][1] = start, start + 60 * NS_PER_S
    with pytest.raises(InputError, match="episodes: number 1 cannot begin"):
        BatchExecutionEnv(pool, 2).reset(options={"episodes": given})
    with pytest.raises(InputError, match="episodes: number 0 cannot begin"):
        ExecutionEnv(pool).reset(options={"episode": given[1]})
