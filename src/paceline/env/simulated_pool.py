"""Parent orders on simulated markets that answer back, each in a market of its own.

    pool = SimulatedPool("yhoo-2003", EpisodeSettings(horizon_s=(1800,)), seed=7)
    pool = SimulatedPool(["yhoo-2003", mine], weights=[3, 1], regimes={"normal": 2, "volatile": 1})
    env = BatchExecutionEnv(pool, 1024)

Episode `k` of a seed is the same order in the same market, whoever works it beside what: both are
made of random numbers of their own. What a market usually trades is measured once, on a few days
that are simulated without us.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paceline.engine.dice import branches, first_bits, new_dice
from paceline.engine.market_settings import MarketSettings
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.env.episode import EPISODE_RECORD, FAR
from paceline.env.episodes import EpisodeSettings, Stage, usual_touch
from paceline.env.history import History
from paceline.errors import ConfigError
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

DAY = "2024-01-12"
"""The day of all sessions."""

_TAUGHT_DAYS = 3
_TEACHER = 1 << 32
"""Seed of the days that teach, which nobody else uses by chance."""

_SETTLE_NS = 60 * NS_PER_S
_ORDERS = 0
"""Stream of what is asked for; a market's is its day, as it is for `SimulatedExchange`."""

_MARKET, _START, _SIDE, _SIZE, _HORIZON, _URGENCY, _LATENCY, _VENUE = range(8)
"""Random numbers of an order."""

Named = MarketSettings | str | Path


class SimulatedPool:
    """Simulated markets to draw episodes from."""

    def __init__(
        self,
        markets: Named | Sequence[Named],
        settings: EpisodeSettings | None = None,
        *,
        seed: int = 0,
        weights: Sequence[float] | None = None,
        regimes: Mapping[str, float] | None = None,
        day: str = DAY,
    ) -> None:
        """Episodes in `markets`: settings, or names of shipped ones, drawn by `weights`; each held
        in one of `regimes`, by their weights, if there are any.

        Raises `ConfigError` for a market, regime or weight that is none, and for a horizon that
        does not fit into a session.
        """
        given = [markets] if isinstance(markets, MarketSettings | str | Path) else list(markets)
        if not given:
            raise ConfigError("markets: none is given; give one or more")
        loaded = [one if isinstance(one, MarketSettings) else load_market(one) for one in given]
        shares = _shares("weights", [1.0] * len(loaded) if weights is None else weights)
        if len(shares) != len(loaded):
            raise ConfigError(f"weights: are {len(shares)}, of {len(loaded)} markets; give as many")
        of_moods = _shares("regimes", list(regimes.values()) if regimes else [1.0])
        self.markets, self.moods = loaded, [""] * len(loaded)
        """`moods` has the regime that each market is held in, empty without one."""
        if regimes:
            self.markets = [market.in_regime(mood) for market in loaded for mood in regimes]
            self.moods = [mood for _ in loaded for mood in regimes]
        self._day = date.fromisoformat(self.markets[0].session(day).day).toordinal()
        self._below = np.cumsum(np.outer(shares, of_moods).ravel())
        self.settings = settings or EpisodeSettings()
        self._taught = taught = [_measure(market, day) for market in self.markets]
        self.tapes: list[Tape] = [history.tapes[-1] for history in taught]
        """A day of each market without us: not one that is traded in."""
        self.lessons = [history.before(history.tapes[-1]) for history in taught]
        self.touch_lots = [
            usual_touch(history.tapes[-1], {history.tapes[-1].instrument.symbol: history})
            for history in taught
        ]
        self._usual = [self._expected(k) for k in range(len(self.markets))]
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Draw from here on what a new pool of this seed would."""
        self._own = SimulatedDraws(self, seed)
        self.seed = seed

    def draws(self) -> SimulatedDraws:
        """Draws of their own, from the beginning of the seed, for one who is not to share them."""
        return SimulatedDraws(self, self.seed)

    def enter(self, stage: Stage) -> None:
        """Draw from here on what this stage of a curriculum is made of; markets stay as weighed."""
        self.settings = stage.episodes

    def earlier(self, k: int) -> list[Tape]:
        """Days of market `k` before the one that is traded on, without us."""
        return self._taught[k].earlier(self.tapes[k])

    def draw(self, n: int, venues: int = 1) -> NDArray[np.void]:
        """The next `n` episodes of the pool's own draws, at so many venues, `[n]` of
        EPISODE_RECORD."""
        return self._own.draw(n, venues)

    def episodes(
        self, numbers: NDArray[np.int64], venues: int = 1, seed: int | None = None
    ) -> NDArray[np.void]:
        """Episodes of these numbers at so many venues, `[n]` of EPISODE_RECORD; they depend on seed
        (the pool's, if none is given) and number only.

        Raises `ConfigError` for a horizon that does not fit into a session.
        """
        seed = self.seed if seed is None else seed
        settings = self.settings
        found = np.zeros(len(numbers), EPISODE_RECORD)
        found["number"] = numbers
        draws = first_bits(branches(new_dice(seed, _ORDERS), numbers), 8)
        random = (draws >> np.uint64(11)).astype(np.float64) * 2.0**-53
        found["tape"] = np.searchsorted(self._below[:-1], random[_MARKET], side="right")
        found["venue"] = (random[_VENUE] * venues).astype(np.int64)
        horizons = np.round(np.array(settings.horizon_s) * NS_PER_S).astype(np.int64)
        horizon = horizons[(random[_HORIZON] * len(horizons)).astype(np.int64)]
        sessions = [tape.session for tape in self.tapes]
        first = np.array([session.open_ns for session in sessions])[found["tape"]] + _SETTLE_NS
        last = np.array([session.close_ns for session in sessions])[found["tape"]] - horizon
        if np.any(last <= first):
            raise ConfigError(
                f"horizon_s: {horizon[np.argmax(last <= first)] / NS_PER_S:g} s does not fit into "
                "a session; use a shorter one"
            )
        found["start_ts"] = first + (random[_START] * (last - first)).astype(np.int64)
        found["end_ts"] = found["start_ts"] + horizon
        found["side"] = np.where(random[_SIDE] < 0.5, -1, 1)
        low, high = settings.qty_volume
        share = low + random[_SIZE] * (high - low)
        found["lots"] = np.maximum(np.round(share * self._usual_lots(found)), 1)
        low, high = settings.urgency
        found["steepness"] = low + random[_URGENCY] * (high - low)
        found["seed"] = (random[_LATENCY] * 2.0**53).astype(np.int64)
        found["child_max"] = found["band_high"] = FAR
        found["band_low"] = -FAR
        found["band_ppm"] = settings.band_ppm()
        found["window_ns"] = round(settings.participation_window_s * NS_PER_S)
        found["share_ppm"] = round((settings.participation or 0.0) * 1e6)
        dice = branches(new_dice(seed, self._day), numbers)
        found["dice_state"], found["dice_gamma"] = dice["state"], dice["gamma"]
        return found

    def _expected(self, k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Lots that usually have traded by the edges of the volume curve (ns since the epoch)."""
        curve, session = self.lessons[k].curve, self.tapes[k].session
        edges = np.asarray(curve.edges_ns) + session.midnight_ns
        return edges, np.asarray(curve.traded) * self.lessons[k].session_lots

    def _usual_lots(self, episodes: NDArray[np.void]) -> NDArray[np.float64]:
        """Lots that usually trade in the horizon of each."""
        lots = np.zeros(len(episodes))
        for k in np.unique(episodes["tape"]):
            at = episodes["tape"] == k
            start, end = (
                np.interp(episodes[name][at], *self._usual[k]) for name in ("start_ts", "end_ts")
            )
            lots[at] = end - start
        return lots


class SimulatedDraws:
    """Episodes of a pool in the order of their numbers. Whoever has draws of his own gets the same
    whatever others draw."""

    def __init__(self, pool: SimulatedPool, seed: int) -> None:
        self.pool = pool
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Draw from here on what new draws of this seed would."""
        new_dice(seed)  # says what is wrong with it
        self.seed, self._next = seed, 0

    def draw(self, n: int, venues: int = 1) -> NDArray[np.void]:
        """The next `n` episodes at so many venues, `[n]` of EPISODE_RECORD."""
        self._next += n
        numbers = np.arange(self._next - n, self._next)
        return self.pool.episodes(numbers, venues, self.seed)


def _measure(market: MarketSettings, day: str) -> History:
    """Days before `day`, and one of it, without us."""
    last = date.fromisoformat(day)
    days: list[str] = [day]
    while len(days) <= _TAUGHT_DAYS:
        last -= timedelta(days=1)
        if last.weekday() < 5:
            days.append(last.isoformat())
    return History([simulate_day(market, one, _TEACHER) for one in days])


def _shares(name: str, weights: Sequence[float]) -> NDArray[np.float64]:
    found = np.asarray(weights, dtype=np.float64)
    if not (found.ndim == 1 and np.all(np.isfinite(found) & (found >= 0)) and found.sum() > 0):
        raise ConfigError(f"{name}: {list(weights)} are no weights; give numbers from 0 up")
    return found / found.sum()
