"""Recorded days, held against what the venues themselves say about them."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from numpy.typing import NDArray

from paceline.ingest import binance, ingest, load
from paceline.market.events import CLEAR, CROSS, EXECUTE, HIDDEN, KIND_NAMES, SEED, TRADE, UNSEEN
from paceline.market.tape import Tape

pytestmark = pytest.mark.recorded

NO_PRICE = 9_999_999_999


def shown_levels(tape: Tape, levels: int) -> NDArray[np.int64]:
    """Orderbook rows `[n_messages, 4 * levels]` from the tape's events alone, in plain Python."""
    e = tape.events
    unit = int(tape.instrument.book_tick * 10_000)
    price = (tape.level_ticks * unit).tolist()
    lots: tuple[dict[int, int], dict[int, int]] = ({}, {})  # by level; asks, bids
    rows: list[list[int]] = []
    started = False
    adds = ("add", "seed")

    def picture() -> list[int]:
        row = [0] * (4 * levels)
        for first, book, sign in ((0, lots[0], 1), (2, lots[1], -1)):
            best = sorted(book, reverse=sign < 0)[:levels]
            for k in range(levels):
                row[4 * k + first] = price[best[k]] if k < len(best) else sign * NO_PRICE
                row[4 * k + first + 1] = book[best[k]] if k < len(best) else 0
        return row

    takes = ("reduce", "delete", "execute", "unseen")
    columns = (e.kind.tolist(), e.side.tolist(), e.level.tolist(), e.qty.tolist())
    for kind, side, level, qty in zip(*columns, strict=True):
        name = KIND_NAMES[kind]
        if kind not in (SEED, UNSEEN):  # the next message: what stands is what the last one left
            if started:
                rows.append(picture())
            started = True
        book = lots[0 if side < 0 else 1]
        if name in adds:
            book[level] = book.get(level, 0) + qty
        elif name in takes:
            book[level] -= qty
            if book[level] == 0:
                del book[level]
    rows.append(picture())
    return np.array(rows, np.int64)


@pytest.mark.parametrize(("symbol", "levels"), [("AMZN", 5), ("AAPL", 1)])
def test_the_book_is_lobsters_at_every_row(recorded: Path, symbol: str, levels: int) -> None:
    path = recorded / "lobster-2012" / f"LOBSTER_SampleFile_{symbol}_2012-06-21_{levels}.zip"
    tape = load(path)
    quality = tape.manifest.quality
    assert quality.findings["orderbook_mismatch"].count == 0
    assert quality.findings["crossed_book"].count == 0
    assert tape.quarantine.num_rows == 0
    with ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if "orderbook" in n)
        truth = np.loadtxt(archive.open(name), np.int64, delimiter=",")
    np.testing.assert_array_equal(shown_levels(tape, levels), truth)


def test_every_day_of_2003(recorded: Path, tmp_path: Path) -> None:
    made = ingest(recorded / "lobster-2003", tmp_path)
    assert not made.failed
    assert len(made) == 100
    for path in made:
        tape = Tape.open(path)
        quality = tape.manifest.quality
        clean = ("over_execution", "over_cancel", "duplicate_order", "other_price", "other_side",
                 "crossed_book", "locked_book", "crossed_in_warmup", "unparsable",
                 "time_backwards", "negative_depth")  # fmt: skip
        assert {name: quality.findings[name].count for name in clean} == dict.fromkeys(clean, 0)
        strangers = quality.findings["unknown_order"].count
        executed = quality.findings["unknown_order_executed"].count
        assert quality.rows_quarantined == strangers
        assert strangers + executed < 0.04 * quality.rows_read
        assert len(tape) == quality.rows_read - strangers
        holiday = tape.session.day == "2003-02-17"
        assert quality.short_session == holiday
        assert quality.warmup_end_ts is not None
        assert quality.warmup_end_ts < tape.session.open_ns + 1200 * 10**9


def test_databento_counts_volume_once(recorded: Path) -> None:
    """What the Trades say in all, is what the tape's executions say; auctions apart."""
    dbn = pytest.importorskip("databento_dbn")
    folder = recorded / "databento"
    for path in sorted(folder.glob("*.dbn.zst")):
        decoder = dbn.DBNDecoder(compression=dbn.Compression.ZSTD)
        decoder.write(path.read_bytes())
        trades = [r for r in decoder.decode() if getattr(r, "action", None) == dbn.Action.TRADE]
        tape = load(path)
        sided = sum(r.size for r in trades if r.side != dbn.Side.NONE)
        e = tape.events
        assert int(e.volume[-1]) == sided
        assert int(e.qty[e.kind == CROSS].sum()) == sum(r.size for r in trades) - sided
        assert tape.quarantine.num_rows == 0
        assert tape.manifest.quality.findings["crossed_book"].count == 0
        assert str(tape.instrument.book_tick) == "0.25"


@pytest.mark.parametrize("name", ["btcusdt_20230404.dat.gz", "btcusdt_20240719.gz",
                                  "btcusdt_20240808.gz"])  # fmt: skip
def test_binance_tickers_agree_with_the_depth(recorded: Path, name: str) -> None:
    tape = load(recorded / "binance" / name)
    findings = tape.manifest.quality.findings
    for clean in ("ticker_contradicted", "sequence_gap", "crossed_book", "locked_book",
                  "unparsable", "time_moved"):  # fmt: skip
        assert findings[clean].count == 0, clean
    e = tape.events
    assert not np.isin(e.kind, (EXECUTE, HIDDEN)).any()
    assert int(e.qty[e.kind == TRADE].astype(np.int64).sum()) == int(e.volume[-1])
    assert int(np.count_nonzero(e.kind == CLEAR)) == findings["snapshot"].count


def test_a_binance_day_goes_on_with_the_book_of_the_one_before(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Best prices through both days are those of the capture in one piece."""
    path = recorded / "binance" / "btcusdt_20240808.gz"
    whole = load(path)
    assert whole.manifest.quality.findings["over_midnight"].count > 0
    monkeypatch.setattr(binance, "_TOUCH_NS", 0)  # it ends a second after midnight
    binance._stream.cache_clear()
    binance._parts.cache_clear()
    first, second = [Tape.open(tape) for tape in ingest(path, tmp_path)]
    own = second.events.kind != SEED
    for touch in (Tape.bid_ticks, Tape.ask_ticks):
        np.testing.assert_array_equal(
            np.concatenate([touch(first), touch(second)[own]]), touch(whole)
        )
    binance._stream.cache_clear()
    binance._parts.cache_clear()


def test_masked_sides_of_hidden_executions_are_found(recorded: Path, tmp_path: Path) -> None:
    """AMZN 2012 has true sides; with all of them written as 1, as after 2014, none is believed."""
    archive = recorded / "lobster-2012" / "LOBSTER_SampleFile_AMZN_2012-06-21_5.zip"
    true = load(archive)
    assert true.manifest.quality.findings["hidden_side_masked"].count == 0
    with ZipFile(archive) as members:
        (name,) = (m for m in members.namelist() if "message" in m)
        rows = [line.split(",") for line in members.read(name).decode().split()]
        (shown,) = (m for m in members.namelist() if "orderbook" in m)
        (tmp_path / shown).write_bytes(members.read(shown))
    masked = [",".join([*row[:5], "1" if row[1] == "5" else row[5]]) for row in rows]
    (tmp_path / name).write_text("\n".join(masked) + "\n")
    tape = load(tmp_path)
    hidden = tape.events.kind == HIDDEN
    assert tape.manifest.quality.findings["hidden_side_masked"].count == int(hidden.sum()) == 2445
    assert int(np.count_nonzero(tape.events.side[hidden])) <= 2
    assert int(tape.events.volume[-1]) == int(true.events.volume[-1])
    assert np.array_equal(tape.events.side[~hidden], true.events.side[~hidden])


def test_no_recorded_print_is_doubted(recorded: Path) -> None:
    """On these days nothing trades far from the market, and sides are true."""
    for name in ("lobster-2003/IBM", "binance"):
        for path in sorted((recorded / name).iterdir())[:3]:
            findings = load(path).manifest.quality.findings
            assert findings["far_print"].count == findings["auction_execution"].count == 0
            assert name == "binance" or findings["hidden_side_masked"].count == 0
