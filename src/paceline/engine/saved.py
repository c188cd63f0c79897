"""A saved state that knows whose it is, so that it is not restored where it means nothing."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from paceline.errors import ExchangeError

State = TypeVar("State")


class Saved(NamedTuple, Generic[State]):
    """A state, and what a market must have in common with the one it was saved in."""

    state: State
    whose: dict[str, object]
    """Values by what another market would have: `other settings`, `another session`, ..."""

    def state_for(self, whose: dict[str, object]) -> State:
        """The state, for a market with the same. Raises `ExchangeError` for another one."""
        for other, value in whose.items():
            if self.whose.get(other) != value:
                raise ExchangeError(
                    f"saved: has {other}; restore it into a market like the one it was saved in"
                )
        return self.state
