"""The limits that a policy learnt under: kept in its checkpoint, and kept by whoever uses it.

    under = limits_of(recipe.orders, recipe.risk)
    BatchExecutionEnv(pool, 64, limits=under.desk())
    under.check("out/run", limits_of(orders))      # the same, or refused by name

What a policy sees and may choose depends on its limits. Under others it is another policy, of which
its validation says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from paceline.errors import ConfigError
from paceline.guard.fallback import Worker
from paceline.guard.limits import Limits

if TYPE_CHECKING:  # whoever reads a checkpoint needs no environment
    from paceline.env.episodes import EpisodeSettings

_WORKERS = {"ac": Worker.ALMGREN_CHRISS, "twap": Worker.TWAP, "passive": Worker.PASSIVE}


class PolicyLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of the parent orders that a policy learnt to work; None where nothing was limited."""

    participation: float | None
    """Most of all volume over the window, share."""
    participation_window_s: float
    price_band_bps: float | None
    """Worst price, from arrival."""
    price_band_ticks: int | None
    """The same in book ticks; the tighter one holds."""
    child_max: float | None
    """Largest child order, shares."""
    fallback: Literal["almgren_chriss", "twap", "passive"] | None = None
    """Who works on when the policy may not, see `guard.fallback`; None: nobody was named."""

    def desk(self) -> Limits:
        """Those that are a desk's and not a parent order's: whatever they do not forbid may be."""
        from paceline.env.desk import OPEN_LIMITS

        band, child = self.price_band_ticks, self.child_max
        return msgspec.structs.replace(
            OPEN_LIMITS,
            band_ticks="unlimited" if band is None else band,
            child_max="unlimited" if child is None else child,
        )

    def orders(self, like: EpisodeSettings) -> EpisodeSettings:
        """Orders like those, under these limits."""
        return msgspec.structs.replace(
            like, participation=self.participation,
            participation_window_s=self.participation_window_s, price_band_bps=self.price_band_bps,
        )  # fmt: skip

    def check(self, name: str, here: PolicyLimits) -> None:
        """Raises `ConfigError` unless the orders `here` have the same limits as those that the
        policy `name` learnt to work."""
        # Where participation is not limited there is no window to speak of.
        ways = [one.participation is None for one in (self, here)]
        for field in self.__struct_fields__:
            mine, theirs = getattr(self, field), getattr(here, field)
            if field == "fallback" or (field == "participation_window_s" and any(ways)):
                continue
            if mine != theirs:
                raise ConfigError(
                    f"{field}: is {_said(theirs)}, and {name} was trained under {_said(mine)}; "
                    "give what it was trained under, or train it again"
                )

    def __str__(self) -> str:
        told = {field: getattr(self, field) for field in self.__struct_fields__}
        return ", ".join(f"{field} {_said(value)}" for field, value in told.items())


def limits_of(
    orders: EpisodeSettings,
    *,
    band_ticks: int | None = None,
    child_max: float | None = None,
    fallback: str | None = None,
) -> PolicyLimits:
    """The limits of parent orders like `orders`, and of a desk."""
    worker: Any = None if fallback is None else _WORKERS[fallback].value
    return PolicyLimits(
        participation=orders.participation, participation_window_s=orders.participation_window_s,
        price_band_bps=orders.price_band_bps, price_band_ticks=band_ticks, child_max=child_max,
        fallback=worker,
    )  # fmt: skip


def _said(limit: object) -> str:
    return "no limit" if limit is None else f"{limit:g}" if isinstance(limit, float) else f"{limit}"
