"""The framers by protocol."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from sensor.proto import ids
from sensor.proto.framer import Framer
from sensor.proto.http1.framing import HttpFramer
from sensor.proto.ssh.framing import SshFramer
from sensor.proto.tls.framing import TlsFramer

FRAMERS: Mapping[int, Callable[[Collection[int]], Framer]] = MappingProxyType({
    ids.HTTP: lambda _asked: HttpFramer(),
    ids.TLS: TlsFramer,
    ids.SSH: SshFramer,
})
"""Application id → makes the framer, given the parts that rules test."""
