"""The stretches of market that are held against one another: days, or the halves of one day."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from paceline.errors import InputError
from paceline.market.session import clock
from paceline.market.tape import Tape
from paceline.realism.series import settled_part
from paceline.units import NS_PER_S

SHORTEST_S = 900.0
"""Settled seconds that a period needs: below a quarter of an hour nothing has a distribution."""


def check(tapes: Sequence[Tape]) -> None:
    """Refuse tapes that cannot be scored together.

    Raises `InputError` without tapes, for a tape of levels, of another symbol than the first, given
    twice, or too short.
    """
    if not tapes:
        raise InputError("tape: none given; give at least one recorded day")
    first, seen = tapes[0].instrument.symbol, set()
    for tape in tapes:
        if not tape.has_orders:
            raise InputError(f"tape: {tape.name} shows levels, not orders; give L3 tapes")
        if tape.instrument.symbol != first:
            raise InputError(
                f"tape: {tape.name} is not of {first} as {tapes[0].name} is; give tapes of one "
                "symbol, a market is scored against one"
            )
        if tape.manifest.tape_id in seen:
            raise InputError(f"tape: {tape.name} is given twice; give each day once")
        seen.add(tape.manifest.tape_id)
        if _length_s(tape) < SHORTEST_S:
            raise InputError(
                f"tape: {tape.name} has {_length_s(tape) / 60:.1f} minutes of settled market, at "
                f"least {SHORTEST_S / 60:.0f} are needed; leave it out"
            )
    length = _length_s(tapes[0])
    if len(tapes) == 1 and length < 2 * SHORTEST_S:
        raise InputError(
            f"tape: {tapes[0].name} alone has {length / 60:.1f} minutes of settled market, too few "
            f"for two halves of {SHORTEST_S / 60:.0f}; give a second day"
        )


def _length_s(tape: Tape) -> float:
    part = settled_part(tape)
    return (part.end_ns - part.start_ns) / NS_PER_S if part.stop > part.first else 0.0


def halves_of(tape: Tape) -> list[Tape]:
    """The settled part of `tape` as two tapes of equal length. Both keep all events, so that the
    book is whole; what counts in them is what their session holds."""
    part, session = settled_part(tape), tape.session
    middle = (part.start_ns + part.end_ns) // 2
    return [
        _window(tape, session.open_ns, middle),
        _window(tape, middle, session.close_ns),
    ]


def _window(tape: Tape, open_ns: int, close_ns: int) -> Tape:
    quality = tape.manifest.quality
    warm_ns = max(quality.warmup_end_ts or open_ns, open_ns)
    manifest = msgspec.structs.replace(
        tape.manifest,
        session=tape.session.cut(open_ns, close_ns),
        quality=msgspec.structs.replace(quality, warmup_end_ts=warm_ns),
    )
    return Tape(manifest, tape.events, tape.level_ticks, tape.images)


def named(tape: Tape) -> str:
    """`tape` with the hours that count, e.g. YHOO-2003-02-28 09:31–12:40."""
    part, zone = settled_part(tape), tape.session.zone
    start, end = (clock(ns, zone)[:5] for ns in (part.start_ns, part.end_ns))
    return f"{tape.name} {start}–{end}"
