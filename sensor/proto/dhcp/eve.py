"""The `dhcp` object of EVE (Suricata's names)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sensor.proto.dhcp import parse
from sensor.proto.dhcp.parse import BOOT_REPLY, BOOT_REQUEST, DhcpMessage
from sensor.proto.text import text

_TYPES = ("discover", "offer", "request", "decline", "ack", "nak", "release", "inform")
"""Message types 1 to 8 (RFC 2132 section 9.6)."""

_PARAMETERS: Mapping[int, str] = MappingProxyType(
    {
        1: "subnet_mask", 3: "router", 6: "dns_server", 15: "domain", 35: "arp_timeout", 42: "ntp_server",
        66: "tftp_server_name", 150: "tftp_server_ip",
    }
)  # fmt: skip
"""Requested options that have a name; the others are left out, as Suricata does."""


def message_type(message: DhcpMessage) -> str:
    """Return the word for the message type; empty where the option is absent (BOOTP)."""
    value = message.options.get(parse.OPT_MESSAGE_TYPE)
    if not value:
        return ""
    return _TYPES[value[0] - 1] if 1 <= value[0] <= len(_TYPES) else "unknown"


def ip(raw: bytes) -> str:
    """Return four bytes in dotted form, other sizes as hex."""
    return "{}.{}.{}.{}".format(*raw) if len(raw) == 4 else raw.hex(":")


def ips(raw: bytes) -> list[str]:
    """Return a list of addresses; a cut last one is left out."""
    return [ip(raw[i : i + 4]) for i in range(0, len(raw) - 3, 4)]


def fields(message: DhcpMessage) -> dict[str, Any]:
    """Return the EVE object of a message."""
    found: dict[str, Any] = {
        "type": "request" if message.op == BOOT_REQUEST else "reply",
        "id": message.xid,
        "client_mac": message.client_mac.hex(":"),
        "assigned_ip": ip(message.assigned_ip),
        "client_ip": ip(message.client_ip),
    }
    if message.op == BOOT_REPLY:
        found["relay_ip"] = ip(message.relay_ip)
        found["next_server_ip"] = ip(message.next_server_ip)
    if kind := message_type(message):
        found["dhcp_type"] = kind
    return found | _option_fields(message.options)


def _option_fields(options: Mapping[int, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for code, name, show in _OPTIONS:
        value = options.get(code)
        if value:
            found[name] = show(value)
    return found


def _seconds(raw: bytes) -> int:
    return int.from_bytes(raw[:4], "big")


def _client_id(raw: bytes) -> str:
    """Return the identifier without its type byte (RFC 2132 section 9.14)."""
    return raw[1:].hex(":")


def _parameters(raw: bytes) -> list[str]:
    return [_PARAMETERS[code] for code in raw if code in _PARAMETERS]


_OPTIONS = (
    (parse.OPT_CLIENT_ID, "client_id", _client_id),
    (parse.OPT_LEASE_TIME, "lease_time", _seconds),
    (parse.OPT_REBINDING_TIME, "rebinding_time", _seconds),
    (parse.OPT_RENEWAL_TIME, "renewal_time", _seconds),
    (parse.OPT_REQUESTED_IP, "requested_ip", ip),
    (parse.OPT_SUBNET_MASK, "subnet_mask", ip),
    (parse.OPT_HOSTNAME, "hostname", text),
    (parse.OPT_VENDOR_CLASS, "vendor_class_identifier", text),
    (parse.OPT_PARAMETERS, "params", _parameters),
    (parse.OPT_DNS_SERVERS, "dns_servers", ips),
    (parse.OPT_ROUTERS, "routers", ips),
)
