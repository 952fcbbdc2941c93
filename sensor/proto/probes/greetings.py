"""How line protocols begin: words of clients, greetings of servers. Asked of either side."""

import numpy as np
import numpy.typing as npt
from numba import njit

from sensor.proto.ids import FTP, SMTP

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_PENDING, _NO = 0, 1
_WIDTH = 12

_COMMANDS = (
    (b"USER ", FTP), (b"PASS ", FTP), (b"PORT ", FTP), (b"EPRT ", FTP), (b"FEAT\r", FTP), (b"AUTH TLS", FTP),
    (b"SYST\r", FTP), (b"OPTS ", FTP), (b"EHLO ", SMTP), (b"HELO ", SMTP), (b"EHLO\r", SMTP), (b"HELO\r", SMTP),
    (b"MAIL FROM:", SMTP),
)  # fmt: skip
"""First commands of clients, any case."""


def _words(pairs: tuple[tuple[bytes, int], ...]) -> Bytes:
    """Return uint8[words, width], zeros behind each word."""
    table = np.zeros((len(pairs), _WIDTH), np.uint8)
    for i, (word, _) in enumerate(pairs):
        table[i, : len(word)] = np.frombuffer(word, np.uint8)
    table.flags.writeable = False
    return table


_TABLE = _words(_COMMANDS)
_IDS = np.array([number for _, number in _COMMANDS], np.int64)
_IDS.flags.writeable = False


@njit
def _upper(c: int) -> int:
    return c - 32 if 97 <= c <= 122 else c


@njit
def _command(h: Ints, n: int) -> int:
    """Look for the first command of a client."""
    verdict = _NO
    for i in range(_TABLE.shape[0]):
        j = 0
        while j < _WIDTH and _TABLE[i, j] != 0:
            if j >= n:
                verdict = _PENDING
                break
            if _upper(h[j]) != _TABLE[i, j]:
                break
            j += 1
        if j == _WIDTH or (j > 0 and _TABLE[i, j] == 0):
            return int(_IDS[i])
    return verdict


@njit
def _has(h: Ints, n: int, a: int, b: int, c: int) -> bool:
    """Look for three letters in a row, any case, behind the first four bytes."""
    for j in range(4, n - 2):  # noqa: SIM110 - any() with a generator does not compile
        if _upper(h[j]) == a and _upper(h[j + 1]) == b and _upper(h[j + 2]) == c:
            return True
    return False


@njit
def _greeting(h: Ints, n: int, ftp: bool, smtp: bool) -> int:
    """Look at `220 text`: FTP or SMTP where it says so, or on a usual port; else the client tells."""
    for j in range(min(n, 3)):
        if h[j] != (50, 50, 48)[j]:
            return _NO
    if n < 4:
        return _PENDING
    if h[3] not in (32, 45):
        return _NO
    if _has(h, n, 77, 84, 80) or smtp:  # MTP
        return SMTP
    if _has(h, n, 70, 84, 80) or ftp:  # FTP
        return FTP
    return _PENDING


@njit
def stream(h: Ints, n: int, side: int, sport: int, dport: int) -> int:  # noqa: ARG001 - same form as of all protocols
    """See `sensor.proto.kernels_more`."""
    ftp = sport == 21 or dport == 21
    smtp = sport in (25, 465, 587) or dport in (25, 465, 587)
    greeting = _greeting(h, n, ftp, smtp)
    if greeting > _NO:
        return int(greeting)
    command = _command(h, n)
    return int(command if command > _NO else min(command, greeting))
