"""Our replay and hftbacktest's in turn, on one feed and with one strategy.

A shared machine changes its pace from minute to minute. So both are timed in rounds, ours, theirs,
ours, theirs, and what counts is the ratio of the medians. A turn of ours is as long as one of
theirs, so that a moment in which the machine is slow weighs the same on both.
"""

from __future__ import annotations

import argparse
from typing import Any, Literal

from numpy.typing import NDArray

from benchmarks.figure import announce, digits, median, seconds_of
from benchmarks.peers.convert import Decisions
from benchmarks.peers.run import run_hftbacktest
from benchmarks.repost import Reposting


def arguments(description: str | None) -> argparse.Namespace:
    """`--rounds` and `--runs` of a benchmark."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=5, help="times that both have their turn")
    parser.add_argument("--runs", type=int, default=3, help="replays in a turn")
    return parser.parse_args()


def race(
    bench: str,
    ours: Reposting,
    events: NDArray[Any],
    when: Decisions,
    mode: Literal["l3", "l2"],
    bar: float,
    rounds: int,
    runs: int,
) -> bool:
    """Time both on the same messages and announce how many times faster ours is."""
    messages = len(ours.floor.events.ts)
    reposted = ours.run()  # compiles, and touches the memory
    our_s: list[float] = []
    their_s: list[float] = []
    ratios = []
    for _ in range(rounds):
        peer = run_hftbacktest(events, messages, when, mode, runs=runs)
        turn: list[float] = []
        while sum(turn) < sum(peer.report["seconds"]):
            turn.append(seconds_of(ours.run))
        our_s += turn
        their_s += peer.report["seconds"]
        ratios.append(digits(median(peer.report["seconds"]) / median(turn), 3))
    return announce(
        bench,
        median(their_s) / median(our_s),
        "times hftbacktest's messages/s",
        bar,
        messages=messages,
        decisions=reposted.decisions,
        fills=len(reposted.fills),
        rounds=rounds,
        runs=len(our_s),
        our_messages_per_s=round(messages / median(our_s)),
        our_best_messages_per_s=round(messages / min(our_s)),
        their_messages_per_s=round(messages / median(their_s)),
        their_best_messages_per_s=round(messages / min(their_s)),
        ratio_by_round=ratios,
        peer=peer.report["peer"],
        their_decisions=peer.report["decisions"],
        their_fills=peer.report["fills"],
        provided=peer.report["decisions"] == reposted.decisions,
    )
