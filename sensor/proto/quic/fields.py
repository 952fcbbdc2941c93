"""What rules may test of QUIC."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_DERIVED, TO_SERVER, BufferSpec, ProtocolSpec, StageSpec
from sensor.proto.quic.state import STAGE_MESSAGE, QuicParser

# Hellos are encrypted; and all packets of a flow must be read in their order, so no literal may choose among them.
_TEXTS = (
    ("quic.version", "version of a QUIC packet, four bytes"),
    ("quic.sni", "server name of a QUIC client"),
    ("quic.ua", "user agent of a gQUIC client"),
    ("quic.cyu.hash", "MD5 of the next"),
    ("quic.cyu.string", "version and tags of a gQUIC client"),
)

SPEC = ProtocolSpec(
    name="quic",
    by_sender=True,
    transports=(17,),
    ports=(443,),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=(
        *(BufferSpec(name, STAGE_MESSAGE, RAW_DERIVED, help=text) for name, text in _TEXTS),
        BufferSpec("ja3.hash", STAGE_MESSAGE, RAW_DERIVED, aliases=("ja3_hash",), lowercase=True),
        BufferSpec("ja3.string", STAGE_MESSAGE, RAW_DERIVED, aliases=("ja3_string",)),
        BufferSpec("ja4.hash", STAGE_MESSAGE, RAW_DERIVED, aliases=("ja4_hash",), lowercase=True),
        BufferSpec("ja3s.hash", STAGE_MESSAGE, RAW_DERIVED, lowercase=True),
        BufferSpec("ja3s.string", STAGE_MESSAGE, RAW_DERIVED),
    ),
    new_parser=QuicParser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("QUIC_")),
    log_stages=(STAGE_MESSAGE,),
    flow_state=True,
)
