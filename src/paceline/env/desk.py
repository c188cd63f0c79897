"""Which limits of a desk an environment keeps, and a schedule in it; the others are refused, so
that none looks as if it had been kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paceline.engine.venue import Venue
from paceline.errors import ConfigError
from paceline.guard.limits import Limits
from paceline.guard.participation import PPM
from paceline.market.grids import check_one_grid
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

OPEN_LIMITS = Limits(
    participation="unlimited", symbol_participation="unlimited", window_s=300.0,
    band_bps="unlimited", band_ticks="unlimited", move_bps="unlimited", move_window_s=300.0,
    child_max="unlimited", max_order_quantity="unlimited", max_order_value="unlimited",
    max_position="unlimited", max_working="unlimited", max_working_orders="unlimited",
    max_ahead="unlimited", message_rate="unlimited", cancel_rate="unlimited", rate_window_s=1.0,
    max_messages="unlimited", max_cancels="unlimited", min_resting_s=0.0, duplicate_s=0.0,
    max_executions="unlimited", execution_window_s="unlimited",
    max_data_age_s="unlimited", max_latency_s="unlimited", max_volatility_bps="unlimited",
)  # fmt: skip
"""Whatever a desk does not forbid; a parent order brings its own."""

_SPANS = {
    "window_s": ("participation", "symbol_participation"),
    "rate_window_s": ("message_rate", "cancel_rate"),
    "execution_window_s": ("max_executions",),
    "move_window_s": (),
}
"""Over which limits are counted: they may be left out where none of those is a number."""

_OF_A_SCHEDULE = {
    "participation", "symbol_participation", "window_s", "band_reference", "band_bps", "band_ticks",
    "child_max", "max_order_quantity", "move_bps", "move_window_s", "rate_window_s",
    "execution_window_s", "duplicate_s",
}  # fmt: skip
"""What holds for the slices of a schedule, or belongs to a limit that does not."""

_IN_LOTS = {"child_max": "child_max_lots", "max_order_quantity": "max_order_lots"}
_SHARES = {
    "participation": "participation_ppm", "symbol_participation": "symbol_participation_ppm"
}  # fmt: skip


def check_limits(limits: Limits) -> None:
    """Raises `ConfigError` for a limit that is not set, or that no environment can keep."""
    for name in limits.__struct_fields__:
        counted = [getattr(limits, limit) for limit in _SPANS.get(name, ())]
        needed = name not in _SPANS or any(value not in (None, "unlimited") for value in counted)
        if getattr(limits, name) is None and needed:
            remedy = "give seconds" if name.endswith("_s") else "give a number or unlimited"
            raise ConfigError(f"limits.{name}: is not set, so nothing could be sent; {remedy}")
    if limits.band_reference != "arrival":
        raise ConfigError(
            f"limits.band_reference: {limits.band_reference} cannot be joined with the band of "
            "a parent order, which is from arrival; give arrival"
        )
    if limits.move_bps != "unlimited":
        raise ConfigError(
            f"limits.move_bps: {limits.move_bps} needs the mid at the start of the period, which "
            "an environment does not keep; give unlimited"
        )
    if limits.duplicate_s != 0:
        raise ConfigError(
            f"limits.duplicate_s: {limits.duplicate_s} needs the orders sent before, which an "
            "environment does not keep; give 0, which is unlimited"
        )


def check_record(limits: Limits, record: np.void, symbol: str) -> None:
    """Raises `ConfigError` for a limit of `limits` that is nothing on the grids of `symbol`
    (`record`: of LIMITS_RECORD)."""
    for name, column in (_IN_LOTS | _SHARES).items():
        if record[column] == 0:
            least = "one lot" if name in _IN_LOTS else "one part in a million"
            raise ConfigError(
                f"limits.{name}: {getattr(limits, name)} is less than {least} of {symbol}; "
                "give more"
            )


def check_schedule(limits: Limits) -> None:
    """Raises `ConfigError` for a limit that a schedule does not keep."""
    for name in limits.__struct_fields__:
        value = getattr(limits, name)
        if name not in _OF_A_SCHEDULE and value not in ("unlimited", 0):
            free = 0 if name == "min_resting_s" else "unlimited"
            raise ConfigError(
                f"limits.{name}: {value} is not kept by a schedule; give {free} to follow one"
            )


def check_windows(limits: Limits, share_ppm: Any, window_ns: Any) -> None:
    """Raises `ConfigError` where the desk and a parent order (`[n]` of shares, 0 for none, and ns)
    both limit participation, over different windows."""
    own = window_of(limits)
    other = np.asarray(np.asarray(share_ppm) > 0) & np.asarray(window_ns != own)
    if own > 0 and np.any(other):
        theirs = float(np.broadcast_to(window_ns, other.shape)[other].flat[0]) / NS_PER_S
        raise ConfigError(
            f"limits.window_s: {limits.window_s:g} of the desk's participation is not the "
            f"{theirs:g} of a parent order's; give both the same, or one of them no share"
        )


def window_of(limits: Limits) -> int:
    """The window of the desk's participation, ns; 0 if it does not limit it."""
    shares = (limits.participation, limits.symbol_participation)
    limited = any(isinstance(share, float | int) and share * PPM < PPM for share in shares)
    return round((limits.window_s or 0.0) * NS_PER_S) if limited else 0


def check_impact(venues: Sequence[Venue], tapes: Sequence[Tape]) -> None:
    """Raises `ConfigError` for impact in ticks a lot where days of a symbol have several grids."""
    for venue in venues:
        for name in ("transient_ticks_per_lot", "permanent_ticks_per_lot"):
            if getattr(venue.footprint, name) > 0:
                check_one_grid(tapes, name)


def check_in_time(venues: Sequence[Venue], episodes: NDArray[np.void]) -> None:
    """Raises `ConfigError` where a message to or from one of `venues` usually takes as long as one
    of `episodes` `[n]`."""
    if len(episodes):
        shortest = int((episodes["end_ts"] - episodes["start_ts"]).min())
        for venue in venues:
            venue.check_in_time(shortest, "a horizon")
