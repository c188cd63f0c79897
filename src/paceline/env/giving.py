"""Episodes that are given by hand: checked field by field before they are begun.

A pool draws none that is wrong. Kernels check nothing, so whatever is given is checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paceline.env.episode import EPISODE_RECORD, RUNNING
from paceline.env.lives import Lives
from paceline.errors import InputError
from paceline.guard.limits import MOST_LOTS
from paceline.guard.participation import PPM
from paceline.market.tape import Tape

_STEEPEST = 100.0
"""kappa T of the trajectory; what is steeper trades all at once."""

_FREE = "FAR, or -FAR, is no limit"


def check_given(episodes: Any, n: int, tapes: Sequence[Tape], n_venues: int) -> NDArray[np.void]:
    """`episodes` as `[n]` of EPISODE_RECORD on one of `tapes` at one of `n_venues` each.

    Raises `InputError` for others; it names the first field that is wrong, and which episode's."""
    found = np.asarray(episodes)
    if found.dtype != EPISODE_RECORD or found.shape != (n,):
        raise InputError(
            f"episodes: are {found.dtype if found.dtype.names is None else 'records'} "
            f"{list(found.shape)}; give [{n}] of EPISODE_RECORD, as a pool draws them"
        )
    tape, venue, start = found["tape"], found["venue"], found["start_ts"]
    _check(found, "tape", _within(tape, 0, len(tapes) - 1), f"0 to {len(tapes) - 1}")
    _check(found, "venue", _within(venue, 0, n_venues - 1), f"0 to {n_venues - 1}")
    of = [tapes[k] for k in tape]
    opens = np.array([one.session.open_ns for one in of])
    closes = np.array([one.session.close_ns for one in of])
    step = np.array([one.instrument.order_step for one in of])
    limited, banded = found["share_ppm"] > 0, found["band_ppm"] > 0
    steep = _within(found["steepness"], 0.0, _STEEPEST)
    for name, fine, remedy in (
        ("side", np.abs(found["side"]) == 1, "1 to buy or -1 to sell"),
        ("lots", _within(found["lots"], 1, MOST_LOTS), f"1 to {MOST_LOTS} lots"),
        ("start_ts", _within(start, opens, closes - 1), "ns since the epoch, in its session"),
        ("end_ts", _within(found["end_ts"], start + 1, closes), "ns after start_ts, to the close"),
        ("child_max", found["child_max"] > 0, "1 lot or more; FAR is no limit"),
        ("share_ppm", _within(found["share_ppm"], 0, PPM), f"0 (none) to {PPM}"),
        ("window_ns", (found["window_ns"] > 0) | ~limited, "the length of the window, ns"),
        ("steepness", steep, f"0 to {_STEEPEST:g}"),
        ("band_ppm", found["band_ppm"] >= 0, "parts in a million of arrival; 0 for none"),
        ("band_low", (found["band_low"] % step == 0) | banded, f"ticks on its grid; {_FREE}"),
        ("band_high", (found["band_high"] % step == 0) | banded, f"ticks on its grid; {_FREE}"),
    ):
        _check(found, name, fine, remedy)
    return found


def check_begun(given: NDArray[np.void], lives: Lives, tapes: Sequence[Tape]) -> None:
    """Raises `InputError` where one of the episodes `given` `[n]`, which `lives` have just begun,
    could not begin; and where its band ends before its arrival price, for there no limit tells of
    it: bands are told from arrival."""
    over = np.flatnonzero(lives.progress["over"] != RUNNING)
    if len(over):
        raise InputError(
            f"episodes: number {over[0]} cannot begin, for at its start no mid is known, or its "
            "market has ended or is in a gap; give another start_ts"
        )
    side, arrival2 = given["side"], lives.order["arrival_twice_mid"][:, 0]
    bound = np.where(side > 0, given["band_high"], given["band_low"])
    step = np.array([tapes[k].instrument.order_step for k in given["tape"]])
    # The costliest price, times side, that is no worse than arrival.
    within = side * arrival2 // 2 // step * step
    short = np.flatnonzero((given["band_ppm"] == 0) & (side * bound < within))
    if len(short):
        k = short[0]
        name = "band_high" if side[k] > 0 else "band_low"
        raise InputError(
            f"episodes.{name}: number {k} has {bound[k]}, which is better than its arrival price "
            f"{arrival2[k] / 2:g}; give one that is no better"
        )


def _within(values: NDArray[Any], least: Any, most: Any) -> NDArray[np.bool_]:
    """`[n]` whether; NaN is within nothing."""
    return np.asarray((values >= least) & (values <= most))


def _check(episodes: NDArray[np.void], name: str, fine: NDArray[np.bool_], remedy: str) -> None:
    wrong = np.flatnonzero(~fine)
    if len(wrong):
        raise InputError(
            f"episodes.{name}: number {wrong[0]} has {episodes[name][wrong[0]]}; give {remedy}"
        )
