"""What rules may test of DNP3."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_DERIVED, TO_SERVER, BufferSpec, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.dnp3.eve import FUNCTIONS
from sensor.proto.dnp3.state import Dnp3Parser
from sensor.proto.messages import STAGE_MESSAGE

SPEC = ProtocolSpec(
    name="dnp3",
    transports=(6,),
    ports=(20000,),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=(
        BufferSpec("dnp3.data", STAGE_MESSAGE, RAW_DERIVED, aliases=("dnp3_data",),
                   help="a DNP3 application fragment, without the checksums of its frames"),
    ),
    numbers=(
        NumberSpec("dnp3.func", STAGE_MESSAGE, "function code", names=FUNCTIONS, aliases=("dnp3_func",)),
        NumberSpec("dnp3.ind", STAGE_MESSAGE, "internal indications of a response, first byte high", 0xFFFF),
        NumberSpec("dnp3.obj", STAGE_MESSAGE, "256 x group + variation of each object", 0xFFFF),
    ),
    new_parser=Dnp3Parser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("DNP3_")),
    log_stages=(STAGE_MESSAGE,),
)  # fmt: skip
