"""Names: what may be one, which are the same, and how they look as files."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.errors import InputError, OrderError
from paceline.orders.identity import (
    canonical,
    checked,
    checked_person,
    file_form,
    from_file_form,
    key,
    person_key,
)
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
    ("name", "is_key"),
    [
        ("Ann", "ann"), ("O'Neil", "oneil"), ("Jean-Luc", "jeanluc"), ("A. N. Other", "another"),
        ("Andr\u00e9", "andre"), ("\u0141ukasz", "lukasz"), ("\u0130pek", "ipek"),
        ("Wei\u00df", "weiss"), ("ops_2", "ops2"), ("b0b", "bob"),
        ("\u0399\u03c9\u03ac\u03bd\u03bd\u03b7\u03c2", "i\u03c9annh\u03c3"),
        ("\u0421\u0435\u0440\u0433\u0435\u0439", "cep\u0433e\u0438"),
    ],
    ids=ascii,
)  # fmt: skip
def test_a_person_s_name_is_compared_by_letters_and_digits(name: str, is_key: str) -> None:
    assert checked_person(name, "name") == name
    assert person_key(name) == is_key


@pytest.mark.parametrize(
    "name",
    ["\u0251nn", "\u1d00nn", "\u13aann", "\u0430nn", "an\u03bd", "\u0430\u03c0", "ann\u02bc", "@nn",
     "a\u2010nn", "ann\u0661", "\u237ann", "12", ".", "\u674e\u660e"],
    ids=ascii,
)  # fmt: skip
def test_a_person_s_name_is_in_plain_letters_of_one_alphabet(name: str) -> None:
    with pytest.raises(InputError, match=r"^who: .* write it in letters of one alphabet: Latin"):
        checked_person(name, "who", InputError)


LETTERS = st.characters(categories=["Ll", "Lu", "Lo", "Lm", "Mn"])


@given(
    st.one_of(
        st.text(LETTERS, max_size=6),
        st.text("abno\u00e9\u0142\u0430\u0431\u0439\u03b1\u03ac\u0251\u1d00\u13aa01 .", max_size=6),
    ),
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(" .,-'_\u2019")), max_size=4),
)
def test_a_person_has_one_key_however_the_name_is_written(
    text: str, between: list[tuple[int, str]]
) -> None:
    try:
        name = checked_person(canonical(text, "name"), "name")
    except OrderError:
        return
    of = person_key(name)
    assert of.isalnum()
    alphabets = {unicodedata.name(one).split()[0] for one in name if one.isalpha()}
    assert alphabets in ({"LATIN"}, {"GREEK"}, {"CYRILLIC"})
    spelled = list(name)
    for at, what in between:
        spelled.insert(at, what)
    for other in ("".join(spelled), name.upper(), name.lower(), f" {name} "):
        assert person_key(canonical(other, "name")) == of
    # Whatever has the key of a plain Latin name looks like it: no letter of its own is left.
    if alphabets == {"LATIN"}:
        assert set(of) <= set("abcdefghijklmnopqrstuvwxyz23456789\u00fe")


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
