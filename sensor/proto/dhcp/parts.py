"""The parts of DHCP frames (`sensor.model.frames`), by number: what fields and options of a message say."""

from types import MappingProxyType

from sensor.model.app import Framing
from sensor.model.frames import PARTS

(
    TYPE, CLIENT_MAC, CLIENT_IP, ASSIGNED_IP, NEXT_SERVER_IP, RELAY_IP, REQUESTED_IP, SERVER_ID,
    HOSTNAME, DOMAIN, VENDOR_CLASS, CLIENT_ID, PARAMS, LEASE_TIME, RENEWAL_TIME, REBINDING_TIME,
) = range(16)  # fmt: skip

PARTS_OF = MappingProxyType({
    "dhcp.type": TYPE, "dhcp.client_mac": CLIENT_MAC, "dhcp.client_ip": CLIENT_IP, "dhcp.assigned_ip": ASSIGNED_IP,
    "dhcp.next_server_ip": NEXT_SERVER_IP, "dhcp.relay_ip": RELAY_IP, "dhcp.requested_ip": REQUESTED_IP,
    "dhcp.server_id": SERVER_ID, "dhcp.hostname": HOSTNAME, "dhcp.domain": DOMAIN, "dhcp.vendor_class": VENDOR_CLASS,
    "dhcp.client_id": CLIENT_ID, "dhcp.params": PARAMS, "dhcp.leasetime": LEASE_TIME,
    "dhcp.renewal_time": RENEWAL_TIME, "dhcp.rebinding_time": REBINDING_TIME,
})  # fmt: skip
"""Buffer of a rule → the part of a frame that it is."""

FRAMING = Framing(
    parts=PARTS_OF,
    text=frozenset(range(HOSTNAME)),
    goes_on=PARTS,
    cookie=TYPE,
    without_cookie=frozenset(),
    otherwise=MappingProxyType({}),
    heads=(0, 0),
    wholes=(0, 0),
    tells=frozenset(),
    marked=frozenset(),
)
