"""Bytes as normalisation leaves them: what the parsers show of a request or a question is there to be scanned."""

import re

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sensor.detect.wire import on_the_wire
from sensor.engine.derive import decoded, names
from sensor.model.rows import new_rows
from sensor.model.units import UNIT, UNIT_PACKET, UNIT_STREAM
from sensor.proto.dns.parse import message
from sensor.proto.http1.uri import normalise
from sensor.rules.nodes import All, BufferMatch, Content, Rule

PIECES = (
    b"/", b"//", b"\\", b".", b"..", b"a", b"B", b"0041", b"u", b"+", b"?", b"#", b" ", b"%", b"%4", b"%41", b"%6z",
    b"%2f", b"%2E", b"%25", b"%u0041", b"%U0062", b"%uFF21", b"%u20AC", b"%u00", b"%00", b"\xff",
)  # fmt: skip
targets = st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join)


def units_of(texts):
    units = np.zeros(len(texts), UNIT)
    units["end"] = np.cumsum([len(text) for text in texts])
    units["start"] = units["fresh"] = units["end"] - [len(text) for text in texts]
    units["flow"], units["side"], units["kind"] = np.arange(len(texts)), 0, UNIT_STREAM
    units["pos"] = 1000 * np.arange(len(texts))
    return np.frombuffer(b"".join(texts) or b"\0", np.uint8).copy(), units


def copies(texts, wanted=None):
    """Return {unit: its decoded copies}, and which units hold a percent sign."""
    data, units = units_of(texts)
    made, coded = decoded(data, units, np.ones(len(texts), np.bool_) if wanted is None else np.array(wanted, np.bool_))
    out = {}
    for unit in made.units:
        assert unit["fresh"] == unit["start"]
        assert unit["pos"] == units["pos"][unit["flow"]]
        out.setdefault(int(unit["flow"]), []).append(made.data[unit["start"] : unit["end"]].tobytes())
    return out, coded.tolist()


def plain_decode(text, *, words):
    def byte(found):
        if found[2]:
            return bytes.fromhex(found[2].decode())
        code = int(found[1], 16)
        code -= 0xFEE0 if 0xFF01 <= code <= 0xFF5E else 0
        return bytes((code,)) if code < 256 else b"?"

    return re.sub(rb"%(?:[uU]([0-9A-Fa-f]{4})|([0-9A-Fa-f]{2}))" if words else rb"%()([0-9A-Fa-f]{2})", byte, text)


@settings(deadline=None)
@given(st.lists(st.tuples(targets, st.booleans()), max_size=6))
def test_wanted_units_with_a_percent_sign_are_decoded(members):
    texts = [text for text, _ in members]
    got, coded = copies(texts, [wanted for _, wanted in members])
    assert coded == [wanted and b"%" in text for text, wanted in members]
    assert sorted(got) == [n for n, one in enumerate(coded) if one]
    for n, found in got.items():
        both = [plain_decode(texts[n], words=True), plain_decode(texts[n], words=False)]
        assert found == both[: 2 if re.search(rb"%[uU][0-9A-Fa-f]{4}", texts[n]) else 1]


def test_as_much_as_possible_fits():
    """Nothing gets shorter by decoding: the output is as long as its room."""
    text = b"%" * 300
    got, _ = copies([text, b"%u" * 100])
    assert got == {0: [text], 1: [b"%u" * 100]}


@settings(deadline=None, max_examples=300)
@given(targets, st.integers(0, 20), st.integers(1, 20))
@example(b"/?%u0063d%41", 3, 20)
def test_a_literal_of_a_uri_stands_in_the_bytes_or_in_a_decoded_copy(target, begin, size):
    uri = normalise(b"/" + target)
    pattern = uri[begin : begin + size]
    if not pattern:
        return
    content = Content(pattern)
    rule = Rule(1, "", "http", All((BufferMatch("http.uri", (content,)),)))
    searched = on_the_wire(rule, "http.uri", content)
    got, _ = copies([b"/" + target])
    assert any(searched in text for text in (b"/" + target, *got.get(0, [])))


# ---- names of questions

labels = st.lists(st.sampled_from(b"abcXYZ019-_*"), min_size=1, max_size=63).map(bytes)
odd_labels = st.sampled_from((b"a.b", b"a b", b"\xff", b"A" * 32, b"x" * 63))
dotted = st.lists(st.one_of(labels, labels, odd_labels), max_size=6)


def query(parts, *, response=False, count=1, cut=None):
    name = b"".join(bytes((len(part),)) + part for part in parts) + b"\0"
    head = b"\x12\x34" + (b"\x81\x80" if response else b"\1\0") + count.to_bytes(2, "big") + bytes(6)
    return (head + name + b"\0\1\0\1")[:cut]


def read(messages, *, responses=True):
    """Return ({row: name with its edges}, rows that must be parsed)."""
    rows = new_rows(len(messages) + 1)
    sizes = [len(text) for text in messages]
    rows["paylen"][1:], rows["pay"][1:] = sizes, np.cumsum([5, *sizes])[:-1]
    rows["flow"], rows["side"] = np.arange(rows.size) + 10, 1
    buf = np.frombuffer(b"front" + b"".join(messages), np.uint8)
    made, odd = names(rows, buf, np.arange(1, rows.size), responses=responses)
    found = {}
    for unit in made.units:
        assert (unit["flow"], unit["side"], unit["kind"]) == (unit["row"] + 10, 1, UNIT_PACKET)
        assert (unit["fresh"], unit["pos"]) == (unit["start"], 0)
        found[int(unit["row"]) - 1] = made.data[unit["start"] : unit["end"]].tobytes()
    return found, [row - 1 for row in odd.tolist()]


@settings(deadline=None)
@given(st.lists(st.tuples(dotted, st.booleans(), st.sampled_from((0, 1, 1, 1, 2))), max_size=5), st.booleans())
def test_names_are_those_that_the_parser_shows(members, responses):
    messages = [query(parts, response=response, count=count) for parts, response, count in members]
    found, odd = read(messages, responses=responses)
    for n, (parts, response, _) in enumerate(members):
        if response and not responses:
            assert n not in found
            assert n not in odd
            continue
        assert (n in found) != (n in odd)
        if n in found:
            assert [found[n]] == [b"\0" + question.name + b"\0" for question in message(messages[n]).questions]
        elif members[n][2] == 1:
            whole = sum(len(part) + 1 for part in parts)
            assert whole > 250 or any(len(part) == 32 or re.search(rb"[^\w*-]", part) for part in parts)


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 60))
def test_hostile_questions_are_parsed_or_say_the_same(tail, cut):
    text = (b"\x12\x34\1\0\0\1" + bytes(6) + tail)[: 12 + cut]
    found, odd = read([text, text[:11]])
    assert 1 not in found
    assert 1 not in odd
    assert (0 in found) != (0 in odd)
    shown = message(text).questions
    if 0 in found and shown:
        assert found[0] == b"\0" + shown[0].name + b"\0"


def test_the_longest_name_fits():
    parts = [b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 61]
    found, odd = read([query(parts)] * 3)
    assert found == dict.fromkeys(range(3), b"\0" + b".".join(parts) + b"\0")
    assert odd == []
    found, odd = read([query([*parts, b"e"])] * 3)
    assert (found, odd) == ({}, [0, 1, 2])


def test_a_pointer_in_a_question_must_be_parsed():
    text = b"\x12\x34\1\0\0\1" + bytes(6) + b"\3abc\xc0\x0c\0\1\0\1"
    assert read([text]) == ({}, [0])


def test_of_no_messages_no_names():
    assert read([]) == ({}, [])
