"""The parts of calls and replies that rules see as frames."""

import nfsforge as nfs
import pytest
from handshakes import TO_CLIENT, TO_SERVER, drive

from sensor.proto.nfs import stages
from sensor.proto.nfs.frames import HELP, of_record
from sensor.proto.nfs.state import NfsParser, datagram_parser


def frames(talk, parser):
    """Return for each record (side, {name: bytes})."""
    parser.shows_frames = True
    shown = [one for one in drive(parser, talk) if one.stage in stages.FRAMES]
    out = []
    for one in shown:
        suffix = "@to_client" if one.side else ""
        parts = {name: one.tx.buffer(f"frame.{name}{suffix}") for name in HELP}
        out.append((one.side, {name: values[0] for name, values in parts.items() if values}))
    return out


def test_a_call_and_its_reply_over_tcp():
    talk = nfs.talk3()[:2]
    (_, call), (_, reply) = frames(talk, NfsParser())
    assert (call["rpc.pdu"], reply["rpc.pdu"]) == (talk[0][1], talk[1][1])
    assert set(call) == {"rpc.pdu", "rpc.creds", "nfs.pdu"}
    assert set(reply) == {"rpc.pdu", "rpc.hdr", "rpc.data", "nfs.pdu", "nfs.status"}
    body = call["rpc.pdu"][4:]
    assert body[24:].startswith(call["rpc.creds"])
    assert body.endswith(call["nfs.pdu"])
    assert reply["rpc.hdr"] + reply["rpc.data"] == reply["rpc.pdu"]
    assert len(reply["rpc.hdr"]) == 12
    assert reply["rpc.data"].endswith(reply["nfs.pdu"])
    assert reply["nfs.status"] == reply["nfs.pdu"][:4] == bytes(4)


def test_datagrams_have_no_fragment_header():
    talk = [(side, raw[4:]) for side, raw in nfs.talk3()[:2]]
    (_, call), (_, reply) = frames(talk, datagram_parser())
    assert (call["rpc.pdu"], reply["rpc.pdu"]) == (talk[0][1], talk[1][1])
    assert len(reply["rpc.hdr"]) == 8


def test_compounds():
    (_, call), (_, reply) = frames(nfs.talk4()[:2], NfsParser())
    for parts in (call, reply):
        assert parts["nfs4.hdr"] + parts["nfs4.ops"] == parts["nfs4.pdu"]
        assert len(parts["nfs4.hdr"]) == 8
        assert "nfs.pdu" not in parts
    assert reply["nfs4.status"] == bytes(4)
    assert "nfs4.status" not in call


@pytest.mark.parametrize("size", [3, 9, 27])
def test_what_is_cut_or_goes_the_other_way_is_the_whole_only(size):
    call = nfs.talk3()[0][1][4:]
    assert of_record(call[:size], size, {}, TO_SERVER, datagram=True).buffer("frame.rpc.pdu") == (call[:size],)
    other = of_record(call, len(call), {}, TO_CLIENT, datagram=True)
    assert other.buffer("frame.rpc.pdu@to_client") == (call,)
    assert not other.buffer("frame.rpc.creds@to_client")


def test_nothing_is_shown_that_nobody_asks_for():
    assert not [one for one in drive(NfsParser(), nfs.talk3()) if one.stage in stages.FRAMES]
