"""How line protocols begin: words of clients, greetings of servers. Asked of either side."""

import numpy as np
import numpy.typing as npt

from sensor.model.jit import helper
from sensor.proto.ids import FTP, IMAP, POP3, SMTP, TELNET

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_PENDING, _NO = 0, 1
_WIDTH = 12
_HEAD = 32
"""Bytes of a side that are looked at (`kernels_probe.HEAD`)."""

_COMMANDS = (
    (b"USER ", FTP), (b"PASS ", FTP), (b"PORT ", FTP), (b"EPRT ", FTP), (b"FEAT\r", FTP), (b"AUTH TLS", FTP),
    (b"SYST\r", FTP), (b"OPTS ", FTP), (b"EHLO ", SMTP), (b"HELO ", SMTP), (b"EHLO\r", SMTP), (b"HELO\r", SMTP),
    (b"MAIL FROM:", SMTP), (b"CAPA\r", POP3), (b"APOP ", POP3),
    (b"1 CAPABILITY", IMAP),
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


@helper
def _upper(c: int) -> int:
    return c - 32 if 97 <= c <= 122 else c


@helper
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


@helper
def _word(h: Ints, n: int, found: int) -> int:
    """Look for a word as long as commands are: on a usual port (of the protocol `found`) any will do."""
    j = 0
    while j < n and 65 <= _upper(h[j]) <= 90:
        j += 1
    if j == n:
        return _PENDING if j <= 8 else _NO
    return found if j in (3, 4, 8) and h[j] in (13, 10, 32) else _NO


@helper
def _has(h: Ints, n: int, a: int, b: int, c: int) -> bool:
    """Look for three letters in a row, any case, behind the first four bytes."""
    for j in range(4, n - 2):  # noqa: SIM110 - any() with a generator does not compile
        if _upper(h[j]) == a and _upper(h[j + 1]) == b and _upper(h[j + 2]) == c:
            return True
    return False


@helper
def _greeting(h: Ints, n: int) -> int:
    """Look at `220 text`: FTP or SMTP where it says so; else the client tells."""
    for j in range(min(n, 3)):
        if h[j] != (50, 50, 48)[j]:
            return _NO
    if n < 4:
        return _PENDING
    if h[3] not in (32, 45):
        return _NO
    if _has(h, n, 77, 84, 80):  # MTP
        return SMTP
    if _has(h, n, 70, 84, 80):  # FTP
        return FTP
    return _PENDING


@helper
def _told(h: Ints, n: int, pop3: bool) -> int:
    """Look for greetings that one protocol alone has: `+OK `, `* OK `, `* PREAUTH`, `* BYE`, and Telnet's options.

    `+OK` without a blank is what Redis answers, too.
    """
    first, second = h[0], h[1] if n > 1 else -1
    if first == 255:
        if (n > 1 and not 251 <= second <= 254) or (n > 2 and h[2] > 50):
            return _NO
        if n < 4:
            return _PENDING
        return TELNET if h[3] == 255 or 7 <= h[3] < 127 else _NO
    if first == 43:  # +
        for j in range(1, min(n, 3)):
            if h[j] != (43, 79, 75)[j]:
                return _NO
        if n < 4:
            return _PENDING
        return POP3 if h[3] == 32 or (pop3 and h[3] == 13) else _NO
    if first != 42 or (n > 1 and second != 32):  # *
        return _NO
    if n < 5:
        return _PENDING
    a, b, c = _upper(h[2]), _upper(h[3]), _upper(h[4])
    known = (a == 79 and b == 75 and c == 32) or (a == 80 and b == 82 and c == 69) or (a == 66 and b == 89 and c == 69)
    return IMAP if known else _NO


@helper
def _ended(h: Ints, n: int) -> bool:
    """Tell whether the line has ended: until then it may be a request of HTTP, `WORD x HTTP/1.1`."""
    for j in range(n):
        if h[j] < 32 or h[j] > 126:
            return True
    return n >= _HEAD


@helper
def _prompt(h: Ints, n: int) -> int:
    """Look for a line of text, behind empty ones: until it has ended it may be a request of HTTP."""
    text = False
    for j in range(n):
        if 32 < h[j] < 127:
            text = True
        elif h[j] not in (7, 8, 9, 10, 13, 27, 32):
            return _NO
        elif text and h[j] != 32:
            return TELNET
    return TELNET if text and n >= _HEAD else _PENDING


@helper
def stream(h: Ints, n: int, side: int, sport: int, dport: int) -> int:
    """See `sensor.proto.kernels_more`."""
    greeting = _greeting(h, n)
    told = _told(h, n, 110 in (sport, dport))
    command = _command(h, n)
    if command == FTP and 110 in (sport, dport):
        command = POP3
    if command == _NO and side == 0:
        if 21 in (sport, dport):
            command = _word(h, n, FTP)
        elif sport in (25, 465, 587) or dport in (25, 465, 587):
            command = _word(h, n, SMTP)
    found = max(greeting, told, command)
    if found == _NO and 23 in (sport, dport):  # a prompt, whatever it says
        prompt = _prompt(h, n)
        return int(prompt if prompt > _NO else min(greeting, told, command, prompt))
    if found > _NO:
        return int(found) if _ended(h, n) else _PENDING
    return int(min(greeting, told, command))
