"""Steps of a write, numbered as they are passed, so that a test can kill the process at any one.

With `PACELINE_KILL_AT=7` in the environment the process is killed (SIGKILL) at the seventh step it
comes to. A test runs a command with 1, 2, 3, … until one run ends by itself, and gives the same
command again after each. Without the variable a step only counts.
"""

from __future__ import annotations

import os
import signal

ENVIRONMENT = "PACELINE_KILL_AT"

passed = 0
"""Steps that this process has passed."""


def step() -> None:
    """One more step of a write. Killed here, a process leaves what recovery must cope with."""
    global passed
    passed += 1
    if os.environ.get(ENVIRONMENT) == str(passed):
        os.kill(os.getpid(), signal.SIGKILL)
