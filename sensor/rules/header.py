"""The keys of a rule, of a suppression and of a file: names, kinds and help in one table."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sensor.rules import buffers
from sensor.rules.kinds import (
    Flag,
    Group,
    Kind,
    Labels,
    ListOf,
    LiteralBytes,
    Plain,
    Severity,
    Text,
    Whole,
    Word,
    scalar,
)
from sensor.rules.nodes import (
    STORE_WORDS,
    TAG_ENDS,
    TAG_KINDS,
    TAG_UNITS,
    AddressSet,
    Example,
    Suppression,
    Tag,
    Threshold,
)
from sensor.rules.problems import one_of
from sensor.rules.record import Key, Record
from sensor.rules.yamlio import Map, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensor.rules.context import Context

_U32 = 0xFFFFFFFF
CORE_PROTOCOLS = ("ip", "tcp", "tcp-pkt", "tcp-stream", "udp", "icmp", "sctp", "arp", "pkthdr")
ACTIONS = ("alert", "pass", "drop", "reject", "rejectsrc", "rejectdst", "rejectboth")
RATE_ACTIONS = ("alert", "pass", "drop", "reject")
TRACKS = ("by_src", "by_dst", "by_both", "by_rule", "by_flow")

FLOW_STATE: Mapping[str, bool | None] = MappingProxyType(
    {"established": True, "not_established": False, "stateless": None}
)
FLOW_SIDE: Mapping[str, str] = MappingProxyType(
    {
        "to_server": "to_server",
        "to_client": "to_client",
        "from_client": "to_server",
        "from_server": "to_client",
    }
)


class Protocol(Kind[str]):
    """A transport or application protocol."""

    def read(self, node: Value, ctx: Context) -> str:
        """Return the protocol's own name for any of its names."""
        leaf = scalar(node, ctx, "a protocol")
        if leaf.text in CORE_PROTOCOLS:
            return leaf.text
        spec = buffers.application(leaf.text)
        if spec is None:
            ctx.problems.fail(leaf, f"unknown protocol '{leaf.text[:40]}'", one_of(leaf.text, self.words()))
        return buffers.word(spec, leaf.text)

    def words(self) -> tuple[str, ...]:
        """Return all protocol words."""
        return (*CORE_PROTOCOLS, *buffers.protocol_words())

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"enum": sorted(set(self.words()))}

    def write(self, value: str) -> Plain:
        """Return the name."""
        return value


class Flow(Kind[tuple[bool | None, str]]):
    """Words on the state and direction of the flow: (established, direction)."""

    _words = ListOf(Text())

    def read(self, node: Value, ctx: Context) -> tuple[bool | None, str]:
        """Return what the words say together."""
        state: bool | None = None
        side = ""
        for word in self._words.read(node, ctx):
            if word in FLOW_STATE:
                state = FLOW_STATE[word]
            elif word in FLOW_SIDE:
                if side not in ("", FLOW_SIDE[word]):
                    ctx.problems.fail(node, "flow names both directions", "leave both out for either")
                side = FLOW_SIDE[word]
            else:
                ctx.problems.fail(node, f"unknown flow word '{word[:40]}'", self._hint(word))
        return state, side

    def _hint(self, word: str) -> str:
        special = {"only_stream": "write protocol: tcp-stream", "no_stream": "write protocol: tcp-pkt"}
        return special.get(word) or one_of(word, (*FLOW_STATE, *FLOW_SIDE))

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        word = {"enum": [*FLOW_STATE, *FLOW_SIDE]}
        return {"anyOf": [word, {"type": "array", "items": word}]}

    def write(self, value: tuple[bool | None, str]) -> Plain:
        """Return the list of words."""
        state, side = value
        words = [] if state is None else ["established" if state else "not_established"]
        return [*words, side] if side else words


class Match(Kind[Value]):
    """The rule's conditions, read last: what they mean depends on protocol and flow."""

    def read(self, node: Value, ctx: Context) -> Value:  # noqa: ARG002 - the interface
        """Return the node as it is."""
        return node

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"$ref": "#/$defs/match"}

    def write(self, value: Value) -> Plain:
        """Refuse: `sensor.rules.body` writes conditions."""
        raise NotImplementedError(type(value))


def _check_example(values: dict[str, Any], node: Map, ctx: Context) -> None:
    if ("pcap" in values) == ("payload" in values):
        ctx.problems.fail(node, "an example needs either pcap or payload")


_ADDRESS: Kind[AddressSet] = Group(lambda ctx: ctx.variables.addresses)
_PORT = Group(lambda ctx: ctx.variables.ports)

def _check_rate(values: dict[str, Any], node: Map, ctx: Context) -> None:
    own = bool(values.keys() & {"action", "timeout"})
    if own != (values.get("kind") == "rate_filter") or (own and "action" not in values):
        ctx.problems.fail(node, "action and timeout belong to rate_filter, which needs an action", "action: pass")


THRESHOLD = Record(
    Threshold,
    "threshold",
    Key(
        "type",
        Word(("limit", "threshold", "both", "detection_filter", "rate_filter")),
        "what it does",
        "kind",
        required=True,
    ),
    Key("track", Word(TRACKS), "what is counted together", required=True),
    Key("count", Whole(0, _U32), "number of matches", required=True),
    Key("seconds", Whole(0, _U32), "length of the window; 0: the same moment", required=True),
    Key("action", Word(RATE_ACTIONS), "of rate_filter: what the rule does for a time after more than so many matches"),
    Key("timeout", Whole(0, _U32), "of rate_filter: seconds for which it does that"),
    check=_check_rate,
)
def _check_tag(values: dict[str, Any], node: Map, ctx: Context) -> None:
    if ("end" in values) != (values["kind"] == "host"):
        ctx.problems.fail(node, "end belongs to host, which needs it", "end: src")


TAG = Record(
    Tag,
    "tag",
    Key("of", Word(TAG_KINDS), "whose packets: of the flow, or of a host", "kind", required=True),
    Key("count", Whole(0, _U32), "how many, the alert's packet included; default 256"),
    Key("unit", Word(TAG_UNITS), "what is counted; default packets"),
    Key("end", Word(TAG_ENDS), "of host: which end of the alert's packet"),
    check=_check_tag,
)
EXAMPLE = Record(
    Example,
    "example",
    Key("match", Flag(), "whether the rule must alert", required=True),
    Key("pcap", Text(r"(?!/)(?!.*\.\.(?:/|$)).+", "a relative path below pcaps/"), "capture below pcaps/"),
    Key("payload", LiteralBytes(), "bytes of one forged flow, in the syntax of content"),
    Key("side", Word(("to_server", "to_client")), "who sends the payload; default to_server"),
    Key("count", Whole(0, _U32), "alerts expected; 0: at least one"),
    Key("note", Text(), "what the example shows"),
    check=_check_example,
)
SUPPRESSION = Record(
    Suppression,
    "suppression",
    Key("id", Whole(0, _U32), "rule id; 0: every rule", "sid", required=True),
    Key("generator", Whole(0, _U32), "generator id; default 1", "gid"),
    Key("track", Word(("by_src", "by_dst", "by_either")), "which end the address is compared with"),
    Key("address", _ADDRESS, "addresses whose alerts are dropped", "addresses"),
    check=lambda values, node, ctx: (
        ctx.problems.fail(node, "track and address go together", "neither: drop all alerts of the rule")
        if ("track" in values) != ("addresses" in values)
        else None
    ),
)

RULE_KEYS = (
    Key("id", Whole(1, _U32), "number of the rule, unique with its generator", "sid", required=True),
    Key("title", Text(), "what an alert says", "msg"),
    Key("revision", Whole(0, _U32), "number of the version; default 1", "rev"),
    Key(
        "severity",
        Severity(),
        "critical, high (1), medium (2), low (3), info (4), or a number; default by class",
    ),
    Key("classification", Text(), "class of the alert: sets category and default severity", "classtype"),
    Key("category", Text(), "text of the alert's category; default by class"),
    Key(
        "attack",
        ListOf(Text(r"TA?[0-9]{4}(?:\.[0-9]{3})?", "T1190 or T1059.004")),
        "MITRE ATT&CK technique ids",
    ),
    Key("references", ListOf(Text()), "sources: cve:2014-6271, url:example.org/a"),
    Key("metadata", Labels(), "free labels"),
    Key("protocol", Protocol(), "transport or application protocol; default ip", "proto"),
    Key("source", _ADDRESS, "source addresses; default any", "src"),
    Key("source-port", _PORT, "source ports; default any", "sport"),
    Key("destination", _ADDRESS, "destination addresses; default any", "dst"),
    Key("destination-port", _PORT, "destination ports; default any", "dport"),
    Key("direction", Word({"->": False, "<>": True}), "-> or <> (either way); default ->", "bidirectional"),
    Key("flow", Flow(), "established, not_established, stateless; to_server, to_client"),
    Key("match", Match(), "conditions; without it the header decides"),
    Key("threshold", ListOf(THRESHOLD, least=1), "limits of the alert rate", "thresholds"),
    Key("tag", ListOf(TAG, least=1), "packets to log from an alert on", "tags"),
    Key("no-alert", Flag(), "match silently (for flowbits)", "noalert"),
    Key("alert", Flag(), "a pass rule alerts, too", "loud"),
    Key("action", Word(ACTIONS), "alert (default); pass: look no further; drop, reject: alert, a mirror cannot block"),
    Key("target", Word(("src_ip", "dest_ip")), "which end is attacked"),
    Key("store-files", Word(STORE_WORDS), "files to keep: of the transaction (file, tx) or the flow; of a side",
        "store"),
    Key("generator", Whole(0, _U32), "generator id; default 1", "gid"),
    Key("examples", ListOf(EXAMPLE), "traffic that must or must not match"),
)
NOT_DEFAULTABLE = frozenset({"id", "title", "match", "examples"})
FILE_KEYS = ("rules", "defaults", "suppress")
"""Keys of a file that is a mapping."""
