"""What rules may test of LDAP, under the names of Suricata 8."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_DERIVED, TO_SERVER, BufferSpec, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.ldap.parse import OPERATIONS
from sensor.proto.ldap.state import RESULTS, datagram_parser, stream_parser
from sensor.proto.messages import STAGE_MESSAGE

SPEC = ProtocolSpec(
    name="ldap",
    transports=(6, 17),
    ports=(389, 3268),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=(
        BufferSpec("ldap.request.dn", STAGE_MESSAGE, help="name that an LDAP request is about"),
        BufferSpec("ldap.request.attribute_type", STAGE_MESSAGE, multi=True, help="each attribute of a request"),
        BufferSpec("ldap.request.filter", STAGE_MESSAGE, RAW_DERIVED, help="filter of a search, `(&(a=b)(c=*))`"),
        BufferSpec("ldap.request.mechanism", STAGE_MESSAGE, help="SASL mechanism of a bind"),
        BufferSpec("ldap.responses.dn", STAGE_MESSAGE, help="name of an entry found, or of a result"),
        BufferSpec("ldap.responses.attribute_type", STAGE_MESSAGE, multi=True, help="each attribute of an entry"),
        BufferSpec("ldap.responses.message", STAGE_MESSAGE, help="diagnostic message of a result"),
    ),
    numbers=(
        NumberSpec("ldap.request.operation", STAGE_MESSAGE, "what is asked for", names=OPERATIONS),
        NumberSpec("ldap.responses.operation", STAGE_MESSAGE, "what is answered", names=OPERATIONS),
        NumberSpec("ldap.responses.result_code", STAGE_MESSAGE, "result", 0xFFFF, RESULTS),
    ),
    new_parser=stream_parser,
    new_datagram_parser=datagram_parser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("LDAP_")),
    log_stages=(STAGE_MESSAGE,),
)
