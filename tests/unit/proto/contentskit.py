"""Conversations of SMB with contents and without, and what a finder says of them."""

import numpy as np
import rpcforge as rpc
import smbforge as smb

from sensor.model.app import PIPED, Order
from sensor.model.rows import FLOW
from sensor.model.units import UNIT, UNIT_STREAM
from sensor.proto.smb.fields import SPEC
from sensor.proto.smb.framing import LOOK_BACK, ContentFinder


def listing_talk():
    """A share that is connected to and a file that is opened and closed: nothing is read or written."""
    return [
        *smb.logged_on2(),
        (0, smb.nbss(smb.tree_connect2("\\\\srv\\C$")) + smb.nbss(smb.create2("a\\b.txt"))),
        (1, smb.nbss(smb.tree_connected2()) + smb.nbss(smb.created2(size=9))),
        (0, smb.nbss(smb.rename2("c.txt")) + smb.nbss(smb.ioctl2(b"data", smb.HANDLE, code=0x00060194))),
        (0, smb.nbss(b"\xfdSMB" + bytes(60)) + b"\0\0\0\0" + b"\x85\0\0\0" + smb.nbss(smb.close2(message=8))),
        (1, smb.nbss(smb.closed2(8)) + smb.nbss(b"\xfeSMB" + bytes(60))),
    ]


def compound_talk():
    """A file that is opened and read by one compound."""
    asked = smb.compound(smb.create2("a.txt"), smb.read2(9, handle=b"\xff" * 16, message=5), smb.close2(message=6))
    return [*smb.logged_on2(), (0, asked), (1, smb.nbss(smb.created2(size=9)) + smb.nbss(smb.did_read2(b"MZ" * 9, 5)))]


def chained_talk1():
    """Two requests of SMB 1 in one message: a file is opened and read."""

    def chained(first, second):
        return smb.nbss(first[:33] + b"\x2e\0" + len(first).to_bytes(2, "little") + first[37:] + second[32:])

    words = smb.ANDX + bytes(26)
    opening, opened = smb.smb1(0x2D, words, b"\0a\0"), smb.smb1(0x2D, words, b"", response=True)
    answer = smb.did_read1(b"MZ" * 40)
    talk = smb.file_talk1()
    return [*talk[:6], (0, chained(opening, smb.read1(80))), (1, chained(opened, answer)), *talk[-2:]]


def transact_talk1():
    """A bind in a pipe of SMB 1."""
    bind, answer = rpc.bind((0, rpc.SPOOLSS, 1)), rpc.bind_ack(0)
    return [*smb.file_talk1()[:4], (0, smb.nbss(smb.trans1(bind))), (1, smb.nbss(smb.trans_answer1(answer)))]


def reused_talk():
    """A share of pipes that is left: another gets its number, and a file of it is read."""
    leave = smb.smb2(4, b"\4\0\0\0", 10), smb.smb2(4, b"\4\0\0\0", 10, response=True)
    return [*smb.pipe_talk(), *((side, smb.nbss(one)) for side, one in enumerate(leave)), *smb.file_talk()[4:]]


TALKS = (
    smb.file_talk(), smb.pipe_talk(), smb.file_talk1(), listing_talk(), chained_talk1(), transact_talk1(),
    compound_talk(), reused_talk(),
)  # fmt: skip
FAR = (TALKS[4], TALKS[6])
WANTED = (3, 3 << PIPED, 3, 0, 2, 3, 2, 3 | 3 << PIPED)
"""The sides to which contents are said to go, as masks."""


class Side:
    """What a gatherer makes of one side: the new bytes behind the last ones that were seen."""

    def __init__(self):
        self.seen, self.pos = b"", 0

    def lose(self, size):
        self.seen, self.pos = b"", self.pos + size

    def unit(self, data, flow_side):
        carried = self.seen[-LOOK_BACK:]
        unit = np.zeros(1, UNIT)
        unit["end"], unit["fresh"] = len(carried + data), len(carried)
        unit["pos"], unit["side"], unit["kind"] = self.pos, flow_side, UNIT_STREAM
        self.seen, self.pos = carried + data, self.pos + len(data)
        return np.frombuffer(carried + data + bytes(8), np.uint8).copy(), unit


def cut_out(talk, n, at, size):
    """Return a conversation in [(side, bytes or how many are missing)]: some bytes of one part were not seen."""
    side, octets = talk[n]
    gone = len(octets[at : at + size])
    parts = [(side, octets[:at]), (side, gone), (side, octets[at + size :])]
    return [*talk[:n], *(part for part in parts if part[1]), *talk[n + 1 :]]


def found(talk, size=None):
    """Return the sides to which a finder says that contents may go, as a mask."""
    finder, sides, flows, mask, now = ContentFinder(), (Side(), Side()), np.zeros(1, FLOW), 0, 0
    for side, octets in talk:
        if isinstance(octets, int):
            sides[side].lose(octets)
            flows["gaps"][0, side] += octets
            continue
        step = size or len(octets)
        for at in range(0, len(octets), step):
            data, unit = sides[side].unit(octets[at : at + step], side)
            now += 1
            order = Order(unit["fresh"].astype(np.int64), np.array([now]))
            mask |= int(finder.find(data, unit, np.ones(1, np.bool_), flows, order)[0])
    return mask


def found_at_once(talk):
    """Return the same where all of a conversation is in one block: sides apart, told when each segment came."""
    units, starts, keys, joined = np.zeros(2, UNIT), [], [], bytearray()
    for side in (0, 1):
        units["start"][side] = units["fresh"][side] = len(joined)
        for now, (_, octets) in ((n, one) for n, one in enumerate(talk) if one[0] == side):
            starts.append(len(joined))
            keys.append(now)
            joined += octets
        units["end"][side] = len(joined)
    units["side"], units["kind"] = (0, 1), UNIT_STREAM
    data, order = np.frombuffer(bytes(joined) + bytes(8), np.uint8).copy(), Order(np.array(starts), np.array(keys))
    verdicts = ContentFinder().find(data, units, np.ones(2, np.bool_), np.zeros(1, FLOW), order)
    return int(np.bitwise_or.reduce(verdicts))


def missed(talk, size=None, *, at_once=False):
    """Return the sides of contents that a finder does not tell of, as a mask like `found`."""
    seen, files, pipes = found_at_once(talk) if at_once else found(talk, size), *carried(talk)
    return files & ~seen | (pipes & ~seen & ~(seen >> PIPED)) << PIPED


def carried(talk):
    """Return the sides to which contents of files go, and such in pipes."""
    parser, reached = SPEC.new_parser(), set()
    for side, octets in talk:
        stages = parser.gap(side, octets, 0) if isinstance(octets, int) else parser.feed(side, octets, 0)
        reached.update(stage.stage for stage in stages)
    reached.update(stage.stage for stage in parser.finish(0))
    piped = SPEC.carriage.piped
    kinds = reached & SPEC.carriage.stages - piped, reached & piped
    return tuple(sum({1 << SPEC.stages[stage].side for stage in stages}) for stages in kinds)
