"""A desk's child orders come back as the actions that they were, and what cannot be true is set
aside with its reason."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from env.market_days import DAYS, looked_at, random_day
from paceline.cli import main
from paceline.config import describe, load_yaml
from paceline.decision.actions import ActionGrid
from paceline.decision.decide import mean
from paceline.decision.store import FeatureSet
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episode import RUNNING
from paceline.env.episodes import EpisodeSettings, Pool
from paceline.errors import IngestError
from paceline.ingest.child_mapping import ChildOrderMapping
from paceline.ingest.child_orders import read_child_orders
from paceline.learn.behavior_cloning import logged
from paceline.learn.logbook import TRUNCATED, transitions
from paceline.learn.teachers import Teacher
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

GRID = ActionGrid(
    sizes=(0.05, 0.2, 1.0), prices=("behind_1", "touch", "take"), waits_s=(5.0,), hold_s=5.0
)
ORDERS = EpisodeSettings(horizon_s=(120.0,), participation=None)
KINDS = ("limit", "marketable", "ioc")
MAPPING = {
    "parent": "parent", "time": "sent", "side": "side", "price": "px", "size": "qty",
    "type": "tif", "types": {"DAY": "limit", "IOC": "ioc", "CXL": "ignore"},
    "parents": {"order": "id", "symbol": "ticker", "start": "begin", "end": "finish",
                "side": "side", "size": "qty"},
}  # fmt: skip
PARENT_HEAD = ["id", "ticker", "begin", "finish", "side", "qty"]
CHILD_HEAD = ["parent", "sent", "side", "px", "qty", "tif"]
N = 6


@pytest.fixture(scope="module")
def tapes(tmp_path_factory: pytest.TempPathFactory) -> list[Tape]:
    folder = tmp_path_factory.mktemp("days")
    found = []
    for seed, day in enumerate(DAYS[:3]):
        random_day(seed, day).save(folder / f"TINY-{day}.tape")
        found.append(Tape.open(folder / f"TINY-{day}.tape"))
    return found


Rows = list[list[object]]


@pytest.fixture(scope="module")
def desk(tapes: list[Tape]) -> tuple[Rows, Rows, np.ndarray, np.ndarray, np.ndarray]:
    """A teacher works orders, and its child orders are written down as a desk would: parents,
    children, and what it saw, where the time is and what it chose, for each decision."""
    tape = tapes[1]
    pool = Pool([tape], ORDERS, seed=3, taught_by=tapes)
    drawn = pool.draw(N)
    lots = np.maximum(drawn["lots"], 200)  # so that no two sizes of the grid mean the same
    episodes = pool.given(0, drawn["side"], lots, drawn["start_ts"], drawn["end_ts"])
    env = BatchExecutionEnv(pool, N, grid=GRID)
    env.reset(options={"episodes": episodes})
    teacher, dice = Teacher("ac/touch/0.1", GRID, explore=0.3), np.random.default_rng(4)
    table, going, instrument = GRID.table(), np.ones(N, bool), tape.instrument
    parents: Rows = [
        [f"P{i}", "TINY", row["start_ts"], row["end_ts"], "buy" if row["side"] > 0 else "sell",
         row["lots"]]
        for i, row in enumerate(episodes)
    ]  # fmt: skip
    children: Rows = []
    seen, where, chosen = [], [], []
    while going.any():
        ts, mask = env.lives.progress["ts"].copy(), env.action_masks()
        action = teacher.act(env.seen, mask, dice).action
        for i in np.flatnonzero(going):
            seen.append(env.seen[i].copy())
            where.append((i, ts[i]))
            chosen.append(action[i])
            if action[i] > 0:
                child = np.zeros(3, np.int64)
                mean(looked_at(env, i), table, action[i], child)
                kind, ticks, size = child.tolist()
                children.append(
                    [f"P{i}", ts[i], parents[i][4], instrument.price(ticks), size,
                     "IOC" if kind == 2 else "DAY"]
                )  # fmt: skip
        _, over = env.advance(np.where(going, action, 0))
        going &= over == RUNNING
    return parents, children, np.array(seen), np.array(where), np.array(chosen)


def written(
    folder: Path,
    of: Rows,
    sent: Rows,
    participation: float | None = None,
    **changes: object,
) -> tuple[Path, Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, head, rows in (
        ("parents.csv", PARENT_HEAD, of), ("children.csv", CHILD_HEAD, sent),
    ):  # fmt: skip
        with open(folder / name, "w", newline="") as file:
            csv.writer(file).writerows([head, *rows])
    (folder / "desk.yaml").write_text(yaml.safe_dump({**MAPPING, **changes}))
    (folder / "grid.yaml").write_text(
        yaml.safe_dump({"sizes": list(GRID.sizes), "prices": list(GRID.prices),
                        "waits_s": [5.0], "hold_s": 5.0})
    )  # fmt: skip
    (folder / "orders.yaml").write_text(yaml.safe_dump({"participation": participation}))
    return folder / "children.csv", folder / "parents.csv", folder / "desk.yaml"


def imported(tapes: list[Tape], folder: Path, of: Rows, sent: Rows, **changes: object):  # type: ignore[no-untyped-def]
    """The status of the command, and the folder of the log."""
    files = written(folder, of, sent, **changes)
    words = ["import-log", str(files[0]), "--parents", str(files[1]), "--mapping", str(files[2]),
             "--tape", str(tapes[0].path.parent), "--grid", str(folder / "grid.yaml"), "--config",
             str(folder / "orders.yaml"), "-o", str(folder / "log")]  # fmt: skip
    return main(words), folder / "log"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({0: "none.csv"}, "children: none.csv is no file; give a CSV or Parquet that is there"),
        ({2: "none.csv"}, "parents: none.csv is no file; give a CSV or Parquet that is there"),
        ({-1: "afile"}, "out: afile is a file; give a folder"),
    ],
)
def test_files_that_are_not_there_are_named(
    tapes: list[Tape], desk, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, change: dict[int, str], said: str,
) -> None:  # fmt: skip
    files = written(tmp_path, desk[0], desk[1])
    (tmp_path / "afile").write_text("mine")
    monkeypatch.chdir(tmp_path)
    words = [str(files[0]), "--parents", str(files[1]), "--mapping", str(files[2]), "--tape",
             str(tapes[0].path.parent), "-o", str(tmp_path / "log")]  # fmt: skip
    for at, word in change.items():
        words[at] = word
    assert main(["import-log", *words]) == 2
    assert capsys.readouterr().err == f"paceline import-log: {said}\n"
    assert (tmp_path / "afile").read_text() == "mine"


def aside_in(log: Path) -> list[dict[str, str]]:
    with open(log / "set-aside.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_log_written_as_child_orders_comes_back_the_same(
    tapes: list[Tape], desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parents, children, seen, where, chosen = desk
    assert len(children) > 30
    assert {row[5] for row in children} == {"DAY", "IOC"}
    status, log = imported(tapes, tmp_path, parents, children)
    assert status == 0, capsys.readouterr().err
    found = FeatureSet.open(log)
    decisions, outcome = found.read("TINY", DAYS[1]), found.outcome("TINY", DAYS[1])
    order = np.lexsort((where[:, 1], where[:, 0]))
    np.testing.assert_array_equal(decisions.episode, where[order, 0])
    np.testing.assert_array_equal(decisions.ts, where[order, 1])
    np.testing.assert_array_equal(decisions.action, chosen[order])
    np.testing.assert_array_equal(decisions.features, seen[order])
    assert np.isnan(outcome.propensity).all()
    assert (outcome.over == TRUNCATED).sum() == 0
    rows = transitions(decisions, outcome, {"is_step": 1.0}, gamma=1.0)
    assert np.isfinite(rows.reward).all()
    assert np.isnan(logged(decisions).propensity).all()
    assert aside_in(log) == []
    said = capsys.readouterr().out
    assert f"{len(children)} of them child orders ({len(children)} just as their action" in said


Change = Callable[[list[object]], list[object]]


def with_price(ticks: int) -> Change:
    return lambda row: [*row[:3], float(row[3]) + 0.01 * ticks, *row[4:]]  # type: ignore[arg-type]


BAD: dict[str, tuple[int, object, str]] = {
    "parent": (0, "P99", "names parent order 'P99', which is not there"),
    "side": (2, "hold", "has another side than its parent order"),
    "time": (1, "soon", "cannot be read"),
    "session": (1, random_day(0, DAYS[1]).session.open_ns - 1, "is outside the session"),
    "horizon": (1, random_day(0, DAYS[1]).session.open_ns + 1, "is not between start and end"),
    "number": (3, "cheap", "cannot be read"),
    "tick": (3, "50.005", "has a price off the order tick, 0.01"),
    "price": (3, "0", "has a price off the order tick"),
    "size": (4, "0", "has a size of no whole lots"),
    "fraction": (4, "1.5", "has a size of no whole lots"),
    "too much": (4, "1000000", "or larger than its parent order"),
    "type": (5, "FOK", "is of a type that the mapping does not explain"),
}


def test_what_cannot_be_true_is_set_aside_with_its_reason(
    tapes: list[Tape], desk, tmp_path: Path
) -> None:
    parents, children = desk[0], desk[1]
    rows = list(children)
    for column, value, _ in BAD.values():
        row = list(children[0])
        row[column] = value
        rows.append(row)
    rows.append(list(children[0]))  # once more
    rows.append(["P0", children[0][1], "", "", "", "CXL"])  # sends nothing
    # Not its first one: what was decided before it leads to it.
    far = [k for k, row in enumerate(children) if row[0] == "P1" and row[5] == "DAY"][2]
    away = -40 if rows[far][2] == "buy" else 40
    rows[far] = with_price(away)(rows[far])
    more = [
        ["P0b", "TINY", 1, 2, "buy", 5],
        ["", "TINY", 1, 2, "buy", 5],
        ["P0c", "TINY", 5, 2, "buy", 5],
        ["P0d", "TINY", parents[0][2], parents[0][3], "both", 5],
        ["P0e", "TINY", parents[0][2], parents[0][3], "buy", 0],
        ["P0f", "TINY", parents[0][2], parents[0][3] + 10**13, "buy", 5],
    ]
    status, log = imported(tapes, tmp_path, [*parents, *more], rows, max_bad_share=1.0)
    assert status == 0
    aside = aside_in(log)
    of_children = {int(r["row"]): r["reason"] for r in aside if r["file"] == "children.csv"}
    for k, (_, _, reason) in enumerate(BAD.values()):
        assert reason in of_children.pop(len(children) + k + 2)
    assert "same time" in of_children.pop(len(children) + len(BAD) + 2)
    assert "too far from any action" in of_children.pop(far + 2)
    late = {row for row, reason in of_children.items() if "after the replay" in reason}
    assert set(of_children) == late, "nothing else of the desk's is set aside"
    of_parents = {r["row"]: r["reason"] for r in aside if r["file"] == "parents.csv"}
    told = [of_parents[str(N + k + 2)] for k in range(len(more))]
    for reason, part in zip(
        told,
        ("none of the days worked on", "no name of its own", "ends before it starts",
         "neither buy nor sell", "not positive", "not within the session"),
        strict=True,
    ):  # fmt: skip
        assert part in reason
    # What was chosen after the row before it is not known, and nothing is learnt of it.
    outcome = FeatureSet.open(log).outcome("TINY", DAYS[1])
    assert (outcome.over == TRUNCATED).sum() == 1


def test_what_the_limits_do_not_allow_is_set_aside(tapes: list[Tape], desk, tmp_path: Path) -> None:
    parents, children = desk[0], desk[1]
    status, log = imported(
        tapes, tmp_path, parents, children, participation=1e-6, max_bad_share=1.0
    )
    assert status == 0
    assert any("masked" in row["reason"] for row in aside_in(log))
    found = FeatureSet.open(log).read("TINY", DAYS[1])
    assert found.mask[np.arange(len(found.ts)), found.action].all()


def test_a_day_with_too_many_is_refused_and_the_others_are_kept(
    tapes: list[Tape], desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parents, children = list(desk[0]), list(desk[1])
    start = tapes[2].session.open_ns + 300 * NS_PER_S
    parents.append(["Q", "TINY", start, start + 60 * NS_PER_S, "buy", 100])
    children += [["Q", start + k * NS_PER_S, "buy", "50.005", 5, "DAY"] for k in range(3)]
    status, log = imported(tapes, tmp_path, parents, children)
    err = capsys.readouterr().err
    assert status == 2
    assert f"TINY {DAYS[2]} is refused, 3 of 4 rows are bad (max_bad_share 0.05)" in err
    assert "off the order tick, 0.01, first line" in err
    assert "some days are refused (see above); the others are ready" in err
    assert [day.day for day in FeatureSet.open(log).manifest.days] == [DAYS[1]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"price": "limit"}, "mapping.price: children.csv has no column 'limit'; it has parent"),
        ({"parents": {**MAPPING["parents"], "end": "stop"}}, "mapping.parents.end: parents.csv"),
        ({"type": None}, "type: missing; name a column, or give a default_type"),
        ({"zone": "Mars"}, "zone: 'Mars' is not an IANA time zone"),
        ({"types": {"DAY": "rest"}}, "types: {'DAY': 'rest'} does not fit"),
        ({"colour": "x"}, "colour: unknown key; known are"),
        ({"price_unit": 0}, "price_unit: 0 is not positive"),
        ({"time_unit": "s"}, "mapping.time_unit: no row of parents.csv has a time in s"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused_in_one_line(
    tapes: list[Tape], desk, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes, said
) -> None:
    status, _ = imported(tapes, tmp_path, desk[0], desk[1], **changes)
    err = capsys.readouterr().err
    assert status == 2
    assert said in err
    assert err.count("\n") == 1


def test_files_of_nobody_are_refused(desk, tmp_path: Path) -> None:
    mapping = ChildOrderMapping(**MAPPING)
    files = written(tmp_path, desk[0], [["X", desk[1][0][1], "buy", 1, 1, "DAY"]] * 30)
    with pytest.raises(IngestError, match=r"both are refused, 30 of 36 rows are bad"):
        read_child_orders(files[0], files[1], mapping)
    empty = written(tmp_path, desk[0], [])
    with pytest.raises(IngestError, match=r"children\.csv has no rows"):
        read_child_orders(empty[0], empty[1], mapping)


def test_the_example_of_the_page_is_read_as_it_stands(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "child_orders.md").read_text()
    blocks = re.findall(r"```(csv|yaml)\n(.*?)```", page, flags=re.DOTALL)
    names = ("parents.csv", "children.csv", "desk.yaml")
    for name, (_, text) in zip(names, blocks, strict=False):
        (tmp_path / name).write_text(text)
    mapping = load_yaml(tmp_path / "desk.yaml", ChildOrderMapping)
    found = read_child_orders(tmp_path / "children.csv", tmp_path / "parents.csv", mapping)
    assert (found.rows, found.aside) == (8, [])
    fields = {row.path.partition(".")[0] for row in describe(ChildOrderMapping)}
    assert fields <= set(re.findall(r"`([a-z_]+)`", page))
