"""What rules may test of EtherNet/IP and CIP."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.enip.state import datagram_parser, stream_parser
from sensor.proto.messages import STAGE_MESSAGE

SPEC = ProtocolSpec(
    name="enip",
    transports=(6, 17),
    ports=(44818,),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=(),
    numbers=(
        NumberSpec("enip.command", STAGE_MESSAGE, "command of an EtherNet/IP message", 0xFFFF,
                   aliases=("enip_command",)),
        NumberSpec("cip.service", STAGE_MESSAGE, "each CIP service that a message requests", 0x7F),
        NumberSpec("cip.class", STAGE_MESSAGE, "65536 x service + class, of requests for attributes", 0x7FFFFF),
        NumberSpec("cip.attribute", STAGE_MESSAGE, "65536 x the number before + attribute", 0x7FFFFFFFFF),
    ),
    new_parser=stream_parser,
    new_datagram_parser=datagram_parser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("ENIP_")),
    log_stages=(STAGE_MESSAGE,),
)  # fmt: skip
