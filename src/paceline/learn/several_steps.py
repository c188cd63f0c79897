"""Returns over several decisions: rewards are added up until the next look.

Sutton, 1988, "Learning to predict by the methods of temporal differences"; Hessel et al., 2018,
"Rainbow", for replay with them. A child order's cost shows seconds after it was decided, and an
order that is not filled costs at the end of the horizon: one decision at a time, a value takes
thousands of updates to hear of that.

A return ends before what was chosen by chance. Choices in between that a later policy would not
make are not corrected for: keep replay short, or steps few.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.learn.replay_buffer import Transitions


class _Begun(NamedTuple):
    """Decisions of one moment, in environments side by side, whose return is not whole yet."""

    rows: Transitions
    open: NDArray[np.bool_]  # [n]
    earned: NDArray[np.float32]  # [n] so far
    worth: NDArray[np.float32]  # [n] what comes next is worth so much
    at: int  # which decision it was


class SeveralSteps:
    """Makes rows of one decision into rows of several, environments side by side."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._begun: list[_Begun] = []
        self._now = 0

    def clear(self) -> None:
        """Episodes begin anew; what was not whole is lost."""
        self._begun.clear()

    def add(
        self,
        rows: Transitions,
        over: NDArray[np.bool_],
        begins: NDArray[np.bool_] | None = None,
        strays: NDArray[np.bool_] | None = None,
    ) -> Transitions:
        """Take one decision of each environment, `over` where its episode ended by it; returns the
        rows that are whole now. Only decisions in `begins` become rows (None: all). What was
        chosen by chance (`strays`) ends the returns before it: no earlier decision answers for it
        (Watkins, 1989, "Learning from delayed rewards")."""
        n, whole = len(rows.action), []
        if strays is not None and strays.any():
            whole = [_joined(one, rows, one.open & strays, at=True) for one in self._begun]
            for one in self._begun:
                one.open[strays] = False
        opens = np.ones(n, np.bool_) if begins is None else begins.copy()
        new = _Begun(rows, opens, np.zeros(n, np.float32), np.ones(n, np.float32), self._now)
        self._begun.append(new)
        for one in self._begun:
            one.earned[one.open] += (one.worth * rows.reward)[one.open]
            one.worth[one.open] *= rows.discount[one.open]
        self._now += 1
        for one in reversed(self._begun):
            done = one.open & (over | (self._now - one.at >= self.steps))
            if done.any():
                whole.append(_joined(one, rows, done))
                one.open[done] = False
        self._begun = [one for one in self._begun if one.open.any()]
        parts = whole or [_joined(new, rows, np.zeros(n, np.bool_))]
        return Transitions._make(np.concatenate(column) for column in zip(*parts, strict=True))


def _joined(
    one: _Begun, last: Transitions, which: NDArray[np.bool_], at: bool = False
) -> Transitions:
    """What was decided in `which` at first, what came of it, and where it led: after `last`, or to
    it (`at`)."""
    features, mask = (last.features, last.mask) if at else (last.next_features, last.next_mask)
    done = np.zeros_like(last.done) if at else last.done
    return Transitions(
        features=one.rows.features[which], mask=one.rows.mask[which],
        action=one.rows.action[which], reward=one.earned[which],
        next_features=features[which], next_mask=mask[which],
        done=done[which], discount=one.worth[which], propensity=one.rows.propensity[which],
    )  # fmt: skip


def of_episodes(
    rows: Transitions,
    follows: NDArray[np.bool_],
    steps: int,
    strays: NDArray[np.bool_] | None = None,
) -> Transitions:
    """The same of logged `rows`, each followed by the next one where `follows` `[n]`. Rows are left
    out that lead to where it is not known what came next."""
    n = len(rows.action)
    earned, worth, last = rows.reward.copy(), rows.discount.copy(), np.arange(n)
    adds = follows.copy()
    if strays is not None:
        adds[:-1] &= ~strays[1:]
    goes_on = adds.copy()
    for _ in range(steps - 1):
        after = np.minimum(last + 1, n - 1)
        earned[goes_on] += (worth * rows.reward[after])[goes_on]
        worth[goes_on] *= rows.discount[after][goes_on]
        last = np.where(goes_on, after, last)
        goes_on &= adds[last]
    joined = rows._replace(
        reward=earned, next_features=rows.next_features[last], next_mask=rows.next_mask[last],
        done=rows.done[last], discount=worth,
    )  # fmt: skip
    known = (follows | rows.done)[last]
    return Transitions._make(column[known] for column in joined)
