"""Which parent orders an environment works: drawn from recorded days, as curriculum and split say.

    settings = EpisodeSettings(horizon_s=(1800,), qty_volume=(0.02, 0.1))
    pool = Pool(tapes[1:], settings, seed=7, taught_by=tapes)
    episodes = pool.draw(1024)
    pool.enter(CURRICULUM[2])  # from now on hard ones

Every day is taught by the days before it and by no other, and one that has none is refused. Days
for training, validation and test are told apart by date (`split`); a pool takes what it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from paceline.config import Field, Settings
from paceline.env.episode import EPISODE_RECORD, FAR
from paceline.env.history import History
from paceline.env.parents import draw_parents
from paceline.errors import ConfigError
from paceline.guard.limits import in_ppm
from paceline.market.grids import converted, factors
from paceline.market.portrait import touch_lots
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

_PER_DAY = 64
"""Parent orders that are drawn of a day at a time."""

Positive = Annotated[float, Meta(gt=0)]


class EpisodeSettings(Settings, frozen=True, kw_only=True):
    """What parent orders of episodes are like."""

    horizon_s: Annotated[
        tuple[Annotated[float, Meta(ge=10, le=86_400)], ...],
        Field("Horizons, one of which is drawn.", "s"),
    ] = (1800.0,)
    qty_volume: Annotated[
        tuple[Positive, Positive],
        Field("Least and most size, drawn between as a share of the horizon's usual volume.", ""),
    ] = (0.02, 0.10)
    urgency: Annotated[
        tuple[Annotated[float, Meta(ge=0, le=10)], Annotated[float, Meta(ge=0, le=10)]],
        Field("Least and most kappa T of the Almgren-Chriss path it is compared with.", ""),
    ] = (0.5, 2.0)
    participation: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        Field("Most participation over the window; left out, none.", "share"),
    ] = 0.25
    participation_window_s: Annotated[
        Annotated[float, Meta(ge=1, le=86_400)], Field("Length of the window.", "s")
    ] = 300.0
    price_band_bps: Annotated[
        Annotated[float, Meta(ge=0.01, le=5000)] | None,
        Field("Worst price, from arrival; left out, none.", "bps"),
    ] = 200.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("qty_volume", "urgency"):
            low, high = getattr(self, name)
            if low > high:
                raise ConfigError(f"{name}: {low:g} is above {high:g}; give least and most")
        if not self.horizon_s:
            raise ConfigError("horizon_s: none is given; give one or more")

    def band_ppm(self) -> int:
        """The price band as the guard counts it, parts in a million of arrival; 0 without one."""
        return 0 if self.price_band_bps is None else in_ppm(self.price_band_bps)


class Stage(Settings, frozen=True, kw_only=True):
    """A stage of a curriculum: what episodes are like, and on which days."""

    name: Annotated[str, Meta(min_length=1), Field("What it is called.", "")]
    episodes: Annotated[EpisodeSettings, Field("What parent orders are like.", "")] = (
        EpisodeSettings()
    )
    liquid_share: Annotated[
        Annotated[float, Meta(gt=0, le=1)],
        Field("Share of the days, those on which most value usually trades.", "share"),
    ] = 1.0


CURRICULUM: tuple[Stage, ...] = (
    Stage(name="small", episodes=EpisodeSettings(qty_volume=(0.005, 0.02)), liquid_share=0.5),
    Stage(name="usual", episodes=EpisodeSettings(qty_volume=(0.02, 0.10))),
    Stage(
        name="hard",
        episodes=EpisodeSettings(qty_volume=(0.05, 0.20), horizon_s=(600.0, 1800.0, 3600.0)),
    ),
)
"""From small orders in liquid names to large ones anywhere, in less time and in more."""


class Pool:
    """Days to draw episodes from."""

    def __init__(
        self,
        tapes: Sequence[Tape],
        settings: EpisodeSettings | None = None,
        *,
        seed: int = 0,
        taught_by: Sequence[Tape] = (),
        untaught: Literal["refuse", "own"] = "refuse",
        gap_s: float | None = 300.0,
    ) -> None:
        """Episodes on `tapes`; whole days before them in `tapes` or `taught_by` teach. Where a
        recording is silent for longer than `gap_s` seconds it has a gap, which truncates an
        episode; None: silence is none.

        Every environment has draws of its own; those of two from one pool are the same until they
        are reset with other seeds.

        Raises `ConfigError` for a day that no other teaches. With `untaught="own"` such a day is
        taught by itself, which is to look ahead: its average daily volume, impact and usual touch
        are those of hours still to come.
        """
        if untaught not in ("refuse", "own"):
            raise ConfigError(f"untaught: {untaught!r} is neither 'refuse' nor 'own'; give one")
        if not tapes:
            raise ConfigError("tapes: none is given; give one or more days")
        if gap_s is not None and not gap_s > 0:
            raise ConfigError(f"gap_s: {gap_s!r} is no length; give seconds, or None for no gaps")
        self.gap_s = gap_s
        self.tapes = list(tapes)
        self.settings = settings or EpisodeSettings()
        everything = {tape.manifest.tape_id: tape for tape in [*taught_by, *tapes]}
        symbols = {tape.instrument.symbol for tape in everything.values()}
        self._histories = histories = {
            symbol: History([t for t in everything.values() if t.instrument.symbol == symbol])
            for symbol in symbols
        }
        alone = [] if untaught == "own" else [k for k in range(len(tapes)) if not self.earlier(k)]
        if alone:
            raise ConfigError(
                f"tapes: {self.tapes[alone[0]].name} has no whole day before it to learn from; "
                "give earlier days in taught_by, or leave it out"
            )
        self.lessons = [histories[tape.instrument.symbol].before(tape) for tape in self.tapes]
        self.touch_lots = [usual_touch(tape, histories) for tape in self.tapes]
        self.open_days, self.stages = np.arange(len(self.tapes)), 0
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Draw from here on what a new pool of this seed would."""
        self.seed = seed
        self._own = self.draws()

    def draws(self) -> Draws:
        """Draws of their own, from the beginning of the seed, for one who is not to share them."""
        return Draws(self, self.seed)

    def earlier(self, k: int) -> list[Tape]:
        """The days before that of tape `k`, which may be known on it."""
        tape = self.tapes[k]
        return self._histories[tape.instrument.symbol].earlier(tape)

    def enter(self, stage: Stage) -> None:
        """Draw from here on what this stage of a curriculum is made of."""
        self.settings = stage.episodes
        value = [
            lesson.adv_lots
            * float(tape.instrument.lot)
            * float(np.nanmedian(tape.mid_ticks()) * float(tape.instrument.book_tick))
            for tape, lesson in zip(self.tapes, self.lessons, strict=True)
        ]
        most = max(round(stage.liquid_share * len(self.tapes)), 1)
        self.open_days = np.sort(np.argsort(value)[::-1][:most])
        self.stages += 1

    def draw(self, n: int, venues: int = 1) -> NDArray[np.void]:
        """What `Draws.draw` gives, of the pool's own."""
        return self._own.draw(n, venues)

    def given(
        self,
        k: int,
        side: NDArray[np.int64],
        lots: NDArray[np.int64],
        start_ts: NDArray[np.int64],
        end_ts: NDArray[np.int64],
    ) -> NDArray[np.void]:
        """`[n]` of EPISODE_RECORD: these parent orders on tape `k`, under the limits of the
        settings and compared with the middle of their urgency."""
        found = np.zeros(len(side), EPISODE_RECORD)
        found["side"], found["lots"] = side, lots
        found["start_ts"], found["end_ts"] = start_ts, end_ts
        found["seed"] = np.arange(len(side))
        found["steepness"] = np.mean(self.settings.urgency)
        self.limit(k, found)
        return found

    def limit(self, day: int, found: NDArray[np.void]) -> None:
        """Write the tape and the limits of parent orders on it."""
        settings = self.settings
        found["tape"] = day
        found["child_max"] = FAR
        found["band_high"], found["band_low"] = FAR, -FAR
        found["window_ns"] = round(settings.participation_window_s * NS_PER_S)
        if settings.participation is not None:
            found["share_ppm"] = round(settings.participation * 1e6)
        found["band_ppm"] = settings.band_ppm()


class Draws:
    """Episodes of a pool, drawn one after the other. Whoever has draws of his own gets the same
    whatever others draw."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self.pool = pool
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Draw from here on what new draws of this seed would."""
        self._rng = np.random.default_rng(seed)
        # A stream of their own: orders are the same at however many venues.
        (self._venues,) = self._rng.spawn(1)
        self._begin_stage()

    def _begin_stage(self) -> None:
        self._stage = self.pool.stages
        self._drawn = [np.zeros(0, EPISODE_RECORD) for _ in self.pool.tapes]

    def draw(self, n: int, venues: int = 1) -> NDArray[np.void]:
        """`[n]` of EPISODE_RECORD: days in random order, and each a random parent order of it, at a
        random one of so many venues."""
        if self._stage != self.pool.stages:
            self._begin_stage()
        days = self.pool.open_days[self._rng.integers(len(self.pool.open_days), size=n)]
        found = np.zeros(n, EPISODE_RECORD)
        for day in np.unique(days):
            at = np.flatnonzero(days == day)
            found[at] = self._of_day(int(day), len(at))
        found["venue"] = self._venues.integers(venues, size=n)
        return found

    def _of_day(self, day: int, n: int) -> NDArray[np.void]:
        while len(self._drawn[day]) < n:
            more = self._fresh(day, max(n, _PER_DAY))
            self._drawn[day] = np.concatenate([self._drawn[day], more])
        taken, self._drawn[day] = self._drawn[day][:n], self._drawn[day][n:]
        return taken

    def _fresh(self, day: int, n: int) -> NDArray[np.void]:
        pool, rng = self.pool, self._rng
        tape, lesson, settings = pool.tapes[day], pool.lessons[day], pool.settings
        horizons = settings.horizon_s
        of_each = np.bincount(rng.integers(len(horizons), size=n), minlength=len(horizons))
        parents = np.concatenate(
            [
                draw_parents(
                    tape, lesson, count, horizon, qty=None, qty_adv=None,
                    qty_volume=settings.qty_volume[1], seed=int(rng.integers(2**32)),
                )
                for horizon, count in zip(horizons, of_each.tolist(), strict=True)
                if count
            ]
        )  # fmt: skip
        found = np.zeros(n, EPISODE_RECORD)
        for name in ("side", "start_ts", "end_ts", "seed"):
            found[name] = parents[name]
        low, high = settings.qty_volume
        share = rng.uniform(low / high, 1.0, n)
        found["lots"] = np.maximum(np.round(parents["lots"] * share), 1)
        found["steepness"] = rng.uniform(*settings.urgency, n)
        pool.limit(day, found)
        rng.shuffle(found)
        return found


def on_both_sides(episodes: NDArray[np.void]) -> NDArray[np.void]:
    """`episodes` `[n]`, and each once more on the other side `[2 n]`. What the mid does by itself
    costs one what it saves the other, so that it takes little part in their mean (antithetic
    variates; Hammersley and Morton, 1956)."""
    other = episodes.copy()
    other["side"] *= -1
    return np.concatenate([episodes, other])


def usual_touch(tape: Tape, histories: dict[str, History]) -> float:
    """Median size at the touch on the whole day before, or on the day itself if there is none, in
    lots of `tape`."""
    earlier = histories[tape.instrument.symbol].earlier(tape)
    teacher = earlier[-1] if earlier else tape
    lots = np.concatenate(touch_lots(teacher))
    if not np.any(lots > 0):
        return 1.0
    by = factors(teacher.instrument, tape.instrument).lots
    return float(converted(np.median(lots[lots > 0]), by))


def split(
    tapes: Sequence[Tape], validation: str, test: str
) -> tuple[list[Tape], list[Tape], list[Tape]]:
    """Days for training, validation and test: before the first day of `validation` (YYYY-MM-DD),
    from there to before the first of `test`, and from there on. No day is in two of them.

    Raises `ConfigError` if the dates do not rise, or a part is empty.
    """
    if not validation < test:
        raise ConfigError(f"test: {test} is not after validation {validation}; give a later day")
    parts: tuple[list[Tape], list[Tape], list[Tape]] = ([], [], [])
    for tape in tapes:
        day = tape.session.day
        parts[(day >= validation) + (day >= test)].append(tape)
    for part, name in zip(parts, ("training", "validation", "test"), strict=True):
        if not part:
            raise ConfigError(f"{name}: has no day; choose other dates or give more tapes")
    return parts
