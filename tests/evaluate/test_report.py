"""The report stands alone, says what the numbers say, and has a word for what is not there."""

from __future__ import annotations

import copy
import io
import math
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from paceline.config import describe
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.env.policies import Urgency, ac_targets
from paceline.evaluate import plots
from paceline.evaluate.backtest import backtest, yardsticks_of
from paceline.evaluate.frontier_page import _apart
from paceline.evaluate.on_schedule import ac_px, time_average
from paceline.evaluate.orders_page import choose, schedule_path
from paceline.evaluate.report import summary_table, summary_text, write_report
from paceline.evaluate.resting import stretches
from paceline.evaluate.results import BacktestResult
from paceline.evaluate.settings import BacktestSettings
from paceline.evaluate.verdict import judge
from paceline.market.tape import Tape
from paceline.page.cells import (
    DASH,
    MINUS,
    duration,
    plain,
    quantity,
    significant,
)
from paceline.page.ink import beyond
from paceline.schedule.trajectory import slice_bounds
from paceline.units import NS_PER_MS
from page.reading import Page, assert_stands_alone

SECTIONS = ("answer", "costs", "paired", "execution", "orders", "frontier", "assumptions")


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    """Most of a quiet hour on three days."""
    market = MarketSettings(
        open_s=34_200.0, close_s=37_200.0, limit_bid_per_s=0.6, limit_ask_per_s=0.6,
        market_buy_per_s=0.1, market_sell_per_s=0.1, cancel_per_s=0.02,
    )  # fmt: skip
    days = ("2026-01-05", "2026-01-06", "2026-01-07")  # fewer have no interval
    return [simulate_day(market, day, seed=3) for day in days]


def worked(tapes: list[Tape], policies: list[str], **settings: object) -> BacktestResult:
    chosen = {"orders": 14, "qty": 800.0, "horizon_s": 240.0, "slices": 6, **settings}
    return backtest(tapes, policies, BacktestSettings(**chosen), jobs=1)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def result(tapes: list[Tape]) -> BacktestResult:
    policies = ["ac", "twap/cross", "pov", "vwap/mid+20s"]
    return worked(tapes, policies, fill_model="band", decision_delay_s=5.0, taker_fee=0.003)


@pytest.fixture(scope="module")
def page(result: BacktestResult, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = write_report(result, tmp_path_factory.mktemp("report") / "deep" / "r.html", examples=3)
    return path.read_text(encoding="utf-8")


def test_page_is_whole_and_stands_alone(page: str) -> None:
    assert len(page) < 3_000_000
    assert_stands_alone(page)


def test_page_has_every_section_policy_and_model(page: str, result: BacktestResult) -> None:
    parsed = Page(page)
    assert set(SECTIONS) <= set(parsed.ids)
    for word in (*result.policies, *result.fill_models, *(row.path for row in SETTINGS)):
        assert word in parsed.text
    for place in result.places:
        assert place.tape.name in parsed.text
        assert place.tape.manifest.tape_id in parsed.text
    for row in SETTINGS:
        assert row.sentence in parsed.text


SETTINGS = list(describe(BacktestSettings))


def test_nothing_is_called_nan(page: str) -> None:
    assert not re.search(r"\b(nan|inf)\b|None", Page(page).text)
    assert not re.search(r"\bnan\b", page.lower())


def test_table_says_what_summary_says(page: str, result: BacktestResult) -> None:
    rows = Page(page).tables["summary"][1:]
    columns = {
        2: ("is_mean_bps", 1, 2), 3: ("is_std_error_bps", 1, 2), 4: ("is_p50_bps", 1, 2),
        5: ("is_p95_bps", 1, 2), 6: ("is_p99_bps", 1, 2), 7: ("is_cvar95_bps", 1, 2),
        8: ("delay_bps", 1, 2), 9: ("trading_bps", 1, 2), 10: ("opportunity_bps", 1, 2),
        11: ("fees_bps", 1, 2), 12: ("spread_paid_bps", 1, 2), 13: ("fill_rate", 100, 1),
        14: ("maker_share", 100, 1), 15: ("participation", 100, 1), 16: ("time_to_fill_s", 1, 1),
    }  # fmt: skip
    assert len(rows) == len(result.summary()) == 12
    for shown, true in zip(rows, result.summary(), strict=True):
        assert shown[:2] == [true["policy"], true["fill_model"]]
        for at, (name, factor, digits) in columns.items():
            value = float(shown[at].replace(MINUS, "-").replace(",", ""))
            assert abs(value - factor * true[name]) <= 0.5 * 10**-digits + 1e-9, name


def test_the_least_is_marked_once_for_each_model(result: BacktestResult) -> None:
    verdict = judge(result)
    marked = [row for row in summary_table(verdict).rows if row[2].kind == "least"]
    assert {row[1].text for row in marked} == set(result.fill_models)
    for row in marked:
        cost = {r["policy"]: r["is_mean_bps"] for r in verdict.summary
                if r["fill_model"] == row[1].text}  # fmt: skip
        assert cost[row[0].text] == min(cost.values())


def test_every_example_has_a_layer_for_each_policy(page: str, result: BacktestResult) -> None:
    articles = re.findall(r'<article class="order".*?</article>', page, re.DOTALL)
    assert len(articles) == 3
    for article in articles:
        for i in range(len(result.policies)):
            assert f'class="layer l{i}"' in article
            assert f'class="w{i}"' in article
            assert f"nth-of-type({i + 1}):checked ~ .plots .l{i}" in page


def test_parts_as_drawn_sum_to_the_shortfall(result: BacktestResult) -> None:
    for row in result.summary():
        parts = plots.mean_parts(result, row["policy"], row["fill_model"])
        assert parts.sum() == pytest.approx(row["is_mean_bps"], abs=1e-9)


def test_examples_are_the_extremes_of_the_baseline(result: BacktestResult) -> None:
    verdict = judge(result)
    rows = result.select("ac", "calibrated")
    chosen = choose(result, verdict, 6)
    assert len({one.parent for one in chosen}) == 6
    side = result.parents["side"]
    for one in chosen:
        sign = 1 if " buy " in one.why else -1
        cost = rows["shortfall_bps"][side == sign]
        if one.why.startswith("dearest"):
            assert rows["shortfall_bps"][one.parent] == cost.max()
        if one.why.startswith("cheapest"):
            assert rows["shortfall_bps"][one.parent] == cost.min()
    assert len(choose(result, verdict, 1)) == 1
    assert len(choose(result, verdict, 100)) == len(side)


def test_resting_stretches_are_where_maker_fills_were(result: BacktestResult) -> None:
    """Retold from plan and tape, the stretches explain every maker fill: its price and its time."""
    submit = round(result.settings["submit_ms"] * NS_PER_MS)
    seen = round(result.settings["market_data_ms"] * NS_PER_MS)
    explained = 0
    for place in result.places:
        for run in place.runs:
            for row in range(len(place.parents)):
                fills = run.log.fills[run.log.fill_parent == row]
                stood = stretches(place, run, row, submit, seen)
                for stretch in stood:
                    assert stretch.start_ts <= stretch.end_ts
                for fill in fills[fills["maker"] == 1]:
                    assert any(
                        s.start_ts <= fill["ts"] <= s.end_ts and s.ticks == fill["ticks"]
                        for s in stood
                    ), (run.policy.name, row, fill)
                    explained += 1
    assert explained > 50


def test_schedules_as_drawn_start_whole_and_never_rise(result: BacktestResult) -> None:
    for place in result.places:
        for run in place.runs:
            for row in range(len(place.parents)):
                ts, left = schedule_path(place, run, row)
                assert ts[0] == place.parents["start_ts"][row]
                assert left[0] == place.parents["lots"][row]
                assert np.all(np.diff(left) <= 0)
                assert left[-1] >= 0


def test_one_order_has_a_page_about_that_order(tapes: list[Tape], tmp_path: Path) -> None:
    """No mean of one, no distribution of one, no histogram of one: the order comes first."""
    single = worked(tapes, ["ac", "twap"], orders=1)
    page = write_report(single, tmp_path / "one.html").read_text(encoding="utf-8")
    known = {name: column[0] for name, column in single.parents.items()}
    what = f"{'Buy' if known['side'] > 0 else 'Sell'} 800 {known['symbol']}"
    assert f"<h1>{what} (order {known['order_id']})</h1>" in page
    parsed = Page(page)
    sections = [name for name in parsed.ids if name in SECTIONS]
    assert sections == ["answer", "orders", "costs", "execution", "frontier", "assumptions"]
    names = [column.name for column in summary_table(judge(single)).columns]
    assert names[2] == "cost"
    both = plots.band(single, judge(single))
    assert both is not None
    assert "shortfall, bps" in both.svg
    assert "interval" not in both.svg + both.caption
    assert not {"mean", "± s.e.", "p50", "p95", "p99", "CVaR95"} & set(names)
    drawn = re.findall(r'aria-label="([^"]+)"', page)
    assert not [label for label in drawn if "istribution" in label or "ifference" in label]
    assert "on average" not in judge(single).headline
    assert "cost" in rendered(single)


def test_a_plot_says_what_it_does_not_show() -> None:
    assert beyond([1.0, 2.0, math.nan], 0.0, 3.0, "costs") == ""
    said = beyond([-7.0, 1.0, 2.0, 40.0], 0.0, 3.0, "costs")
    assert said == " Not in the picture: 2 of 4 costs, the furthest at 40.00 bps."


def test_a_cost_beyond_the_axis_is_told(result: BacktestResult) -> None:
    wild = copy.deepcopy(result)
    at = np.flatnonzero(wild.orders["fill_model"] == "calibrated")[0]
    wild.orders["shortfall_bps"][at] = -9000.0
    figure = plots.distribution(wild, judge(wild))
    assert figure is not None
    assert "Not in the picture: 1 of 56 costs (on the left)" in figure.caption
    assert f"{MINUS}9,000 bps" in figure.caption
    assert "The outer bars hold" in plots.uplift(wild, judge(wild)).caption


def test_same_result_same_page(result: BacktestResult, page: str, tmp_path: Path) -> None:
    again = write_report(result, tmp_path / "r.html", examples=3)
    assert again.read_text(encoding="utf-8") == page


def test_title_cannot_write_html(result: BacktestResult, tmp_path: Path) -> None:
    page = write_report(result, tmp_path / "r.html", examples=0, title="<b>&</b>").read_text()
    assert "<b>&</b>" not in page
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in page
    Page(page)


@pytest.mark.parametrize(
    ("policies", "settings"),
    [
        (["twap"], {"fill_model": "pessimistic"}),
        (["ac", "pov"], {"orders": 1, "fill_model": "optimistic"}),
        (["ac"], {"orders": 2}),
        (["ac", "twap/cross"], {"participation": 1e-6, "finish": "leave"}),
        (["pov", "ac/mid/3"], {"finish": "leave", "price_band_bps": 3.0, "qty": 3.0}),
        ([f"twap/touch/{n}" for n in range(1, 11)], {"orders": 4}),
    ],
    ids=["one policy", "one order", "two orders", "no fills", "hardly a fill", "ten policies"],
)
def test_odd_results_have_a_report(
    tapes: list[Tape], policies: list[str], settings: dict[str, object], tmp_path: Path
) -> None:
    odd = worked(tapes, policies, **settings)
    text = write_report(odd, tmp_path / "r.html", examples=2).read_text(encoding="utf-8")
    parsed = Page(text)
    assert set(SECTIONS) - {"paired"} <= set(parsed.ids)
    assert ("paired" in parsed.ids) == (len(policies) > 1 and settings.get("orders") != 1)
    assert not re.search(r"\bnan\b", text.lower())
    assert all(policy in parsed.text for policy in policies)
    shown = rendered(odd)
    assert judge(odd).headline in " ".join(shown.split())
    assert not re.search(r"\bnan\b", shown.lower())


def test_no_fills_are_dashes_with_a_reason(tapes: list[Tape], tmp_path: Path) -> None:
    idle = worked(tapes, ["twap/cross"], participation=1e-6, finish="leave")
    assert all(math.isnan(row["time_to_fill_s"]) for row in idle.summary())
    text = write_report(idle, tmp_path / "r.html").read_text(encoding="utf-8")
    row = Page(text).tables["summary"][1]
    assert row[13] == "0.0"
    assert row[14] == row[16] == row[12] == DASH
    assert f'title="nothing was filled">{DASH}</td>' in text


def test_without_a_fit_the_page_says_why(tapes: list[Tape], tmp_path: Path) -> None:
    place = worked(tapes, ["ac"], orders=4)
    why = ("impact was not fitted (why)",)
    unfit = [
        one._replace(lesson=one.lesson._replace(impact=None, notes=why)) for one in place.places
    ]
    result = BacktestResult(place.settings, yardsticks_of(BacktestSettings()), unfit, [])
    text = Page(write_report(result, tmp_path / "r.html", examples=0).read_text()).text
    assert "no impact fit" in text
    assert "impact was not fitted (why)" in text


def rendered(result: BacktestResult, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width, no_color=True, highlight=False).print(summary_text(result))
    return out.getvalue()


@pytest.mark.parametrize(
    ("value", "lot", "says"),
    [(2500, "1", "2,500"), (0.35, "0.000001", "0.35"), (7, "0.01", "7"), (300, "100", "300")],
)
def test_sizes_have_the_decimals_they_need(value: float, lot: str, says: str) -> None:
    assert quantity(value, Decimal(lot)) == says


def test_in_a_narrow_window_no_number_is_cut(tapes: list[Tape]) -> None:
    result = worked(tapes, ["twap/touch+0.05s", "pov/inside+1s/123"], orders=4, qty=300)
    for width in (80, 72):
        shown = rendered(result, width)
        assert "…" not in shown
        for row in result.summary():
            assert plain(row["is_mean_bps"]) in shown


def test_terminal_shows_the_answer_and_whole_numbers(result: BacktestResult) -> None:
    shown = rendered(result)
    assert judge(result).headline in " ".join(shown.split())
    for row in result.summary():
        assert plain(row["is_mean_bps"]) in shown
    assert "…" not in shown


def test_headline_names_the_cheapest(result: BacktestResult) -> None:
    cost = {r["policy"]: r["is_mean_bps"] for r in result.summary()
            if r["fill_model"] == "calibrated"}  # fmt: skip
    best = min(cost, key=cost.__getitem__)
    assert judge(result).headline.startswith(f"{best} cost least: {plain(cost[best])} bps")


@pytest.mark.parametrize(
    ("policies", "settings", "word"),
    [
        (["twap/cross", "pov"], {"qty": 1e5}, "different shares"),
        (["twap", "ac/cross"], {"participation": 1e-6, "finish": "leave"}, "nothing was filled"),
    ],
    ids=["a size no book holds", "nothing"],
)
def test_nobody_is_cheapest_who_did_not_fill(
    tapes: list[Tape], policies: list[str], settings: dict[str, object], word: str, tmp_path: Path
) -> None:
    result = worked(tapes, policies, **settings)
    verdict = judge(result)
    assert not verdict.compares("calibrated")
    assert "No policy can be called the cheapest" in verdict.headline
    assert "No policy" in rendered(result)
    assert not any(row[2].kind == "least" for row in summary_table(verdict).rows)
    text = Page(write_report(result, tmp_path / "r.html", examples=0).read_text()).text
    assert "cost least" not in text
    assert word in verdict.headline or "different shares" in verdict.headline


def test_one_point_of_fill_rate_is_where_costs_stop_to_compare(result: BacktestResult) -> None:
    """A literal table of fill rates; the costs stay what they are."""
    usual = judge(result)
    for first, others, compares in (
        (1.0, 1.0, True), (0.995, 1.0, True), (0.991, 1.0, True), (0.989, 1.0, False),
        (0.5, 0.5, True), (1.0, 0.2, False), (0.0, 0.0, False),
    ):  # fmt: skip
        rows = [
            {**row, "fill_rate": first if row["policy"] == "ac" else others}
            for row in usual.summary
        ]
        assert usual._replace(summary=rows).compares("calibrated") is compares


def test_a_single_policy_says_what_it_filled(tapes: list[Tape]) -> None:
    idle = worked(tapes, ["twap/cross"], participation=1e-6, finish="leave")
    assert "with 0 % of the quantity filled" in judge(idle).headline
    assert "filled" not in judge(worked(tapes, ["twap/cross"])).headline


def test_settings_left_out_show_what_was_fitted(
    tapes: list[Tape], page: str, result: BacktestResult, tmp_path: Path
) -> None:
    days = [place.lesson.recovery for place in result.places]
    assert all(days), "the fixture's days have touches that come back"
    values = [significant(x) for x in sorted(back.half_life_s for back in days if back)]
    row = next(r for r in Page(page).tables["settings"] if r[0] == "recovery_half_life_s")
    assert row[1] == f"fitted: {values[0]}–{values[-1]} s over 3 days"
    one = backtest(tapes, ["twap"], BacktestSettings(orders=2, qty=8.0, horizon_s=60.0),
                   trade=tapes[1:2], jobs=1)  # fmt: skip
    parsed = Page(write_report(one, tmp_path / "r.html", examples=0).read_text())
    back = one.places[0].lesson.recovery
    assert back is not None
    row = next(r for r in parsed.tables["settings"] if r[0] == "recovery_half_life_s")
    low, high = significant(back.low_s), significant(back.high_s)
    assert row[1] == (
        f"fitted: {significant(back.half_life_s)} s ({low}–{high}), n = {back.n:,}, from 1 day"
    )
    assert row[1] in parsed.text.replace("  ", " ")


def test_half_lives_that_read_alike_are_listed_once() -> None:
    """The chosen one comes first and stays; TWAP, which has no half-life, has its own row."""
    lives = _apart(np.array([898.1, 300.0, 900.0, np.inf, 900.0, 1800.0]))
    assert lives.tolist() == [300.0, 898.1, 1800.0]
    names = [duration(life) for life in lives]
    assert names == ["5 min", "15 min", "30 min"]


def test_time_average_against_a_slow_twin() -> None:
    """Steps of random length and height, some unknown, summed nanosecond by nanosecond."""
    rng = np.random.default_rng(8)
    for _ in range(50):
        ts = np.sort(rng.integers(10, 60, 8))
        ts = ts[np.r_[np.diff(ts) > 0, True]]
        mid = np.where(rng.random(len(ts)) < 0.2, np.nan, rng.integers(100, 110, len(ts)))
        bounds = np.sort(rng.integers(0, 80, (3, 4)), axis=1)
        found = time_average(ts, mid, bounds)
        for i, k in np.ndindex(found.shape):
            instants = range(bounds[i, k], bounds[i, k + 1])
            at = [np.searchsorted(ts, t, side="right") - 1 for t in instants]
            seen = [mid[j] for j in at if j >= 0 and not np.isnan(mid[j])]
            slow = float(np.mean(seen)) if seen else float("nan")
            assert found[i, k] == pytest.approx(slow, nan_ok=True)


def test_slippage_to_the_path_is_measured_from_its_own_mids(result: BacktestResult) -> None:
    place = result.places[0]
    urgency = Urgency(None, None)
    px = ac_px(place.tape, place.lesson, place.parents, urgency, 6)
    left = ac_targets(place.parents, 6, place.lesson, urgency)
    bounds = slice_bounds(place.parents["start_ts"], place.parents["end_ts"], 6)
    mids = time_average(place.tape.events.ts, place.tape.mid_ticks(), bounds)
    n = len(px)
    by_hand = [(-np.diff(left[i]) * mids[i]).sum() / left[i, 0] for i in range(n)]
    assert px == pytest.approx(np.array(by_hand), rel=1e-12)
    rows = result.select("ac", "calibrated")
    tick = float(place.tape.instrument.book_tick)
    side, arrival = result.parents["side"][:n], result.parents["arrival_px"][:n]
    expected = 1e4 * side * (rows["avg_px"][:n] - px * tick) / arrival
    assert rows["vs_ac_bps"][:n] == pytest.approx(expected, abs=1e-7)
