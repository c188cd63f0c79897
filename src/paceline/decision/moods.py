"""Moods: news, regimes and extreme volatility, told to a decision and to the guard.

    moods = Moods(MoodSettings(volatile_times=4, loud_news=0.8), feed=feed, regimes=model)
    env = BatchExecutionEnv(pool, 1024, moods=moods)

All of it is off unless asked for. The feed is looked up at the time of the decision, regimes are
weights of what is seen at it, and volatility is extreme by what was usual on earlier days, so that
nothing of it knows the future. While volatility or news is extreme the guard lets orders rest only:
`quiet` of its snapshot is 0. It is never set to 1 here, since others may have more to say of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from paceline.config import Field, Settings
from paceline.decision.features import features
from paceline.decision.feeds import NOTHING_TOLD, Feed, Told, tell_news
from paceline.decision.regimes import INPUTS, LiquidityRegimes, Mixture, tell_regimes
from paceline.decision.state import State
from paceline.errors import ConfigError
from paceline.jit import inlined
from paceline.market.tape import Tape
from paceline.market.watch import SQUARES, WINDOWS_S, begin, look_back, new_watch, note_rows
from paceline.units import NS_PER_S

_LONGEST_S = WINDOWS_S[-1]
_PPM = 1e6


class MoodSettings(Settings, frozen=True, kw_only=True):
    """When volatility and news are extreme, and what follows."""

    volatile_times: Annotated[
        Annotated[float, Meta(gt=0, le=1e6)] | None,
        Field("Volatility beyond so many times the usual one is extreme; left out, none is.", ""),
    ] = None
    loud_news: Annotated[
        Annotated[float, Meta(gt=0, le=1)] | None,
        Field("News with this score or more is extreme; left out, none is.", ""),
    ] = None
    passive: Annotated[bool, Field("Rest only, and take nothing, while either is.", "")] = True


class Mood(NamedTuple):
    """What kernels know of moods on one symbol and day."""

    told: Told
    stale_ns: int  # 0: there is no feed
    mixture: Mixture  # of no regimes: there is no model
    volatile_ppm: int  # beyond it volatility is extreme, by sqrt of a minute; 0: nobody asks
    loud_news: float  # score from which news is extreme; above 1: none is
    passive: int


_NO_REGIMES = Mixture(np.zeros((0, len(INPUTS))), np.zeros((0, len(INPUTS))), np.zeros(0))

NO_MOOD = Mood(NOTHING_TOLD, 0, _NO_REGIMES, 0, 2.0, 0)
"""Nothing is told, and nothing is held back."""


class Moods:
    """Where moods come from."""

    def __init__(
        self,
        settings: MoodSettings | None = None,
        *,
        feed: Feed | None = None,
        regimes: LiquidityRegimes | None = None,
    ) -> None:
        """Raises `ConfigError` for extreme news without a feed, and `InputError` for regimes that
        were fitted on nothing."""
        self.settings, self.feed = settings or MoodSettings(), feed
        if self.settings.loud_news is not None and feed is None:
            raise ConfigError(
                f"loud_news: {self.settings.loud_news:g} is given without news; give a feed, too"
            )
        self._mixture = _NO_REGIMES
        if regimes is not None:
            self._mixture = Mixture._make(map(np.ascontiguousarray, regimes.fitted()))

    def of(self, symbol: str, earlier: Sequence[Tape] = ()) -> Mood:
        """What kernels read, of all that the feed has told by now (once it has told more, replace
        `told`); `earlier` days say what volatility is usual.

        Raises `ConfigError` where extreme volatility is asked for and no earlier day says."""
        times, ppm = self.settings.volatile_times, 0
        if times is not None:
            usual = usual_volatility_ppm(earlier)
            if not usual > 0.0:
                raise ConfigError(
                    f"volatile_times: nothing is usual on {symbol} without earlier days; give them "
                    "(taught_by), or leave it out"
                )
            ppm = max(round(times * usual), 1)
        loud = self.settings.loud_news
        return Mood(
            told=NOTHING_TOLD if self.feed is None else self.feed.told(symbol),
            stale_ns=0 if self.feed is None else self.feed.stale_ns,
            mixture=self._mixture,
            volatile_ppm=ppm,
            loud_news=2.0 if loud is None else loud,
            passive=int(self.settings.passive),
        )


def usual_volatility_ppm(tapes: Sequence[Tape]) -> float:
    """Median over stretches of five minutes of these days of what the guard is told of volatility:
    parts per million of the price, by square root of a minute. NaN without any."""
    found = []
    for tape in tapes:
        watch, mid, row = new_watch(), tape.mid_ticks(), 0
        begin(watch, tape.session.open_ns)
        n = (tape.session.close_ns - tape.session.open_ns) // (_LONGEST_S * NS_PER_S)
        for k in range(1, n + 1):
            ts = tape.session.open_ns + k * _LONGEST_S * NS_PER_S
            stop = int(np.searchsorted(tape.events.ts, ts, side="right"))
            note_rows(watch, tape.events, tape.level_ticks, row, stop)
            look_back(watch, ts)
            row = stop
            if stop > 0 and mid[stop - 1] > 0.0:  # nor NaN
                a_minute = watch.sums[-1, SQUARES] / (_LONGEST_S / 60.0)
                found.append(np.sqrt(a_minute) / (2.0 * mid[stop - 1]) * _PPM)
    return float(np.median(found)) if found else float("nan")


@inlined
def sense(mood: Mood, state: State, snapshot: np.void, seen: NDArray[np.float32]) -> None:
    """Tell a state its news and whether volatility is extreme, and the guard whether it is quiet;
    then write what is seen of the state `[N_FEATURES]`, and tell both the regimes of that.

    `snapshot` is the guard's row of the same time.
    """
    context = state.context[0]
    extreme = False
    if mood.stale_ns > 0:
        tell_news(mood.told, mood.stale_ns, state)
        extreme = context["news"] >= mood.loud_news  # NaN is not
    if mood.volatile_ppm > 0:
        volatility = snapshot["volatility_ppm"]
        volatile = 1.0 if volatility > mood.volatile_ppm else 0.0
        context["is_volatile"] = volatile if volatility >= 0 else np.nan
        extreme = extreme or volatile == 1.0
    if extreme and mood.passive != 0:
        snapshot["quiet"] = 0
    features(state, seen)
    if len(mood.mixture.offset) > 0:
        tell_regimes(mood.mixture, state, seen)
