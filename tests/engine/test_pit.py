"""Our orders in a simulated book: they wait, take, excite, are taken, and nothing is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paceline.engine import pit
from paceline.engine.account import new_account
from paceline.engine.clockwork import look
from paceline.engine.doors import seek
from paceline.engine.flow_settings import Excitation, Halts, Jumps, Sizes
from paceline.engine.laws import LIMIT, MARKET
from paceline.engine.market_settings import MarketSettings
from paceline.engine.regimes import Regime
from paceline.engine.replay import Floor
from paceline.engine.simulated_exchange import SimulatedExchange
from paceline.engine.simulator import Simulator
from paceline.engine.venue import Footprint, Latency, Venue
from paceline.errors import CapacityError, ExchangeError, InputError, OrderError
from paceline.market.book import NOBODY
from paceline.units import NS_PER_MS, NS_PER_S

from .test_flow import EVERYTHING

DAY = "2024-01-02"
STILL = {
    "limit_bid_per_s": 1e-4,
    "limit_ask_per_s": 1e-4,
    "market_buy_per_s": 0.0,
    "market_sell_per_s": 0.0,
    "cancel_per_s": 1e-6,
}
"""A market in which nothing happens but what we do: 200 orders, and hardly one moves."""
ONE_LOT = Sizes(law="geometric", mean_round_lots=1.0, max_round_lots=1)


def exchange(market: MarketSettings | None = None, seed: int = 3, **more: Any) -> SimulatedExchange:
    return SimulatedExchange(market or MarketSettings(), DAY, seed, **more)


def still(**changes: Any) -> SimulatedExchange:
    values = {**STILL, "limit_size": ONE_LOT, "opening_depth": 1.0, **changes}
    found = exchange(MarketSettings(**values))
    found.advance(found.session.open_ns + 60 * NS_PER_S)
    return found


def step(market: SimulatedExchange, seconds: float) -> None:
    market.advance(market.now + round(seconds * NS_PER_S))


def bid(market: SimulatedExchange) -> int:
    return market.ladder(1).bids[0][0]


def ask(market: SimulatedExchange) -> int:
    return market.ladder(1).asks[0][0]


def price(ticks: int) -> float:
    return round(ticks * 0.01, 2)


def audit(market: SimulatedExchange) -> None:
    """Walk every queue and every table, and hold them against one another."""
    floor = market.floor
    flow, book, account = floor.market.flow, floor.book, floor.account
    clock, n_own = flow.clock[0], len(floor.holds)
    seen: set[int] = set()
    for row in range(2):
        for level in np.flatnonzero(book.levels[row]["lots"] != 0):
            lots, before, slot = 0, NOBODY, int(book.levels[row, level]["head"])
            while slot != NOBODY:
                order = book.slots[slot]
                assert order["lots"] > 0
                assert (order["row"], order["level"], order["prev"]) == (row, level, before)
                assert slot not in seen
                seen.add(slot)
                lots += int(order["lots"])
                before, slot = slot, int(order["next"])
            assert lots == book.levels[row, level]["lots"]
            assert before == book.levels[row, level]["tail"]
    assert np.all(book.levels["lots"] >= 0)
    assert book.best[0] < book.best[1]
    bids = {int(slot) for slot in flow.slots[: clock["n_bids"]]}
    asks = {int(slot) for slot in flow.slots[len(flow.slots) - clock["n_asks"] :]}
    ours = {slot for slot in range(n_own) if floor.holds[slot] != NOBODY}
    assert seen == bids | asks | ours
    assert set(flow.slots.tolist()) == set(range(n_own, len(book.slots)))
    assert np.array_equal(flow.place[flow.slots], np.arange(len(flow.slots)))
    live = [int(k) for k in account.live[: account.clock[0]["n_live"]]]
    assert sorted(live) == sorted(int(floor.holds[slot]) for slot in ours)
    for slot in ours:
        order = account.orders[floor.holds[slot]]
        assert order["left"] == book.slots[slot]["lots"]
        assert order["ticks"] == book.level_ticks[book.slots[slot]["level"]]
        assert order["side"] == 1 - 2 * book.slots[slot]["row"]
    fills = account.fills[: account.clock[0]["n_fills"]]
    for k in range(account.clock[0]["n_orders"]):
        order = account.orders[k]
        traded = int(fills["lots"][fills["order"] == k].sum())
        assert order["lots"] - order["left"] == traded
        if order["type"] != 3:  # a market order has no price
            worse = order["side"] * (fills["ticks"][fills["order"] == k] - order["ticks"])
            assert np.all(worse <= 0)
    assert market.volume() >= fills["lots"].sum()


# --- alone ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("market", [MarketSettings(opening_depth=0.0), EVERYTHING])
def test_without_orders_of_ours_it_is_the_simulators_market(market: MarketSettings) -> None:
    ours, plain = exchange(market, max_resting=8), Simulator(market, DAY, 3)
    for minutes in (1, 7, 20):
        until = ours.session.open_ns + minutes * 60 * NS_PER_S
        ours.advance(until)
        plain.advance(until)
        book, other = ours.floor.book, plain.market.book
        assert np.array_equal(book.best, other.best)
        assert np.array_equal(book.levels["lots"], other.levels["lots"])
        assert ours.floor.market.flow.dice == plain.market.flow.dice
        audit(ours)


def test_episodes_are_independent_and_repeat() -> None:
    first, again, other = (exchange(episode=i) for i in (1, 1, 2))
    for market in (first, again, other):
        step(market, 300)
    assert first.ladder(9) == again.ladder(9)
    assert first.ladder(9) != other.ladder(9)


def test_a_market_may_begin_later() -> None:
    shape = MarketSettings(day=(4.0, 0.5))
    noon = exchange(shape).session.open_ns + round(0.75 * 23_400) * NS_PER_S
    late = exchange(shape, begin_ns=noon)
    step(late, 600)
    assert late.floor.market.flow.clock[0]["bin"] == 1
    moods = MarketSettings(
        regimes=(Regime(name="calm"), Regime(name="news"), Regime(name="wild")),
        sequence=((0.0, "calm"), (3_600.0, "news"), (3_720.0, "wild")),
    )
    late = exchange(moods, begin_ns=exchange().session.open_ns + 3_650 * NS_PER_S)
    for seconds, regime in ((30, 1), (60, 2)):
        step(late, seconds)
        assert late.floor.market.flow.clock[0]["regime"] == regime
    with pytest.raises(InputError, match="begin_ns: 5 is not within the session"):
        exchange(begin_ns=5)


# --- in the queue --------------------------------------------------------------------------------


def test_ours_waits_behind_those_that_came_before_and_is_taken_when_first() -> None:
    market = still(market_sell_per_s=0.5, market_size=ONE_LOT)
    best = bid(market)
    ahead = market.ladder(1).bids[0][1]
    k = market.submit(1, 300, price(best))
    step(market, 1e-9)
    assert market.order(k).ahead == ahead
    assert market.ladder(1).bids[0] == (best, ahead + 300)
    sold = market.volume()
    while market.order(k).state == "resting":
        step(market, 1)
        taken = market.volume() - sold
        mine = sum(fill.lots for fill in market.fills())
        assert market.order(k).ahead == max(ahead - taken, 0)
        assert mine == max(taken - ahead, 0)
        audit(market)
    assert market.order(k).state == "filled"
    assert all(fill.maker and fill.ticks == best for fill in market.fills())


def test_taking_takes_for_real() -> None:
    market = still()
    asks = market.ladder(3).asks
    lots = asks[0][1] + asks[1][1] + 50
    k = market.submit(1, lots, type="market")
    step(market, 1e-9)
    assert not any(fill.maker for fill in market.fills())
    assert market.fills()[0].ticks == asks[0][0]
    assert sum(fill.lots for fill in market.fills()) == lots == market.volume()
    assert market.ladder(1).asks[0] == (asks[2][0], asks[2][1] - 50)
    assert market.order(k).state == "filled"
    audit(market)


def test_a_fill_knows_the_mid_that_it_is_measured_against() -> None:
    """The one before the first share was taken, for one that takes; for one that rests, that of the
    others' orders: ours, better than all of them, moves nothing."""
    market = still()
    best, asks = bid(market), market.ladder(2).asks
    market.submit(1, asks[0][1] + asks[1][1], type="market")
    step(market, 1e-9)
    account = market.floor.account
    taken = account.fills[: account.clock[0]["n_fills"]]
    assert len(taken) > 1
    assert (taken["twice_mid"] == best + asks[0][0]).all()

    market = still(market_sell_per_s=0.5, market_size=ONE_LOT, opening_spread_ticks=4)
    best, far = bid(market), ask(market)
    k = market.submit(1, 100, price(best + 1))
    step(market, 1)
    while market.order(k).state == "resting":
        step(market, 1)
    account = market.floor.account
    assert account.fills[0]["maker"] == 1
    assert account.fills[0]["twice_mid"] == best + far


def test_a_limit_that_crosses_takes_first_and_rests_then() -> None:
    market = still()
    best, lots = market.ladder(1).asks[0]
    k = market.submit(1, lots + 70, price(best))
    step(market, 1e-9)
    assert market.ladder(1).bids[0] == (best, 70)
    assert (market.order(k).state, market.order(k).left) == ("resting", 70)
    audit(market)


def test_replaced_to_less_it_keeps_its_place_and_to_more_it_loses_it() -> None:
    market = still()
    best, shown = market.ladder(1).bids[0]
    first = market.submit(1, 300, price(best))
    second = market.submit(1, 200, price(best))
    step(market, 1e-9)
    market.replace(first, lots=100, price=price(best))
    step(market, 1e-9)
    assert (market.order(first).ahead, market.order(second).ahead) == (shown, shown + 100)
    market.replace(first, lots=400, price=price(best))
    step(market, 1e-9)
    assert (market.order(first).ahead, market.order(second).ahead) == (shown + 200, shown)
    audit(market)
    market.cancel(second)
    step(market, 1e-9)
    assert market.order(second).state == "cancelled"
    assert market.ladder(1).bids[0] == (best, shown + 400)
    audit(market)


def test_we_do_not_trade_with_ourselves() -> None:
    market = still()
    mine = market.submit(1, 300, price(bid(market) + 1))
    step(market, 1e-9)
    taker = market.submit(-1, 400, price(bid(market) - 1), type="ioc")
    step(market, 1e-9)
    assert market.order(mine).state == "cancelled"
    assert market.order(mine).reason == "would have traded with our own order"
    assert market.order(taker).state == "filled"
    assert all(fill.order == taker for fill in market.fills())
    audit(market)


# --- the flow answers ----------------------------------------------------------------------------

NORM = 0.5
ROUSED = Excitation(
    half_lives_s=(1.0,),
    same=(((0.0, 0.0, 0.0), (NORM, 0.0, 0.1), (0.0, 0.0, 0.0)),),
    other=(((0.2, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),),
)


def test_what_we_do_excites_the_flow() -> None:
    market = still(excitation=ROUSED)
    flow, laws = market.floor.market.flow, market.floor.market.laws

    def heat() -> Any:
        return flow.heat[0] * flow.scale_then[0]

    market.submit(1, 100, type="market")
    step(market, 1e-9)
    assert heat() == pytest.approx(laws.excites[0, 2 * MARKET + 1])  # asks were taken
    before = heat()
    market.submit(-1, 100, price(ask(market) + 3))
    step(market, 1e-9)
    assert heat() == pytest.approx(before + laws.excites[0, 2 * LIMIT + 1])


def test_further_pieces_of_a_large_order_are_those_that_we_send() -> None:
    """Of the market orders that one would bring on its side, ours brings a quarter."""
    follow = (((0.0, 0.0, 0.0), (0.3, 0.4, 0.0), (0.0, 0.0, 0.0)),)
    none = (((0.0, 0.0, 0.0), (0.0, 0.1, 0.0), (0.0, 0.0, 0.0)),)
    roused = Excitation(half_lives_s=(1.0,), same=follow, other=none, herding=0.25)
    market = still(excitation=roused)
    flow, laws = market.floor.market.flow, market.floor.market.laws
    market.submit(1, 100, type="market")
    step(market, 1e-9)
    brought = laws.excites[0, 2 * MARKET + 1].copy()
    brought[2 * MARKET + 1] *= 0.25
    assert flow.heat[0] * flow.scale_then[0] == pytest.approx(brought)
    assert flow.warmth[0] == pytest.approx(flow.heat[0].sum())


def test_an_order_of_ours_brings_as_many_as_one_of_the_flow() -> None:
    """It brings half a limit order where it takes, however long nothing had happened before."""
    brought = 0
    for episode in range(200):
        market = exchange(
            MarketSettings(**{**STILL, "excitation": ROUSED}), episode=episode, max_orders=2
        )
        step(market, 1)
        asks = market.floor.market.flow.clock[0]["n_asks"]
        market.submit(1, 1, type="market")  # less than any order: none goes away
        step(market, 60)
        brought += int(market.floor.market.flow.clock[0]["n_asks"] - asks)
    # It brings 0.5 asks and 0.1 cancels; an ask brings 0.2 bids, and a bid 0.2 asks:
    # 0.5 * (1 + 0.04 + ...) - 0.1 = 0.42, with a variance near 0.63.
    assert abs(brought - 200 * 0.42) < 4 * np.sqrt(200 * 0.63)


def test_news_picks_us_off() -> None:
    """A jump takes away the side that it leaves behind; ours cannot flee and is taken."""
    market = still(jumps=Jumps(per_h=1e4, mean_ticks=30.0))
    best = ask(market)
    k = market.submit(-1, 100, price(best))
    while market.order(k).state != "filled":
        step(market, 0.1)
    assert market.fills()[0].ticks == best
    assert market.fills()[0].maker
    audit(market)


# --- the venue -----------------------------------------------------------------------------------


def test_orders_act_when_they_arrive_and_cancels_race() -> None:
    venue = Venue(submit=Latency.constant(10.0), ack=Latency.constant(5.0))
    market = exchange(MarketSettings(**STILL), venue=venue)
    step(market, 1)
    k = market.submit(1, 100, type="market")
    step(market, 0.0099)
    assert market.order(k).state == "in flight"
    market.cancel(k)
    step(market, 1)
    (fill,) = market.fills()
    assert market.order(k).state == "filled"
    assert fill.ts == market.now - 1_009_900_000 + 10 * NS_PER_MS
    assert fill.told_ts == fill.ts + 5 * NS_PER_MS


def test_explicit_impact_is_on_top() -> None:
    foot = Footprint(permanent_ticks_per_lot=0.01)
    market = exchange(MarketSettings(**STILL), venue=Venue(footprint=foot))
    step(market, 1)
    for _ in range(2):
        market.submit(1, 100, type="market")
        step(market, 1)
    shifts = [fill.shift_ticks for fill in market.fills() for _ in range(fill.lots)]
    # Continuously, a fill pays for half its own and all that came before: mean 0.01 * 200 / 2.
    assert np.mean(shifts) == pytest.approx(1.0)


def test_halted_markets_take_no_orders_but_let_them_go() -> None:
    market = still(halts=Halts(per_h=1e5, mean_s=1e5))
    k = market.submit(1, 100, price(bid(market)))
    step(market, 1e-9)
    if market.order(k).state == "rejected":  # it halted before
        k = -1
    while not market.floor.account.clock[0]["stopped"]:
        step(market, 1)
    late = market.submit(1, 100, type="market")
    if k >= 0:
        market.cancel(k)
    step(market, 1)
    assert market.order(late).reason == "trading is halted"
    assert k < 0 or market.order(k).state == "cancelled"
    audit(market)


def test_prices_beyond_the_market_and_too_many_orders() -> None:
    market = still(price_range=1.05)
    lowest = int(market.floor.book.level_ticks[0])
    k = market.submit(1, 100, price(lowest))
    deep = market.submit(1, 100, price(lowest + 1))
    step(market, 1e-9)
    assert (market.order(k).state, market.order(k).reason) == ("cancelled", "outside price band")
    assert market.order(deep).state == "resting"
    small = exchange(MarketSettings(**STILL), max_resting=2)
    step(small, 1)
    for _ in range(3):
        step(small, 1e-9)
        small.submit(1, 1, price(bid(small)))
    with pytest.raises(CapacityError, match="a larger max_orders or max_resting"):
        step(small, 1e-9)
    with pytest.raises(OrderError, match="lots: 0 is not"):
        small.submit(1, 0, type="market")


def test_volume_is_known_as_far_as_it_is_remembered() -> None:
    market = exchange(MarketSettings(market_buy_per_s=5.0), max_prints=64)
    times, volumes = [], []
    for _ in range(200):
        step(market, 0.5)
        times.append(market.now)
        volumes.append(market.volume())
    prints = market.floor.prints
    oldest = int(np.sort(prints.ts)[0])
    by = [_volume_by(market.floor, ts) for ts in times]
    known = [i for i, ts in enumerate(times) if ts >= oldest]
    assert len(known) > 5
    assert [by[i] for i in known] == [volumes[i] for i in known]
    first = int(prints.volume[np.argmin(prints.ts)])
    assert {by[i] for i, ts in enumerate(times) if ts < oldest} <= {first}


def _volume_by(floor: pit.Pit, ts: int) -> int:
    return int(pit.volume_by(floor, ts))


def test_what_happened_is_a_tape_like_any_other() -> None:
    """A tape is compiled by those who trust nobody, and its book ends as the market's did."""
    market = exchange(EVERYTHING, records=True)
    for i in range(60):
        step(market, 5)
        market.submit(1 - 2 * (i % 2), 100 + i, price((bid, ask)[i % 2](market) + i % 3))
        if i % 5 == 4:
            market.submit(1, 700, type="market")
            market.replace(i - 2, lots=150, price=price(bid(market)))
            market.cancel(i - 1)
    tape = market.tape()
    book = tape.new_book()
    end = Floor(tape.events, book, market.floor.rules, new_account(len(tape.level_ticks)))
    seek(end, tape.images, market.now, 0)
    ours = market.floor.book
    for row in range(2):
        shown = {
            int(ticks): int(lots)
            for ticks, lots in zip(ours.level_ticks, ours.levels[row]["lots"], strict=True)
            if lots
        }
        assert shown == {
            int(ticks): int(lots)
            for ticks, lots in zip(book.level_ticks, book.levels[row]["lots"], strict=True)
            if lots
        }
    assert tape.events.volume[-1] == market.volume()
    takers = sum(fill.lots for fill in market.fills() if not fill.maker)
    makers = sum(fill.lots for fill in market.fills() if fill.maker)
    assert takers > 0
    assert makers > 0
    with pytest.raises(ExchangeError, match="records: is off"):
        exchange().tape()


def test_schedules_do_not_chase_themselves() -> None:
    """What a worker sees of the market leaves his own orders out."""
    market = still()
    seen = look(market.floor, market.now)
    k = market.submit(1, 100, price(bid(market) + 1))
    step(market, 1e-9)
    assert market.ladder(1).bids[0] == (market.order(k).ticks, 100)
    assert look(market.floor, market.now) == seen


# --- whatever we do ------------------------------------------------------------------------------

ACTS = st.tuples(
    st.sampled_from(("limit", "ioc", "market", "cancel", "replace", "wait")),
    st.sampled_from((-1, 1)),
    st.integers(-6, 6),  # ticks from the own best price
    st.integers(1, 900),
    st.integers(0, 3_000),  # ms until the next
)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    acts=st.lists(ACTS, min_size=1, max_size=25),
    latency_ms=st.sampled_from((0.0, 40.0)),
)
def test_whatever_we_do_the_book_is_whole(
    seed: int, acts: list[tuple[str, int, int, int, int]], latency_ms: float
) -> None:
    venue = Venue(submit=Latency.constant(latency_ms))
    market = exchange(EVERYTHING, seed, venue=venue, max_orders=64)
    step(market, 30)
    sent: list[int] = []
    for act, side, away, lots, ms in acts:
        ladder = market.ladder(1)
        own = ladder.bids if side > 0 else ladder.asks
        at = price((own[0][0] if own else market.settings.start_ticks()) - side * away)
        if act in ("limit", "ioc"):
            sent.append(
                market.submit(side, lots, at, type=act, ttl_ms=500 if lots % 7 == 0 else None)
            )
        elif act == "market":
            sent.append(market.submit(side, lots, type="market"))
        elif sent and act == "cancel":
            market.cancel(sent[lots % len(sent)])
        elif sent and act == "replace":
            market.replace(sent[lots % len(sent)], lots=lots, price=at)
        step(market, ms / 1000)
        audit(market)


def test_saved_and_restored_with_orders_in_the_book() -> None:
    market = exchange(EVERYTHING, venue=Venue(submit=Latency.lognormal(5.0, 50.0)))

    def trade() -> tuple[Any, Any]:
        for i in range(20):
            market.submit(1 - 2 * (i % 2), 100 + i, price((bid, ask)[i % 2](market)))
            step(market, 3)
        return market.fills(), market.ladder(50)

    step(market, 60)
    trade()
    saved = market.save()
    first = trade()
    market.restore(saved)
    assert trade() == first
    venue = Venue(submit=Latency.lognormal(5.0, 50.0))
    others = {
        "other settings": exchange(MarketSettings(price_range=1.5), venue=venue),
        "another venue": exchange(EVERYTHING),
    }
    for what, other in others.items():
        with pytest.raises(ExchangeError, match=f"^saved: has {what}; restore it into a market"):
            other.restore(saved)
        assert other.fills() == []
