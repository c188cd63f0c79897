"""What must hold for every parent order, however the market and the delays fall."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import flows
from paceline.engine import account as acc
from paceline.engine import doors, replay
from paceline.engine.account import new_account
from paceline.engine.venue import Latency
from paceline.evaluate import backtest
from paceline.market import events as ev
from paceline.schedule.tactic import CROSS, INSIDE, MID, TOUCH

from .orders import (
    FAR,
    Case,
    alike,
    cases,
    no_delay,
    of_parent,
    parents_of,
    plan_of,
    same_logs,
    tape_of,
    venues,
    worked,
)

DEPTHS = st.sampled_from(("L3", "L2"))
STEPS = st.sampled_from((1, 1, 2))
TRADES = (ev.EXECUTE, ev.TRADE, ev.HIDDEN)


def aligned(case: Case, step: int) -> Case:
    """`case` with its band on an order grid of `step`."""
    low, high = case.band
    return Case(**{**case.__dict__, "band": (low + -low % step, high - high % step)})


def volume_by(rows, ts: int) -> int:
    """Lots that the market had traded by `ts`."""
    return int(rows.lots[np.isin(rows.kind, TRADES) & (rows.ts <= ts)].sum())


@flows.examples(300)
@given(DEPTHS, STEPS, flows.steps(), venues(), cases())
def test_limits_of_the_parent_order_are_kept(depth, step, steps, venue, case):
    case = aligned(case, step)
    tape = tape_of(flows.market(steps, depth), step)
    log = worked(tape, venue, case)
    orders, fills = of_parent(log, 0)

    assert fills["lots"].sum() <= case.lots, "never filled beyond the order"
    assert log.result["filled_lots"][0] == fills["lots"].sum()
    assert log.result["maker_lots"][0] == fills["lots"][fills["maker"] == 1].sum()
    assert log.result["children"][0] == len(orders)
    assert log.result["fills"][0] == len(fills)

    assert np.all(orders["side"] == case.side)
    assert np.all((orders["lots"] >= 1) & (orders["lots"] <= case.child_max))
    bound = case.band[1] if case.side > 0 else case.band[0]
    assert np.all(case.side * (bound - orders["ticks"]) >= 0), "no worse than the band"
    assert np.all(orders["ticks"] % step == 0)
    assert np.all((orders["sent_ts"] >= case.start) & (orders["sent_ts"] <= case.end))
    assert np.all(np.diff(orders["sent_ts"]) >= 0)
    assert not np.isin(orders["state"], (acc.IN_FLIGHT, acc.RESTING)).any(), "nothing is forgotten"
    assert not np.isin(orders["reason"], (acc.OFF_TICK, acc.NOT_POSITIVE, acc.ACCOUNT_FULL)).any()

    fastest = min(venue.submit.table_ns)
    for fill in fills:
        order = orders[fill["order"]]
        assert fill["ts"] >= order["sent_ts"] + fastest, "no fill before the order arrived"
        assert case.side * (bound - fill["ticks"]) >= 0
    filled = np.bincount(fills["order"], fills["lots"], minlength=len(orders))
    assert np.all(filled == orders["lots"] - orders["left"])


@flows.examples(200)
@given(DEPTHS, flows.steps(), venues(), cases(schedule=st.sampled_from(("twap", "front"))))
def test_a_schedule_is_never_overtaken(depth, steps, venue, case):
    """What is filled, may still fill and is sent now never exceeds what the slice has due."""
    log = worked(tape_of(flows.market(steps, depth)), venue, case)
    targets = plan_of([case]).targets[0]
    orders, _ = of_parent(log, 0)
    for k, order in enumerate(orders):
        exposed = 0
        for earlier in orders[:k]:
            over = earlier["told_ts"] <= order["sent_ts"]
            exposed += earlier["lots"] - earlier["left"] if over else earlier["lots"]
        left = targets[order["tag"] + 1] if order["tag"] < case.n_slices else 0
        assert exposed + order["lots"] <= case.lots - left
    if case.finish == 0:
        assert np.all(orders["tag"] < case.n_slices)
    assert np.all((orders["tag"] == case.n_slices) == (orders["sent_ts"] == case.end))


@flows.examples(200)
@given(
    DEPTHS,
    flows.steps(),
    venues(market_data=st.sampled_from((0, 3)).map(lambda ns: Latency((ns,)))),
    cases(share_ppm=st.sampled_from((50_000, 300_000, 500_000, 999_999))),
)
def test_participation_is_kept_at_every_send(depth, steps, venue, case):
    """Over the rolling window, ours (filled, working and sent now) is at most the share of all."""
    rows = flows.market(steps, depth)
    orders, fills = of_parent(worked(tape_of(rows), venue, case), 0)
    share = Fraction(case.share_ppm, 1_000_000)
    delay = venue.market_data.table_ns[0]
    for k, order in enumerate(orders):
        now = int(order["sent_ts"]) - delay
        since = now - case.window_ns
        recent = fills[(fills["ts"] > since) & (fills["ts"] <= now) & (fills["order"] < k)]
        before = np.bincount(
            fills["order"][fills["ts"] <= now], fills["lots"][fills["ts"] <= now], minlength=k
        )
        working = sum(
            int(e["lots"] - before[i]) for i, e in enumerate(orders[:k]) if e["done_ts"] > now
        )
        told = recent[(recent["displaced"] == 1) & (recent["told_ts"] <= order["sent_ts"])]
        became_ours = int(told["lots"].sum())  # for all we know the others are strangers
        others = max(volume_by(rows, now) - volume_by(rows, since) - became_ours, 0)
        own = int(recent["lots"].sum()) + working + int(order["lots"])
        assert Fraction(own, own + others) <= share


@flows.examples(200)
@given(DEPTHS, flows.steps(), cases(share_ppm=st.sampled_from((50_000, 300_000, 500_000))))
def test_participation_is_kept_by_everything_that_takes(depth, steps, case):
    """Orders that rested count again when they cross: no lot is taken above the share."""
    rows = flows.market(steps, depth)
    _, fills = of_parent(worked(tape_of(rows), no_delay(), case), 0)
    for i, fill in enumerate(fills):
        if fill["maker"]:
            continue
        now, since = fill["ts"], fill["ts"] - case.window_ns
        recent = fills[: i + 1][fills["ts"][: i + 1] > since]
        became_ours = int(recent["lots"][recent["displaced"] == 1].sum())
        others = max(volume_by(rows, now) - volume_by(rows, since) - became_ours, 0)
        own = int(recent["lots"].sum())
        assert Fraction(own, own + others) <= Fraction(case.share_ppm, 1_000_000)


def test_what_took_and_was_not_told_of_counts_for_participation():
    """Others trade 8 lots, then 12. Eight of ours take at 1020 and are never told of; at 1040 the
    first 8 lots have left the window, so 12 may be ours, and 4 more can take."""
    flow = flows.Flow(ts=980)
    flow.join(ev.ADD, 1, 104, 90)
    flow.join(ev.ADD, -1, 107, 90)
    for ts, lots in ((990, 8), (1010, 12)):
        flow.ts = ts
        flow.put(ev.HIDDEN, -1, 106, lots)
    case = Case(lots=16, length=40, n_slices=2, share_ppm=500_000, window_ns=45, child_max=90)
    venue = no_delay(ack=Latency((1000,)))
    log = worked(tape_of(flows.rows_of(flow.rows)), venue, case)
    _, fills = of_parent(log, 0)
    assert [(f["ts"], f["lots"], f["maker"]) for f in fills] == [(1020, 8, 0), (1040, 4, 0)]


@flows.examples(200)
@given(DEPTHS, flows.steps(), cases())
def test_no_limit_makes_a_resting_placement_take(depth, steps, case):
    orders, fills = of_parent(worked(tape_of(flows.market(steps, depth)), no_delay(), case), 0)
    order = orders[fills["order"]]
    at_once = (fills["maker"] == 0) & (fills["ts"] == order["first_ts"])
    # A slice may be so short that its order crosses in the instant in which it was placed.
    turned = (order["type"] == acc.IOC) & (order["arrived_ts"] == order["first_ts"])
    assert not np.any(at_once & (order["first_type"] == acc.LIMIT) & ~turned)


@flows.examples(200)
@given(
    DEPTHS,
    flows.steps(),
    venues(market_data=st.sampled_from((0, 3)).map(lambda ns: Latency((ns,)))),
    cases(schedule=st.just("pov"), finish=st.just(0)),
)
def test_pov_never_sends_above_its_rate(depth, steps, venue, case):
    rows = flows.market(steps, depth)
    orders, fills = of_parent(worked(tape_of(rows), venue, case), 0)
    delay = venue.market_data.table_ns[0]
    for k, order in enumerate(orders):
        now = int(order["sent_ts"]) - delay
        past = fills[(fills["ts"] <= now) & (fills["order"] < k)]
        became_ours = int(past["lots"][past["displaced"] == 1].sum())
        others = max(volume_by(rows, now) - volume_by(rows, case.start) - became_ours, 0)
        before = np.bincount(past["order"], past["lots"], minlength=k)
        working = sum(
            int(e["lots"] - before[i]) for i, e in enumerate(orders[:k]) if e["done_ts"] > now
        )
        own = int(past["lots"].sum()) + working + int(order["lots"])
        assert Fraction(own, own + others) <= Fraction(1, 4)


@flows.examples(200)
@given(
    DEPTHS,
    flows.steps(),
    cases(finish=st.just(1), share_ppm=st.just(0), child_max=st.sampled_from((FAR, 1, 3))),
)
def test_a_sweep_leaves_nothing_that_the_visible_book_can_give(depth, steps, case):
    rows = flows.market(steps, depth)
    tape = tape_of(rows)
    log = worked(tape, no_delay(), case)
    _, fills = of_parent(log, 0)
    left = case.lots - int(fills["lots"].sum())
    if left == 0:
        return
    floor = replay.Floor(
        tape.events, tape.new_book(), flows.plain_rules(), new_account(len(tape.level_ticks))
    )
    doors.seek(floor, tape.images, case.end, 0)
    if floor.account.clock[0]["stopped"]:
        return
    other = floor.book.levels[1 if case.side > 0 else 0]["lots"]
    low, high = case.band
    reach = tape.level_ticks <= high if case.side > 0 else tape.level_ticks >= low
    # Lots that came in against our resting order in the last instant are ours, too.
    crossed = np.isin(rows.kind[np.minimum(fills["event"], len(rows.kind) - 1)], (ev.ADD, ev.LEVEL))
    took = ((fills["maker"] == 0) | crossed) & (fills["ts"] == case.end)
    assert fills["lots"][took].sum() >= other[reach].sum()


@flows.examples(100)
@given(DEPTHS, flows.steps(), venues(), cases(finish=st.just(0)))
def test_leaving_the_rest_calls_everything_back(depth, steps, venue, case):
    orders, fills = of_parent(worked(tape_of(flows.market(steps, depth)), venue, case), 0)
    assert np.all(orders["sent_ts"] < case.end)
    slowest = max(venue.submit.table_ns)
    late = fills[fills["ts"] > case.end + slowest]
    assert not len(late), "nothing trades after the cancels have arrived"


@flows.examples(100)
@given(DEPTHS, flows.steps(), venues(), st.lists(cases(), min_size=2, max_size=5))
def test_orders_do_not_know_of_one_another(depth, steps, venue, batch):
    tape = tape_of(flows.market(steps, depth))
    batch = [alike(batch[0], case) for case in batch]
    together = worked(tape, venue, *batch)
    for i, case in enumerate(batch):
        alone = worked(tape, venue, case)
        for mine, theirs in zip(of_parent(together, i), of_parent(alone, 0), strict=True):
            assert mine.tobytes() == theirs.tobytes()
        assert together.result[i] == alone.result[0]
    assert same_logs(together, worked(tape, venue, *batch)), "the same seeds give the same bits"


@flows.examples(100)
@given(DEPTHS, flows.steps(), venues(), cases(), st.integers(0, 90))
def test_nobody_sees_the_future(depth, steps, venue, case, at):
    """Another market after `at` changes nothing that was sent by then, or known by then."""
    rows = flows.market(steps, depth)
    cut = flows.START + at
    other = flows.market([(dt, what, a + 1, b + 3, c + 5) for dt, what, a, b, c in steps], depth)
    tail = np.flatnonzero(rows.ts > cut)
    keep = rows.ts <= cut
    if not keep.any() or not len(tail):
        return
    # After the cut: nothing but prints far away, which no book needs to hold.
    prints = np.full(len(tail), ev.HIDDEN, np.uint8)
    changed = rows._replace(
        kind=np.concatenate([rows.kind[keep], prints]),
        side=np.concatenate([rows.side[keep], np.ones(len(tail), np.int8)]),
        ticks=np.concatenate([rows.ticks[keep], other.ticks[0] - 40 + np.zeros(len(tail), int)]),
        lots=np.concatenate([rows.lots[keep], np.full(len(tail), 977)]),
        slot=np.concatenate([rows.slot[keep], np.full(len(tail), -1, np.int32)]),
    )
    one, two = (of_parent(worked(tape_of(r), venue, case), 0) for r in (rows, changed))
    unseen = min(venue.market_data.table_ns)
    for mine, theirs in zip(*(o[0][o[0]["sent_ts"] <= cut + unseen] for o in (one, two)),
                            strict=True):  # fmt: skip
        # An order that was replaced has its last size.
        as_sent = all(
            (order["asked_type"], order["asked_ticks"])
            == (order["first_type"], order["first_ticks"])
            for order in (mine, theirs)
        )
        for name in ("sent_ts", "tag", *(["lots"] if as_sent else [])):
            assert mine[name] == theirs[name]
        if mine["done_ts"] <= cut or theirs["done_ts"] <= cut:
            for name in set(mine.dtype.names) - {"level"}:  # a row of the price table
                assert mine[name] == theirs[name]
    fills = [o[1][o[1]["ts"] <= cut] for o in (one, two)]
    for name in ("order", "ts", "ticks", "lots", "maker", "shift"):
        assert np.array_equal(fills[0][name], fills[1][name])


@pytest.mark.parametrize("delay", [1, 7])
@pytest.mark.parametrize("placement", [CROSS, TOUCH, INSIDE, MID])
def test_the_first_look_is_as_late_as_the_others(placement, delay):
    """Market data of the last `delay` ns has not arrived when the order starts."""
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 100, 9)
    flow.join(ev.ADD, -1, 110, 9)
    flow.ts = 2000
    flow.join(ev.ADD, 1, 104, 9)
    flow.join(ev.ADD, -1, 107, 9)
    case = Case(start=1999 + delay, placement=placement, n_slices=1, lots=1, collar_bps=0.0,
                finish=0)  # fmt: skip
    venue = no_delay(market_data=Latency((delay,)))
    log = worked(tape_of(flows.rows_of(flow.rows)), venue, case)
    expected = {CROSS: 110, TOUCH: 100, INSIDE: 101, MID: 105}[placement]
    assert log.orders["ticks"].tolist() == [expected]


@flows.examples(40)
@given(flows.steps(), venues(), st.lists(cases(), min_size=5, max_size=5), st.integers(1, 5))
def test_chunks_change_nothing(steps, venue, batch, chunk):
    tape = tape_of(flows.market(steps, "L3"))
    batch = [alike(batch[0], case) for case in batch]
    usual = worked(tape, venue, *batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtest, "_CHUNK", chunk)
        assert same_logs(usual, worked(tape, venue, *batch))


@pytest.mark.parametrize("placement", [CROSS, TOUCH])
def test_many_small_children_find_room(placement):
    """A child_max of one lot: hundreds of child orders at once, and of fills."""
    flow = flows.Flow()
    for _ in range(700):
        flow.join(ev.ADD, -1, 107, 1)
    flow.join(ev.ADD, 1, 104, 5)
    case = Case(lots=600, n_slices=3, placement=placement, child_max=1)
    log = worked(tape_of(flows.rows_of(flow.rows)), no_delay(), case, case)
    assert log.result["filled_lots"].tolist() == [600, 600]
    assert log.result["children"].tolist() == [600, 600]


@pytest.mark.parametrize("placement", [TOUCH, MID])
@pytest.mark.parametrize("side", [1, -1])
def test_the_end_sweeps_beyond_the_collar(placement, side):
    """The collar is for slices. What is left at the end takes the visible book inside the band."""
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 104, 2)
    flow.join(ev.ADD, 1, 101, 20)
    flow.join(ev.ADD, -1, 107, 2)
    flow.join(ev.ADD, -1, 110, 20)
    tape = tape_of(flows.rows_of(flow.rows))
    case = Case(side=side, lots=12, n_slices=1, placement=placement, collar_bps=0.0)
    _, fills = of_parent(worked(tape, no_delay(), case), 0)
    near, far = (107, 110) if side > 0 else (104, 101)
    assert [(f["ticks"], f["lots"]) for f in fills] == [(near, 2), (far, 10)]
    banded = Case(**{**case.__dict__, "band": (103, 108)})
    _, fills = of_parent(worked(tape, no_delay(), banded), 0)
    assert [(f["ticks"], f["lots"]) for f in fills] == [(near, 2)]


def test_what_rests_is_called_back_when_the_other_side_is_empty():
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 104, 2)
    flow.join(ev.ADD, -1, 107, 2)
    flow.ts += 10
    flow.leave(ev.DELETE, (-1, 107), 0, 2)
    case = Case(lots=12, n_slices=1, placement=TOUCH)
    orders, fills = of_parent(worked(tape_of(flows.rows_of(flow.rows)), no_delay(), case), 0)
    assert not len(fills)
    assert not np.isin(orders["state"], (acc.IN_FLIGHT, acc.RESTING)).any()


def test_fewer_lots_than_slices_and_odd_remainders():
    """Two lots in five slices trade one by one; seven in three slices as 2, 3, 2."""
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 104, 50)
    flow.join(ev.ADD, -1, 107, 50)
    tape = tape_of(flows.rows_of(flow.rows))
    for lots, n_slices, sizes in ((2, 5, [1, 1]), (7, 3, [2, 3, 2]), (1, 9, [1])):
        case = Case(lots=lots, n_slices=n_slices, placement=CROSS)
        orders, fills = of_parent(worked(tape, no_delay(), case), 0)
        assert orders["lots"].tolist() == fills["lots"].tolist() == sizes


def test_only_recorded_trades_that_became_ours_leave_the_market_volume():
    """Ours rests at 105. At 1005 a print of 6 at our price is ours; at 1010 an offer of 3 comes in
    at 105 and meets the rest, which no recorded trade ever held."""
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 104, 90)
    flow.join(ev.ADD, -1, 107, 90)
    flow.ts = 1005
    flow.put(ev.TRADE, 1, 105, 6)
    flow.ts = 1010
    flow.join(ev.ADD, -1, 105, 3)
    case = Case(lots=9, length=40, n_slices=1, placement=INSIDE)
    log = worked(tape_of(flows.rows_of(flow.rows)), no_delay(), case)
    _, fills = of_parent(log, 0)
    assert [(f["ts"], f["lots"], f["maker"], f["displaced"]) for f in fills] == [
        (1005, 6, 1, 1), (1010, 3, 1, 0),
    ]  # fmt: skip
    assert (log.result["market_lots"][0], log.result["displaced_lots"][0]) == (6, 6)


def test_a_move_that_is_on_its_way_is_not_asked_for_again():
    """The touch goes from 104 to 105 once. Looking every 2 ns with a delay of 20, one message is
    enough, and the order it moved is not moved back."""
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 104, 90)
    flow.join(ev.ADD, -1, 107, 90)
    flow.ts = 1030
    flow.join(ev.ADD, 1, 105, 90)
    case = Case(lots=9, length=59, n_slices=1, placement=TOUCH, repeg_ns=2, finish=0)
    log = worked(tape_of(flows.rows_of(flow.rows)), no_delay(submit=Latency((20,))), case)
    orders, _ = of_parent(log, 0)
    assert log.result["replaces"][0] == 1
    assert (orders["first_ticks"][0], orders["ticks"][0]) == (104, 105)
    assert orders["arrived_ts"][0] == 1050


def test_market_volume_is_that_of_the_horizon():
    """Prints from start (excluded: they were there) to end (included), whatever the delays."""
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 104, 50)
    flow.join(ev.ADD, -1, 107, 50)
    for ts, lots in ((1010, 1), (1020, 2), (1030, 4), (1050, 8), (1051, 16)):
        flow.ts = ts
        flow.put(ev.HIDDEN, 1, 105, lots)
    tape = tape_of(flows.rows_of(flow.rows))
    parent = Case(start=1020, length=30, placement=CROSS)
    for venue in (no_delay(), no_delay(market_data=Latency((15,)), submit=Latency((7,)))):
        assert worked(tape, venue, parent).result["market_lots"].tolist() == [12]


def test_no_parents_no_log():
    tape = tape_of(flows.market([], "L3"))
    log = backtest.work_all(tape, no_delay(), parents_of([]), plan_of([Case()]))
    assert len(log.result) == len(log.orders) == len(log.fills) == 0
