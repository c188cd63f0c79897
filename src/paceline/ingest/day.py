"""From a day's rows and the verdicts on its raw rows to a tape with its quality report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.errors import IngestError, PacelineError
from paceline.ingest.auctions import SetAside, auctions_aside, executions_aside, halted
from paceline.ingest.breaks import with_breaks
from paceline.ingest.doubtful import believed_sides, far_prints
from paceline.ingest.quality import (
    AUCTION_EXECUTION,
    CHECKS,
    FAR_PRINT,
    KEPT_FROM,
    OK,
    SEQUENCE_GAP,
    UNKNOWN_EXECUTED,
    Limits,
)
from paceline.ingest.refusals import (
    refuse_if_bad,
    refuse_if_contradicted,
    refuse_if_crossed,
    refuse_if_of_another_day,
)
from paceline.ingest.sources import RawFile
from paceline.market.events import CROSS, HALT, HIDDEN, TRADE, Rows
from paceline.market.executions import are_trades
from paceline.market.session import Session
from paceline.market.tape import Finding, Inferred, Quality, Source, Tape
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_S

UNKNOWN_TS = np.iinfo(np.int64).min
"""Time of a raw row that has none."""


class Recording(NamedTuple):
    """A day that raw files hold; nothing of it has been read yet."""

    symbol: str
    day: str
    files: tuple[RawFile, ...]
    made_by: str
    """Format and version; a tape made by another version is not up to date."""
    read: Callable[[], RawDay]
    lines: int = 0
    """Raw rows, where they are counted before they are read."""


def each_alone(
    files: list[RawFile], of_file: Callable[[RawFile], Iterable[Recording]]
) -> list[Recording]:
    """The recordings that `of_file` finds in each file; a bad file does not stop the others."""
    found: list[Recording] = []
    for file in files:
        try:
            found += of_file(file)
        except PacelineError as error:
            found.append(unreadable(file, error))
    return found


def unreadable(file: RawFile, error: PacelineError) -> Recording:
    """A file of which not even the days can be told: it fails when its turn comes."""

    def read() -> RawDay:
        raise error

    return Recording(symbol=file.title, day="", files=(file,), made_by="", read=read)


class RawDay(NamedTuple):
    """A day read from raw files, resolved but not compiled. `n` events, `r` raw rows."""

    rows: Rows  # [n]
    origin: NDArray[np.int64]  # [n] raw row that made the event
    ts: NDArray[np.int64]  # [r] time of each raw row, UNKNOWN_TS where it has none
    fault: NDArray[np.uint8]  # [r] codes of `ingest.quality`
    checked: tuple[int, ...]  # the codes this format looks for
    text: Callable[[int], str]  # a raw row as it stood in the file
    instrument: Instrument
    session: Session
    findings: dict[str, Finding]  # what else the format found; their rows count from 0
    number: NDArray[np.int64] | None = None  # [r] row in its file, from 0; None: it has no others
    place: str = "line"
    """What a row is in its file: a line, a row or a record."""
    inferred: Mapping[str, Inferred] = MappingProxyType({})
    """What was found from the numbers and why: see `market.tape.Quality`."""
    mapped: bool = False
    """Whether a mapping says what its columns are, so that it can be mended."""
    lot_given: bool = False
    """Whether sizes have to be whole lots because a lot was given, and not rounding."""
    rounded: int = 0
    """Sizes that were rounded to whole lots, as was asked for."""
    masks_hidden: bool = False
    """Whether hidden executions may name a side that is not theirs."""

    def row(self, at: int) -> int:
        """The raw row at `at` as it is told: its place in its file, counted from 1."""
        return 1 + (at if self.number is None else int(self.number[at]))


def to_tape(day: RawDay, limits: Limits, sources: list[Source], made_by: str = "") -> Tape:
    """Compile a day and write down where it came from and how good it is.

    Raises `IngestError` when more of it is bad than `limits` allow.
    """
    name = f"{day.instrument.symbol} {day.session.day}"
    bad = np.flatnonzero(day.fault != OK)
    refuse_if_contradicted(day, limits, name)
    refuse_if_bad(day, bad, limits, name)
    if len(day.rows.ts) == 0:
        raise IngestError(f"file: {name} holds no usable row; give a file with messages")
    refuse_if_of_another_day(day)
    day, tape, doubted = _compiled(day, limits, sources, made_by)
    bad = np.flatnonzero(day.fault != OK)
    tape.quarantine = quarantine_table(day, bad)
    tape.manifest = msgspec.structs.replace(
        tape.manifest, quality=_quality(day, tape, bad, limits, name, doubted)
    )
    return tape


def _compiled(
    day: RawDay, limits: Limits, sources: list[Source], made_by: str
) -> tuple[RawDay, Tape, dict[str, Finding]]:
    """The day with its breaks, its auctions set aside, and only such prints as can be believed; its
    tape, still without a quality report; and what was found of the sides of hidden executions."""
    rows, origin = with_breaks(day.rows, day.origin, day.session)
    day = _noted(day._replace(origin=origin), auctions_aside(rows), AUCTION_EXECUTION)
    tape = _tape(day, sources, made_by)
    far = far_prints(tape, limits)
    day, doubted = _with_believed_sides(day, tape)
    if len(far):
        which = np.zeros(len(day.rows.ts), bool)
        which[far] = True
        day = _noted(day, executions_aside(day.rows, which), FAR_PRINT)
    again = len(far) > 0 or any(found.count for found in doubted.values())
    return day, _tape(day, sources, made_by) if again else tape, doubted


def _tape(day: RawDay, sources: list[Source], made_by: str) -> Tape:
    return Tape.compile(day.rows, day.instrument, day.session, sources=sources, made_by=made_by)


def _noted(day: RawDay, aside: SetAside, code: int) -> RawDay:
    """The day with some executions set aside, and the verdict on the raw rows that made them."""
    fault, raw = day.fault.copy(), day.origin[aside.at]
    fault[raw[fault[raw] == OK]] = code
    return day._replace(rows=aside.rows, fault=fault)


def _with_believed_sides(day: RawDay, tape: Tape) -> tuple[RawDay, dict[str, Finding]]:
    """The day without the sides of hidden executions that are masked, and the finding."""
    if not day.masks_hidden:
        return day, {}
    rows = day.rows
    # An unknown order was shown once: its side is no mask.
    hidden = np.flatnonzero(
        (rows.kind == HIDDEN) & (day.fault[day.origin] != UNKNOWN_EXECUTED) & (rows.side != 0)
    )
    sides = believed_sides(tape, hidden)
    found = Finding(count=0)
    if sides is not None:
        told = int(np.count_nonzero(sides))
        note = f"sides not believed; the touch tells those of {told:,}, the others are unknown"
        found = finding(day, hidden, note=note)
        side = rows.side.copy()
        side[hidden] = sides
        day = day._replace(rows=rows._replace(side=side))
    return day, {"hidden_side_masked": found}


def quarantine_table(day: RawDay, bad: NDArray[np.int64]) -> Any:
    """The rows that are not in the tape as they stand, as a pyarrow table."""
    import pyarrow as pa

    codes = day.fault[bad].tolist()
    ts = day.ts[bad]
    return pa.table(
        {
            "row": pa.array([day.row(at) for at in bad.tolist()], pa.int64()),
            "ts": pa.array(ts, pa.int64(), mask=ts == UNKNOWN_TS),
            "finding": pa.array([CHECKS[code].name for code in codes], pa.string()),
            "reason": pa.array([CHECKS[code].reason for code in codes], pa.string()),
            "kept_as": pa.array([CHECKS[code].kept for code in codes], pa.string()),
            "text": pa.array([day.text(at) for at in bad.tolist()], pa.string()),
        }
    )


def _calls(day: RawDay, kind: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Events in which orders gather for an auction, or trading is stopped."""
    stopped = halted(kind)
    crosses = kind == CROSS
    if not crosses.any():
        return stopped
    # A far print is set aside as an auction trade, and was none: nothing gathered for it.
    far = crosses & (day.fault[day.origin] == FAR_PRINT)
    return _calling(np.where(far, np.uint8(TRADE), kind)) | stopped


def _quality(
    day: RawDay,
    tape: Tape,
    bad: NDArray[np.int64],
    limits: Limits,
    name: str,
    doubted: dict[str, Finding],
) -> Quality:
    calling = _calls(day, tape.events.kind)
    book, warmup_end = _book_findings(day, tape, calling, limits)
    refuse_if_crossed(day, tape, calling, warmup_end, limits, name)
    kept = (day.fault[bad] >= KEPT_FROM) | (day.fault[bad] == SEQUENCE_GAP)
    short_by = (day.session.close_ns - int(day.rows.ts[-1])) / NS_PER_S
    return Quality(
        rows_read=len(day.fault),
        rows_quarantined=int(np.count_nonzero(~kept)),
        warmup_end_ts=warmup_end,
        short_session=short_by > limits.short_s,
        findings=_row_findings(day)
        | book
        | _time_findings(day, limits)
        | doubted
        | _told(day.findings),
        inferred=dict(day.inferred),
    )


def _told(findings: dict[str, Finding]) -> dict[str, Finding]:
    """Findings of a format, their rows counted from 1."""
    return {
        name: found
        if found.first_row is None
        else msgspec.structs.replace(found, first_row=found.first_row + 1)
        for name, found in findings.items()
    }


def _row_findings(day: RawDay) -> dict[str, Finding]:
    """One finding for each check on rows, those that found nothing included."""
    counts = np.bincount(day.fault, minlength=max(CHECKS) + 1)
    findings = {}
    checked = {*day.checked, AUCTION_EXECUTION, FAR_PRINT, *np.flatnonzero(counts).tolist()}
    for code in sorted(checked - {OK}):
        findings[CHECKS[code].name] = finding(day, np.flatnonzero(day.fault == code), by_row=True)
    return findings


def finding(day: RawDay, at: NDArray[np.int64], *, by_row: bool = False, note: str = "") -> Finding:
    """A finding at events `at` (or raw rows, with `by_row`)."""
    if len(at) == 0:
        return Finding(count=0, note=note)
    raw = int(at[0] if by_row else day.origin[at[0]])
    ts = int(day.ts[raw] if by_row else day.rows.ts[at[0]])
    return Finding(
        count=len(at), first_row=day.row(raw), first_ts=None if ts == UNKNOWN_TS else ts, note=note
    )


def _book_findings(
    day: RawDay, tape: Tape, calling: NDArray[np.bool_], limits: Limits
) -> tuple[dict[str, Finding], int]:
    """Crossed and locked books, and the time at which the warm-up ends; `calling` as of `_calls`.

    What counts is the book at the end of each instant: a venue that announces one change in
    several rows at the same time may cross the book between them.
    """
    events = tape.events
    last_of_instant = np.append(np.diff(events.ts) > 0, True)
    two_sided = (events.bid >= 0) & (events.ask < len(tape.level_ticks))
    crossed = np.flatnonzero(two_sided & last_of_instant & (events.bid > events.ask))
    locked = np.flatnonzero(two_sided & last_of_instant & (events.bid == events.ask) & ~calling)
    whole = two_sided & (events.bid < events.ask) & ~calling
    broken = np.flatnonzero(last_of_instant & ~whole)
    warmup_end = _warmup_end(events.ts, broken, round(limits.settle_s * NS_PER_S))
    called = calling[crossed]
    late = ~called & (events.ts[crossed] > warmup_end)
    note = "after the warm-up"
    return {
        "crossed_book": finding(day, crossed[late], note=note),
        "locked_book": finding(day, locked[events.ts[locked] > warmup_end], note=note),
        "crossed_in_warmup": finding(day, crossed[~called & ~late]),
        "crossed_in_call": finding(day, crossed[called], note="orders gather for an auction"),
        "negative_depth": Finding(count=0, note="follows from the checks on every order or level"),
    }, warmup_end


def _calling(kind: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Events of call phases: before an auction trade, back to the last continuous one."""
    calling = np.zeros(len(kind), bool)
    traded = np.flatnonzero(are_trades(kind))
    for auction in np.flatnonzero(kind == CROSS).tolist():
        before = int(np.searchsorted(traded, auction))
        calling[traded[before - 1] + 1 if before else 0 : auction] = True
    return calling


def _warmup_end(ts: NDArray[np.int64], broken: NDArray[np.int64], settle_ns: int) -> int:
    """First instant from which the book stays whole for `settle_ns`; the last one if none does.

    `broken` are the events whose instant ends with a side missing, or crossed, or locked.
    """
    start = 0
    for stop in broken.tolist():
        if stop > start and ts[stop] - ts[start] >= settle_ns:
            break
        start = min(stop + 1, len(ts) - 1)
    return int(ts[start])


def _time_findings(day: RawDay, limits: Limits) -> dict[str, Finding]:
    """Gaps, halts, a late start and a short session."""
    ts = day.rows.ts
    session = day.session
    silence = np.diff(ts)
    for start, end in session.breaks:  # a break is no silence
        within = np.minimum(ts[1:], end) - np.maximum(ts[:-1], start)
        silence = silence - np.maximum(within, 0)
    starts = [start for start, _ in session.breaks]
    halts = np.flatnonzero((day.rows.kind == HALT) & ~np.isin(ts, starts))
    gaps = np.flatnonzero(silence > limits.gap_s * NS_PER_S) + 1
    longest = f"; the longest {silence.max() / NS_PER_S:.0f} s" if len(gaps) else ""
    late = (int(ts[0]) - session.open_ns) / NS_PER_S
    early = (session.close_ns - int(ts[-1])) / NS_PER_S
    first = np.array([0])
    last = np.array([len(ts) - 1])
    return {
        "gap": finding(day, gaps, note=f"silence over {limits.gap_s:g} s{longest}"),
        "halt": finding(day, halts),
        "outside_session": finding(
            day, np.flatnonzero(~session.trades_at(ts)), note="events outside announced trading"
        ),
        "late_start": finding(
            day, first[: late > limits.short_s], note=f"first row {late:.0f} s after the open"
        ),
        "short_session": finding(
            day, last[: early > limits.short_s], note=f"last row {early:.0f} s before the close"
        ),
    }
