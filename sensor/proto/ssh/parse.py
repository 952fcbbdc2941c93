"""SSH identification strings and KEXINIT packets: bytes to records (RFC 4253 sections 4.2 and 7.1)."""

from __future__ import annotations

import hashlib

import msgspec

from sensor.proto.reader import Reader, WireError

MSG_KEXINIT, MSG_NEWKEYS = 20, 21
"""RFC 4250 section 4.1.2."""


class Banner(msgspec.Struct, gc=False):
    """`SSH-protoversion-softwareversion SP comments`."""

    proto: bytes = b""
    software: bytes = b""
    comments: bytes = b""


class KexInit(msgspec.Struct, gc=False):
    """Name-lists of a KEXINIT, in preference order, as sent (comma-separated)."""

    kex: bytes = b""
    host_key: bytes = b""
    encryption: tuple[bytes, bytes] = (b"", b"")
    """client to server, server to client; so are the next."""
    mac: tuple[bytes, bytes] = (b"", b"")
    compression: tuple[bytes, bytes] = (b"", b"")


def banner(line: bytes) -> Banner | None:
    """Parse an identification string without its line end; None where it is none."""
    if not line.startswith(b"SSH-"):
        return None
    proto, dash, rest = line[4:].partition(b"-")
    if not proto or not dash:
        return None
    software, _, comments = rest.partition(b" ")
    return Banner(proto, software, comments)


def kexinit(payload: bytes) -> KexInit | None:
    """Parse a KEXINIT payload, message number included; None where it is malformed."""
    reader = Reader(payload, 17)
    try:
        lists = [reader.take(reader.u32()) for _ in range(8)]
    except WireError:
        return None
    return KexInit(lists[0], lists[1], (lists[2], lists[3]), (lists[4], lists[5]), (lists[6], lists[7]))


def hassh_string(kex: KexInit, side: int) -> bytes:
    """Return the HASSH (side 0) or HASSHServer (side 1) string (Salesforce, 2018)."""
    return b";".join((kex.kex, kex.encryption[side], kex.mac[side], kex.compression[side]))


def md5(raw: bytes) -> str:
    """Return the hash that HASSH is published as."""
    return hashlib.md5(raw, usedforsecurity=False).hexdigest()
