"""Settings as flags: one for each setting, with its sentence, its unit and its default."""

from __future__ import annotations

import argparse
import re
from typing import Any

import msgspec

from paceline.config import Settings, describe, load_yaml
from paceline.errors import ConfigError

_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def add_flags(group: Any, kind: type[Settings]) -> None:
    """A flag for each setting of `kind`."""
    for row in describe(kind):
        flag = "--" + _flag(row.path).replace("_", "-")
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
            chosen[row.path] = _duration(row.path, text) if row.unit == "s" else _number(text)
    return chosen


def check_drawing(orders: int, seed: int) -> None:
    """Raises `ConfigError` for a number of orders, or a seed to draw them, that is none."""
    if orders < 1:
        raise ConfigError(f"orders: {orders} is no count; give 1 or more")
    if seed < 0:
        raise ConfigError(f"seed: {seed} is below 0; give 0 or more")


def _flag(path: str) -> str:
    """Settings in seconds lose their unit: `--horizon 30m`."""
    return path.removesuffix("_s")


def _number(text: str) -> int | float | str:
    """What a flag says, as a number if it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _duration(field: str, text: str) -> float:
    found = re.fullmatch(r"([0-9.]+)(ms|s|m|h)?", text)
    try:
        if found:
            return float(found[1]) * _SECONDS[found[2] or "s"]
    except ValueError:
        pass
    raise ConfigError(f"{_flag(field)}: {text!r} is not a time; write 500ms, 30s, 15m or 2h")
