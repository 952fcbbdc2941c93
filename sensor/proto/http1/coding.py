"""Content codings (RFC 9110 section 8.4): gzip, deflate in both meanings, brotli; bounded, tolerant of liars.

A header that names a coding proves nothing: the bytes decide between gzip (RFC 1952), zlib (RFC 1950) and raw
deflate (RFC 1951), and where they are none of these the body is inspected as it is.
"""

from __future__ import annotations

import zlib

import brotli

from sensor.model.anomaly import AppAnomaly
from sensor.proto.http1 import limits

_STEP = 64
_MEMBERS = 16
_FEXTRA, _FNAME, _FCOMMENT, _FHCRC = 4, 8, 16, 2


def codings(value: bytes) -> list[str]:
    """Return the codings that a Content-Encoding names, in the order they were applied; identity left out."""
    found = []
    for token in value.replace(b"\0", b"").lower().split(b","):
        if b"gzip" in token:
            found.append("gzip")
        elif b"deflate" in token:
            found.append("deflate")
        elif token.strip() == b"br":
            found.append("br")
    return found


def decode(data: bytes, names: list[str], limit: int) -> tuple[list[bytes], AppAnomaly | None]:
    """Undo the codings.

    Returns the forms of the body to inspect (one; two where decoding broke off: what came out, and the raw
    bytes; none where nothing came out, as in Suricata) and what was odd. No form is longer than `limit`, except the
    raw one.
    """
    current = data
    odd: AppAnomaly | None = None
    misnamed = False
    for name in names[: -limits.ENCODING_LAYERS - 1 : -1]:
        misnamed |= not _is_named(current, name)
        out, broken, used = _brotli(current, limit) if name == "br" else _inflate(current, limit)
        misnamed |= name != "br" and not broken and len(out) < limit and _differs(current, used, out)
        if len(out) >= limit and used * limits.BOMB_RATIO < len(out):
            odd = AppAnomaly.HTTP_DECOMPRESSION_BOMB
        elif broken:
            odd = odd or AppAnomaly.HTTP_DECOMPRESSION_FAILED
        if out or not broken:
            current = out
    told = AppAnomaly.HTTP_DECOMPRESSION_FAILED if odd is None and misnamed else odd
    if not current:
        return [], told
    if odd is AppAnomaly.HTTP_DECOMPRESSION_FAILED and current is not data:
        return [current, data], told
    return [current], told


def _is_named(data: bytes, name: str) -> bool:
    """Whether data begin as what their coding is called in Suricata, for which `deflate` has no header of zlib."""
    if name == "gzip":
        return data[:2] == b"\x1f\x8b" or _is_zlib(data)
    if name == "deflate":
        try:
            zlib.decompressobj(-15).decompress(data[:_STEP], limits.RESPONSE_BODY)
        except zlib.error:
            return False
    return True


def _is_zlib(data: bytes) -> bool:
    """Whether data begin with a header of zlib (RFC 1950 section 2.2)."""
    return len(data) >= 2 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0


def _brotli(data: bytes, limit: int) -> tuple[bytes, bool, int]:
    """Return (output, whether it broke off, input used)."""
    decoder = brotli.Decompressor()
    out: list[bytes] = []
    size = used = 0
    try:
        while used < len(data) and size < limit and not decoder.is_finished():
            piece = data[used : used + 4096] if decoder.can_accept_more_data() else b""
            got = decoder.process(piece, output_buffer_limit=limit - size)
            used += len(piece)
            size += len(got)
            out.append(got)
            if not piece and not got:
                break
    except brotli.error:
        return b"".join(out), True, used
    return b"".join(out)[:limit], False, used


def _inflate(data: bytes, limit: int) -> tuple[bytes, bool, int]:
    """Undo gzip, zlib or raw deflate, whichever it is."""
    if data[:2] == b"\x1f\x8b":
        return _members(data, limit)
    if _is_zlib(data):
        found = _raw(data, 2, limit)
        if found[1]:
            found = max(found, _raw(data, 0, limit), key=lambda one: (not one[1], len(one[0])))
        return found[:3]
    return _raw(data, 0, limit)[:3]


def _members(data: bytes, limit: int) -> tuple[bytes, bool, int]:
    """Undo a sequence of gzip members (RFC 1952 section 2.2), whatever their checksums are."""
    out = b""
    pos = 0
    for _ in range(_MEMBERS):
        got, broken, used, ended = _raw(data, _gzip_header(data, pos), limit - len(out))
        if broken or not got:  # the flags may announce fields that are not there
            plain = _raw(data, pos + 10, limit - len(out))
            if not plain[1] or len(plain[0]) > len(got):
                got, broken, used, ended = plain
        out += got
        pos = used + 8
        if broken or not ended or len(out) >= limit or data[pos : pos + 2] != b"\x1f\x8b":
            return out, broken, used
    return out, False, pos


def _differs(data: bytes, used: int, out: bytes) -> bool:
    """Whether checksum or length behind the one member of a gzip say another thing than what came out of it."""
    said = data[used : used + 8]
    several = data.find(b"\x1f\x8b\x08", 2, used) > 0
    if data[:2] != b"\x1f\x8b" or len(said) < 8 or several:
        return False
    return said != zlib.crc32(out).to_bytes(4, "little") + (len(out) & 0xFFFFFFFF).to_bytes(4, "little")


def _gzip_header(data: bytes, pos: int) -> int:
    """Return the offset behind a member's header (RFC 1952 section 2.3)."""
    flags = data[pos + 3] if pos + 3 < len(data) else 0
    pos += 10
    if flags & _FEXTRA:
        pos += 2 + int.from_bytes(data[pos : pos + 2], "little")
    for flag in (_FNAME, _FCOMMENT):
        if flags & flag:
            pos = data.find(b"\0", pos) + 1 or len(data)
    return pos + 2 if flags & _FHCRC else pos


def _raw(data: bytes, start: int, limit: int) -> tuple[bytes, bool, int, bool]:
    """Inflate from an offset: (output, whether it broke off, offset behind the input used, end seen)."""
    decoder = zlib.decompressobj(-15)
    piece = data[start:]
    try:
        out = decoder.decompress(piece, limit)
    except zlib.error:
        return _salvage(data, start, limit)
    used = len(data) - len(decoder.unconsumed_tail) - len(decoder.unused_data)
    return out, False, used, decoder.eof


def _salvage(data: bytes, start: int, limit: int) -> tuple[bytes, bool, int, bool]:
    """Inflate in small steps, the damaged one byte by byte, to keep what precedes the damage."""
    decoder = zlib.decompressobj(-15)
    out = bytearray()
    pos = start
    step = _STEP
    while pos < len(data) and len(out) < limit:
        before = decoder.copy() if step > 1 else decoder
        try:
            out += decoder.decompress(data[pos : pos + step], limit - len(out))
            pos += step
        except zlib.error:
            if step == 1:
                break
            decoder, step = before, 1
    return bytes(out), True, min(pos, len(data)), False
