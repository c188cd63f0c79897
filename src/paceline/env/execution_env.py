"""One parent order at a time: Gymnasium's environment, for who wants to look.

    env = gymnasium.make("paceline/Execution-v0", pool=Pool(tapes, taught_by=earlier))
    seen, info = env.reset(seed=7)
    seen, reward, terminated, truncated, info = env.step(0)

    env = gymnasium.make("paceline/ExecutionContinuous-v0", pool=Pool(tapes, taught_by=earlier))
    seen, reward, terminated, truncated, info = env.step([0.1, -0.5])

The second is the same with a fraction of what is left and a price offset for actions (`ActionBox`);
`info` says what was wrong with them (`reasons`), and whether nothing was sent for it (`held`).

Each is `BatchExecutionEnv` with one, so what holds there holds here, number by number.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from paceline.decision.box import ActionBox
from paceline.decision.mask import reasons_of
from paceline.engine.account import LIMIT, MARKETABLE
from paceline.env.batch_env import TERM_NAMES, BatchExecutionEnv
from paceline.env.days import AnyPool
from paceline.env.episode import RUNNING, TERMINATED, TRUNCATED
from paceline.env.episodes import Pool
from paceline.errors import InputError
from paceline.units import NS_PER_S

ID = "paceline/Execution-v0"
CONTINUOUS_ID = "paceline/ExecutionContinuous-v0"


class ExecutionEnv(gym.Env[NDArray[np.float32], Any]):
    """A parent order, worked decision by decision."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012

    def __init__(self, pool: AnyPool, render_mode: str | None = None, **options: Any) -> None:
        """`options` are those of `BatchExecutionEnv`."""
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise InputError(f"render_mode: {render_mode!r} is not rgb_array; give that, or none")
        self.render_mode = render_mode
        self.batch = BatchExecutionEnv(pool, 1, **options)
        self.action_space = self.batch.single_action_space
        self.observation_space = self.batch.single_observation_space
        self._over = TERMINATED

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode; `options["episode"]` (EPISODE_RECORD) gives it."""
        super().reset(seed=seed)
        episode = (options or {}).get("episode")
        given = None if episode is None else {"episodes": np.atleast_1d(episode)}
        self.batch.reset(seed=seed, options=given)
        self._over = RUNNING
        return self.batch.seen[0].copy(), self._info()

    def step(
        self, action: np.int64 | NDArray[Any]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Carry out `action`. Raises `InputError` for one that is none, or once it is over."""
        if self._over != RUNNING:
            raise InputError("step: the episode is over; reset the environment")
        reward, over = self.batch.advance(np.array([action]))
        self._over = int(over[0])
        terminated, truncated = self._over == TERMINATED, self._over == TRUNCATED
        return self.batch.seen[0].copy(), float(reward[0]), terminated, truncated, self._info()

    def render(self) -> NDArray[np.uint8] | None:
        """The order so far as a picture `[height, width, 3]`; None without a render mode."""
        if self.render_mode is None:
            return None
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4.5), dpi=100, layout="constrained")
        canvas: Any = FigureCanvasAgg(figure)
        self._draw(figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    def _info(self) -> dict[str, Any]:
        terms = self.batch.terms[0]
        may: dict[str, Any] = {"action_mask": self.batch.action_masks()[0]}
        if self.batch.is_continuous:
            names = [reason.name for reason in reasons_of(int(self.batch.broken[0]))]
            may = {"reasons": names, "held": bool(self.batch.held()[0])}
        return may | {
            "shortfall_bps": float(self.batch.lives.progress["marked_bps"][0]),
            "reward_terms": dict(zip(TERM_NAMES, terms.tolist(), strict=True)),
            "ts": int(self.batch.lives.progress["ts"][0]),
        }

    def _draw(self, figure: Any) -> None:
        """Price with our fills and what rests above, what is left below."""
        batch = self.batch
        episode, lives = batch.episodes[0], batch.lives
        tape = batch.pool.tapes[episode["tape"]]
        now, tick = int(lives.progress["ts"][0]), float(tape.instrument.book_tick)
        recorded = isinstance(batch.pool, Pool)
        first, stop = np.searchsorted(tape.events.ts, (episode["start_ts"], now), side="right")
        # What a simulated market showed is not written down: only what became of us in it.
        rows = np.arange(max(first - 1, 0), max(stop, first)) if recorded else np.arange(0)

        def minutes(ts: NDArray[np.int64]) -> NDArray[np.float64]:
            return np.asarray((ts - episode["start_ts"]) / (60.0 * NS_PER_S))

        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        for ticks, side in ((tape.bid_ticks(), "bid"), (tape.ask_ticks(), "ask")):
            at = np.maximum(tape.events.ts[rows], episode["start_ts"])
            top.step(minutes(at), ticks[rows] * tick, where="post", linewidth=0.8, label=side)
        arrival = 0.5 * float(lives.order[0, 0]["arrival_twice_mid"]) * tick
        top.axhline(arrival, color="grey", linewidth=0.5, label="arrival")
        fills = batch.fills(0)
        for maker, marker, name in ((1, "o", "filled resting"), (0, "^", "took")):
            some = fills[fills["maker"] == maker]
            top.plot(minutes(some["ts"]), some["ticks"] * tick, marker, markersize=4, label=name)
        account = lives.account
        for order in account.orders[0, : account.clock[0, 0]["n_orders"]]:
            if order["asked_type"] in (LIMIT, MARKETABLE) and order["told_ts"] > now:
                top.axhline(order["asked_ticks"] * tick, linestyle=":", linewidth=1.0)
        top.set_ylabel(tape.instrument.currency)
        top.legend(loc="upper left", fontsize=7)
        done = np.concatenate([[0], np.cumsum(fills["lots"])])
        at = np.concatenate([[0.0], minutes(fills["ts"])])
        bottom.step(at, (episode["lots"] - done) / episode["lots"], where="post", label="left")
        ends = float(minutes(np.array(episode["end_ts"])))
        bottom.plot([0.0, ends], [1.0, 0.0], linestyle="--", linewidth=0.8, label="TWAP")
        bottom.set_xlim(0.0, ends)
        bottom.set_xlabel("minutes")
        bottom.legend(fontsize=7)
        side = "buy" if episode["side"] > 0 else "sell"
        cost = float(lives.progress["marked_bps"][0])
        top.set_title(
            f"{side} {episode['lots']:,} {tape.instrument.symbol}, {tape.session.day}: "
            f"{cost:.2f} bps so far",
            fontsize=9,
        )


def register() -> None:
    """Make `gymnasium.make("paceline/Execution-v0", pool=...)` work; once is enough."""
    entry = "paceline.env.execution_env:ExecutionEnv"
    if ID not in gym.registry:
        gym.register(ID, entry_point=entry)
        gym.register(CONTINUOUS_ID, entry_point=entry, kwargs={"grid": ActionBox()})


register()
