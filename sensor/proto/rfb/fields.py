"""What rules may test of RFB, and at which stage it is known."""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_VERBATIM, TO_CLIENT, TO_SERVER, BufferSpec, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.rfb.state import (
    FRAMES,
    STAGE_CLIENT_FRAME,
    STAGE_RESULT,
    STAGE_SECURITY,
    STAGE_SERVER_FRAME,
    STAGE_SERVER_INIT,
    RfbParser,
)
from sensor.proto.rfb.transaction import RESULTS

SPEC = ProtocolSpec(
    name="rfb",
    transports=(6,),
    ports=(5900, 5901),
    stages=(
        StageSpec("server_version", TO_CLIENT),
        StageSpec("client_version", TO_SERVER),
        StageSpec("security", TO_SERVER),
        StageSpec("result", TO_CLIENT),
        StageSpec("server_init", TO_CLIENT),
        StageSpec("frame", TO_SERVER),
        StageSpec("server_frame", TO_CLIENT),
    ),
    buffers=(
        BufferSpec("rfb.name", STAGE_SERVER_INIT, help="name of a VNC desktop"),
        BufferSpec("frame.rfb.pdu", STAGE_CLIENT_FRAME, RAW_VERBATIM, help="each message of the handshake"),
        BufferSpec("frame.rfb.pdu@to_client", STAGE_SERVER_FRAME, RAW_VERBATIM, help="each message of the handshake"),
    ),
    numbers=(
        NumberSpec("rfb.sectype", STAGE_SECURITY, "chosen security type", 0xFFFFFFFF),
        NumberSpec("rfb.secresult", STAGE_RESULT, "outcome of the authentication", 3,
                   MappingProxyType({word: number for number, word in enumerate(RESULTS)})),
    ),
    new_parser=RfbParser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("RFB_")),
    log_stages=(STAGE_SERVER_INIT,),
    frame_stages=FRAMES,
)  # fmt: skip
