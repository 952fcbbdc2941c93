"""Hypothesis strategies for rules in the in-memory form, as far as the language can say them."""

from hypothesis import strategies as st

from sensor.proto.registry import BUFFERS, BY_NAME
from sensor.rules import buffers, fields
from sensor.rules.conditions import TRANSFORMS
from sensor.rules.header import ACTIONS, CORE_PROTOCOLS, TRACKS
from sensor.rules.nodes import (
    TAG_ENDS,
    TAG_UNITS,
    All,
    Any,
    Asn1,
    Base64,
    BufferMatch,
    BufferSize,
    ByteExtract,
    ByteJump,
    ByteMath,
    ByteTest,
    Content,
    Example,
    FlowBits,
    FlowInt,
    FlowVar,
    HeaderTest,
    HostBit,
    IsDataAt,
    Not,
    PacketVar,
    Regex,
    Rule,
    Suppression,
    Tag,
    Threshold,
    Transform,
    labels_of,
)
from sensor.rules.variables import Variables

VARIABLES = Variables()
VARS = ("len", "skip_1")
"""Names that every generated body defines first."""

texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
words = st.text(st.sampled_from("abcXYZ019_.-"), min_size=1, max_size=8)
num = st.integers(0, 1 << 20) | st.sampled_from(VARS)
signed = st.integers(-(1 << 20), 1 << 20) | st.sampled_from(VARS)
endian = st.sampled_from(("big", "little"))
base = st.sampled_from(("", "hex", "dec", "oct"))
flag = st.booleans()


@st.composite
def contents(draw):
    pattern = draw(st.binary(min_size=1, max_size=12))
    startswith = draw(flag)
    limits = {}
    if not startswith:
        limits = {
            "offset": draw(st.none() | num),
            "depth": draw(st.none() | st.integers(len(pattern), 4000) | st.sampled_from(VARS)),
            "distance": draw(st.none() | signed),
            "within": draw(st.none() | st.integers(len(pattern), 4000) | st.sampled_from(VARS)),
        }
    return Content(
        pattern,
        nocase=draw(flag),
        negated=draw(flag),
        startswith=startswith,
        endswith=draw(flag),
        fast=draw(flag),
        **limits,
    )


@st.composite
def sizes(draw):
    op = draw(st.sampled_from(("=", "<", ">", "<=", ">=", "!=", "<>")))
    low = draw(st.integers(0, 1000))
    if op == "<>":
        return BufferSize(op, low, low + draw(st.integers(2, 1000)))
    return BufferSize(op, low)


regexes = st.builds(
    Regex,
    texts,
    flags=st.text(st.sampled_from("imsxAEGU"), max_size=4),
    negated=flag,
    relative=flag,
    captures=st.lists(st.builds("{}:{}".format, st.sampled_from(("flow", "pkt")), words), max_size=2).map(tuple),
)
mask = st.integers(0, 0xFFFFFFFF)
byte_ops = st.sampled_from(("<", ">", "=", "<=", ">=", "!=", "&", "^", "!&"))
steps = (
    contents()
    | regexes
    | sizes()
    | st.builds(IsDataAt, num, relative=flag, negated=flag)
    | st.builds(Asn1, st.just(True), flag, st.integers(0, 500), st.integers(-9, 9), flag)
    | st.builds(
        ByteTest, st.integers(1, 8), byte_ops, num, offset=signed, relative=flag, endian=endian, base=base,
        bitmask=mask, negated=flag,
    )
    | st.builds(
        ByteJump, st.integers(1, 8), offset=signed, relative=flag, multiplier=st.integers(1, 9), endian=endian,
        base=base, align=flag, from_beginning=flag, from_end=flag, post_offset=signed, bitmask=mask,
    )
    | st.builds(
        ByteExtract, st.integers(1, 8), st.sampled_from(VARS), offset=signed, relative=flag,
        multiplier=st.integers(1, 9), endian=endian, base=base, align=st.sampled_from((0, 2, 4)),
    )
    | st.builds(
        ByteMath, st.integers(1, 8), st.sampled_from(VARS), st.sampled_from(("+", "-", "*", "/", "<<", ">>")), num,
        offset=signed, relative=flag, endian=endian, base=base, bitmask=mask,
    )
)  # fmt: skip

plain_steps = steps
steps = plain_steps | st.builds(
    Base64, st.lists(plain_steps, min_size=1, max_size=2).map(tuple), nbytes=st.integers(0, 65535),
    offset=st.integers(0, 65535), relative=flag,
)  # fmt: skip

FINAL_BUFFERS = sorted({*buffers.CORE, *(entry.name for ((_, entry), *_) in BUFFERS.values())})


@st.composite
def transforms(draw):
    name = draw(st.sampled_from(sorted(TRANSFORMS)))
    return Transform(name, draw(texts.filter(str.strip)) if TRANSFORMS[name] else "")


@st.composite
def buffer_matches(draw):
    changes = tuple(draw(st.lists(transforms(), max_size=2)))
    name = draw(st.sampled_from(FINAL_BUFFERS))
    tests = tuple(draw(st.lists(steps, max_size=3)))
    return BufferMatch(name, tests, changes, absent=not tests and draw(flag))


@st.composite
def header_tests(draw):
    field = draw(st.sampled_from(fields.FIELDS))
    if field.form == fields.BITS:
        op = draw(st.sampled_from(("exact", "all", "any", "none")))
        bits = st.integers(0, field.high)
        return HeaderTest(field.name, op, draw(bits), mask=draw(bits))
    if field.form == fields.FLAG:
        return HeaderTest(field.name, "=", draw(st.integers(0, 1)))
    value = st.sampled_from(sorted(field.names.values())) if field.form == fields.NAME else st.integers(0, field.high)
    ops = ("=", "!=", "in") if field.form == fields.NAME else ("=", "!=", "<", ">", "<=", ">=", "in")
    if field.form != fields.NAME and field.high >= 2:
        ops += ("<>",)
    op = draw(st.sampled_from(ops))
    if op == "in":
        return HeaderTest(field.name, op, values=tuple(draw(st.lists(value, min_size=1, max_size=4))))
    if op == "<>":
        low = draw(st.integers(0, field.high - 2))
        return HeaderTest(field.name, op, low, draw(st.integers(low + 2, max(field.high, low + 2))))
    return HeaderTest(field.name, op, draw(value))


flow_bits = st.builds(
    FlowBits,
    st.sampled_from(("set", "unset", "toggle", "isset", "isnotset")),
    st.lists(words, min_size=1, max_size=3).map(tuple),
)
flow_ints = st.builds(
    FlowInt, words, st.sampled_from(("=", "+", "-", "<", ">", "<=", ">=", "==", "!=")), st.integers(0, 99)
) | st.builds(FlowInt, words, st.sampled_from(("isset", "notset")))
kept_texts = st.builds(FlowVar, words, st.binary(min_size=1, max_size=9)) | st.builds(
    PacketVar, words, st.binary(min_size=1, max_size=9)
)
hostbits = st.builds(
    HostBit, st.sampled_from(("set", "unset", "toggle", "isset", "isnotset")), words,
    st.sampled_from(("by_src", "by_dst", "by_both")), st.integers(0, 3600),
)  # fmt: skip

nodes = st.recursive(
    buffer_matches() | header_tests() | flow_bits | flow_ints | kept_texts | hostbits,
    lambda inner: (
        st.builds(All, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Any, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(Not, inner)
    ),
    max_leaves=8,
)
DEFINE = BufferMatch("payload", tuple(ByteExtract(1, name) for name in VARS))
bodies = nodes.map(lambda node: All((DEFINE, *(node.children if isinstance(node, All) else (node,)))))

addresses = st.sampled_from(
    (
        "any",
        "$HOME_NET",
        "!$HOME_NET",
        "$EXTERNAL_NET",
        "10.0.0.1",
        "[10.0.0.0/8,!10.1.0.0/16]",
        "2001:db8::/32",
        "!any",
    )
).map(VARIABLES.addresses)
ports = st.sampled_from(("any", "80", "!80", "1024:", "[80,8080:8090,!8085]", "$HTTP_PORTS")).map(VARIABLES.ports)
thresholds = st.builds(
    Threshold,
    st.sampled_from(("limit", "threshold", "both", "detection_filter")),
    st.sampled_from(TRACKS),
    st.integers(1, 9),
    st.integers(1, 3600),
)
tags = st.builds(Tag, st.just("session"), st.integers(0, 9), st.sampled_from(TAG_UNITS)) | st.builds(
    Tag, st.just("host"), st.integers(0, 9), st.sampled_from(TAG_UNITS), st.sampled_from(TAG_ENDS)
)
examples = st.builds(
    Example, flag, payload=st.binary(min_size=1, max_size=30), side=st.sampled_from(("to_server", "to_client")),
    note=st.just("") | texts, count=st.integers(0, 5),
) | st.builds(Example, flag, pcap=words.filter(lambda w: ".." not in w), count=st.integers(0, 5))  # fmt: skip

metadata = st.dictionaries(texts, st.lists(texts, min_size=1, max_size=2).map(tuple), max_size=2).map(
    lambda found: tuple(found.items())
)
PROTOCOLS = sorted({*CORE_PROTOCOLS, *(spec.name for spec in BY_NAME.values())})
rules = st.builds(
    Rule,
    sid=st.integers(1, 1 << 31),
    msg=texts,
    proto=st.sampled_from(PROTOCOLS),
    body=bodies | nodes.filter(lambda node: not uses_names(node)),
    src=addresses,
    dst=addresses,
    sport=ports,
    dport=ports,
    bidirectional=flag,
    action=st.sampled_from(ACTIONS),
    gid=st.integers(0, 9),
    rev=st.integers(1, 99),
    established=st.none() | flag,
    direction=st.sampled_from(("", "to_server", "to_client")),
    noalert=flag,
    severity=st.integers(1, 255),
    classtype=st.sampled_from(("trojan-activity", "made-up")),
    category=texts,
    attack=st.lists(st.sampled_from(("T1190", "T1059.004", "TA0001")), max_size=2).map(tuple),
    labels=st.builds(labels_of, st.lists(texts, max_size=2).map(tuple), metadata),
    target=st.sampled_from(("", "src_ip", "dest_ip")),
    thresholds=st.lists(thresholds, max_size=2).map(tuple),
    tags=st.lists(tags, max_size=2).map(tuple),
    examples=st.lists(examples, max_size=2).map(tuple),
)
suppressions = st.builds(Suppression, st.integers(0, 99), gid=st.integers(0, 3)) | st.builds(
    Suppression,
    st.integers(0, 99),
    track=st.sampled_from(("by_src", "by_dst", "by_either")),
    addresses=addresses.filter(lambda group: group.text != "any"),
)


def uses_names(node):
    """Whether some number of the node is a name."""
    if isinstance(node, BufferMatch):
        return any(
            isinstance(getattr(test, name, None), str)
            for outer in node.tests
            for test in getattr(outer, "tests", (outer,))
            for name in ("offset", "depth", "distance", "within", "length", "value", "low", "post_offset")
        )
    children = getattr(node, "children", None) or ((node.child,) if isinstance(node, Not) else ())
    return any(uses_names(child) for child in children)
