"""How the helpers of kernels are compiled: into the kernels that call them, without reference counts.

The arrays all belong to the caller, who holds them during the call, so Numba need not count references to
them. With its counting on (an atomic operation for each array of each helper's arguments) the walk took 165
ns a row instead of 82; the option is Numba's own (`numba.core.options`) and changes no result.
"""

from __future__ import annotations

from typing import Any

from numba import njit

_njit: Any = njit  # its type information does not know `_nrt`

_WITHIN: dict[str, Any] = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Nothing calls a helper from Python (it would crash; `tests/jitkit.py`): wrappers are a tenth of compiling."""

helper = _njit(**_WITHIN)
"""Compiled once, called."""
allocating = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""The same for what makes arrays, or returns one that it was not given: it counts references."""
inlined = _njit(**_WITHIN, forceinline=True)
"""Pasted into the caller: for what runs with every row (the sum over a header: 5 ns, called and counted 15)."""


def kernel(signature: object) -> Any:  # noqa: ANN401 - a decorator that gives a dispatcher, or the function as it is
    """Return the decorator of an entry point: compiled at import for one signature, cached on disk."""
    return _njit(signature, cache=True, _nrt=False, no_cfunc_wrapper=True)


def allocating_kernel(signature: object) -> Any:  # noqa: ANN401 - the same
    """Return the decorator of an entry point that makes arrays (numba counts references to them)."""
    return _njit(signature, cache=True, no_cfunc_wrapper=True)
