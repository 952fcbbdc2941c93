"""What rules may test of Modbus: requests only."""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.messages import STAGE_MESSAGE
from sensor.proto.modbus import parse
from sensor.proto.modbus.state import stream_parser

CATEGORIES = MappingProxyType(
    {"assigned": parse.ASSIGNED, "unassigned": parse.UNASSIGNED, "public": parse.ASSIGNED | parse.UNASSIGNED,
     "user": parse.USER, "reserved": parse.RESERVED, "all": 15}
)  # fmt: skip
TABLES = MappingProxyType(
    {"discretes": parse.DISCRETES, "coils": parse.COILS, "input": parse.INPUT, "holding": parse.HOLDING}
)

SPEC = ProtocolSpec(
    name="modbus",
    transports=(6,),
    ports=(502,),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=(),
    numbers=(
        NumberSpec("modbus.function", STAGE_MESSAGE, "function of a request"),
        NumberSpec("modbus.subfunction", STAGE_MESSAGE, "subfunction of a diagnosis", 0xFFFF),
        NumberSpec("modbus.unit", STAGE_MESSAGE, "unit that is asked"),
        NumberSpec("modbus.category", STAGE_MESSAGE, "1 assigned, 2 unassigned, 4 user, 8 reserved function", 15),
        NumberSpec("modbus.access", STAGE_MESSAGE, "sum of 1 read, 2 write, 4 discretes, 8 coils, 16 input, 32 holding",
                   63),
        NumberSpec("modbus.first", STAGE_MESSAGE, "first address, from 1", 0xFFFFF),
        NumberSpec("modbus.last", STAGE_MESSAGE, "last address, from 1", 0xFFFFF),
        NumberSpec("modbus.written", STAGE_MESSAGE, "65536 x address + value of each value written", 0xFFFFFFFFF),
    ),
    new_parser=stream_parser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("MODBUS_")),
    log_stages=(STAGE_MESSAGE,),
)  # fmt: skip
