"""What rules may test of NTP."""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.messages import STAGE_MESSAGE
from sensor.proto.ntp.parse import MODES
from sensor.proto.ntp.state import datagram_parser

_MODES = MappingProxyType({name: number for number, name in enumerate(MODES)})

SPEC = ProtocolSpec(
    name="ntp",
    transports=(17,),
    ports=(123,),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=(),
    numbers=(
        NumberSpec("ntp.version", STAGE_MESSAGE, "version of a packet", high=7),
        NumberSpec("ntp.mode", STAGE_MESSAGE, "what a packet is", high=7, names=_MODES),
        NumberSpec("ntp.stratum", STAGE_MESSAGE, "how far its sender is from a clock"),
        NumberSpec("ntp.reference_id", STAGE_MESSAGE, "its sender's source of time", high=0xFFFFFFFF),
        NumberSpec("ntp.opcode", STAGE_MESSAGE, "operation of a control message", high=31),
        NumberSpec("ntp.request_code", STAGE_MESSAGE, "request code of a private message (42: monlist)"),
    ),
    new_parser=datagram_parser,
    events=(AppAnomaly.NTP_MALFORMED_DATA,),
    log_stages=(STAGE_MESSAGE,),
)
