"""Parent orders, plans and small tapes for the worker, and what its log says."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from engine import flows
from paceline.engine.queue import FillModel
from paceline.engine.venue import Footprint, Latency, Venue
from paceline.env.working import PARENT_RECORD, Log, Plan
from paceline.evaluate.backtest import work_all
from paceline.market.session import Session
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument
from paceline.schedule import pov, twap
from paceline.schedule.tactic import CROSS, INSIDE, MID, TOUCH
from paceline.schedule.trajectory import round_to_lots, slice_bounds

FAR = 1 << 40
AT_ONCE = 1e-12
"""Half-life, in seconds, of a footprint that is gone within a ns."""


def tape_of(rows, order_step: int = 1) -> Tape:
    """A tape in ns, with ticks of one currency unit."""
    instrument = Instrument(symbol="TINY", book_tick=1, order_tick=order_step)
    session = Session(day="1970-01-01", zone="UTC", open_ns=0, close_ns=flows.ANYWHERE)
    return Tape.compile(rows, instrument, session)


@dataclass(frozen=True)
class Case:
    """One parent order and how to work it."""

    side: int = 1
    lots: int = 20
    start: int = flows.START
    length: int = 60
    n_slices: int = 4
    schedule: str = "twap"  # or "front" (half of the rest in every slice) or "pov"
    placement: int = TOUCH
    repeg_ns: int = 0
    collar_bps: float = 300.0
    finish: int = 1
    band: tuple[int, int] = (-FAR, FAR)
    child_max: int = FAR
    share_ppm: int = 0
    window_ns: int = 30
    seed: int = 1

    @property
    def end(self) -> int:
        return self.start + self.length


def cases(**fixed) -> st.SearchStrategy[Case]:
    """Orders of all kinds on the tapes of `flows`; `fixed` strategies replace the usual ones."""
    lots = st.one_of(st.integers(1, 12), st.integers(1, 80))
    wide = st.just((-FAR, FAR))
    bands = st.tuples(st.sampled_from((100, 102, 104)), st.sampled_from((106, 108, 110)))
    parts: dict[str, st.SearchStrategy] = {
        "side": st.sampled_from((1, -1)),
        "lots": lots,
        "start": st.integers(flows.START - 3, flows.START + 40),
        "length": st.integers(1, 90),
        "n_slices": st.integers(1, 9),
        "schedule": st.sampled_from(("twap", "front", "pov")),
        "placement": st.sampled_from((CROSS, TOUCH, INSIDE, MID)),
        "repeg_ns": st.sampled_from((0, 0, 1, 4)),
        "collar_bps": st.sampled_from((0.0, 100.0, 300.0)),
        "finish": st.sampled_from((0, 1)),
        "band": st.one_of(wide, wide, bands),
        "child_max": st.sampled_from((FAR, FAR, 1, 3)),
        "share_ppm": st.sampled_from((0, 0, 100_000, 500_000)),
        "window_ns": st.sampled_from((5, 30, 1000)),
        "seed": st.integers(0, 2**62),
    }
    parts.update(fixed)
    return st.builds(Case, **parts)


def venues(**fixed) -> st.SearchStrategy[Venue]:
    """Venues with delays that matter on tapes of a hundred ns."""
    delays = st.one_of(
        st.just((0,)),
        st.tuples(st.integers(0, 12)),
        st.lists(st.integers(0, 25), min_size=2, max_size=4).map(tuple),
    ).map(Latency)
    footprint = st.builds(
        Footprint,
        recovery_half_life_s=st.sampled_from((float("inf"), 5e-9, AT_ONCE)),
        permanent_ticks_per_lot=st.sampled_from((0.0, 0.0, 0.25)),
    )
    parts: dict[str, st.SearchStrategy] = {
        "fill_model": st.sampled_from(tuple(FillModel)),
        "submit": delays,
        "ack": delays,
        "market_data": delays,
        "footprint": footprint,
    }
    parts.update(fixed)
    return st.builds(Venue, **parts)


def no_delay(**changes) -> Venue:
    """A venue without delays where what we take is back a ns later."""
    return Venue(footprint=Footprint(recovery_half_life_s=AT_ONCE), **changes)


def parents_of(cases_) -> np.ndarray:
    """PARENT_RECORD of cases."""
    parents = np.zeros(len(cases_), PARENT_RECORD)
    for row, case in zip(parents, cases_, strict=True):
        row["side"], row["lots"], row["seed"] = case.side, case.lots, case.seed
        row["start_ts"], row["end_ts"] = case.start, case.end
        row["band_low"], row["band_high"] = case.band
        row["child_max"], row["share_ppm"] = case.child_max, case.share_ppm
        row["window_ns"] = case.window_ns
    return parents


def plan_of(cases_) -> Plan:
    """The plan of cases that differ in nothing a plan holds."""
    first = cases_[0]
    parents = parents_of(cases_)
    if first.schedule == "front":
        left = np.append(0.5 ** np.arange(first.n_slices), 0.0)
        targets = round_to_lots(parents["lots"], left)
    else:
        targets = twap.target(parents["lots"], first.n_slices)
    return Plan(
        targets=targets,
        bounds=slice_bounds(parents["start_ts"], parents["end_ts"], first.n_slices),
        pov_ppm=pov.rate_ppm(0.25) if first.schedule == "pov" else 0,
        placement=first.placement,
        repeg_ns=first.repeg_ns,
        collar_bps=first.collar_bps,
        finish=first.finish,
    )


def worked(tape: Tape, venue: Venue, case: Case, *others: Case) -> Log:
    """The log of `case`, or of it and `others` in one batch."""
    batch = [case, *others]
    return work_all(tape, venue, parents_of(batch), plan_of(batch))


def alike(case: Case, other: Case) -> Case:
    """`other`, worked by the plan of `case`."""
    return replace(
        other,
        **{
            name: getattr(case, name)
            for name in ("n_slices", "schedule", "placement", "repeg_ns", "collar_bps", "finish")
        },
    )


def same_logs(one: Log, other: Log) -> bool:
    """Whether two logs agree bit for bit."""
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def of_parent(log: Log, i: int) -> tuple[np.ndarray, np.ndarray]:
    """(children, fills) of parent `i`; fills count children from 0."""
    children = np.flatnonzero(log.order_parent == i)
    fills = log.fills[log.fill_parent == i].copy()
    if len(fills):
        fills["order"] -= children[0]
    return log.orders[children], fills
