"""Thrown it stays thrown, and a file that cannot be read halts everything."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from guard import known
from paceline.errors import InputError
from paceline.files.alone import alone
from paceline.guard.kill_switch import KillSwitch, Mode, Released, Scope, Thrown
from paceline.guard.people import People, Signed
from paceline.guard.switches import History

WHOM: dict[str, str] = {"order": "o1", "symbol": "ACME", "policy": "p1", "desk": "d1"}
ANN: dict[str, Any] = {"who": "ann", "why": "it buys too much", "ts": 5}
SIGNED: dict[str, Any] = {"who": known.ANN, "confirmed_by": known.BOB, "why": "fixed", "ts": 6}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    return known.people(tmp_path_factory.mktemp("people"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    KillSwitch.create(tmp_path / "kill.json")
    return tmp_path / "kill.json"


@pytest.mark.parametrize(
    ("scope", "name"),
    [("order", "o1"), ("symbol", "ACME"), ("policy", "p1"), ("desk", "d1"), ("all", "")],
)
def test_a_scope_stops_what_is_in_it(path: Path, scope: str, name: str) -> None:
    switch = KillSwitch(path)
    assert switch.mode(**WHOM) == Mode.RUNNING
    switch.throw(Scope(scope), name, Mode.HALT, **ANN)
    assert switch.mode(**WHOM) == Mode.HALT
    other = dict.fromkeys(WHOM, "x")
    assert switch.mode(**other) == (Mode.HALT if scope == "all" else Mode.RUNNING)


def test_the_strictest_holds(path: Path, people: People) -> None:
    switch = KillSwitch(path, people)
    switch.throw(Scope.ALL, "", Mode.REDUCE_ONLY, **ANN)
    switch.throw(Scope.DESK, "d1", Mode.CANCEL_ALL, **ANN)
    switch.throw(Scope.ORDER, "o1", Mode.HALT, **ANN)
    assert switch.mode(**WHOM) == Mode.CANCEL_ALL
    switch.release(Scope.DESK, "d1", **SIGNED)
    assert switch.mode(**WHOM) == Mode.HALT


def test_it_is_latched_for_every_process(path: Path, people: People) -> None:
    one, other = KillSwitch(path), KillSwitch(path, people)
    assert other.mode(**WHOM) == Mode.RUNNING
    one.throw(Scope.SYMBOL, "ACME", Mode.HALT, **ANN)
    assert other.mode(**WHOM) == KillSwitch(path).mode(**WHOM) == Mode.HALT
    assert other.thrown()[0].who == "ann"
    other.release(Scope.SYMBOL, "ACME", **SIGNED)
    assert one.mode(**WHOM) == Mode.RUNNING
    thrown, released = KillSwitch(path).history()
    assert isinstance(released, Released)
    assert (released.who, released.confirmed_by, released.thrown) == ("ann", "bob", (0,))
    assert isinstance(thrown, Thrown)
    assert (thrown.who, thrown.known, thrown.why, thrown.ts) == (
        "ann", False, "it buys too much", 5,
    )  # fmt: skip


NOBODY = Signed("zoe", "zoe's secret")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"who": "ann"}, "kill.who: 'ann' is not signed"),
        ({"who": NOBODY}, "kill.who: 'zoe' is not known"),
        ({"confirmed_by": NOBODY}, "kill.confirmed_by: 'zoe' is not known"),
        ({"who": Signed("ann", "bob's secret")}, "kill.who: 'ann' is not known, or the secret"),
        ({"confirmed_by": known.ANN}, "kill.confirmed_by: 'ann' released it"),
        ({"confirmed_by": Signed(" Ann ", known.ANN.secret)}, "kill.confirmed_by: 'ann' released"),
        (
            {"confirmed_by": Signed("a\u200bnn", known.ANN.secret)},
            "kill.confirmed_by: .* invisible",
        ),
        (
            {"confirmed_by": Signed("\u0430nn", known.ANN.secret)},
            "kill.confirmed_by: 'ann' released",
        ),
        (
            {"confirmed_by": Signed("ann.", known.ANN.secret)},
            "kill.confirmed_by: 'ann' released",
        ),
        (
            {"confirmed_by": Signed("cal", "cal's secret")},
            "kill.confirmed_by: 'cal' may not confirm",
        ),
        ({"why": " "}, "kill.why: ' '"),
        ({"ts": 4}, "kill.ts: 4 is before 5"),
        ({"name": "OTHER"}, "kill.name: nothing is thrown for symbol 'OTHER'"),
    ],
    ids=ascii,
)
def test_a_release_needs_two_known_people_and_a_reason(
    path: Path, people: People, changed: dict[str, Any], says: str
) -> None:
    switch = KillSwitch(path, people)
    switch.throw(Scope.SYMBOL, "ACME", Mode.HALT, **ANN)
    given = {"scope": Scope.SYMBOL, "name": "ACME", **SIGNED, **changed}
    with pytest.raises(InputError, match=f"^{says}"):
        switch.release(**given)
    assert switch.mode(**WHOM) == Mode.HALT


def test_without_known_people_nothing_is_released(path: Path, tmp_path: Path) -> None:
    for people in (None, People(tmp_path / "nobody.json")):
        switch = KillSwitch(path, people)
        switch.throw(Scope.SYMBOL, "ACME", Mode.HALT, **ANN)
        with pytest.raises(InputError, match=r"nobody is known"):
            switch.release(Scope.SYMBOL, "ACME", **SIGNED)
        assert switch.mode(**WHOM) == Mode.HALT


def test_anybody_can_throw_and_it_is_recorded_who_was_known(path: Path, people: People) -> None:
    switch = KillSwitch(path, people)
    for k, who in enumerate((known.ANN, Signed("ann", "a guess"), NOBODY, "ann")):
        switch.throw(Scope.ORDER, f"o{k}", Mode.HALT, who=who, why="x", ts=1)
    assert [(one.who, one.known) for one in KillSwitch(path).thrown()] == [
        ("ann", True), ("ann", False), ("zoe", False), ("ann", False),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["yhoo", " YHOO", "YHOO ", "\uff39HOO", "YH\u041eO"], ids=ascii)
def test_a_symbol_is_stopped_in_whichever_way_it_is_written(
    path: Path, people: People, name: str
) -> None:
    switch, other = KillSwitch(path, people), KillSwitch(path)
    switch.throw(Scope.SYMBOL, name, Mode.HALT, **ANN)
    for one in (switch, other):
        assert one.mode(**{**WHOM, "symbol": "YHOO"}) == Mode.HALT
        assert one.mode(**{**WHOM, "symbol": "YHO"}) == Mode.RUNNING
    switch.release(Scope.SYMBOL, "YHOO", **SIGNED)
    assert other.mode(**{**WHOM, "symbol": "YHOO"}) == Mode.RUNNING


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"scope": "symbl"},
            "kill.scope: 'symbl' .*; give one of order, symbol, policy, desk",
        ),
        ({"scope": "symbl", "name": ""}, "kill.scope: 'symbl'"),
        ({"mode": 7}, "kill.mode: 7 .*; give one of REDUCE_ONLY, HALT, CANCEL_ALL"),
        ({"name": None}, "kill.name: None is not text"),
        ({"name": "\ud800"}, "kill.name: .* unprintable"),
        ({"name": "a\x00"}, "kill.name: .* unprintable"),
        ({"name": " "}, "kill.name: ' ' is empty"),
        ({"why": "\ud800"}, "kill.why: .* surrogate"),
        ({"who": "\ud800"}, "kill.who: .* unprintable"),
        ({"ts": 2**63}, "kill.ts: "),
        ({"ts": 1.5}, "kill.ts: 1.5 .*; give whole ns"),
        ({"who": " "}, "kill.who: ' ' is empty"),
        ({"name": ""}, "kill.name: '' does not fit scope symbol; name what"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(path: Path, changed: dict[str, Any], says: str) -> None:
    given = {"scope": Scope.SYMBOL, "name": "ACME", "mode": Mode.HALT, **ANN, **changed}
    with pytest.raises(InputError, match=f"^{says}"):
        KillSwitch(path).throw(**given)
    assert KillSwitch(path).thrown() == ()


def test_one_throw_that_cannot_be_written_blocks_no_other(path: Path) -> None:
    switch = KillSwitch(path)
    for field in ("name", "who", "why"):
        given = {"scope": Scope.ORDER, "name": "o9", "mode": Mode.HALT, **ANN, field: "\ud800"}
        with pytest.raises(InputError):
            switch.throw(**given)
    switch.throw(Scope.ALL, "", Mode.CANCEL_ALL, **ANN)
    assert KillSwitch(path).mode(**WHOM) == switch.mode(**WHOM) == Mode.CANCEL_ALL
    assert len(KillSwitch(path).thrown()) == 1


def test_a_file_in_no_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"kill\.json: .*; give a file in a folder that can"):
        KillSwitch.create(tmp_path / "none" / "kill.json")


def test_a_file_from_before_they_were_sealed_stops_everything(path: Path) -> None:
    path.write_text(json.dumps({"version": 1, "thrown": [], "released": []}))
    switch = KillSwitch(path)
    assert switch.mode(**WHOM) == Mode.CANCEL_ALL
    assert "has no seal" in switch.thrown()[0].why


def test_what_makes_no_sense_is_refused(path: Path) -> None:
    switch = KillSwitch(path)
    for scope, name, mode in (
        (Scope.ALL, "x", Mode.HALT), (Scope.DESK, "", Mode.HALT), (Scope.ALL, "", Mode.RUNNING),
    ):  # fmt: skip
        with pytest.raises(InputError):
            switch.throw(scope, name, mode, **ANN)
    with pytest.raises(InputError):
        KillSwitch.create(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"version": 2}', None])
def test_it_fails_closed(path: Path, people: People, content: bytes | None) -> None:
    switch, others = KillSwitch(path, people), dict.fromkeys(WHOM, "x")
    switch.throw(Scope.ORDER, "o1", Mode.CANCEL_ALL, **ANN)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    # Nobody knows what was thrown in a file that was changed: it may have been the strictest.
    unknown = Mode.HALT if content is None else Mode.CANCEL_ALL
    assert KillSwitch(path).mode(**others) == unknown
    assert switch.mode(**others) == unknown
    assert switch.mode(**WHOM) == Mode.CANCEL_ALL
    with pytest.raises(InputError, match="restore the file"):
        switch.release(Scope.ORDER, "o1", **SIGNED)
    # What is thrown now is kept, and so is the stop, and what was found.
    switch.throw(Scope.DESK, "d1", Mode.REDUCE_ONLY, **ANN)
    assert KillSwitch(path).mode(**others) == unknown
    assert KillSwitch(path).mode(**WHOM) == Mode.CANCEL_ALL
    aside = path.with_name("kill.json.damaged")
    assert (aside.read_bytes() if aside.exists() else None) == content
    switch.release(Scope.ALL, "", **SIGNED)
    assert KillSwitch(path).mode(**others) == Mode.RUNNING
    assert KillSwitch(path).mode(**WHOM) == Mode.CANCEL_ALL


def test_an_edit_that_hides_its_time_stops_who_had_looked_before(path: Path) -> None:
    """Size and time of writing can be put back after an edit in place."""
    switch = KillSwitch(path)
    switch.throw(Scope.ORDER, "o1", Mode.HALT, **ANN)
    others = dict.fromkeys(WHOM, "x")
    assert switch.mode(**others) == Mode.RUNNING
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # its clock may tick in milliseconds
        with open(path, "r+b") as file:
            file.seek(20)
            file.write(b"#")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    now = path.stat()
    assert (now.st_ino, now.st_size, now.st_mtime_ns) == (
        before.st_ino, before.st_size, before.st_mtime_ns,
    )  # fmt: skip
    assert switch.mode(**others) == KillSwitch(path).mode(**others) == Mode.CANCEL_ALL


@pytest.mark.parametrize("what", ["pipe", "huge", "link to a pipe", "folder"])
def test_what_is_thrown_waits_for_no_strange_file(path: Path, what: str) -> None:
    """A file of a terabyte, a pipe that nobody reads, a folder: in its place it stops everything,
    and a throw holds and comes back."""
    path.unlink()
    if what == "huge":
        with open(path, "wb") as file:
            file.truncate(1 << 40)
    elif what == "folder":
        path.mkdir()
    else:
        pipe = path if what == "pipe" else path.with_name("pipe")
        os.mkfifo(pipe)
        if pipe != path:
            path.symlink_to(pipe)
    others = dict.fromkeys(WHOM, "x")
    switch = KillSwitch(path)
    assert switch.mode(**others) > Mode.RUNNING
    if what == "folder":
        with pytest.raises(InputError, match="thrown in this process only"):
            switch.throw(Scope.ORDER, "o1", Mode.CANCEL_ALL, **ANN)
    else:
        switch.throw(Scope.ORDER, "o1", Mode.CANCEL_ALL, **ANN)
        assert path.is_file()
        assert KillSwitch(path).mode(**WHOM) == Mode.CANCEL_ALL
    assert switch.mode(**WHOM) == Mode.CANCEL_ALL
    assert switch.mode(**others) > Mode.RUNNING


def test_no_flipped_bit_makes_it_weaker(path: Path, people: People) -> None:
    """All bits of a file in which every kind of entry and every mode stands."""
    switch = KillSwitch(path, people)
    switch.throw(Scope.SYMBOL, "ACME", Mode.REDUCE_ONLY, **ANN)
    switch.throw(Scope.DESK, "d2", Mode.HALT, **ANN)
    switch.release(Scope.DESK, "d2", **SIGNED)
    switch.throw(Scope.ORDER, "o2", Mode.CANCEL_ALL, **ANN)
    switch.throw(Scope.POLICY, "p2", Mode.HALT, **ANN)
    asked = [{**WHOM, "order": "o2"}, {**WHOM, "policy": "p2"}, WHOM, dict.fromkeys(WHOM, "x")]
    whole = path.read_bytes()
    before = [switch.mode(**whom) for whom in asked]
    assert before == [Mode.CANCEL_ALL, Mode.HALT, Mode.REDUCE_ONLY, Mode.RUNNING]
    weaker = []
    for bit in range(8 * len(whole)):
        raw = bytearray(whole)
        raw[bit // 8] ^= 1 << bit % 8
        path.write_bytes(raw)
        fresh = KillSwitch(path)
        after = [fresh.mode(**whom) for whom in asked]
        if any(now < then for now, then in zip(after, before, strict=True)) or after == before:
            weaker.append(bit)
    assert weaker == []


@pytest.mark.parametrize("ending", ["a release", "a throw"])
def test_a_file_that_goes_back_halts_who_had_seen_more(
    path: Path, people: People, ending: str
) -> None:
    switch = KillSwitch(path, people)
    switch.throw(Scope.DESK, "d1", Mode.HALT, **ANN)
    old = path.read_bytes()
    if ending == "a release":
        switch.release(Scope.DESK, "d1", **SIGNED)
    else:
        switch.throw(Scope.ORDER, "o2", Mode.CANCEL_ALL, **ANN)
    new = path.read_bytes()
    path.write_bytes(old)
    others = dict.fromkeys(WHOM, "x")
    assert switch.mode(**others) == Mode.HALT
    assert "2 entries before, 1 now" in switch.thrown()[-1].why
    assert switch.mode(**{**WHOM, "order": "o2"}) >= Mode.HALT
    with pytest.raises(InputError, match="restore the file first"):
        switch.release(Scope.DESK, "d1", **SIGNED)
    path.write_bytes(new)
    assert switch.mode(**others) == Mode.RUNNING
    # As long, but another history.
    path.unlink()
    fresh = KillSwitch.create(path)
    for k in range(3):
        fresh.throw(Scope.ORDER, f"y{k}", Mode.REDUCE_ONLY, **ANN)
    assert switch.mode(**others) == Mode.HALT


def _sealed(entries: list[dict[str, Any]]) -> bytes:
    """A file that is sealed well, with whatever in it."""
    found = [msgspec.convert(one, Thrown | Released) for one in entries]
    return History().then(*found).to_bytes()


THREW: dict[str, Any] = {"kind": "thrown", "scope": "desk", "name": "d1", "mode": 3, "who": "ann",
                         "why": "x", "ts": 5}  # fmt: skip
FREED: dict[str, Any] = {"kind": "released", "scope": "desk", "name": "d1", "who": "ann",
                         "confirmed_by": "bob", "why": "x", "ts": 6, "thrown": [0]}  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([FREED], "entry 1 releases what is not thrown"),
        ([THREW, FREED, FREED], "entry 3 releases what is not thrown"),
        ([THREW, {**FREED, "name": "d2"}], "entry 2 releases what is not thrown"),
        ([THREW, THREW, FREED], "entry 3 releases what is not thrown"),
        ([THREW, {**FREED, "thrown": [7]}], "entry 2 releases what is not thrown"),
        ([THREW, {**FREED, "confirmed_by": "Ann"}], "entry 2 is released by one person"),
        ([THREW, {**FREED, "ts": 4}], "entry 2 is released before it was thrown"),
        ([{**THREW, "name": ""}], "entry 1 names nothing"),
        ([{**THREW, "scope": "all"}], "entry 1 names nothing"),
    ],
    ids=str,
)
def test_a_file_whose_entries_make_no_sense_stops_everything(
    path: Path, entries: list[dict[str, Any]], says: str
) -> None:
    path.write_bytes(_sealed([THREW, FREED]))
    assert KillSwitch(path).mode(**WHOM) == Mode.RUNNING
    path.write_bytes(_sealed(entries))
    switch = KillSwitch(path)
    assert switch.mode(**dict.fromkeys(WHOM, "x")) == Mode.CANCEL_ALL
    assert says in switch.thrown()[-1].why


@pytest.mark.parametrize("length", range(0, 500, 7))
def test_a_file_cut_anywhere_stops_everything(path: Path, length: int) -> None:
    KillSwitch(path).throw(Scope.DESK, "other", Mode.CANCEL_ALL, **ANN)
    whole = path.read_bytes()
    path.write_bytes(whole[: min(length, len(whole) - 1)])
    assert KillSwitch(path).mode(**WHOM) == Mode.CANCEL_ALL


def test_what_cannot_be_written_holds_here(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    switch = KillSwitch(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(InputError, match="No space left"):
            switch.throw(Scope.ALL, "", Mode.HALT, **ANN)
        assert switch.mode(**WHOM) == Mode.HALT
        assert KillSwitch(path).mode(**WHOM) == Mode.RUNNING
    # The next throw takes with it what could not be written.
    switch.throw(Scope.DESK, "d1", Mode.REDUCE_ONLY, **ANN)
    assert KillSwitch(path).mode(**WHOM) == Mode.HALT
    assert len(KillSwitch(path).thrown()) == 2


def test_a_process_that_hangs_delays_no_throw_here(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = KillSwitch(path)
    monkeypatch.setattr("paceline.guard.kill_switch.PATIENCE_S", 0.05)
    taken, done = threading.Event(), threading.Event()

    def hang() -> None:
        with alone(path):
            taken.set()
            done.wait()

    thread = threading.Thread(target=hang)
    thread.start()
    taken.wait()
    with pytest.raises(InputError, match="thrown in this process only"):
        switch.throw(Scope.ALL, "", Mode.HALT, **ANN)
    assert switch.mode(**WHOM) == Mode.HALT
    done.set()
    thread.join()
    switch.throw(Scope.DESK, "d9", Mode.HALT, **ANN)
    assert KillSwitch(path).mode(**WHOM) == Mode.HALT


def test_no_throw_is_lost_among_many(path: Path) -> None:
    def throw(k: int) -> None:
        KillSwitch(path).throw(Scope.ORDER, f"o{k}", Mode.HALT, **ANN)

    threads = [threading.Thread(target=throw, args=(k,)) for k in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {switch.name for switch in KillSwitch(path).thrown()} == {f"o{k}" for k in range(16)}
