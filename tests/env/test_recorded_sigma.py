"""What recorded days with stub quotes teach."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paceline.cost.impact_fit import Bars, fit_impact
from paceline.env.history import BAR_S, bars_of
from paceline.ingest import load
from paceline.market.session import clock
from paceline.market.settled import settled_ts

pytestmark = pytest.mark.recorded


def test_stub_quotes_teach_no_volatility(recorded: Path) -> None:
    """On 2003-02-25 stub quotes put IBM's mid 15 % off for 43 s, after the book had settled for a
    moment. Believed, they make a volatility of 64.6 ticks per square root of a second from the days
    up to 2003-02-28; it is about 9."""
    paths = sorted((recorded / "lobster-2003" / "IBM").glob("*2003-02-2[0-8]*"))
    tapes = [load(path) for path in paths]
    assert len(tapes) == 6
    stubbed = next(tape for tape in tapes if tape.session.day == "2003-02-25")
    assert clock(settled_ts(stubbed), stubbed.session.zone) > "09:38:30"
    mid = stubbed.mid_ticks()[stubbed.events.ts >= settled_ts(stubbed)]
    assert np.nanmax(mid) / np.nanmin(mid) < 1.05
    bars = Bars(*(np.concatenate(column) for column in zip(*map(bars_of, tapes), strict=True)))
    assert 8.0 < fit_impact(bars, BAR_S).sigma.value < 10.5
