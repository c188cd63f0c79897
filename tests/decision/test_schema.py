"""The schema: names, ranges and flags in order, and a hash that no edit leaves as it was."""

from __future__ import annotations

import numpy as np
import pytest

from paceline.decision import schema
from paceline.decision.schema import (
    FEATURES,
    N_FEATURES,
    N_VALUES,
    NAMES,
    check_schema,
    first_of,
    flags,
    ranges,
    schema_hash,
)
from paceline.errors import InputError


def test_names_are_told_apart_and_ranges_are_ranges() -> None:
    assert len(set(NAMES)) == len(NAMES) == N_FEATURES
    assert len(FEATURES) == N_VALUES
    low, high = ranges().T
    assert np.all(low < high)
    # A missing value is written as 0, which must be a value that the feature may have.
    assert all(one.low <= 0.0 <= one.high for one in FEATURES)
    assert all(one.says and one.group for one in FEATURES)


def test_each_flag_is_of_its_feature() -> None:
    for k, flag in enumerate(flags()):
        if FEATURES[k].may_miss:
            assert NAMES[flag] == f"no {FEATURES[k].name}"
        else:
            assert flag == -1
    found = flags()[flags() >= 0]
    np.testing.assert_array_equal(found, np.arange(N_VALUES, N_FEATURES))


def test_groups_stand_together() -> None:
    groups = [one.group for one in FEATURES]
    for group in dict.fromkeys(groups):
        first, n = first_of(group), groups.count(group)
        assert groups[first : first + n] == [group] * n


@pytest.mark.parametrize(
    "edit",
    [
        {"name": "renamed"}, {"group": "other"}, {"unit": "furlongs"}, {"low": -1e6},
        {"high": 1e6}, {"may_miss": None},
    ],
    ids=lambda edit: next(iter(edit)),
)  # fmt: skip
@pytest.mark.parametrize("k", [0, 41, N_VALUES - 1])
def test_every_edit_changes_the_hash(monkeypatch, edit: dict, k: int) -> None:
    before = schema_hash()
    one = FEATURES[k]
    given = {name: not one.may_miss if name == "may_miss" else v for name, v in edit.items()}
    monkeypatch.setattr(
        schema, "FEATURES", (*FEATURES[:k], one._replace(**given), *FEATURES[k + 1 :])
    )
    assert schema_hash() != before


def test_order_version_and_number_change_the_hash_and_a_sentence_does_not(monkeypatch) -> None:
    before = schema_hash()
    first, second, *rest = FEATURES
    for other in ((second, first, *rest), FEATURES[:-1], (*FEATURES, first)):
        monkeypatch.setattr(schema, "FEATURES", other)
        assert schema_hash() != before
    monkeypatch.setattr(schema, "FEATURES", (first._replace(says="otherwise"), second, *rest))
    assert schema_hash() == before
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    assert schema_hash() != before


def test_another_schema_is_refused_by_name() -> None:
    check_schema(schema_hash(), "mine.json")
    with pytest.raises(InputError, match=r"old\.json: was made for features of schema abc"):
        check_schema("abc", "old.json")
