"""Which protocol a flow speaks: by content, with the ports as a hint only; so DNS, here."""

import numpy as np

from sensor.model.rows import APP_UNDECIDED, APP_UNKNOWN
from sensor.proto import kernels_batch
from sensor.proto.ids import DHCP, DNS, HTTP, SSH, TLS
from sensor.proto.kernels_probe import HEAD, Bytes, Ints, Ports
from sensor.proto.limits_ports import dns_at

__all__ = [
    "APP_UNDECIDED",
    "APP_UNKNOWN",
    "DHCP",
    "DNS",
    "HEAD",
    "HTTP",
    "SSH",
    "TLS",
    "probe_datagrams",
    "probe_streams",
]


def probe_streams(heads: Bytes, lengths: Ints, sport: Ports, dport: Ports) -> Bytes:
    """Judge TCP flows by the first bytes of both sides.

    heads: uint8[k, 2, HEAD], to_server and to_client; lengths: int64[k, 2], stream bytes of each side known
    so far (more than HEAD is allowed); sport, dport: uint16[k]. Returns uint8[k]: APP_UNDECIDED while the
    bytes may still begin something known, APP_UNKNOWN, or the protocol's id.

    A side's own verdict never changes with more bytes. Where the sides speak different protocols, to_server
    wins. What one side says may be of nothing known and the other's answer still tell (`HTTP/1.1 400` to what was
    no request): a flow is unknown once both sides have said nothing known. The first decision is the one that
    counts: ask after each segment that lengthens a head, in packet order, and keep the answer
    (`kernels_probe.judge_flow`).
    """
    found: Bytes = kernels_batch.probe_streams(
        np.ascontiguousarray(heads, np.uint8),
        np.ascontiguousarray(lengths, np.int64),
        np.ascontiguousarray(sport, np.uint16),
        np.ascontiguousarray(dport, np.uint16),
        _names(dport),
    )
    return found


def probe_datagrams(buf: Bytes, off: Ints, length: Ints, sport: Ports, dport: Ports) -> Bytes:
    """Judge UDP payloads `buf[off : off + length]`.

    off, length: int64[k]; sport, dport: uint16[k]. Returns uint8[k]: APP_UNKNOWN, DNS or DHCP. A payload that
    leaves the buffer is unknown.
    """
    found: Bytes = kernels_batch.probe_datagrams(
        np.ascontiguousarray(buf, np.uint8),
        np.ascontiguousarray(off, np.int64),
        np.ascontiguousarray(length, np.int64),
        np.ascontiguousarray(sport, np.uint16),
        np.ascontiguousarray(dport, np.uint16),
        _names(dport),
    )
    return found


def _names(dport: Ports) -> Bytes:
    return dns_at(None)[dport]
