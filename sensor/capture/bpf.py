"""Capture filters in tcpdump's language, applied to whole blocks."""

from dataclasses import replace

import numpy as np

from sensor.capture.kernels_bpf import MEMORY, bpf_mask
from sensor.capture.libpcap import Compiler, FilterSyntaxError
from sensor.capture.linktypes import SUPPORTED, describe
from sensor.errors import UsageError
from sensor.model.block import LINKTYPE_ETHERNET, PacketBlock

Instruction = tuple[int, int, int, int]

_LOADS = {0x00, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x60, 0x80, 0x01, 0x61, 0x81, 0xB1}
_ALU = {0x04 | op | source for op in range(0x00, 0xB0, 0x10) for source in (0, 8)}
_JUMPS = {0x05} | {0x05 | op | source for op in (0x10, 0x20, 0x30, 0x40) for source in (0, 8)}
_RETURNS = {0x06, 0x16}
_OPCODES = _LOADS | _ALU | _JUMPS | _RETURNS | {0x02, 0x03, 0x07, 0x87}
_USE_MEMORY = {0x60, 0x61, 0x02, 0x03}


class Filter:
    """A filter expression, compiled for each link type when it first comes up.

    Where an expression makes no sense for a link type (`ether host` on raw IP), no packet of that type
    passes, and `problems` says so. Frames of LINKTYPE_NULL are taken to be in this machine's byte order, as
    libpcap does.

    Raises UsageError where the expression makes sense for no link type at all (libpcap's message), or libpcap
    is missing.
    """

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self._compiler = Compiler()
        self._programs: dict[int, np.ndarray | None] = {}
        self._reasons: dict[int, str] = {}
        kinds = (LINKTYPE_ETHERNET, *(kind for kind in SUPPORTED if kind != LINKTYPE_ETHERNET))
        if all(self._compile(kind) is None for kind in kinds):
            raise UsageError(f"capture filter {expression!r}: {self._reasons[LINKTYPE_ETHERNET]}")
        self._asked: set[int] = set()

    def _compile(self, linktype: int) -> np.ndarray | None:
        """Return int64[n, 4], None where the expression makes no sense for the link type."""
        if linktype not in self._programs:
            try:
                program = self._compiler.compile(self.expression, linktype)
                self._programs[linktype] = verified(program)
            except FilterSyntaxError as error:
                self._programs[linktype] = None
                self._reasons[linktype] = str(error)
        return self._programs[linktype]

    @property
    def problems(self) -> list[str]:
        """One line for each link type that came up and to which the expression cannot be applied."""
        return [
            f"capture filter {self.expression!r} passes nothing of {describe(kind)}: {self._reasons[kind]}"
            for kind in sorted(self._asked & self._reasons.keys())
        ]

    def mask(self, block: PacketBlock) -> np.ndarray:
        """Return bool[n]: which packets pass."""
        keep = np.zeros(block.n, np.uint8)
        for kind in np.unique(block.linktype):
            self._asked.add(int(kind))
            program = self._compile(int(kind))
            if program is not None:
                columns = block.off, block.caplen, block.wirelen, block.linktype
                bpf_mask(program, int(kind), block.buf, *columns, keep)
        return keep.view(np.bool_)

    def apply(self, block: PacketBlock) -> PacketBlock:
        """Return the packets of `block` that pass, with the numbers they have in the file; same buffer."""
        return select(block, self.mask(block))


def select(block: PacketBlock, keep: np.ndarray) -> PacketBlock:
    """Return the packets of a block for which keep (bool[n]) is true, with their numbers; same buffer."""
    if keep.all():
        return block
    kept = np.flatnonzero(keep)
    numbers = block.first + kept if block.numbers is None else block.numbers[kept]
    return replace(
        block,
        off=block.off[kept],
        caplen=block.caplen[kept],
        wirelen=block.wirelen[kept],
        ts=block.ts[kept],
        linktype=block.linktype[kept],
        first=int(numbers[0]) if kept.size else block.first,
        vlan_tci=None if block.vlan_tci is None else block.vlan_tci[kept],
        vlan_tpid=None if block.vlan_tpid is None else block.vlan_tpid[kept],
        hints=None if block.hints is None else block.hints[kept],
        numbers=numbers,
    )


def verified(program: list[Instruction]) -> np.ndarray:
    """Return the program as int64[n, 4] of (code, jt, jf, k).

    Raises UsageError unless it is safe to run: known opcodes, forward jumps inside the program, scratch words
    that exist, no constant division by zero, a return at its end.
    """
    for at, (code, jt, jf, k) in enumerate(program):
        left = len(program) - at - 1
        jump = max(k if code == 0x05 else max(jt, jf), 0) if code in _JUMPS else 0
        if (
            code not in _OPCODES
            or (code in _JUMPS and jump >= left)
            or (code in _USE_MEMORY and not 0 <= k < MEMORY)
            or (code in {0x34, 0x94} and k == 0)
        ):
            raise UsageError(f"capture filter: instruction {at} ({code:#x} {jt} {jf} {k:#x}) is not valid")
    if not program or program[-1][0] not in _RETURNS:
        raise UsageError("capture filter: the program does not end with a return")
    return np.array(program, np.int64)
