"""DHCP of one flow: every datagram is a transaction of its own."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TxStage
from sensor.proto.dhcp import eve, parse
from sensor.proto.dhcp.parse import DhcpMessage
from sensor.proto.oddities import Oddities

STAGE_MESSAGE = 0


class DhcpTransaction:
    """One DHCP message."""

    __slots__ = ("id", "message")

    def __init__(self, number: int, message: DhcpMessage) -> None:
        self.id = number
        self.message = message

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the one instance of a buffer; empty where it is absent."""
        read = _BUFFERS.get(name)
        value = read(self.message) if read else b""
        return (value,) if value else ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        return eve.fields(self.message)


class DhcpParser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_count", "done")

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self._count = 0

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take one datagram."""
        message = parse.message(data)
        if message is None or message.malformed:
            self._report(AppAnomaly.DHCP_MALFORMED, side)
        if message is None:
            return []
        if message.truncated:
            self._report(AppAnomaly.DHCP_TRUNCATED_OPTIONS, side)
        tx = DhcpTransaction(self._count, message)
        self._count += 1
        return [TxStage(tx, STAGE_MESSAGE, side)]

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Do nothing: datagrams have no gaps."""
        return []

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Do nothing: nothing is pending."""
        return []


def _option(code: int) -> Callable[[DhcpMessage], bytes]:
    return lambda message: message.options.get(code, b"")


def _option_ip(code: int) -> Callable[[DhcpMessage], bytes]:
    return lambda message: eve.ip(message.options.get(code, b"")).encode()


_BUFFERS: Mapping[str, Callable[[DhcpMessage], bytes]] = MappingProxyType(
    {
        "dhcp.type": lambda m: eve.message_type(m).encode(),
        "dhcp.client_mac": lambda m: m.client_mac.hex(":").encode(),
        "dhcp.client_ip": lambda m: eve.ip(m.client_ip).encode(),
        "dhcp.assigned_ip": lambda m: eve.ip(m.assigned_ip).encode(),
        "dhcp.next_server_ip": lambda m: eve.ip(m.next_server_ip).encode(),
        "dhcp.relay_ip": lambda m: eve.ip(m.relay_ip).encode(),
        "dhcp.requested_ip": _option_ip(parse.OPT_REQUESTED_IP),
        "dhcp.server_id": _option_ip(parse.OPT_SERVER_ID),
        "dhcp.hostname": _option(parse.OPT_HOSTNAME),
        "dhcp.domain": _option(parse.OPT_DOMAIN),
        "dhcp.vendor_class": _option(parse.OPT_VENDOR_CLASS),
        "dhcp.client_id": _option(parse.OPT_CLIENT_ID),
        "dhcp.params": _option(parse.OPT_PARAMETERS),
        "dhcp.leasetime": _option(parse.OPT_LEASE_TIME),
        "dhcp.renewal_time": _option(parse.OPT_RENEWAL_TIME),
        "dhcp.rebinding_time": _option(parse.OPT_REBINDING_TIME),
    }
)
