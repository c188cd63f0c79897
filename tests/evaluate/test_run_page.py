"""The page of a run says what was kept, counts days and nothing else, and needs no teacher."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from paceline.config import from_dict
from paceline.evaluate import run_page
from paceline.evaluate.run_files import RunFiles
from paceline.evaluate.run_page import headline
from paceline.learn.checkpoint import Manifest, Serving
from paceline.learn.recipe import Recipe
from paceline.page.writing import write_page

DATA = {"AAA-2024-03-04": "a", "AAA-2024-03-05": "b", "BBB-2024-03-05": "c", "replay": "d",
        "market 0: AAA thin": "e", "seeds": "1..1"}  # fmt: skip
TEACHERS = {"ac/touch": {"score": -11.0, "mean_bps": 10.95}, "random": {"score": -30.0}}

TEACHER = {"std_error": 0.2, "mean_bps": 20.0, "cvar95_bps": 40.0, "fill_rate": 0.99,
           "violations": 0.0}  # fmt: skip


def validated(stage: str, updates: int, score: float, **more: float) -> dict[str, Any]:
    told = {"score": score, "std_error": 0.2, "mean_bps": 8.79, "cvar95_bps": 40.0,
            "fill_rate": 0.99, "violations": 0.0}  # fmt: skip
    return {"stage": stage, "updates": updates, **told, **more}


def run_of(seed: int = 1, best: str = "clone", taught: bool = True, **more: float) -> RunFiles:
    told = {
        "name": "small",
        "policy": {"type": "quantile_dqn"},
        "data": {"tapes": ["tapes"], "train": "2024-03-04", "validation": "2024-03-05"},
        "teaching": {"teachers": ["ac/touch", "random"] if taught else [],
                     "logs": ["out/log-of-desk"]},
        "seed": seed,
    }  # fmt: skip
    learner = {"clone": "behavior_cloning"}.get(best, "quantile_dqn")
    lines = [validated(stage, 10, -8.9 if stage == best else -12.0, **more)
             for stage in ("clone", "simulated", "online")]  # fmt: skip
    return RunFiles(
        folder=Path("out/run"), recipe=from_dict(told, Recipe), told=told,
        best=max(lines, key=lambda one: one["score"]),
        teachers={k: TEACHER | v for k, v in TEACHERS.items()} if taught else {},
        validations=lines,
        logs={stage: [{"updates": 10, "loss": 1.0}] for stage in ("clone", "simulated", "online")},
        manifest=Manifest(
            learner=learner, settings={}, run={"max_value": 1e4}, updates=10, n_features=3,
            n_actions=5, schema="0" * 64, grid=None, data=DATA, commit=None, mode={}, metrics={},
            serving=Serving(network="policy"),
        ),
        decisions=7,
    )  # fmt: skip


def shown(runs: list[RunFiles], path: Path) -> str:
    """What a reader sees, figures included."""
    text = write_page(path, run_page._TEMPLATE, run_page._contents(runs)).read_text()
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_days_are_counted_and_what_was_kept_is_named(tmp_path: Path) -> None:
    page = shown([run_of()], tmp_path / "page.html")
    assert "A policy of 5 actions on 3 recorded days, trained on 2024-03-04 and" in page
    assert "Stages: clone, simulated and online" in page
    assert "what validation kept is behavior cloning of stage clone." in page
    assert (
        "AAA 2024-03-04 to 2024-03-05 (2 days), BBB 2024-03-05 to 2024-03-05 (1 day) and AAA "
        "thin (simulated); their hashes"
    ) in page
    assert "Dashed: teachers without exploration." in page
    runs = [run_of(1), run_of(2, "online"), run_of(3)]
    assert (
        "kept is behavior cloning of stage clone (2 seeds) and quantile dqn of stage online (1 "
        "seed)."
    ) in shown(runs, tmp_path / "page.html")


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_run_without_teachers_speaks_of_none(tmp_path: Path, seeds: int) -> None:
    runs = [run_of(seed, taught=False) for seed in range(seeds)]
    page = shown(runs, tmp_path / "page.html")
    assert "8.79 bps in validation, with 99.0 % of the orders filled." in headline(runs)
    assert "No teacher is there to compare with." in page
    assert "out/log-of-desk" in page
    for word in ("saving", "Dashed", "best teacher", "teachers are shown", "nan", "None"):
        assert word not in page, word


def test_who_leaves_shares_is_not_called_cheap() -> None:
    assert headline([run_of()]) == (
        "The best policy scores 2.10 bps better than the best teacher, ac/touch. It costs 8.79 bps "
        "in validation, against 10.95 of that."
    )
    assert headline([run_of(fill_rate=0.79)]).endswith(
        "against 10.95 of that, but what is left looks cheap: 79.0 % of the orders filled, against "
        "99.0 %."
    )
