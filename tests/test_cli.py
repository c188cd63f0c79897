"""The command line: what works, what is refused in one line, and what `--help` teaches."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine import flows
from ingest.plain import NAME, random_day
from paceline import __version__, cli
from paceline.cli import main
from paceline.cli.import_log import _write_aside as write_aside
from paceline.errors import PacelineError
from paceline.ingest.child_orders import Aside
from paceline.market import events as ev
from paceline.market.session import Session
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_S

VERBS = (
    "demo", "ingest", "inspect", "backtest", "compare", "calibrate", "realism", "stress",
    "features", "schema",
)  # fmt: skip
DAYS = ("2024-03-04", "2024-03-05")


def tiny_tape(day: str, seed: int) -> Tape:
    """Twenty minutes of a small random market."""
    steps = [step for step in flows.random_steps(seed, 1400) if not 92 <= step[1] < 96]
    rows = flows.market(steps, "L3")
    session = Session.of(day, "America/New_York", 34_200, 35_400)
    ts = session.open_ns + (rows.ts - flows.START) * NS_PER_S
    inside = ts < session.close_ns
    rows = ev.Rows(*(column[inside] for column in rows._replace(ts=ts)))
    return Tape.compile(
        rows, Instrument(symbol="TINY", book_tick="0.01", order_tick="0.01"), session
    )


@pytest.fixture(scope="session")
def tapes(tmp_path_factory) -> Path:
    """A folder of two tapes."""
    folder = tmp_path_factory.mktemp("tapes")
    for seed, day in enumerate(DAYS):
        tiny_tape(day, seed).save(folder / f"TINY-{day}.tape")
    return folder


@pytest.fixture
def run(tapes, tmp_path, capsys):
    """Run `paceline WORDS`; returns (status, stdout, stderr). `TAPES` and `TMP` are replaced."""

    def call(*words: str) -> tuple[int, str, str]:
        at = {"TAPES": str(tapes), "TMP": str(tmp_path)}
        argv = [word.replace("TAPES", at["TAPES"]).replace("TMP", at["TMP"]) for word in words]
        try:
            status = main(argv)
        except SystemExit as leaves:
            status = leaves.code
        return status, *capsys.readouterr()

    return call


BACKTEST = ("backtest", "--tape", "TAPES", "-o", "TMP/out", "--orders", "6", "--jobs", "1",
            "--horizon", "3m", "--slices", "4")  # fmt: skip
SMALL = ("--qty", "9")
GIVEN = ("backtest", "--tape", "TAPES", "-o", "TMP/out", "--jobs", "1", "--slices", "4",
         "--order", "TMP/order.json")  # fmt: skip


def refuses(run, *words: str) -> str:
    """The one line with which `paceline WORDS` is refused."""
    status, out, err = run(*words)
    assert status == 2, (out, err)
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.endswith("\n")
    assert err.startswith("paceline")
    assert "Traceback" not in err
    return err.strip()


# --- help -------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_help_teaches_with_an_example(run, verb):
    status, out, _ = run(verb, "--help")
    assert status == 0
    assert f"  paceline {verb}" in out.split("example", 1)[1]


def test_help_names_every_verb_and_where_to_start(run):
    status, out, _ = run("--help")
    assert status == 0
    assert all(verb in out for verb in VERBS)
    assert "paceline demo" in out
    assert run("--version") == (0, f"paceline {__version__}\n", "")


def test_help_of_a_backtest_explains_every_setting(run):
    from paceline.config import describe
    from paceline.evaluate.settings import BacktestSettings

    text = " ".join(run("backtest", "--help")[1].split())
    for row in describe(BacktestSettings):
        flag = "--" + row.path.removesuffix("_s").replace("_", "-")
        assert flag in text
        assert " ".join(row.sentence.rstrip(".").split()) in text


def test_examples_of_the_help_are_understood():
    """Every example line of every verb parses."""
    import shlex

    parser = cli.build_parser()
    examples: dict[str, list[str]] = {verb: [] for verb in VERBS}
    for verb in VERBS:
        text = parser._subparsers._group_actions[0].choices[verb].epilog.replace("\\\n", " ")
        for line in text.splitlines():
            if line.startswith("  paceline "):
                words = shlex.split(line.split(">")[0])[1:]
                examples[verb].append(parser.parse_args(words).verb)  # it may go on with another
    assert all(verb in shown for verb, shown in examples.items())


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--policy", "twop"), "policy: 'twop'; write SCHEDULE"),
        (("--policy", "ac,ac"), "name each one once"),
        (("--policy", ","), "at least one"),
        (("--policy", "twap/touch+.s"), "policy: 'twap/touch+.s'"),
        (("--horizon", "soon"), "horizon: 'soon' is not a time; write 500ms, 30s, 15m or 2h"),
        (("--horizon", "1.2.3s"), "horizon: '1.2.3s' is not a time"),
        (("--horizon", "0"), "horizon_s: 0.0 does not fit"),
        (("--horizon", "9h"), "horizon: 32400 s does not fit into TINY-2024-03-04"),
        (("--horizon", "9" * 30 + "h"), "horizon_s"),
        (("--orders", "many"), "orders: 'many' does not fit"),
        (("--orders", "0"), "orders: 0 does not fit"),
        (("--examples", "-1"), "'-1' is no count"),
        (("--taker-fee", "1e300"), "taker_fee: 1e+300 does not fit; give a number from -1e+06 up"),
        (("--orders", "1.5"), "orders: 1.5 does not fit"),
        (("--orders", "9" * 15), "orders: "),
        (("--pov-rate", "nan"), "pov_rate: nan is not finite"),
        (("--pov-rate", "1"), "pov_rate: 1 does not fit"),
        (("--qty", "9", "--qty-adv", "0.1"), "qty: 9.0, qty_adv: 0.1, qty_volume: None; give"),
        (("--qty", "-9"), "qty"),
        (("--qty", "1.5"), "qty: 1.5 is not a multiple of 1"),
        (("--fill-model", "lucky"), "fill_model: 'lucky' does not fit"),
        (("--finish", "never"), "finish: 'never'"),
        (("--submit-ms", "1e300"), "submit_ms: 1e+300 does not fit"),
        (("--latency-sample", "TMP/none"), "latency_sample: "),
        (("--collar-bps", "1e300"), "collar_bps: 1e+300 does not fit"),
        (("--participation-window", "9999999h"), "participation_window_s: "),
        (("--trade-from", "tomorrow"), "trade_from: 'tomorrow' is not a date; write YYYY-MM-DD"),
        (("--trade-from", "2024-3-4"), "trade_from: '2024-3-4' is not a date"),
        (("--trade-from", "2025-01-01"), "trade_from: no tape is of 2025-01-01 or later"),
        (("--jobs", "-1"), "jobs: -1"),
        (("--jobs", "two"), "argument --jobs: invalid int value: 'two'; see `paceline backtest"),
        (("--no-such-flag", "1"), "unrecognized arguments: --no-such-flag 1; see `paceline"),
        (("--config", "TMP/none.yaml"), "none.yaml: No such file"),
        (("--order", "TMP/none.json"), "order: "),
        (("--tape", "TMP/none"), "tape: "),
        (("--risk-aversion", "-1", "--policy", "ac"), "risk_aversion"),
    ],
)
def test_a_bad_argument_is_one_line(run, words, says):
    assert says in refuses(run, *BACKTEST, *words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "the following arguments are required: VERB; see `paceline --help`"),
        (
            ("backtset",),
            "invalid choice: 'backtset'; did you mean backtest?; see `paceline --help`",
        ),
        (("features", "lst"), "invalid choice: 'lst'; did you mean list?; see `paceline features"),
        (
            ("backtest", "--tape", "a", "--polcy", "ac"),
            "--polcy ac; did you mean --policy?; see `p",
        ),
        (("train", "--vlidation=x"), "--vlidation=x; did you mean --validation?; see `paceline tr"),
        (("features", "list", "--polcy"), "--polcy; see `paceline features list --help`"),
        (("backtest",), "one of the arguments --tape --market is required"),
        (("inspect", "TMP/none"), "is not there; give a tape or a folder of tapes that"),
        (("inspect", "TAPES", "--plot", "a.png"), "plot: a.png is one file for 2 tapes"),
        (("ingest", "TMP/none", "-o", "TMP/out"), "none"),
        (("ingest", "TMP", "-o", "TMP/out"), "paceline ingest: "),
        (("demo", "--data", "TMP/none", "--out", "TMP/out"), "data: "),
        (("demo", "--orders", "-3", "--out", "TMP/out"), "orders: -3 does not fit"),
    ],
)
def test_other_verbs_refuse_in_one_line_too(run, words, says):
    assert says in refuses(run, *words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("backtest", "--market", "default", "--days", "9" * 12), "days: 999999999999 is too much"),
        (("backtest", "--tape", "TAPES", "--jobs", "1000000"), "jobs: 1000000 is too much"),
        (("backtest", "--tape", "TAPES", "--examples", "9" * 9), "examples: 999999999 is too much"),
        (
            ("backtest", "--tape", "TAPES", "--orders", "1000000", "--slices", "10000"),
            "slices: 10000 for each of 1,000,000 orders need 80 GB for each policy; give fewer",
        ),
        (("backtest", "--tape", "TAPES", "--orders", "9" * 400), "orders: "),
        (("backtest", "--tape", "TAPES", "--seed", "9" * 30), "seed: 99999999999999999"),
        (("compare", "--tape", "TAPES", "--seed", "9" * 30), "seed: 99999999999999999"),
        (("compare", "--tape", "TAPES", "--jobs", "9" * 12), "jobs: 999999999999 is too much"),
        (("compare", "--tape", "TAPES", "--tune-orders", "9" * 12), "tune_orders: 999999999999 is"),
        (("realism", "--market", "default", "--tape", "TAPES", "--days", "9" * 9), "days: 9999"),
        (("demo", "--seed", "9" * 30), "seed: 999999999999999999999999999999 is too much"),
        (("demo", "--orders", "9" * 12), "orders: "),
        (("train", "demo", "--seeds", "9" * 9), "seeds: 999999999 is too much"),
        (("log", "--market", "default", "--orders", "9" * 12), "orders: 999999999999 is too much"),
        (("stress", "halt", "--market", "default", "--seed", "9" * 30), "seed: 99999999999999999"),
    ],
)  # fmt: skip
def test_what_would_need_gigabytes_or_years_is_refused_at_once(run, words, says):
    began = time.process_time()
    assert says in refuses(run, *words)
    assert time.process_time() - began < 5.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cancel_per_s: 1.0e-6", "cancel_per_s: 1e-06 lets 2e+06 orders rest"),
        ("limit_bid_per_s: 1.0e+6\ncancel_per_s: 1000", "limit_bid_per_s: all orders together are"),
        ("tick: 1.0e-9", "tick: 1e-09 makes"),
        ("tick: .nan", "tick: nan is not finite"),
        ("day: [.inf]", "day[0]: inf is not finite"),
        ("tick: true", "tick: True does not fit; give a number"),
        ("round_lot: " + "9" * 5000, "line 1: a number of 5,000 characters"),
        ("round_lot: " + "9" * 30, "round_lot: 999999999999999999999999999999 is out of range"),
        ("open_s: 0\nclose_s: 1.0e+9", "close_s: 1000000000.0 does not fit"),
        ("metaorders: {at_work: 1000000}", "metaorders.at_work: 1000000 does not fit"),
    ],
)
def test_a_market_that_is_too_large_is_refused_at_once(run, tmp_path, text, says):
    (tmp_path / "m.yaml").write_text(text)
    began = time.process_time()
    assert says in refuses(run, "stress", "halt", "--market", "TMP/m.yaml")
    assert time.process_time() - began < 5.0


def test_a_cell_that_a_spreadsheet_would_run_is_text(tmp_path):
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "plain", "a=b", ""]
    rows = [Aside("c.csv", k, text, "no order", False) for k, text in enumerate(texts)]
    write_aside(tmp_path / "aside.csv", [("BRK=B", "2024-03-04", row) for row in rows])
    with open(tmp_path / "aside.csv", newline="") as file:
        found = list(csv.DictReader(file))
    wanted = ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", "plain", "a=b", ""]
    assert [row["text"] for row in found] == wanted
    assert [row["row"] for row in found] == [str(k) for k in range(len(texts))]


def test_memory_that_is_not_there_is_one_line(run, monkeypatch):
    def fails(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr("paceline.market.portrait.portrait_of", fails)
    assert "memory: what was asked for needs more than" in refuses(run, "inspect", "TAPES")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ordres: 5", "ordres: unknown key; did you mean orders?"),
        ("orders: [5", "give valid YAML"),
        ("orders: 5\norders: 6", "orders: given twice"),
        ("horizon_s: 30m", "horizon_s: '30m' does not fit"),
        ("- 5", "is not a group"),
        ("\x00", "line 1, column 1: a NUL is not text"),
    ],
)
def test_a_bad_config_is_one_line(run, tmp_path, text, says):
    (tmp_path / "bad.yaml").write_text(text)
    assert says in refuses(run, *BACKTEST, "--config", "TMP/bad.yaml")


def parent(**fields) -> dict:
    start = tiny_open() + 300 * NS_PER_S
    order = {
        "order_id": "mine", "symbol": "TINY", "side": "buy", "qty": 12, "arrival_px": 1.055,
        "start_ts": start, "end_ts": start + 300 * NS_PER_S,
        "constraints": {"participation": 0.5, "price_band_bps": 500.0, "child_max": 5},
    }  # fmt: skip
    return {**order, **fields}


def tiny_open() -> int:
    return Session.of(DAYS[1], "America/New_York", 34_200, 35_400).open_ns


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (parent(qty=-5), "parent.qty: -5"),
        (parent(qty=True), "parent.qty: True"),
        (parent(qty=1.5), "parent.qty: 1.5"),
        (parent(side="up"), "parent.side: 'up'"),
        (parent(sdie="buy"), "parent.sdie: unknown field; did you mean side?"),
        (parent(quantity=5), "parent.quantity: unknown field; did you mean qty?"),
        (parent(start_ts=1709562900_000), "parent.start_ts: 1709562900000 could be milliseconds"),
        (parent(arrival_px=0.5), "parent.arrival_px: 0.5 of order 'mine' is -5"),
        (parent(arrival_px=20), "parent.arrival_px: 20 of order 'mine' is +18"),
        (parent(symbol="ELSE"), "parent.symbol: 'ELSE' of order 'mine' is on none of the tapes"),
        (parent(symbol=["TINY"]), "parent.symbol"),
        (parent(arrival_px=1.0533), "parent.arrival_px: 1.0533"),
        (parent(start_ts=0), "parent."),
        (
            [parent(), parent(order_id="b", start_ts=1693564800, end_ts=1693568400)],
            "parent.start_ts: 2023-09-01T10:40:00Z of order 'b' (TINY) lies in no session",
        ),
        ([], "orders: none"),
        (["nothing"], "parent: 'nothing' is not an object"),
        (7, "parent: 7 is not an object"),
        ({}, "parent.order_id: missing"),
    ],
)
def test_a_bad_order_is_one_line(run, tmp_path, content, says):
    (tmp_path / "order.json").write_text(json.dumps(content))
    assert says in refuses(run, *GIVEN)


def test_what_an_order_brings_is_not_asked_for_beside_it(run, tmp_path):
    (tmp_path / "order.json").write_text(json.dumps(parent()))
    line = refuses(run, *GIVEN, "--price-band-bps", "50")
    assert "price_band_bps: 50.0 is for orders that are drawn" in line
    assert run(*GIVEN)[0] == 0
    saved = pq.read_table(tmp_path / "out" / "parents.parquet").to_pydict()
    assert saved["order_id"] == ["mine"]


def test_an_order_that_is_no_json_is_one_line(run, tmp_path):
    (tmp_path / "order.json").write_bytes(b"\xff{")
    assert "order.json: line 1, column 1: byte 0xff is not UTF-8" in refuses(run, *GIVEN)


@pytest.mark.parametrize("file", ["manifest.json", "events.arrow", "levels.arrow", "images.arrow"])
@pytest.mark.parametrize("harm", ["cut", "empty", "garbage", "gone"])
def test_a_damaged_tape_is_one_line(run, tmp_path, file, harm):
    folder = tmp_path / "TINY-2024-03-04.tape"
    tiny_tape(DAYS[0], 0).save(folder)
    whole = (folder / file).read_bytes()
    harmed = {"cut": whole[: len(whole) // 2], "empty": b"", "garbage": b"\x93NUMPY" * 99}
    if harm == "gone":
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(harmed[harm])
    line = refuses(run, "backtest", "--tape", str(folder), "-o", "TMP/out")
    assert "TINY-2024-03-04.tape" in line


def test_a_folder_that_cannot_be_written_is_known_before_the_work(run, tmp_path, monkeypatch):
    (tmp_path / "out").write_text("a file")
    monkeypatch.setattr("paceline.evaluate.backtest.backtest", None)
    assert f"out: {tmp_path}/out is a file; give a folder" in refuses(run, *BACKTEST, *SMALL)


@pytest.mark.parametrize(
    "words",
    [
        (*BACKTEST, *SMALL),
        ("compare", "--tape", "TAPES", "--policies", "ac,twap", "-o", "TMP/out"),
        ("log", "--tape", "TAPES", "--teachers", "random", "--orders", "2", "-o", "TMP/out"),
        ("features", "materialise", "--tape", "TAPES", "--orders", "2", "-o", "TMP/out"),
        ("realism", "--market", "default", "--tape", "TAPES", "-o", "TMP/out"),
        ("train", "demo", "-o", "TMP/out"),
    ],
    ids=lambda words: words[0],
)
def test_a_folder_that_another_process_writes_to_is_refused_at_once(run, tmp_path, words):
    program = f"""
import sys
from paceline.files.alone import alone_in
with alone_in({str(tmp_path / "out")!r}):
    print("held", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        line = refuses(run, *words)
        other.stdin.close()
    assert "another process is writing there; wait until it has ended" in line
    assert not any(path.name != ".paceline-lock" for path in (tmp_path / "out").glob("*"))


# --- how it ends ------------------------------------------------------------------------------


def test_an_interrupt_is_130(run, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("paceline.market.portrait.portrait_of", interrupted)
    status, _, err = run("inspect", "TAPES")
    assert status == 130
    assert err.count("\n") == 1
    assert "interrupted" in err
    monkeypatch.setattr("paceline.evaluate.backtest.work_all", interrupted)
    assert run(*BACKTEST, *SMALL)[0] == 130


def test_a_message_of_many_lines_becomes_one(run, monkeypatch):
    def fails(*args, **kwargs):
        raise PacelineError("first\n  second")

    monkeypatch.setattr("paceline.market.portrait.portrait_of", fails)
    assert refuses(run, "inspect", "TAPES") == "paceline inspect: first second"


def test_a_fault_of_our_own_is_not_hidden(run, monkeypatch):
    """No traceback for what users do; for what we do, one they can send us."""

    def fails(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr("paceline.market.portrait.portrait_of", fails)
    with pytest.raises(ZeroDivisionError):
        run("inspect", "TAPES")


def test_a_reader_who_has_seen_enough_is_no_error(tapes):
    command = f"{sys.executable} -m paceline schema | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environ())
    assert (done.returncode, done.stderr) == (0, "")


def environ() -> dict[str, str]:
    source = str(Path(cli.__file__).parents[2])
    return {**os.environ, "PYTHONPATH": source}


@pytest.mark.parametrize("words", [["--help"], ["backtest", "--help"], ["schema"]])
def test_a_process_of_its_own_starts_light(words):
    """Help and schema come without a compiler, without tables and without plots."""
    code = (
        "import sys; from paceline.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'numba', 'pyarrow', 'matplotlib', 'jinja2', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env=environ()
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_a_mistake_in_a_process_of_its_own():
    done = subprocess.run(
        [sys.executable, "-m", "paceline", "backtest", "--tape", "/nowhere"],
        capture_output=True, text=True, env=environ(), cwd="/",
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("paceline backtest: tape: /nowhere is not there")
    assert done.stderr.count("\n") == 1


# --- what works -------------------------------------------------------------------------------


def test_from_raw_files_to_a_report(run, tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / NAME.format(part="message", levels=1)).write_text(random_day(3, 2500).messages())
    status, out, err = run("ingest", "TMP/raw", "-o", "TMP/tapes")
    assert (status, err) == (0, "")
    assert "1 made, 0 up to date" in out
    assert "0 made, 1 up to date" in run("ingest", "TMP/raw", "-o", "TMP/tapes")[1]
    [tape] = (tmp_path / "tapes").glob("*.tape")

    status, out, err = run("inspect", str(tape))
    assert (status, err) == (0, "")
    assert "TEST" in out
    manifest = json.loads(run("inspect", str(tape), "--json")[1])
    assert manifest["instrument"]["symbol"] == "TEST"
    assert run("inspect", str(tape), "--plot", "TMP/day.svg")[0] == 0
    assert (tmp_path / "day.svg").stat().st_size > 1000
    assert "does not end in one of .png" in refuses(run, "inspect", str(tape), "--plot", "a.doc")

    words = ("--tape", str(tape), "-o", "TMP/out", "--horizon", "5m", "--orders", "4")
    status, out, err = run("backtest", *words, "--policy", "ac,twap/cross", "--examples", "1")
    assert (status, err) == (0, "")
    assert (tmp_path / "out" / "report.html").exists()
    saved = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert saved["settings"]["qty_adv"] == 0.02, "the size of an order that names none"
    assert saved["tapes"] == [{"name": tape.stem, "tape_id": manifest["tape_id"]}]


def test_a_backtest_writes_results_and_a_report(run, tmp_path):
    status, out, err = run(*BACKTEST, *SMALL, "--policy", "twap/cross, ac ,pov", "--fill-model",
                           "band", "--trade-from", DAYS[1], "--examples", "1")  # fmt: skip
    assert (status, err) == (0, "")
    assert str(tmp_path / "out" / "report.html") in out.replace("\n", "")
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
    orders = pq.read_table(tmp_path / "out" / "orders.parquet")
    assert orders.num_rows == 6 * 3 * 3
    assert set(orders["policy"].to_pylist()) == {"twap/cross", "ac", "pov"}
    assert set(orders["tape"].to_pylist()) == {f"TINY-{DAYS[1]}"}
    saved = json.loads((tmp_path / "out" / "summary.json").read_text())["settings"]
    assert (saved["horizon_s"], saved["slices"], saved["qty"]) == (180.0, 4, 9.0)


def test_a_backtest_in_a_market_that_answers(run, tmp_path):
    (tmp_path / "m.yaml").write_text("symbol: CALM\nclose_s: 36000\n")
    words = ("backtest", "--market", "TMP/m.yaml", "--days", "2", "-o", "TMP/out", "--orders", "4",
             "--horizon", "3m", "--slices", "3", "--policy", "twap", "--examples", "1")  # fmt: skip
    status, out, err = run(*words)
    assert (status, err) == (0, "")
    assert "a simulated market of its" in out
    orders = pq.read_table(tmp_path / "out" / "orders.parquet")
    assert set(orders["tape"].to_pylist()) == {"CALM-2024-01-02", "CALM-2024-01-03"}
    status, _, err = run("backtest", "--tape", "TAPES", "--days", "2", "-o", "TMP/out")
    assert status != 0
    assert err.strip().endswith("days: 2 are of --market; leave them out with --tape")


def test_flags_win_over_the_config(run, tmp_path):
    (tmp_path / "c.yaml").write_text("horizon_s: 120\nslices: 3\nqty_volume: 0.2\norders: 2\n")
    words = ("backtest", "--tape", "TAPES", "-o", "TMP/out", "--config", "TMP/c.yaml", "--slices",
             "5", "--policy", "twap", "--examples", "0")  # fmt: skip
    status, _, err = run(*words)
    assert (status, err) == (0, "")
    saved = json.loads((tmp_path / "out" / "summary.json").read_text())["settings"]
    chosen = {name: saved[name] for name in ("horizon_s", "slices", "qty_volume", "orders")}
    assert chosen == {"horizon_s": 120.0, "slices": 5, "qty_volume": 0.2, "orders": 2}
    assert saved["qty_adv"] is None


def test_an_order_of_ones_own_is_worked(run, tmp_path):
    (tmp_path / "order.json").write_text(json.dumps(parent()))
    status, _, err = run("backtest", "--tape", "TAPES", "-o", "TMP/out", "--policy", "twap,ac",
                         "--order", "TMP/order.json", "--examples", "1")  # fmt: skip
    assert (status, err) == (0, "")
    parents = pq.read_table(tmp_path / "out" / "parents.parquet")
    assert parents["qty"].to_pylist() == [12.0]
    assert parents["start_ts"].to_pylist() == [parent()["start_ts"]]
    children = pq.read_table(tmp_path / "out" / "children.parquet")
    assert np.all(np.array(children["qty"]) <= 5)


def test_orders_of_a_csv_are_worked_under_the_limits_of_the_command(run, tmp_path):
    order = parent(arrival_px=1.15)
    row = {k: v for k, v in order.items() if k != "constraints"} | {"child_max": 5}
    start = "2024-03-05T09:35:00-05:00"
    assert datetime.fromisoformat(start).timestamp() * 10**9 == order["start_ts"]
    row |= {"start_ts": start, "end_ts": order["end_ts"] // 10**9}
    text = ",".join(row) + "\n" + ",".join(map(str, row.values())) + "\n"
    (tmp_path / "orders.csv").write_text(text)
    words = ("backtest", "--tape", "TAPES", "-o", "TMP/out", "--policy", "twap", "--jobs", "1",
             "--order", "TMP/orders.csv", "--examples", "1", "--slices", "4")  # fmt: skip
    status, out, err = run(*words, "--participation", "0.25")
    assert (status, err) == (0, "")
    said = " ".join(out.split())
    assert "The order says no participation: --participation 0.25 holds." in said
    assert "says no price_band_bps, and neither does --price-band-bps: there is no such" in said
    assert "order 'mine' names an arrival_px of 1.15, but the mid at its start is 1.0" in said
    assert "more than the spread of 0.0" in said
    saved = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert any("--participation 0.25 holds" in note for note in saved["notes"])
    parents = pq.read_table(tmp_path / "out" / "parents.parquet")
    assert parents["start_ts"].to_pylist() == [order["start_ts"]]
    assert parents["end_ts"].to_pylist() == [order["end_ts"]]
    # A limit that every order brings of its own is not asked for beside it.
    assert "child_max: 5.0 is for orders that are drawn" in refuses(run, *words, "--child-max", "5")


def test_a_key_of_a_config_may_be_spelt_as_its_flag(run, tmp_path):
    text = "horizon: 3m\nprice-band-bps: 500\nslices: 3\nqty: 9\norders: 2\n"
    (tmp_path / "c.yaml").write_text(text)
    words = ("backtest", "--tape", "TAPES", "-o", "TMP/out", "--config", "TMP/c.yaml", "--policy",
             "twap", "--examples", "0", "--jobs", "1")  # fmt: skip
    status, _, err = run(*words)
    assert (status, err) == (0, "")
    saved = json.loads((tmp_path / "out" / "summary.json").read_text())["settings"]
    assert (saved["horizon_s"], saved["price_band_bps"]) == (180.0, 500.0)
    (tmp_path / "c.yaml").write_text("horizon: 3m\nhorizon_s: 60\n")
    line = refuses(run, *words)
    assert "horizon_s: is horizon_s, which is given too; give one of them" in line


def test_the_schema_is_json(run):
    status, out, _ = run("schema")
    assert status == 0
    assert "ParentOrder" in json.dumps(json.loads(out))
