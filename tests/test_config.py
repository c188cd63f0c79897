"""Settings: refused in one line, the same from Python and from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from paceline.config import Field, Settings, describe, from_dict, load_yaml
from paceline.errors import ConfigError

Rate = Annotated[float, Meta(gt=0)]


class Latency(Settings):
    submit_ns: Annotated[int, Meta(ge=0), Field("From decision to exchange.", "ns")] = 0


class Venue(Settings):
    name: Annotated[str, Field("Where orders go.", "")]
    maker_fee: Annotated[float, Field("Fee of a resting fill; negative is a rebate.", "ticks")] = (
        0.0
    )
    eta: Annotated[Rate | None, Field("Temporary impact.", "ticks/(lot/s)")] = None
    fill_model: Annotated[Literal["pessimistic", "optimistic"], Field("Queue model.", "")] = (
        "pessimistic"
    )
    latency: Annotated[Latency, Field("Delays.", "")] = Latency()


def load(tmp_path: Path, text: str) -> Venue:
    file = tmp_path / "venue.yaml"
    file.write_text(text)
    return load_yaml(file, Venue)


def test_yaml_and_python_agree(tmp_path: Path) -> None:
    text = "name: INET\nmaker_fee: -2\neta: 1e-6\nlatency:\n  submit_ns: 250_000\n"
    venue = Venue(name="INET", maker_fee=-2, eta=1e-6, latency=Latency(submit_ns=250_000))
    assert load(tmp_path, text) == venue
    assert isinstance(venue.maker_fee, float)
    assert load(tmp_path, "name: X\nlatency:\n") == Venue(name="X")
    with pytest.raises(AttributeError):
        venue.name = "ARCA"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "name: missing; add it"),
        ("name: A\nmaker_fees: 1", "maker_fees: unknown key; did you mean maker_fee?"),
        ("name: A\nzzz: 1", "zzz: unknown key; known are name, maker_fee"),
        ("name: A\nlatency: {submit_us: 1}", "latency.submit_us: unknown key; did you mean submit"),
        (
            "name: A\nlatency: {submit_ns: -1}",
            "latency.submit_ns: -1 does not fit; give a whole number",
        ),
        ("name: A\nlatency: 5", "latency: 5 is not a group"),
        ("name: A\nmaker_fee: true", "maker_fee: True does not fit; give a number"),
        ("name: A\nmaker_fee: '1'", "maker_fee: '1' does not fit; give a number"),
        ("name: A\nmaker_fee: .nan", "maker_fee: nan is not finite"),
        ("name: A\neta: 0", "eta: 0 does not fit; give a number above 0"),
        (
            "name: A\nfill_model: magic",
            "fill_model: 'magic' does not fit; give one of pessimistic, ",
        ),
        ("name: 1600", "name: 1600 does not fit; give text"),
        ("name: A\nname: B", "line 2: name: given twice"),
        ("name: A\nlatency: {submit_ns: 1, submit_ns: 2}", "line 2: submit_ns: given twice"),
        ("name: [A", "line 1: expected ',' or ']'"),
        ("1: 2", "line 1: key '1' is not a name"),
        ("? [a, b]\n: 2", "line 1: "),
        ("- a", "settings: ['a'] is not a group"),
        (
            "!!python/object:os.system {}",
            "line 1: 'tag:yaml.org,2002:python/object:os.system' is a tag",
        ),
        ("name: \x00", "line 1, column 7: a NUL is not text"),
        ("[" * 5000, "line 1: nested too deep"),
    ],
)
def test_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    message = str(error.value)
    assert "\n" not in message
    assert message.split("venue.yaml: ", 1)[1].startswith(says), message


@pytest.mark.parametrize("key", ["quantity", "Quantity", "size", "shares"])
def test_another_word_for_a_setting_gets_a_hint(key: str) -> None:
    from paceline.evaluate.settings import BacktestSettings

    with pytest.raises(ConfigError) as error:
        from_dict({key: 500}, BacktestSettings)
    assert str(error.value) == f"{key}: unknown key; did you mean qty?"


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_yaml(tmp_path / "none.yaml", Venue)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_yaml(tmp_path / "latin.yaml", Venue)


@pytest.mark.parametrize(
    "values", [{"name": 3}, {"name": "A", "eta": -1.0}, {"name": "A", "latency": 3}]
)
def test_the_constructor_refuses_too(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Venue(**values)


@given(st.text())
def test_any_text_is_settings_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(ConfigError) as error:
        load_yaml(file, Venue)
    assert len(str(error.value).splitlines()) == 1


def test_describe() -> None:
    rows = {row.path: row for row in describe(Venue)}
    assert list(rows) == ["name", "maker_fee", "eta", "fill_model", "latency", "latency.submit_ns"]
    assert rows["eta"].unit == "ticks/(lot/s)"
    assert rows["name"].default is msgspec.NODEFAULT

    class Silent(Settings):
        depth: int = 1

    with pytest.raises(TypeError, match=r"Silent\.depth needs a Field"):
        list(describe(Silent))


def test_from_dict_takes_groups() -> None:
    assert from_dict({"name": "A", "latency": Latency(submit_ns=3)}, Venue).latency.submit_ns == 3
