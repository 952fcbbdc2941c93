"""Keys of Initial packets, and what they open (RFC 9001 sections 5.2 to 5.4, RFC 9369 section 3.3)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

_V1 = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
_DRAFT_29 = bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")
_DRAFT_23 = bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502")
_SALTS: Mapping[int, bytes] = MappingProxyType(
    {
        0x00000001: _V1,
        0x6B3343CF: bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
        0x709A50C4: bytes.fromhex("a707c203a59b47184a1d62ca570406ea7ae3e5d3"),
        0x51303530: bytes.fromhex("504574efd066fe2f9d945cfcdbd3a7f0d3b56b45"),
        0x54303530: bytes.fromhex("7ff579e5acd072915580304c43a2367c60488310"),
        0x54303531: bytes.fromhex("7a4edef4e7ccee5fa4506c19124fc8ccda6e033d"),
        0xFACEB002: _DRAFT_23,
        **dict.fromkeys(range(0xFF000017, 0xFF00001D), _DRAFT_23),
        **dict.fromkeys(range(0xFF00001D, 0xFF000021), _DRAFT_29),
        **dict.fromkeys((0xFF000021, 0xFF000022), _V1),
    }
)
"""Version → salt: 1, 2 and its drafts, Q050, T050, T051, mvfst, drafts 23 to 34."""

SECOND = frozenset({0x6B3343CF, 0x709A50C4})
"""Versions with the labels and packet types of RFC 9369."""

SAMPLE = 16
_PROTECTED = 4
"""Bytes of a packet number, as long as its length is not known."""


class Keys(NamedTuple):
    """Keys of one end."""

    key: bytes
    iv: bytes
    mask: bytes
    """Of header protection."""


def initial(version: int, dcid: bytes) -> tuple[Keys, Keys] | None:
    """Return the keys of client and server for the connection id that the client chose; None: unknown version."""
    salt = _SALTS.get(version)
    if salt is None:
        return None
    secret = hmac.digest(salt, dcid, "sha256")
    prefix = b"quicv2" if version in SECOND else b"quic"
    client, server = (_keys(_expand(secret, b"%s in" % end, 32), prefix) for end in (b"client", b"server"))
    return client, server


def _keys(secret: bytes, prefix: bytes) -> Keys:
    return Keys(
        _expand(secret, prefix + b" key", 16),
        _expand(secret, prefix + b" iv", 12),
        _expand(secret, prefix + b" hp", 16),
    )


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label without context (RFC 8446 section 7.1); one block of SHA-256 is enough."""
    full = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0\1"
    return hmac.new(secret, info, hashlib.sha256).digest()[:size]


def unseal(keys: Keys, packet: bytes, number_at: int) -> bytes | None:
    """Return the frames of a packet whose number stands at an offset; None where the keys do not open it."""
    # Half a second goes into loading numba, which tools for rules need not spend.
    from sensor.proto.quic import kernels_aes  # noqa: PLC0415 - see above

    sample = packet[number_at + _PROTECTED : number_at + _PROTECTED + SAMPLE]
    if len(sample) < SAMPLE:
        return None
    mask = np.empty(16, np.uint8)
    kernels_aes.block(_array(keys.mask), _array(sample), mask)
    first = packet[0] ^ int(mask[0]) & 0x0F
    behind = number_at + (first & 3) + 1
    number = bytes(byte ^ int(cover) for byte, cover in zip(packet[number_at:behind], mask[1:], strict=False))
    header = bytes([first]) + packet[1:number_at] + number
    nonce = (int.from_bytes(keys.iv, "big") ^ int.from_bytes(number, "big")).to_bytes(12, "big")
    out = np.empty(max(len(packet) - behind, 0), np.uint8)
    size = kernels_aes.unseal(_array(keys.key), _array(nonce), _array(header), _array(packet[behind:]), out)
    return None if size < 0 else out[:size].tobytes()


def _array(raw: bytes) -> np.ndarray:
    return np.frombuffer(raw, np.uint8)
