"""Threads that share the parts of one piece of work."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")


class Hands:
    """`n` threads, the one that asks among them."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._others = ThreadPoolExecutor(n - 1) if n > 1 else None

    def do(self, work: Callable[[Part], None], parts: list[Part]) -> None:
        """Do the work for all parts. Each hand takes the next one when it is through with one, so
        nobody waits for who is held up; it is handed its work once, for to wake a thread takes as
        long as some dozen steps."""
        left = parts[::-1]

        def take() -> None:
            while left:
                try:
                    part = left.pop()
                except IndexError:  # another has taken the last one
                    return
                work(part)

        others = [self._others.submit(take) for _ in parts[1 : self.n]] if self._others else []
        take()
        for other in others:
            other.result()

    def close(self) -> None:
        """Let the threads go."""
        if self._others is not None:
            self._others.shutdown()
