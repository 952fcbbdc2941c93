"""Bytes as parsers show them: the names of questions are there to be scanned."""

import numpy as np
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.engine.block.derive import datagrams, names
from sensor.model.anomaly import AppAnomaly
from sensor.model.rows import new_rows
from sensor.model.units import UNIT_PACKET
from sensor.proto.dns.parse import message

labels = st.lists(st.sampled_from(b"abcXYZ019-_* '"), min_size=1, max_size=63).map(bytes)
odd_labels = st.sampled_from((
    b"a.b", b"\xff", b"\0", b"A" * 32, b"EFEDEJFPEEEPENEBEJEOCACACACACABM", b"CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    b"A" * 33, b"A" * 32 + b".x", b"A" * 31 + b"Q", b"x" * 63,
))  # fmt: skip
pointers = st.integers(0, 80).map(lambda to: b"\xc0" + bytes((to,)))
endings = st.one_of(st.just(b"\0"), st.just(b"\0"), pointers)
names_on_wire = st.tuples(st.lists(st.one_of(labels, labels, odd_labels), max_size=6), endings)


def wire(name):
    parts, ending = name
    return b"".join(bytes((len(part),)) + part for part in parts) + ending


def query(questions, *, response=False, count=None, cut=None):
    count = len(questions) if count is None else count
    head = b"\x12\x34" + (b"\x81\x80" if response else b"\1\0") + count.to_bytes(2, "big") + bytes(6)
    return (head + b"".join(wire(name) + b"\0\1\0\1" for name in questions))[:cut]


def plain(*parts):
    return list(parts), b"\0"


def read(messages, *, responses=True):
    """Return ({row: names with their edges}, rows that must be parsed)."""
    rows = new_rows(len(messages) + 1)
    sizes = [len(text) for text in messages]
    rows["paylen"][1:], rows["pay"][1:] = sizes, np.cumsum([5, *sizes])[:-1]
    rows["flow"], rows["side"] = np.arange(rows.size) + 10, 1
    buf = np.frombuffer(b"front" + b"".join(messages), np.uint8)
    made, odd = names(datagrams(rows, np.arange(1, rows.size)), buf, responses=responses)
    found = {}
    for unit in made.units:
        assert (unit["flow"], unit["side"], unit["kind"]) == (unit["row"] + 10, 1, UNIT_PACKET)
        assert (unit["fresh"], unit["pos"]) == (unit["start"], 0)
        assert unit["end"] + 4 <= made.data.size
        found.setdefault(int(unit["row"]) - 1, []).append(made.data[unit["start"] : unit["end"]].tobytes())
    return found, odd.tolist()


def assert_as_parsed(messages, *, responses=True):
    found, odd = read(messages, responses=responses)
    for n, octets in enumerate(messages):
        shown = message(octets)
        if shown is None or (shown.is_response and not responses):
            assert n not in found
            assert n not in odd
        elif n in odd:
            assert n not in found
            long = any(len(question.name) > 220 for question in shown.questions)
            assert long or shown.fault is not None
        else:
            assert found.get(n, []) == [b"\0" + question.name + b"\0" for question in shown.questions]


asked = st.builds(
    lambda questions, response, cut, more: query(
        questions, response=response, count=max(len(questions) + more, 0), cut=cut
    ),
    st.lists(names_on_wire, max_size=4), st.booleans(), st.one_of(st.none(), st.none(), st.integers(0, 120)),
    st.sampled_from((0, 0, 0, 1, -1)),
)  # fmt: skip


@settings(deadline=None, max_examples=effort(300, 40))
@given(st.lists(asked, max_size=5), st.booleans())
def test_names_are_those_that_the_parser_shows(messages, responses):
    assert_as_parsed(messages, responses=responses)


@settings(deadline=None, max_examples=effort(300, 40))
@given(asked, st.integers(0, 200), st.integers(0, 255))
def test_whatever_byte_is_another(octets, at, value):
    changed = octets[:at] + bytes((value,)) + octets[at + 1 :]
    assert_as_parsed([octets, changed, octets])


def test_several_questions_and_netbios_names():
    back = [b"x"], b"\xc0\x0c"
    many = query([plain(b"D-Link HNAP Service", b"local"), back, plain(b"EFEDEJFPEEEPENEBEJEOCACACACACABM", b"a")])
    found, odd = read([many, query([])])
    assert not odd
    service = b"D-Link HNAP Service.local"
    assert found == {0: [b"\0" + service + b"\0", b"\0x." + service + b"\0", b"\0ECI_DOMAIN<1c>.a\0"]}


def test_what_finds_no_room_is_parsed():
    crowded = query([plain(b"x")] * 200)
    found, odd = read([query([plain(b"a")]), crowded, query([plain(b"b")])])
    assert odd == [1]
    assert found == {0: [b"\0a\0"], 2: [b"\0b\0"]}


def test_pointers_are_followed_backwards_and_not_for_ever():
    chain = query([plain(b"a"), *[([], b"\xc0" + bytes((13 + 6 * n if n else 12,))) for n in range(40)]])
    loop = query([([], b"\xc0\x0c")])
    found, odd = read([chain, loop])
    assert odd == [0, 1]
    assert not found
    assert message(chain).fault == message(loop).fault == AppAnomaly.DNS_POINTER_LOOP
