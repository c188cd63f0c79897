"""What `paceline train` leaves, and what others make of it: its page, the limits that it learnt
under, logs of what it decides."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml

from env.market_days import DAYS, random_day
from learn.test_pipeline import recipe_of
from paceline.cli import build_parser, main
from paceline.decision.store import FeatureSet
from paceline.evaluate.run_files import read_run
from paceline.evaluate.run_page import headline, write_run
from paceline.files.sealing import seal
from paceline.learn.checkpoint import read_manifest
from paceline.learn.policy import load_policy
from paceline.learn.recipe import ActionSet
from paceline.learn.validation import TEACHERS, read_teachers

LIMITED = {"participation_cap": 0.5, "child_max": 50, "fallback": "ac"}
QUICK = ("--orders", "4", "--horizon", "2m", "--fill-model", "pessimistic", "--jobs", "1")


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("days")
    for seed, day in enumerate(DAYS):  # the last is to compare on
        random_day(seed, day).save(folder / f"TINY-{day}.tape")
    return folder


@pytest.fixture(scope="module")
def told(days: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A recipe of two seeds under limits, and of little work."""
    recipe = recipe_of(days)
    recipe["risk"] = LIMITED
    recipe["offline"] = None
    recipe["online"]["updates"] = 20
    return recipe


@pytest.fixture(scope="module")
def run(told: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(told))
    words = ["train", str(folder / "recipe.yaml"), "-o", str(folder / "run"), "--seeds", "2"]
    assert main(words) == 0
    return folder / "run"


def text_of(page: str) -> str:
    """What a reader sees, without figures."""
    page = re.sub(r"<(style|svg).*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_pages_show_what_validation_said_and_how_to_compare(run: Path) -> None:
    for seed in (1, 2):
        folder = run / f"seed-{seed}"
        summary = json.loads((folder / "summary.json").read_text())
        shown = text_of((folder / "report.html").read_text())
        for who in (summary["best"], *summary["teachers"].values()):
            assert f"{who['mean_bps']:.2f}" in shown.replace("\u2212", "-")
        assert f"{summary['best']['stage']} {summary['best']['updates']}" in shown
        assert "child_max 50" in shown
        assert "fallback almgren_chriss" in shown
        assert "TINY 2024-03-04 to 2024-03-06 (3 days)" in shown
    above = (run / "report.html").read_text()
    assert 'href="seed-2/report.html"' in above
    assert "of 2 seeds score better" in text_of(above)
    found = re.search(r"<pre><code>(.*?)</code>", above, flags=re.DOTALL)
    assert found is not None
    words = shlex.split(unescape(found[1]))
    args = build_parser().parse_args(words[1:])
    assert args.policies.split(",")[1:3] == [str(run / "seed-1"), str(run / "seed-2")]
    assert (args.participation, args.child_max) == ("0.5", "50")


def test_a_run_is_read_once_though_it_was_cut_off(run: Path, tmp_path: Path) -> None:
    import shutil

    whole = read_run(run / "seed-1")
    shutil.copytree(run / "seed-1", tmp_path / "cut")
    path = tmp_path / "cut" / "online" / "log.jsonl"
    text = path.read_text()
    path.write_text(text + "".join(text.splitlines(keepends=True)[-3:]) + '{"updates": 21, "lo')
    cut = read_run(tmp_path / "cut")
    assert cut.logs == whole.logs
    at, loss = cut.logged("online", "loss")
    assert at.tolist() == sorted(set(at.tolist()))
    assert np.isfinite(loss).all()
    assert cut.begins("online") == 10


def test_progress_is_few_lines_without_a_terminal(
    told: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(told))
    assert main(["train", str(tmp_path / "recipe.yaml"), "-o", str(tmp_path / "run")]) == 0
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert len(lines) <= 12
    last = [line for line in lines if line.startswith("online")][-1]
    assert re.match(r"online 20 of 20: loss \S+, .*best \S+ bps", last)
    assert out.splitlines()[-1] == f"report: {tmp_path / 'run' / 'report.html'}"
    # The same headline as the page has, and no mean without its score.
    assert out.splitlines()[0] == headline([read_run(tmp_path / "run")])
    for line in out.splitlines()[1:-1]:
        assert re.search(r": score \S+, \S+ bps in validation, \S+ % filled", line), line


def test_a_checkpoint_says_under_which_limits_it_learnt(run: Path) -> None:
    limits = read_manifest(run / "seed-1" / "policy").limits
    assert limits is not None
    assert msgspec.structs.asdict(limits) == {
        "participation": 0.5, "participation_window_s": 300.0, "price_band_bps": 200.0,
        "price_band_ticks": None, "child_max": 50.0, "fallback": "almgren_chriss",
    }  # fmt: skip
    assert load_policy(run / "seed-1" / "policy").limits == limits


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "participation: is 0.25, and RUN was trained under 0.5"),
        (["--participation", "0.5"], "child_max: is no limit, and RUN was trained under 50"),
        (
            ["--participation", "0.5", "--child-max", "50", "--participation-window", "60s"],
            "participation_window_s: is 60, and RUN was trained under 300",
        ),
        (
            ["--participation", "0.5", "--child-max", "50", "--price-band-ticks", "3"],
            "price_band_ticks: is 3, and RUN was trained under no limit",
        ),
    ],
)
def test_a_comparison_under_other_limits_is_refused_by_name(
    run: Path, days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words, said
) -> None:
    policy = str(run / "seed-1")
    status = main(
        ["compare", "--tape", str(days), "--policies", f"ac,{policy}", "--days", DAYS[3], "-o",
         str(tmp_path / "out"), *QUICK, *words]
    )  # fmt: skip
    assert status == 2
    assert said.replace("RUN", policy) in capsys.readouterr().err


def test_a_comparison_keeps_the_limits_of_its_policies(
    run: Path, days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(
        ["compare", "--tape", str(days), "--policies", f"ac/cross,{run / 'seed-1'}", "--days",
         DAYS[3], "-o", str(tmp_path / "out"), *QUICK, "--participation", "0.5", "--child-max",
         "50", "--qty-least", "0.5", "--qty-most", "0.5"]
    )  # fmt: skip
    assert status == 0
    assert "No limit was broken" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert found["settings"]["child_max"] == 50


@pytest.mark.parametrize("day", [DAYS[1], DAYS[2], f"{DAYS[2]}..{DAYS[3]}"])
def test_a_policy_is_not_compared_on_days_that_it_has_seen(
    run: Path, days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], day: str
) -> None:
    policy = str(run / "seed-1")
    limits = ("--participation", "0.5", "--child-max", "50")
    words = ["compare", "--tape", str(days), "--policies", f"ac,{policy}", "--days", day, "-o",
             str(tmp_path / "out"), *QUICK, *limits]  # fmt: skip
    assert main(words) == 2
    said = f"policies: {policy} was trained or validated on days up to {DAYS[2]}, and {day[:10]} is"
    assert said in capsys.readouterr().err


def test_a_run_that_nobody_taught_has_a_page(run: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(run / "seed-1", tmp_path / "run")
    path = tmp_path / "run" / "recipe.yaml"
    told = yaml.safe_load(path.read_text())
    told["teaching"] |= {"teachers": [], "logs": ["out/log-of-desk"]}
    path.write_text(yaml.safe_dump(told))
    (tmp_path / "run" / "teachers.json").write_bytes(seal(TEACHERS, {}))
    page = write_run([tmp_path / "run"], tmp_path / "report.html")
    assert "No teacher is there to compare with." in text_of(page.read_text())


def test_a_trained_policy_is_logged_with_its_probabilities(
    run: Path, days: Path, tmp_path: Path
) -> None:
    (tmp_path / "orders.yaml").write_text(
        yaml.safe_dump({"horizon_s": [120], "participation": 0.5})
    )
    policy = str(run / "seed-1")
    words = ["log", "--tape", str(days), "--days", DAYS[2], "--teachers", f"{policy},ac/touch",
             "--explore", "0.4", "--orders", "12", "--config", str(tmp_path / "orders.yaml"), "-o",
             str(tmp_path / "log")]  # fmt: skip
    assert main(words) == 0
    found = FeatureSet.open(tmp_path / "log")
    decisions, outcome = found.read("TINY", DAYS[2]), found.outcome("TINY", DAYS[2])
    mine = outcome.policy == policy
    assert 0 < mine.sum() < len(mine)
    features, mask = decisions.features[mine], decisions.mask[mine]
    action, said = decisions.action[mine], outcome.propensity[mine]
    own, _ = load_policy(run / "seed-1" / "policy").many(features, mask)
    wanted = 0.4 / mask.sum(axis=1) + 0.6 * (action == own)
    np.testing.assert_allclose(said, wanted, rtol=1e-6)
    assert 0.4 < (action == own).mean() < 1.0
    settings = found.manifest.settings
    assert settings["policies"] == {policy: load_policy(run / "seed-1" / "policy").name}
    assert settings["limits"]["child_max"] == 50
    grid = ActionSet(
        size_bp_of_remaining=(1000, 5000), aggression_ticks=("touch", "take"), wait_seconds=(5,)
    ).grid()
    assert found.manifest.n_actions == len(grid)


def test_who_learns_from_a_log_alone_has_a_page_too(
    told: dict[str, Any], days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = {**told, "online": None}
    teaching = {"teachers": [], "logs": [str(tmp_path / "first" / "log")]}
    for name, recipe in (("first", first), ("second", {**first, "teaching": teaching})):
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        words = ["train", str(tmp_path / "recipe.yaml"), "-o", str(tmp_path / name)]
        assert main(words) == 0, capsys.readouterr().err
    assert read_teachers(tmp_path / "second" / "teachers.json") == {}
    assert "validation" in text_of((tmp_path / "second" / "report.html").read_text())


def test_a_log_under_other_limits_than_its_policies_is_refused(
    run: Path, days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "orders.yaml").write_text(yaml.safe_dump({"horizon_s": [120]}))
    words = ["log", "--tape", str(days), "--teachers", str(run / "seed-1"), "--config",
             str(tmp_path / "orders.yaml"), "-o", str(tmp_path / "log")]  # fmt: skip
    assert main(words) == 2
    assert "participation: is 0.25, and" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"teaching": {"teachers": [], "orders": 8}}, "teachers, logs: none is given"),
        ({"teaching": {"teachers": [], "logs": ["LATE"]}}, "LATE holds 2024-03-06, after the last"),
        ({"teaching": {"teachers": [], "logs": ["GRID"]}}, "GRID is of another grid"),
        ({"teaching": {"teachers": [], "logs": ["NONE"]}}, "NONE: holds no feature set"),
        ({"data": {"tapes": ["DAYS"], "train": "2024-03-04", "validation": "2024-03-05"}},
         "has one day of each symbol, and the first only teaches"),
        ({"data": {"tapes": ["DAYS"], "train": "2023-01-02", "validation": "2024-03-05"}},
         "data.train: no tape is of 2023-01-02"),
        ({"data": {"tapes": ["NONE"], "train": "2024-03-04", "validation": "2024-03-05"}}, "NONE"),
    ],
)  # fmt: skip
def test_a_recipe_that_cannot_be_cooked_is_refused_in_one_line(
    told: dict[str, Any], days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change,
    said: str,
) -> None:  # fmt: skip
    for name, action_set, day in (
        ("LATE", told["policy"]["action_set"], DAYS[2]),
        ("GRID", {**told["policy"]["action_set"], "hold_seconds": 4}, DAYS[1]),
    ):
        if name in str(change):
            kept = {k: tuple(v) if isinstance(v, list) else v for k, v in action_set.items()}
            grid = json.loads(msgspec.json.encode(ActionSet(**kept).grid()))
            (tmp_path / "grid.yaml").write_text(yaml.safe_dump(grid))
            (tmp_path / "orders.yaml").write_text(yaml.safe_dump({"horizon_s": [120]}))
            words = ["log", "--tape", str(days), "--days", day, "--orders", "2", "--teachers",
                     "random", "--grid", str(tmp_path / "grid.yaml"), "--config",
                     str(tmp_path / "orders.yaml"), "-o", str(tmp_path / name)]  # fmt: skip
            assert main(words) == 0
    capsys.readouterr()
    text = yaml.safe_dump({**told, **change}).replace("DAYS", str(days))
    for name in ("LATE", "GRID", "NONE"):
        text = text.replace(name, str(tmp_path / name))
        said = said.replace(name, str(tmp_path / name))
    (tmp_path / "recipe.yaml").write_text(text)
    assert main(["train", str(tmp_path / "recipe.yaml"), "-o", str(tmp_path / "run")]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert [line for line in err.splitlines() if line.startswith("paceline train: ")] != []
