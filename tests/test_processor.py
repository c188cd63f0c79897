"""What a processor can do: find a bit of a word, and ask for memory ahead."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from paceline.jit import kernel
from paceline.processor import fetch, highest_bit, lowest_bit

ROW = np.dtype([("a", np.int64), ("b", np.float64, 9)])
_FIVE = 5


@kernel
def _bits(words: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    for i in range(len(words)):
        out[i, 0], out[i, 1] = lowest_bit(words[i]), highest_bit(words[i])


@kernel
def _ask(rows: NDArray[np.void], plain: NDArray[np.float32], i: int) -> int:
    fetch(rows, (i,))
    fetch(rows, (np.uint64(1), i), _FIVE)
    fetch(plain, (i,), 16)
    return i


def test_bits_are_found_in_words_of_both_signs() -> None:
    words = [1 << k for k in range(63)] + [-1, -(2**63), 6, -4, 2**62 + 1, -(2**63) + 8]
    out = np.zeros((len(words), 2), np.int64)
    _bits(np.array(words, np.int64), out)
    for word, (low, high) in zip(words, out.tolist(), strict=True):
        bits = [k for k in range(64) if word >> k & 1]
        assert (low, high) == (bits[0], bits[-1])


def test_asking_changes_nothing() -> None:
    rows, plain = np.zeros((3, 3), ROW), np.arange(30, dtype=np.float32).reshape(3, 10)
    before = rows.tobytes(), plain.tobytes()
    assert _ask(rows, plain, 2) == 2
    assert (rows.tobytes(), plain.tobytes()) == before


def test_how_much_is_asked_for_stands_in_the_source() -> None:
    @kernel
    def of_any_length(plain: NDArray[np.float32], n: int) -> None:
        fetch(plain, (0,), n)

    if hasattr(of_any_length, "py_func"):  # compiled
        with pytest.raises(Exception, match="n is no number in the source"):
            of_any_length(np.zeros(4, np.float32), 2)
