"""What a tape's manifest may say: ranges of its numbers, forms of its names and texts.

A seal can be made anew over anything, so a manifest that is read is checked as one that is written
is. What passes can be shown on a terminal and counted with in 64 bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from paceline.documents import shown
from paceline.errors import InputError
from paceline.market.session import Session, midnight_ns
from paceline.units import INT64_MAX, NS_PER_S

if TYPE_CHECKING:
    from paceline.market.tape import Finding, Manifest, Quality

_DIGEST = re.compile(r"[0-9a-f]{64}")
_LONGEST_NAME, _LONGEST_TEXT = 1024, 4096
_INFERRED = ("book_tick", "order_tick", "lot")
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
"""Days of tapes: their instants and all differences of these fit 64 bits."""
_AWAY_NS = 7 * 86_400 * NS_PER_S
"""A session opens and closes at most so long before its day and after it: a trading day may begin
on an evening before a weekend, and no venue has one longer than a week."""


def check_manifest(manifest: Manifest) -> None:
    """Raises `ValueError` for a manifest that no tape has, in words for one line."""
    wrong = next(_faults(manifest), None)
    if wrong is not None:
        raise ValueError(wrong)


def _faults(manifest: Manifest) -> Iterator[str]:
    yield from _digest("tape_id", manifest.tape_id)
    yield from _text("made_by", manifest.made_by)
    for source in manifest.sources:
        yield from _text("sources.name", source.name, _LONGEST_NAME)
        yield from _count("sources.bytes", source.bytes)
        yield from _digest("sources.sha256", source.sha256)
    session_fault = _session_fault(manifest.session)
    if session_fault:
        yield session_fault
    yield from _quality(manifest.quality, manifest.session)


def _session_fault(session: Session) -> str:
    """What keeps a session from being one of its day; empty: nothing."""
    try:
        day = date.fromisoformat(session.day)
    except ValueError:
        day = date.min
    if day.isoformat() != session.day or not _FIRST_YEAR <= day.year < _LAST_YEAR:
        return (
            f"session.day is {shown(session.day, plain=True)}, no YYYY-MM-DD from {_FIRST_YEAR} "
            f"to {_LAST_YEAR - 1}"
        )
    try:
        midnight = midnight_ns(session.day, session.zone)
    except InputError as error:
        return str(error)
    low, high = midnight - _AWAY_NS, midnight + _AWAY_NS + 86_400 * NS_PER_S
    for name in ("open_ns", "close_ns"):  # breaks lie between them
        if not low <= (ns := getattr(session, name)) <= high:
            return f"session.{name} is {shown(ns)} ns, more than a week from {session.day}"
    return ""


def _quality(quality: Quality, session: Session) -> Iterator[str]:
    yield from _count("quality.rows_read", quality.rows_read)
    yield from _count("quality.rows_quarantined", quality.rows_quarantined)
    if quality.rows_quarantined > quality.rows_read:
        yield (
            f"quality.rows_quarantined is {quality.rows_quarantined}, of {quality.rows_read} rows "
            "read"
        )
    warm = quality.warmup_end_ts
    if warm is not None and not session.open_ns - _AWAY_NS <= warm <= session.close_ns + _AWAY_NS:
        yield f"quality.warmup_end_ts is {shown(warm)} ns, more than a week from the session"
    for name, found in quality.findings.items():
        yield from _text("quality.findings", name, _LONGEST_NAME, least=1)
        yield from _finding(f"quality.findings.{name}", found)
    for name, inferred in quality.inferred.items():
        if name not in _INFERRED:
            yield f"quality.inferred has {shown(name, plain=True)}, none of {', '.join(_INFERRED)}"
        yield from _text(f"quality.inferred.{name}", inferred.why)


def _finding(field: str, found: Finding) -> Iterator[str]:
    yield from _count(f"{field}.count", found.count)
    if found.first_row is not None:
        yield from _count(f"{field}.first_row", found.first_row, least=1)
    # The time of a row that was refused may be any that a column holds.
    if found.first_ts is not None and not -INT64_MAX <= found.first_ts <= INT64_MAX:
        yield f"{field}.first_ts is {shown(found.first_ts)}, no time in ns"
    yield from _text(f"{field}.note", found.note)


def _count(field: str, value: int, least: int = 0) -> Iterator[str]:
    if not least <= value <= INT64_MAX:
        yield f"{field} is {shown(value)}, not {least} to {INT64_MAX}"


def _digest(field: str, value: str) -> Iterator[str]:
    if not _DIGEST.fullmatch(value):
        yield f"{field} is {shown(value, plain=True)}, not 64 hexadecimal digits"


def _text(field: str, value: str, longest: int = _LONGEST_TEXT, least: int = 0) -> Iterator[str]:
    if not value.isprintable() or not least <= len(value) <= longest:
        yield (
            f"{field} is {shown(value, plain=True)}, not {least} to {longest} printable characters"
        )
