"""Which network cards talk: the MAC addresses of packets and of flows, each beside the IP address of the same end."""

from __future__ import annotations

import numpy as np

from sensor.model import addr
from sensor.model.block import LINKTYPE_ETHERNET, PacketBlock
from sensor.model.rows import FRAG_REASSEMBLED, FS_NEW

_MACS = 12
"""Bytes: destination and source stand at the beginning of a frame."""
_HEADER = 14
_UNKNOWN = bytes(6)


class Stations:
    """What the first frame of each flow said. slots: of the flow table, 12 bytes each."""

    def __init__(self, slots: int) -> None:
        self._macs = np.zeros((slots, _MACS), np.uint8)

    def learn(self, block: PacketBlock, rows: np.ndarray, buf: np.ndarray) -> None:
        """Take note of the flows that begin in a block. rows: ROW[n], buf: uint8."""
        new = np.flatnonzero(rows["fstate"] & FS_NEW)
        if not new.size:
            return
        slots, frames = rows["flow"][new], ethernet_at(block, rows, new)
        self._macs[slots] = 0
        known = frames >= 0
        self._macs[slots[known]] = buf[frames[known][:, None] + np.arange(_MACS)]

    def of(self, slot: int) -> tuple[str, str]:
        """Return the cards of a flow's client and server, empty where they are not known."""
        return _pair(self._macs[slot].tobytes())


def ethernet_at(block: PacketBlock, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the offset of the Ethernet header that each of some rows came in, -1: it came in none.

    rows: ROW[n], at: int64[m]. What was put together from fragments came in the frame of the last one, whose row is the
    one before. Inside of a tunnel without Ethernet of its own the frame belongs to the tunnel's ends, and to none here.
    """
    own = at - (rows["frag"][at] == FRAG_REASSEMBLED)
    r = rows[own]
    l2 = r["l2"].astype(np.int64)
    inner = (r["tunnel"] != 0) & (r["parent"] >= 0)
    framed = np.where(inner, r["l3"] - r["l2"] >= _HEADER, block.linktype[r["pkt"]] == LINKTYPE_ETHERNET)
    return np.where(framed & (r["caplen"] >= _MACS), l2, -1)


def of_row(block: PacketBlock, rows: np.ndarray, buf: np.ndarray, row: int) -> tuple[str, str]:
    """Return the cards of a row's sender and receiver, empty where it came in no Ethernet."""
    at = int(ethernet_at(block, rows, np.array([row]))[0])
    return _pair(buf[at : at + _MACS].tobytes()) if at >= 0 else ("", "")


def _pair(raw: bytes) -> tuple[str, str]:
    """Return (source, destination) as text."""
    dest, src = raw[:6], raw[6:]
    return "" if src == _UNKNOWN else addr.mac(src), "" if dest == _UNKNOWN else addr.mac(dest)
