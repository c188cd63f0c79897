"""How a run goes, in a line: loss, return, decisions a second, and the best so far."""

from __future__ import annotations

import time
from collections.abc import Mapping


class Live:
    """Tells how a stage goes."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self._since, self._decisions = time.monotonic(), float("nan")
        self._rate = float("nan")

    def line(self, metrics: Mapping[str, float], best_bps: float | None) -> str:
        """`metrics` are those of `Training`; `best_bps` is what the best policy so far cost in
        validation, None before the first."""
        parts = [f"loss {metrics.get('loss', float('nan')):.3g}"]
        if "return" in metrics:
            parts.append(f"return {metrics['return']:.2f}")
        if best_bps is not None:
            parts.append(f"best {best_bps:.2f} bps")
        if "decisions" in metrics:
            self._count(metrics["decisions"])
            if self._rate == self._rate:
                parts.append(f"{self._rate:,.0f} decisions/s")
        return f"{self.stage}: {', '.join(parts)}"

    def _count(self, decisions: float) -> None:
        now = time.monotonic()
        more, seconds = decisions - self._decisions, now - self._since
        if more > 0 and seconds > 0:
            self._rate = more / seconds
        if more != 0:
            self._since, self._decisions = now, decisions
