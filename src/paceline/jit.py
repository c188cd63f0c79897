"""The one way paceline compiles a kernel: Numba, cached on disk, safe against stale caches.

Numba keys its cache on the time of the file that holds the outermost function. A kernel that was
inlined from another module would therefore survive an edit of that module. Here a kernel is kept
under the content of its own module and of every module of paceline that this one imports, directly
or through others: an edit recompiles what it can change and nothing else, and checkouts with the
same content share their kernels.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

_PACKAGE = Path(__file__).parent
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(paceline[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)"
    r"|import[ \t]+(paceline[\w.]*))",
    re.MULTILINE,
)


def source_digest() -> str:
    """A name for the source as it is: it changes with the size or time of any file."""
    digest = hashlib.sha256(str(_PACKAGE).encode())
    for source in sorted(_PACKAGE.rglob("*.py")):
        stat = source.stat()
        digest.update(f"{source.relative_to(_PACKAGE)}:{stat.st_size}:{stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


@cache
def content_digest(source: Path) -> str:
    """A name for the content of a module and of all modules of paceline that it imports, directly
    or through others, whether or not they run."""
    found, ahead = {source}, [source]
    while ahead:
        for other in _read(ahead.pop())[1]:
            if other not in found:
                found.add(other)
                ahead.append(other)
    digest = hashlib.sha256()
    for name, at in sorted((_name_of(at), at) for at in found):
        digest.update(f"{name}:{_read(at)[0]}".encode())
    return digest.hexdigest()[:24]


@cache
def _read(source: Path) -> tuple[str, tuple[Path, ...]]:
    """The digest of one file, and the modules of paceline that it names in its imports."""
    content = source.read_bytes()
    imports = tuple(dict.fromkeys(_imported(content.decode())))
    return hashlib.sha256(content).hexdigest(), imports


def _imported(text: str) -> Iterator[Path]:
    for module, names, plain in _IMPORT.findall(text):
        inside = _PACKAGE.joinpath(*(module or plain).split(".")[1:])
        for name in re.findall(r"\w+", names):  # a comment or an `as` adds names that lead nowhere
            yield from _module_at(inside / name)
        yield from _module_at(inside)


def _module_at(path: Path) -> Iterator[Path]:
    for source in (path.with_suffix(".py"), path / "__init__.py"):
        if source.is_file():
            yield source
            return


def _name_of(source: Path) -> str:
    return str(source.relative_to(_PACKAGE)) if source.is_relative_to(_PACKAGE) else source.name


def _cache_folder() -> str:
    """Where kernels are kept: in the user's cache; where there is none that can be written, in a
    folder of the user's own for temporary files."""
    home = os.path.expanduser("~")
    roots = [
        os.environ.get("XDG_CACHE_HOME"),
        None if home == "~" else os.path.join(home, ".cache"),
    ]
    for root in filter(None, roots[:1] if roots[0] else roots):
        folder = os.path.join(root, "paceline", "kernels")
        if _is_ours(folder):
            return folder
    user = getattr(os, "getuid", lambda: "user")()
    folder = os.path.join(tempfile.gettempdir(), f"paceline-kernels-{user}")
    return folder if _is_ours(folder) else tempfile.mkdtemp(prefix="paceline-kernels-")


def _is_ours(folder: str) -> bool:
    """Whether a folder is there, or can be made, and only this user decides what is in it: kernels
    are code."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        is_mine = not hasattr(os, "getuid") or os.stat(folder).st_uid == os.getuid()
    except OSError:
        return False
    return is_mine and os.access(folder, os.W_OK)


# An explicit choice of the user's wins. Numba reads the variable when it is first imported, and
# somebody may have done that before.
os.environ.setdefault("NUMBA_CACHE_DIR", _cache_folder())

import numba.extending  # noqa: E402  (must follow the variable above)
import numpy  # noqa: E402
from numba.core import caching, types  # noqa: E402
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


class _ByContent(caching._CacheLocator):
    """A folder for each module, named after its content; see the top of this module."""

    def __init__(self, function: Callable[..., Any], source: str) -> None:
        self._line = function.__code__.co_firstlineno
        self._digest = content_digest(Path(source).resolve())
        self._folder = Path(os.environ["NUMBA_CACHE_DIR"]) / f"{function.__module__}-{self._digest}"

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return self._digest

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, function: Callable[..., Any], source: str) -> _ByContent | None:
        return cls(function, source) if Path(source).is_file() else None  # or typed in by hand


class _Compiled(caching.CompileResultCacheImpl):
    _locator_classes = [_ByContent, *caching.CompileResultCacheImpl._locator_classes]  # noqa: RUF012


class _KernelCache(caching.FunctionCache):
    _impl_class = _Compiled

    def _index_key(self, signature: Any, codegen: Any) -> Any:
        # Compiled code knows a field by its place. Numba's key has the types of a named tuple's
        # fields and not their names, and a kernel need not import what it is given.
        fields = tuple(kind.fields for kind in _named_tuples(signature))
        key: tuple[Any, ...] = super()._index_key(signature, codegen)  # type: ignore[no-untyped-call]
        return (*key, fields)


def _named_tuples(kinds: Any) -> Iterator[Any]:
    for kind in kinds:
        if isinstance(kind, types.BaseNamedTuple):
            yield kind
        if isinstance(kind, types.BaseTuple):
            yield from _named_tuples(kind)


def _compile(function: F, **options: Any) -> F:
    decorate: Any = numba.njit  # its type hints leave out the wrapper options
    compiled = decorate(**_KERNEL, **options)(function)
    if isinstance(compiled, CPUDispatcher):  # a plain function when the JIT is off
        cast(Any, compiled)._cache = _KernelCache(compiled.py_func)  # type: ignore[no-untyped-call]
    return cast(F, compiled)
