"""pcapng files (draft-ietf-opsawg-pcapng): sections, interfaces, and the walk over their packets."""

import struct
from collections.abc import Generator

import numpy as np

from sensor.capture import kernels as k
from sensor.capture.limits import MAX_CAPLEN, MAX_PCAPNG_BLOCK, MAX_PCAPNG_INTERFACES, MAX_PCAPNG_SECTIONS
from sensor.capture.linktypes import describe, normalise
from sensor.capture.records import ENDED, BlockSize, Columns, RecordReader
from sensor.capture.window import Window
from sensor.errors import CaptureError
from sensor.model.block import PacketBlock

MAGIC = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_OPT_END, _OPT_TSRESOL, _OPT_TSOFFSET = 0, 9, 14
_INT64_MAX = 0x7FFFFFFFFFFFFFFF
_NS_EXP = 9

_DAMAGE = {
    k.BAD_CAPLEN: f"a packet claims more than {MAX_CAPLEN} captured bytes",
    k.BAD_LENGTH: f"a block length is not a multiple of 4 from 12 to {MAX_PCAPNG_BLOCK}",
    k.BAD_TRAILER: "the two lengths of a block differ",
    k.BAD_INTERFACE: "a packet belongs to an interface that is not described",
    k.BAD_FIT: "a packet is longer than its block",
}


class Interfaces:
    """The interface table of one section, in the form of `kernels.IF_*`."""

    def __init__(self) -> None:
        self.table = np.zeros((4, k.IF_COLUMNS), np.int64)
        self.raw: list[int] = []
        """Link type of each interface as the file has it."""

    def add(self, raw: int, snaplen: int, tsresol: int, tsoffset: int) -> None:
        """Append an interface. tsresol: the option's byte (section 4.2); tsoffset: seconds."""
        n = len(self.raw)
        if n == len(self.table):
            self.table = np.concatenate((self.table, np.zeros_like(self.table)))
        self.raw.append(raw)
        offset = max(-_INT64_MAX, min(_INT64_MAX, tsoffset * 10**_NS_EXP))
        self.table[n] = (normalise(raw), snaplen, tsresol >> 7, tsresol & 0x7F, *_scale(tsresol), offset, 0)

    def skipped(self) -> dict[int, int]:
        """Return the packets passed over: link type → number."""
        found: dict[int, int] = {}
        for i in np.flatnonzero(self.table[:, k.IF_SKIPPED]):
            found[self.raw[i]] = found.get(self.raw[i], 0) + int(self.table[i, k.IF_SKIPPED])
        return found


class _Columns(Columns):
    __slots__ = ("linktype", "number")

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.linktype = np.empty(n, np.uint16)
        self.number = np.empty(n, np.int64)


def _scale(tsresol: int) -> tuple[int, int]:
    """Return IF_SCALE and IF_MAX of a decimal resolution (meaningless for a binary one)."""
    digits = (tsresol & 0x7F) - _NS_EXP
    if digits <= 0:
        return 10**-digits, _INT64_MAX // 10**-digits
    return (-(10**digits // 2) if digits <= 19 else 0), 0


class PcapngReader(RecordReader):
    """The packets of one pcapng file.

    Packets of interfaces whose link type cannot be decoded are passed over and counted in `skipped`; they
    keep their numbers. A file without any other interface is refused.
    """

    def __init__(self, name: str, window: Window, size: BlockSize) -> None:
        super().__init__(name, window, size)
        self._order = ""
        self._interfaces = Interfaces()
        self._sections = 0
        self._any_supported = False

    def blocks(self) -> Generator[PacketBlock, None, None]:
        """Yield the packets; see RecordReader.blocks."""
        state = np.zeros(2, np.int64)  # packets seen, time of the last one
        pos = self._structure(0)
        c = _Columns(self.size.packets)
        try:
            while pos != ENDED:
                n, end, status = k.pcapng_index(
                    self.window.view, pos, self._order == ">", self._interfaces.table,
                    len(self._interfaces.raw), state, self.size.bytes,
                    c.off, c.caplen, c.wirelen, c.ts, c.linktype, c.number,
                )  # fmt: skip
                if n:
                    yield self._numbered(self.block(pos, end, n, c, c.linktype[:n]), c.number[:n])
                    c = _Columns(self.size.packets)
                pos = self._go_on(end, status)
        finally:
            self._count_skipped()
        self._refuse_if_all_skipped()

    @staticmethod
    def _numbered(block: PacketBlock, numbers: np.ndarray) -> PacketBlock:
        block.first = int(numbers[0])
        if int(numbers[-1]) - block.first + 1 != block.n:
            block.numbers = numbers
        return block

    def _go_on(self, pos: int, status: int) -> int:
        """Return where to go on after a kernel call, or ENDED."""
        if status == k.STRUCTURE:
            return self._structure(pos)
        if status in _DAMAGE:
            raise self.damage(pos, _DAMAGE[status])
        return self.next_window(pos, "a block") if status == k.SHORT else pos

    def _structure(self, pos: int) -> int:
        """Read the section or interface block at view[pos] and return the position behind it."""
        pos = self.need(pos, 12, "a block")
        head = self.window.view[pos : pos + 12].tobytes()
        section = head[:4] == MAGIC
        if section:
            self._order = _BYTE_ORDERS.get(head[8:12], "")
            if not self._order:
                raise self.damage(pos, f"a section without a byte-order mark ({head[8:12].hex()})")
        total: int = struct.unpack_from(f"{self._order}I", head, 4)[0]
        if total < (28 if section else 20) or total % 4 or total > MAX_PCAPNG_BLOCK:
            raise self.damage(pos, f"{'a section' if section else 'an interface'} block of {total} bytes")
        pos = self.need(pos, total, "a block")
        body = self.window.view[pos : pos + total].tobytes()
        if struct.unpack_from(f"{self._order}I", body, total - 4)[0] != total:
            raise self.damage(pos, _DAMAGE[k.BAD_TRAILER])
        if section:
            self._section(pos, body)
        else:
            self._interface(pos, body)
        return pos + total

    def _section(self, pos: int, body: bytes) -> None:
        major, minor = struct.unpack_from(f"{self._order}HH", body, 12)
        if major != 1 or minor not in {0, 2}:  # 1.2 was written for a while, draft section 4.1
            raise self.damage(pos, f"version {major}.{minor} of the pcapng format is not supported")
        self._sections += 1
        if self._sections > MAX_PCAPNG_SECTIONS:
            raise self.damage(pos, f"more than {MAX_PCAPNG_SECTIONS} sections")
        self._count_skipped()
        self._interfaces = Interfaces()

    def _interface(self, pos: int, body: bytes) -> None:
        if len(self._interfaces.raw) == MAX_PCAPNG_INTERFACES:
            raise self.damage(pos, f"more than {MAX_PCAPNG_INTERFACES} interfaces")
        raw, _, snaplen = struct.unpack_from(f"{self._order}HHI", body, 8)
        tsresol, tsoffset = self._time_options(pos, body)
        self._interfaces.add(raw, snaplen, tsresol, tsoffset)
        self._any_supported |= normalise(raw) >= 0

    def _time_options(self, pos: int, body: bytes) -> tuple[int, int]:
        """Return if_tsresol and if_tsoffset of an interface block (sections 3.5, 4.2)."""
        tsresol, tsoffset = 6, 0
        at, end = 16, len(body) - 4
        while end - at >= 4:
            code, length = struct.unpack_from(f"{self._order}HH", body, at)
            at += 4
            if code == _OPT_END:
                break
            if length > end - at:
                raise self.damage(pos, "an option of an interface is longer than its block")
            if code == _OPT_TSRESOL and length == 1:
                tsresol = body[at]
            elif code == _OPT_TSOFFSET and length == 8:
                tsoffset = struct.unpack_from(f"{self._order}q", body, at)[0]
            at += length + (-length & 3)
        return tsresol, tsoffset

    def _count_skipped(self) -> None:
        for raw, n in self._interfaces.skipped().items():
            self.skipped[raw] = self.skipped.get(raw, 0) + n
        self._interfaces.table[:, k.IF_SKIPPED] = 0

    def _refuse_if_all_skipped(self) -> None:
        if self.skipped and not self._any_supported:
            raw = max(self.skipped, key=self.skipped.__getitem__)
            raise CaptureError(f"{self.name}: {describe(raw)} is not supported")
