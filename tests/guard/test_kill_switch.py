"""Thrown it stays thrown, and a file that cannot be read halts everything."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from paceline.errors import InputError
from paceline.guard.kill_switch import KillSwitch, Mode, Scope

WHOM: dict[str, str] = {"order": "o1", "symbol": "ACME", "policy": "p1", "desk": "d1"}
ANN: dict[str, Any] = {"who": "ann", "why": "it buys too much", "ts": 5}
TWO: dict[str, Any] = {"who": "ann", "confirmed_by": "bob", "why": "fixed", "ts": 6}


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


def test_the_strictest_holds(path: Path) -> None:
    switch = KillSwitch(path)
    switch.throw(Scope.ALL, "", Mode.REDUCE_ONLY, **ANN)
    switch.throw(Scope.DESK, "d1", Mode.CANCEL_ALL, **ANN)
    switch.throw(Scope.ORDER, "o1", Mode.HALT, **ANN)
    assert switch.mode(**WHOM) == Mode.CANCEL_ALL
    switch.release(Scope.DESK, "d1", **TWO)
    assert switch.mode(**WHOM) == Mode.HALT


def test_it_is_latched_for_every_process(path: Path) -> None:
    one, other = KillSwitch(path), KillSwitch(path)
    assert other.mode(**WHOM) == Mode.RUNNING
    one.throw(Scope.SYMBOL, "ACME", Mode.HALT, **ANN)
    assert other.mode(**WHOM) == KillSwitch(path).mode(**WHOM) == Mode.HALT
    assert other.thrown()[0].who == "ann"
    other.release(Scope.SYMBOL, "ACME", **TWO)
    assert one.mode(**WHOM) == Mode.RUNNING
    (released,) = json.loads(path.read_text())["released"]
    assert released["confirmed_by"] == "bob"
    assert [(one["who"], one["why"], one["ts"]) for one in released["thrown"]] == [
        ("ann", "it buys too much", 5)
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"who": ""}, {"who": "  "}, {"why": ""}, {"confirmed_by": ""}, {"confirmed_by": "ann"},
        {"confirmed_by": " Ann "}, {"name": "OTHER"},
    ],
    ids=str,
)  # fmt: skip
def test_a_release_needs_two_people_and_a_reason(path: Path, changed: dict[str, Any]) -> None:
    switch = KillSwitch(path)
    switch.throw(Scope.SYMBOL, "ACME", Mode.HALT, **ANN)
    given = {"scope": Scope.SYMBOL, "name": "ACME", **TWO, **changed}
    with pytest.raises(InputError):
        switch.release(**given)
    assert switch.mode(**WHOM) == Mode.HALT


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"scope": "symbl"},
            "kill.scope: 'symbl' .*; give one of order, symbol, policy, desk",
        ),
        ({"scope": "symbl", "name": ""}, "kill.scope: 'symbl'"),
        ({"mode": 7}, "kill.mode: 7 .*; give one of REDUCE_ONLY, HALT, CANCEL_ALL"),
        ({"name": None}, "kill.name: None .*; give its text"),
        ({"ts": 1.5}, "kill.ts: 1.5 .*; give whole ns"),
        ({"who": " "}, "kill.who: ' ' .*; say who and why"),
        ({"name": ""}, "kill.name: '' does not fit scope symbol; name what"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(path: Path, changed: dict[str, Any], says: str) -> None:
    given = {"scope": Scope.SYMBOL, "name": "ACME", "mode": Mode.HALT, **ANN, **changed}
    with pytest.raises(InputError, match=f"^{says}"):
        KillSwitch(path).throw(**given)
    assert KillSwitch(path).thrown() == ()


def test_a_file_in_no_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"kill\.json: No such file or directory; give a file in"):
        KillSwitch.create(tmp_path / "none" / "kill.json")


def test_a_file_from_before_releases_kept_who_threw_is_read(path: Path) -> None:
    one = {"scope": "desk", "name": "d1", **TWO}
    path.write_text(json.dumps({"version": 1, "thrown": [], "released": [one]}))
    assert KillSwitch(path).mode(**WHOM) == Mode.RUNNING


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
def test_it_fails_closed(path: Path, content: bytes | None) -> None:
    switch = KillSwitch(path)
    switch.throw(Scope.ORDER, "o1", Mode.CANCEL_ALL, **ANN)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert KillSwitch(path).mode(**dict.fromkeys(WHOM, "x")) == Mode.HALT
    assert switch.mode(**dict.fromkeys(WHOM, "x")) == Mode.HALT
    assert switch.mode(**WHOM) == Mode.CANCEL_ALL
    with pytest.raises(InputError, match="restore the file"):
        switch.release(Scope.ORDER, "o1", **TWO)
    # What is thrown now is kept, and so is the halt.
    switch.throw(Scope.DESK, "d1", Mode.REDUCE_ONLY, **ANN)
    assert KillSwitch(path).mode(**dict.fromkeys(WHOM, "x")) == Mode.HALT
    assert KillSwitch(path).mode(**WHOM) == Mode.CANCEL_ALL


@pytest.mark.parametrize("length", range(0, 300, 7))
def test_a_file_cut_anywhere_halts(path: Path, length: int) -> None:
    KillSwitch(path).throw(Scope.DESK, "other", Mode.HALT, **ANN)
    whole = path.read_bytes()
    path.write_bytes(whole[: min(length, len(whole) - 2)])
    assert KillSwitch(path).mode(**WHOM) == Mode.HALT


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
    switch.throw(Scope.DESK, "d1", Mode.REDUCE_ONLY, **ANN)
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
