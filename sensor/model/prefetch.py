"""A hint to the processor that bytes are read soon. No result changes; in plain Python it is nothing."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from sensor.model.jit import helper

_READ, _ALL_LEVELS, _DATA = 0, 3, 1
"""Arguments of `llvm.prefetch` (LLVM language reference)."""


def _codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401 - Numba's form
    array = context.make_array(signature.args[0])(context, builder, args[0])
    at = cgutils.pointer_add(builder, array.data, args[1], return_type=cgutils.voidptr_t)
    word = ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [at.type, word, word, word])
    hint = builder.module.declare_intrinsic("llvm.prefetch", (at.type,), kind)
    builder.call(hint, [at, word(_READ), word(_ALL_LEVELS), word(_DATA)])
    return context.get_dummy_value()


@intrinsic
def _prefetch(_typing: Any, array: Any, at: Any) -> Any:  # noqa: ANN401 - Numba's form
    return types.void(array, at), _codegen


@helper
def ahead(array: Any, at: Any) -> None:  # noqa: ANN401 - any array
    """Fetch the cache line that lies `at` bytes (int64) into an array. Nothing is read: it may lie behind the end."""
    if not config.DISABLE_JIT:
        _prefetch(array, at)
