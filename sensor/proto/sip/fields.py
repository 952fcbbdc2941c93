"""What rules may test of SIP."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER, BufferSpec, ProtocolSpec, StageSpec
from sensor.proto.messages import STAGE_MESSAGE
from sensor.proto.sip.state import datagram_parser

_TEXTS = (
    ("sip.method", "method of a SIP request"),
    ("sip.uri", "target of a SIP request, as sent"),
    ("sip.request_line", "first line of a SIP request, without its end"),
    ("sip.protocol", "`SIP/2.0`, of either side"),
    ("sip.stat_code", "three digits of a SIP response"),
    ("sip.stat_msg", "reason of a SIP response"),
    ("sip.response_line", "first line of a SIP response, without its end"),
    ("frame.sip.pdu", "a whole SIP message"),
    ("frame.sip.request.line", "first line of a SIP request"),
    ("frame.sip.request.headers", "its header lines"),
    ("frame.sip.request.body", "its body"),
    ("frame.sip.response.line", "first line of a SIP response"),
    ("frame.sip.response.headers", "its header lines"),
    ("frame.sip.response.body", "its body"),
)

SPEC = ProtocolSpec(
    name="sip",
    by_sender=True,
    transports=(17,),
    ports=(5060, 5061),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=tuple(BufferSpec(name, STAGE_MESSAGE, help=text) for name, text in _TEXTS),
    new_parser=datagram_parser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("SIP_")),
    log_stages=(STAGE_MESSAGE,),
)
