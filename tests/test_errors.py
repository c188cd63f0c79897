"""The exception tree in the docstring is the tree in the code."""

from __future__ import annotations

import inspect
import re

import paceline.errors as errors


def drawn() -> dict[str, str]:
    """{class: parent} as drawn with box characters."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│ ├└─]*)([A-Z]\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 4
            path[depth:] = [match[2]]
            if depth:
                parents[match[2]] = path[depth - 1]
    return parents


def test_the_drawing_is_true() -> None:
    classes = {
        name: cls.__mro__[1].__name__
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if cls.__module__ == errors.__name__ and cls is not errors.PacelineError
    }
    assert classes == drawn()


def test_bad_input_is_also_a_value_error() -> None:
    assert issubclass(errors.InputError, ValueError)
    assert not issubclass(errors.ExchangeError, ValueError)
