"""Recipes in the words of others: names of the literature for ours, an address for a checkpoint.

    raw, notes = in_our_words({"policy": {"type": "dueling_ddqn", ...}, ...})

What is taken for something else than it says is told in a note, never in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from paceline.config import from_dict
from paceline.errors import ConfigError
from paceline.learn.recipe import ActionSet, Teaching

_TYPES = {
    "dueling_ddqn": "double_dqn", "dueling_double_dqn": "double_dqn", "ddqn": "double_dqn",
    "dueling_dqn": "double_dqn", "qr_dqn": "quantile_dqn", "bc": "behavior_cloning",
}  # fmt: skip
_WORKERS = {
    "almgren_chriss": "ac", "almgren-chriss": "ac", "almgren_chiss": "ac", "almgren-chiss": "ac",
}  # fmt: skip
_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://\S+")


def in_our_words(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A recipe as `Recipe` has it, and notes on what was taken for what.

    Raises `ConfigError` for words that contradict each other. What is wrong otherwise is left for
    the checks of `Recipe`.
    """
    told, notes = dict(raw), []
    for group, translate in (("policy", _policy), ("risk", _risk)):
        if isinstance(told.get(group), Mapping):
            told[group] = dict(told[group])
            notes += translate(told[group])
    teaching = told.get("teaching") or {}
    if isinstance(teaching, Mapping) and "teachers" not in teaching:
        told["teaching"] = {**teaching, "teachers": _teachers(told)}
    return told, notes


def _policy(policy: dict[str, Any]) -> list[str]:
    notes = []
    kind, place = policy.get("type"), policy.get("checkpoint")
    if isinstance(kind, str) and kind in _TYPES:
        policy["type"] = _TYPES[kind]
        notes.append(f"policy.type: {kind} is {_TYPES[kind]} here{_dueling(kind, policy)}.")
    if isinstance(place, str) and _ADDRESS.fullmatch(place):
        if policy.get("destination") not in (None, place):
            raise ConfigError(
                f"policy.checkpoint: {place} and policy.destination: {policy['destination']} are "
                "two addresses; give one"
            )
        policy["checkpoint"], policy["destination"] = None, place
        notes.append(
            f"policy.checkpoint: {place} is an address, taken for where the policy is to go. "
            "Nothing is read from it or sent to it: the policy is written to the folder of the "
            "run, and its manifest keeps the address as its destination."
        )
    return notes


def _dueling(kind: str, policy: dict[str, Any]) -> str:
    """What is said of the network. Raises `ConfigError` if it is told not to be a dueling one."""
    if not kind.startswith("dueling"):
        return ""
    settings = policy.get("settings") or {}
    network = settings.get("network") or {} if isinstance(settings, Mapping) else {}
    if isinstance(network, Mapping) and network.get("dueling", True) is False:
        raise ConfigError(
            f"policy.settings.network.dueling: false contradicts policy.type {kind}; leave one out"
        )
    return ", with a dueling network (its default)"


def _risk(risk: dict[str, Any]) -> list[str]:
    fallback = risk.get("fallback")
    if not isinstance(fallback, str) or fallback not in _WORKERS:
        return []
    risk["fallback"] = _WORKERS[fallback]
    if "chiss" in fallback:
        return [f"risk.fallback: {fallback} is read as almgren_chriss (Almgren-Chriss, ac)."]
    return []


def _teachers(told: Mapping[str, Any]) -> list[str]:
    """The usual teachers, as far as the actions of the recipe let them work."""
    from paceline.learn.teachers import Teacher

    usual = list(Teaching().teachers)
    policy = told.get("policy") or {}
    actions = policy.get("action_set") if isinstance(policy, Mapping) else None
    if actions is None:
        return usual
    grid = from_dict(actions, ActionSet, "policy.action_set").grid()

    def can(name: str) -> bool:
        try:
            Teacher(name, grid)
        except ConfigError:
            return False
        return True

    return [name for name in usual if can(name)]
