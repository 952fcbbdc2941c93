"""Classic pcap files (draft-ietf-opsawg-pcap, pcap-savefile(5))."""

import struct
from collections.abc import Generator

import numpy as np

from sensor.capture.kernels import BAD_CAPLEN, SHORT, pcap_index
from sensor.capture.limits import MAX_CAPLEN
from sensor.capture.linktypes import LINKTYPE_MASK, describe, normalise
from sensor.capture.records import ENDED, Columns, RecordReader
from sensor.errors import CaptureError
from sensor.model.block import PacketBlock

FILE_HEADER = 24
_RECORD, _RECORD_PATCHED = 16, 24
_MINOR = 4
"""Before version 2.3 the two lengths of a record stood in the other order, in 2.3 in either (pcap-savefile(5))."""

MAGICS = {
    0xA1B2C3D4: (_RECORD, 1000),
    0xA1B23C4D: (_RECORD, 1),
    0xA1B2CD34: (_RECORD_PATCHED, 1000),  # Alexey Kuznetsov's patches: interface, protocol and type follow
}
"""Magic number → bytes of a record header, nanoseconds per unit of the fraction field."""


def byte_order(head: bytes) -> str:
    """Return `<` or `>` when the four bytes are the magic number of a classic file, else an empty string."""
    if len(head) < 4:
        return ""
    return next((o for o in "<>" if struct.unpack(f"{o}I", head[:4])[0] in MAGICS), "")


class PcapReader(RecordReader):
    """The packets of one classic file."""

    def blocks(self) -> Generator[PacketBlock, None, None]:
        """Yield the packets; see RecordReader.blocks."""
        pos = self.need(0, FILE_HEADER, "the file header")
        order, header, old, frac_ns, linktype = self._file_header(pos)
        linktypes = np.full(self.size.packets, linktype, np.uint16)
        linktypes.flags.writeable = False
        pos += FILE_HEADER
        number = 1
        while pos != ENDED:
            c = Columns(self.size.packets)
            n, end, status = pcap_index(
                self.window.view, pos, order == ">", header, old, frac_ns, self.size.bytes,
                c.off, c.caplen, c.wirelen, c.ts,
            )  # fmt: skip
            if n:
                block = self.block(pos, end, n, c, linktypes[:n])
                block.first = number
                number += n
                yield block
            pos = self._go_on(end, status)

    def _file_header(self, pos: int) -> tuple[str, int, bool, int, int]:
        """Return byte order, bytes of a record header, whether its version is old, fraction unit in ns, link type."""
        head = self.window.view[pos : pos + FILE_HEADER].tobytes()
        order = byte_order(head)
        magic, major, minor, _, _, _, network = struct.unpack(f"{order}IHHiIII", head)
        if major != 2 or minor > _MINOR:
            raise CaptureError(f"{self.name}: version {major}.{minor} of the pcap format is not supported")
        raw = network & LINKTYPE_MASK
        linktype = normalise(raw)
        if linktype < 0:
            raise CaptureError(f"{self.name}: {describe(raw)} is not supported")
        header, frac_ns = MAGICS[magic]
        return order, header, minor < _MINOR, frac_ns, linktype

    def _go_on(self, pos: int, status: int) -> int:
        """Return where to go on after a kernel call, or ENDED."""
        if status == BAD_CAPLEN:
            raise self.damage(pos, f"a packet claims more than {MAX_CAPLEN} captured bytes")
        return self.next_window(pos, "a packet record") if status == SHORT else pos
