"""`paceline compare`: what it writes, and what it refuses in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paceline.cli import main
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day

DAYS = ("2024-01-08", "2024-01-09", "2024-01-10")
QUICK = ("--orders", "16", "--horizon", "5m", "--slices", "4", "--fill-model", "pessimistic",
         "--jobs", "1")  # fmt: skip


@pytest.fixture(scope="module")
def tapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tapes")
    market = load_market("yhoo-2003")
    for day in DAYS:
        simulate_day(market, day, 4).save(folder / f"SIM-{day}.tape")
    return folder


def test_it_writes_a_page_tables_and_json(
    tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["compare", "--tape", str(tapes), "--policies", "ac,twap/cross,random", "--days",
             f"{DAYS[1]}..{DAYS[2]}", "-o", str(out), *QUICK]  # fmt: skip
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "No limit was broken" in shown
    assert {path.name for path in out.iterdir()} == {
        "comparison.json", "differences.parquet", "orders.parquet", "report.html", "result.json",
        "worked",
    }  # fmt: skip
    told = json.loads((out / "comparison.json").read_text())
    assert told["baseline"] == "ac"
    assert told["settings"]["orders_worked"] == 16
    first = (out / "orders.parquet").read_bytes()
    assert main([*words, "--baseline", "random"]) == 0
    told = json.loads((out / "comparison.json").read_text())
    assert told["baseline"] == "random"
    assert len(list((out / "worked").iterdir())) == 3, "nothing is worked twice"
    assert (out / "orders.parquet").read_bytes() != first


def test_the_baseline_is_tuned_on_days_before(
    tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from paceline.evaluate import tuning

    monkeypatch.setattr(tuning, "PLACEMENTS", ("cross", "mid"))
    monkeypatch.setattr(tuning, "SLICES", (3, 6))
    why = tmp_path / "why.txt"
    why.write_text("Because\nit rests.")
    words = ["compare", "--tape", str(tapes), "--policies", "twap", "--days", DAYS[2], *QUICK]
    out = tmp_path / "out"
    tune = ["--tune-days", f"{DAYS[0]}..{DAYS[1]}", "--tune-orders", "32"]
    assert main([*words, *tune, "--explanation", str(why), "-o", str(out)]) == 0
    told = json.loads((out / "comparison.json").read_text())
    assert told["settings"]["policies"] == ["ac tuned", "ac", "twap"]
    assert told["tuning"]["days"] == list(DAYS[:2])
    assert told["explanation"] == "Because it rests."
    # What was tuned once can be given, and is refused on its own days.
    assert main([*words, "--tuned", str(out / "tuned.json"), "-o", str(out)]) == 0
    again = json.loads((out / "comparison.json").read_text())
    assert again["summary"] == told["summary"]
    capsys.readouterr()
    words[words.index("--days") + 1] = DAYS[1]
    assert main([*words, "--tuned", str(out / "tuned.json"), "-o", str(out)]) == 2
    assert f"tune_days: {DAYS[1]} is in both" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--policies", "run/ppo"], "run/ppo: holds no checkpoint"),
        (["--policies", "nobody"], "policy: 'nobody'; write SCHEDULE"),
        (["--policies", "ac"], "policies: 'ac'; name each one once, at least two"),
        (["--policies", "ac,ac"], "policies: 'ac, ac'; name each one once"),
        (["--baseline", "pov/cross"], "baseline: 'pov/cross' is none of ac, twap, vwap, pov"),
        (["--days", "yesterday"], "days: 'yesterday' is no range of days"),
        (["--days", "2024-01-09..2024-01-08"], "days: '2024-01-09..2024-01-08' is no range"),
        (["--days", "1999-01-01"], "days: no tape is of 1999-01-01"),
        (["--tune-days", "2024-01-08..2024-01-09"], "tune_days: 2024-01-08 is in both"),
        (["--tune-seed", "3"], "tune_seed: is of --market; give --tune-days"),
        (["--tune-days", "2024-01-08", "--tune-orders", "3"], "tune_orders: 3 are too few"),
        (["--tuned", "x.json", "--tune-days", "2024-01-08"], "tuned: tune_days is given too"),
        (["--tuned", "TMP/none.json"], "none.json: cannot be read (No such file or directory)"),
        (["--explanation", "TMP/none.txt"], "none.txt: No such file or directory"),
        (["--orders", "1"], "orders: 1 does not fit"),
        (["--qty-least", "0.2"], "qty_least: 0.2 is above qty_most 0.1"),
        (["--jobs", "0"], "jobs: 0 is no count of threads"),
        (["--fill-model", "perfect"], "fill_model: 'perfect' does not fit"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    tapes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    words = [word.replace("TMP", str(tmp_path)) for word in words]
    status = main(["compare", "--tape", str(tapes), "-o", str(tmp_path / "out"), *words])
    err = capsys.readouterr().err
    assert status == 2
    assert err.startswith("paceline compare: ")
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tune-days", "2024-01-08"], "tune_days: a market has no days; give --tune-seed"),
        (["--days", "2024-01-08"], "days: a market has no days; leave them out"),
        (["--seeds", "5", "--tune-seed", "3"], "tune_seed: 3 draws orders that are compared"),
        (["--tune-seed", "-1"], "tune_seed: -1 is below 0"),
        (["--regimes", "thin,stormy"], "'stormy' is not among the regimes"),
    ],
)
def test_a_market_has_seeds_and_no_days(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    status = main(["compare", "--market", "yhoo-2003", "-o", str(tmp_path / "out"), *words])
    assert status == 2
    assert said in capsys.readouterr().err
