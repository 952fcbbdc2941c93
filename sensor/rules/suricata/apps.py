"""Keywords about application protocols that name no buffer: numbers of transactions, events, frames."""

from __future__ import annotations

import functools
import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.model.anomaly import OTHERWISE
from sensor.proto.dnp3.eve import INDICATIONS
from sensor.proto.registry import BY_NAME, BY_WORD, NUMBERS
from sensor.rules import buffers, fields
from sensor.rules.check import NEVER
from sensor.rules.nodes import HeaderTest, Not
from sensor.rules.suricata.numbers import comparison, integer
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensor.rules.suricata.draft import Draft

_FRAME = "frame."
"""A frame is a buffer of this name and the frame's."""


def number(name: str) -> Callable[[Draft, str], None] | None:
    """Return the handler of a comparison with a number of transactions; None: it names none."""
    field = fields.BY_NAME.get(name)
    if field is None or field.name not in NUMBERS:
        return None
    names = dict(field.names)
    if field.name == "http2.frametype":  # RST_STREAM is RSTSTREAM there
        names |= {word.replace("_", ""): value for word, value in names.items()}

    def handle(draft: Draft, value: str) -> None:
        words = [word.strip() for word in value.strip('" ').split(",")]
        if len(words) == 1:
            found = comparison(words[0], field.high, names)
            draft.conditions.append(HeaderTest(field.name, found.op, found.low, found.high))
            return
        listed = [comparison(word, field.high, names) for word in words]
        if any(one.op != "=" for one in listed):
            raise Refused("a list holds values, no comparisons")
        draft.conditions.append(HeaderTest(field.name, "in", values=tuple(one.low for one in listed)))

    return handle


def ticket_encryption(draft: Draft, value: str) -> None:
    """`krb5.ticket_encryption:weak`, `:!weak`, `:aes128-cts-hmac-sha1-96,rc4-hmac`, `:!rc4-hmac,!23`, `:-133`."""
    field = fields.BY_NAME["krb5.ticket_encryption"]
    words = re.split(r"[,\s]+", value.strip('" ').lower())
    if words in (["weak"], ["!weak"]):
        draft.conditions.append(HeaderTest("krb5.ticket_weak", "=", int(words == ["weak"])))
        return
    plain = (word.lstrip("!") for word in words)
    numbers = [field.names.get(word) or integer(word, -(1 << 31), (1 << 31) - 1) & field.high for word in plain]
    negated = [word.startswith("!") for word in words]
    if not any(negated):
        draft.conditions.append(HeaderTest(field.name, "in", values=tuple(numbers)))
    elif all(negated):
        draft.conditions.extend(HeaderTest(field.name, "!=", number) for number in numbers)
    else:
        raise Refused("a list names what may be or what may not be, not both")


def chosen_sa_attribute(draft: Draft, value: str) -> None:
    """`ike.chosen_sa_attribute:alg_enc=7`."""
    name, _, number_text = value.partition("=")
    field = fields.BY_NAME.get(f"ike.chosen.{name.strip()}")
    if field is None:
        raise Refused(f"'{name[:40]}' is no attribute")
    draft.conditions.append(HeaderTest(field.name, "=", integer(number_text, 0, field.high)))


def cip_service(draft: Draft, value: str) -> None:
    """`cip_service:14`, `cip_service:14,5` (class), `cip_service:14,5,6` (attribute), `cip_service:14,5,!6`."""
    words = [word.strip() for word in value.split(",")]
    if len(words) > 3:
        raise Refused("takes service, class and attribute")
    negated = len(words) == 3 and words[2].startswith("!")
    plain = [word.removeprefix("!") if negated else word for word in words]
    numbers = [integer(word, 0, top) for word, top in zip(plain, (0x7F, 0xFFFF, 0xFFFF), strict=False)]
    whole = functools.reduce(lambda above, number: above << 16 | number, numbers)
    test = HeaderTest(("cip.service", "cip.class", "cip.attribute")[len(numbers) - 1], "=", whole)
    if negated:
        draft.conditions.append(HeaderTest("cip.class", "=", whole >> 16))
        draft.conditions.append(Not(test))
    else:
        draft.conditions.append(test)


def dnp3_indications(draft: Draft, value: str) -> None:
    """`dnp3_ind:device_restart,need_time`: any of these bits."""
    bits = 0
    for word in value.lower().split(","):
        name = word.strip()
        bits |= INDICATIONS[name] if name in INDICATIONS else integer(name, 1, 0xFFFF)
    draft.conditions.append(HeaderTest("dnp3.ind", "any", bits))


def dnp3_object(draft: Draft, value: str) -> None:
    """`dnp3_obj:12,1`: group and variation."""
    group, comma, variation = value.partition(",")
    if not comma:
        raise Refused("takes group and variation")
    draft.conditions.append(HeaderTest("dnp3.obj", "=", integer(group, 0, 255) << 8 | integer(variation, 0, 255)))


_EVENTS: Mapping[str, str] = MappingProxyType({theirs: ours for ours, theirs in OTHERWISE.items()})
"""Events that have another name here."""


_NEVER = frozenset({
    "tls.certificate_missing_element", "tls.certificate_unknown_element", "tls.certificate_invalid_string",
    "tls.heartbeat_message", "dhcp.malformed_options", "dns.too_many_labels", "http2.extra_header_data",
    *(f"tls.{name}" for name in (
        "certificate_invalid_x509name", "certificate_invalid_validity", "invalid_alert_message",
        "invalid_sslv2_header", "invalid_tls_header",
    )),
    *(f"smtp.{name}" for name in (
        "mime_invalid_base64", "unable_to_match_reply_with_request", "max_command_line_len_exceeded",
        "max_reply_line_len_exceeded", "failed_protocol_change",
    )),
    *(f"http.{name}" for name in (
        "request_line_missing_protocol", "request_line_invalid", "unknown_error",
        "invalid_transfer_encoding_value_in_response", "invalid_server_port_in_request", "invalid_authority_port",
        "request_server_port_tcp_port_mismatch",
        "response_field_too_long", "request_header_repetition", "response_header_repetition", "failed_protocol_change",
        "lzma_memlimit_reached", "multipart_generic_error",
    )),
})  # fmt: skip
"""Events of its rules that Suricata never raises, whatever was sent; of the certificates, earlier versions did."""


def event(draft: Draft, value: str) -> None:
    """`app-layer-event:http.double_encoded_uri`."""
    field = fields.BY_NAME[fields.APP_EVENT]
    name = value.strip().lower()
    if name in _NEVER:
        draft.conditions.append(NEVER)
        return
    name = _EVENTS.get(name, name)
    proto, dot, rest = name.partition(".")
    if proto in BY_NAME:
        name = BY_NAME[proto].name.replace("-", "_") + dot + rest
    found = field.names.get(name, field.names.get(f"applayer.{name.removeprefix('applayer_')}"))
    if found is None:
        raise Refused(f"the event '{name[:60]}' is not told apart here")
    draft.conditions.append(HeaderTest(field.name, "=", found))


def frame(draft: Draft, value: str) -> None:
    """`frame:mqtt.pdu`, `frame:pdu` in a rule of one protocol: the bytes of a protocol's message."""
    name = value.strip()
    proto, _, rest = name.partition(".")
    spoken = BY_WORD.get(draft.proto, ())
    for full in (name, f"{draft.proto}.{name}", rest):
        found = buffers.find(_FRAME + full)
        fits = found is not None and (full != rest or found[0].name == proto)
        if found is not None and fits and (not spoken or found[0] in spoken):
            draft.select(found[1].name)
            return
    raise Refused(f"the frame '{name[:40]}' is not cut out here")
