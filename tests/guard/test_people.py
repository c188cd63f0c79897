"""Known people: each is one, gives a secret, and may do what the file says."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from guard import known
from paceline.errors import InputError
from paceline.files.sealing import seal
from paceline.guard.people import KIND, People, Right, Signed


@pytest.fixture
def people(tmp_path: Path) -> People:
    people = People.create(tmp_path / "people.json")
    people.add("ann", "ann's secret", cost=2)
    people.add("bob", "bob's secret", may=("confirm",), cost=2)
    return people


def test_a_known_person_is_sure_with_the_secret_only(people: People) -> None:
    assert people.names() == ("ann", "bob")
    assert people.sure(known.ANN, Right.RELEASE, "who") == "ann"
    for spelled in (" ANN", "ann.", "A. nn", "\u0430nn"):  # \u0430: Cyrillic
        assert people.sure(Signed(spelled, known.ANN.secret), Right.RELEASE, "who") == "ann"
    for signed in ("ann", None, ("ann", "ann's secret"), Signed("ann", ""), Signed("zoe", "x"),
                   Signed("ann", "bob's secret"), Signed("ann", "\ud800"), Signed("a\ud800", "x"),
                   Signed("\u0251nn", "ann's secret")):  # fmt: skip
        with pytest.raises(InputError, match=r"^who: "):
            people.sure(signed, Right.RELEASE, "who")
    with pytest.raises(InputError, match="'bob' may not release"):
        people.sure(known.BOB, Right.RELEASE, "who")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "Ann"}, "people.name: 'Ann' may be taken for 'ann'"),
        ({"name": "ann."}, "people.name: 'ann.' may be taken for 'ann'"),
        ({"name": "ann,"}, "people.name: 'ann,' may be taken for 'ann'"),
        ({"name": "a nn"}, "people.name: 'a nn' may be taken for 'ann'"),
        ({"name": "A-n-n"}, "people.name: 'A-n-n' may be taken for 'ann'"),
        ({"name": "\u1ea1nn"}, "people.name: .* may be taken for 'ann'"),  # a dot below
        ({"name": "B0b"}, "people.name: 'B0b' may be taken for 'bob'"),
        ({"name": "\u0432\u043e\u0432"}, "people.name: .* may be taken for 'bob'"),  # Cyrillic
        ({"name": "\u0430nn"}, "people.name: .* write it in letters of one alphabet"),  # Cyrillic
        ({"name": "\u0251nn"}, "people.name: .* write it in letters of one alphabet"),  # phonetic
        ({"name": "\u1d00nn"}, "people.name: .* write it in letters of one alphabet"),  # capital
        ({"name": "\u13aann"}, "people.name: .* write it in letters of one alphabet"),  # Cherokee
        ({"name": "a\u200bnn"}, "people.name: .* invisible"),
        ({"name": ""}, "people.name: '' is empty"),
        ({"secret": "short"}, "people.secret: is too short; give at least 8"),
        ({"may": ("fly",)}, "people.may: .*; give some of throw, release, confirm"),
    ],
    ids=ascii,
)
def test_one_person_is_not_two(people: People, given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=f"^{says}"):
        people.add(**{"name": "cal", "secret": "cal's secret", **given})
    assert people.names() == ("ann", "bob")


def test_names_of_an_earlier_file_that_look_like_another_are_not_known(tmp_path: Path) -> None:
    """Any name could be added once."""
    entries = []
    for k, name in enumerate(("ann", "\u0251nn", "ann.")):
        one = People.create(tmp_path / f"{k}.json")
        one.add("ann", f"secret {k}", cost=2)
        entries.append(msgspec.structs.replace(one._read()[0], name=name))
    path = tmp_path / "people.json"
    path.write_bytes(seal(KIND, tuple(entries)))
    people = People.load(path)
    assert people.sure(Signed("ann", "secret 0"), Right.CONFIRM, "who") == "ann"
    for name, secret in (("\u0251nn", "secret 1"), ("ann.", "secret 2")):
        with pytest.raises(InputError, match=r"^who: "):
            people.sure(Signed(name, secret), Right.CONFIRM, "who")
    people.remove("\u0251nn")
    assert people.names() == ("ann", "ann.")


def test_who_is_removed_is_unknown_at_once(people: People, tmp_path: Path) -> None:
    other = People.load(tmp_path / "people.json")
    other.remove("ANN")
    with pytest.raises(InputError, match="'ann' is not known"):
        people.sure(known.ANN, Right.RELEASE, "who")
    with pytest.raises(InputError, match="'ann' is not known; look at who is"):
        other.remove("ann")


def test_the_file_holds_no_secret_and_is_its_owner_s(people: People, tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "secret" not in path.read_text()
    assert "secret" not in repr(known.ANN)
    with pytest.raises(InputError, match="is there already"):
        People.create(path)


def test_a_file_that_was_changed_knows_nobody(people: People, tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), 5):
        raw = bytearray(whole)
        raw[bit // 8] ^= 1 << bit % 8
        path.write_bytes(raw)
        with pytest.raises(InputError, match="until then nobody is known"):
            people.sure(known.ANN, Right.RELEASE, "who")
    path.unlink()
    with pytest.raises(InputError, match=r"people\.json: .*nobody is known"):
        People.load(path)
