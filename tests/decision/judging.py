"""The messages of a decision before the guard's slow twin."""

from __future__ import annotations

import numpy as np

from guard import twin
from paceline.decision.state import NOWHERE, State
from paceline.guard.rules import IOC, REPLACE, SUBMIT


def messages(state: State, type_: int, ticks: int, lots: int) -> list[dict[str, int]]:
    """Orders that make `lots` work at `ticks`, as the guard is asked about them, in words of
    `env.acting`: what rests at the price shrinks, or is joined by a new order; elsewhere the oldest
    is replaced, and what it has not is a new order, of no more than may."""
    order = {name: state.order[0][name].item() for name in state.order.dtype.names}
    rests = order["work_ticks"] != NOWHERE
    free = order["left"] - order["working"]
    new = {
        "kind": SUBMIT, "side": order["side"], "type": type_, "ticks": ticks,
        "replaced_lots": 0, "replaced_age_ns": 0,
    }  # fmt: skip
    moved = new | {"kind": REPLACE, "replaced_age_ns": order["now_ts"] - order["work_since_ts"]}
    if not rests:
        return [new | {"lots": max(min(lots, free), 1)}]
    if type_ != IOC and ticks == order["work_ticks"]:
        if lots > order["work_lots"]:
            return [new | {"lots": max(min(lots - order["work_lots"], free), 1)}]
        if order["move_lots"] < order["work_lots"]:  # one of several, by a lot at least
            return [moved | {"lots": 1, "replaced_lots": 2}]
        return [moved | {"lots": lots, "replaced_lots": order["work_lots"]}]
    most = order["move_lots"]
    sent = [moved | {"lots": min(lots, most), "replaced_lots": most}]
    if min(lots - most, free) > 0:
        sent.append(new | {"lots": min(lots - most, free)})
    return sent


def against(
    state: State, limits: np.void, snapshot: np.void, type_: int, ticks: int, lots: int
) -> set[str]:
    """Names of the rules that one of its messages breaks."""
    rules, seen = (
        {name: row[name].tolist() for name in row.dtype.names} for row in (limits, snapshot)
    )
    sent = messages(state, type_, ticks, lots)
    return set().union(*(twin.broken(rules, seen, message) for message in sent))
