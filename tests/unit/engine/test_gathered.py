"""Where the stream of a segment begins in the gathered bytes."""

import numpy as np

from sensor.engine.block.gathered import Gathered
from sensor.engine.block.turns import Messages
from sensor.model.rows import SEG, SEG_DATA, SEG_GAP
from sensor.model.units import UNIT, UNIT_PACKET, UNIT_STREAM


def made(units, segs, origins=()):
    """origins: of the segments' messages.

    units: (kind, flow, side, start, fresh, end, stream offset of fresh); segs: (kind, flow, side, pos, len, at).
    """
    table, events = np.zeros(len(units), UNIT), np.zeros(len(segs), SEG)
    names = "kind", "flow", "side", "start", "fresh", "end", "pos"
    for name, column in zip(names, zip(*units, strict=True), strict=True):
        table[name] = column
    names = "kind", "flow", "side", "pos", "len"
    for name, column in zip(names, zip(*[one[:5] for one in segs], strict=True), strict=True):
        events[name] = column
    at = np.array([one[5] for one in segs], np.int64)
    begins = np.array(origins or [0] * len(segs), np.int64)
    messages = Messages(begins, begins, np.zeros(0, np.int64), begins)
    return Gathered(np.zeros(1000, np.uint8), table, at, events, messages)


def test_of_streams_that_begin_here_the_beginning_is_known():
    units = [
        (UNIT_STREAM, 7, 0, 100, 100, 130, 0),  # begins in this block
        (UNIT_STREAM, 7, 1, 200, 210, 240, 10),  # its first ten bytes were carried along
        (UNIT_STREAM, 8, 0, 300, 310, 340, 11),  # one byte of it is missing
        (UNIT_PACKET, 9, 0, 400, 400, 420, 0),
    ]
    segs = [
        (SEG_DATA, 7, 0, 0, 20, 100), (SEG_DATA, 7, 0, 20, 10, 120), (SEG_DATA, 7, 1, 10, 30, 210),
        (SEG_DATA, 8, 0, 11, 30, 310), (SEG_GAP, 7, 0, 30, 5, -1),
    ]  # fmt: skip
    assert made(units, segs).begins().tolist() == [100, 100, 200, -1, -1]


def test_behind_a_gap_it_is_not():
    units = [(UNIT_STREAM, 1, 0, 0, 0, 10, 0), (UNIT_STREAM, 1, 0, 50, 50, 60, 30), (UNIT_STREAM, 2, 0, 20, 20, 30, 0)]
    segs = [(SEG_DATA, 1, 0, 0, 10, 0), (SEG_DATA, 1, 0, 30, 10, 50), (SEG_DATA, 2, 0, 0, 10, 20)]
    assert made(units, segs).begins().tolist() == [0, -1, 20]


def test_without_streams_nothing_is_known():
    assert made([(UNIT_PACKET, 1, 0, 0, 0, 10, 0)], [(SEG_GAP, 1, 0, 0, 3, -1)]).begins().tolist() == [-1]


def test_of_a_later_message_it_is_the_beginning_of_that():
    units = [(UNIT_STREAM, 7, 0, 100, 110, 160, 20)]  # stream offsets 10 to 70
    segs = [(SEG_DATA, 7, 0, 20, 10, 110), (SEG_DATA, 7, 0, 30, 20, 120), (SEG_DATA, 7, 0, 50, 20, 140)]
    assert made(units, segs, [5, 30, 30]).begins().tolist() == [-1, 120, 120]
