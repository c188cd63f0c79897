"""A child order of a decision before the guard's slow twin."""

from __future__ import annotations

import numpy as np

from guard import twin
from paceline.decision.state import NOWHERE, State
from paceline.guard.rules import REPLACE, SUBMIT


def against(
    state: State, limits: np.void, snapshot: np.void, type_: int, ticks: int, lots: int
) -> set[str]:
    """Names of the rules that it breaks: a replace of what rests already, where something does."""
    order = state.order[0]
    rests = order["work_ticks"] != NOWHERE
    rules, seen = (
        {name: row[name].tolist() for name in row.dtype.names} for row in (limits, snapshot)
    )
    child = {
        "kind": REPLACE if rests else SUBMIT,
        "side": int(order["side"]),
        "type": type_,
        "ticks": ticks,
        "lots": lots,
        "replaced_lots": int(order["working"]) if rests else 0,
        "replaced_age_ns": int(order["now_ts"] - order["work_since_ts"]),
    }
    return twin.broken(rules, seen, child)
