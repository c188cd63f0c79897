"""What settings of a market must be to one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paceline.engine.flow_settings import (
    Anchoring,
    Excitation,
    GapReaction,
    QueueReaction,
    SpreadReaction,
)
from paceline.engine.laws import CANCEL
from paceline.errors import ConfigError

Reaction = QueueReaction | SpreadReaction | Anchoring


def check_patience(patience: Sequence[float], starts: Sequence[int], backing: GapReaction) -> None:
    """Raise `ConfigError` where cancels are told by places that are none, or oftener than all."""
    if any(multiple > 1.0 for multiple in backing.cancel):
        raise ConfigError(
            f"backing.cancel: {max(backing.cancel):g} is above 1; divide all of them by "
            "the largest, and multiply patience at the touch"
        )
    if not starts:
        return
    if len(starts) != len(patience) or starts[0] != 0 or np.any(np.diff(starts) <= 0):
        raise ConfigError(
            f"patience_ticks: are not {len(patience)} distances that rise from 0; give "
            "one for each of patience"
        )


def check_excitation(excitation: Excitation, reactions: Sequence[Reaction]) -> None:
    """Raise `ConfigError` where even the least that the book makes of excitation never ends.

    What it makes of it on average nobody knows before it is tried.
    """
    if not (excitation.reacts and excitation.half_lives_s):
        return
    least = np.ones(3)
    for reaction in reactions:
        table = reaction.table()
        if isinstance(reaction, GapReaction):
            table[CANCEL] = 1.0  # of cancels it decides who, not how many
        least *= table.min(axis=1)
    branching = excitation.branching(least)
    if branching >= 1.0:
        raise ConfigError(
            "excitation.reacts: reaction, tension and the others multiply excitation to a "
            f"branching ratio of {branching:.3g} at least, so the flow would never end; lower "
            "their multiples"
        )
