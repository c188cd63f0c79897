"""`paceline features`: sets made, cut off, gone on with and looked into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from decision.conftest import state_of
from env.market_days import DAYS, random_day
from paceline.cli import features, main
from paceline.cli.tapes import open_tapes
from paceline.decision.actions import ActionGrid
from paceline.decision.features import features as write_features
from paceline.decision.schema import FEATURES, NAMES
from paceline.decision.store import FeatureSet
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episodes import EpisodeSettings, Pool
from paceline.errors import InputError
from paceline.market.tape import Tape

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def tapes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tapes")
    for seed, day in enumerate(DAYS[:3]):
        random_day(seed, day).save(folder / f"TINY-{day}.tape")
    return folder


@pytest.fixture
def run(tapes: Path, tmp_path: Path, capsys, monkeypatch) -> Run:
    (tmp_path / "short.yaml").write_text("horizon_s: [30, 60]\n")
    monkeypatch.setenv("COLUMNS", "120")

    def call(*words: str) -> tuple[int, str, str]:
        argv = [w.replace("TAPES", str(tapes)).replace("TMP", str(tmp_path)) for w in words]
        try:
            status = main(["features", *argv])
        except SystemExit as leaves:
            status = int(leaves.code or 0)
        return status, *capsys.readouterr()

    return call


MAKE = ("materialise", "--tape", "TAPES", "-o", "TMP/sets/one", "--orders", "5",
        "--config", "TMP/short.yaml")  # fmt: skip


def test_a_set_is_made_listed_and_shown(run: Run, tmp_path: Path) -> None:
    status, out, err = run(*MAKE)
    assert (status, err) == (0, "")
    assert "decisions of 2 days" in out, "the first only teaches"
    kept = FeatureSet.open(tmp_path / "sets" / "one")
    assert [(day.symbol, day.day) for day in kept.manifest.days] == [
        ("TINY", day) for day in DAYS[1:3]
    ]
    for day in DAYS[1:3]:
        found = kept.read("TINY", day)
        assert set(found.episode) == set(range(5))
        for episode in range(5):
            at = found.episode == episode
            assert np.all(np.diff(found.ts[at]) > 0)
            assert found.features[at][0, NAMES.index("time_left")] == pytest.approx(1.0, abs=0.01)
        assert np.all(found.mask[np.arange(len(found.ts)), found.action]), "a masked action"
        assert np.all(found.mask[:, 0])
    status, out, _ = run("list", "TMP/sets")
    assert status == 0
    assert all(one.name in out for one in FEATURES)
    assert f"{kept.manifest.rows:,}" in out
    status, out, _ = run("show", "--set", "TMP/sets/one")
    assert status == 0
    assert all(one.name in out for one in FEATURES)
    assert kept.manifest.schema
    assert "policy: random" in out
    status, out, _ = run("show", "spread", "--set", "TMP/sets/one")
    assert status == 0
    assert "best ask less best bid" in out
    counts = [int(line.split()[-1].replace(",", "")) for line in out.splitlines() if " to " in line
              and "(" not in line and "decisions" not in line]  # fmt: skip
    assert sum(counts) == np.sum(~np.isnan(kept.column("spread")))
    assert run("show", "news")[:2] == (0, "news (mood, 0 to 1): how much there is\n")


def test_a_set_holds_what_an_environment_shows(tapes: Path) -> None:
    """Held against a walk of our own, step by step, with the features made anew of each state."""
    days, grid = open_tapes([tapes]), ActionGrid()
    settings = EpisodeSettings(horizon_s=(60.0,))
    found = features.decided(days[2], days, settings, grid, 4, "hold", 9, lambda n: None)
    rng = np.random.default_rng([9, int(days[2].manifest.tape_id[:8], 16)])
    pool = Pool([days[2]], settings, seed=int(rng.integers(2**32)), taught_by=days)
    env = BatchExecutionEnv(pool, 4)
    env.reset()
    for at in range(8):
        for i in range(4):
            row = np.flatnonzero(found.episode == i)[at]
            lives, out = env.lives, np.zeros(len(NAMES), np.float32)
            write_features(state_of(env, i), out)
            np.testing.assert_array_equal(found.features[row], out)
            np.testing.assert_array_equal(found.mask[row], lives.bits[i] == 0)
            assert found.ts[row] == lives.progress["ts"][i]
            assert found.action[row] == 0
        env.step(np.zeros(4, np.int64))


def test_the_same_command_makes_the_same_set_and_another_seed_another(run: Run, tmp_path) -> None:
    one, two = ((*MAKE[:4], f"TMP/sets/{name}", *MAKE[5:]) for name in ("a", "b"))
    assert run(*one)[0] == run(*two)[0] == run(*MAKE, "--seed", "2")[0] == 0
    sets = [FeatureSet.open(tmp_path / "sets" / name) for name in ("a", "b", "one")]
    a, b, c = (kept.read("TINY", DAYS[1]) for kept in sets)
    for mine, theirs in zip(a, b, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert not np.array_equal(a.ts, c.ts)


def test_a_set_of_tapes_that_were_read_otherwise_is_another(run: Run, tapes: Path) -> None:
    assert run(*MAKE)[0] == 0
    path = tapes / f"TINY-{DAYS[0]}.tape"  # which only teaches
    tape = Tape.open(path)
    coarse = replace(tape.instrument, order_tick=5 * tape.instrument.order_tick)
    Tape(
        replace(tape.manifest, instrument=coarse), tape.events, tape.level_ticks, tape.images
    ).save(path)
    try:
        status, _, err = run(*MAKE)
    finally:
        tape.save(path)
    assert status == 2
    assert "tapes" in err


def test_cut_off_it_keeps_whole_days_and_goes_on(run: Run, tmp_path: Path, monkeypatch) -> None:
    real, days = features.decided, []

    def cut_off(tape, *rest):
        if len(days) == 1:
            raise KeyboardInterrupt
        days.append(tape.session.day)
        return real(tape, *rest)

    monkeypatch.setattr(features, "decided", cut_off)
    status, _, err = run(*MAKE)
    assert status == 130
    assert "interrupted" in err
    kept = FeatureSet.open(tmp_path / "sets" / "one")
    assert [day.day for day in kept.manifest.days] == [DAYS[1]]
    monkeypatch.setattr(features, "decided", lambda tape, *rest: (
        days.append(tape.session.day), real(tape, *rest))[1])  # fmt: skip
    assert run(*MAKE)[0] == 0
    assert days == list(DAYS[1:3]), "finished days are not made again"
    assert run(*MAKE[:4], "TMP/sets/b", *MAKE[5:])[0] == 0
    other, kept = (FeatureSet.open(tmp_path / "sets" / name) for name in ("b", "one"))
    for name in ("spread", "inventory"):
        np.testing.assert_array_equal(other.column(name), kept.column(name))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show",), "neither a feature nor --set is given"),
        (("show", "sprad"), "feature: there is no 'sprad'; did you mean spread?"),
        (("show", "--set", "TMP"), "holds no feature set"),
        ((*MAKE, "--orders", "0"), "orders: 0 is no count"),
        ((*MAKE, "--seed", "-1"), "seed: -1 is below 0"),
        ((*MAKE, "--tape", "TAPES", "TMP/copy.tape"), "TINY-2024-03-04 is given twice"),
        ((*MAKE, "--tape", "TMP/none.tape"), "none.tape"),
        ((*MAKE, "--tape", "TMP/copy.tape"), "each is the first day of its symbol"),
        ((*MAKE, "--config", "TMP/none.yaml"), "none.yaml"),
        ((*MAKE, "-o", "TMP"), "is not empty and holds no set"),
        (("list", "TMP/short.yaml"), "short.yaml is a file; give the folder of the sets"),
    ],
)
def test_bad_words_are_one_line(run: Run, tapes, tmp_path: Path, words, says) -> None:
    import shutil

    shutil.copytree(tapes / f"TINY-{DAYS[0]}.tape", tmp_path / "copy.tape")
    status, _, err = run(*words)
    assert status == 2
    assert err.count("\n") == 1
    assert says in err
    assert not (tmp_path / "sets").exists()


def test_a_run_that_failed_is_in_nobody_s_way(run: Run, tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text("horizon_s: [86400]\n")
    status, _, err = run(*MAKE, "--config", "TMP/long.yaml")
    assert status == 2
    assert "does not fit into" in err
    assert run(*MAKE)[0] == 0, "the same folder, with what is right"
    status, _, err = run(*MAKE, "--config", "TMP/long.yaml")
    assert status == 2
    assert "holds a set of other tapes or settings" in err, "days that were made are kept"


def test_a_day_whose_file_is_gone_is_named(run: Run, tmp_path: Path) -> None:
    assert run(*MAKE)[0] == 0
    kept = FeatureSet.open(tmp_path / "sets" / "one")
    next(kept.folder.rglob(f"date={DAYS[1]}/*.parquet")).unlink()
    for words in (("show",), ("show", "spread")):
        status, _, err = run(*words, "--set", "TMP/sets/one")
        assert status == 2
        assert err.count("\n") == 1
        assert f"date={DAYS[1]}" in err
        assert "decisions.parquet: is missing; make the set again" in err
    with pytest.raises(InputError, match="is missing"):
        kept.outcome("TINY", DAYS[1])
    assert run(*MAKE)[0] == 0
    assert run("show", "--set", "TMP/sets/one")[0] == 0


def test_a_set_of_another_schema_is_refused_and_listed(run: Run, monkeypatch) -> None:
    from paceline.decision import schema

    assert run(*MAKE)[0] == 0
    monkeypatch.setattr(schema, "VERSION", 99)
    for words in (MAKE, ("show", "--set", "TMP/sets/one")):
        status, _, err = run(*words)
        assert status == 2
        assert "was made for features of schema" in err
    assert "another, " in run("list", "TMP/sets")[1]
