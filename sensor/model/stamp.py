"""A checksum of the helpers that are compiled into a kernel.

Numba's cache looks at the kernel's own file and closure only: a change in a helper of another module would leave a
stale kernel in use. A kernel that closes over the checksum is compiled anew.
"""

from __future__ import annotations

import zlib
from types import ModuleType

import numpy as np


def stamp(*modules: ModuleType) -> int:
    """Return 32 bits of the code of all compiled helpers in modules, and of the constants they freeze."""
    parts = []
    for module in modules:
        for name, value in sorted(vars(module).items()):
            if isinstance(value, int | np.dtype):
                parts.append(f"{name}={value!r}")
            elif isinstance(value, np.ndarray):
                parts.append(f"{name}={value.tobytes().hex()}")
            elif hasattr(value, "py_func"):
                code = value.py_func.__code__
                consts = [c for c in code.co_consts if not hasattr(c, "co_code")]
                parts.append(f"{name}:{value.py_func.__qualname__}{code.co_code.hex()}{code.co_names}{consts}")
    return zlib.crc32("".join(parts).encode())
