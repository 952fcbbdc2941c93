"""The one in-memory form of a rule. Front ends (YAML, Suricata text) make it, the matcher reads it.

All nodes are frozen msgspec structs: hashable, comparable, and stored as MessagePack by the compile cache.
Numbers that may also name a variable of `ByteExtract`/`ByteMath` are `int | str`.
"""

from __future__ import annotations

import functools

import msgspec

Num = int | str


class Test(msgspec.Struct, frozen=True, tag=True, tag_field="t", omit_defaults=True):
    """One step of a `BufferMatch`; steps run in order and move the cursor ("relative" means: from the cursor)."""


class Content(Test, frozen=True, tag="content"):
    """Literal bytes. offset/depth count from the start of the buffer, distance/within from the cursor."""

    pattern: bytes
    nocase: bool = False
    negated: bool = False
    offset: Num | None = None
    depth: Num | None = None
    distance: Num | None = None
    within: Num | None = None
    startswith: bool = False
    endswith: bool = False
    fast: bool = False
    """The author asks for this literal as the prefilter (`fast_pattern`)."""


class Regex(Test, frozen=True, tag="regex"):
    """PCRE2 pattern. flags: letters of `imsxAEGU`; `relative` = Suricata's R."""

    pattern: str
    flags: str = ""
    negated: bool = False
    relative: bool = False
    captures: tuple[str, ...] = ()
    """Names under which a match keeps the text of the groups, in their order (`flow:name`, `pkt:name`)."""


class ByteTest(Test, frozen=True, tag="byte_test"):
    """Compare a number in the buffer. op: `<` `>` `=` `<=` `>=` `!=` `&` `^`; a leading `!` negates."""

    nbytes: Num
    op: str
    value: Num
    offset: Num = 0
    relative: bool = False
    endian: str = "big"
    base: str = ""
    """Text number: `hex`, `dec`, `oct`, `auto` (as its first digits say); empty: binary."""
    bitmask: int = 0
    negated: bool = False


class ByteJump(Test, frozen=True, tag="byte_jump"):
    """Move the cursor by a number in the buffer."""

    nbytes: Num
    offset: Num = 0
    relative: bool = False
    multiplier: int = 1
    endian: str = "big"
    base: str = ""
    align: bool = False
    from_beginning: bool = False
    from_end: bool = False
    post_offset: Num = 0
    bitmask: int = 0


class ByteExtract(Test, frozen=True, tag="byte_extract"):
    """Read a number into a variable."""

    nbytes: int
    name: str
    offset: Num = 0
    relative: bool = False
    multiplier: int = 1
    endian: str = "big"
    base: str = ""
    align: int = 0


class ByteMath(Test, frozen=True, tag="byte_math"):
    """Read a number, compute `number op value` into a variable. op: + - * / << >>."""

    nbytes: Num
    name: str
    op: str
    value: Num
    offset: Num = 0
    relative: bool = False
    endian: str = "big"
    base: str = ""
    bitmask: int = 0


class IsDataAt(Test, frozen=True, tag="isdataat"):
    """The buffer has (negated: has not) a byte at this distance from its start, or from the cursor."""

    length: Num
    relative: bool = False
    negated: bool = False


class BufferSize(Test, frozen=True, tag="bsize"):
    """Size of the buffer. op: `=` `<` `>` `<=` `>=` `!=` `<>` (strictly between low and high)."""

    op: str
    low: Num
    high: int = 0


class Base64(Test, frozen=True, tag="base64"):
    """Decode base64 text (RFC 4648, up to the first byte that is none) and test what it says."""

    tests: tuple[AnyTest, ...]
    """All hold on the decoded bytes, which are a buffer of their own."""
    nbytes: int = 0
    """Most bytes of text to decode; 0: all there are."""
    offset: int = 0
    relative: bool = False


class InList(Test, frozen=True, tag="in_list"):
    """The whole buffer is (negated: is not) one of the values of a list file, or of a set that rules share."""

    file: str
    """As the author names it; empty: the set begins empty."""
    kind: str
    """What the file holds: `sensor.rules.lists.KINDS`."""
    values: tuple[bytes, ...] = ()
    """The values when the rule was read."""
    negated: bool = False
    score: tuple[str, int, int] | None = None
    """Only values whose score compares so (operator, low, high as in `BufferSize`) count; None: it has no scores."""
    name: str = ""
    """Of the set; empty: the list is this test's own."""
    action: str = ""
    """`set`: the value is not in the set, and a match adds it; `unset`: it is, and a match takes it away."""
    state: str = ""
    """File in which the set is kept from run to run."""
    save: str = ""
    """File to which it is written at the end."""
    memory: int = 0
    """Bytes that added values may take; 0: the default."""
    told: int = -1
    """Number of the test in its rule where another process decides it (`sensor.engine.crew.sharedsets`): it holds, and
    the value is told. -1: it is decided here."""


class Asn1(Test, frozen=True, tag="asn1"):
    """One of the BER elements (X.690) from this place on has one of these faults."""

    bitstring_overflow: bool = False
    """A bit string that leaves out more bits than it has."""
    double_overflow: bool = False
    """A real number as text of more than 256 bytes."""
    oversize: int = 0
    """An element that says it is longer; 0: no matter."""
    offset: int = 0
    relative: bool = False


AnyTest = (
    Content | Regex | ByteTest | ByteJump | ByteExtract | ByteMath | IsDataAt | BufferSize | Base64 | InList | Asn1
)


class Node(msgspec.Struct, frozen=True, tag=True, tag_field="t", omit_defaults=True):
    """A condition of a rule's body."""


class Transform(msgspec.Struct, frozen=True, omit_defaults=True):
    """A change made to a buffer before it is tested (`to_lowercase`, `xor`, …)."""

    name: str
    args: str = ""


class BufferMatch(Node, frozen=True, tag="buffer"):
    """All tests hold, in order, on one instance of a buffer.

    `payload` is the packet's payload, `stream` the inspection window of the reassembled side; a front end that
    leaves the choice to us (Suricata's `content` without buffer on tcp) writes `payload_or_stream`.
    """

    buffer: str
    tests: tuple[AnyTest, ...]
    transforms: tuple[Transform, ...] = ()
    absent: bool = False
    """True: the buffer must not exist (tests are empty)."""
    either: bool = False
    """True: a rule without direction means the buffer of either side (`sensor.rules.sides` makes two rules of it)."""


class HeaderTest(Node, frozen=True, tag="header"):
    """A number of the packet or flow. See `docs/rules.md` for the fields.

    op: `=` `!=` `<` `>` `<=` `>=` `<>` (strictly between) `in`; for `tcp.flags`/`ip.fragbits`: `exact`, `all`, `any`,
    `none` with value = bits wanted and mask = bits left out of the comparison.
    """

    field: str
    op: str
    value: int = 0
    high: int = 0
    values: tuple[int, ...] = ()
    mask: int = 0


class FlowBits(Node, frozen=True, tag="flowbits"):
    """action: set, unset, toggle, isset, isnotset. `names`: any of them (isset a|b)."""

    action: str
    names: tuple[str, ...]


class FlowInt(Node, frozen=True, tag="flowint"):
    """action: = + - < > <= >= == != isset notset."""

    name: str
    action: str
    value: Num = 0


class FlowVar(Node, frozen=True, tag="flowvar"):
    """The text that a regex has kept for the flow under this name holds these bytes; where none is kept it fails."""

    name: str
    content: bytes


class PacketVar(Node, frozen=True, tag="pktvar"):
    """As `FlowVar`, of what was kept for the packet."""

    name: str
    content: bytes


class HostBit(Node, frozen=True, tag="hostbit"):
    """A bit of a host, or of a pair of hosts. action: set, unset, toggle, isset, isnotset.

    track: by_src, by_dst, by_both. seconds: how long `set` lasts; 0: until it is unset.
    """

    action: str
    name: str
    track: str
    seconds: int = 0


class Reputation(Node, frozen=True, tag="reputation"):
    """The score of an address in a category of the operator's files compares so; an address without one never does.

    end: src, dst, any (either), both. op as in `BufferSize`.
    """

    end: str
    category: str
    op: str
    value: int
    high: int = 0


class Country(Node, frozen=True, tag="country"):
    """The country of an address is (negated: is known, and is not) one of these, by the operator's database."""

    end: str
    """src, dst, any (either), both."""
    countries: tuple[str, ...]
    """ISO 3166 codes in capitals."""
    negated: bool = False


class All(Node, frozen=True, tag="all"):
    """Every child holds."""

    children: tuple[AnyNode, ...]


class Any(Node, frozen=True, tag="any"):
    """At least one child holds."""

    children: tuple[AnyNode, ...]


class Not(Node, frozen=True, tag="not"):
    """The child does not hold."""

    child: AnyNode


AnyNode = (
    BufferMatch | HeaderTest | FlowBits | FlowInt | FlowVar | PacketVar | HostBit | Reputation | Country
    | All | Any | Not
)  # fmt: skip


class AddressSet(msgspec.Struct, frozen=True, omit_defaults=True):
    """Ranges of addresses as (low, high) of 128-bit integers, IPv4 mapped at ::ffff:0:0/96. Empty = any.

    An address is in the set if it is in `include` (or that is empty) and not in `exclude`.
    """

    include: tuple[tuple[bytes, bytes], ...] = ()
    """Pairs of 16-byte addresses, sorted, not overlapping."""
    exclude: tuple[tuple[bytes, bytes], ...] = ()
    text: str = "any"


class PortSet(msgspec.Struct, frozen=True, omit_defaults=True):
    """Ranges of ports, ends included. Empty include = any."""

    include: tuple[tuple[int, int], ...] = ()
    exclude: tuple[tuple[int, int], ...] = ()
    text: str = "any"


class Threshold(msgspec.Struct, frozen=True, omit_defaults=True):
    """kind: limit, threshold, both, detection_filter, rate_filter. track: by_src, by_dst, by_both, by_rule, by_flow."""

    kind: str
    track: str
    count: int
    seconds: int
    action: str = ""
    """Of rate_filter: the rule's for `timeout` seconds after more than `count` matches; `pass`: look no further."""
    timeout: int = 0


TAG_KINDS, TAG_UNITS, TAG_ENDS = ("session", "host"), ("packets", "bytes", "seconds"), ("src", "dst")


class Tag(msgspec.Struct, frozen=True, omit_defaults=True):
    """Packets to be logged from an alert on: of its flow (session), or of the host at one end of its packet."""

    kind: str
    count: int = 256
    """Packets or bytes, those of the alert's packet included, or seconds."""
    unit: str = "packets"
    end: str = ""
    """Of a host: `src` or `dst`."""


class Example(msgspec.Struct, frozen=True, omit_defaults=True):
    """A self-test: traffic that must (or must not) raise the rule."""

    match: bool
    pcap: str = ""
    """File below `pcaps/`."""
    count: int = 0
    """Alerts expected; 0: at least one."""
    payload: bytes = b""
    """Bytes sent by the client in one forged TCP flow (or UDP datagram), when no pcap is named."""
    side: str = "to_server"
    note: str = ""


STORE_SIDES = ("", "to_server", "to_client", "both")
"""Whose files a rule has stored; empty: those of the side that it matches on."""
STORE_SCOPES = ("file", "tx", "flow")
STORE_WORDS = tuple(f"{side} {scope}".strip() for scope in STORE_SCOPES for side in STORE_SIDES)


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """A signature."""

    sid: int
    msg: str
    proto: str
    """`ip`, `tcp`, `tcp-pkt`, `tcp-stream`, `udp`, `icmp`, `sctp`, `arp`, or an application protocol."""
    body: AnyNode
    src: AddressSet = AddressSet()
    dst: AddressSet = AddressSet()
    sport: PortSet = PortSet()
    dport: PortSet = PortSet()
    bidirectional: bool = False
    action: str = "alert"
    gid: int = 1
    rev: int = 1
    established: bool | None = None
    """True: only established flows; False: only not established; None: any (`stateless`)."""
    direction: str = ""
    """`to_server`, `to_client` or both (empty)."""
    noalert: bool = False
    loud: bool = False
    """A `pass` rule that alerts, too."""
    severity: int = 3
    """EVE severity, 1 is worst."""
    classtype: str = ""
    category: str = ""
    labels: bytes = b""
    """`references` and `metadata` as MessagePack: alerts and listings alone ask for them, and of 34,000 rules they
    would be 60 MB of small objects. Empty: there are none."""
    attack: tuple[str, ...] = ()
    """MITRE ATT&CK technique ids."""
    target: str = ""
    """`src_ip` or `dest_ip`: which end is attacked."""
    store: str = ""
    """Files that are stored where it matches, one of `STORE_WORDS`; empty: none."""
    thresholds: tuple[Threshold, ...] = ()
    tags: tuple[Tag, ...] = ()
    examples: tuple[Example, ...] = ()
    file: str = ""
    line: int = 0
    text: str = ""
    """The rule as written, for EVE `alert.rule`."""
    unmatchable: str = ""
    """Why the rule can never match here (empty: it can)."""

    @property
    def references(self) -> tuple[str, ...]:
        """Sources of the rule, `cve:2014-6271`."""
        return _unpacked(self.labels)[0]

    @property
    def metadata(self) -> Metadata:
        """Free labels: (key, values) in the order written."""
        return _unpacked(self.labels)[1]


Metadata = tuple[tuple[str, tuple[str, ...]], ...]
_NO_LABELS: tuple[tuple[str, ...], Metadata] = ((), ())


@functools.lru_cache(maxsize=256)
def _unpacked(labels: bytes) -> tuple[tuple[str, ...], Metadata]:
    """Return references and metadata. Kept of the rules that alert much: each alert shows them (12 us)."""
    return msgspec.msgpack.decode(labels, type=tuple[tuple[str, ...], Metadata]) if labels else _NO_LABELS


def labels_of(references: tuple[str, ...] = (), metadata: Metadata = ()) -> bytes:
    """Return the value of `Rule.labels`."""
    return msgspec.msgpack.encode((references, metadata)) if references or metadata else b""


class Suppression(msgspec.Struct, frozen=True, omit_defaults=True):
    """Alerts that are not to be raised. sid 0: any rule; track: empty, by_src, by_dst, by_either."""

    sid: int
    gid: int = 1
    track: str = ""
    addresses: AddressSet = AddressSet()
