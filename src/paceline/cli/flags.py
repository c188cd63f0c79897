"""Settings as flags: one for each setting, with its sentence, its unit and its default."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from paceline.config import Settings, describe, duration, flag_of, load_yaml
from paceline.errors import ConfigError


def add_flags(group: Any, kind: type[Settings]) -> None:
    """A flag for each setting of `kind`."""
    for row in describe(kind):
        flag = "--" + flag_of(row.path).replace("_", "-")
        default = "" if row.default is None else f" [{row.default}]"
        unit = f", {row.unit}" if row.unit and row.unit != "s" else ""
        text = f"{row.sentence.rstrip('.')}{unit}{default}".replace("%", "%%")
        group.add_argument(flag, dest=row.path, metavar="X", help=text)


def chosen_settings(args: argparse.Namespace, kind: type[Settings]) -> dict[str, Any]:
    """Settings of `--config`, and of the flags over them."""
    base = load_yaml(args.config, kind) if args.config else None
    chosen: dict[str, Any] = msgspec.to_builtins(base) if base else {}
    for row in describe(kind):
        text = getattr(args, row.path)
        if text is not None:
            in_s = row.unit == "s"
            chosen[row.path] = duration(text, flag_of(row.path)) if in_s else _number(text)
    return chosen


MOST = {
    "orders": 1_000_000, "tune_orders": 1_000_000, "days": 2_600, "markets": 100_000, "jobs": 1_024,
    "examples": 1_000, "seed": 2**62, "seeds": 1_000,
}  # fmt: skip
"""Most that an option may say. More would need gigabytes, or years."""


def check_counts(**given: int | None) -> None:
    """Raises `ConfigError` for an option beyond what `MOST` has for its name."""
    for name, value in given.items():
        if value is not None and value > MOST[name]:
            raise ConfigError(f"{name}: {value} is too much; give at most {MOST[name]}")


def check_drawing(orders: int, seed: int) -> None:
    """Raises `ConfigError` for a number of orders, or a seed to draw them, that is none."""
    if orders < 1:
        raise ConfigError(f"orders: {orders} is no count; give 1 or more")
    if seed < 0:
        raise ConfigError(f"seed: {seed} is below 0; give 0 or more")
    check_counts(orders=orders, seed=seed)


def _number(text: str) -> int | float | str:
    """What a flag says, as a number if it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
