"""Ticks and lots: found from the numbers, told with the reason, or as given."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.errors import PacelineError
from paceline.ingest import load
from paceline.ingest.cells import numbers_of
from paceline.ingest.grid import common_step, in_steps, order_grid
from paceline.ingest.quality import Limits
from paceline.market.tape import Tape

ANYTHING = Limits(max_bad_share=1.0, max_crossed_share=1.0)
LEVELS: dict[str, Any] = {
    "time": "t", "time_unit": "s", "kind": "k", "kinds": {"L": "level", "T": "trade"},
    "side": "s", "price": "p", "size": "q",
}  # fmt: skip
NOW = 1_709_562_600


def tape_of(folder: Path, prices: list[str], sizes: list[str] | None = None, **given: Any) -> Tape:
    """A tape of levels on both sides, bids at the even rows."""
    sizes = sizes or ["5"] * len(prices)
    rows = [
        f"{NOW + k},L,{'BS'[k % 2]},{price},{size}"
        for k, (price, size) in enumerate(zip(prices, sizes, strict=True))
    ]
    path = folder / "X.csv"
    path.write_text("\n".join(["t,k,s,p,q", *rows]))
    mapping = LEVELS | {
        name: given.pop(name) for name in list(given) if name in ("price_unit", "size_unit")
    }
    return load(path, mapping=mapping, limits=ANYTHING, **given)


def steps(tape: Tape) -> tuple[str, str, str]:
    traded = tape.instrument
    return f"{traded.book_tick:f}", f"{traded.order_tick:f}", f"{traded.lot:f}"


@pytest.mark.parametrize(("values", "unit", "step"), [
    ([1998, 2002], "0.01", "0.01"), ([19980, 20020], "0.001", "0.01"),
    ([1000, 3000], "0.001", "1"), ([100, 300], "1", "1"), ([], "0.01", "1"),
    ([10025, 10050], "0.01", "0.25"), ([101370, 101375], "0.001", "0.005"),
    ([109_50390625, 109_75], "0.00000001", "0.00390625"), ([798374, 798386], "1E-11", "1E-11"),
    ([7, 11], "0.03", "0.03"),
])  # fmt: skip
def test_the_coarsest_usual_step(values: list[int], unit: str, step: str) -> None:
    if step == "0.00390625":
        values = [10950390625, 10975000000]
    assert common_step(values, Decimal(unit)) == Decimal(step)
    assert common_step(np.array(values, np.int64), Decimal(unit)) == Decimal(step)


def test_one_odd_order_does_not_make_the_order_tick_finer() -> None:
    ticks = np.arange(0, 148_939 * 10, 10) % 5000
    ticks[777] += 3
    step, off = order_grid(ticks, Decimal("0.001"))
    assert step == Decimal("0.01")
    assert np.flatnonzero(off).tolist() == [777]
    ticks[: len(ticks) // 500] += 1  # two of a thousand are no odd ones
    assert order_grid(ticks, Decimal("0.001"))[0] == Decimal("0.001")
    few = np.array([10, 20, 33])
    assert order_grid(few, Decimal("0.001"))[0] == Decimal("0.001")


def test_unusual_order_ticks_need_many_prices() -> None:
    two = np.arange(0, 80, 2)
    assert order_grid(two, Decimal("0.01"))[0] == Decimal("0.02")
    assert order_grid(two[:15], Decimal("0.01"))[0] == Decimal("0.01")
    assert order_grid(5 * np.arange(7000, 7040), Decimal(1))[0] == 5
    assert order_grid(5 * np.arange(7000, 7010), Decimal(1))[0] == 1


@given(
    st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=20),
    st.sampled_from(["1", "0.01", "1E-8", "0.03125", "2.5"]),
    st.sampled_from(["1", "0.01", "0.05", "1E-8", "0.25"]),
)
def test_steps_agree_with_decimals(values: list[int], unit: str, step: str) -> None:
    whole, off = in_steps(np.array(values), Decimal(unit), Decimal(step))
    for value, count, is_off in zip(values, whole.tolist(), off.tolist(), strict=True):
        exact = Decimal(value) * Decimal(unit) / Decimal(step)
        fits = abs(exact) < 2**62
        assert is_off == (exact != exact.to_integral_value()) or not fits
        assert abs(count - exact) <= Decimal("0.5") or not fits


def test_a_step_that_nothing_fits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OverflowError):
        in_steps(np.array([1]), Decimal(1), Decimal("1e-30"))


@pytest.mark.parametrize(("floats", "meant"), [
    ([101.37, 101.41, 101.36], ["101.37", "101.41", "101.36"]),
    ([67123.45, 67123.46], ["67123.45", "67123.46"]),
    ([109.50390625, 109.75], ["109.50390625", "109.75"]),  # 109 and 129/256: as it stands
    ([1234567.125, 1234567.25], ["1234567.125", "1234567.25"]),
    ([300.0, 5.0], ["300", "5"]), ([0.0, float("nan"), 0.001], ["0", None, "0.001"]),
])  # fmt: skip
def test_single_precision_is_read_as_it_was_meant(floats: list[float], meant: list[str]) -> None:
    found = numbers_of(pa.chunked_array([pa.array(floats, pa.float32())]))
    for value, bad, word in zip(found.value.tolist(), found.bad.tolist(), meant, strict=True):
        assert bad == (word is None)
        assert bad or value * found.unit == Decimal(word)
    assert "single-precision" in found.note


@pytest.mark.parametrize(("words", "meant", "note"), [
    (["0.30000000000000004", "0.1", "0.25"], ["0.3", "0.1", "0.25"], "rounding noise"),
    (["101.37000274658203", "101.41000366210938", "101.5"], ["101.37", "101.41", "101.5"],
     "single-precision"),
    (["123456789.12345678", "0.00000001"], ["123456789.12345678", "0.00000001"], ""),
    (["0.00000798374", "0.00000798386"], ["0.00000798374", "0.00000798386"], ""),
    (["15624.99999999995"], ["15624.99999999995"], ""),
    (["999999.99999999999"], ["999999.99999999999"], ""),  # no double is printed so
    (["4750250000000", "4750500000000"], ["4750250000000", "4750500000000"], ""),
])  # fmt: skip
def test_numbers_of_text(words: list[str], meant: list[str], note: str) -> None:
    found = numbers_of(pa.chunked_array([pa.array(words)]))
    assert not found.bad.any()
    assert [value * found.unit for value in found.value.tolist()] == [Decimal(w) for w in meant]
    assert note in found.note
    assert (note == "") == (found.note == "")


@pytest.mark.parametrize(("words", "meant"), [
    (["2.0010e+01", "1.9990E+01", "20.02"], ["20.01", "19.99", "20.02"]),
    (["7.98374e-06", "-7.98386e-06", "0e0"], ["0.00000798374", "-0.00000798386", "0"]),
    (["5.0e+02", " +3e2 ", "1.e1"], ["500", "300", "10"]), (["1e-18"], ["0.000000000000000001"]),
    (["1.23456789012e+10", "1.5e-1"], ["12345678901.2", "0.15"]),
    (["0.00000012e+07", "123456e-3"], ["1.2", "123.456"]),
    (["1.00005e+02", "3.0000000000000004e-01", "2.5e-01"], ["100.005", "0.3", "0.25"]),
])  # fmt: skip
def test_numbers_with_exponents_are_their_plain_decimals(
    words: list[str], meant: list[str]
) -> None:
    found = numbers_of(pa.chunked_array([pa.array(words)]))
    assert not found.bad.any()
    assert [value * found.unit for value in found.value.tolist()] == [Decimal(w) for w in meant]


@given(st.lists(st.decimals(-(10**3), 10**3, places=11), min_size=1, max_size=20))
def test_exponents_make_no_difference(numbers: list[Decimal]) -> None:
    plain = numbers_of(pa.chunked_array([pa.array([f"{number:f}" for number in numbers])]))
    told = numbers_of(pa.chunked_array([pa.array([f"{number:.16e}" for number in numbers])]))
    assert (plain.value.tolist(), plain.unit) == (told.value.tolist(), told.unit)


@pytest.mark.parametrize("word", [
    "1e400", "1e-40", "1e30", "1e999999999", "1e-999999999", "1e", "e5", "1e+", "1e5.5", "1e5e5",
    ".5e1", "1e٣", "0x1e2",
])  # fmt: skip
def test_nonsense_with_an_exponent_is_no_number(word: str) -> None:
    found = numbers_of(pa.chunked_array([pa.array(["12.5", word, "1.35e+01"])]))
    assert found.bad.tolist() == [False, True, False]
    assert [value * found.unit for value in found.value.tolist()] == [
        Decimal("12.5"), 0, Decimal("13.5"),
    ]  # fmt: skip


def test_a_table_with_exponents_gives_the_tape_of_its_decimals(tmp_path: Path) -> None:
    plain = tape_of(tmp_path, ["19.99", "20.01", "0.00000798374"], ["500", "300", "0.25"])
    told = tape_of(
        tmp_path, ["1.999e+01", "2.0010e+01", "7.98374e-06"], ["5.0e+02", "3E2", "2.5e-01"]
    )
    assert told.manifest.tape_id == plain.manifest.tape_id
    assert told.manifest.quality.rows_quarantined == 0


def test_what_has_too_many_digits_is_marked() -> None:
    words = ["1523.123456789012345678", "12.5", "13.5", "x", "9" * 5000]
    found = numbers_of(pa.chunked_array([pa.array(words)]))
    assert found.bad.tolist() == [True, False, False, True, True]
    assert found.too_fine.tolist() == [True, False, False, False, False]
    assert found.value[1] * found.unit == Decimal("12.5")


@given(st.lists(st.decimals(-(10**3), 10**3, places=11), min_size=1, max_size=20))
def test_texts_are_read_exactly(numbers: list[Decimal]) -> None:
    found = numbers_of(pa.chunked_array([pa.array([f"{number:f}" for number in numbers])]))
    for value, bad, number in zip(found.value.tolist(), found.bad.tolist(), numbers, strict=True):
        assert not bad
        assert value * found.unit == number


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=30), st.sampled_from([2, 3, 4]))
def test_prices_survive_single_precision(cents: list[int], places: int) -> None:
    """What was a decimal of seven digits at most is that decimal again."""
    exact = [Decimal(c).scaleb(-places) for c in cents]
    column = pa.chunked_array([pa.array([float(d) for d in exact], pa.float32())])
    found = numbers_of(column)
    assert [value * found.unit for value in found.value.tolist()] == exact


def test_eleven_decimals_are_four_prices(tmp_path: Path) -> None:
    prices = ["0.00000798374", "0.00000798386", "0.00000798379", "0.00000798382"]
    tape = tape_of(tmp_path, prices)
    assert len(tape.level_ticks) == 4
    assert steps(tape) == ("0.00000000001", "0.00000000001", "1")


def test_floats_give_the_tape_of_their_decimals(tmp_path: Path) -> None:
    prices = [101.35, 101.40, 101.30, 101.45, 101.35, 101.40]
    tapes = []
    for kind in (pa.float32(), pa.float64()):
        table = pa.table({
            "t": range(NOW, NOW + 6), "k": ["L"] * 6, "s": list("BSBSBS"),
            "p": pa.array(prices, pa.float64()).cast(kind), "q": [5, 5, 6, 6, 7, 7],
        })  # fmt: skip
        pq.write_table(table, tmp_path / "X.parquet")
        tapes.append(load(tmp_path / "X.parquet", mapping=LEVELS))
    assert tapes[0].manifest.tape_id == tapes[1].manifest.tape_id
    assert [steps(tape) for tape in tapes] == [("0.05", "0.05", "1")] * 2
    why = [tape.manifest.quality.inferred["book_tick"] for tape in tapes]
    assert [one.doubtful for one in why] == [True, False]
    assert "single-precision floats" in why[0].why


def test_steps_are_found_coarser_than_the_unit_of_a_column(tmp_path: Path) -> None:
    """Thousandths of a yuan and of a share: a tick of 0.01, and a lot of 1."""
    tape = tape_of(
        tmp_path, ["19980", "20020", "19990"], ["100000", "200000", "300000"],
        price_unit="0.001", size_unit="0.001",
    )  # fmt: skip
    assert steps(tape) == ("0.01", "0.01", "1")
    assert tape.events.qty.tolist() == [100, 200, 300]
    assert "give --lot 100" in tape.manifest.quality.inferred["lot"].why


def test_the_odd_order_is_in_the_book_and_named(tmp_path: Path) -> None:
    prices = [f"{10 + (k // 2 % 40) / 100:.2f}" if k % 2 == 0 else "20.00" for k in range(2000)]
    prices[1500] = "10.037"
    tape = tape_of(tmp_path, prices)
    assert steps(tape) == ("0.001", "0.01", "1")
    found = tape.manifest.quality.findings["off_order_tick"]
    assert (found.count, found.first_row) == (1, 1502)
    assert 10_037 in tape.level_ticks.tolist()
    why = tape.manifest.quality.inferred["order_tick"]
    assert why.doubtful
    assert f"1 do not, first line 1502: '{NOW + 1500},L,B,10.037,5'" in why.why
    given = tape_of(tmp_path, prices, book_tick="0.01")
    assert given.quarantine["finding"].to_pylist() == ["off_tick"]


def test_what_is_given_goes_first(tmp_path: Path) -> None:
    prices = ["10.05", "10.10", "10.15"]
    assert steps(tape_of(tmp_path, prices)) == ("0.05", "0.05", "1")
    assert steps(tape_of(tmp_path, prices, order_tick="0.01")) == ("0.01", "0.01", "1")
    assert steps(tape_of(tmp_path, prices, book_tick="0.01")) == ("0.01", "0.05", "1")
    tape = tape_of(tmp_path, prices, book_tick="0.001", order_tick="0.01", lot="0.5")
    assert steps(tape) == ("0.001", "0.01", "0.5")
    assert {one.why for one in tape.manifest.quality.inferred.values()} == {"as given"}
    assert tape.level_ticks.tolist() == [10_050, 10_100, 10_150]


def test_coins_are_rounded_to_lots_when_asked_to(tmp_path: Path) -> None:
    sizes = ["25.12345678", "0.00000001", "3"]
    plain = tape_of(tmp_path, ["10", "20", "11"], sizes)
    assert plain.quarantine["finding"].to_pylist() == ["size_too_large"]
    tape = tape_of(tmp_path, ["10", "20", "11"], sizes, lot="0.0001", round_sizes=True)
    assert tape.events.qty.tolist() == [251_235, 1, 30_000]
    assert "2 of 3 sizes rounded" in tape.manifest.quality.inferred["lot"].why
    with pytest.raises(PacelineError, match="round_sizes: needs the lot to round to"):
        tape_of(tmp_path, ["10", "20", "11"], sizes, round_sizes=True)


def test_sizes_that_fit_no_row_are_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    path.write_text(f"t,k,s,p,q\n{NOW},L,B,10,25.00000001\n")
    with pytest.raises(PacelineError, match=r"size that does not fit.*--lot 0.001 --round-sizes"):
        load(path, mapping=LEVELS)


def test_prices_of_nothing_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    rows = [f"{NOW + k},L,B,99.95,{k + 1}" for k in range(60)]
    path.write_text("\n".join([
        "t,k,s,p,q", f"{NOW},L,B,100.00,5", f"{NOW},L,S,100.05,5", f"{NOW},T,B,100.00,2",
        f"{NOW},T,B,0,7", f"{NOW},T,B,-1,9", f"{NOW},L,S,0,0", *rows,
    ]))  # fmt: skip
    tape = load(path, mapping=LEVELS)
    assert int(tape.events.volume[-1]) == 2
    found = tape.manifest.quality.findings["bad_price"]
    assert (found.count, found.first_row) == (3, 5)


def test_an_order_may_leave_with_a_price_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    path.write_text(f"t,k,s,p,q,id\n{NOW},A,B,10.01,5,1\n{NOW + 1},D,B,0,0,1\n")
    mapping = LEVELS | {"kinds": {"A": "add", "D": "delete"}, "order": "id"}
    tape = load(path, mapping=mapping)
    assert tape.events.qty.tolist() == [5, 5]
    assert tape.level_ticks.tolist() == [1001]


def test_negative_prices_are_refused_in_currency(tmp_path: Path) -> None:
    with pytest.raises(PacelineError) as told:
        tape_of(tmp_path, ["-39750", "-39745", "-39755"], price_unit="0.01", currency="EUR")
    assert str(told.value) == (
        "price: X 2024-03-04 has negative prices, which are not supported yet: 3 of 3 rows of its "
        f"book, first -397.50 EUR in line 2: '{NOW},L,B,-39750,5'"
    )


def test_the_currency_is_that_of_the_mapping_or_the_command(tmp_path: Path) -> None:
    assert tape_of(tmp_path, ["10", "20"]).instrument.currency == "USD"
    assert tape_of(tmp_path, ["10", "20"], currency="EUR").instrument.currency == "EUR"
    path = tmp_path / "X.csv"
    assert load(path, mapping=LEVELS | {"currency": "JPY"}).instrument.currency == "JPY"
    with pytest.raises(PacelineError, match="currency: 'euro' is not the code of a currency"):
        tape_of(tmp_path, ["10", "20"], currency="euro")
