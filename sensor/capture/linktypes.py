"""Names of link types and which of them can be decoded (https://www.tcpdump.org/linktypes.html)."""

from sensor.model import block

LINKTYPE_MASK = 0x03FFFFFF
"""The link type in a classic file header; the bits above it tell of a frame check sequence
(draft-ietf-opsawg-pcap section 4). Reserved bits stay in, so that a file which sets them is refused."""

_ALIASES = {12: block.LINKTYPE_RAW, 14: block.LINKTYPE_RAW}
"""Raw IP under the DLT numbers of Linux and OpenBSD, which some writers put into files."""

SUPPORTED = {
    block.LINKTYPE_NULL: "NULL",
    block.LINKTYPE_ETHERNET: "ETHERNET",
    block.LINKTYPE_PPP: "PPP",
    block.LINKTYPE_PPP_HDLC: "PPP_HDLC",
    block.LINKTYPE_RAW: "RAW",
    block.LINKTYPE_C_HDLC: "C_HDLC",
    block.LINKTYPE_LOOP: "LOOP",
    block.LINKTYPE_LINUX_SLL: "LINUX_SLL",
    block.LINKTYPE_IPV4: "IPV4",
    block.LINKTYPE_IPV6: "IPV6",
    block.LINKTYPE_LINUX_SLL2: "LINUX_SLL2",
}
"""What decode understands: number → name."""

_OTHERS = {
    6: "IEEE802_5",
    7: "ARCNET_BSD",
    8: "SLIP",
    10: "FDDI",
    51: "PPP_ETHER",
    100: "ATM_RFC1483",
    105: "IEEE802_11",
    107: "FRELAY",
    117: "PFLOG",
    119: "IEEE802_11_PRISM",
    122: "IP_OVER_FC",
    127: "IEEE802_11_RADIOTAP",
    129: "ARCNET_LINUX",
    138: "APPLE_IP_OVER_IEEE1394",
    140: "MTP2",
    141: "MTP3",
    143: "DOCSIS",
    147: "USER0",
    149: "USER2",
    160: "USER13",
    163: "IEEE802_11_AVS",
    166: "PPP_PPPD",
    169: "GPRS_LLC",
    177: "LINUX_LAPD",
    178: "JUNIPER_ETHER",
    182: "JUNIPER_FRELAY",
    187: "BLUETOOTH_HCI_H4",
    189: "USB_LINUX",
    192: "PPI",
    195: "IEEE802_15_4_WITHFCS",
    201: "BLUETOOTH_HCI_H4_WITH_PHDR",
    204: "PPP_WITH_DIR",
    220: "USB_LINUX_MMAPPED",
    224: "FC_2",
    227: "CAN_SOCKETCAN",
    230: "IEEE802_15_4_NOFCS",
    231: "DBUS",
    239: "NFLOG",
    240: "NETANALYZER",
    242: "IPOIB",
    249: "USBPCAP",
    251: "BLUETOOTH_LE_LL",
    252: "WIRESHARK_UPPER_PDU",
    253: "NETLINK",
    256: "BLUETOOTH_LE_LL_WITH_PHDR",
    258: "PKTAP",
    271: "VSOCK",
    272: "NORDIC_BLE",
    274: "ETHERNET_MPACKET",
    281: "DSA_TAG_BRCM",
    283: "IEEE802_15_4_TAP",
    285: "DSA_TAG_EDSA",
}
"""Names for the message that refuses a file."""


def normalise(raw: int) -> int:
    """Return the link type that decode knows for the number `raw` of a file, -1 where there is none."""
    number = _ALIASES.get(raw, raw)
    return number if number in SUPPORTED else -1


def describe(raw: int) -> str:
    """Return `link type 127 (IEEE802_11_RADIOTAP)`."""
    return f"link type {raw} ({SUPPORTED.get(normalise(raw)) or _OTHERS.get(raw, 'unknown')})"
