"""What rules may test of RDP."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER, BufferSpec, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.messages import STAGE_MESSAGE
from sensor.proto.rdp.state import PROTOCOLS, RdpParser

SPEC = ProtocolSpec(
    name="rdp",
    transports=(6,),
    ports=(3389,),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=(BufferSpec("rdp.cookie", STAGE_MESSAGE, help="`mstshash` of an RDP client: the user, cut short"),),
    numbers=(
        NumberSpec("rdp.requested", STAGE_MESSAGE, "sum of the security protocols that the client offers", 0xFFFFFFFF,
                   PROTOCOLS),
        NumberSpec("rdp.protocol", STAGE_MESSAGE, "security protocol that the server chose", 0xFFFFFFFF, PROTOCOLS),
        NumberSpec("rdp.failure", STAGE_MESSAGE, "why the server refused", 0xFFFFFFFF),
    ),
    new_parser=RdpParser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("RDP_")),
    log_stages=(STAGE_MESSAGE,),
)  # fmt: skip
