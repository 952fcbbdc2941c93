"""The protocols that Xensor parses: one explicit tuple, the look-ups derived from it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.proto.dhcp.fields import SPEC as DHCP
from sensor.proto.dns.fields import SPEC as DNS
from sensor.proto.http1.fields import SPEC as HTTP
from sensor.proto.ssh.fields import SPEC as SSH
from sensor.proto.tls.fields import SPEC as TLS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensor.model.app import BufferSpec, ProtocolSpec

PROTOCOLS: tuple[ProtocolSpec, ...] = (HTTP, DNS, TLS, SSH, DHCP)

FIRST_APP_ID = 2
"""Ids below are `model.rows.APP_UNDECIDED` and `APP_UNKNOWN`."""


def _by_name() -> Mapping[str, ProtocolSpec]:
    return MappingProxyType({name: spec for spec in PROTOCOLS for name in (spec.name, *spec.rule_names)})


def _buffers() -> Mapping[str, tuple[ProtocolSpec, BufferSpec]]:
    out: dict[str, tuple[ProtocolSpec, BufferSpec]] = {}
    for spec in PROTOCOLS:
        for buffer in spec.buffers:
            for name in (buffer.name, *buffer.aliases):
                out[name] = (spec, buffer)
    return MappingProxyType(out)


BY_NAME: Mapping[str, ProtocolSpec] = _by_name()
"""Protocol by its name or any word that rule headers use for it."""

APP_ID: Mapping[str, int] = MappingProxyType({spec.name: n for n, spec in enumerate(PROTOCOLS, FIRST_APP_ID)})
"""Protocol name → value of the flow table's `app` column."""

BUFFERS: Mapping[str, tuple[ProtocolSpec, BufferSpec]] = _buffers()
"""Buffer by its name or alias."""
