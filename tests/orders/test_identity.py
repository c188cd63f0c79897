"""Names: what may be one, which are the same, and how they look as files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.errors import InputError, OrderError
from paceline.orders.identity import canonical, checked, file_form, from_file_form, key
from paceline.orders.instrument import Instrument
from paceline.orders.order import ParentOrder

NO_NAMES = ["", "  ", "\ud800", "a\ud800", "a\x00b", "a\nb", "a\u200bnn", "a\u2060b", "\u202eabc",
            "a\ufe0f", "a\u3164", "a\u034fb", "x" * 129, None, 5, b"YHOO"]  # fmt: skip


@pytest.mark.parametrize("value", NO_NAMES, ids=ascii)
def test_what_names_nothing_is_refused(value: object) -> None:
    for form in (canonical, checked):
        with pytest.raises(InputError, match=r"^symbol: .*; (give|remove|write)") as error:
            form(value, "symbol", InputError)
        assert "\n" not in str(error.value)
        str(error.value).encode("ascii")


@pytest.mark.parametrize(
    ("loose", "name"),
    [
        (" YHOO", "YHOO"), ("YHOO\n", "YHOO"), ("\uff39HOO", "YHOO"), ("BRK  B", "BRK B"),
        ("BRK\u00a0B", "BRK B"), ("BRKb", "BRKb"), ("a\u0308", "\u00e4"),
    ],
    ids=ascii,
)  # fmt: skip
def test_a_name_has_one_form(loose: str, name: str) -> None:
    assert canonical(loose, "symbol") == name
    if loose != name:
        with pytest.raises(OrderError, match=r"^symbol: "):
            checked(loose, "symbol")


@pytest.mark.parametrize(
    "other",
    ["yhoo", "Yhoo", "YH\u041eO", "\u0443\u043doo", "YHO\u039f"],
    ids=ascii,
)
def test_what_a_person_may_confuse_has_one_key(other: str) -> None:
    assert key(other) == key("YHOO") == "yhoo"


def test_what_differs_has_another_key() -> None:
    names = ["ann", "ann.", "an", "anna", "BRK/B", "BRK_B", "BRK.B", "BRK B", "\u5e01\u5b89"]
    assert len({key(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("YHOO", "YHOO"), ("BRK/B", "BRK%2FB"), ("BRK_B", "BRK%5FB"), ("BRK.B", "BRK.B"),
        ("BRK-B", "BRK-B"), ("BRK B", "BRK%20B"), ("..", "%2E%2E"), (".a", "%2Ea"), ("a.", "a%2E"),
        ("-rf", "%2Drf"), ("%41", "%2541"), ("A", "A"), ("\u00e4", "%C3%A4"),
    ],
    ids=ascii,
)  # fmt: skip
def test_the_form_for_files(name: str, form: str) -> None:
    assert file_form(name) == form
    assert from_file_form(form) == name


@pytest.mark.parametrize("form", ["", "BRK_B", "%41", "%2f", "%FF", "a/b", ".", "a%"])
def test_what_no_name_is_written_as_is_refused(form: str) -> None:
    with pytest.raises(OrderError, match="names nothing"):
        from_file_form(form)


@given(st.text(max_size=40), st.text(max_size=40))
def test_forms_are_told_apart_as_names_are(one: str, other: str) -> None:
    names = []
    for text in (one, other):
        try:
            names.append(canonical(text, "name"))
        except OrderError:
            return
    forms = []
    for name in names:
        assert checked(name, "name") == name
        assert canonical(f" {name}\t", "name") == name
        try:
            forms.append(file_form(name))
        except OrderError:
            return
        assert from_file_form(forms[-1]) == name
        assert set(forms[-1]) <= set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-%"
        )
    assert (names[0] == names[1]) == (forms[0] == forms[1])
    if names[0] == names[1]:
        assert key(names[0]) == key(names[1])


def test_a_form_too_long_for_a_file_is_refused() -> None:
    with pytest.raises(OrderError, match="too long for the name of a file"):
        file_form("\u00e4" * 128)


def test_instruments_and_orders_have_canonical_names() -> None:
    tick = {"book_tick": "0.01", "order_tick": "0.01"}
    for symbol in ("", " ", "A\x00B", " ACME", "A\u200bB", "\ud800"):
        with pytest.raises(OrderError, match=r"^instrument.symbol: "):
            Instrument(symbol=symbol, **tick)  # type: ignore[arg-type]
        with pytest.raises(OrderError, match=r"^parent.symbol: "):
            ParentOrder(
                order_id="o", symbol=symbol, side="buy", qty=1, arrival_px=1, start_ts=1,  # type: ignore[arg-type]
                end_ts=2, constraints={"participation": 1, "price_band_bps": 1, "child_max": 1},  # type: ignore[arg-type]
            )  # fmt: skip
    with pytest.raises(OrderError, match=r"^instrument.venue: "):
        Instrument(symbol="A", venue="X\n", **tick)  # type: ignore[arg-type]
