"""Kernels that tell protocols apart by the first bytes of a stream or by a datagram.

A side's verdict is 0 (its bytes are still a prefix of something known), 1 (of nothing) or a protocol's id,
never to change once it is not 0: each test reads bytes in order and says no at the first that does not fit.

Sets of numbers are tuples here: numba builds a set display at run time (measured: 10 times slower in all).
"""

import numpy as np
import numpy.typing as npt

from sensor.model.jit import helper
from sensor.proto import kernels_more
from sensor.proto.dns import kernels_probe as kernels_dns
from sensor.proto.ids import DCERPC, DHCP, DNP3, DNS, ENIP, FTP, HTTP, HTTP2, KRB5, RDP, RFB, SMB, SMTP, SSH, TLS
from sensor.proto.limits_ports import NOWHERE, USUAL
from sensor.proto.rfb import kernels_probe as kernels_rfb

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Ports = npt.NDArray[np.uint16]

HEAD = 32
"""Bytes of a side that a decision may need."""

_PENDING, _NO = 0, 1

_METHOD_NAMES = (
    b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"PATCH",
    b"PROPFIND", b"PROPPATCH", b"MKCOL", b"COPY", b"MOVE", b"LOCK", b"UNLOCK", b"REPORT", b"SEARCH",
    b"M-SEARCH", b"NOTIFY", b"SUBSCRIBE", b"UNSUBSCRIBE", b"VERSION-CONTROL", b"CHECKOUT", b"CHECKIN",
    b"UNCHECKOUT", b"MERGE", b"MKACTIVITY", b"MKWORKSPACE", b"BASELINE-CONTROL", b"ACL", b"BIND", b"REBIND",
    b"UNBIND", b"LINK", b"UNLINK", b"PURGE", b"MKCALENDAR", b"ORDERPATCH", b"LABEL", b"UPDATE",
    b"BCOPY", b"BMOVE", b"BDELETE", b"BPROPFIND", b"BPROPPATCH", b"POLL", b"SOURCE",
    b"RPC_IN_DATA", b"RPC_OUT_DATA", b"RPC_CONNECT", b"RDG_IN_DATA", b"RDG_OUT_DATA", b"CCM_POST",
    b"SSTP_DUPLEX_POST",
)  # fmt: skip
"""https://www.iana.org/assignments/http-methods, and those that Microsoft services and caches add."""
_METHOD_WIDTH = 20
_SHOWN_NAMES = (
    b"GET", b"PUT", b"POST", b"HEAD", b"TRACE", b"OPTIONS", b"CONNECT", b"DELETE", b"PATCH", b"PROPFIND", b"PROPPATCH",
    b"MKCOL", b"COPY", b"MOVE", b"LOCK", b"UNLOCK", b"CHECKOUT", b"UNCHECKOUT", b"CHECKIN", b"UPDATE", b"LABEL",
    b"REPORT", b"MKWORKSPACE", b"MKACTIVITY", b"MERGE", b"INVALID", b"VERSION-CONTROL", b"BASELINE-CONTROL",
    b"HTTP/0.9", b"HTTP/1.0", b"HTTP/1.1",
)  # fmt: skip
"""Words by which Suricata knows HTTP."""
_R = 0x52
"""A server that says so speaks RFB to Suricata before its version is told."""
_SESSION_REQUEST = 0x81
"""First byte of a NetBIOS session request, which is no message of SMB."""


def _table(names: tuple[bytes, ...], behind: bytes = b" ") -> Bytes:
    """Return uint8[names, width]: each name with a blank behind it, zeros up to the width."""
    table = np.zeros((len(names), _METHOD_WIDTH), np.uint8)
    for i, name in enumerate(names):
        text = name + behind
        table[i, : len(text)] = np.frombuffer(text, np.uint8)
    table.flags.writeable = False
    return table


_METHODS = _table(_METHOD_NAMES)
_SHOWN = _table(_SHOWN_NAMES, b"")
_RESPONSE = np.frombuffer(b"http/", np.uint8)
_PREFACE = np.frombuffer(b"PRI * HTTP/2.0", np.uint8)
_BANNER = np.frombuffer(b"SSH-", np.uint8)



@helper
def _is_http_port(port: int) -> bool:
    return port in (80, 81, 591, 3128, 5985, 8000, 8008, 8080, 8081, 8088, 8888)


@helper
def _is_tchar(c: int) -> bool:
    """RFC 9110 section 5.6.2."""
    if 48 <= c <= 57 or 65 <= c <= 90 or 94 <= c <= 122 or c in (124, 126):
        return True
    return c == 33 or 35 <= c <= 39 or c in (42, 43, 45, 46)


@helper
def _upper(c: int) -> int:
    return c - 32 if 97 <= c <= 122 else c


@helper
def _starts(h: Ints, start: int, n: int, word: Bytes) -> int:
    """Compare with a word: 2 all of it is there, 0 part of it, 1 it differs."""
    for j in range(word.size):
        if start + j >= n:
            return _PENDING
        if h[start + j] != word[j]:
            return _NO
    return 2


@helper
def _starts_in_any_case(h: Ints, start: int, n: int, word: Bytes) -> int:
    """Compare with a word in lower case, as `_starts` does."""
    for j in range(word.size):
        if start + j >= n:
            return _PENDING
        c = h[start + j]
        if c != word[j] and not (65 <= c <= 90 and c + 32 == word[j]):
            return _NO
    return 2


@helper
def _http_method(h: Ints, start: int, n: int) -> int:
    """Look for a known method and a blank."""
    verdict = _NO
    for m in range(_METHODS.shape[0]):
        j = 0
        while True:
            if start + j >= n:
                verdict = _PENDING
                break
            want = _METHODS[m, j]
            c = h[start + j]
            if want == 32:
                if c in (32, 9):
                    return HTTP
                break
            if c != want:
                break
            j += 1
    return verdict


@helper
def _is_http_word(h: Ints, k: int) -> bool:
    """Look for ` HTTP`."""
    return bool(h[k] == 32 and h[k + 1] == 72 and h[k + 2] == 84 and h[k + 3] == 84 and h[k + 4] == 80)


@helper
def _http_token(h: Ints, start: int, n: int, usual_port: bool) -> int:
    """Look for `TOKEN /` on a usual port, where greetings of others do not pass for it, for `TOKEN … HTTP/` on any."""
    j = start
    while j < n and _is_tchar(h[j]):
        j += 1
    if j - start > 24:
        return _NO
    if j >= n:
        return _PENDING
    if j == start or h[j] != 32:
        return _NO
    for k in range(j + 1, n):
        if h[k] < 32 or h[k] > 126:
            return _NO
        if usual_port and k == j + 1 and h[k] == 47:
            return HTTP
        if h[k] == 47 and k >= j + 6 and _is_http_word(h, k - 5):
            return HTTP
    return _PENDING


@helper
def _http(h: Ints, n: int, usual_port: bool) -> int:
    start = 0
    # RFC 9112 section 2.2: empty lines before a request; servers pass over blanks, too.
    while start < n and start < 8 and h[start] in (13, 10, 32, 9):
        start += 1
    if start >= n:
        return _PENDING
    response = _starts_in_any_case(h, start, n, _RESPONSE)  # browsers take it so
    if response == 2:
        return HTTP
    method = _http_method(h, start, n) if 65 <= h[start] <= 90 else _NO
    if method == HTTP:
        return HTTP
    token = _http_token(h, start, n, usual_port)
    if token == HTTP:
        return HTTP
    return int(min(response, method, token))


@helper
def _ssl2(h: Ints, n: int) -> int:
    """SSLv2 CLIENT-HELLO (RFC 5246 appendix E.2): its three lengths add up to the record's."""
    if n > 2 and h[2] != 1:
        return _NO
    if n > 3 and h[3] not in (0, 3):
        return _NO
    if n > 4 and not (h[4] == 2 if h[3] == 0 else h[4] <= 4):
        return _NO
    if n < 11:
        return _PENDING
    specs = h[5] << 8 | h[6]
    session = h[7] << 8 | h[8]
    challenge = h[9] << 8 | h[10]
    if specs == 0 or specs % 3 != 0 or session > 32 or challenge < 8 or challenge > 32:
        return _NO
    return TLS if 9 + specs + session + challenge == (h[0] & 127) << 8 | h[1] else _NO


@helper
def _tls(h: Ints, n: int) -> int:
    """TLS handshake record with a hello, or an alert."""
    if h[0] >= 128:
        return int(_ssl2(h, n))
    if h[0] not in (22, 21):
        return _NO
    if n > 1 and h[1] != 3:
        return _NO
    if n > 2 and h[2] > 4:
        return _NO
    if n > 4:
        size = h[3] << 8 | h[4]
        if size == 0 or size > 16384 + 2048 or (h[0] == 21 and size != 2):
            return _NO
    if n > 5:
        return TLS if h[5] in (1, 2) else _NO
    return _PENDING


@helper
def _side(h: Ints, n: int, side: int, sport: int, dport: int, names: int) -> int:
    """Return the verdict on one side's first n bytes; still open with HEAD of them: the other side must tell.

    names: what of DNS may be there (`sensor.proto.limits_ports`).
    """
    if n == 0:
        return _PENDING
    # Before HTTP: on its ports any token may be a method, `SSH-` too.
    ssh = _starts(h, 0, n, _BANNER)
    if ssh == 2:
        return SSH
    # So may `RFB 003.008`.
    rfb = kernels_rfb.stream(h, n, side, sport, dport)
    if rfb > _NO:
        return int(rfb)
    preface = _starts(h, 0, n, _PREFACE)
    if preface == 2:
        return HTTP2
    if _PENDING in (preface, rfb):
        return _PENDING
    http = _http(h, n, _is_http_port(sport) or _is_http_port(dport))
    if http == HTTP:
        return HTTP
    tls = _tls(h, n)
    if tls == TLS:
        return TLS
    more = kernels_more.stream(h, n, side, sport, dport)
    if more > _NO:
        return int(more)
    if more == _PENDING or (n < HEAD and min(http, tls, ssh) == _PENDING):
        return _PENDING
    if names == NOWHERE:
        return _NO
    dns = kernels_dns.stream(h, n, names == USUAL)
    return _NO if dns == _PENDING and n >= HEAD else dns


@helper
def _telling(side: int, dport: int) -> int:
    """Return the bytes behind which Suricata takes a side for one that speaks nothing known (measured)."""
    if dport in (139, 445):
        return HEAD
    if side == 1:
        return 9
    return 25 if dport == 80 else 17


@helper
def judge_flow(heads: Bytes, lengths: Ints, i: int, sport: int, dport: int, names: int, h: Ints) -> int:
    """Judge row i as `sensor.proto.probe.probe_streams` does. names: as in `_side`. h: int64[HEAD] of scratch space.

    For kernels that walk segments: called after each that lengthens a head, it makes the first decision
    independent of where blocks end.
    """
    first = min(lengths[i, 0], HEAD)
    second = min(lengths[i, 1], HEAD)
    for j in range(first):
        h[j] = heads[i, 0, j]
    a = _side(h, first, np.int64(0), sport, dport, names)  # numba compiles all protocols anew for a literal
    if a > _NO:
        return int(a)
    for j in range(second):
        h[j] = heads[i, 1, j]
    b = _side(h, second, np.int64(1), sport, dport, names)
    if b > _NO:
        return int(b)
    # What is of nothing known, or goes on as several protocols do, says no more; the other side may.
    said = first >= (_telling(0, dport) if a == _NO else HEAD) and second >= (_telling(1, dport) if b == _NO else HEAD)
    return _NO if said else _PENDING


@helper
def _shows_http(h: Ints, n: int) -> bool:
    """Tell whether bytes begin as Suricata expects of HTTP: a usual method and a blank, or a version."""
    for m in range(_SHOWN.shape[0]):
        j = 0
        while j < n and _SHOWN[m, j] != 0 and _upper(h[j]) == _SHOWN[m, j]:
            j += 1
        if _SHOWN[m, j] == 0 and (_SHOWN[m, 4] == 47 or (j < n and h[j] in (32, 9))):
            return True
    return False


@helper
def _is_awaited(app: int) -> bool:
    """Tell whether the servers of a protocol may be known by more bytes than those behind which others are unknown."""
    return app in (DNS, KRB5, RFB, ENIP, DNP3, RDP, DCERPC)


@helper
def judge_voice(heads: Bytes, lengths: Ints, i: int, side: int, sport: int, dport: int, names: int, other: int,
                h: Ints) -> int:  # fmt: skip
    """Judge one side of row i by itself, as Suricata does, which looks at fewer forms.

    names, h: as in `judge_flow`. other: what the other side speaks, if that is told; the answer is looked for there.
    """
    size = min(lengths[i, side], HEAD)
    for j in range(size):
        h[j] = heads[i, side, j]
    voice = int(_side(h, size, np.int64(side), sport, dport, names))
    if (voice == HTTP and not _shows_http(h, size)) or (voice == SMB and h[0] == _SESSION_REQUEST):
        voice = _NO
    if side == 1 and voice in (FTP, SMTP):  # what their clients say shows them
        voice = _NO
    if voice > _NO or (voice == _PENDING and side == 1 and (_is_awaited(other) or h[0] == _R)):
        return voice
    return _NO if size >= _telling(side, dport) else _PENDING


@helper
def _u16(buf: Bytes, pos: int) -> int:
    return int(np.int64(buf[pos]) << 8 | np.int64(buf[pos + 1]))


@helper
def _is_dhcp(buf: Bytes, pos: int, size: int) -> bool:
    """BOOTP op code and DHCP magic cookie (RFC 2131 section 3)."""
    if size < 240 or buf[pos] < 1 or buf[pos] > 2 or buf[pos + 2] > 16:
        return False
    return bool(_u16(buf, pos + 236) == 0x6382 and _u16(buf, pos + 238) == 0x5363)


@helper
def judge_datagram(buf: Bytes, pos: int, size: int, sport: int, dport: int, names: int) -> int:
    """Judge the UDP payload buf[pos : pos + size] as `sensor.proto.probe.probe_datagrams` does."""
    if pos < 0 or size < 4 or pos + size > buf.size:
        return 1
    if _is_dhcp(buf, pos, size):
        return DHCP
    if names != NOWHERE and kernels_dns.datagram(buf, pos, size, names == USUAL):
        return DNS
    return int(kernels_more.datagram(buf, pos, size, sport, dport))
