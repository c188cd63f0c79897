"""Columns of times as nanoseconds since the epoch, and marked where there is none.

Every way in which ISO 8601 writes an offset is read, row by row: `Z`, `-05:00`, `-0500`, `-05`,
none (then the time is of the mapping's zone), with `T` or a space. A unit that would put the
recording into another age, or into a day of seconds, is refused with the unit that was meant.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from paceline.errors import IngestError
from paceline.ingest.cells import scaled, texts
from paceline.ingest.day import UNKNOWN_TS
from paceline.ingest.excerpts import excerpt
from paceline.ingest.tables import Sheet
from paceline.market.session import at_wall_clocks, day_of
from paceline.units import NS_PER_S

_DIGITS = {"ns": 0, "us": 3, "ms": 6, "s": 9}
UNITS = (*_DIGITS, "iso")

_DAY_NS = 86_400 * NS_PER_S
_LATEST_NS = _DAY_NS + 3600 * NS_PER_S
"""Since midnight: a day on which clocks go back has 25 hours."""

_OUR_DAYS_NS = (631_152_000 * NS_PER_S, 4_102_444_800 * NS_PER_S)  # 1990 to 2100
_SHORT_NS = 100 * NS_PER_S
_MANY = 10
"""Rows of which a whole day within 100 s of midnight is not believed."""

_ISO = (
    r"^\s*(?P<date>\d{4}-\d\d-\d\d|\d{8})"
    r"(?:[T ]\s*(?P<hour>\d\d):?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<part>\d+))?)?"
    r"\s*(?P<offset>Z|z|UTC|[+-]\d\d(?::?\d\d)?)?)?\s*$"
)


class Clock(Protocol):
    """How a table writes times; see `ingest.mapping.ColumnMapping`."""

    @property
    def time_unit(self) -> str:
        """ns, us, ms, s or iso."""

    @property
    def time_since(self) -> str:
        """epoch or midnight."""

    @property
    def zone(self) -> str:
        """Of times that name none."""


def times_of(sheet: Sheet, name: str, day: str | None, clock: Clock) -> NDArray[np.int64]:
    """Times of column `name` in ns since the epoch `[n]`; UNKNOWN_TS where there is none.

    Raises `IngestError` if none of them is a time in the clock's unit, or if that cannot be it.
    """
    import pyarrow as pa

    column, unit = sheet.columns[name], clock.time_unit
    if pa.types.is_timestamp(column.type):
        ts = _timestamps(column, clock.zone)
    elif unit == "iso":
        ts = _iso_times(column, clock.zone)
    else:
        if clock.time_since == "midnight" and day is None:
            raise IngestError("day: times count from midnight; give the day, YYYY-MM-DD")
        since, bad = scaled(column, _DIGITS[unit])
        bad |= since == UNKNOWN_TS
        if not bad.all() and clock.time_since == "midnight" and day is not None:
            _refuse_implausible_day(since[~bad], unit, sheet.name)
            bad |= np.abs(since) > 2 * _DAY_NS
            ts = np.where(bad, UNKNOWN_TS, at_wall_clocks(np.where(bad, 0, since), day, clock.zone))
        else:
            if not bad.all():
                _refuse_other_age(since[~bad], unit, sheet.name)
            ts = np.where(bad, UNKNOWN_TS, since)
    if (ts == UNKNOWN_TS).all():
        raise IngestError(
            f"mapping.time_unit: no row of {sheet.name} has a time in {unit} (the first is "
            f"{excerpt(texts(column[:1])[0], 80)!r}); {_remedy(column, unit, clock.time_since)}"
        )
    return ts


def _remedy(column: Any, unit: str, since: str) -> str:
    """What to write where no row has a time: the unit in which all the numbers would be one."""
    value, bad = scaled(column, 0)
    if not bad.any() and since == "epoch" and (likely := _likely(int(np.median(value)))):
        return f"write {likely[0]}, for {likely[1]}"
    told, value = texts(column[:1])[0].strip(), _iso_times(column[:1], "UTC")
    if value[0] != UNKNOWN_TS and unit != "iso":
        return f"write iso, for {told[:10]}"
    return f"use one of {', '.join(UNITS)}"


def _likely(value: int) -> tuple[str, str] | None:
    """The unit in which a number since the epoch is of our days, and which day it is."""
    for unit, digits in _DIGITS.items():
        ns = value * 10**digits
        if _OUR_DAYS_NS[0] <= ns < _OUR_DAYS_NS[1]:
            return unit, day_of(ns, "UTC")
    return None


def _refuse_other_age(ts: NDArray[np.int64], unit: str, name: str) -> None:
    """Refuse times that are not of 1990 to 2100; the middle one decides, as some may be wild."""
    middle = int(np.partition(ts, len(ts) // 2)[len(ts) // 2])
    if _OUR_DAYS_NS[0] <= middle < _OUR_DAYS_NS[1]:
        return
    likely = _likely(middle // 10 ** _DIGITS[unit])
    remedy = f"write {likely[0]}, for {likely[1]}" if likely else (
        "do they count from midnight? Then write time_since: midnight, and give the day"
    )  # fmt: skip
    raise IngestError(
        f"mapping.time_unit: in {unit}, the times of {name} are of {day_of(middle, 'UTC')}; "
        f"{remedy}"
    )


def _refuse_implausible_day(since: NDArray[np.int64], unit: str, name: str) -> None:
    """Refuse times since midnight most of which are of no day, or all of a day of seconds."""
    units = list(_DIGITS)
    at = units.index(unit)
    middle = int(np.partition(since, len(since) // 2)[len(since) // 2])
    if not -_DAY_NS <= middle <= _LATEST_NS:
        finer = [u for u in units[:at] if middle // 10 ** (_DIGITS[unit] - _DIGITS[u]) <= _DAY_NS]
        of_epoch = _OUR_DAYS_NS[0] <= middle < _OUR_DAYS_NS[1] or not finer
        remedy = "write time_since: epoch" if of_epoch else f"write {finer[-1]}"
        raise IngestError(
            f"mapping.time_unit: in {unit}, the times of {name} are {middle / _DAY_NS * 24:,.0f} "
            f"hours after midnight; {remedy}"
        )
    last = int(since.max())
    if len(since) < _MANY or at + 1 == len(units) or not 0 < last < _SHORT_NS:
        return
    meant = 10 ** (_DIGITS[units[at + 1]] - _DIGITS[unit]) / NS_PER_S / 3600
    raise IngestError(
        f"mapping.time_unit: in {unit}, the {len(since):,} rows of {name} end "
        f"{last / NS_PER_S:.3g} s after midnight; write {units[at + 1]}, for "
        f"{since.min() * meant:.3g} to {last * meant:.3g} hours after it, or iso if they are so "
        "early"
    )


def _timestamps(column: Any, zone: str) -> NDArray[np.int64]:
    """Timestamps of a Parquet file; those that name no zone are in `zone`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.type.unit != "ns":
        try:
            column = column.cast(pa.timestamp("ns", column.type.tz))
        except pa.ArrowInvalid:
            return np.full(len(column), UNKNOWN_TS)  # some is of before 1678 or after 2262
    if column.type.tz is None:
        column = pc.assume_timezone(column, zone, ambiguous="earliest", nonexistent="earliest")
    missing = column.is_null().to_numpy()
    values: NDArray[np.int64] = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
    return np.where(missing, UNKNOWN_TS, values)


def _iso_times(column: Any, zone: str) -> NDArray[np.int64]:
    """Texts of ISO 8601; those that name no offset are in `zone`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    written = pa.chunked_array([pa.array(texts(column), pa.string())]).combine_chunks()
    fields = pc.extract_regex(written, _ISO)
    known = fields.is_valid().to_numpy(zero_copy_only=False)

    def field(name: str) -> Any:
        return pc.fill_null(pc.struct_field(fields, name), "")

    def number(name: str) -> NDArray[np.int64]:
        word = field(name)
        filled = pc.if_else(pc.equal(word, ""), "0", word).cast(pa.int64())
        value: NDArray[np.int64] = filled.to_numpy()
        return value

    date = pc.replace_substring(field("date"), "-", "")
    date = pc.if_else(pc.equal(date, ""), "19700101", date).cast(pa.int64()).to_numpy()
    days, real = _days(date // 10_000, date // 100 % 100, date % 100)
    hour, minute, second = number("hour"), number("minute"), number("second")
    part = pc.utf8_slice_codeunits(pc.utf8_rpad(field("part"), 9, "0"), 0, 9)
    part = part.cast(pa.int64()).to_numpy()
    # 24:00 ends a day; 23:59:60 is a leap second, told as the second after it.
    real &= (hour < 24) | ((hour == 24) & (minute == 0) & (second == 0) & (part == 0))
    real &= (minute < 60) & (second <= 60)
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second
    known &= real & (np.abs(seconds) < UNKNOWN_TS // -NS_PER_S - 86_400)
    local = np.where(known, seconds * NS_PER_S + part, 0)
    offset = field("offset")
    has_offset = pc.not_equal(offset, "").to_numpy(zero_copy_only=False)
    ts = local - _offset_s(offset) * NS_PER_S
    if not has_offset.all():
        plain = pa.array(np.where(has_offset, 0, local)).cast(pa.timestamp("ns"))
        here = pc.assume_timezone(plain, zone, ambiguous="earliest", nonexistent="earliest")
        ts = np.where(has_offset, ts, here.cast(pa.int64()).to_numpy())
    return np.where(known, ts, UNKNOWN_TS)


def _offset_s(offset: Any) -> NDArray[np.int64]:
    """Offsets such as -05:30 in seconds east of UTC; 0 for the others."""
    import pyarrow as pa
    import pyarrow.compute as pc

    digits = pc.replace_substring_regex(offset, r"[^0-9]", "")
    hhmm = pc.utf8_rpad(digits, 4, "0").cast(pa.int64()).to_numpy()
    west = pc.starts_with(offset, "-").to_numpy(zero_copy_only=False)
    east: NDArray[np.int64] = hhmm // 100 * 3600 + hhmm % 100 * 60
    return np.where(west, -east, east)


def _days(
    year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Days since the epoch of dates of the Gregorian calendar, and whether there is such a date."""
    real = (month >= 1) & (month <= 12) & (day >= 1)
    months = np.where(real, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[D]").astype(np.int64)
    return first + day - 1, real & (day <= following - first)
