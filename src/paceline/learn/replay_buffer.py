"""The replay buffer: flat arrays of what was seen, done and earned, drawn by priority.

    buffer = ReplayBuffer(200_000, 181, 97, priority=0.6)
    buffer.add(rows)                                # Transitions
    drawn = buffer.sample(256, dice, correction=0.4)
    buffer.learnt(drawn.where, errors)

`MixedReplay` keeps rows of rare regimes apart, so that the usual ones do not push them out, and
draws a fixed share of each batch from them. Weights correct for priorities and for the mix.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.decision.schema import NAMES
from paceline.errors import InputError
from paceline.learn.settings import Replay
from paceline.learn.sum_tree import draw, leaves_for, put

_LEAST = 1e-3
"""Added to errors, so that no row is never drawn again."""


class Transitions(NamedTuple):
    """Decisions and what came of them, a row each."""

    features: NDArray[np.float32]  # [n, n_features] as the network sees them
    mask: NDArray[np.bool_]  # [n, n_actions] what was legal
    action: NDArray[np.int64]  # [n]
    reward: NDArray[np.float32]  # [n]; NaN in all rows: not known
    next_features: NDArray[np.float32]  # [n, n_features]
    next_mask: NDArray[np.bool_]  # [n, n_actions]
    done: NDArray[np.bool_]  # [n] whether nothing comes after it
    discount: NDArray[np.float32]  # [n] what the next return is worth now
    propensity: NDArray[np.float32]  # [n] probability with which it was chosen; NaN: not known


class Batch(NamedTuple):
    """Rows of an update, as arrays or as tensors."""

    features: Any  # [n, n_features]
    mask: Any  # [n, n_actions]
    action: Any  # [n]
    reward: Any  # [n]
    next_features: Any  # [n, n_features]
    next_mask: Any  # [n, n_actions]
    discount: Any  # [n], 0 where it was done
    weight: Any  # [n] that corrects for how rows were drawn, 1 at most


class Drawn(NamedTuple):
    """A batch, and where its rows are."""

    batch: Batch
    where: NDArray[np.int64]  # [n] rows of the buffer
    chance: NDArray[np.float64]  # [n] probability of the row, each time one is drawn


def check_transitions(rows: Transitions, n_features: int, n_actions: int) -> None:
    """Raises `InputError` for rows that nothing can be learnt from, naming the first."""
    n = len(rows.action)
    wide, acts = (n, n_features), (n, n_actions)
    shapes = Transitions(wide, acts, (n,), (n,), wide, acts, (n,), (n,), (n,))  # type: ignore[arg-type]
    column: Any
    shape: Any
    for name, column, shape in zip(Transitions._fields, rows, shapes, strict=True):
        if column.shape != shape:
            raise InputError(
                f"rows.{name}: is {list(column.shape)}, not {list(shape)}; give what the policy "
                "and its grid are made for"
            )
    if not n:
        return
    action = np.asarray(rows.action)
    whole = np.clip(action, 0, n_actions - 1)
    discount = np.asarray(rows.discount)
    wrong = {
        "features: hold NaN or infinity; give what the normaliser wrote": ~np.isfinite(
            rows.features
        ).all(axis=1),
        "next_features: hold NaN or infinity; give what the normaliser wrote": ~np.isfinite(
            rows.next_features
        ).all(axis=1),
        "reward: is not finite; leave the row out": np.isinf(rows.reward)
        | (np.isnan(rows.reward) & ~np.isnan(rows.reward).all()),
        "discount: is not from 0 to 1; give one": ~((discount >= 0) & (discount <= 1)),
        "mask: no action is legal; leave the row out (hold always is)": ~rows.mask.any(axis=1),
        "next_mask: no action is legal; leave the row out (hold always is)": ~(
            rows.next_mask.any(axis=1) | rows.done
        ),
        f"action: is none; give 0 to {n_actions - 1}": action != whole,
        "action: was masked; leave the row out": ~rows.mask[np.arange(n), whole],
    }
    for says, rowwise in wrong.items():
        if rowwise.any():
            name, _, rest = says.partition(": ")
            raise InputError(
                f"rows.{name}: {int(rowwise.sum())} of {n} rows, the first is {rowwise.argmax()}: "
                + rest
            )


class ReplayBuffer:
    """Rows in a ring; the oldest make room for new ones."""

    def __init__(
        self, capacity: int, n_features: int, n_actions: int, *, priority: float = 0.0
    ) -> None:
        """`priority` is the power of the error by which rows are drawn; 0 draws all alike."""
        self.capacity, self.n_features, self.n_actions = capacity, n_features, n_actions
        self.priority = priority
        bytes_of_mask = -(-n_actions // 8)
        self.columns: dict[str, NDArray[Any]] = {
            "features": np.zeros((capacity, n_features), np.float32),
            "mask": np.zeros((capacity, bytes_of_mask), np.uint8),
            "action": np.zeros(capacity, np.int64),
            "reward": np.zeros(capacity, np.float32),
            "next_features": np.zeros((capacity, n_features), np.float32),
            "next_mask": np.zeros((capacity, bytes_of_mask), np.uint8),
            "done": np.zeros(capacity, np.bool_),
            "discount": np.zeros(capacity, np.float32),
            "propensity": np.full(capacity, np.nan, np.float32),
        }
        self.tree = np.zeros(2 * leaves_for(capacity))
        self._at = np.zeros(2, np.int64)  # rows ever added; unused
        self._highest = np.ones(1)

    def __len__(self) -> int:
        return int(min(self._at[0], self.capacity))

    @property
    def added(self) -> int:
        """Rows ever added."""
        return int(self._at[0])

    @property
    def rewarded(self) -> bool:
        """Whether it is known what rows earned."""
        return not np.isnan(self.columns["reward"][: len(self)]).any()

    def add(self, rows: Transitions) -> None:
        """Keep `rows`, all or none. Raises `InputError` for rows that cannot be learnt from."""
        check_transitions(rows, self.n_features, self.n_actions)
        n = len(rows.action)
        kept = min(n, self.capacity)
        where = (self._at[0] + np.arange(n - kept, n)) % self.capacity
        for name, column in rows._asdict().items():
            packs = name in ("mask", "next_mask")
            last = column[n - kept :]
            self.columns[name][where] = np.packbits(last, axis=1) if packs else last
        put(self.tree, where, np.full(kept, self._highest[0]))
        self._at[0] += n

    def sample(self, n: int, dice: np.random.Generator, correction: float = 1.0) -> Drawn:
        """Draw `n` rows, with replacement; `correction` is the power of their weights.

        Raises `InputError` if there is none."""
        index, chance = self.draw(n, dice)
        return Drawn(self.rows(index, weights(chance, len(self), correction)), index, chance)

    def draw(
        self, n: int, dice: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """`[n]` rows and the probability of each. Raises `InputError` if there is none."""
        if not len(self):
            raise InputError(f"replay: is empty, and a batch is {n} rows; add rows before learning")
        if self.priority == 0.0:
            return dice.integers(0, len(self), n), np.full(n, 1.0 / len(self))
        index = np.empty(n, np.int64)
        # One number in each n-th of the sum: as likely, and more even.
        draw(self.tree, (np.arange(n) + dice.random(n)) / n, index)
        return index, self.tree[len(self.tree) // 2 + index] / self.tree[1]

    def rows(self, index: NDArray[np.int64], weight: NDArray[np.float32]) -> Batch:
        """The batch of the rows `index` `[n]`."""
        kept = self.columns
        return Batch(
            features=kept["features"][index],
            mask=self._unpacked("mask", index),
            action=kept["action"][index],
            reward=kept["reward"][index],
            next_features=kept["next_features"][index],
            next_mask=self._unpacked("next_mask", index),
            discount=kept["discount"][index] * ~kept["done"][index],
            weight=weight,
        )

    def learnt(self, index: NDArray[np.int64], error: NDArray[np.float32]) -> None:
        """Say what error `[n]` the rows `[n]` had, so that surprising ones are drawn more often."""
        if self.priority == 0.0:
            return
        priority = (np.abs(error).astype(np.float64) + _LEAST) ** self.priority
        self._highest[0] = max(self._highest[0], float(priority.max()))
        put(self.tree, index, priority)

    def transitions(self) -> Transitions:
        """All rows, the oldest first."""
        at = (self._at[0] - len(self) + np.arange(len(self))) % self.capacity
        given: dict[str, Any] = {
            name: self._unpacked(name, at) if name in ("mask", "next_mask") else column[at]
            for name, column in self.columns.items()
        }
        return Transitions(**given)

    def state(self, rows: bool = True) -> dict[str, NDArray[Any]]:
        """All there is to keep, by name, without what was never written; without `rows`, what was
        learnt of them only."""
        n = len(self)
        half = len(self.tree) // 2
        kept = {name: column[:n] for name, column in self.columns.items() if rows}
        return kept | {
            "priorities": self.tree[half : half + n], "at": self._at, "highest": self._highest,
        }  # fmt: skip

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Become what `state` says; rows that it leaves out are there already.

        Raises `InputError` if it is of another capacity or shape."""
        n = len(state["priorities"])
        given = {name: state[name] for name in self.columns if name in state}
        fits = state["at"].shape == self._at.shape and state["highest"].shape == self._highest.shape
        fits = fits and n == min(int(state["at"][0]), self.capacity)
        fits = fits and (bool(given) or n == len(self))
        fits = fits and bool((np.isfinite(state["priorities"]) & (state["priorities"] >= 0)).all())
        for name, rows in given.items():
            fits = fits and rows.shape == (n, *self.columns[name].shape[1:])
        if not fits:
            raise InputError(
                f"replay: {n} rows were kept, which do not fit a buffer of {len(self)} of "
                f"{self.capacity}; go on with the rows and settings it was made with"
            )
        for name, rows in given.items():
            self.columns[name][:n] = rows
        self._at[:], self._highest[:] = state["at"], state["highest"]
        self.tree[:] = 0.0
        put(self.tree, np.arange(n), state["priorities"])

    def digest(self) -> str:
        """SHA-256 of the rows: which data a run learnt from."""
        found = hashlib.sha256()
        for name, column in self.columns.items():
            found.update(name.encode())
            found.update(column[: len(self)].data)
        return found.hexdigest()

    def _unpacked(self, name: str, index: NDArray[np.int64]) -> NDArray[np.bool_]:
        bits = np.unpackbits(self.columns[name][index], axis=1, count=self.n_actions)
        return bits.view(np.bool_)


class MixedReplay:
    """A buffer of usual rows and one of rare ones, of which each batch has a fixed share."""

    def __init__(
        self,
        usual: ReplayBuffer,
        rare: ReplayBuffer,
        rare_share: float,
        is_rare: Callable[[Transitions], NDArray[np.bool_]],
    ) -> None:
        """`is_rare` says of rows which go to the rare buffer (`[n]`)."""
        self.usual, self.rare = usual, rare
        self.rare_share, self.is_rare = rare_share, is_rare
        self.n_features, self.n_actions = usual.n_features, usual.n_actions

    def __len__(self) -> int:
        return len(self.usual) + len(self.rare)

    @property
    def added(self) -> int:
        """Rows ever added."""
        return self.usual.added + self.rare.added

    @property
    def rewarded(self) -> bool:
        """Whether it is known what rows earned."""
        return self.usual.rewarded and self.rare.rewarded

    def add(self, rows: Transitions) -> None:
        """Keep `rows`, each in its buffer. Raises `InputError` as a buffer does."""
        check_transitions(rows, self.n_features, self.n_actions)
        rare = self.is_rare(rows)
        for one, which in ((self.usual, ~rare), (self.rare, rare)):
            columns: Any = (column[which] for column in rows)
            one.add(Transitions(*columns))

    def sample(self, n: int, dice: np.random.Generator, correction: float = 1.0) -> Drawn:
        """Draw `n` rows of both; the index of a rare one is behind those of the usual.

        Raises `InputError` if there is none."""
        if not len(self.rare) or not len(self.usual):
            only, behind = (self.usual, 0) if len(self.usual) else (self.rare, self.usual.capacity)
            drawn = only.sample(n, dice, correction)
            return drawn._replace(where=drawn.where + behind)
        n_rare = min(max(round(self.rare_share * n), 1), n - 1) if n > 1 else 0
        usual, usual_chance = self.usual.draw(n - n_rare, dice)
        rare, rare_chance = self.rare.draw(n_rare, dice)
        # What a row's chance is, when one row of the batch is picked.
        chance = np.concatenate([(n - n_rare) / n * usual_chance, n_rare / n * rare_chance])
        weight = weights(chance, len(self), correction)
        halves = (
            self.usual.rows(usual, weight[: n - n_rare]),
            self.rare.rows(rare, weight[n - n_rare :]),
        )
        batch = Batch(*(np.concatenate(pair) for pair in zip(*halves, strict=True)))
        return Drawn(batch, np.concatenate([usual, rare + self.usual.capacity]), chance)

    def learnt(self, index: NDArray[np.int64], error: NDArray[np.float32]) -> None:
        """Say what error `[n]` the rows `[n]` had."""
        rare = index >= self.usual.capacity
        if not rare.all():
            self.usual.learnt(index[~rare], error[~rare])
        if rare.any():
            self.rare.learnt(index[rare] - self.usual.capacity, error[rare])

    def state(self, rows: bool = True) -> dict[str, NDArray[Any]]:
        """All there is to keep, by name."""
        parts = (("usual", self.usual), ("rare", self.rare))
        return {f"{name}.{key}": a for name, one in parts for key, a in one.state(rows).items()}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Become what `state` says. Raises `InputError` as a buffer does."""
        for name, one in (("usual", self.usual), ("rare", self.rare)):
            own = {k[len(name) + 1 :]: a for k, a in state.items() if k.startswith(f"{name}.")}
            one.restore(own)

    def digest(self) -> str:
        """SHA-256 of the rows."""
        return hashlib.sha256((self.usual.digest() + self.rare.digest()).encode()).hexdigest()


AnyReplay = ReplayBuffer | MixedReplay


def new_replay(
    settings: Replay,
    n_features: int,
    n_actions: int,
    is_rare: Callable[[Transitions], NDArray[np.bool_]] | None = None,
) -> AnyReplay:
    """The buffer that `settings` ask for. Raises `InputError` for rare rows nobody can tell."""
    usual = ReplayBuffer(settings.capacity, n_features, n_actions, priority=settings.priority)
    if not settings.rare_capacity:
        return usual
    if is_rare is None:
        raise InputError("replay.rare_capacity: is_rare is not given; say which rows are rare")
    rare = ReplayBuffer(settings.rare_capacity, n_features, n_actions, priority=settings.priority)
    return MixedReplay(usual, rare, settings.rare_share, is_rare)


def rare_by(
    settings: Replay, logged: Sequence[NDArray[np.float32]]
) -> Callable[[Transitions], NDArray[np.bool_]] | None:
    """What tells rows of rare regimes: where `settings.rare_feature` is above its quantile in
    `logged`, each `[n, N_FEATURES]` as networks see them; None where none are kept apart.

    Raises `InputError` where nothing was logged."""
    if not settings.rare_capacity:
        return None
    at = NAMES.index(settings.rare_feature)
    values = np.concatenate([np.zeros(0, np.float32), *(rows[:, at] for rows in logged)])
    if not len(values):
        raise InputError("replay.rare_above: is a quantile of the logs, and they are empty; log")
    edge = np.quantile(values, settings.rare_above)
    return lambda rows: np.asarray(rows.features[:, at] > edge)


def weights(chance: NDArray[np.float64], rows: int, correction: float = 1.0) -> NDArray[np.float32]:
    """`[n]` (1 / (rows * chance)) ** correction, by the largest of them.

    Schaul et al., 2016, section 3.4. Drawn with `chance`, rows so weighed count as if all were
    drawn alike, at a correction of 1.
    """
    found = (rows * chance) ** -correction
    return np.asarray(found / found.max(), np.float32)
