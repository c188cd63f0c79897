"""What the reward of an environment is made of, and what each term weighs."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from paceline.config import Field, Settings

Weight = Annotated[float, Meta(ge=0, le=1e6)]


class RewardSettings(Settings, frozen=True, kw_only=True):
    """What each term of the reward weighs. All are in bps of arrival notional, and never positive
    but the first and `plan`: shortfall can fall, and a plan can lose. What fills cost is in the
    price already, so that steps of shortfall and the total are two ways to say the same, and the
    rest is shaping."""

    is_step: Annotated[Weight, Field("Rise of shortfall marked at the mid, a step.", "")] = 1.0
    risk: Annotated[
        Weight, Field("Inventory squared x volatility x time: what is left may move.", "")
    ] = 0.0
    temporary: Annotated[Weight, Field("Modelled impact that fills paid, once more.", "")] = 0.0
    permanent: Annotated[
        Weight, Field("What fills moved the price for good, on what is left.", "")
    ] = 0.0
    violation: Annotated[Weight, Field("An action that was masked.", "")] = 0.0
    is_total: Annotated[Weight, Field("Shortfall at the end.", "")] = 0.0
    variance: Annotated[Weight, Field("Variance of slippage over fills, at the end.", "")] = 0.0
    plan: Annotated[
        Weight,
        Field("What the way of the mid cost the trajectory it is compared with, to the end of the "
              "horizon: no action changes that where the market does not answer, so it only takes "
              "noise away.", ""),
    ] = 0.0  # fmt: skip
    left: Annotated[
        Weight, Field("Share of the order that is left at the end, which nobody traded.", "bps")
    ] = 0.0

    def weights(self) -> NDArray[np.float64]:
        """`[TERMS]` in the order of `episode`'s terms."""
        return np.array(msgspec.structs.astuple(self), dtype=np.float64)


TERM_NAMES = tuple(field.name for field in msgspec.structs.fields(RewardSettings))
