"""What rules may test of IKE."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_DERIVED, TO_SERVER, BufferSpec, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.ike.names import ATTRIBUTES, KINDS
from sensor.proto.ike.state import CHOSEN, datagram_parser
from sensor.proto.messages import STAGE_MESSAGE

_U32 = 0xFFFFFFFF
_CHOSEN = tuple(dict.fromkeys((*ATTRIBUTES.values(), *KINDS.values())))

SPEC = ProtocolSpec(
    name="ike",
    by_sender=True,
    transports=(17,),
    ports=(500, 4500),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=(
        BufferSpec("ike.init_spi", STAGE_MESSAGE, RAW_DERIVED, help="initiator in hex, as the client sends it"),
        BufferSpec("ike.resp_spi", STAGE_MESSAGE, RAW_DERIVED, help="responder in hex, as the server sends it"),
        BufferSpec("ike.vendor", STAGE_MESSAGE, RAW_DERIVED, True, help="each vendor id of the client, in hex"),
        BufferSpec("ike.key_exchange_payload", STAGE_MESSAGE, help="public key of an IKE message"),
        BufferSpec("ike.nonce_payload", STAGE_MESSAGE, help="nonce of an IKE message"),
    ),
    numbers=(
        NumberSpec("ike.exchtype", STAGE_MESSAGE, "exchange type"),
        NumberSpec("ike.key_exchange_payload_length", STAGE_MESSAGE, "bytes of the public key", 0xFFFFFFFF),
        NumberSpec("ike.nonce_payload_length", STAGE_MESSAGE, "bytes of the nonce", 0xFFFFFFFF),
        *(NumberSpec(CHOSEN + name, STAGE_MESSAGE, "what the server chose", _U32) for name in _CHOSEN),
    ),
    new_parser=datagram_parser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("IKE_")),
    log_stages=(STAGE_MESSAGE,),
    rule_names=("ikev2",),
)  # fmt: skip
