"""Frames of DHCP: what the kernel finds is what the parser reads, and rules tried on it lose no alert."""

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
from sensor.model.frames import ABSENT
from sensor.model.units import UNIT
from sensor.proto.dhcp import parts as p
from sensor.proto.dhcp.framing import frame_messages
from sensor.proto.dhcp.state import DhcpParser

SLOW = settings(max_examples=effort(100, 15), deadline=None, suppress_health_check=[HealthCheck.too_slow])
END = b"\xff"

CODES = (12, 15, 50, 51, 53, 54, 55, 58, 59, 60, 61, 1, 3, 6, 43, 0, 255, 52)
VALUES = (
    b"", b"\1", b"\5", b"\x09", b"\0\0\x0e\x10", b"\x0a\0\xc8\1", b"evil-host", b"\1\x06\x0f", b"lab.ab", b"x" * 255,
)  # fmt: skip


@st.composite
def options(draw):
    """Options as they may come, mostly each once."""
    codes = draw(st.lists(st.sampled_from(CODES[:15]), max_size=9, unique=draw(st.integers(0, 3)) > 0))
    out = b"".join(forge.option(code, draw(st.sampled_from(VALUES))) for code in codes)
    pads, odd = b"\0" * draw(st.sampled_from([0, 0, 3])), draw(st.sampled_from([b"", b"", b"", b"\x0c", b"\x0c\xff"]))
    overload = draw(st.sampled_from([b"", b"", b"", b"", forge.option(52, b"\3")]))
    return pads + overload + out + odd + draw(st.sampled_from([END, END, b"", END + b"\0\0"]))


@st.composite
def messages(draw):
    """A message, at times with a few bytes changed, or cut off."""
    inside = forge.option(12, b"from-file") + END
    octets = forge.dhcp(draw(st.sampled_from([1, 2, 2, 3])), draw(options()), b"\x0a\0\xff\7", file=inside)
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at = draw(st.one_of(st.integers(0, len(octets) - 1), st.integers(236, len(octets) - 1)))
        octets = octets[:at] + bytes((draw(st.integers(0, 255)),)) + octets[at + 1 :]
    return octets[: draw(st.sampled_from([None, None, None, -3, 239, 100]))]


def message(op, *pairs):
    return forge.dhcp(op, b"".join(forge.option(*pair) for pair in pairs) + END)


USUAL = [
    message(1, (53, b"\3"), (12, b"web-03"), (50, b"\x0a\0\0\x64")),
    message(2, (53, b"\5"), (51, b"\0\0\x0e\x10"), (15, b"lab.test")),
    message(1, (60, b"MSFT 5.0"), (61, b"\1abcdef"), (55, b"\1\3\6")),
]


def framed(octets):
    """Return (values by part or ABSENT, refused): the frames of messages, one by one."""
    units = np.zeros(len(octets), UNIT)
    units["end"] = np.cumsum([len(one) for one in octets])
    units["start"][1:] = units["end"][:-1]
    made = frame_messages(np.frombuffer(b"".join(octets) + b"\0", np.uint8).copy(), units)
    data, found = b"".join(octets), {}
    for frame in made.frames:
        values = found[int(frame["unit"])] = []
        for part in range(16):
            at, to = int(frame["at"][part]), int(frame["to"][part])
            values.append((made.text.tobytes() if part in p.FRAMING.text else data)[at:to] if at >= 0 else at)
    return found, made.refused.tolist()


@settings(max_examples=effort(600, 80), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(messages(), messages(), st.binary(max_size=300)), max_size=4))
def test_a_frame_is_what_the_parser_reads(octets):
    found, refused = framed(octets)
    for n, one in enumerate(octets):
        stages = DhcpParser().feed(TO_SERVER, one, 0)
        assert bool(stages) == (n in found or n in refused)
        assert not (n in found and n in refused)
        for name, part in p.PARTS_OF.items() if n in found else ():
            value = found[n][part]
            assert list(stages[0].tx.buffer(name)) == ([] if value == ABSENT else [value]), name


def test_what_is_usual_is_framed():
    found, refused = framed(USUAL)
    assert not refused
    assert (found[0][p.TYPE], found[0][p.HOSTNAME], found[0][p.REQUESTED_IP]) == (b"request", b"web-03", b"10.0.0.100")
    assert (found[1][p.TYPE], found[1][p.LEASE_TIME], found[1][p.DOMAIN]) == (b"ack", b"\0\0\x0e\x10", b"lab.test")
    assert (found[2][p.TYPE], found[2][p.PARAMS], found[2][p.CLIENT_MAC]) == (ABSENT, b"\1\3\6", b"00:16:3e:01:02:03")


def test_options_are_walked_as_far_as_the_parser_does():
    for count in (254, 255, 256):
        octets = forge.dhcp(1, forge.option(43, b"") * count + forge.option(12, b"behind") + END)
        found, refused = framed([octets])
        assert bool(refused) == (count >= 255)
        assert bool(DhcpParser().feed(TO_SERVER, octets, 0)[0].tx.buffer("dhcp.hostname")) == (count < 256)
        assert bool(found) != bool(refused)


RULES = """
alert dhcp any any -> any any (msg:"time"; dhcp.leasetime:<7200; sid:1;)
alert dhcp any any -> any any (msg:"rebinding"; dhcp.rebinding_time:>3000; sid:2;)
"""
OWN = "rules:\n" + "".join(
    f"  - {{id: {11 + n}, title: t, severity: low, protocol: dhcp, match: [{tests}]}}\n"
    for n, tests in enumerate((
        "{dhcp.hostname: {content: evil, startswith: true}}",
        "{dhcp.type: {equals: ack}}, {dhcp.domain: {content: lab}}", "{dhcp.requested_ip: {equals: 10.0.200.1}}",
        '{dhcp.vendor_class: {content: "!", not: true}}',
        '{dhcp.client_mac: {content: "00:16:3e", depth: 8}}',
    ))
)  # fmt: skip


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dhcp")
    (folder / "own.yaml").write_text(OWN)
    (folder / "times.rules").write_text(RULES)
    return {"own": load(folder / "own.yaml"), "both": load(folder / "own.yaml", folder / "times.rules")}


def frames_of(octets):
    flow = forgekit.Flow(sport=68, dport=67)
    for n, one in enumerate(octets):
        flow.datagram((TO_SERVER, TO_CLIENT)[n % 2], one)
    return flow.frames()


@SLOW
@given(st.lists(messages(), min_size=1, max_size=5), st.sampled_from(["own", "both"]), st.integers(1, 4))
def test_no_alert_is_lost(rules, octets, which, block):
    frames = frames_of(octets)
    wanted = run(frames, rules[which], types=("alert",), triage=False)
    for size in (16_384, block):
        found = run(frames, rules[which], types=("alert",), block=size)
        assert found.pipeline.plan.frames
        assert not (wrong := difference(wanted, found)), f"blocks of {size}\n{wrong}"


def parsed(octets, rules):
    """Return (messages that a rule may match, messages that are not plain, ids of rules that do match)."""
    done = run(frames_of(octets), rules, types=("alert",))
    counters = done.pipeline.frame_counters
    return counters.dhcp_messages_matched, counters.dhcp_messages_not_plain, set(done.sids)


def test_messages_are_parsed_where_a_rule_may_match(rules):
    evil = message(1, (12, b"evil-host"), (50, b"\x0a\0\xc8\1"))
    times = message(2, (51, b"\0\0\x0e\x10"), (59, b"\0\0\x0e\x10"))
    macless = [one[:28] + b"\xee" * 6 + one[34:] for one in (*USUAL[:2], evil, times)]
    assert parsed(macless[:1] * 5, rules["own"]) == (0, 0, set())
    assert parsed([*macless[:1], *macless], rules["own"]) == (2, 0, {11, 12, 13})
    assert parsed([macless[3]], rules["both"]) == (1, 0, {1, 2})
    assert parsed(USUAL, rules["own"]) == (3, 0, {12, 14, 15})
    twice = message(1, (12, b"evil"), (12, b"host"))
    assert parsed([twice[:28] + b"\xee" * 6 + twice[34:]], rules["own"]) == (0, 1, {11})
