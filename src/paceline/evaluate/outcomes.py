"""What pages and statistics ask of results: the same orders, worked by several policies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paceline.cost.clustered import Clusters, clustered
from paceline.cost.tail import summarize
from paceline.evaluate.per_order import Columns

MEANS = (
    "delay_bps", "trading_bps", "opportunity_bps", "fees_bps",
    "vs_vwap_bps", "vs_pwp_bps", "vs_ac_bps",
    "spread_paid_bps", "adverse_1m_bps", "adverse_5m_bps", "adverse_30m_bps",
    "reversion_1m_bps", "reversion_5m_bps", "reversion_30m_bps", "impact_bps",
    "fill_rate", "swept_share", "maker_share", "participation", "children", "child_fill_rate",
    "time_to_fill_s", "partial_share", "cancels_per_child", "replaces", "rejects",
)  # fmt: skip
"""Columns whose means a summary has."""


class Outcomes:
    """Many parent orders, each worked by every policy under every fill model. Costs are in basis
    points of arrival notional, positive when bad."""

    settings: dict[str, Any]
    orders: Columns
    """One row for each parent order, policy and fill model: its cost and how it was worked."""
    parents: Columns
    """One row for each parent order."""
    means: tuple[str, ...] = MEANS
    """Those that a summary has."""

    @property
    def policies(self) -> list[str]:
        """Names of the policies; the first is what others are compared with."""
        return list(dict.fromkeys(self.orders["policy"].tolist()))

    @property
    def fill_models(self) -> list[str]:
        """Names of the fill models."""
        return list(dict.fromkeys(self.orders["fill_model"].tolist()))

    @property
    def answers(self) -> bool:
        """Whether every order was worked in a market of its own, which answered."""
        return False

    def clusters(self) -> Clusters:
        """`[n]` what parent orders share, and are not independent of: the day, and the name. (A
        simulated day is the same for all orders that are worked on it, until they are.)"""
        return Clusters(self.parents["day"], self.parents["symbol"])

    def select(self, policy: str, fill_model: str) -> Columns:
        """The rows of `orders` of one policy and fill model, in order of parent."""
        rows = (self.orders["policy"] == policy) & (self.orders["fill_model"] == fill_model)
        chosen = {name: column[rows] for name, column in self.orders.items()}
        order = np.argsort(chosen["parent"], kind="stable")
        return {name: column[order] for name, column in chosen.items()}

    def summary(self) -> list[dict[str, Any]]:
        """One row for each policy and fill model; costs in bps."""
        return [
            self._summary_row(policy, model)
            for policy in self.policies
            for model in self.fill_models
        ]

    def _summary_row(self, policy: str, model: str) -> dict[str, Any]:
        rows = self.select(policy, model)
        row: dict[str, Any] = {"policy": policy, "fill_model": model}
        cost = summarize(rows["shortfall_bps"])
        row["orders"] = cost.n
        for name in ("mean", "p50", "p95", "p99", "cvar95"):
            row[f"is_{name}_bps"] = getattr(cost, name)
        there = ~np.isnan(rows["shortfall_bps"])
        sure = clustered(rows["shortfall_bps"][there], self.clusters().of(rows["parent"][there]))
        row["is_std_error_bps"] = sure.std_error
        row["is_low_bps"], row["is_high_bps"] = sure.interval()
        for name in self.means:
            row[name] = _mean(rows[name])
        return row


def _mean(values: NDArray[Any]) -> float:
    """Mean of what is there; NaN if nothing is."""
    there = values[~np.isnan(values.astype(np.float64))]
    return float(there.mean()) if len(there) else float("nan")
