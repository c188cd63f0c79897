"""A gate that comes back: as it was, or refusing everything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guard.desk import add, buy, mandate, opened, see, sell
from guard.known import ANN
from guard.states import NOW
from paceline.errors import InputError, OrderError
from paceline.guard.gate import Gate, Request
from paceline.guard.journal import MAGIC, Journal, _read
from paceline.guard.kill_switch import KillSwitch
from paceline.guard.ledger import Ledger
from paceline.guard.reasons import names
from paceline.guard.rules import CANCEL, REPLACE
from paceline.units import NS_PER_S

FEW: dict[str, Any] = {"max_executions": 2, "max_position": 5000, "duplicate_s": 100}


def same(one: Ledger, other: Ledger) -> bool:
    """Whether two ledgers hold the same, to the last bit."""
    return one.kept() == other.kept()


def busy(gate: Gate) -> None:
    """A life with everything in it."""
    add(gate, "a", "100", "0.01", **FEW)
    add(gate, "b", "1", "0.0001", **FEW)
    add(gate, "s", "1", "0.01", "sell", policy="p2", **FEW)
    gate.holds("ACME", 50)
    assert gate.check(buy("a", "a1", 1999, 5), NOW).allowed
    assert gate.check(buy("b", "b1", 199_801, 70), NOW + 1).allowed
    assert not gate.check(buy("b", "b2", 199_801, 70), NOW + 2).allowed
    assert gate.check(sell("s", "s1", 2010, 30), NOW + 2).allowed
    assert gate.check(Request("s", "s1", REPLACE, -1, 0, 2009, 20), NOW + 3).allowed
    gate.replaced("s1")
    gate.filled("a1", 2, NOW + 4)
    gate.filled("b1", 70, NOW + 5)
    assert gate.stopped() == (("ACME", "p1"),)
    gate.let_go_on("ACME", "p1", who=ANN, why="looked", ts=NOW + 6)
    gate.filled("s1", 3, NOW + 6)
    gate.over("a1")
    gate.holds("ACME", 317.5)


def test_a_gate_comes_back_as_it_was(tmp_path: Path) -> None:
    gate = opened(tmp_path)
    busy(gate)
    before = gate._ledger
    gate.close()
    for _ in range(3):  # the first time from events, then from what they led to
        gate = opened(tmp_path)
        assert gate.trouble == ""
        assert same(gate._ledger, before)
        for old, new in zip(before.counters, gate._ledger.counters, strict=True):
            assert np.array_equal(old, new)
        assert (gate.violations("b"), gate.violations("a")) == (1, 0)
        assert gate.let_go() == tuple(before.let_go)
        gate.close()


def test_what_was_traded_before_cannot_be_traded_again(tmp_path: Path) -> None:
    gate = opened(tmp_path)
    add(gate, "a", "1", "0.01", qty=1000, max_executions=1)
    gate.holds("ACME", 0)
    assert gate.check(buy("a", "a1", 1999, 600), NOW).allowed
    del gate  # killed
    gate = opened(tmp_path)
    with pytest.raises(OrderError, match="'a' is there"):
        gate.add(mandate("a", "1", "0.01"))
    # What was seen of the market is not kept: until it is seen again nothing may go.
    assert "no_market_data" in names(gate.check(buy("a", "a2", 1999, 1), NOW).bits)
    see(gate, "a", "0.01")
    assert names(gate.check(buy("a", "a1", 1999, 1), NOW).bits) == ("duplicate",)
    assert set(names(gate.check(buy("a", "a2", 1999, 401), NOW).bits)) == {"inventory", "repeated"}
    gate.filled("a1", 600, NOW)  # a late fill of an order from before
    assert gate.stopped() == (("ACME", "p1"),)
    del gate
    gate = opened(tmp_path)
    assert gate.stopped() == (("ACME", "p1"),)
    see(gate, "a", "0.01")
    assert "repeated" in names(gate.check(buy("a", "a2", 1999, 1), NOW).bits)
    gate.let_go_on("ACME", "p1", who=ANN, why="looked", ts=1)
    assert names(gate.check(buy("a", "a2", 1999, 401), NOW).bits) == ("inventory",)
    assert gate.check(buy("a", "a2", 1999, 400), NOW).allowed
    assert gate.check(Request("a", "a2", CANCEL), NOW).allowed


def test_an_order_is_in_the_journal_before_it_may_go(tmp_path: Path) -> None:
    """Killed at whatever byte of the last record, the gate knows all orders before it."""
    gate, path = opened(tmp_path), tmp_path / "gate.journal"
    add(gate, "a", "1", "0.01")
    gate.holds("ACME", 0)
    assert gate.check(buy("a", "a1", 1999, 10), NOW).allowed
    before = path.read_bytes()
    assert gate.check(buy("a", "a2", 1998, 20), NOW).allowed
    gate.close()
    whole = path.read_bytes()
    for length in range(len(before), len(whole)):
        path.write_bytes(whole[:length])
        gate = opened(tmp_path)
        assert gate.trouble == ""
        see(gate, "a", "0.01")
        assert names(gate.check(buy("a", "a1", 1997, 10), NOW).bits) == ("duplicate",)
        assert gate.check(buy("a", f"n{length}", 1997, 10), NOW).allowed
        gate.close()
        # What follows a record that was cut off can be read, too.
        assert opened(tmp_path).trouble == ""
    for zeros in (1, 9, 200):  # a file system may have grown the file and written nothing
        path.write_bytes(whole + bytes(zeros))
        assert opened(tmp_path).trouble == ""


def test_no_flipped_bit_is_believed(tmp_path: Path) -> None:
    gate, path = opened(tmp_path), tmp_path / "gate.journal"
    add(gate, "a", "1", "0.01")
    gate.holds("ACME", 0)
    assert gate.check(buy("a", "a1", 1999, 10), NOW).allowed
    gate.close()
    whole, wrong = path.read_bytes(), []
    for bit in range(8 * len(whole)):
        raw = bytearray(whole)
        raw[bit // 8] ^= 1 << bit % 8
        try:
            _read(bytes(raw), path)
            wrong.append(bit)
        except InputError as error:
            assert str(path) in str(error)  # noqa: PT017 (one of thousands)
        if bit % 99 == 0:  # the gate itself, which takes longer
            path.write_bytes(raw)
            gate = opened(tmp_path)
            refused = gate.check(buy("a", "a2", 1999, 10), NOW)
            if not gate.trouble or names(refused.bits) != ("unrecorded",) or gate.to_cancel():
                wrong.append(bit)
            gate.close()
    assert wrong == []


def _records(raw: bytes) -> list[bytes]:
    at, found = len(MAGIC), []
    while at < len(raw):
        end = at + 24 + int.from_bytes(raw[at : at + 4], "little")
        found.append(raw[at:end])
        at = end
    return found


def test_records_left_out_doubled_or_moved_are_found(tmp_path: Path) -> None:
    gate, path = opened(tmp_path), tmp_path / "gate.journal"
    busy(gate)
    gate.close()
    records = _records(path.read_bytes())
    assert len(records) == 16
    for k in range(len(records) - 1):
        without = records[:k] + records[k + 1 :]
        twice = records[: k + 1] + records[k:]
        swapped = [*records[:k], records[k + 1], records[k], *records[k + 2 :]]
        for wrong in (without, twice, swapped):
            path.write_bytes(MAGIC + b"".join(wrong))
            gate = opened(tmp_path)
            assert "was changed after it was written" in gate.trouble
            gate.close()


@pytest.mark.parametrize("content", [None, b"", b"x", MAGIC[:-3], b"\x00" * 100, "folder"])
def test_a_gate_that_cannot_read_its_journal_refuses_everything(
    tmp_path: Path, content: bytes | str | None
) -> None:
    opened(tmp_path).close()
    path = tmp_path / "gate.journal"
    path.unlink()
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    gate = opened(tmp_path)
    assert str(path) in gate.trouble
    assert "\n" not in gate.trouble
    refused = gate.check(buy("a", "a1", 1999, 1), NOW)
    assert refused.reasons == (
        f"unrecorded: {gate.trouble}; mend the journal and start the gate anew",
    )
    assert names(gate.protect("a1", NOW).bits) == ("unrecorded",)
    with pytest.raises(InputError, match=r"^journal: "):
        gate.add(mandate("a", "1", "0.01"))
    assert path.is_dir() or not path.exists() or path.read_bytes() == content


def test_a_pipe_or_a_huge_file_is_no_journal(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(1 << 40)
    for name, says in (("pipe", "is no regular file"), ("huge", "has 1,099,511,627,776 bytes")):
        with pytest.raises(InputError, match=f"{name}: {says}.*; restore it, or create a new one"):
            Journal(tmp_path / name)


def test_one_gate_holds_a_journal(tmp_path: Path) -> None:
    gate = opened(tmp_path)
    busy(gate)
    second = opened(tmp_path)
    assert "is in use by another gate" in second.trouble
    assert not second.check(buy("a", "a9", 1999, 1), NOW).allowed
    assert gate.check(sell("s", "s9", 2011, 1), NOW + NS_PER_S).allowed
    gate.close()
    assert names(gate.check(sell("s", "s10", 2011, 2), NOW + NS_PER_S).bits) == ("unrecorded",)
    third = opened(tmp_path)
    assert third.trouble == ""
    see(third, "s", "0.01")
    assert names(third.check(sell("s", "s9", 2011, 1), NOW).bits) == ("duplicate",)


def test_a_journal_that_cannot_be_written_lets_cancels_go_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = opened(tmp_path)
    add(gate, "a", "1", "0.01")
    gate.holds("ACME", 0)
    assert gate.check(buy("a", "a1", 1999, 10), NOW).allowed
    full = OSError(28, "No space left on device")
    with monkeypatch.context() as patched:

        def write(*_: object) -> int:
            raise full

        patched.setattr("paceline.guard.journal.os.write", write)
        refused = gate.check(buy("a", "a2", 1998, 10), NOW)
    assert refused.reasons == (
        "unrecorded: the journal cannot be written (No space left on device); mend the journal and "
        "start the gate anew",
    )
    # Also when the disk has room again: what is on it is not known.
    assert names(gate.check(buy("a", "a3", 1998, 10), NOW).bits) == ("unrecorded",)
    assert gate.protect("a1", NOW).allowed
    with pytest.raises(InputError, match="tell it again after the restart"):
        gate.filled("a1", 4, NOW)
    gate.close()
    gate = opened(tmp_path)
    see(gate, "a", "0.01")
    gate.filled("a1", 4, NOW)
    assert gate.check(buy("a", "a2", 1998, 10), NOW).allowed


def test_a_journal_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "gate.journal"
    Journal.create(path).close()
    with pytest.raises(InputError, match="is there already"):
        Journal.create(path)
    with pytest.raises(InputError, match="give a file in a folder"):
        Journal.create(tmp_path / "none" / "gate.journal")


@pytest.mark.parametrize("lines", [7, 60, 333])
def test_a_process_that_is_killed_forgets_no_order(tmp_path: Path, lines: int) -> None:
    gate = opened(tmp_path)
    add(gate, "a", "1", "0.01", max_messages="unlimited", max_cancels="unlimited")
    gate.holds("ACME", 0)
    gate.close()
    process = subprocess.Popen(
        [sys.executable, "-m", "guard.sender", str(tmp_path), "0"], stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1], text=True, env={**os.environ, "PACELINE_DATA": ""},
    )  # fmt: skip
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(lines)]
    process.kill()
    told += [int(line) for line in process.stdout.read().splitlines()]
    process.wait()
    process.stdout.close()
    gate = opened(tmp_path)
    assert gate.trouble == ""
    known = gate._ledger.child_ids
    assert told == list(range(len(told)))
    # At most one was let pass that nobody heard of.
    assert known[: len(told)] == [f"c{k}" for k in told]
    assert len(known) - len(told) in (0, 1)
    filled = int(gate._ledger.counters.parents[0]["filled_lots"])
    position = int(gate._ledger.counters.symbols[0]["position_units"])
    assert position == filled
    assert (len(told) - 1 + 2) // 3 <= filled <= (len(told) + 2) // 3


def test_a_gate_makes_its_journal_small(tmp_path: Path) -> None:
    gate, path = opened(tmp_path), tmp_path / "gate.journal"
    add(gate, "a", "1", "0.01", max_messages=10**6)
    gate.holds("ACME", 0)
    for k in range(300):
        assert gate.check(buy("a", f"a{k}", 1999, 10), NOW + k).allowed
        gate.over(f"a{k}")
    before, size = gate._ledger.kept(), path.stat().st_size
    gate.compact()
    assert path.stat().st_size < size // 2
    assert gate.check(buy("a", "b0", 1999, 10), NOW + 400).allowed
    assert before != gate._ledger.kept()
    gate.close()
    gate = opened(tmp_path)
    assert names(gate.check(buy("a", "a7", 1999, 10), NOW).bits) == ("duplicate",)
    assert names(gate.check(buy("a", "b0", 1999, 10), NOW).bits) == ("duplicate",)


def test_without_a_journal_nothing_is_kept(tmp_path: Path) -> None:
    gate = Gate(KillSwitch.create(tmp_path / "kill.json"))
    add(gate, "a", "1", "0.01")
    gate.holds("ACME", 0)
    assert gate.check(buy("a", "a1", 1999, 10), NOW).allowed
    assert "for simulation and tests" in " ".join((Gate.__init__.__doc__ or "").split())


@pytest.mark.parametrize("child", ["\ud800", "", " a", "a\x00", "x" * 200], ids=ascii)
def test_a_child_has_a_name_that_can_be_kept(tmp_path: Path, child: str) -> None:
    gate = opened(tmp_path)
    add(gate, "a", "1", "0.01")
    gate.holds("ACME", 0)
    assert names(gate.check(buy("a", child, 1999, 10), NOW).bits) == ("malformed",)
    assert gate.check(buy("a", "a1", 1999, 10), NOW).allowed
    gate.close()
    assert opened(tmp_path).trouble == ""
