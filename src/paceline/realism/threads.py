"""The same work on many things, on threads: kernels run without the GIL."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from paceline.errors import InputError

A = TypeVar("A")
B = TypeVar("B")


def on_all(
    work: Callable[[A], B], things: Sequence[A], jobs: int | None, tell: Callable[[int], None]
) -> list[B]:
    """`[work(thing) for thing in things]` on `jobs` threads (None: as many as cores).

    `tell` hears how many are done. Ctrl-C stops after those under way. Raises `InputError` for
    `jobs` below 1.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs: {jobs} threads do nothing; give 1 or more")
    done: list[B] = []
    with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
        # In our own context, for NumPy keeps there what it does about an overflow.
        futures = [pool.submit(copy_context().run, work, thing) for thing in things]
        try:
            for future in futures:
                done.append(future.result())
                tell(len(done))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return done
