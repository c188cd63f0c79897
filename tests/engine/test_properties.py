"""What must hold in every market and for every plan, checked on the kernels alone."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paceline.engine import account as acc
from paceline.engine import doors
from paceline.engine.queue import CALIBRATED, OPTIMISTIC, PESSIMISTIC
from paceline.market import events as ev

from . import flows
from .twin import MarketBook

DEPTHS = st.sampled_from(("L3", "L2"))
SEEDS = st.integers(0, 2**63 - 1)
TRADES = (ev.EXECUTE, ev.TRADE, ev.HIDDEN)


def played(depth, steps, rules, plan, seed=0):
    """(rows, kernels) after `plan` and the whole tape."""
    rows = flows.market(steps, depth)
    floor, _ = flows.floor_on(rows, rules, seed=seed)
    kernels = flows.Kernels(floor)
    flows.play(kernels, plan, end=int(rows.ts[-1]) + 100)
    assert floor.account.clock[0]["full"] == 0
    return rows, kernels


def events_of(rows):
    """(index, ts, kind, side, ticks, lots, slot) of each row, in plain integers."""
    columns = (rows.ts, rows.kind, rows.side, rows.ticks, rows.lots, rows.slot)
    for i, row in enumerate(zip(*columns, strict=True)):
        yield i, *(int(x) for x in row)


@flows.examples(150)
@given(DEPTHS, flows.steps(), flows.random_rules(), flows.actions(), SEEDS)
def test_our_shares_are_conserved(depth, steps, rules, plan, seed):
    _, kernels = played(depth, steps, rules, plan, seed)
    filled = np.zeros(len(kernels.orders), np.int64)
    for fill in kernels.fills:
        assert fill["lots"] > 0
        filled[fill["order"]] += fill["lots"]
    for order, lots in zip(kernels.orders, filled, strict=True):
        if order["reason"] == acc.NOT_POSITIVE:
            assert lots == 0
            continue
        assert order["left"] >= 0
        assert order["lots"] - order["left"] == lots, "never beyond the order"
        assert (order["state"] == acc.FILLED) <= (order["left"] == 0)
        assert (order["state"] == acc.RESTING) <= (order["left"] > 0)
    maker = kernels.fills["lots"][kernels.fills["maker"] == 1].sum()
    assert kernels.floor.account.clock[0]["maker_lots"] == maker
    displaced = kernels.fills["lots"][kernels.fills["displaced"] == 1].sum()
    assert kernels.floor.account.clock[0]["displaced_lots"] == displaced <= maker


@flows.examples(100)
@given(DEPTHS, flows.steps(), flows.random_rules(), flows.actions(), SEEDS)
def test_the_recorded_book_never_notices_us(depth, steps, rules, plan, seed):
    rows, kernels = played(depth, steps, rules, plan, seed)
    _, alone = played(depth, steps, rules, [], seed)
    for ours, recorded in zip(kernels.floor.book, alone.floor.book, strict=True):
        assert ours.tobytes() == recorded.tobytes()
    shown = MarketBook()
    came = gone = 0
    for i, _, kind, side, ticks, lots, slot in events_of(rows):
        before = shown.shown(side, ticks)
        if kind in (ev.ADD, ev.SEED) and slot >= 0:
            came += lots
        elif kind in (ev.LEVEL, ev.SEED):
            came += lots - before
        elif kind in (ev.REDUCE, ev.DELETE, ev.EXECUTE, ev.UNSEEN):
            gone += lots
        elif kind == ev.CLEAR:
            came = gone = 0
        shown.change(i, kind, side, ticks, lots, slot)
    assert alone.floor.book.levels["lots"].sum() == came - gone


@flows.examples(150)
@given(DEPTHS, flows.steps(), flows.random_rules(), flows.actions(), SEEDS)
def test_price_limits_are_kept(depth, steps, rules, plan, seed):
    _, kernels = played(depth, steps, rules, plan, seed)
    prices: list[set[int]] = []
    markets: set[int] = set()
    for action in plan:
        if action.what == "submit":
            prices.append({action.ticks})
            k = len(prices) - 1
        elif action.what == "replace" and prices:
            k = action.order % len(prices)
            prices[k].add(action.ticks)
        else:
            continue
        if action.type == acc.MARKET:
            markets.add(k)
    for fill in kernels.fills:
        k, ticks = int(fill["order"]), int(fill["ticks"])
        if fill["maker"]:
            assert ticks in prices[k], "a resting order trades at its own price"
        elif k not in markets:
            side = int(kernels.orders[k]["side"])
            assert side * ticks <= max(side * price for price in prices[k])


@flows.examples(150)
@given(DEPTHS, flows.steps(), flows.random_rules(), flows.actions(), SEEDS)
def test_races_have_one_winner_and_messages_keep_their_order(depth, steps, rules, plan, seed):
    _, kernels = played(depth, steps, rules, plan, seed)
    orders, fills = kernels.orders, kernels.fills
    fastest, ack = rules.submit_ns.min(), rules.ack_ns.min()
    replaced = any(action.what == "replace" for action in plan)
    for order in orders:
        if order["arrived_ts"]:
            assert order["arrived_ts"] >= order["sent_ts"] + fastest
        over = order["state"] not in (acc.IN_FLIGHT, acc.RESTING)
        assert over == (order["done_ts"] < acc.NEVER) == (order["told_ts"] < acc.NEVER)
        if over:
            assert order["told_ts"] >= order["done_ts"] + ack
        if order["state"] == acc.EXPIRED:
            assert order["done_ts"] == order["expires_ts"]
    for fill in fills:
        order = orders[fill["order"]]
        assert fill["ts"] >= order["sent_ts"] + fastest
        assert fill["ts"] >= order["arrived_ts"] or replaced
        assert fill["ts"] <= order["done_ts"], "nothing trades after its end"
        assert fill["ts"] <= order["expires_ts"]
        assert fill["told_ts"] >= fill["ts"] + ack
        assert fill["told_ts"] <= order["told_ts"]
    for before, after in pairwise(fills):
        assert before["ts"] <= after["ts"]
        assert before["told_ts"] <= after["told_ts"]
    if not replaced:
        arrived = [order["arrived_ts"] for order in orders if order["arrived_ts"]]
        assert arrived == sorted(arrived)
    acc.learn(kernels.floor.account, acc.NEVER - 1)
    for k, order in enumerate(kernels.orders):
        assert order["told_filled"] == fills["lots"][fills["order"] == k].sum()


@flows.examples(200)
@given(DEPTHS, flows.steps(), flows.random_rules(recovery_per_ns=0.0), flows.actions())
def test_nothing_fills_twice_from_the_same_liquidity(depth, steps, rules, plan):
    """No event of the market serves us beyond its size, and what we take from a level is never
    more than ever came to it; without recovery, what is taken stays taken."""
    rows, kernels = played(depth, steps, rules, plan)
    book = MarketBook()
    taken: dict[tuple[int, int], int] = {}
    came: dict[tuple[int, int], int] = {}
    since: dict[tuple[int, int], int] = {}  # taken since the level's last event
    fills = list(kernels.fills)

    def take(side, ticks, lots):
        key = (side, ticks)
        taken[key] = taken.get(key, 0) + lots
        since[key] = since.get(key, 0) + lots
        assert taken[key] <= came.get(key, 0)
        assert since[key] <= book.shown(*key)

    def take_before(i):
        """Our taking orders that arrived when `i` events had happened."""
        while fills and fills[0]["event"] == i and not fills[0]["maker"]:
            fill = fills.pop(0)
            take(-int(kernels.orders[fill["order"]]["side"]), int(fill["ticks"]), int(fill["lots"]))

    for i, _, kind, side, ticks, lots, slot in events_of(rows):
        take_before(i)
        key = (side, ticks)
        fresh = lots
        if kind in (ev.LEVEL, ev.SEED) and slot < 0:
            fresh = max(lots - book.shown(*key), 0)
        if kind in (ev.ADD, ev.LEVEL, ev.SEED):
            came[key] = came.get(key, 0) + fresh
        book.change(i, kind, side, ticks, lots, slot)
        since[key] = 0
        ours = 0
        while fills and fills[0]["event"] == i and fills[0]["maker"]:
            fill = fills.pop(0)
            ours += int(fill["lots"])
            if kind in (ev.ADD, ev.LEVEL):
                take(side, ticks, int(fill["lots"]))
        if ours:
            assert kind in (*TRADES, ev.ADD, ev.LEVEL)
            assert ours <= fresh
    take_before(len(rows.ts))
    assert not fills


@flows.examples(200)
@given(
    steps=flows.steps(),
    side=st.sampled_from((1, -1)),
    ticks=st.integers(102, 109),
    wait=st.integers(0, 30),
)
def test_our_turn_comes_after_every_share_that_was_in_front(steps, side, ticks, wait):
    """Exact places, where the tape names its orders (L3)."""
    rules = flows.plain_rules(fill_model=CALIBRATED)
    order = flows.Action(dt=wait, what="submit", side=side, ticks=ticks, lots=25)
    rows, kernels = played("L3", steps, rules, [order])
    if not kernels.orders["seq"][0]:
        return  # it never rested
    book, in_front = MarketBook(), []
    fills = {int(f["event"]): f for f in kernels.fills if f["maker"]}
    for i, _, kind, row_side, row_ticks, lots, slot in events_of(rows):
        if i == kernels.orders["seq"][0]:
            in_front = list(book.queues.get((side, ticks), []))
        book.change(i, kind, row_side, row_ticks, lots, slot)
        if in_front and kind == ev.SEED and (row_side, row_ticks) == (side, ticks):
            return  # the queue hid lots of unknown place
        if kind == ev.CLEAR:
            in_front = []
        if i in fills and row_ticks == ticks:
            assert sum(other.lots for other in in_front) == 0


@flows.examples(200)
@given(
    DEPTHS,
    flows.steps(),
    flows.random_rules(),
    flows.actions(types=(acc.LIMIT,), sides=(1,), replaces=False),
)
def test_our_own_orders_at_one_price_fill_in_order(depth, steps, rules, plan):
    _, kernels = played(depth, steps, rules, plan)
    orders = kernels.orders
    for first, second in combinations(range(len(orders)), 2):
        if orders[first]["ticks"] != orders[second]["ticks"] or not orders[first]["arrived_ts"]:
            continue
        for fill in kernels.fills:
            if fill["order"] == second and fill["maker"]:
                assert orders[first]["done_ts"] <= fill["ts"]


@flows.examples(100)
@given(DEPTHS, flows.steps(), flows.random_rules(), flows.actions(), SEEDS)
def test_the_same_seed_gives_the_same_bits(depth, steps, rules, plan, seed):
    rows, one = played(depth, steps, rules, plan, seed)
    _, other = played(depth, steps, rules, plan, seed)
    for mine, theirs in zip(one.floor.account, other.floor.account, strict=True):
        assert mine.tobytes() == theirs.tobytes()
    # An account that has lived before forgets all of it.
    floor, images = flows.floor_on(rows, rules, seed=seed)
    used = flows.Kernels(floor)
    flows.play(used, plan[::-1], end=int(rows.ts[-1]))
    doors.seek(floor, images, flows.START, seed)
    flows.play(used, plan, end=int(rows.ts[-1]) + 100)
    assert used.orders.tobytes() == one.orders.tobytes()
    assert used.fills.tobytes() == one.fills.tobytes()
    assert floor.account.clock.tobytes() == one.floor.account.clock.tobytes()


@flows.examples(200)
@given(
    DEPTHS,
    flows.steps(),
    st.sampled_from((1.0, 0.5, 2.0, 3.3)),
    st.sampled_from((1, -1)),
    st.integers(102, 109),
    st.integers(1, 40),
    st.integers(0, 30),
)
def test_a_more_hopeful_model_is_never_behind(depth, steps, exponent, side, ticks, lots, wait):
    """For one resting order: pessimistic lots ahead >= calibrated >= optimistic, at all times,
    and the other way round for what has traded."""
    rows = flows.market(steps, depth)
    rivals = []
    for model in (PESSIMISTIC, CALIBRATED, OPTIMISTIC):
        rules = flows.plain_rules(fill_model=model, cancel_exponent=exponent)
        rivals.append(flows.Kernels(flows.floor_on(rows, rules)[0]))
    for kernels in rivals:
        kernels.advance(flows.START + wait)
        kernels.submit(side, acc.LIMIT, ticks, lots, 0, flows.START + wait)
    for ts in range(flows.START + wait, int(rows.ts[-1]) + 2):
        for kernels in rivals:
            kernels.advance(ts)
        traded = [kernels.fills["lots"].sum() for kernels in rivals]
        assert traded == sorted(traded)
        ahead = [float(k.orders["ahead"][0]) for k in rivals if k.orders["state"][0] == acc.RESTING]
        assert all(more >= less - 1e-9 for more, less in pairwise(ahead))
