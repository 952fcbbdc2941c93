"""What rules may test of DHCP. Every buffer exists in requests and replies alike."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_DERIVED, TO_SERVER, BufferSpec, ProtocolSpec, StageSpec
from sensor.proto.dhcp.parts import FRAMING
from sensor.proto.dhcp.state import STAGE_MESSAGE, DhcpParser

# Options may be split (RFC 3396) or overloaded into other fields, so no buffer is verbatim for certain.
_TEXTS = (
    ("dhcp.type", "`discover`, `offer`, `request`, `decline`, `ack`, `nak`, `release`, `inform`, `unknown`"),
    ("dhcp.client_mac", "`00:16:3e:…`"),
    ("dhcp.client_ip", "dotted"),
    ("dhcp.assigned_ip", "dotted"),
    ("dhcp.next_server_ip", "dotted"),
    ("dhcp.relay_ip", "dotted"),
    ("dhcp.requested_ip", "dotted"),
    ("dhcp.server_id", "dotted"),
    ("dhcp.hostname", "as sent"),
    ("dhcp.domain", "as sent"),
    ("dhcp.vendor_class", "as sent"),
    ("dhcp.client_id", "as sent, type byte included"),
    ("dhcp.params", "requested option codes, one byte each"),
    ("dhcp.leasetime", "seconds, four bytes big-endian"),
    ("dhcp.renewal_time", "seconds, four bytes big-endian"),
    ("dhcp.rebinding_time", "seconds, four bytes big-endian"),
)

SPEC = ProtocolSpec(
    name="dhcp",
    by_sender=True,
    transports=(17,),
    ports=(67, 68),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=tuple(BufferSpec(name, STAGE_MESSAGE, RAW_DERIVED, help=text) for name, text in _TEXTS),
    new_parser=DhcpParser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("DHCP_")),
    log_stages=(STAGE_MESSAGE,),
    framing=FRAMING,
)
