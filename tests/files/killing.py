"""Work that is killed at each step of a write, one step further each time."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator

from paceline.files import points


def in_a_child(work: Callable[[], object], kill_at: int | None = None) -> int:
    """Do `work` in a process of its own, killed at step `kill_at`; 0, 1 for an exception, or the
    signal's number, negative."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        points.passed = 0
        if kill_at is not None:
            os.environ[points.ENVIRONMENT] = str(kill_at)
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at_each_step(work: Callable[[], object], most: int = 200) -> Iterator[int]:
    """Do `work`, killed at its first step, then at its second, …; yields after each kill, until it
    ends by itself."""
    for at in range(1, most):
        ended = in_a_child(work, at)
        if ended == 0:
            assert at > 1, "it passes no step"
            return
        assert ended == -signal.SIGKILL, f"at step {at}: {ended}"
        yield at
    raise AssertionError(f"it passes more than {most} steps")
