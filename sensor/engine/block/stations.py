"""Which network cards talk: the MAC addresses of packets and of flows, each beside the IP address of the same end."""

from __future__ import annotations

import numpy as np

from sensor.engine.block import kernels_stations as kernels
from sensor.model import addr
from sensor.model.block import LINKTYPE_ETHERNET, PacketBlock
from sensor.model.columns import Columns
from sensor.model.rows import FRAG_REASSEMBLED

_UNKNOWN = bytes(6)


class Stations:
    """What the first frame of each flow said. slots: of the flow table, 12 bytes each."""

    def __init__(self, slots: int) -> None:
        self._macs = np.zeros((slots, kernels.MACS), np.uint8)

    def learn(self, block: PacketBlock, rows: np.ndarray, buf: np.ndarray, slots: int) -> None:
        """Take note of the flows that begin in a block. rows: ROW[n], buf: uint8. Measured: 5 ns a row.

        slots: of the flow table, which may have grown.
        """
        if slots > len(self._macs):
            grown = np.zeros((slots, kernels.MACS), np.uint8)
            grown[: len(self._macs)] = self._macs
            self._macs = grown
        if rows.size:
            kernels.learn(rows, _links(block), buf, self._macs)

    def of(self, slot: int) -> tuple[str, str]:
        """Return the cards of a flow's client and server, empty where they are not known."""
        return _pair(self._macs[slot].tobytes())


def of_row(block: PacketBlock, rows: Columns, buf: np.ndarray, row: int) -> tuple[str, str]:
    """Return the cards of a row's sender and receiver, empty where it came in no Ethernet. rows: ROW."""
    at = _ethernet_of(block, rows, row)
    return _pair(buf[at : at + kernels.MACS].tobytes()) if at >= 0 else ("", "")


def _ethernet_of(block: PacketBlock, rows: Columns, row: int) -> int:
    """Return what `kernels_stations.ethernet_of` returns: for one row a call of a kernel costs 20 us."""
    if rows["frag"][row] == FRAG_REASSEMBLED:
        row -= 1
    if rows["caplen"][row] < kernels.MACS:
        return -1
    at: int = rows["l2"][row]
    if rows["tunnel"][row] and rows["parent"][row] >= 0:
        return at if rows["l3"][row] - at >= kernels.HEADER else -1
    return at if block.linktype[rows["pkt"][row]] == LINKTYPE_ETHERNET else -1


def _links(block: PacketBlock) -> np.ndarray:
    return np.ascontiguousarray(block.linktype, np.uint16)


def _pair(raw: bytes) -> tuple[str, str]:
    """Return (source, destination) as text."""
    dest, src = raw[:6], raw[6:]
    return "" if src == _UNKNOWN else addr.mac(src), "" if dest == _UNKNOWN else addr.mac(dest)
