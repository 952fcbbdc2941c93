"""Addresses: two big-endian 64-bit words in columns, packed bytes as keys, text only for people."""

import functools
import ipaddress
import struct

_PAIR = struct.Struct("!QQ")


def pack(ipv: int, hi: int, lo: int) -> bytes:
    """Return the 4 or 16 address bytes of a column pair."""
    return int(lo).to_bytes(4, "big") if ipv == 4 else _PAIR.pack(hi, lo)


@functools.lru_cache(maxsize=2048)
def text(ipv: int, hi: int, lo: int) -> str:
    """Return the address as EVE writes it (IPv6 in full groups without leading zeros, as Suricata prints it).

    Kept: an alert names each of two addresses twice, and the next one the same.
    """
    lo = int(lo)
    if ipv == 4:
        return f"{lo >> 24 & 255}.{lo >> 16 & 255}.{lo >> 8 & 255}.{lo & 255}"
    if ipv == 6:
        return ":".join(f"{g:04x}" for g in struct.unpack("!8H", _PAIR.pack(int(hi), lo)))
    return ""


def words(value: str) -> tuple[int, int, int]:
    """Parse an address: (4|6, hi, lo). Raises ValueError."""
    ip = ipaddress.ip_address(value)
    if ip.version == 4:
        return 4, 0, int(ip)
    return 6, int(ip) >> 64, int(ip) & (1 << 64) - 1


def mac(raw: bytes) -> str:
    """Return a hardware address as EVE writes it."""
    return raw.hex(":")
