"""One profile for all property tests, and where recorded books are found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Kernels compile on their first call, and a busy machine must not fail a test.
settings.register_profile("paceline", deadline=None)
settings.load_profile("paceline")


def recorded_folder() -> Path | None:
    """The folder that PACELINE_DATA names, if it is there."""
    given = os.environ.get("PACELINE_DATA")
    return Path(given) if given and Path(given).is_dir() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs recorded books where there are none."""
    if recorded_folder() is None:
        skip = pytest.mark.skip(reason="set PACELINE_DATA to a folder of recorded books")
        for item in items:
            if "recorded" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded books (`lobster-2003`, …), for tests marked `recorded`."""
    folder = recorded_folder()
    if folder is None:
        pytest.skip("set PACELINE_DATA to a folder of recorded books")
    return folder
