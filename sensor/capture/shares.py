"""Which of several workers takes a packet: a classic BPF program that hashes the pair of hosts, the same both ways.

All packets between two hosts go to one worker, whatever their ports: both sides of connections, fragments (only the
first has ports), ICMP errors, data connections that an FTP control connection announces, the second copies of a mirror,
bits of a pair. PACKET_FANOUT_HASH keeps no more together than one connection, and not even its fragments; with
PACKET_FANOUT_FLAG_DEFRAG the kernel would put fragments together, so that nobody saw how they overlap. So a fanout
group is given this program (`divider`; `sensor.capture.team`), and captures are divided by the same (`program`).

What is no IPv4 or IPv6 behind at most three VLAN tags (ARP, MPLS, PPPoE) is the first worker's; of a tunnel the
hosts at its ends count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sensor.capture import uapi
from sensor.capture.bpf import Instruction, select, verified
from sensor.capture.kernels_bpf import bpf_mask
from sensor.model import block as links
from sensor.model.block import PacketBlock

MAX_WORKERS: Final = 64

# linux/bpf_common.h, linux/filter.h: class, size, mode and operation in one number
_LDH_ABS, _LDB_ABS, _LD_IND, _LD_LEN, _LDX_IMM, _LDX_MEM = 0x28, 0x30, 0x40, 0x80, 0x01, 0x61
_ST, _STX, _TAX, _TXA = 0x02, 0x03, 0x07, 0x87
_ADD, _ADD_X, _MUL, _RSH, _MOD, _XOR_X = 0x04, 0x0C, 0x24, 0x74, 0x94, 0xAC
_JA, _JEQ, _JGE_X, _RET, _RET_A = 0x05, 0x15, 0x3D, 0x06, 0x16

_VLAN: Final = (0x8100, 0x88A8, 0x9100)
_IPV4, _IPV6 = 0x0800, 0x86DD
_TAGS: Final = 3
_ALL: Final = uapi.PASS_ALL[3]
"""Bytes that pass of a frame: all."""
_AT, _WORD, _SUM = 0, 1, 2
"""Scratch words: where the IP header begins, what is being mixed, the first host."""
_SPREAD: Final = 0x9E3779B1
"""The golden ratio of 32 bits, odd."""

_VERSIONS: Final = {"ipv4": (20, (12,), (16,)), "ipv6": (40, range(8, 24, 4), range(24, 40, 4))}
"""Length of an IP header, and where the words of its addresses stand."""

LAYERS: Final = {
    links.LINKTYPE_ETHERNET: (12, 14), links.LINKTYPE_LINUX_SLL: (14, 16), links.LINKTYPE_LINUX_SLL2: (0, 20),
    links.LINKTYPE_RAW: (-1, 0), links.LINKTYPE_IPV4: (-1, 0), links.LINKTYPE_IPV6: (-1, 0),
    links.LINKTYPE_NULL: (-1, 4), links.LINKTYPE_LOOP: (-1, 4),
}  # fmt: skip
"""Link type → where its ethertype stands (-1: nowhere, the IP version tells) and where its payload begins."""


@dataclass(frozen=True, slots=True)
class Share:
    """One worker's share. secret: of the hash, the same for all workers; hosts must not choose who looks at them."""

    index: int
    of: int
    secret: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.of <= MAX_WORKERS:
            raise ValueError(f"share {self.index} of {self.of}: there are at most {MAX_WORKERS}")


@dataclass(slots=True)
class _Assembler:
    """Instructions with named targets of jumps, all of them forward."""

    code: list[tuple[int, str, str, int]] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)

    def put(self, code: int, k: int = 0, yes: str = "", no: str = "") -> None:
        self.code.append((code, yes, no, k))

    def label(self, name: str) -> None:
        self.labels[name] = len(self.code)

    def program(self) -> list[Instruction]:
        found = []
        for at, (code, yes, no, k) in enumerate(self.code):
            jt, jf = ((self.labels[name] - at - 1 if name else 0) for name in (yes, no))
            found.append((code, 0, 0, jt) if code == _JA else (code, jt, jf, k & 0xFFFFFFFF))
        return found


def program(share: Share, linktype: int) -> list[Instruction]:
    """Return the program that passes a share of the frames of a link type. A link type not in LAYERS is the first's."""
    asm = _Assembler()
    if linktype in LAYERS:
        _find_ip(asm, *LAYERS[linktype], 0)
        for version in _VERSIONS:
            _whole(asm, version)
            _hash(asm, version, share.of, share.secret, 0)
            asm.put(_JEQ, share.index, f"{version} mine", f"{version} other's")
            asm.label(f"{version} mine")
            asm.put(_RET, _ALL)
            asm.label(f"{version} other's")
            asm.put(_RET, 0)
    asm.label("other")
    asm.put(_RET, _ALL if share.index == 0 else 0)
    return asm.program()


def divider(of: int, secret: int, linktype: int) -> list[Instruction]:
    """Return the program that tells a fanout group whose a frame is (PACKET_FANOUT_CBPF): the same as `program`.

    The kernel asks before it has put its place in the frame back to the link header, so places count from there
    expressly; and a load behind the end of a frame gives 0, the first worker, which is what a runt is to have. Kernels
    before 2025 load from the first piece of a frame only: network drivers leave its headers there (Xen's 128 bytes and
    more).
    """
    asm = _Assembler()
    if linktype in LAYERS:
        _find_ip(asm, *LAYERS[linktype], uapi.SKF_LL_OFF)
        for version in _VERSIONS:
            asm.label(version)
            asm.put(_STX, _AT)
            _hash(asm, version, of, secret, uapi.SKF_LL_OFF)
            asm.put(_RET_A)
    asm.label("other")
    asm.put(_RET, 0)
    return asm.program()


def _find_ip(asm: _Assembler, ethertype: int, start: int, base: int) -> None:
    """Jump to `ipv4` or `ipv6` with X at the header, or to `other`. base: added to all places."""
    if ethertype < 0:
        asm.put(_LDX_IMM, start)
        asm.put(_LDB_ABS, start + base)
        asm.put(_RSH, 4)
        asm.put(_JEQ, 4, "ipv4")
        asm.put(_JEQ, 6, "ipv6", "other")
        return
    for tags in range(_TAGS + 1):
        asm.put(_LDX_IMM, start + 4 * tags)
        asm.put(_LDH_ABS, ethertype + 4 * tags + base)
        asm.put(_JEQ, _IPV4, "ipv4")
        asm.put(_JEQ, _IPV6, "ipv6")
        for tag in _VLAN if tags < _TAGS else ():
            asm.put(_JEQ, tag, f"tag{tags}")
        asm.put(_JA, 0, "other")
        asm.label(f"tag{tags}")


def _whole(asm: _Assembler, version: str) -> None:
    """Go on where the header is there; a load behind the end of a frame would reject it, for all workers."""
    asm.label(version)
    asm.put(_STX, _AT)
    asm.put(_TXA)
    asm.put(_ADD, _VERSIONS[version][0])
    asm.put(_TAX)
    asm.put(_LD_LEN)
    asm.put(_JGE_X, 0, f"{version} whole", "other")
    asm.label(f"{version} whole")


def _hash(asm: _Assembler, version: str, of: int, secret: int, base: int) -> None:
    """Leave the number of the worker whose two hosts these are in A."""
    _, sources, dests = _VERSIONS[version]
    _mix(asm, [base + at for at in sources], secret)
    asm.put(_ST, _SUM)
    _mix(asm, [base + at for at in dests], secret)
    asm.put(_LDX_MEM, _SUM)
    asm.put(_ADD_X)
    asm.put(_MUL, _SPREAD)
    asm.put(_RSH, 16)
    asm.put(_MOD, of)


def _mix(asm: _Assembler, words: Sequence[int], secret: int) -> None:
    """Leave a number made of an address in A: not linear, or pairs with equal differences would all go together."""
    for place, at in enumerate(words):
        asm.put(_LDX_MEM, _AT)
        asm.put(_LD_IND, at)
        if place:
            asm.put(_LDX_MEM, _WORD)
            asm.put(_XOR_X)
        asm.put(_ST, _WORD)
    asm.put(_MUL, secret | 1)
    asm.put(_ST, _WORD)
    asm.put(_RSH, 15)
    asm.put(_LDX_MEM, _WORD)
    asm.put(_XOR_X)


def behind(capture_filter: Sequence[Instruction], share: Sequence[Instruction]) -> list[Instruction]:
    """Return one program that passes what both pass. The filter's returns are constants, as libpcap makes them."""
    joined: list[Instruction] = []
    for at, (code, jt, jf, k) in enumerate(capture_filter):
        if code == _RET_A:
            raise ValueError("a capture filter that returns a number of the packet")
        joined.append((_JA, 0, 0, len(capture_filter) - at - 1) if code == _RET and k else (code, jt, jf, k))
    return [*joined, *share]


class ShareOfFiles:
    """The same over blocks of captures: the first worker takes what no other does, frames that were cut included."""

    def __init__(self, share: Share) -> None:
        self._shares = [share] if share.index else [Share(i, share.of, share.secret) for i in range(1, share.of)]
        self._rest = share.index == 0
        self._programs: dict[int, list[np.ndarray]] = {}

    def mask(self, block: PacketBlock) -> np.ndarray:
        """Return bool[n]: which packets belong to the share."""
        keep = np.zeros(block.n, np.uint8)
        for kind in np.unique(block.linktype).tolist():
            for one in self._of(kind):
                found = np.zeros(block.n, np.uint8)
                bpf_mask(one, kind, block.buf, block.off, block.caplen, block.wirelen, block.linktype, found)
                keep |= found
        return (keep == 0) if self._rest else keep.view(np.bool_)

    def apply(self, block: PacketBlock) -> PacketBlock:
        """Return the packets of a block that belong to the share, with their numbers; same buffer."""
        return select(block, self.mask(block))

    def _of(self, kind: int) -> list[np.ndarray]:
        if kind not in self._programs:
            self._programs[kind] = [verified(program(share, kind)) for share in self._shares]
        return self._programs[kind]
