"""What rules may test of TFTP."""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_VERBATIM, TO_SERVER, BufferSpec, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.messages import STAGE_MESSAGE
from sensor.proto.tftp.state import OPTIONS, READ, WRITE, datagram_parser

SPEC = ProtocolSpec(
    name="tftp",
    transports=(17,),
    ports=(69,),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=(
        BufferSpec("tftp.file", STAGE_MESSAGE, RAW_VERBATIM, help="name of the file that is asked for"),
        BufferSpec("tftp.mode", STAGE_MESSAGE, RAW_VERBATIM, lowercase=True, help="mode of transfer, lowercase"),
    ),
    numbers=(
        NumberSpec(
            "tftp.opcode",
            STAGE_MESSAGE,
            "kind of packet: 1 read request, 2 write request, 3 data, 4 acknowledgment, 5 error",
            OPTIONS,
            MappingProxyType({"read": READ, "write": WRITE}),
        ),
    ),
    new_parser=datagram_parser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("TFTP_")),
    log_stages=(STAGE_MESSAGE,),
)
