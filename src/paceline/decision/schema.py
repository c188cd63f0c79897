"""The features: their names, units and ranges, in the order in which they are written.

A feature without input is written as 0 and has a flag of its own, `no <name>`, which is 1 then; the
flags follow the features. The hash of the schema is stored with every data set, checkpoint and
decision, and what was made for another schema is refused.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.decision.state import DEPTH, REGIMES
from paceline.errors import InputError
from paceline.market.watch import WINDOWS_S

VERSION = 1
SHOWN_PRINTS = 5
"""Prints that are looked at."""


class Feature(NamedTuple):
    """One number that a decision looks at."""

    name: str
    group: str
    unit: str
    low: float
    """Smaller values become this one."""
    high: float
    may_miss: bool
    says: str


def _book() -> list[Feature]:
    found = []
    for side, whose in (("near", "our own side"), ("far", "the other side")):
        for k in range(DEPTH):
            found += [
                Feature(
                    f"{side}_{k}_steps", "book", "order steps", 0.0, 200.0, True,
                    f"how far level {k} of {whose} is from the mid",
                ),
                Feature(
                    f"{side}_{k}_size", "book", "log2", 0.0, 12.0, True,
                    f"1 + lots there, by the usual size at the touch, of {whose}",
                ),
            ]  # fmt: skip
    return [
        *found,
        Feature("spread", "book", "order steps", 0.0, 400.0, True, "best ask less best bid"),
        Feature(
            "imbalance_1", "book", "", -1.0, 1.0, True, "lots at the touch, near less far, by both"
        ),
        Feature(f"imbalance_{DEPTH}", "book", "", -1.0, 1.0, True, "the same of all levels seen"),
        Feature(
            "micro", "book", "spreads", -0.5, 0.5, True,
            "micro-price less mid, towards the far side (Stoikov, 2018, first order)",
        ),
    ]  # fmt: skip


def _prints() -> list[Feature]:
    return [
        feature
        for k in range(SHOWN_PRINTS)
        for feature in (
            Feature(
                f"print_{k}_lots", "prints", "log2", -12.0, 12.0, True,
                "1 + lots by the usual size; negative if its taker traded against our side",
            ),
            Feature(
                f"print_{k}_steps", "prints", "order steps", -200.0, 200.0, True,
                "its price less the mid, positive if worse for us",
            ),
            Feature(f"print_{k}_age", "prints", "log2 s", 0.0, 9.0, True, "1 + seconds since"),
        )
    ]  # fmt: skip


def _lately() -> list[Feature]:
    return [
        feature
        for s in WINDOWS_S
        for feature in (
            Feature(
                f"volatility_{s}s", "lately", "bps / sqrt s", 0.0, 50.0, True,
                "root of the mean square of mid moves a second",
            ),
            Feature(
                f"volume_{s}s", "lately", "log2", 0.0, 12.0, True,
                "1 + lots traded, by what trades in as long on average",
            ),
            Feature(
                f"flow_{s}s", "lately", "", -1.0, 1.0, True,
                "lots taken on our side less on the other, by both",
            ),
            Feature(f"near_adds_{s}s", "lately", "log2 1/s", 0.0, 10.0, True, "1 + limit orders"),
            Feature(f"far_adds_{s}s", "lately", "log2 1/s", 0.0, 10.0, True, "the other side"),
            Feature(f"near_cancels_{s}s", "lately", "log2 1/s", 0.0, 10.0, True, "1 + cancels"),
            Feature(f"far_cancels_{s}s", "lately", "log2 1/s", 0.0, 10.0, True, "the other side"),
        )
    ]  # fmt: skip


_ORDER = [
    Feature("inventory", "order", "share", 0.0, 1.0, False, "lots left, of the order"),
    Feature("time_left", "order", "share", 0.0, 1.0, False, "of the horizon"),
    Feature("seconds_left", "order", "log2 s", 0.0, 17.0, False, "1 + seconds to the end"),
    Feature("size_adv", "order", "log2", -20.0, 4.0, True, "the order by average daily volume"),
    Feature("size_horizon", "order", "log2", -12.0, 8.0, True,
            "lots left by what usually trades until the end"),
    Feature("behind_twap", "order", "share", -1.0, 1.0, False, "inventory less TWAP's"),
    Feature("behind_ac", "order", "share", -1.0, 1.0, False, "inventory less Almgren-Chriss's"),
    Feature("participation", "order", "share", 0.0, 1.0, True, "of the order so far"),
    Feature("participation_window", "order", "share", 0.0, 1.0, True, "of the rolling window"),
    Feature("drift", "order", "bps", -500.0, 500.0, True, "mid less arrival, positive if worse"),
    Feature("cost", "order", "bps", -500.0, 500.0, False, "paid so far, of the whole order"),
    Feature("fill_rate", "order", "share", 0.0, 1.0, True, "of lots sent to rest, filled resting"),
    Feature("decisions", "order", "log2", 0.0, 14.0, False, "1 + decisions so far"),
]  # fmt: skip

_WORKING = [
    Feature("working", "working", "share", 0.0, 1.0, False, "lots working, of those left"),
    Feature("working_steps", "working", "order steps", -200.0, 200.0, True,
            "how far behind our own touch it rests"),
    Feature("ahead", "working", "log2", 0.0, 14.0, True, "1 + lots ahead, by the usual size"),
    Feature("working_age", "working", "log2 s", 0.0, 13.0, True, "1 + seconds since it was sent"),
    Feature("cancels_used", "working", "share", 0.0, 1.0, True, "of those allowed"),
    Feature("messages_used", "working", "share", 0.0, 1.0, True, "of those allowed"),
]  # fmt: skip

_TIME = [
    Feature("day", "time", "share", 0.0, 1.0, False, "of the session that is over"),
    Feature("day_sin", "time", "", -1.0, 1.0, False, "sine of it, a session being one turn"),
    Feature("day_cos", "time", "", -1.0, 1.0, False, "cosine of it"),
    Feature("volume_left", "time", "share", 0.0, 1.0, True, "of a usual day's volume"),
]

_MOOD = [
    *(Feature(f"regime_{k}", "mood", "weight", 0.0, 1.0, True, "of regime " + str(k))
      for k in range(REGIMES)),
    Feature("news", "mood", "", 0.0, 1.0, True, "how much there is"),
    Feature("sentiment", "mood", "", -1.0, 1.0, True, "of it, positive if it moves against us"),
    Feature("is_volatile", "mood", "", 0.0, 1.0, True, "1: extremely"),
]  # fmt: skip

_LIMITS = [
    Feature("cap", "limits", "share", 0.0, 1.0, True, "most participation"),
    Feature("room", "limits", "share", 0.0, 1.0, True, "lots it allows now, of those left"),
    Feature("band_room", "limits", "order steps", -200.0, 200.0, True,
            "from the far touch to the worst price allowed"),
    Feature("child_max", "limits", "share", 0.0, 1.0, True, "largest child order, of lots left"),
]  # fmt: skip

FEATURES: tuple[Feature, ...] = (
    *_book(), *_prints(), *_lately(), *_ORDER, *_WORKING, *_TIME, *_MOOD, *_LIMITS
)  # fmt: skip
N_VALUES = len(FEATURES)
NAMES: tuple[str, ...] = (
    *(one.name for one in FEATURES), *(f"no {one.name}" for one in FEATURES if one.may_miss)
)  # fmt: skip
N_FEATURES = len(NAMES)
"""Values and flags."""


def first_of(group: str) -> int:
    """Index of the first feature of a group."""
    return next(k for k, one in enumerate(FEATURES) if one.group == group)


def ranges() -> NDArray[np.float64]:
    """`[N_VALUES, 2]` lowest and highest."""
    return np.array([(one.low, one.high) for one in FEATURES])


def flags() -> NDArray[np.int64]:
    """`[N_VALUES]` index of the flag of each value; -1 where it cannot be missing."""
    may = np.array([one.may_miss for one in FEATURES])
    return np.where(may, N_VALUES + np.cumsum(may) - 1, -1)


def schema_hash() -> str:
    """SHA-256 of the schema: version, names, units, ranges, order."""
    text = json.dumps([VERSION, [one[:6] for one in FEATURES]])
    return hashlib.sha256(text.encode()).hexdigest()


def check_schema(made_for: str, what: str) -> None:
    """Raises `InputError` if `what` was made for features of another schema."""
    if made_for != schema_hash():
        raise InputError(
            f"{what}: was made for features of schema {made_for[:12]}, and these are of "
            f"{schema_hash()[:12]}; make it again, or use the paceline that made it"
        )
