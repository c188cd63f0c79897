"""Scenarios as YAML: those that are shipped, and those that cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paceline.errors import ConfigError
from paceline.stress.parts import PARTS, Crash, Halt
from paceline.stress.scenario import in_words, load_scenario, parse_scenario, scenario, shipped


def test_what_is_shipped() -> None:
    known = shipped()
    assert {"volatility", "crash", "flash-crash", "wide-spread", "thin-book", "one-sided", "halt",
            "slow-lines", "stale-feed"} <= set(known)  # fmt: skip
    used = {type(part) for one in known.values() for part in one.parts}
    assert used == set(PARTS.values())
    for name, one in known.items():
        assert one.about.endswith(".")
        assert in_words(one).startswith(one.about)
        assert scenario(name) == one


def test_a_file_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nseed: 7\nparts:\n- part: crash\n  fall: 0.2\n- part: halt\n  gap: 1e-2\n"
    )
    mine = scenario(path)
    assert mine == load_scenario(path)
    assert mine.parts == (Crash(fall=0.2), Halt(gap=0.01))
    assert mine.seed == 7


def one(**part: Any) -> dict[str, Any]:
    return {"name": "x", "parts": [part]}


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ([], r"scenario: \[\] is not a group; give name and parts"),
        ({"parts": [{"part": "crash"}]}, "name: None is no name; give the scenario one"),
        ({"name": "x"}, "parts: None is no list of parts; give one at least"),
        ({"name": "x", "parts": []}, r"parts: \[\] is no list of parts"),
        ({"name": "x", "parts": {"part": "crash"}}, "parts: .* is no list of parts"),
        ({"name": "x", "parts": [{}]}, r"parts\[0\].part: missing; say which of volatility"),
        ({"name": "x", "parts": ["crash"]}, r"parts\[0\].part: missing; say which of"),
        ({"name": "x", "part": []}, "part: unknown key; did you mean parts"),
        ({"name": "x", "seed": -1, "parts": [{"part": "crash"}]}, "seed: -1 does not fit; give a"),
        ({"name": "x", "seed": "a", "parts": [{"part": "crash"}]}, "seed: 'a' does not fit"),
        ({"name": "x", "about": 3, "parts": [{"part": "crash"}]}, "about: 3 is no sentence"),
        (one(part="crush"), r"parts\[0\].part: 'crush' is unknown; did you mean crash\?"),
        (one(part=["crash"]), r"parts\[0\].part: \['crash'\] is unknown"),
        (one(part="crash", fal=0.1), r"parts\[0\].fal: unknown key; did you mean fall\?"),
        (one(part="crash", fall=0.9), r"parts\[0\].fall: 0.9 does not fit; give a number from"),
        (one(part="crash", fall="deep"), r"parts\[0\].fall: 'deep' does not fit; give a number"),
        (one(part="crash", start_s=-1), r"parts\[0\].start_s: -1 does not fit; give a number"),
        (one(part="crash", length_s=0), r"parts\[0\].length_s: 0 does not fit; give a number"),
        (one(part="crash", length_s=None), r"parts\[0\].length_s: missing; say how long it takes"),
        (one(part="halt", length_s=None), r"parts\[0\].length_s: missing; say how long"),
        (one(part="spread", times=0.5), r"parts\[0\].times: 0.5 does not fit; give a number"),
        (one(part="depth", share=0), r"parts\[0\].share: 0 does not fit; give a number from 0.01"),
        (one(part="volatility", times=float("nan")), r"parts\[0\].times: nan is not finite"),
        (one(part="one_sided", side="both"), r"parts\[0\].side: 'both' .* one of buy, sell"),
        (one(part="latency", submit_ms=-1), r"parts\[0\].submit_ms: -1 does not fit"),
    ],
)  # fmt: skip
def test_bad_scenarios_are_one_line(raw: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        parse_scenario(raw)
    assert "\n" not in str(error.value)


def test_scenarios_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'crsh' is neither shipped .*; did you mean crash\?"):
        scenario("crsh")
    with pytest.raises(ConfigError, match=r"'zzz' is neither shipped .*; known are bad-day"):
        scenario("zzz")
    with pytest.raises(ConfigError, match=r"none.yaml: No such file"):
        scenario(tmp_path / "none.yaml")
    path = tmp_path / "twice.yaml"
    path.write_text("name: a\nname: b\n")
    with pytest.raises(ConfigError, match=r"twice.yaml: line 2: name: given twice"):
        scenario(path)
    path.write_text("name: a\nparts:\n- part: crash\n  fall: 3\n")
    with pytest.raises(ConfigError, match=r"twice.yaml: parts\[0\].fall: 3 does not fit"):
        scenario(path)
