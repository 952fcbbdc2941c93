"""Detection of PostgreSQL by the first message of its client; on its port, of any that is seen first."""

import numpy as np
import numpy.typing as npt

from sensor.model.jit import helper
from sensor.proto.ids import PGSQL

Ints = npt.NDArray[np.int64]

_PENDING, _NO = 0, 1
_PORT = 5432
_LETTERS = tuple(b"BCDEFHPQRSTXZp")


@helper
def _request_code(h: Ints, n: int) -> int:
    """Look for a message of fixed size: 8 bytes (TLS, GSS) or 16 (cancel), codes 1234.5678 to 1234.5680."""
    if n > 3 and h[3] not in (8, 16):
        return _NO
    if (n > 4 and h[4] != 0x04) or (n > 5 and h[5] != 0xD2) or (n > 6 and h[6] != 0x16):
        return _NO
    if n > 7:
        return PGSQL if h[7] == (0x2E if h[3] == 16 else 0x2F) or (h[3] == 8 and h[7] == 0x30) else _NO
    return _PENDING


@helper
def _startup(h: Ints, n: int) -> int:
    """Look for version 3 and the first letter of a parameter's name."""
    if (n > 4 and h[4] != 0) or (n > 5 and h[5] != 3) or (n > 6 and h[6] != 0) or (n > 7 and h[7] > 2):
        return _NO
    if n > 8:
        return PGSQL if 97 <= h[8] <= 122 or h[8] == 95 else _NO
    return _PENDING


@helper
def _later(h: Ints, n: int) -> int:
    """Look for a message of a connection that is under way: a letter that either side uses, and a length."""
    if not (h[0] in _LETTERS and (n < 2 or h[1] == 0)):
        return _NO
    if n < 5:
        return _PENDING
    return PGSQL if h[2] == 0 and h[3] << 8 | h[4] >= 4 else _NO


@helper
def stream(h: Ints, n: int, side: int, sport: int, dport: int) -> int:  # noqa: ARG001 - one signature for all
    """Return the verdict on one side of a TCP flow."""
    if h[0] >= 65:
        return int(_later(h, n)) if _PORT in (sport, dport) else _NO
    if h[0] != 0 or (n > 1 and h[1] != 0) or (n > 2 and h[2] > 39) or (n > 3 and h[2] == 0 and h[3] < 8):
        return _NO
    code = _NO if n > 2 and h[2] != 0 else _request_code(h, n)
    if code > _NO:
        return int(code)
    startup = _startup(h, n)
    return int(startup if startup > _NO else min(code, startup))
