"""Scenarios: named lists of parts, shipped with the package or written as YAML.

    name: bad afternoon
    parts:
      - part: volatility
        times: 2
      - part: halt
        start_s: 9000
        length_s: 600
        gap: -0.05

Parts are applied in the order in which they stand, each to what the ones before have made.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from paceline.config import from_dict, read_yaml
from paceline.documents import remedy_for, shown
from paceline.errors import ConfigError
from paceline.stress.parts import PARTS, Part

_SHIPPED = Path(__file__).parent / "scenarios"


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to a market."""

    name: str
    parts: tuple[Part, ...]
    seed: int = 0
    """Draws which orders are missing, and which market orders turn."""
    about: str = ""
    """One sentence."""

    def of(self, *kinds: type[Part]) -> list[Part]:
        """The parts of these kinds, in order."""
        return [part for part in self.parts if isinstance(part, kinds)]


def shipped() -> dict[str, Scenario]:
    """The scenarios that come with the package, by name."""
    found = [load_scenario(path) for path in sorted(_SHIPPED.glob("*.yaml"))]
    return {scenario.name: scenario for scenario in found}


def scenario(name_or_file: str | Path) -> Scenario:
    """A shipped scenario by name, or the one in a YAML file.

    Raises `ConfigError` if there is neither.
    """
    text = str(name_or_file)
    if Path(text).suffix in (".yaml", ".yml"):
        return load_scenario(text)
    known = shipped()
    if text not in known:
        remedy = remedy_for(text, known, f"known are {', '.join(known)}")
        raise ConfigError(f"scenario: {text!r} is neither shipped nor a .yaml file; {remedy}")
    return known[text]


def load_scenario(path: str | Path) -> Scenario:
    """The scenario in a YAML file. Raises `ConfigError`, naming file and key."""
    raw = read_yaml(path)
    try:
        return parse_scenario(raw)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def parse_scenario(raw: Any) -> Scenario:
    """A scenario from nested mappings. Raises `ConfigError`, naming the path of the key."""
    if not isinstance(raw, Mapping):
        raise ConfigError(f"scenario: {shown(raw)} is not a group; give name and parts")
    keys = ("name", "about", "seed", "parts")
    for key in raw:
        if key not in keys:
            remedy = remedy_for(key, keys, f"known are {', '.join(keys)}")
            raise ConfigError(f"{shown(str(key), quote=False)}: unknown key; {remedy}")
    name, parts = raw.get("name"), raw.get("parts")
    seed, about = raw.get("seed", 0), raw.get("about", "")
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"name: {shown(name)} is no name; give the scenario one")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise ConfigError(f"seed: {shown(seed)} does not fit; give a whole number from 0")
    if not isinstance(about, str):
        raise ConfigError(f"about: {shown(about)} is no sentence; give text")
    if not isinstance(parts, list) or not parts:
        raise ConfigError(f"parts: {shown(parts)} is no list of parts; give one at least")
    made = tuple(_part(part, f"parts[{i}]") for i, part in enumerate(parts))
    return Scenario(name=name, parts=made, seed=seed, about=about)


def in_words(scenario: Scenario) -> str:
    """What happens in a scenario, in a sentence of its own and one for each part."""
    names = {kind: name for name, kind in PARTS.items()}
    said = [
        f"{names[type(part)].replace('_', ' ')} ({_parameters(part)})" for part in scenario.parts
    ]
    return " ".join(filter(None, [scenario.about.strip(), "; ".join(said) + "."]))


def _parameters(part: Part) -> str:
    told = msgspec.to_builtins(part)
    start_s, length_s = told.pop("start_s"), told.pop("length_s")
    when = f"from {start_s:g} s after the open"
    when += " to the close" if length_s is None else f" for {length_s:g} s"
    more = [f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in told.items()]  # fmt: skip
    return ", ".join([*more, when])


def _part(raw: Any, at: str) -> Part:
    if not isinstance(raw, Mapping) or "part" not in raw:
        raise ConfigError(f"{at}.part: missing; say which of {', '.join(PARTS)}")
    kind = raw["part"]
    if not isinstance(kind, str) or kind not in PARTS:
        remedy = remedy_for(kind, PARTS, f"known are {', '.join(PARTS)}")
        raise ConfigError(f"{at}.part: {shown(kind)} is unknown; {remedy}")
    rest = {key: value for key, value in raw.items() if key != "part"}
    return from_dict(rest, PARTS[kind], at)
