"""Days of one symbol on different ticks and lots: what is learnt and what it costs is the same as
on one grid, in currency and shares."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import flows
from env.market_days import INSTRUMENT, on_finer_grid, random_rows, session_of, tape_of
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episodes import CURRICULUM, EpisodeSettings, Pool, usual_touch
from paceline.env.history import History, Lesson
from paceline.env.policies import Urgency, parse_policy
from paceline.market import events as ev
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

N_DAYS = 14
"""Days of which impact can be fitted."""


def day_after(k: int) -> str:
    return (date(2024, 3, 4) + timedelta(days=k)).isoformat()


@cache
def plain_days() -> tuple[Tape, ...]:
    """Around 101 dollars: a spread of some ticks is narrow on any grid."""
    return tuple(
        tape_of(rows._replace(ticks=rows.ticks + 10_000), day_after(k))
        for k, rows in enumerate(map(random_rows, range(N_DAYS + 1)))
    )


@cache
def plain_lesson() -> Lesson:
    return History(plain_days()).before(plain_days()[-1])


def in_currency(lesson: Lesson, tape: Tape) -> list[float]:
    """All numbers of a lesson that have a price or a size in their unit, without it."""
    tick, lot, impact = float(tape.instrument.book_tick), float(tape.instrument.lot), lesson.impact
    assert impact is not None
    return [
        lesson.adv_lots * lot,
        lesson.session_lots * lot,
        *(one * tick for one in (impact.sigma.value, impact.sigma.std_error)),
        *(one * tick / lot for one in (impact.gamma.value, impact.gamma.std_error)),
        *(one * tick / lot for one in (impact.eta.value, impact.eta.std_error)),
        *(one * tick for one in (impact.epsilon.value, impact.epsilon.std_error)),
    ]


GRID = st.tuples(st.sampled_from([1, 2, 5, 10, 1000]), st.sampled_from([1, 4, 100]))


@flows.examples(15)
@given(st.lists(GRID, min_size=N_DAYS + 1, max_size=N_DAYS + 1))
def test_a_lesson_is_the_same_in_currency_whatever_grid_each_day_is_on(grids):
    tapes = [on_finer_grid(tape, *grid) for tape, grid in zip(plain_days(), grids, strict=True)]
    usual, found = plain_lesson(), History(tapes).before(tapes[-1])
    assert in_currency(found, tapes[-1]) == pytest.approx(
        in_currency(usual, plain_days()[-1]), rel=1e-9
    )
    np.testing.assert_allclose(found.curve.traded, usual.curve.traded, rtol=1e-12)
    assert found.recovery == usual.recovery
    assert (found.decay, usual.decay) == (None, None)
    assert found.notes == usual.notes
    histories = [History([*days[:1], days[-1]]) for days in (tapes, plain_days())]
    fine, plain = (usual_touch(h.tapes[-1], {"TINY": h}) for h in histories)
    assert fine * float(tapes[-1].instrument.lot) == pytest.approx(plain)


def test_a_lesson_on_a_coarser_lot_has_fractions_of_it():
    """One day in round lots of 100, the day before in shares: 250 shares are two and a half."""

    def day(lot: int, k: int) -> Tape:
        rows = [(0, ev.ADD, 1, 104, 9), (0, ev.ADD, -1, 107, 9), (700, ev.HIDDEN, 1, 105, lot)]
        ts, kind, side, ticks, lots = map(np.array, zip(*rows, strict=True))
        slot = np.array([0, 1, ev.NO_SLOT], np.int32)
        session = session_of(day_after(k))
        last = np.array([session.close_ns])
        rows = ev.Rows(
            np.append(session.open_ns + ts * NS_PER_S, last), np.append(kind, ev.HIDDEN),
            np.append(side, 1), np.append(ticks, 105), np.append(lots, lot), np.append(slot, -1),
        )  # fmt: skip
        return Tape.compile(rows, INSTRUMENT, session)

    shares, round_ = day(125, 0), day(8, 1)
    coarse = msgspec.structs.replace(INSTRUMENT, lot=100)
    round_ = Tape(
        msgspec.structs.replace(round_.manifest, instrument=coarse),
        round_.events, round_.level_ticks, round_.images,
    )  # fmt: skip
    lesson = History([shares, round_]).before(round_)
    assert (lesson.adv_lots, lesson.session_lots) == (2.5, 2.5)
    back = History([round_, day(125, 2)])
    assert back.before(back.tapes[-1]).adv_lots == 1600


@pytest.mark.parametrize(
    ("teachers", "traded"),
    [([(10, 1)] * 3, 1), ([(1, 100)] * 3, 1), ([(1, 1), (10, 4), (2, 100)], 1), ([(1, 1)] * 3, 10)],
    ids=["fine ticks", "fine lots", "mixed", "traded on a fine tick"],
)
def test_what_is_seen_and_what_it_costs_are_the_same(teachers, traded):
    """Our own orders keep their grid. All features of all decisions, and the cost of each order."""
    plain = plain_days()[:4]
    fine = [on_finer_grid(tape, *grid) for tape, grid in zip(plain[:3], teachers, strict=True)]
    fine.append(on_finer_grid(plain[3], traded, 1))
    seen, cost = zip(*(_worked(days) for days in (plain, fine)), strict=True)
    np.testing.assert_allclose(seen[0], seen[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(cost[0], cost[1], rtol=1e-9, atol=1e-9)


def _worked(days) -> tuple[np.ndarray, np.ndarray]:
    """What VWAP sees at each slice of eight orders on the last of `days`, and what they cost."""
    pool = Pool(days[-1:], EpisodeSettings(horizon_s=(300.0,)), taught_by=days)
    n, start = 8, days[-1].session.open_ns + (400 + 90 * np.arange(8)) * NS_PER_S
    given_ = pool.given(0, np.where(np.arange(n) % 2, 1, -1), np.full(n, 40), start,
                        start + 300 * NS_PER_S)  # fmt: skip
    env = BatchExecutionEnv(pool, n)
    found = [env.reset(options={"episodes": given_})[0].copy()]
    for _ in env.follow(parse_policy("vwap/touch/6", 6, 100.0), Urgency(None, None)):
        found.append(env.seen.copy())
    return np.stack(found), env.lives.progress["marked_bps"].copy()


def test_a_stage_takes_the_days_on_which_most_value_trades():
    """Twice the volume counts, and not that a size is written in lots of a hundredth."""
    quiet, busy = random_rows(3), random_rows(4)
    busy = busy._replace(lots=busy.lots * 2)
    days = [
        Tape.compile(_on(rows, day_after(k)), INSTRUMENT, session_of(day_after(k)))
        for k, rows in enumerate((quiet, quiet, busy, busy))
    ]
    fine = [on_finer_grid(days[1], 1, 100)]
    pool = Pool([*fine, days[3]], taught_by=[days[0], days[2]])
    pool.enter(CURRICULUM[0])
    assert pool.open_days.tolist() == [1]


def _on(rows: ev.Rows, day: str) -> ev.Rows:
    session = session_of(day)
    ts = session.open_ns + (rows.ts - flows.START) * NS_PER_S
    keep = ts <= session.close_ns
    return ev.Rows(*(column[keep] for column in rows._replace(ts=ts)))
