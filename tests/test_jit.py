"""The one way to compile a kernel."""

from __future__ import annotations

import pytest

from paceline.jit import inlined, inner, kernel


def _twice(x: int) -> int:
    return 2 * x


@pytest.mark.parametrize("decorate", [inner, inlined])
def test_what_only_kernels_may_call_refuses_python_and_serves_kernels(decorate):
    twice = decorate(_twice)

    @kernel
    def thrice(x: int) -> int:
        return twice(x) + x

    assert thrice(5) == 15
    if hasattr(twice, "py_func"):  # compiled
        with pytest.raises(TypeError, match="_twice: only kernels can call it"):
            twice(5)
