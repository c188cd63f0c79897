"""One profile for all property tests: the clock decides nothing."""

from __future__ import annotations

from hypothesis import settings

# Kernels compile on their first call, and a busy machine must not fail a test.
settings.register_profile("paceline", deadline=None)
settings.load_profile("paceline")
