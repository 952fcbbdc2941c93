"""The decoder in plain Python, written to be read: what the kernel must say, packet by packet.

`decode_packet` is the meaning, `decode_block_reference` puts it in the kernel's form.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

import numpy as np

from sensor.decode import bits, links, network
from sensor.decode.headers import HeaderReader, StructReader
from sensor.decode.limits import MAX_ETHERNET_FRAME, MAX_LAYERS, DecodeOptions
from sensor.decode.walk import Decoded, Step, Walk
from sensor.model import block as blk
from sensor.model.rows import ROW

FIRST_STEP = {
    blk.LINKTYPE_NULL: Step.NULL,
    blk.LINKTYPE_LOOP: Step.NULL,
    blk.LINKTYPE_ETHERNET: Step.ETHERNET,
    blk.LINKTYPE_PPP: Step.PPP_HDLC,
    blk.LINKTYPE_PPP_HDLC: Step.PPP_HDLC,
    blk.LINKTYPE_RAW: Step.RAW,
    blk.LINKTYPE_C_HDLC: Step.HDLC,
    blk.LINKTYPE_LINUX_SLL: Step.SLL,
    blk.LINKTYPE_LINUX_SLL2: Step.SLL2,
    blk.LINKTYPE_IPV4: Step.RAW,
    blk.LINKTYPE_IPV6: Step.RAW,
}

STEPS: dict[Step, Callable[[Walk], Step]] = {
    Step.ETHERNET: links.ethernet,
    Step.VLAN: links.vlan,
    Step.MPLS: links.mpls,
    Step.PPPOE: links.pppoe,
    Step.PPP: links.ppp,
    Step.LLC: links.llc,
    Step.NSH: links.nsh,
    Step.VNTAG: links.vntag,
    Step.BACKBONE: links.backbone,
    Step.FABRIC: links.fabric,
    Step.NULL: links.null,
    Step.SLL: links.sll,
    Step.SLL2: links.sll2,
    Step.HDLC: links.hdlc,
    Step.PPP_HDLC: links.ppp_hdlc,
    Step.RAW: links.raw_ip,
    Step.ARP: network.arp,
    Step.IPV4: network.ipv4,
    Step.IPV6: network.ipv6,
    Step.OPAQUE: links.opaque,
}

_OFFSETS = ("l2", "l3", "l4", "pay")
_AS_ROW = attrgetter(*(ROW.names or ()))


def decode_packet(
    frame: bytes,
    linktype: int,
    *,
    options: DecodeOptions,
    verify_checksums: bool = False,
    missing: int = 0,
    vlan_tci: int = -1,
    hint: int = blk.HINT_NONE,
    reader: HeaderReader | None = None,
) -> list[Decoded]:
    """Return the rows of one frame, offsets and parents counted from its first byte and row.

    missing: bytes that were on the wire beyond `frame`. vlan_tci: tag that came out of band, -1: none.
    """
    walk = Walk(frame, missing, reader or StructReader(), options, verify_checksums, hint, end=len(frame))
    row = walk.open_row(parent=-1)
    if vlan_tci >= 0:
        row.nvlan, row.vlan0 = 1, vlan_tci & 0xFFF
    step = FIRST_STEP.get(linktype, Step.OPAQUE)
    if step is Step.OPAQUE:
        walk.flag(bits.ETHERTYPE_UNKNOWN)
    elif step is Step.ETHERNET and row.wirelen > MAX_ETHERNET_FRAME:
        walk.flag(bits.FRAME_OVER_MTU)
    elif step in {Step.IPV4, Step.IPV6}:
        walk.ip_step(step)
    layers = 0
    while step is not Step.END:
        layers += 1
        if layers > MAX_LAYERS and step is not Step.OPAQUE:
            walk.flag(bits.TOO_MANY_LAYERS)
            step = Step.OPAQUE
        step = STEPS[step](walk)
    return walk.rows


Decoder = Callable[..., list[Decoded]]


def decode_block_with(
    decode: Decoder, block: blk.PacketBlock, *, verify_checksums: bool, options: DecodeOptions
) -> np.ndarray:
    """Return ROW[m] of a block, packet by packet with a function that takes what `decode_packet` takes."""
    size = block.buf.size
    table: list[tuple[int, ...]] = []
    for i in range(block.n):
        start = min(max(int(block.off[i]), 0), size)
        frame = block.buf[start : start + max(int(block.caplen[i]), 0)].tobytes()
        found = decode(
            frame,
            int(block.linktype[i]),
            options=options,
            verify_checksums=verify_checksums,
            missing=max(int(block.wirelen[i]) - len(frame), 0),
            vlan_tci=-1 if block.vlan_tci is None else int(block.vlan_tci[i]),
            hint=blk.HINT_NONE if block.hints is None else int(block.hints[i]),
        )
        base = len(table)
        for row in found:
            _place(row, i, int(block.ts[i]), start, base)
            table.append(_AS_ROW(row))
    return np.array(table, ROW)


def _place(row: Decoded, pkt: int, ts: int, start: int, base: int) -> None:
    """Turn a frame's offsets and rows into the block's."""
    row.pkt, row.ts = pkt, ts
    if row.parent >= 0:
        row.parent += base
    for name in _OFFSETS:
        if getattr(row, name) >= 0:
            setattr(row, name, getattr(row, name) + start)


def decode_block_reference(
    block: blk.PacketBlock, *, verify_checksums: bool, options: DecodeOptions
) -> np.ndarray:
    """Return the rows of a block, ROW[m], as `decode_block` must; slow."""
    return decode_block_with(decode_packet, block, verify_checksums=verify_checksums, options=options)
