"""Threads that share the parts of one piece of work."""

from __future__ import annotations

import threading

import pytest

from paceline.env.hands import Hands


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("parts", [0, 1, 3, 400])
def test_each_part_is_done_once(n: int, parts: int) -> None:
    hands, done = Hands(n), []
    hands.do(done.append, list(range(parts)))
    hands.close()
    assert sorted(done) == list(range(parts))


def test_several_work_at_a_time() -> None:
    hands, both = Hands(2), threading.Barrier(2, timeout=30)
    hands.do(lambda part: both.wait(), [1, 2])  # one alone would wait for ever
    hands.close()


@pytest.mark.parametrize("n", [1, 3])
def test_what_goes_wrong_is_told(n: int) -> None:
    hands = Hands(n)

    def work(part: int) -> None:
        if part == 7:
            raise ValueError(part)

    with pytest.raises(ValueError, match="7"):
        hands.do(work, list(range(12)))
    hands.close()
