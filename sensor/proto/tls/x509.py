"""The parts of a certificate that rules and logs name, read with a bounded DER cursor (X.690, RFC 5280)."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from datetime import UTC, datetime
from enum import IntEnum
from types import MappingProxyType

import msgspec

from sensor.proto.reader import WireError

MAX_ATTRIBUTES = 64
"""Attributes printed of one name; real ones have up to about 15."""
MAX_SANS = 256
"""Alternative names kept; public CAs allow 100 to 250."""
MAX_EXTENSIONS = 64
"""Extensions looked through for the alternative names; real certificates have about 10."""
MAX_SERIAL = 64
"""Bytes printed of a serial number; RFC 5280 allows 20."""
MAX_NAME_BYTES = 8192
"""Bytes of text printed of one name."""

_INTEGER, _BIT_STRING, _OCTET_STRING, _OID = 0x02, 0x03, 0x04, 0x06
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_SEQUENCE, _SET = 0x30, 0x31
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_BEHIND_KEY = frozenset({0x81, 0x82, 0xA1, 0xA2, _EXTENSIONS})
"""Unique identifiers and extensions."""
_BMP_STRING = 0x1E
_TEXT = frozenset({0x0C, 0x12, 0x13, 0x14, 0x15, 0x16, 0x19, 0x1A, 0x1B})
_OID_SAN = b"\x55\x1d\x11"

_X520 = {
    3: "CN", 4: "surname", 5: "serialNumber", 6: "C", 7: "L", 8: "ST", 9: "streetAddress", 10: "O", 11: "OU",
    12: "title", 13: "description", 15: "businessCategory", 17: "postalCode", 41: "name", 42: "givenName",
    43: "initials", 44: "generationQualifier", 46: "dnQualifier",
}  # fmt: skip
_DOTTED = {
    "1.2.840.113549.1.9.1": "Email",
    "1.2.840.113549.1.9.2": "unstructuredName",
    "0.9.2342.19200300.100.1.1": "uid",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.3.6.1.4.1.311.60.2.1.1": "msJurisdictionLocality",
    "1.3.6.1.4.1.311.60.2.1.2": "msJurisdictionStateOrProvince",
    "1.3.6.1.4.1.311.60.2.1.3": "msJurisdictionCountry",
    "2.5.29.17": "subjectAltName",
    **{f"2.5.4.{arc}": name for arc, name in _X520.items()},
}
"""Attribute types as Suricata 7 prints them (compared with its output); others print as `OID(1.2.3)`."""


def _encoded(dotted: str) -> bytes:
    """Return the DER contents of an object identifier (X.690 section 8.19)."""
    first, second, *arcs = map(int, dotted.split("."))
    out = bytearray()
    for arc in (40 * first + second, *arcs):
        groups = [arc >> shift & 0x7F for shift in range(28, -1, -7)]
        while len(groups) > 1 and not groups[0]:
            del groups[0]
        out += bytes([*(g | 0x80 for g in groups[:-1]), groups[-1]])
    return bytes(out)


LABELS = MappingProxyType({_encoded(dotted): label for dotted, label in _DOTTED.items()})
"""The same by their DER contents, so that the usual names need no decoding."""

_UTC = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:Z|[+-]\d{4})?", re.ASCII)
_GENERALIZED = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:\.\d+)?(?:Z|[+-]\d{4})?", re.ASCII)


class Fault(IntEnum):
    """What is wrong with a certificate, as Suricata tells it apart."""

    NONE = 0
    INCOMPLETE = 1
    """Something is shorter than it says."""
    LENGTH = 2
    """Tag or length of an element are not all there."""
    DER = 3
    VERSION = 4
    SERIAL = 5
    DATE = 6
    SUBJECT = 7
    """It has a zero, behind which some programs read no further (`good.example\\0.evil.example`)."""
    ISSUER = 8
    ALGORITHM = 9
    EXTENSIONS = 10


class Certificate(msgspec.Struct, gc=False):
    """A certificate's fields as text; empty where absent or not readable."""

    fingerprint: str = ""
    """SHA-1 of the DER bytes, lower-case hex with colons; empty where they are cut."""
    serial: str = ""
    """Upper-case hex with colons, sign byte included."""
    issuer: str = ""
    subject: str = ""
    not_before: str = ""
    """`2015-07-08T00:00:00`, UTC."""
    not_after: str = ""
    sans: tuple[str, ...] = ()
    malformed: bool = False
    fault: Fault = Fault.NONE
    """What is wrong with it; INCOMPLETE where it is malformed in another way."""


class CutError(WireError):
    """What an element stands in ends before its length does."""


class TagError(WireError):
    """Another element stands where one is wanted, or none that DER knows."""


def parse(der: bytes) -> Certificate:
    """Read a certificate; what is unreadable sets `malformed` and leaves the fields behind it empty."""
    cert = Certificate(fingerprint=hashlib.sha1(der, usedforsecurity=False).digest().hex(":"))
    try:
        _certificate(der, cert)
    except WireError as error:
        if not cert.malformed:
            cert.fault = cert.fault or _fault(error)
        cert.malformed = True
    return cert


def _fault(error: WireError) -> Fault:
    if isinstance(error, CutError):
        return Fault.LENGTH
    return Fault.DER if isinstance(error, TagError) else Fault.INCOMPLETE


def seconds(text: str) -> int | None:
    """Return a time of a certificate in seconds since 1970, at least 0; None: it has none that can be read."""
    try:
        return max(int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()), 0)
    except ValueError:
        return None


def element(data: bytes, pos: int, end: int) -> tuple[int, int, int]:
    """Read one DER element of data[pos:end]: its tag byte, and where its contents start and stop.

    X.690 section 8.1. Raises WireError where it leaves the limits, and on tags of several bytes, indefinite
    lengths and lengths over four bytes: certificates have none of these.
    """
    tag, start, size = _head(data, pos, end)
    if start + size > end:
        raise WireError(f"{size} bytes wanted, {end - start} left", pos)
    return tag, start, start + size


def _head(data: bytes, pos: int, end: int) -> tuple[int, int, int]:
    """Read tag and length: the tag, where the contents start, their size."""
    if pos + 2 > end:
        raise CutError("no element", pos)
    tag, size = data[pos], data[pos + 1]
    if tag & 0x1F == 0x1F or size == 0x80 or size > 0x84:
        raise TagError("tag of several bytes, indefinite or oversized length", pos)
    pos += 2
    if size > 0x80:
        wide = size & 0x7F
        if pos + wide > end:
            raise CutError("length is cut", pos)
        size = int.from_bytes(data[pos : pos + wide], "big")
        pos += wide
    return tag, pos, size


def _expect(data: bytes, pos: int, end: int, wanted: int) -> tuple[int, int]:
    """Read an element of a known tag: where its contents start and stop."""
    tag, start, stop = element(data, pos, end)
    if tag != wanted:
        raise TagError(f"tag {tag:#04x} instead of {wanted:#04x}", pos)
    return start, stop


def _opening(data: bytes, pos: int, end: int, cert: Certificate) -> tuple[int, int]:
    """Read a SEQUENCE that may be cut: a certificate beyond the message limit still shows its names."""
    tag, start, size = _head(data, pos, end)
    if tag != _SEQUENCE:
        raise WireError("no certificate", pos) if start + size > end else TagError("no certificate", pos)
    if start + size > end:
        cert.malformed = True
        cert.fault = Fault.INCOMPLETE
        cert.fingerprint = ""
    return start, min(start + size, end)


def _certificate(data: bytes, cert: Certificate) -> None:
    """Read TBSCertificate (RFC 5280 section 4.1)."""
    outer, outer_end = _opening(data, 0, len(data), cert)
    pos, end = _opening(data, outer, outer_end, cert)
    tag, start, stop = element(data, pos, end)
    if tag == _VERSION:
        if data[start : start + 1] != bytes([_INTEGER]):
            cert.fault = cert.fault or Fault.VERSION
        tag, start, stop = element(data, stop, end)
    if tag != _INTEGER:
        cert.fault = cert.fault or Fault.SERIAL
        raise WireError("no serial number", pos)
    cert.serial = data[start : min(stop, start + MAX_SERIAL)].hex(":").upper()
    _, pos = _expect(data, stop, end, _SEQUENCE)
    start, pos = _expect(data, pos, end, _SEQUENCE)
    cert.issuer = _name_if_sound(data, start, pos)
    if "\0" in cert.issuer:
        cert.fault = cert.fault or Fault.ISSUER
    start, pos = _expect(data, pos, end, _SEQUENCE)
    _validity(data, start, pos, cert)
    start, pos = _expect(data, pos, end, _SEQUENCE)
    cert.subject = _name_if_sound(data, start, pos)
    if "\0" in cert.subject:
        cert.fault = Fault.SUBJECT if cert.fault == Fault.ISSUER else cert.fault or Fault.SUBJECT
    start, pos = _expect(data, pos, end, _SEQUENCE)
    if not _names_algorithm(data, start, pos):
        cert.fault = cert.fault or Fault.ALGORITHM
    while pos < end:
        if data[pos] not in _BEHIND_KEY:
            cert.fault = cert.fault or Fault.EXTENSIONS
            break
        tag, start, pos = element(data, pos, end)
        if tag == _EXTENSIONS:
            cert.sans = _extensions(data, *_expect(data, start, pos, _SEQUENCE))
    if not cert.malformed:
        cert.fault = cert.fault or _of_signature(data, end, outer_end)


def _names_algorithm(data: bytes, pos: int, end: int) -> bool:
    """Tell whether a public key says of which algorithm it is, or too little to tell."""
    try:
        start, stop = _expect(data, pos, end, _SEQUENCE)
    except WireError:
        return True
    return start == stop or data[start] == _OID


def _of_signature(data: bytes, pos: int, end: int) -> Fault:
    """Return what is wrong with the algorithm behind TBSCertificate: all that is wanted has been read by then."""
    try:
        _expect(data, pos, end, _SEQUENCE)
    except WireError as error:
        return _fault(error)
    return Fault.NONE


def _name_if_sound(data: bytes, pos: int, end: int) -> str:
    """Return a distinguished name; empty where it is none: the certificate may still be read."""
    try:
        return name(data, pos, end)
    except WireError:
        return ""


def _validity(data: bytes, pos: int, end: int, cert: Certificate) -> None:
    """Read both times; what is none is a fault of the certificate, whose other fields may still be read."""
    try:
        cert.not_before, pos = _time(data, pos, end)
        cert.not_after, _ = _time(data, pos, end)
    except WireError:
        cert.fault = cert.fault or Fault.DATE
    if seconds(cert.not_before) is None or seconds(cert.not_after) is None:
        cert.fault = cert.fault or Fault.DATE


def name(data: bytes, pos: int, end: int) -> str:
    """Return a distinguished name as Suricata prints it: `C=US, O=Acme + OU=Lab, CN=host`. Raises WireError."""
    parts: list[str] = []
    budget = MAX_ATTRIBUTES
    while pos < end and budget > 0:
        start, pos = _expect(data, pos, end, _SET)
        pairs: list[str] = []
        while start < pos and budget > 0:
            inner, start = _expect(data, start, pos, _SEQUENCE)
            pairs.append(_attribute(data, inner, start))
            budget -= 1
        parts.append(" + ".join(pairs))
    return ", ".join(parts)[:MAX_NAME_BYTES]


def _attribute(data: bytes, pos: int, end: int) -> str:
    start, stop = _expect(data, pos, end, _OID)
    oid = data[start:stop]
    tag, start, stop = element(data, stop, end)
    label = LABELS.get(oid) or f"OID({_oid(oid)})"
    return f"{label}={_text(tag, data[start : min(stop, start + MAX_NAME_BYTES)])}"


def _text(tag: int, raw: bytes) -> str:
    """Decode a string type; what is not UTF-8 is read as Latin-1, other types as hex."""
    if tag in _TEXT:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("latin-1")
    if tag == _BMP_STRING:
        return raw.decode("utf-16-be", "replace")
    return raw.hex().upper()


def _oid(raw: bytes) -> str:
    """Return the dotted form (X.690 section 8.19)."""
    arcs: list[int] = []
    value = 0
    for byte in raw[:32]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    if not arcs:
        return ""
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def _time(data: bytes, pos: int, end: int) -> tuple[str, int]:
    """Read a UTCTime or GeneralizedTime and say where it stops.

    RFC 5280 section 4.1.2.5: two-digit years 50-99 are of the 1900s.
    """
    tag, start, stop = element(data, pos, end)
    found = (_UTC if tag == _UTC_TIME else _GENERALIZED).fullmatch(
        data[start : min(stop, start + 32)].decode("latin-1")
    )
    if tag not in {_UTC_TIME, _GENERALIZED_TIME} or found is None:
        return "", stop
    year, month, day, hour, minute, second = found.groups(default="00")
    if tag == _UTC_TIME:
        year = ("19" if year >= "50" else "20") + year
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}", stop


def _extensions(data: bytes, pos: int, end: int) -> tuple[str, ...]:
    for _ in range(MAX_EXTENSIONS):
        if pos >= end:
            break
        start, pos = _expect(data, pos, end, _SEQUENCE)
        tag, oid, stop = element(data, start, pos)
        if tag != _OID:
            raise WireError("an extension without a name", start)
        if data[oid:stop] == _OID_SAN:
            return _alternatives(data, stop, pos)
    return ()


def _alternatives(data: bytes, pos: int, end: int) -> tuple[str, ...]:
    """Return the alternative names of their extension; none where it holds something else."""
    try:
        tag, start, stop = element(data, pos, end)
        if tag != _OCTET_STRING:  # the optional `critical` stands in front
            start, stop = _expect(data, stop, end, _OCTET_STRING)
        return _sans(data, *_expect(data, start, stop, _SEQUENCE))
    except WireError:
        return ()


def _sans(data: bytes, pos: int, end: int) -> tuple[str, ...]:
    """Return the alternative names that have a text form (RFC 5280 section 4.2.1.6)."""
    found: list[str] = []
    while pos < end and len(found) < MAX_SANS:
        tag, start, pos = element(data, pos, end)
        raw = data[start : min(pos, start + MAX_NAME_BYTES)]
        if tag in {0x81, 0x82, 0x86}:  # rfc822Name, dNSName, uniformResourceIdentifier
            found.append(raw.decode("latin-1"))
        elif tag == 0x87 and len(raw) in {4, 16}:  # iPAddress
            found.append(str(ipaddress.ip_address(raw)))
    return tuple(found)
