"""Search filters of LDAP as text: `(&(objectClass=user)(cn=adm*))` (RFC 4511 section 4.5.1.7, RFC 4515)."""

from __future__ import annotations

from types import MappingProxyType

from sensor.proto.ber import OCTETS, SEQUENCE, Ber
from sensor.proto.reader import WireError

MAX_DEPTH = 16
MAX_TEXT = 16384
"""Bytes of a filter's text; what goes beyond is left out."""

_AND, _OR, _NOT, _EQUAL, _SUBSTRINGS, _GREATER, _LESS, _PRESENT, _APPROX, _EXTENSIBLE = range(10)
_SIGNS = MappingProxyType({_EQUAL: b"=", _GREATER: b">=", _LESS: b"<=", _APPROX: b"~="})
_SETS = (b"&", b"|")


def text(fields: Ber) -> bytes:
    """Read a filter and return its text. Raises WireError where it is malformed or too deep."""
    out = bytearray()
    _write(fields, out, MAX_DEPTH)
    return bytes(out[:MAX_TEXT])


def _write(fields: Ber, out: bytearray, depth: int) -> None:
    start = fields.pos
    element = fields.next()
    kind, inside = element.tag & 0x1F, fields.inside(element)
    if element.tag & 0xC0 != 0x80 or not depth:
        raise WireError("no filter, or one too deep", start)
    if len(out) > MAX_TEXT:
        return
    out += b"("
    sign = _SIGNS.get(kind)
    if sign is not None:
        out += inside.octets() + sign + inside.octets()
    elif kind in (_AND, _OR):
        out += _SETS[kind]
        while inside.more():
            _write(inside, out, depth - 1)
    elif kind == _NOT:
        out += b"!"
        _write(inside, out, depth - 1)
    elif kind == _PRESENT:
        out += fields.content(element) + b"=*"
    elif kind == _SUBSTRINGS:
        out += _substrings(inside)
    elif kind == _EXTENSIBLE:
        out += _extensible(inside)
    else:
        raise WireError("unknown filter", start)
    out += b")"


def _substrings(inside: Ber) -> bytes:
    """`cn=a*b*c`: first, middle and last pieces are told apart by their tags."""
    name = inside.octets(OCTETS)
    pieces = inside.enter(SEQUENCE)
    out = bytearray()
    tag = 0x80
    while pieces.more():
        element = pieces.next()
        tag = element.tag
        out += (b"" if tag == 0x80 else b"*") + pieces.content(element)
    return name + b"=" + bytes(out) + (b"" if tag == 0x82 else b"*")


def _extensible(inside: Ber) -> bytes:
    """`userAccountControl:1.2.840.113556.1.4.803:=2`."""
    parts = {0x81: b"", 0x82: b"", 0x83: b"", 0x84: b""}
    while inside.more():
        element = inside.next()
        parts[element.tag] = inside.content(element)
    dn = b":dn" if parts[0x84].strip(b"\0") else b""
    rule = b":" + parts[0x81] if parts[0x81] else b""
    return parts[0x82] + dn + rule + b":=" + parts[0x83]
