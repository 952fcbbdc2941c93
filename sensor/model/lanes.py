"""Many bytes at once: what Numba has no words for, in LLVM's own vectors, which any processor can carry out.

Nothing here can be called from plain Python: callers have another way where the compiler is off (`VECTORS`).
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir  # type: ignore[import-untyped]
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES: Final = 32
"""Places that `ends_at` looks at: one instruction of AVX2, two of SSE2."""
VECTORS: Final = not config.DISABLE_JIT
"""Whether code is compiled."""

_OCTET, _WORD = ir.IntType(8), ir.IntType(64)
_MANY = ir.VectorType(_OCTET, LANES)


def _splat(builder: Any, octet: Any) -> Any:  # noqa: ANN401 - LLVM's values
    """Return an octet in all lanes."""
    one = builder.insert_element(ir.Constant(_MANY, ir.Undefined), octet, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(_MANY, ir.Undefined), lanes)


def _loaded(builder: Any, data: Any, at: Any) -> Any:  # noqa: ANN401 - LLVM's values
    """Return the octets from a place on."""
    place = cgutils.pointer_add(builder, data, at, return_type=_OCTET.as_pointer())
    return builder.load(builder.bitcast(place, _MANY.as_pointer()), align=1)


def _both(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401 - Numba's form
    data = context.make_array(signature.args[0])(context, builder, args[0]).data
    blur = _splat(builder, args[5])
    same = [
        builder.icmp_unsigned("==", builder.or_(_loaded(builder, data, at), blur), _splat(builder, octet))
        for at, octet in ((args[1], args[3]), (args[2], args[4]))
    ]
    return builder.zext(builder.bitcast(builder.and_(*same), ir.IntType(LANES)), _WORD)


@intrinsic
def ends_at(_typing: Any, data: Any, _at: Any, _end: Any, _first: Any, _last: Any, _blur: Any) -> Any:  # noqa: ANN401
    """Return a bit for each of `LANES` places at + n at which two bytes stand: uint64.

    That is where data[at + n] | blur == first and data[end + n] | blur == last. data: uint8[n]; at, end: int64, with
    `LANES` bytes behind each in the array; the others: uint8.
    """
    octets = (types.uint8,) * 3
    return types.uint64(data, types.int64, types.int64, *octets), _both


def _cttz(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401 - Numba's form
    return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))


@intrinsic
def lowest(_typing: Any, _word: Any) -> Any:  # noqa: ANN401 - Numba's form
    """Return the number of the lowest bit of a word that is set, int64. One is: word is a uint64 other than 0."""
    return types.int64(types.uint64), _cttz
