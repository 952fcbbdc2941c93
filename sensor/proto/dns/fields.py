"""What rules may test of DNS: stages and buffers.

A query and its response are transactions of their own, so `dns.query` sees queries only; buffers of both
kinds of message are declared twice, `@to_client` for the response.
"""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import (
    RAW_DERIVED,
    RAW_NAME,
    RAW_QUESTION,
    RAW_VERBATIM,
    TO_CLIENT,
    TO_SERVER,
    BufferSpec,
    ProtocolSpec,
    StageSpec,
)
from sensor.proto.dns.state import MAKERS, QUERY, RESPONSE, datagram_parser, stream_parser


def _spec(name: str, help_text: str, raw: str = RAW_NAME, *aliases: str, multi: bool = True) -> BufferSpec:
    return BufferSpec(name, MAKERS[name][0], raw, multi, aliases, help=help_text)


SPEC = ProtocolSpec(
    name="dns",
    transports=(17, 6),
    ports=(53, 5353, 5355, 137),
    stages=(StageSpec("query", TO_SERVER), StageSpec("response", TO_CLIENT)),
    buffers=(
        _spec("dns.query", "each name asked for, dotted, case as sent", RAW_QUESTION, "dns_query"),
        _spec("dns.query.name", "each name asked for, in a query", RAW_QUESTION),
        _spec("dns.query.name@to_client", "each name asked for, in a response", RAW_QUESTION),
        _spec("dns.answer.name", "owner name of each answer"),
        _spec("dns.response.rrname", "each name of a response: asked for, or owner of a record"),
        _spec("dns.opcode", "opcode of a query, decimal", RAW_DERIVED, multi=False),
        _spec("dns.opcode@to_client", "opcode of a response, decimal", RAW_DERIVED, multi=False),
        _spec("dns.rrtype", "type of each question, decimal", RAW_DERIVED),
        _spec("dns.rrtype@to_client", "types of the question and the answers, decimal", RAW_DERIVED),
        _spec("frame.dns.pdu", "a whole query, without the length in front over TCP", RAW_VERBATIM, multi=False),
        _spec("frame.dns.pdu@to_client", "a whole response", RAW_VERBATIM, multi=False),
        _spec("dns.rcode", "response code, decimal", RAW_DERIVED, multi=False),
    ),
    new_parser=stream_parser,
    new_datagram_parser=datagram_parser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("DNS_")),
    log_stages=(QUERY, RESPONSE),
    rule_names=("mdns", "llmnr", "nbns"),
)
