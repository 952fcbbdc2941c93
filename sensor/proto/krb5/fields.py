"""What rules may test of Kerberos. Every message is a transaction, so all is known at its one stage."""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER, BufferSpec, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.krb5.eve import ETYPES
from sensor.proto.krb5.state import datagram_parser, stream_parser
from sensor.proto.messages import STAGE_MESSAGE

_ETYPES = MappingProxyType({name: number for number, name in ETYPES.items()})

_PARTS = "of a Kerberos message, each part of the name alone"

SPEC = ProtocolSpec(
    name="krb5",
    by_sender=True,
    transports=(6, 17),
    ports=(88,),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=(
        BufferSpec("krb5.cname", STAGE_MESSAGE, multi=True, aliases=("krb5_cname",), help=f"client {_PARTS}"),
        BufferSpec("krb5.sname", STAGE_MESSAGE, multi=True, aliases=("krb5_sname",), help=f"service {_PARTS}"),
        BufferSpec("krb5.realm", STAGE_MESSAGE, help="realm of a Kerberos message"),
    ),
    numbers=(
        NumberSpec("krb5.msg_type", STAGE_MESSAGE, "10 AS-REQ, 11 AS-REP, 12 TGS-REQ, 13 TGS-REP, 30 error", 0xFF,
                   aliases=("krb5_msg_type",)),
        NumberSpec("krb5.err_code", STAGE_MESSAGE, "code of an error", 0xFFFF, aliases=("krb5_err_code",)),
        NumberSpec("krb5.ticket_encryption", STAGE_MESSAGE, "encryption type of a ticket; negative ones less 2**32",
                   0xFFFFFFFF, _ETYPES),
        NumberSpec("krb5.ticket_weak", STAGE_MESSAGE, "1: the encryption of a ticket is deprecated", 1),
    ),
    new_parser=stream_parser,
    new_datagram_parser=datagram_parser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("KRB5_")),
    log_stages=(STAGE_MESSAGE,),
)  # fmt: skip
