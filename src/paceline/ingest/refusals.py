"""When a day is refused: of another date, contradicted by its feed, too bad, or crossed for good.

Each refusal is one line with the file, how bad it is, the limit, the first row and the remedy.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from paceline.documents import shown
from paceline.errors import IngestError, OrderError
from paceline.ingest.crossed import cause_of, crossed_in, never_uncrosses
from paceline.ingest.excerpts import excerpt
from paceline.ingest.quality import (
    AS_ANNOUNCED,
    BAD_SIZE,
    CHECKS,
    OF_THE_ROW,
    OFF_TICK,
    SIZE_TOO_LARGE,
    UNKNOWN_EXECUTED,
    UNKNOWN_KIND,
    UNKNOWN_ORDER,
    UNPARSABLE,
    Limits,
)
from paceline.market.session import day_of, midnight_ns
from paceline.market.tape import Tape
from paceline.orders.identity import from_file_form, key
from paceline.units import NS_PER_S

if TYPE_CHECKING:
    from paceline.ingest.day import RawDay

_OUTSIDE = "; if the book began before the recording, give its orderbook file or a snapshot too"
_REMEDIES = {
    UNPARSABLE: "; are its time and its numbers readable? Write numbers as plain decimals such as "
    "1234.5",
    UNKNOWN_ORDER: _OUTSIDE,
    UNKNOWN_EXECUTED: _OUTSIDE,
    OFF_TICK: "; give a finer book_tick, or leave it out",
    SIZE_TOO_LARGE: "; give a coarser lot and round to it, such as --lot 0.001 --round-sizes",
}

_A_CAUSE = 0.1
"""Share of the bad rows above which an earlier fault of rows themselves is named as the cause."""

_NS_PER_DAY = 86_400 * NS_PER_S
_TAPE = re.compile(r"(.+)-\d{4}-\d\d-\d\d\.tape")


def refuse_look_alike(symbol: str, out: Path) -> None:
    """If `out` has tapes of another symbol that a person may take for this one."""
    forms = {found[1] for path in out.glob("*.tape") if (found := _TAPE.fullmatch(path.name))}
    for form in sorted(forms):
        with suppress(OrderError):  # not a name that we gave
            other = from_file_form(form)
            if other != symbol and key(other) == key(symbol):
                raise IngestError(
                    f"symbol: {shown(symbol, plain=True)} may be taken for "
                    f"{shown(other, plain=True)}, of which {out} has tapes; give --symbol, or "
                    "another folder"
                )


def refuse_if_of_another_day(day: RawDay) -> None:
    """A trading date may be the next one or the last one of the clock's, and no other."""
    zone = day.session.zone
    midnight = midnight_ns(day.session.day, zone)
    first, last = int(day.rows.ts[0]), int(day.rows.ts[-1])
    if last < midnight - _NS_PER_DAY or first >= midnight + 2 * _NS_PER_DAY:
        raise IngestError(
            f"day: {day.session.day} is not when {day.instrument.symbol} was recorded; its rows "
            f"begin on {day_of(first, zone)} and end on {day_of(last, zone)}, give that or leave "
            "it out"
        )


def refuse_if_contradicted(day: RawDay, limits: Limits, name: str) -> None:
    """The feed's own picture of its book, where it has one, must agree with ours."""
    for check, source in (
        ("orderbook_mismatch", "orderbook file"),
        ("ticker_contradicted", "tickers"),
    ):
        found = day.findings.get(check)
        n = len(day.fault)
        if found is not None and found.count > limits.max_mismatch_share * n:
            raise IngestError(
                f"file: {name} is refused, its book differs from its {source} at {found.count:,} "
                f"of {n:,} rows (limits.max_mismatch_share {limits.max_mismatch_share:g}), first "
                f"at {day.place} {(found.first_row or 0) + 1:,}; are they of the same day and "
                "depth?"
            )


def refuse_if_bad(day: RawDay, bad: NDArray[np.int64], limits: Limits, name: str) -> None:
    """Refuse a day of which too many raw rows, `bad` `[k]`, are set aside; those that are only kept
    out of the market on purpose (`AS_ANNOUNCED`) do not count."""
    n = len(day.fault)
    if n == 0:
        raise IngestError(f"file: {name} is empty; give a file with messages")
    bad = bad[~np.isin(day.fault[bad], AS_ANNOUNCED)]
    if len(bad) <= limits.max_bad_share * n:
        return
    worst, follows = _cause_of_most(day, bad)
    at = np.flatnonzero(day.fault == worst)
    first = int(at[0])
    told = f"most often a row {CHECKS[worst].reason}"
    if follows is not None:
        told = f"the first cause is that a row {CHECKS[worst].reason} ({len(at):,} rows)"
    so = "" if follows is None else f"; because of it, another row {CHECKS[follows].reason}"
    remedy = _REMEDIES.get(worst, "")
    if worst == BAD_SIZE and day.lot_given:
        remedy = "; give a lot that all sizes are multiples of, leave it out, or add --round-sizes"
    if worst not in OF_THE_ROW and day.rounded >= len(at):
        remedy = (
            f"; {day.rounded:,} sizes were rounded to lots of {day.instrument.lot:f}, so orders "
            f"and their executions may not add up, give a finer lot{remedy}"
        )
    raise IngestError(
        f"file: {name} is refused, {len(bad):,} of {n:,} rows are bad "
        f"(limits.max_bad_share {limits.max_bad_share:g}); {told}, first {day.place} "
        f"{day.row(first):,}: {excerpt(day.text(first))!r}{so}{remedy}"
    )


def _cause_of_most(day: RawDay, bad: NDArray[np.int64]) -> tuple[int, int | None]:
    """The code to name for the bad rows, and the more frequent one that follows from it, if any.

    An order whose row cannot be used is missing to all later rows of it, so a frequent fault of
    rows themselves that comes before the most frequent one is its cause.
    """
    codes, counts = np.unique(day.fault[bad], return_counts=True)
    worst = int(codes[np.argmax(counts)])
    if worst in OF_THE_ROW:
        return worst, None
    first = int(np.argmax(day.fault == worst))
    for at in np.argsort(-counts, kind="stable").tolist():
        code = int(codes[at])
        frequent = code in OF_THE_ROW and counts[at] > _A_CAUSE * len(bad)
        if frequent and int(np.argmax(day.fault == code)) < first:
            return code, worst
    return worst, None


def refuse_if_crossed(
    day: RawDay,
    tape: Tape,
    calling: NDArray[np.bool_],
    warmup_end: int,
    limits: Limits,
    name: str,
) -> None:
    """A book that is crossed for good, or too often after the warm-up, is refused, with the row
    where it began and the cause."""
    ts = tape.events.ts
    found = crossed_in(tape.events, len(tape.level_ticks), calling)
    after = int(np.count_nonzero(ts > warmup_end))
    late = found.at[ts[found.at] > warmup_end]
    if never_uncrosses(found, ts, warmup_end, limits):
        at, often = found.at, f"{100 * found.share:.0f} % of its instants"
    elif len(late) > limits.max_crossed_share * max(after, 1):
        at, often = late, f"{100 * len(late) / after:.0f} % of its events after the warm-up"
    else:
        return
    raw = int(day.origin[at[0]])
    unknown = np.flatnonzero(day.fault == UNKNOWN_KIND)
    where = f"{day.place} {day.row(int(unknown[0])):,}" if len(unknown) else ""
    cause = cause_of(
        tape, day.rows, found, calling, (len(unknown), where), late=at is late, mapped=day.mapped
    )
    raise IngestError(
        f"file: {name} is refused, its bids stand above its offers after {often} "
        f"(limits.max_crossed_share {limits.max_crossed_share:g}), first at "
        f"{day.place} {day.row(raw):,}: {excerpt(day.text(raw))!r}; {cause}"
    )
