"""What rules may test of SNMP."""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER, BufferSpec, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.messages import STAGE_MESSAGE
from sensor.proto.snmp.eve import PDUS
from sensor.proto.snmp.state import datagram_parser, stream_parser

_PDUS = MappingProxyType({name: number for number, name in enumerate(PDUS)})

SPEC = ProtocolSpec(
    name="snmp",
    by_sender=True,
    transports=(17, 6),
    ports=(161, 162),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=(
        BufferSpec("snmp.community", STAGE_MESSAGE, help="community string"),
        BufferSpec("snmp.usm", STAGE_MESSAGE, help="user name of version 3"),
    ),
    numbers=(
        NumberSpec("snmp.version", STAGE_MESSAGE, "1, 2, 3", 0xFFFFFFFF),
        NumberSpec("snmp.pdu_type", STAGE_MESSAGE, "kind of PDU, where it is not encrypted", 0xFFFFFFFF, names=_PDUS),
    ),
    new_parser=stream_parser,
    new_datagram_parser=datagram_parser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("SNMP_")),
    log_stages=(STAGE_MESSAGE,),
    flow_state=True,
)
