"""What a processor can do and Python has no word for, as functions that kernels call: ask for
memory ahead, and find a bit of a word. They are plain functions where the JIT is off.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numpy.typing import NDArray

from paceline.jit import compiled_as

_LINE = 64
"""Bytes that come from memory at a time."""

_intrinsic: Any = numba.extending.intrinsic  # its type hints know of no context
_llvm: Any = cgutils


def fetch(array: NDArray[Any], where: tuple[int, ...], n: int = 1) -> None:
    """Ask for the `n` items, a number in the source, from `array[where]` on to be brought near;
    `where` is a tuple, short of the last axes where it means their first items.

    It reads nothing, waits for nothing and changes nothing: who works on what lies far apart in
    memory asks for the next while he is at this. Where the JIT is off there is nothing to ask.
    """


def _fetch(array: Any, where: Any, n: Any = 1) -> Any:
    items = n if isinstance(n, int) else getattr(n, "literal_value", getattr(n, "value", None))
    if items is None:
        raise numba.TypingError("fetch: n is no number in the source; name it outside the kernel")
    record = isinstance(array.dtype, types.Record)
    n_bytes = items * (array.dtype.size if record else array.dtype.bitwidth // 8)

    def ask(array: Any, where: Any, n: Any = 1) -> Any:
        return _ask(array, where, n_bytes)

    return ask


def _asking(typing: Any, array: Any, where: Any, n_bytes: Any) -> Any:
    last = n_bytes.literal_value - 1  # in one more line than the others, if the first is not whole

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        array_type, where_type, _ = signature.args
        found = context.make_array(array_type)(context, builder, given[0])
        indices = [
            context.cast(builder, index, index_type, types.intp)
            for index, index_type in zip(
                _llvm.unpack_tuple(builder, given[1], len(where_type)), where_type, strict=True
            )
        ]
        indices += [context.get_constant(types.intp, 0)] * (array_type.ndim - len(where_type))
        row = _llvm.get_item_pointer(context, builder, array_type, found, indices)
        row, whole = builder.bitcast(row, _llvm.voidptr_t), ir.IntType(32)
        ask = _llvm.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [_llvm.voidptr_t, whole, whole, whole]),
            "llvm.prefetch.p0",
        )
        for at in [*range(0, last, _LINE), last]:
            byte = builder.gep(row, [context.get_constant(types.intp, at)])
            # To be read, into the nearest cache, data and no code.
            builder.call(ask, [byte, whole(0), whole(3), whole(1)])
        return context.get_dummy_value()

    return types.void(array, where, n_bytes), generate


_ask = _intrinsic(prefer_literal=True)(_asking)
compiled_as(fetch, _fetch, folded=True, prefer_literal=True)


def lowest_bit(word: int) -> int:
    """Place, from 0, of the lowest bit that is set in a word of 64 bits, which is not 0."""
    word = int(word)
    return (word & -word).bit_length() - 1


def highest_bit(word: int) -> int:
    """Place, from 0, of the highest one."""
    return (int(word) % (1 << 64)).bit_length() - 1


def _lowest_bit(word: Any) -> Any:
    def place(word: Any) -> Any:
        return _zeros_behind(word)

    return place


def _highest_bit(word: Any) -> Any:
    def place(word: Any) -> Any:
        return 63 - _zeros_before(word)

    return place


def _behind(typing: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.cttz(given[0], ir.IntType(1)(1))

    return types.int64(types.int64), generate


def _before(typing: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.ctlz(given[0], ir.IntType(1)(1))

    return types.int64(types.int64), generate


_zeros_behind, _zeros_before = _intrinsic(_behind), _intrinsic(_before)
compiled_as(lowest_bit, _lowest_bit, folded=True)
compiled_as(highest_bit, _highest_bit, folded=True)
