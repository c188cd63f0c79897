"""A process that sends orders through a gate as fast as it can, and says which were let pass."""

from __future__ import annotations

import sys
from pathlib import Path

from guard.desk import buy, opened, see
from guard.states import NOW


def send(folder: Path, first: int) -> None:
    """Orders from number `first` on, until it is killed."""
    gate = opened(folder)
    see(gate, "a", "0.01")
    for k in range(first, first + 100_000):
        decision = gate.check(buy("a", f"c{k}", 1999, 1), NOW + k)
        if not decision.allowed:
            raise AssertionError(decision.reasons)
        print(k, flush=True)
        if k % 3 == 0:
            gate.filled(f"c{k}", 1, NOW + k)
        else:
            gate.over(f"c{k}")
        if k % 20 == 0:
            gate.compact()


if __name__ == "__main__":
    send(Path(sys.argv[1]), int(sys.argv[2]))
