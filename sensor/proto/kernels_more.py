"""Protocol detection of everything but the five protocols of `kernels_probe`: one module a protocol, asked in turn.

A protocol's module has one or both of two helpers:

- `stream(h, n, side, sport, dport)`: verdict on the first n bytes `h` of a TCP side (0: to_server): 0 while they may
  still begin the protocol, 1 if they do not, its id if they do. Bytes are read in order and the verdict never changes
  once it is not 0. A greeting that several protocols share stays 0: the other side tells.
- `datagram(buf, pos, size, sport, dport)`: the id, if the UDP payload `buf[pos : pos + size]` (size >= 4) is one
  message, else 1.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from sensor.model.jit import helper
from sensor.proto import kernels_ber
from sensor.proto.bittorrent import kernels_probe as bittorrent
from sensor.proto.dcerpc import kernels as dcerpc
from sensor.proto.dnp3 import kernels_probe as dnp3
from sensor.proto.enip import kernels_probe as enip
from sensor.proto.http2 import kernels as http2
from sensor.proto.ike import kernels_probe as ike
from sensor.proto.krb5 import kernels_probe as krb5
from sensor.proto.ldap import kernels_probe as ldap
from sensor.proto.modbus import kernels_probe as modbus
from sensor.proto.mqtt import kernels as mqtt
from sensor.proto.mysql import kernels as mysql
from sensor.proto.nfs import kernels as nfs
from sensor.proto.ntp import kernels_probe as ntp
from sensor.proto.pgsql import kernels as pgsql
from sensor.proto.probes import greetings
from sensor.proto.quic import kernels_probe as quic
from sensor.proto.rdp import kernels_probe as rdp
from sensor.proto.rfb import kernels_probe as rfb
from sensor.proto.sip import kernels_probe as sip
from sensor.proto.smb import kernels as smb
from sensor.proto.snmp import kernels_probe as snmp
from sensor.proto.tftp import kernels as tftp
from sensor.proto.xenmigration import kernels_probe as xenmigration

MODULES = (
    dcerpc,
    krb5,
    smb,
    nfs,
    mqtt,
    http2,
    greetings,
    tftp,
    snmp,
    sip,
    rfb,
    ike,
    enip,
    quic,
    dnp3,
    mysql,
    pgsql,
    modbus,
    ldap,
    rdp,
    ntp,
    xenmigration,
    bittorrent,
)  # fmt: skip
"""Modules of helpers; the first that is sure decides."""
SOURCES = (*MODULES, kernels_ber)
"""All modules whose code is compiled into the verdicts."""

_PENDING, _NO = 0, 1

Helper = Callable[..., int]


@helper
def _no_stream(h: Any, n: int, side: int, sport: int, dport: int) -> int:  # noqa: ARG001 - same form as of all
    return _NO


@helper
def _no_datagram(buf: Any, pos: int, size: int, sport: int, dport: int) -> int:  # noqa: ARG001 - same form as of all
    return _NO


def _compiled(ask: Helper, asked: ModuleType) -> Helper:
    """Compile a link of a chain under a name of its own.

    Two kernels may come from caches that two processes wrote, and numba tells functions apart by their names and the
    order of their making: links of one name would be taken for each other.
    """
    ask.__qualname__ = f"{ask.__qualname__}_{asked.__name__.replace('.', '_')}"
    return helper(ask)  # type: ignore[no-any-return]


def _stream_chain(head: Helper, tail: Helper, asked: ModuleType) -> Helper:
    def ask(h: Any, n: int, side: int, sport: int, dport: int) -> int:
        found = head(h, n, side, sport, dport)
        if found > _NO:
            return int(found)
        other = tail(h, n, side, sport, dport)
        return int(other if other > _NO else min(found, other))

    return _compiled(ask, asked)


def _datagram_chain(head: Helper, tail: Helper, asked: ModuleType) -> Helper:
    def ask(buf: Any, pos: int, size: int, sport: int, dport: int) -> int:
        found = head(buf, pos, size, sport, dport)
        return int(found) if found > _NO else int(tail(buf, pos, size, sport, dport))

    return _compiled(ask, asked)


def _chained(name: str, end: Helper, join: Callable[[Helper, Helper, ModuleType], Helper]) -> Helper:
    """Return one helper that asks all modules in their order."""
    found = end
    for module in reversed(MODULES):
        if hasattr(module, name):
            found = join(getattr(module, name), found, module)
    return found


stream = _chained("stream", _no_stream, _stream_chain)
"""Verdict of all protocols on one side of a TCP flow."""
datagram = _chained("datagram", _no_datagram, _datagram_chain)
"""The protocol of a UDP payload; 1: none."""
