"""What application-protocol parsers offer to the rest: stages, transactions, buffers.

A parser is fed the reassembled bytes of a flow in packet order and returns the stages that these bytes completed.
A rule on application buffers is evaluated once per transaction, at the first stage at which all its buffers are
known; an EVE record is written at the stage that the protocol names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import numpy as np

from sensor.model.anomaly import AppAnomaly
from sensor.model.expected import Announced
from sensor.model.files import FileInfo
from sensor.model.keeping import FilePolicy
from sensor.model.losses import Losses

TO_SERVER, TO_CLIENT = 0, 1


class Transaction(Protocol):
    """One application exchange. Bounded in memory by its parser's limits."""

    id: int
    """Number of the transaction in its flow, from 0 (EVE `tx_id`); -1: a mere frame, which has no record."""

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the instances of a named buffer (`http.uri`); empty where it is absent or not yet known."""

    def numbers(self, name: str) -> Sequence[int]:
        """Return the values of a number (`krb5.msg_type`); empty where it is absent or not yet known.

        Asked only for names in `ProtocolSpec.numbers`: a protocol that has none needs no such method.
        """

    def eve(self) -> dict[str, Any]:
        """Return the protocol's EVE object (the value of the `http` key, …)."""


def beside(tx: object) -> dict[str, Any]:
    """Return the EVE objects beside a transaction's own, by key (`email` beside `smtp`): some have such a method."""
    method = getattr(tx, "beside", None)  # 0.03 us; `isinstance` of a protocol takes 30
    return method() if method is not None else {}


def eve_of_alert(tx: Transaction) -> dict[str, Any]:
    """Return the EVE object of a transaction as alerts have it; that of its record, where it says nothing else."""
    method = getattr(tx, "eve_of_alert", tx.eve)
    found: dict[str, Any] = method()
    return found


class TxStage(msgspec.Struct, frozen=True, gc=False):
    """A transaction has reached a stage."""

    tx: Any
    stage: int
    """Index in `ProtocolSpec.stages`."""
    side: int
    """The side whose bytes completed it."""
    file: FileInfo | None = None
    """The file that is complete at this stage: buffers `file.*` are about it alone. None: about all of `tx`."""

class AppParser(Protocol):
    """State of one flow's protocol. Raises nothing: what is malformed becomes an anomaly."""

    done: bool
    """Nothing more can be learnt from this flow (encrypted, upgraded, hopeless)."""

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:
        """Take the next bytes of a side (TCP), or one datagram (UDP)."""

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:
        """Bytes of a side are lost."""

    def finish(self, ts_ns: int) -> list[TxStage]:
        """Complete what is pending: the flow has ended."""

    def anomalies(self) -> list[tuple[AppAnomaly, int]]:
        """Return and forget (anomaly, side) pairs found since the last call."""


class CarriesFiles(Protocol):
    """A parser of a protocol that carries files."""

    def treat_files(self, policy: FilePolicy) -> None:
        """Learn what to do with them, before the first byte."""


class HandsOver(Protocol):
    """A parser after whose protocol another may speak on the same connection (STARTTLS, `Upgrade: h2c`)."""

    becomes: str
    """Name of the protocol that speaks from now on; empty: still this one."""

    def rest(self, side: int) -> bytes:
        """Return bytes of a side that were taken and are the successor's."""


class KnowsEnds(Protocol):
    """A parser to which the addresses of its flow matter."""

    def ends(self, client: bytes, server: bytes) -> None:
        """Learn them before the first byte: 4 or 16 bytes each."""


class Foresees(Protocol):
    """A parser that tells what it need not have at once: bytes inside a body come to it together with the next."""

    def idle(self, side: int) -> int:
        """Return how many of the next bytes of a side complete nothing and are not odd, whatever they are.

        It holds until anything else comes of the flow.
        """


class ShowsFrames(Protocol):
    """A parser that shows the bytes of each message (`ProtocolSpec.frame_stages`)."""

    shows_frames: bool
    """Some rule is about them."""


class HearsOut(Protocol):
    """A parser that is done before its flow is, unless it is asked to go on for what is odd then."""

    hears_out: bool
    """Some rule is about that (`ProtocolSpec.late_events`), or it is logged."""


class Holds(Protocol):
    """A parser that may keep more than some kilobytes of what it got."""

    @property
    def held(self) -> int:
        """About the bytes of memory that this takes. Found in little time, whatever a guest has sent."""


class CountsLosses(Protocol):
    """A parser that may have to forget something without an event that says so."""

    losses: Losses
    """Where that is counted; told before the first byte."""


class Expects(Protocol):
    """A parser of connections that another connection announces."""

    def announced(self, what: Announced) -> None:
        """Learn what was announced, before the first byte."""


PIPED: Final = 3
"""See `FindsContents.find`."""


class Order(NamedTuple):
    """When the bytes of a block came."""

    starts: np.ndarray
    """int64[n]: where each DATA segment begins in the bytes, ascending."""
    keys: np.ndarray
    """int64[n]: they are ordered as the parser sees the segments; negative: the packet is not in the block."""


class FindsContents(Protocol):
    """Tells which flows of a protocol carry contents (`Carriage`), without parsing them. Keeps where messages begin."""

    def find(
        self, data: np.ndarray, units: np.ndarray, picked: np.ndarray, flows: np.ndarray, order: Order
    ) -> np.ndarray:
        """Return uint8[m]: of the picked units, bit s where contents may go to side s in their flows.

        Bit s + `PIPED`: what goes there is of pipes. What is not plain may carry anything. data: uint8[n]; units:
        UNIT[m]; picked: bool[m]; flows: FLOW[slots].
        """


@dataclass(frozen=True, slots=True)
class Carriage:
    """How a protocol carries contents of files (or what else is read and written) among its other messages."""

    stages: frozenset[int]
    """Stages that only contents lead to, by those of its side."""
    piped: frozenset[int]
    """Those of them that contents of pipes lead to."""
    new_finder: Callable[[], FindsContents]
    look: int
    """Bytes of earlier blocks that it must see again."""


@dataclass(frozen=True, slots=True)
class StageSpec:
    """A point that a transaction passes."""

    name: str
    side: int


# How a buffer's bytes appear in the raw stream: decides whether the literal scan of raw bytes proves absence.
RAW_VERBATIM = "verbatim"  # as they are, contiguous
RAW_URI = "uri"  # percent-decoded, path normalised: `%`, `//`, `/.`, `\\`, `+` may hide bytes
RAW_HEADERS = "headers"  # verbatim within one header line, but lines may be folded, reordered or joined
RAW_BODY = "body"  # may be chunked or compressed
RAW_QUESTION = "question"  # the name of a DNS question, dotted: scanned as such, not as it stands in the message
RAW_NAME = "name"  # DNS labels: a dot is a length byte
RAW_DN = "dn"  # a distinguished name: its values stand as they are, what joins them does not
RAW_DERIVED = "derived"  # computed (JA3, UTF-16 as text): no literal of it is on the wire


@dataclass(frozen=True, slots=True)
class BufferSpec:
    """A named buffer that rules may test."""

    name: str
    stage: int
    """First stage at which it is complete."""
    raw: str = RAW_VERBATIM
    multi: bool = False
    """More than one instance per transaction (each is tested alone)."""
    aliases: tuple[str, ...] = ()
    """Other spellings (`http_uri`)."""
    lowercase: bool = False
    """The buffer is lowercased by normalisation: patterns match as if `nocase`."""
    help: str = ""


@dataclass(frozen=True, slots=True)
class NumberSpec:
    """A number of a transaction that rules may compare (`krb5.msg_type: 10`, `nfs.version: ">3"`)."""

    name: str
    stage: int
    """First stage at which it is known."""
    help: str
    high: int = 0xFF
    """Largest value."""
    names: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Words for values."""
    aliases: tuple[str, ...] = ()
    """Other spellings (`krb5_msg_type`)."""
    reply_stage: int = -1
    """Stage at which rules about the other side's bytes compare it; -1: it is about one side alone."""


@dataclass(frozen=True, slots=True)
class Framing:
    """What rules know of a protocol's frames (`sensor.model.frames`)."""

    parts: Mapping[str, int]
    """Buffer → the part that it is, byte for byte, of a frame whose stage's side it has."""
    text: frozenset[int]
    """Parts that stand in the text of the framer."""
    goes_on: int
    """The first of the parts that go on in the next block, where a message does."""
    cookie: int
    """The part whose line is left out of some others."""
    without_cookie: frozenset[int]
    """These."""
    otherwise: Mapping[int, tuple[tuple[str, ...], tuple[str, ...]]]
    """Flag of a frame → the buffers of either side that may read otherwise than they stand then."""
    heads: tuple[int, int]
    """Stage at which the head of a message of either side is known."""
    wholes: tuple[int, int]
    """Stage at which all of it is."""
    tells: frozenset[AppAnomaly]
    """What the parser may find odd in no frame but one that says so (`ODD`, `CODED`)."""
    marked: frozenset[AppAnomaly]
    """Of this, what `ODD` stands for."""
    several: frozenset[int] = frozenset()
    """Parts that are several instances, with what stands between them."""
    implied: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Number or buffer that is no part → the part without which it is not known, or reads as `without` says."""
    without: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    each: bool = False
    """No transaction comes about without a frame: rules that ask nothing of frames are tried on any."""


@dataclass(frozen=True, slots=True)
class ProtocolSpec:
    """An application protocol."""

    name: str
    """EVE `app_proto` and the rule header's protocol word."""
    transports: tuple[int, ...]
    """IP protocol numbers."""
    ports: tuple[int, ...]
    """Usual server ports: a hint for direction and triage, never proof."""
    stages: tuple[StageSpec, ...]
    buffers: tuple[BufferSpec, ...]
    new_parser: Callable[[], AppParser]
    log_stages: tuple[int, ...]
    """Stages at which a transaction gets its EVE record (the last one reached at flow end counts too)."""
    files: Callable[[TxStage], Iterable[FileInfo]] | None = None
    """Returns the files of which no more will come once a transaction is at a stage; None: it carries none."""
    by_sender: bool = False
    """Over UDP its records have the addresses of the message that they are about; else the client comes first."""
    eve_key: str = ""
    """Key of the EVE object, and event_type; empty: `name`."""
    rule_names: tuple[str, ...] = ()
    """Further protocol words of rule headers that mean this protocol."""
    also: tuple[str, ...] = ()
    """Names of protocols whose rules are about this one, too (`dcerpc` rules: SMB carries it; `http`: HTTP/2)."""
    carriers: tuple[str, ...] = ()
    """Names of protocols whose connections may go on as this one (`HandsOver`)."""
    switch: tuple[bytes, ...] = ()
    """One of these, in any case, stands in each connection that does so."""
    message_ends: tuple[int, ...] = ()
    """Stages at which a message of either side is over: rules that name the stream as well are judged there again."""
    tunnels: tuple[bytes, ...] = ()
    """One of these, in any case, is said by each client whose connection becomes a tunnel for any other protocol."""
    tunnelled: bool = False
    """It is known in such a tunnel."""
    numbers: tuple[NumberSpec, ...] = ()
    events: tuple[AppAnomaly, ...] = ()
    """What its parser may find odd: rules with `app.event` have its flows parsed."""
    late_events: frozenset[AppAnomaly] = frozenset()
    """Of this, what may be found when nothing else is to be learnt any more (`HearsOut`)."""
    new_datagram_parser: Callable[[], AppParser] | None = None
    """Makes the parser of a datagram, where it is framed differently than in a stream; None: `new_parser` does."""
    framing: Framing | None = None
    """How messages are framed; None: every flow that may matter is parsed."""
    carriage: Carriage | None = None
    """Which flows carry contents; None: it is not told without parsing them."""
    frame_stages: tuple[int, ...] = ()
    """Stages at which mere messages are shown: parsers need not make them where no rule asks (`ShowsFrames`)."""
    flow_state: bool = False
    """The datagrams of a flow go to one parser, all of them or none; else each is parsed by itself."""
