"""Protocol detection never takes a decision back."""

import struct
from itertools import pairwise

import numpy as np
from effort import effort
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sensor.model.rows import APP_UNDECIDED, APP_UNKNOWN
from sensor.proto.probe import HEAD, probe_streams

STARTS = (
    b"GET / HTTP/1.1\r\nHost: example\r\n",
    b"\r\nM-SEARCH * HTTP/1.1\r\n",
    b"FROB /index HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"\x16\3\1\2\0\1\0\1\xfc\3\3",
    b"\x15\3\3\0\2\2\x28",
    b"\x80\x2e\1\3\1\0\x15\0\0\0\x10",
    struct.pack("!7H", 29, 1, 0x0100, 1, 0, 0, 0) + b"\3www\7example\3com\0\0\1\0\1",
    struct.pack("!7H", 60, 1, 0x8180, 1, 1, 0, 0) + b"\3www\7example\3com\0\0\1\0\1",
    b"220 mail.example ESMTP\r\n",
    b"\0\0\0\x85\xffSMB",
    b"\x10\x2d\0\4MQTT\5\2\0\x3c\0\0\7guest-7",
    b"\x10\x2d\0\6MQIsdp\3\2\0\x3c",
    b"\x20\2\0\0",
    b"+OK POP3 ready\r\n",
    b"* OK IMAP4 ready\r\n",
    b"\xff\xfd\x18\xff\xfd\x20\xff\xfd",
    b"USER joe\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x64",
    b"\x32\x80\1\0\4a/b/\0\1hello",
)


@st.composite
def heads(draw):
    """Return a side's first bytes: something known with a byte changed, or anything."""
    data = bytearray(draw(st.sampled_from(STARTS)) if draw(st.integers(0, 3)) else draw(st.binary(max_size=HEAD)))
    if data and draw(st.booleans()):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data + draw(st.binary(max_size=8)))[:HEAD]


def grow(first, second, port):
    """Return the answers while first one side and then the other grows byte by byte."""
    steps = [(n, 0) for n in range(len(first) + 1)] + [(len(first), n) for n in range(1, len(second) + 1)]
    table = np.zeros((len(steps), 2, HEAD), np.uint8)
    for i, (a, b) in enumerate(steps):
        table[i, 0, :a] = np.frombuffer(first[:a], np.uint8)
        table[i, 1, :b] = np.frombuffer(second[:b], np.uint8)
    ports = np.full(len(steps), port, np.uint16)
    return probe_streams(table, np.array(steps), ports, ports).tolist()


def settled(answers):
    """Check that the first decision stays; a flow's unknown may become known when a silent side speaks."""
    decided = [a for a in answers if a != APP_UNDECIDED]
    for before, after in pairwise(decided):
        assert before in (after, APP_UNKNOWN), answers
    first = next((i for i, a in enumerate(answers) if a != APP_UNDECIDED), len(answers))
    assert APP_UNDECIDED not in answers[first:]


@settings(max_examples=effort(300, 100), deadline=None)
@given(heads(), heads(), st.sampled_from((9999, 80, 53, 443, 1883, 110, 25, 21, 23, 3389, 5432)))
def test_to_server_first(first, second, port):
    settled(grow(first, second, port))


@settings(max_examples=effort(200, 65), deadline=None)
@example(b"SSH- .0-OpenSSH_9.6\r\n", 80)  # once a banner, once a method of HTTP
@given(heads(), st.sampled_from((9999, 80, 53, 443, 21, 23, 25, 3389, 5432)))
def test_one_side_never_changes_its_verdict(data, port):
    answers = grow(data, b"", port)
    assert len({a for a in answers if a != APP_UNDECIDED}) <= 1


@settings(max_examples=effort(200, 65), deadline=None)
@given(heads(), st.sampled_from((9999, 80, 53)))
def test_sides_are_judged_alike(data, port):
    table = np.zeros((2, 2, HEAD), np.uint8)
    for side in (0, 1):
        table[side, side, : len(data)] = np.frombuffer(data, np.uint8)
    ports = np.full(2, port, np.uint16)
    one, other = probe_streams(table, np.array([[len(data), 0], [0, len(data)]]), ports, ports)
    assert one == other


@settings(max_examples=100, deadline=None)
@given(heads(), st.binary(min_size=HEAD, max_size=HEAD), st.sampled_from((9999, 80, 53)))
def test_bytes_behind_the_length_do_not_count(data, noise, port):
    table = np.zeros((2, 2, HEAD), np.uint8)
    table[1] = np.frombuffer(noise, np.uint8)
    table[:, 0, : len(data)] = np.frombuffer(data, np.uint8)
    ports = np.full(2, port, np.uint16)
    one, other = probe_streams(table, np.array([[len(data), 0]] * 2), ports, ports)
    assert one == other


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=HEAD, max_size=HEAD), st.binary(min_size=HEAD, max_size=HEAD))
def test_full_heads_are_always_decided(first, second):
    assert grow(first, second, 9999)[-1] != APP_UNDECIDED
