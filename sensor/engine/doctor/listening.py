"""A few seconds on the interfaces, to find out whether a mirror arrives, whole, once, and from both sides."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from sensor.capture.afpacket import LiveSource
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline
from sensor.model.block import LINKTYPE_ETHERNET, PacketBlock
from sensor.model.finding import ERROR, GOOD, WARNING, Finding
from sensor.model.rows import STATE_FREE
from sensor.rules.ruleset import RuleSet

_TICK: Final = 0.25
_TALK: Final = 3
"""Packets of a TCP side from which on the other must have said something, too."""
_FLOWS_MIN: Final = 3
"""TCP flows that tell something."""
_ONE_WAY: Final = 0.2
_DOUBLED: Final = 0.05
"""Shares from which on something is wrong with the mirror."""
_TCP: Final = 6


@dataclass(slots=True)
class Heard:
    """What came."""

    seconds: float = 0.0
    packets: int = 0
    unicast: int = 0
    """Ethernet frames for one station."""
    drops: int = 0
    """By the kernel, the ring being full."""
    flows: int = 0
    """TCP flows that one side at least talked in."""
    one_way: int = 0
    """Those of which only one side was seen."""
    duplicates: int = 0
    truncated: int = 0
    losses: int = 0
    """Times an interface went down or away."""


def listen(source: LiveSource, seconds: float, options: EngineOptions) -> Heard:
    """Listen for some seconds."""
    pipeline = Pipeline(RuleSet(), options, lambda _record: None)
    heard = Heard(seconds)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        block = source.next_block(min(left, _TICK))
        if block is not None:
            heard.unicast += _unicast(block)
            pipeline.process(block)
    source.read_statistics()
    total = source.totals()
    heard.packets, heard.drops, heard.losses = total.packets, total.kernel_drops, total.lost
    heard.duplicates = pipeline.tally.decode.duplicates
    heard.truncated = pipeline.tally.decode.truncated
    heard.flows, heard.one_way = one_way(pipeline.table.flows)
    return heard


def _unicast(block: PacketBlock) -> int:
    """Return the number of frames for one station: the first bit of their destination is 0 (IEEE 802.3, 3.2.3)."""
    at = block.off[(block.linktype == LINKTYPE_ETHERNET) & (block.caplen > 0)]
    return int(np.count_nonzero(block.buf[at] & 1 == 0))


def one_way(flows: np.ndarray) -> tuple[int, int]:
    """Return the number of TCP flows that a side talked in, and of those with one side only. flows: FLOW[slots]."""
    pkts = flows["pkts"].astype(np.int64)
    talked = (flows["state"] != STATE_FREE) & (flows["proto"] == _TCP) & (pkts.max(axis=1) >= _TALK)
    return int(np.count_nonzero(talked)), int(np.count_nonzero(talked & (pkts.min(axis=1) == 0)))


def judge(heard: Heard) -> list[Finding]:
    """Tell what is wrong with what came."""
    what = "mirror"
    if not heard.packets:
        return [Finding(what, ERROR, f"nothing arrived in {heard.seconds:g} s: is a mirror set up, and do guests talk?",
                        "xensor-mirror status (in dom0)")]  # fmt: skip
    found = []
    if not heard.unicast:
        found.append(Finding(what, ERROR, f"{heard.packets} frames, but none from guest to guest: broadcasts alone "
                             "arrive, the mirror does not", "xensor-mirror status (in dom0)"))  # fmt: skip
    if heard.flows >= _FLOWS_MIN and heard.one_way > _ONE_WAY * heard.flows:
        found.append(Finding(what, WARNING, f"of {heard.one_way} of {heard.flows} TCP connections only one side is "
                             "seen: the mirror lacks ports", "xensor-mirror repair (in dom0)"))  # fmt: skip
    if heard.duplicates > _DOUBLED * heard.packets:
        found.append(Finding(what, WARNING, f"{heard.duplicates} of {heard.packets} frames came twice: mirror one "
                             "direction of each port only"))  # fmt: skip
    if heard.truncated:
        found.append(Finding(what, WARNING, f"{heard.truncated} frames are cut: their ends are not inspected"))
    if heard.drops:
        found.append(Finding(what, WARNING, f"{heard.drops} frames were dropped, the ring being full", "--ring-blocks"))
    if heard.losses:
        found.append(Finding(what, WARNING, "the interface went down or away meanwhile"))
    return found or [Finding(what, GOOD, f"{heard.packets} frames in {heard.seconds:g} s, "
                             f"{heard.flows - heard.one_way} TCP connections from both sides")]  # fmt: skip
