"""Frames of TLS: what the kernel cuts out is what the parser reads, and rules tried on it lose no alert."""

import sys
from pathlib import Path

import forgekit
import numpy as np
import pytest
from effort import effort
from enginekit import difference, load, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "proto"))  # the forged bytes of the unit tests

import handshakes as forge

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.model.frames import ABSENT, APART, CONTINUED, HEAD, REST, UNKNOWN
from sensor.model.rows import FLOW
from sensor.model.units import UNIT, UNIT_STREAM
from sensor.proto.tls import parts as p
from sensor.proto.tls.fields import SPEC
from sensor.proto.tls.framing import TlsFramer
from sensor.proto.tls.state import TlsParser
from sensor.proto.tls.x509 import LABELS

SLOW = settings(max_examples=effort(60, 12), deadline=None, suppress_health_check=[HealthCheck.too_slow])
SIDES = {buffer.name: SPEC.stages[buffer.stage].side for buffer in SPEC.buffers}
STAGES = {buffer.name: buffer.stage for buffer in SPEC.buffers}
UNREAD = (p.HELLO, p.NAMES)
GREASE = 0x2A2A

# ---- handshakes

EXTENSIONS = [
    forge.sni(b"www.example.org"), forge.sni(b"evil.test"), forge.sni(b""), forge.extension(0, b""),
    forge.extension(0, b"\0\4\1\0\1a"), forge.extension(0, b"\0\4\0\0\2a"), forge.extension(0, b"\0\4\0\0\1aXX"),
    forge.alpn(b"h2", b"http/1.1"), forge.groups(GREASE, 29, 23), forge.groups(),
    forge.extension(10, b"\0\5\0\1\0\2\3"),
    forge.extension(10, b"\0\xff"), forge.formats(0, 1), forge.formats(), forge.signatures(0x0403),
    forge.versions(GREASE, 0x0304, 0x0303), forge.versions(0x7F1C, 0x0302), forge.versions(),
    forge.extension(43, b"\3\4"),
    forge.extension(43, b"\3\3"), forge.extension(43, b"\3"), forge.extension(GREASE, b""), forge.extension(51, b"key"),
    forge.extension(23, b""), b"\0", b"\0\x0a\0\xff",
]  # fmt: skip
KINDS = (0x0C, 0x13, 0x16, 0x1E, 0x1C, 0x05)
OIDS = [*LABELS, b"\x55\4\x61", b"\x2a\x86\x48", b"\x2a\xff\xff\xff\xff\x7f", b"\x78\1\x81", b"", b"\x2a" * 13]
VALUES = [b"", b"host", b"Acme, Inc.", b"a=b + c", b"\0x\0y", "h\u00e9".encode(), b"h\xe9", b"v" * 1100]


@st.composite
def names(draw):
    """A distinguished name, mostly of attributes with labels and of ASCII."""
    sets = []
    for _ in range(draw(st.integers(0, 4))):
        pairs = []
        for _ in range(draw(st.sampled_from([1, 1, 1, 2, 0]))):
            oid = draw(st.sampled_from(OIDS[:12] if draw(st.booleans()) else OIDS))
            plain = draw(st.integers(0, 3))
            value = draw(st.sampled_from(VALUES[:4] if plain else VALUES))
            kind = draw(st.sampled_from(KINDS[:3] if plain else KINDS))
            pairs.append(forge.tlv(0x30, forge.tlv(6, oid), forge.tlv(kind, value)))
        sets.append(forge.tlv(0x31, *pairs))
    return forge.tlv(0x30, *sets)


@st.composite
def leaves(draw):
    if draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from([forge.CERT, b"", b"\x30\0", forge.CERT[:-9], forge.certificate(version=b"")]))
    serial = draw(st.sampled_from([b"\5", b"\0\xff\1", b"", b"\7" * 40, b"\7" * 41]))
    return forge.certificate(issuer=draw(names()), subject=draw(names()), serial=forge.tlv(2, serial))


chains = st.lists(leaves(), max_size=3)


@st.composite
def hellos(draw, side):
    chosen = b"".join(draw(st.lists(st.sampled_from(EXTENSIONS), max_size=6)))
    version = draw(st.sampled_from([0x0303, 0x0303, 0x0301, 0x0300, 0x0304, 0x7F1C, 0x0002]))
    if side == TO_CLIENT:
        return forge.server_hello(draw(st.sampled_from([0x002F, GREASE])), chosen, version)
    ciphers = draw(st.lists(st.sampled_from([0x1301, 0x002F, GREASE, 0xC02B]), max_size=5))
    return forge.client_hello(ciphers, chosen, version)


@st.composite
def handshakes(draw):
    """Both sides' hellos and what may follow them, in an order that is usual, or nearly."""
    chain, mine = draw(chains), draw(chains)
    flight = draw(hellos(TO_CLIENT)), forge.certificates(*chain), forge.SERVER_DONE
    records = [forge.record(22, b"".join(flight))] if draw(st.booleans()) else [forge.record(22, one) for one in flight]
    finished = forge.record(22, b"\xee" * 40)
    answer = draw(st.sampled_from([
        forge.certificates(*mine) + forge.message(16, b"key exchange"), forge.message(16, b"key exchange"), b"",
    ]))  # fmt: skip
    back = draw(st.sampled_from([forge.CCS + finished, forge.CCS + forge.DATA, forge.DATA, b"", records[0]]))
    ahead = draw(st.sampled_from([forge.CCS + finished, forge.CCS + forge.DATA, forge.DATA, b""]))
    again = draw(st.sampled_from([b"", b"", forge.CCS + forge.record(22, draw(hellos(TO_SERVER)))]))
    return [
        (TO_SERVER, forge.record(22, draw(hellos(TO_SERVER)), 0x0301)), (TO_CLIENT, b"".join(records)),
        (TO_SERVER, again + (forge.record(22, answer) if answer else b"") + ahead), (TO_CLIENT, back),
        (TO_SERVER, draw(st.sampled_from([forge.DATA, b"", finished]))), (TO_CLIENT, forge.DATA),
    ]  # fmt: skip


BASES = [
    forge.tls12(forge.sni(b"www.example.org") + forge.groups(29, 23), client_certs=(forge.CERT,)), forge.tls13(),
    [(0, forge.ssl2_client_hello(version=2)), (1, forge.ssl2_server_hello(forge.CERT))],
]  # fmt: skip


@st.composite
def talks(draw):
    """A conversation, at times with a few bytes changed, dropped or doubled."""
    talk = draw(st.one_of(handshakes(), handshakes(), st.sampled_from(BASES)))
    talk = [list(turn) for turn in talk if turn[1]]
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        turn = draw(st.sampled_from(talk))
        at = draw(st.integers(0, len(turn[1])))
        byte = bytes([draw(st.integers(0, 255))]) * draw(st.integers(0, 3))
        turn[1] = turn[1][:at] + byte + turn[1][at + draw(st.sampled_from([0, 1, 1, 5])) :]
    return [(side, octets) for side, octets in talk if octets]


# ---- the framer beside the parser


def blocks_of(talk, cuts):
    """Return the turns in blocks: each cut is a place in all the bytes, in the order in which they come."""
    out, block, at = [], [], 0
    for side, octets in talk:
        begin = 0
        for cut in sorted(cut - at for cut in set(cuts) if 0 < cut - at < len(octets)):
            block.append((side, octets[begin:cut]))
            out.append(block)
            block, begin = [], cut
        block.append((side, octets[begin:]))
        at += len(octets)
    return [*out, block]


class Framing:
    """A framer that is fed the blocks of one flow."""

    def __init__(self):
        self.framer = TlsFramer(range(11))
        self.flows = np.zeros(1, FLOW)
        self.pos = [0, 0]
        self.found = {}
        """(side, of a chain) → {part: bytes, ABSENT or UNKNOWN}, what is known of it by its message."""
        self.over = False

    def block(self, turns):
        """Take the turns of a block; return whether they are plain."""
        sides = {side: b"".join(octets for one, octets in turns if one == side) for side, _ in turns}
        units = np.zeros(len(sides), UNIT)
        data = b""
        for unit, (side, octets) in zip(units, sides.items(), strict=True):
            unit["start"] = unit["fresh"] = len(data)
            data += octets
            unit["end"], unit["pos"], unit["side"], unit["kind"] = len(data), self.pos[side], side, UNIT_STREAM
            self.pos[side] += len(octets)
        octets = np.frombuffer(data + bytes(8), np.uint8).copy()
        made = self.framer.frame(octets, units, np.ones(units.size, np.bool_), self.flows)
        self.over |= bool(made.over.size)
        at = {n: int(unit["start"]) for n, unit in enumerate(units)}
        for frame in made.frames:
            assert frame["first"] == at[int(frame["unit"])]
            at[int(frame["unit"])] = int(frame["last"])
            if not frame["flags"] & CONTINUED:
                self._note(frame, data, made.text.tobytes(), octets)
        for n, unit in enumerate(units):
            assert n in made.refused or at[n] == unit["end"]
        return not made.refused.size

    def _note(self, frame, data, text, octets):
        values = {}
        for part in range(11):
            at, to = int(frame["at"][part]), int(frame["to"][part])
            values[part] = (text if part in p.FRAMING.text else data)[at:to] if at >= 0 else at
        key = int(frame["side"]), values[p.CERTS] != APART
        assert key not in self.found
        self.found[key] = values, self.framer.message(octets, frame, whole=False)


def assert_alike(side, chain, values, message, tx):
    stage = (p.FRAMING.wholes if chain else p.FRAMING.heads)[side]
    known = {name for name in p.PARTS_OF if STAGES[name] == stage}
    if message is not None:
        assert message[1] == (REST if chain else HEAD)
        for name in known:
            assert list(message[0].buffer(name)) == list(tx.buffer(name)), name
    for name in known - {"tls.cert_chain_len", "tls.cert_chain_len@to_client"}:
        value, found = values[p.PARTS_OF[name]], list(tx.buffer(name))
        if p.PARTS_OF[name] in UNREAD:
            assert value == UNKNOWN or (chain and value == ABSENT and not found)
        elif p.PARTS_OF[name] in p.FRAMING.several:
            assert all(one in value for one in found) if found else value == ABSENT
        elif value == ABSENT:
            assert not found, name
        elif value != UNKNOWN:
            assert found == [value], name
        else:
            assert name.startswith("tls.version")


@settings(max_examples=effort(600, 80), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(talks(), st.lists(st.integers(1, 3000), max_size=2))
def test_a_frame_is_what_the_parser_reads(talk, cuts):
    framing, parser, stages = Framing(), TlsParser(), []
    for block in blocks_of(talk, cuts):
        if not framing.block(block):
            assert not framing.framer.follows(0, 0)
            return
        for side, octets in block:
            stages += parser.feed(side, octets, 0)
        assert parser.done or not framing.over
    tx = stages[0].tx if stages else None
    for side in (TO_SERVER, TO_CLIENT):
        reached = tx is not None and (tx.client if side == TO_SERVER else tx.server) is not None
        certs = tx is not None and (tx.client_certs if side == TO_SERVER else tx.certs)
        for chain, there in ((False, reached), (True, bool(certs))):
            if there:
                assert_alike(side, chain, *framing.found[side, chain], tx)
            elif (side, chain) in framing.found and not parser.done:
                assert chain
                assert framing.found[side, chain][0][p.CERTS] == ABSENT


def test_what_is_usual_is_framed():
    for talk in BASES[:2]:
        framing = Framing()
        for turn in talk:
            assert framing.block([turn])
        assert framing.over
    assert set(framing.found) == {(0, False), (1, False)}
    framing = Framing()
    assert framing.block(BASES[0])
    assert framing.over
    assert set(framing.found) == {(0, False), (0, True), (1, False), (1, True)}
    leaf = framing.found[1, True][0]
    assert leaf[p.SERIAL] == b"00:FF:01"
    assert not Framing().block(BASES[2])


def test_a_message_over_two_blocks_is_left_to_the_parser():
    side, octets = BASES[0][0]
    for cut in range(1, len(octets)):
        framing = Framing()
        assert not framing.block([(side, octets[:cut])])
        assert not framing.block([(side, octets[cut:])])


# ---- rules

RULES = [
    'tls.sni; content:"www.example.org"; bsize:15;',
    'tls.sni; content:".test"; endswith;',
    'tls.sni; content:"evil"; tls.version:1.2;',
    'ja3.hash; content:"REPLACED";',
    'ja3.string; content:",29-23,";',
    'ja4.hash; content:"t12";',
    "tls.version:1.3;",
    'tls.alpn; content:"http/1.1";',
    'tls.cert_subject; content:"CN=host";',
    'tls.random; content:"RRRR"; content:"stream-of"; within:100;',
]
ANSWERS = [
    'tls.cert_subject; content:"Acme, Inc.";',
    'tls.cert_subject; content:"CN=";',
    'tls.cert_issuer; content:!"Acme"; content:"host";',
    'tls.cert_serial; content:"05"; bsize:2;',
    'tls.cert_fingerprint; content:"a";',
    'tls.certs; content:"key|30|"; content:"signed";',
    'tls.certs; content:"|55 04|";',
    'tls.subjectaltname; content:"a.example";',
    'ja3s.string; content:"771,47";',
    'tls.version:1.2; pkt_data; content:"signed";',
    'tls.cert_subject; content:"O=a=b"; tls.version:1.2;',
    'tls.cert_issuer; content:"streetAddress=Acme";',
    'tls.cert_subject; content:"Address=";',
]
STREAM = 'alert tcp any any -> any any (msg:"s"; content:"sess"; sid:900;)'
CHAIN = [
    f'alert tls any any -> any any (msg:"c"; {body} sid:{sid};)'
    for sid, body in enumerate((
        "tls.cert_chain_len:1;", "tls.cert_chain_len:>1;", "tls_cert_expired;", "tls_cert_valid;",
        "tls_cert_notbefore:<2030-01-01;", "tls_cert_notafter:<2040-01-01;",
    ), 901)
]  # fmt: skip
"""They ask for a certificate alone."""
NONE = [
    f'alert tls any any -> any any (msg:"n"; {body} sid:{sid};)'
    for sid, body in enumerate((
        "tls.cert_chain_len:0;", "tls.cert_chain_len:<2;", "ssl_state:client_hello|server_hello;",
    ), 911)
]  # fmt: skip
"""A chain's length is known without any message of its side: they may match any flow."""


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    lines = [
        f'alert tls any any -> any any (msg:"r"; flow:established,{side}; {body} sid:{sid};)'
        for first, side, bodies in ((100, "to_server", RULES), (200, "to_client", ANSWERS))
        for sid, body in enumerate(bodies, first)
    ]
    words = "tls.sni", "Acme", "streetA"
    scanned = [line for line in lines if any(word in line for word in words)]
    folder = tmp_path_factory.mktemp("tls_frames")
    out = {}
    kinds = {"bare": [*lines, STREAM], "scanned": scanned, "chain": CHAIN, "none": NONE, "all": [*lines, *CHAIN, *NONE]}
    for name, members in kinds.items():
        path = folder / f"{name}.rules"
        path.write_text("\n".join(members))
        out[name] = load(path)
    return out


def frames_of(talk, cuts, lost=-1):
    flow = forgekit.Flow(dport=443)
    flow.open()
    for number, (side, octets) in enumerate(talk):
        if number == lost:
            flow.lose(side, len(octets))
        else:
            flow.send(side, octets, tuple(sorted(cut for cut in set(cuts) if 0 < cut < len(octets))))
    flow.close()
    return flow.frames()


@SLOW
@given(
    talks(), st.lists(st.integers(1, 400), max_size=3), st.sampled_from(["bare", "scanned", "chain", "none", "all"]),
    st.integers(1, 9), st.sampled_from([-1, -1, -1, 1, 2]),
)  # fmt: skip
def test_no_alert_is_lost(rules, talk, cuts, which, block, lost):
    frames = frames_of(talk, cuts, lost)
    wanted = run(frames, rules[which], types=("alert",), triage=False)
    for size in (16_384, block, 1):
        found = run(frames, rules[which], types=("alert",), block=size)
        assert found.pipeline.plan.frames
        assert not (wrong := difference(wanted, found)), f"blocks of {size}\n{wrong}"


def test_the_rules_match_something(rules):
    hello = forge.sni(b"www.example.org") + forge.groups(29, 23) + forge.alpn(b"http/1.1")
    found = set()
    for sni in (hello, forge.sni(b"evil.test"), forge.versions(0x0304)):
        for leaf in (forge.CERT, forge.certificate()):
            talk = forge.tls12(sni, certs=(leaf,), client_certs=(forge.CERT,))
            found |= set(run(frames_of(talk, ()), rules["bare"], types=("alert",)).sids)
    assert len(found) > 15, sorted(found)


def test_a_flow_that_no_rule_matches_is_neither_parsed_nor_kept(rules):
    talk = forge.tls12(forge.sni(b"some.where"), certs=(forge.certificate(subject=forge.NAME),))
    done = run(frames_of(talk + [(TO_CLIENT, forge.DATA * 40)] * 3, ()), rules["scanned"], types=("alert",), block=6)
    assert not done.sids
    assert done.pipeline.walk.apps.counters.flows == 0


def test_flows_are_parsed_for_what_certificates_say_where_there_are_any(rules):
    flows = {}
    for name in ("chain", "none"):
        for kind, talk in {"with": BASES[0], "without": BASES[1]}.items():
            done = run(frames_of(talk, ()), rules[name], types=("alert",))
            flows[name, kind] = done.pipeline.walk.apps.counters.flows, set(done.sids)
    assert flows["chain", "without"] == (0, set())
    assert flows["none", "without"] == (1, {911, 912, 913})
    assert flows["chain", "with"][0] == 1
    assert 901 in flows["chain", "with"][1]
    assert flows["none", "with"] == (1, {912, 913})
