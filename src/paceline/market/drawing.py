"""A tape's portrait as text and as a figure."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from paceline.files.writing import new_file
from paceline.market.halts import halts_of
from paceline.market.portrait import Portrait, ThroughDay, round_edges, through_day
from paceline.market.session import Session, clock, day_of
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_S

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_INK = "#1f2933"
_GREY = "#9aa5b1"
_BLUE = "#2b6cb0"
_RED = "#c05621"
_FEW_STOPS = 4
_FINE_BINS = 390  # minutes of a US equity session


def show_portrait(seen: Portrait, console: Console) -> None:
    """Print a portrait on a rich console."""
    console.print(_headline(seen))
    for table in (_kinds(seen), _quality(seen), *_day(seen, console)):
        console.print(table)


def portrait_text(seen: Portrait, width: int | None = None) -> str:
    """A portrait as plain text, as wide as the terminal if no `width` is given."""
    from rich.console import Console

    out = io.StringIO()
    show_portrait(seen, Console(file=out, width=width, no_color=True, highlight=False))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _headline(seen: Portrait) -> str:
    from rich.markup import escape

    tape = seen.tape
    zone, instrument = tape.session.zone, tape.instrument
    span = f"recorded {clock(seen.first_ts, zone)}–{clock(seen.last_ts, zone)} {zone}"
    named = (f"[bold]{escape(tape.name)}[/bold]", tape.manifest.depth, instrument.venue, span)
    touch, volume = _size(seen.touch_lots, instrument), _size(seen.volume_lots, instrument)
    covered = f"session {hours_of(tape.session)}"
    if not seen.covers_session:
        covered += ", of which nothing was recorded; the figures are of the whole recording"
    lines = [
        "  ".join(filter(None, named)),
        f"{len(tape):,} events · {tape.manifest.n_levels:,} prices · "
        f"{tape.manifest.n_slots:,} slots · book tick "
        f"{instrument.book_tick:f} · order tick {instrument.order_tick:f} · lot "
        f"{instrument.lot:f} · {instrument.currency}",
        covered,
        f"spread {_price(seen.spread, instrument)} {instrument.currency} "
        f"({_number(seen.spread_bps, 2)} bps) · at the touch {touch} · volume {volume} in "
        f"{seen.trades:,} trades, hidden {_number(100 * seen.hidden_share, 1)} %",
    ]
    if stopped := stops_of(tape):
        lines.append(f"trading stopped {stopped}")
    if seen.outside_events and seen.covers_session:
        lines.append(
            f"outside the session {seen.outside_events:,} events, "
            f"{_size(seen.outside_lots, instrument)} traded"
        )
    if seen.aside_lots:
        # Ingest keeps both as CROSS rows, so that their lots cannot be told apart.
        far = any(line.name == "far_print" and line.found for line in seen.quality)
        of = "set aside as auctions or far prints" if far else "auctions"
        lines.append(f"{of} {_size(seen.aside_lots, instrument)}")
    warm = f"warm-up {seen.warmup_s:,.1f} s"
    if seen.short_session:
        warm += " · [bold]ends well before the announced close[/bold]"
    lines.append(warm)
    for name, inferred in tape.manifest.quality.inferred.items():
        step = getattr(instrument, name)
        look = "[bold]look:[/bold] " if inferred.doubtful else ""
        lines.append(f"{look}{name.replace('_', ' ')} {step:f}: {escape(inferred.why)}")
    return "\n".join(lines)


def hours_of(session: Session) -> str:
    """The phases of a session in its zone, such as 09:30–11:30, 13:00–15:00; with the date before
    a phase that opens on another one."""

    def told(ts: int) -> str:
        text = clock(ts, session.zone)
        text = text.removesuffix(":00")
        day = day_of(ts, session.zone)
        return text if day == session.day else f"{day} {text}"

    return ", ".join(f"{told(start)}–{told(end)}" for start, end in session.phases)


def stops_of(tape: Tape) -> str:
    """When trading was stopped, in the tape's zone, the first few stops: breaks and halts. Empty if
    it never was."""
    spans, zone = halts_of(tape).tolist(), tape.session.zone
    told = [f"{clock(start, zone)}–{clock(end, zone)}" for start, end in spans[:_FEW_STOPS]]
    more = len(spans) - len(told)
    return ", ".join(told) + (f" and {more:,} more times" if more else "")


def _table(title: str, *columns: tuple[str, str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    for name, justify in columns:
        # Only notes, whose column has no name, may break over lines: a number never does.
        table.add_column(
            name,
            justify="right" if justify == "right" else "left",
            no_wrap=name != "",
            overflow="fold",
        )
    return table


def _kinds(seen: Portrait) -> Table:
    table = _table("Events", ("kind", "left"), ("rows", "right"), ("share", "right"))
    total = sum(seen.kinds.values())
    for name, count in seen.kinds.items():
        table.add_row(name, f"{count:,}", f"{100 * count / total:.1f} %")
    return table


def _quality(seen: Portrait) -> Table:
    title = f"Quality: {seen.rows_read:,} rows read, {seen.rows_quarantined:,} left out"
    table = _table(
        title, ("finding", "left"), ("count", "right"), ("first line", "right"),
        ("at", "left"), ("", "left"),
    )  # fmt: skip
    clean = []
    for line in seen.quality:
        if line.found == 0:
            clean.append(line.name)
            continue
        table.add_row(
            line.name,
            f"{line.found:,}",
            "" if line.first_row is None else f"{line.first_row:,}",
            "" if line.first_ts is None else clock(line.first_ts, seen.tape.session.zone),
            line.note,
        )
    if clean:
        table.caption = "none of: " + ", ".join(clean)
        table.caption_justify = "left"
    return table


def _day(seen: Portrait, console: Console) -> list[Table]:
    """The bins of the session. Where they are wider than the console, their columns come in several
    tables, each with the times."""
    day, zone, instrument = seen.day, seen.tape.session.zone, seen.tape.instrument
    sizes = "lots" if instrument.lot == 1 else "size"
    times = [clock(int(ts), zone) for ts in day.edges_ns[:-1]]
    columns = {
        "events": [f"{n:,}" for n in day.events],
        "trades": [f"{n:,}" for n in day.trades],
        "volume": [_quantity(lots, instrument) for lots in day.volume],
        "spread": [_price(value, instrument) for value in day.spread],
        "bps": [_number(value, 2) for value in day.spread_bps],
        f"bid {sizes}": [_quantity(lots, instrument) for lots in day.bid_lots],
        f"ask {sizes}": [_quantity(lots, instrument) for lots in day.ask_lots],
        "mid": [_price(value, instrument, least=3) for value in day.mid],
    }

    def table_of(names: list[str]) -> Table:
        title = "" if tables else "Through the session"
        made = _table(title, ("from", "left"), *((name, "right") for name in names))
        for row in zip(times, *(columns[name] for name in names), strict=True):
            made.add_row(*row)
        return made

    tables: list[Table] = []
    left = list(columns)
    while left:
        shown = left
        while len(shown) > 1 and not _fits(table_of(shown), console):
            shown = shown[:-1]
        tables.append(table_of(shown))
        left = left[len(shown) :]
    tables[-1].caption = _early_end(seen) or None
    tables[-1].caption_justify = "left"
    return tables


def _fits(table: Table, console: Console) -> bool:
    wide = console.options.update(width=10_000)
    return console.measure(table, options=wide).minimum <= console.width


def _early_end(seen: Portrait) -> str:
    """Since when the tape is silent, if bins of the announced session were left out for it."""
    session = seen.tape.session
    if seen.day.edges_ns[-1] >= session.close_ns:
        return ""
    return (
        f"nothing after {clock(seen.last_ts, session.zone)}; "
        f"announced until {clock(session.close_ns, session.zone)}"
    )


def _quantity(lots: float, instrument: Instrument) -> str:
    """Lots as what they are worth: shares, contracts or coins, to the decimals of a lot."""
    exponent = int(instrument.lot.normalize().as_tuple().exponent)
    return _number(lots * float(instrument.lot), max(0, -exponent))


def _size(lots: float, instrument: Instrument) -> str:
    """The same with its unit: a lot of 1 is a share or contract, of others the worth is told."""
    return f"{_quantity(lots, instrument)} {_unit(instrument)}"


def _unit(instrument: Instrument) -> str:
    return "lots" if instrument.lot == 1 else "units"


def _price(value: float, instrument: Instrument, least: int = 4) -> str:
    """A price or spread with a decimal more than the tick has, and `least` decimals."""
    exponent = int(instrument.book_tick.normalize().as_tuple().exponent)
    return _number(value, max(least, 1 - exponent))


def _number(value: float, decimals: int) -> str:
    return "–" if math.isnan(value) else f"{value:,.{decimals}f}"


def draw_portrait(seen: Portrait, path: str | Path) -> Path:
    """Draw mid, spread, depth at the touch and volume through the day; PNG, SVG or PDF by name."""
    from matplotlib import dates
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tape = seen.tape
    start, stop = _drawn_span(tape)
    fine = through_day(tape, np.linspace(start, stop, _FINE_BINS + 1).astype(np.int64))
    coarse = through_day(tape, round_edges(start, stop, _FINE_BINS // 4))
    zone = ZoneInfo(tape.session.zone)
    figure = Figure(figsize=(9.5, 8.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(4, 1, sharex=True, height_ratios=(3, 2, 2, 2))
    figure.suptitle(tape.name, x=0.01, ha="left", color=_INK, fontsize=13, fontweight="bold")
    _draw_mid(axes[0], fine, tape)
    _draw_spread(axes[1], fine, tape)
    _draw_depth(axes[2], fine, tape.instrument)
    _draw_volume(axes[3], coarse, tape.instrument)
    for axis in axes:
        _restrain(axis)
    clocks: Any = dates  # its constructors are untyped
    axes[-1].xaxis.set_major_locator(clocks.AutoDateLocator(tz=zone, minticks=5, maxticks=10))
    pattern = "%H:%M" if stop - start > 600 * NS_PER_S else "%H:%M:%S"
    axes[-1].xaxis.set_major_formatter(clocks.DateFormatter(pattern, tz=zone))
    axes[-1].set_xlim(_as_time(np.array([start, stop])))
    below = " · ".join(filter(None, (tape.session.zone, _early_end(seen))))
    axes[-1].set_xlabel(below, color=_GREY, fontsize=9)
    target = Path(path)
    with new_file(target) as draft:
        figure.savefig(draft, dpi=150, facecolor="white", format=target.suffix.removeprefix("."))
    return target


def _drawn_span(tape: Tape) -> tuple[int, int]:
    """From the first event in the session to the last, or the whole tape if none is in it."""
    inside = tape.events.ts[
        (tape.events.ts >= tape.session.open_ns) & (tape.events.ts <= tape.session.close_ns)
    ]
    ts = inside if len(inside) else tape.events.ts
    return int(ts[0]), max(int(ts[-1]), int(ts[0]) + _FINE_BINS)


def _as_time(ns: NDArray[np.int64]) -> Any:
    return ns.astype("datetime64[ns]")


def _middles(day: ThroughDay) -> Any:
    return _as_time((day.edges_ns[:-1] + day.edges_ns[1:]) // 2)


def _draw_mid(axis: Any, day: ThroughDay, tape: Tape) -> None:
    axis.plot(_middles(day), day.mid, color=_INK, linewidth=1.0)
    axis.yaxis.set_major_formatter(_as_price)
    _caption(axis, f"mid, {tape.instrument.currency}")


def _draw_spread(axis: Any, day: ThroughDay, tape: Tape) -> None:
    axis.stairs(day.spread, _as_time(day.edges_ns), color=_BLUE, linewidth=0.9, baseline=None)
    axis.set_ylim(0.0, max(_reach(day.spread), float(tape.instrument.book_tick)))
    _caption(axis, f"spread, {tape.instrument.currency}")


def _draw_depth(axis: Any, day: ThroughDay, instrument: Instrument) -> None:
    edges, lot = _as_time(day.edges_ns), float(instrument.lot)
    bid, ask = lot * day.bid_lots, lot * day.ask_lots
    axis.stairs(bid, edges, fill=True, color=_BLUE, alpha=0.55, linewidth=0)
    axis.stairs(-ask, edges, fill=True, color=_RED, alpha=0.55, linewidth=0)
    axis.axhline(0.0, color=_INK, linewidth=0.6)
    above, below = (_reach(sizes) for sizes in (bid, ask))
    if max(above, below) > 0:
        axis.set_ylim(-below, above)
    axis.yaxis.set_major_formatter(lambda size, _: f"{abs(size):,.10g}")
    _caption(axis, f"{_unit(instrument)} at the touch: bid above, ask below")


def _reach(values: NDArray[np.float64]) -> float:
    """Where an axis ends: a single burst of ten times the usual would flatten the day."""
    known = values[np.isfinite(values)]
    return 1.15 * float(np.quantile(known, 0.99)) if len(known) else 0.0


def _draw_volume(axis: Any, day: ThroughDay, instrument: Instrument) -> None:
    volume = float(instrument.lot) * day.volume
    axis.stairs(volume, _as_time(day.edges_ns), fill=True, color=_GREY, linewidth=0)
    axis.yaxis.set_major_formatter(lambda size, _: f"{size:,.10g}")
    width_s = (day.edges_ns[1] - day.edges_ns[0]) / NS_PER_S
    width = f"{width_s / 60:.3g} minutes" if width_s >= 90 else f"{width_s:.3g} seconds"
    _caption(axis, f"{_unit(instrument)} traded in {width}")


def _as_price(price: float, _: int) -> str:
    """Thousands apart, and no more decimals than the axis needs."""
    return f"{price:,.4f}".rstrip("0").rstrip(".")


def _caption(axis: Any, text: str) -> None:
    axis.set_title(text, loc="left", fontsize=9, color=_INK, pad=4)


def _restrain(axis: Any) -> None:
    for spine in ("top", "right", "left"):
        axis.spines[spine].set_visible(False)
    axis.spines["bottom"].set_color(_GREY)
    axis.grid(axis="y", color="#e4e7eb", linewidth=0.7)
    axis.set_axisbelow(True)
    axis.tick_params(colors=_INK, labelsize=8, length=0)
    axis.tick_params(axis="x", length=3, color=_GREY)
