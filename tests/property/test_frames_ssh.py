"""Frames of SSH: what the kernel cuts out is what the parser reads, and rules tried on it lose no alert."""

import forgekit
import numpy as np
import pytest
from cutting import changed
from effort import effort
from enginekit import difference, load, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.model.frames import ABSENT, APART, CONTINUED, HEAD, REST
from sensor.model.rows import FLOW
from sensor.model.units import UNIT, UNIT_STREAM
from sensor.proto.ssh import parts as p
from sensor.proto.ssh.fields import SPEC
from sensor.proto.ssh.framing import SshFramer
from sensor.proto.ssh.state import SshParser

SLOW = settings(max_examples=effort(100, 15), deadline=None, suppress_health_check=[HealthCheck.too_slow])
STAGES = {buffer.name: buffer.stage for buffer in SPEC.buffers}


def packet(payload, padding=6, size=None):
    size = len(payload) + padding + 1 if size is None else size
    return size.to_bytes(4, "big") + bytes((padding,)) + payload + bytes(padding)


def offer(*lists):
    """A KEXINIT with ten name-lists, the first ones given."""
    lists = [*lists, *[b""] * (10 - len(lists))]
    return b"\x14" + b"c" * 16 + b"".join(len(one).to_bytes(4, "big") + one for one in lists) + bytes(5)


CLIENT = offer(b"curve25519,dh14", b"rsa", b"aes128,aes256", b"chacha", b"hmac-1", b"hmac-2", b"none", b"zlib")
SERVER = offer(b"curve25519", b"ed25519", b"in", b"out", b"hmac-in", b"hmac-out", b"", b"none")
KEYS, BLIND = packet(b"\x15"), b"\xa5\x10" * 40
USUAL = [
    (TO_SERVER, b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), (TO_CLIENT, b"SSH-2.0-dropbear_2022\r\n" + packet(SERVER)),
    (TO_SERVER, packet(CLIENT)), (TO_SERVER, packet(b"\x1e" + b"k" * 32)), (TO_CLIENT, packet(b"\x1f") + KEYS + BLIND),
    (TO_SERVER, KEYS + BLIND), (TO_CLIENT, BLIND),
]  # fmt: skip
OTHERS = [
    (TO_CLIENT, b"SSH-2.0-\n"), (TO_SERVER, b"SSH-2.0-evil\n" + packet(CLIENT)), (TO_CLIENT, packet(offer(), 200)),
    (TO_SERVER, BLIND), (TO_CLIENT, BLIND),
]  # fmt: skip
PRELUDE = [
    (TO_CLIENT, b"hello\r\n\nSSH-1.99-old\r\n" + packet(SERVER)), (TO_SERVER, b"SSH-2.0-evil x\r\n"), *USUAL[2:],
]  # fmt: skip
TOLD = [(TO_CLIENT, b"Exceeded MaxStartups\r\n"), (TO_SERVER, b"SSH-2.0-PuTTY\n"), (TO_CLIENT, b"SSH-2.0-late\n")]
OLD = [(TO_CLIENT, b"l\n" * 9 + b"SSH-1.999-x\n" + packet(SERVER)), (TO_SERVER, b"SSH-1.9-evil\n" + packet(CLIENT))]
FIRST = [
    (TO_SERVER, b"SSH-2.0-a b c\r\n" + packet(b"\2ignore") + packet(CLIENT)), (TO_CLIENT, b"SSH-1.5-one\n" + BLIND),
]  # fmt: skip
LONG = [(TO_SERVER, b"SSH-2.0-" + b"x" * 246 + b"\n" + packet(CLIENT)), (TO_CLIENT, b"SSH-2.0-" + b"y" * 247 + b"\n")]
TALKS = [USUAL, OTHERS, PRELUDE, FIRST, LONG, TOLD, OLD]


class Framing:
    """A framer that is fed the blocks of one flow."""

    def __init__(self):
        self.framer = SshFramer(range(4))
        self.flows = np.zeros(1, FLOW)
        self.pos = [0, 0]
        self.found = {}
        """(side, of an offer) → {part: bytes, ABSENT or UNKNOWN}, what is known of it by its message."""
        self.over = False

    def block(self, side, octets):
        """Take a block; return whether it is plain."""
        unit = np.zeros(1, UNIT)
        unit["end"], unit["pos"], unit["side"], unit["kind"] = len(octets), self.pos[side], side, UNIT_STREAM
        self.pos[side] += len(octets)
        data = np.frombuffer(octets + bytes(8), np.uint8).copy()
        made = self.framer.frame(data, unit, np.ones(1, np.bool_), self.flows)
        self.over |= bool(made.over.size)
        at = 0
        for frame in made.frames:
            assert frame["first"] == at
            at = int(frame["last"])
            if not frame["flags"] & CONTINUED:
                self._note(frame, octets, made.text.tobytes(), data)
        assert made.refused.size or at == len(octets)
        return not made.refused.size

    def _note(self, frame, octets, text, data):
        values = {}
        for part in range(4):
            at, to = int(frame["at"][part]), int(frame["to"][part])
            values[part] = (text if part in p.FRAMING.text else octets)[at:to] if at >= 0 else at
        key = int(frame["side"]), values[p.STRING] != APART
        assert key not in self.found
        self.found[key] = values, self.framer.message(data, frame, whole=False)


def assert_alike(side, of_offer, values, message, tx):
    stage = (p.FRAMING.wholes if of_offer else p.FRAMING.heads)[side]
    assert message[1] == (REST if of_offer else HEAD)
    for name in (name for name in p.PARTS_OF if STAGES[name] == stage):
        found, value = list(tx.buffer(name)), values[p.PARTS_OF[name]]
        assert list(message[0].buffer(name)) == found, name
        assert found == ([] if value == ABSENT else [value]), name


@settings(max_examples=effort(600, 80), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changed(TALKS), st.integers(20, 3000))
def test_a_frame_is_what_the_parser_reads(talk, size):
    framing, parser, stages = Framing(), SshParser(), []
    for side, octets in talk:
        for begin in range(0, len(octets), size):
            if not framing.block(side, octets[begin : begin + size]):
                assert not framing.framer.follows(0, 0)
                return
            stages += parser.feed(side, octets[begin : begin + size], 0)
    assert parser.done or not framing.over
    tx = stages[0].tx if stages else None
    for side in (TO_SERVER, TO_CLIENT):
        for of_offer, there in ((False, tx and tx.banners[side]), (True, tx and tx.kex[side])):
            assert bool(there) == ((side, of_offer) in framing.found)
            if there:
                assert_alike(side, of_offer, *framing.found[side, of_offer], tx)


def test_what_is_usual_is_framed():
    for talk in (USUAL, OTHERS):
        framing = Framing()
        assert all(framing.block(*turn) for turn in talk)
        assert framing.over
        assert set(framing.found) == {(0, False), (0, True), (1, False), (1, True)}
    framing = Framing()
    assert all(framing.block(*turn) for turn in USUAL)
    assert framing.found[0, True][0][p.STRING] == b"curve25519,dh14;aes128,aes256;hmac-1;none"
    assert framing.found[1, True][0][p.STRING] == b"curve25519;out;hmac-out;none"


def test_lines_before_a_banner_are_an_event():
    for talk in (TOLD, PRELUDE):
        assert not Framing().block(*talk[0])


def test_a_message_over_two_blocks_is_left_to_the_parser():
    for side, octets in (USUAL[0], OTHERS[1]):
        for cut in range(1, len(octets)):
            framing = Framing()
            whole = octets[:cut].endswith(b"\n")
            assert framing.block(side, octets[:cut]) == whole
            assert framing.block(side, octets[cut:]) == whole


# ---- rules

RULES = """
alert ssh any any -> any any (msg:"a"; ssh.software; content:"OpenSSH_9"; startswith; sid:1;)
alert ssh any any -> any any (msg:"b"; ssh.proto; content:"2.0"; bsize:3; sid:2;)
alert ssh any any -> any any (msg:"c"; flow:to_client; ssh.software; content:"dropbear"; sid:3;)
alert ssh any any -> any any (msg:"d"; ssh.hassh; content:"FIRST"; nocase; sid:4;)
alert ssh any any -> any any (msg:"e"; ssh.hassh.string; content:"aes128,aes256|3b|"; sid:5;)
alert ssh any any -> any any (msg:"f"; ssh.hassh.server; content:"SECOND"; sid:6;)
alert ssh any any -> any any (msg:"g"; ssh.hassh.server.string; content:"hmac-out|3b|none"; endswith; sid:7;)
alert ssh any any -> any any (msg:"h"; ssh.software; content:"evil"; ssh.hassh.string; content:"zlib"; sid:8;)
alert ssh any any -> any any (msg:"i"; ssh.software; content:"evil"; ssh.hassh.string; content:"dh14"; sid:9;)
alert ssh any any -> any any (msg:"j"; ssh.software; content:!"Open"; pcre:"/^[xyz]+$/"; sid:10;)
alert tcp any any -> any any (msg:"k"; content:"|a5 10 a5 10|"; sid:11;)
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    framing = Framing()
    assert all(framing.block(*turn) for turn in USUAL)
    hashes = [framing.found[side, True][0][p.HASSH].decode() for side in (0, 1)]
    text = RULES.replace("FIRST", hashes[0].upper()).replace("SECOND", hashes[1])
    folder = tmp_path_factory.mktemp("ssh")
    scanned = "\n".join(line for line in text.splitlines() if any(f"sid:{n};" in line for n in (1, 3, 8)))
    out = {}
    for name, one in {"bare": text, "scanned": scanned}.items():
        path = folder / f"{name}.rules"
        path.write_text(one)
        out[name] = load(path)
    return out


def frames_of(talk, cuts=(), lost=-1):
    flow = forgekit.Flow(dport=22)
    flow.open()
    for number, (side, octets) in enumerate(talk):
        if number == lost:
            flow.lose(side, len(octets))
        else:
            flow.send(side, octets, tuple(sorted({cut for cut in cuts if 0 < cut < len(octets)})))
    return flow.close().frames()


def assert_none_lost(rules, frames, sizes):
    wanted = run(frames, rules, types=("alert",), triage=False)
    for size in sizes:
        found = run(frames, rules, types=("alert",), block=size)
        assert found.pipeline.plan.frames
        assert not (wrong := difference(wanted, found)), f"blocks of {size}\n{wrong}"


@SLOW
@given(
    changed(TALKS), st.lists(st.integers(1, 200), max_size=3), st.sampled_from(["bare", "scanned"]), st.integers(1, 9),
    st.integers(-6, 3),
)  # fmt: skip
def test_no_alert_is_lost(rules, talk, cuts, which, block, lost):
    assert_none_lost(rules[which], frames_of(talk, cuts, lost), (16_384, block, 1))


@pytest.mark.parametrize("talk", [USUAL, OTHERS])
def test_nor_where_a_segment_ends_at_any_byte(rules, talk):
    for cut in range(1, max(len(octets) for _, octets in talk), effort(3, 13)):
        assert_none_lost(rules["bare"], frames_of(talk, (cut,)), (16_384, 1))


def test_the_rules_match_something(rules):
    found = {sid for talk in TALKS for sid in run(frames_of(talk), rules["bare"], types=("alert",)).sids}
    assert found == {1, 2, 3, 4, 5, 6, 7, 9, 10, 11}


def parsed(frames, rules):
    """Return (flows parsed, those that a rule may match, those that are not plain)."""
    pipeline = run(frames, rules, types=("alert",)).pipeline
    counters = pipeline.frame_counters
    return pipeline.walk.apps.counters.flows, counters.ssh_flows_matched, counters.ssh_flows_not_plain


def test_flows_are_parsed_where_a_rule_may_match(rules):
    other = [(TO_SERVER, b"SSH-2.0-PuTTY\r\n"), (TO_CLIENT, b"SSH-2.0-libssh\r\n" + packet(SERVER)), *USUAL[2:]]
    assert parsed(frames_of(other), rules["scanned"]) == (0, 0, 0)
    assert parsed(frames_of(USUAL), rules["bare"]) == (1, 1, 0)
    assert parsed(frames_of(FIRST), rules["scanned"]) == (1, 0, 1)
    assert parsed(frames_of(TOLD[:2]), rules["scanned"]) == (1, 0, 1)
