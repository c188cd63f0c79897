"""Random numbers whose state is a record: saved, restored and split like any other array.

The generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014, figure 17): 64 bits of state and an odd step `gamma`. Streams differ in
both, so that every day, episode and market has its own.

Discrete laws are alias tables (Vose, "A linear algorithm for generating random numbers with a given
distribution", 1991): any law costs one draw, and no logarithm.

Kernels rely on integers that wrap around. With the JIT off NumPy warns of that; callers silence it
with `wrapping()`.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paceline.errors import InputError
from paceline.jit import inlined

DICE_RECORD = np.dtype([("state", np.uint64), ("gamma", np.uint64)])
LAW_RECORD = np.dtype(
    [
        ("limit", np.uint64),  # of 2**32: below it the cell's own value is drawn
        ("own", np.int64),
        ("other", np.int64),
    ]
)

_MASK = 2**64 - 1
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""The step of a stream of its own, odd and close to 2**64 over the golden ratio."""

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


def wrapping() -> AbstractContextManager[None]:
    """Silence NumPy's warning about integers that wrap around, which here is what they are for."""
    return np.errstate(over="ignore")


def new_dice(seed: int, *stream: int) -> NDArray[np.void]:
    """A generator `[1]` of DICE_RECORD for `seed` and a path of streams, e.g. day, episode.

    Any two different paths are independent. Raises `InputError` for what is no seed.
    """
    for name, value in (("seed", seed), *(("stream", key) for key in stream)):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MASK:
            raise InputError(f"{name}: {value!r} is not a whole number from 0 to 2**64 - 1")
    dice = np.zeros(1, DICE_RECORD)
    dice["state"], dice["gamma"] = _mix(np.array([seed], np.uint64)), GOLDEN
    for key in stream:
        dice = branches(dice, np.array([key], np.uint64))
    return dice


def branches(dice: NDArray[np.void], keys: NDArray[np.integer[Any]]) -> NDArray[np.void]:
    """The streams `[n]` of DICE_RECORD below that of `dice` `[1]`, one for each of `keys` `[n]`,
    which are not negative: what `new_dice` gives for its path and the key."""
    found = np.zeros(len(keys), DICE_RECORD)
    found["state"] = _mix(dice["state"] + _mix(keys.astype(np.uint64) + GOLDEN))
    found["gamma"] = _mix_gamma(found["state"] + GOLDEN)
    return found


def first_bits(dice: NDArray[np.void], count: int) -> NDArray[np.uint64]:
    """The first `count` draws of `bits` of each of `dice` `[n]`, `[count, n]`; they stay as they
    are."""
    return _mix(dice["state"] + np.arange(1, count + 1, dtype=np.uint64)[:, None] * dice["gamma"])


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def _mix_gamma(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """An odd step whose bits change often enough (figure 17, mixGamma)."""
    z = (z ^ (z >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    z = (z ^ (z >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    z = (z ^ (z >> np.uint64(33))) | np.uint64(1)
    few = np.bitwise_count(z ^ (z >> np.uint64(1))) < 24
    return np.where(few, z ^ np.uint64(0xAAAAAAAAAAAAAAAA), z)


@inlined
def bits(dice: NDArray[np.void]) -> np.uint64:
    """64 random bits."""
    z = dice[0]["state"] + dice[0]["gamma"]
    dice[0]["state"] = z
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@inlined
def uniform(dice: NDArray[np.void]) -> float:
    """A number in (0, 1]: its logarithm is finite."""
    return (float(bits(dice) >> np.uint64(11)) + 1.0) * 2.0**-53


@inlined
def exponential(dice: NDArray[np.void]) -> float:
    """A waiting time of mean 1."""
    return -math.log(uniform(dice))


@inlined
def normal(dice: NDArray[np.void]) -> float:
    """A standard normal number (Box and Muller, 1958; the second one is not kept)."""
    return math.sqrt(2.0 * exponential(dice)) * math.cos(2.0 * math.pi * uniform(dice))


@inlined
def below(dice: NDArray[np.void], n: int) -> int:
    """A whole number from 0 to `n - 1`; `n` is positive and below 2**32."""
    return int(np.int64(((bits(dice) >> _HALF) * np.uint64(n)) >> _HALF))


@inlined
def pick(dice: NDArray[np.void], law: NDArray[np.void]) -> int:
    """A value drawn from an alias table."""
    z = bits(dice)
    cell = law[np.int64(((z >> _HALF) * np.uint64(len(law))) >> _HALF)]
    return cell["own"] if (z & _LOW) < cell["limit"] else cell["other"]


def alias_table(values: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.void]:
    """The law that draws `values` `[n]` in proportion to `weights` `[n]`, as `[n]` of LAW_RECORD.

    The weights must not be negative and must have a positive, finite sum.
    """
    n = len(values)
    share = weights * (n / weights.sum())
    table = np.zeros(n, LAW_RECORD)
    table["own"] = table["other"] = values
    table["limit"] = 2**32
    small = [i for i in range(n) if share[i] < 1]
    large = [i for i in range(n) if share[i] >= 1]
    while small and large:
        i, j = small.pop(), large[-1]
        table[i]["limit"] = round(float(share[i]) * 2**32)
        table[i]["other"] = values[j]
        share[j] -= 1 - share[i]
        if share[j] < 1:
            small.append(large.pop())
    return table


def law_from_one(weights: NDArray[np.float64]) -> NDArray[np.void]:
    """The table of 1, 2, ... with these weights."""
    return alias_table(np.arange(1, len(weights) + 1), weights)
