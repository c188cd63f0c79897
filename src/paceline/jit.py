"""The one way paceline compiles a kernel: Numba, cached on disk, safe against stale caches.

Numba keys its cache on the file of the outermost function only. A kernel that was inlined from
another module would therefore survive an edit of that module. The cache folder is named after the
size and time of *every* source file of the package, so any edit starts a fresh one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def source_digest() -> str:
    """A name for the source as it is: it changes with the size or time of any file."""
    package = Path(__file__).parent
    digest = hashlib.sha256(str(package).encode())
    for source in sorted(package.rglob("*.py")):
        stat = source.stat()
        digest.update(f"{source.relative_to(package)}:{stat.st_size}:{stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def _cache_folder() -> str:
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return str(Path(root) / "paceline" / "kernels" / source_digest())


# An explicit choice of the user's wins; Numba reads the variable when it is first imported.
os.environ.setdefault("NUMBA_CACHE_DIR", _cache_folder())

import numba.extending  # noqa: E402  (must follow the variable above)
import numpy  # noqa: E402
from numba.core.registry import CPUDispatcher  # noqa: E402

if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
    # Compiled integers wrap around in silence; so shall plain ones.
    numpy.seterr(over="ignore")


def kernel(function: F) -> F:
    """Compile `function` for arrays and scalars: nopython, cached, without the GIL.

    Division by zero gives inf or NaN as in NumPy; kernels guard the divisions that matter.
    """
    return _compile(function)


def summing(function: F) -> F:
    """Like `kernel`, for sums of many products: the compiler may add them up in another order, and
    so several at a time. The last bits are those of the processor."""
    return _compile(function, fastmath={"reassoc", "contract"})


def spliced(function: F) -> F:
    """Like `kernel`, for long functions with one or two callers: Numba writes them into the caller.

    A caller is optimised together with all that it calls, so every storey of large functions pays
    for the storeys below again. This takes one storey away; called from Python, it compiles alone.
    """
    return _compile(function, inline="always")


_KERNEL: dict[str, Any] = {
    "nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False,
}  # fmt: skip
_DOORLESS = {**_KERNEL, "no_cpython_wrapper": True}


def chosen(usual: F, kind: type, other: F, *, small: bool = False) -> F:
    """One name for two kernels of two arguments: `other` if the first is a `kind`, else `usual`.

    The choice is made where a caller is compiled, and costs nothing when it runs but the way in:
    handing a record of forty arrays on, 20 to 40 ns. Of `small` kernels in hot loops LLVM folds
    that into the caller; of large ones that would take minutes to compile.
    """

    def choose(where: Any, what: Any) -> Any:
        return (other if isinstance(where, kind) else usual)(where, what)

    def compiled(where: Any, what: Any) -> Any:
        if where.instance_class is kind:
            return lambda where, what: other(where, what)
        return lambda where, what: usual(where, what)

    choose.__annotations__, compiled.__annotations__ = {}, {}
    compiled_as(choose, compiled, folded=small)
    return cast(F, choose)


def compiled_as(
    function: Callable[..., Any],
    make: Callable[..., Any],
    *,
    folded: bool,
    prefer_literal: bool = False,
) -> None:
    """In kernels `function` is what `make`, told the types of its arguments, returns; `folded`:
    LLVM writes it into the caller; `prefer_literal`: numbers in the source are told as such.

    Numba holds the signatures of `make` and of that against one another, annotations and all."""
    offer: Any = numba.extending.overload  # its type hints leave out the wrapper options
    options = {**_DOORLESS, "forceinline": folded}
    offer(function, jit_options=options, prefer_literal=prefer_literal)(make)


def inner(function: F) -> F:
    """Like `kernel`, for functions that only kernels call.

    They get no door to Python, which for records of forty arrays costs more to compile than they
    do. Calling one from Python works with the JIT off only; with it on it is a `TypeError`.
    """
    return _without_door(_compile(function, no_cpython_wrapper=True))


def inlined(function: F) -> F:
    """Like `inner`, for small functions of the hot loops: LLVM folds them into their caller."""
    return _without_door(_compile(function, no_cpython_wrapper=True, forceinline=True))


class _Doorless(CPUDispatcher):
    """A compiled function that would take the interpreter down if Python called it."""

    def __call__(self, *args: object, **named: object) -> None:
        raise TypeError(f"{self.py_func.__qualname__}: only kernels can call it")


def _without_door(compiled: F) -> F:
    if isinstance(compiled, CPUDispatcher):  # a plain function when the JIT is off
        cast(Any, compiled).__class__ = _Doorless
    return compiled


def _compile(function: F, **options: Any) -> F:
    decorate: Any = numba.njit  # its type hints leave out the wrapper options
    compiled = decorate(cache=True, **_KERNEL, **options)(function)
    return cast(F, compiled)
