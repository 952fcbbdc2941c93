"""What rules may test of WebSocket."""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_DERIVED, TO_SERVER, BufferSpec, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.messages import STAGE_MESSAGE
from sensor.proto.websocket.frames import COMPRESSED, FIN
from sensor.proto.websocket.state import OPCODES, WebSocketParser

FLAGS = MappingProxyType({"fin": FIN, "comp": COMPRESSED})

SPEC = ProtocolSpec(
    name="websocket",
    transports=(6,),
    ports=(),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=(
        BufferSpec("websocket.payload", STAGE_MESSAGE, RAW_DERIVED,
                   help="payload of a frame, unmasked; of the last one of a message the whole message"),
    ),
    numbers=(
        NumberSpec("websocket.flags", STAGE_MESSAGE, "first four bits of a frame: fin 128, comp 64"),
        NumberSpec("websocket.mask", STAGE_MESSAGE, "masking key", high=0xFFFFFFFF),
        NumberSpec("websocket.opcode", STAGE_MESSAGE, "kind of a frame", high=15,
                   names=MappingProxyType({name: number for number, name in OPCODES.items()})),
    ),
    new_parser=WebSocketParser,
    events=(AppAnomaly.WEBSOCKET_SKIP_END_OF_PAYLOAD, AppAnomaly.WEBSOCKET_REASSEMBLY_LIMIT_REACHED),
    log_stages=(STAGE_MESSAGE,),
    carriers=("http",),
    switch=(b"upgrade: websocket", b"websocket\r\n"),
)  # fmt: skip
