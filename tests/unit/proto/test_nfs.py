import nfsforge as nfs
import pytest
from handshakes import TO_CLIENT, TO_SERVER, drive

from sensor.model.anomaly import AppAnomaly
from sensor.model.keeping import FilePolicy
from sensor.proto.nfs import limits, rpc, stages
from sensor.proto.nfs.fields import SPEC
from sensor.proto.nfs.state import NfsParser, datagram_parser
from sensor.proto.pieces import Pieces


def run(talk, size=None):
    parser = NfsParser()
    return parser, drive(parser, talk, size)


def at(found, stage):
    return [one for one in found if one.stage == stage]


@pytest.mark.parametrize(
    "talk", [nfs.talk2(), nfs.talk3(), nfs.talk4(), nfs.talk4(1), nfs.talk4(2)], ids=["2", "3", "4", "4r", "4w"]
)
def test_files_are_put_together_both_ways(talk):
    parser, found = run(talk)
    (written,), (read,) = at(found, stages.WRITTEN), at(found, stages.READ)
    assert written.file.data == read.file.data == nfs.DATA
    assert written.file.name == read.file.name == b"evil.bin"
    assert (written.side, read.side) == (TO_SERVER, TO_CLIENT)
    assert at(found, stages.WRITE_DATA)[0].tx.buffer("file.data") == (nfs.DATA,)
    assert at(found, stages.READ_DATA)[0].tx.buffer("file.data@to_client") == (nfs.DATA,)
    assert parser.anomalies() == []


def test_a_file_is_complete_where_its_end_is_seen():
    for talk, complete in ((nfs.talk2(), (False, False)), (nfs.talk3(), (True, True)), (nfs.talk4(), (True, True))):
        _, found = run(talk)
        assert (at(found, stages.WRITTEN)[0].file.complete, at(found, stages.READ)[0].file.complete) == complete


def test_calls_and_replies_of_version_3():
    _, found = run(nfs.talk3()[:2])
    assert [stage.stage for stage in found] == [stages.REQUEST, stages.RESPONSE]
    tx = found[0].tx
    assert (tx.numbers("nfs.version"), tx.numbers("nfs.procedure")) == ((3,), (3,))
    assert tx.eve() == {
        "version": 3, "procedure": "LOOKUP", "filename": "evil.bin", "id": 1, "file_tx": False, "type": "response",
        "status": "OK",
    }  # fmt: skip
    creds = {"machine_name": "client", "uid": 0, "gid": 0}
    assert tx.beside() == {"rpc": {"xid": 1, "auth_type": "UNIX", "creds": creds, "status": "ACCEPTED"}}


def test_what_a_call_shows_does_not_change_with_its_reply():
    parser = NfsParser()
    (side, call), (back, reply) = nfs.talk3()[:2]
    tx = at(parser.feed(side, call, 0), stages.REQUEST)[0].tx
    shown = tx.beside()["rpc"]
    parser.feed(back, reply, 0)
    assert "status" in tx.beside()["rpc"]
    assert "status" not in shown


def test_credentials_that_are_not_what_they_say():
    assert rpc.caller(rpc.Call(1, rpc.NFS, 3, 1, 1, b"\0\0\0\0\0\0\0\x09abc")) == {"auth_type": "UNIX"}
    assert rpc.caller(rpc.Call(1, rpc.NFS, 3, 1, 99)) == {"auth_type": "UNKNOWN 99"}


def test_a_file_is_a_transaction_with_its_numbers():
    _, found = run(nfs.talk3())
    write = at(found, stages.REQUEST)[1].tx
    assert write.eve()["file_tx"] is True
    assert (write.numbers("nfs.version"), write.numbers("nfs.procedure")) == ((3,), (7,))
    assert [s.tx.eve()["procedure"] for s in at(found, stages.REQUEST)] == ["LOOKUP", "WRITE", "READ"]


def test_of_version_4_rules_see_files_only():
    _, found = run(nfs.talk4())
    shown = [(s.tx.eve()["procedure"], s.tx.numbers("nfs.version")) for s in at(found, stages.REQUEST)]
    assert shown[0] == ("COMPOUND", ())
    files = [s.tx for s in found if s.tx.eve().get("file_tx")]
    assert {(tx.eve()["procedure"], tx.numbers("nfs.procedure")) for tx in files} == {("WRITE", (38,)), ("READ", (25,))}
    assert [one for one in shown if one[1]] == [("WRITE", (4,)), ("READ", (4,))]


def test_rename():
    arguments = nfs.opaque(b"d" * 32) + nfs.opaque(b"old") + nfs.opaque(b"e" * 32) + nfs.opaque(b"new")
    _, (stage,) = run([(0, nfs.record(nfs.call(3, 14, arguments)))])
    assert stage.tx.eve()["rename"] == {"from": "old", "to": "new"}
    operations = (nfs.u32(29) + nfs.opaque(b"old") + nfs.opaque(b"new"),)
    _, (stage,) = run([(0, nfs.record(nfs.compound(*operations)))])
    assert stage.tx.eve()["rename"] == {"from": "old", "to": "new"}


def test_failures_have_their_status():
    _, found = run([(0, nfs.record(nfs.lookup3(b"x"))), (1, nfs.record(nfs.reply(nfs.u32(2))))])
    assert found[-1].tx.eve()["status"] == "ERR_NOENT"
    _, found = run([(0, nfs.record(nfs.lookup3(b"x"))), (1, nfs.record(nfs.reply(b"", accepted=3)))])
    assert found[-1].tx.eve()["status"] == "ERR_RPC"


def bare(talk):
    """Return the records of a conversation, each by itself."""
    out = []
    for side, data in talk:
        while data:
            size = int.from_bytes(data[:4], "big") & 0x7FFFFFFF
            out.append((side, data[4 : 4 + size]))
            data = data[4 + size :]  # noqa: PLW2901 - what is left
    return out


@pytest.mark.parametrize("talk", [nfs.talk2(), nfs.talk3(), nfs.talk4()])
def test_datagrams_say_what_a_stream_does(talk):
    parser = datagram_parser()
    found = [stage for side, data in bare(talk) for stage in parser.feed(side, data, 0)] + parser.finish(0)
    _, wanted = run(talk)
    assert [(s.stage, s.side, s.file, s.tx.eve()) for s in found] == [
        (s.stage, s.side, s.file, s.tx.eve()) for s in wanted
    ]
    assert parser.anomalies() == []


def test_a_datagram_that_writes():
    parser = datagram_parser()
    assert [stage.stage for stage in parser.feed(TO_SERVER, nfs.write3(b"#!/bin/sh"), 0)] == [stages.REQUEST]
    found = parser.finish(0)
    assert [stage.stage for stage in found] == [stages.WRITE_DATA, stages.WRITTEN]
    assert found[0].tx.buffer("file.data") == (b"#!/bin/sh",)


def test_malformed_datagrams_blind_nobody():
    parser = datagram_parser()
    for _ in range(limits.MALFORMED + 1):
        parser.feed(TO_SERVER, b"x", 0)
    (stage,) = parser.feed(TO_SERVER, nfs.lookup3(b"x"), 0)
    assert stage.tx.file_name == b"x"


@pytest.mark.parametrize("data", [nfs.call(4, 0, b""), nfs.call(3, 1, b"", program=100005)])
def test_other_services_are_no_transactions(data):
    parser, found = run([(0, nfs.record(data))])
    assert (found, parser.anomalies()) == ([], [])


@pytest.mark.parametrize(("data", "odd"), [(nfs.call(3, 0, b""), 0), (nfs.call(3, 3, b"\xff" * 4), 1)])
def test_pings_and_calls_with_broken_arguments_have_numbers_and_no_record(data, odd):
    parser, found = run([(0, nfs.record(data)), (1, nfs.record(nfs.reply(b"")))])
    assert [(s.stage, s.tx.id, s.tx.numbers("nfs.version")) for s in found] == [(stages.REQUEST, -1, (3,))]
    assert len(parser.anomalies()) == odd


def test_long_writes_are_followed_to_their_end():
    big = b"z" * 300_000
    parser = NfsParser()
    parser.treat_files(FilePolicy(hashed=True))
    found = drive(
        parser, [(0, nfs.record(nfs.write3(big))), (0, nfs.record(nfs.commit3())), (1, nfs.record(nfs.committed3()))]
    )
    (written,) = at(found, stages.WRITTEN)
    assert (written.file.size, written.file.complete) == (300_000, True)
    assert len(written.file.digest("sha1")) == 40


def test_a_record_in_two_fragments():
    message = nfs.write3(nfs.DATA)
    cut = len(message) - 1000
    _, found = run([(0, nfs.record(message[:cut], last=False) + nfs.record(message[cut:]))])
    assert at(found, stages.WRITTEN)[0].file.data == nfs.DATA


def test_the_next_record_is_found_behind_lost_bytes():
    parser = NfsParser()
    parser.gap(TO_SERVER, 100, 0)
    data = b"\x80\0\0\1\0\0" + nfs.record(nfs.lookup3(b"x"))
    found = [stage for i in range(len(data)) for stage in parser.feed(TO_SERVER, data[i : i + 1], 0)]
    assert [stage.tx.file_name for stage in found] == [b"x"]
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, TO_SERVER)]


def test_lost_bytes_within_a_write():
    parser = NfsParser()
    data = nfs.record(nfs.write3(b"z" * 50_000))
    parser.feed(TO_SERVER, data[:20_000], 0)
    parser.gap(TO_SERVER, 10_000, 0)
    found = parser.feed(TO_SERVER, data[30_000:], 0) + parser.finish(0)
    assert not at(found, stages.WRITTEN)[0].file.complete


@pytest.mark.parametrize(
    "data",
    [
        nfs.record(nfs.call(3, 3, nfs.u32(200))),
        nfs.record(nfs.call(5, 3, b"")),
        nfs.record(nfs.u32(1, 0, 3) + b"\0" * 40),
        nfs.record(nfs.u32(1, 0, 2, 100003, 3, 1, 1, 5000) + b"\0" * 40),
        nfs.record(nfs.call(3, 7, nfs.opaque(nfs.HANDLE) + nfs.u64(0) + nfs.u32(9, 0, 1 << 30))),
        nfs.record(nfs.call(4, 1, nfs.u32(5000))),
        b"\xff\xff\xff\xff",
    ],
)
def test_malformed(data):
    parser, found = run([(0, data)])
    assert [s for s in found if s.tx.id >= 0] == []
    assert parser.anomalies() == [(AppAnomaly.NFS_MALFORMED_DATA, TO_SERVER)]


def test_after_many_malformed_records_nothing_more_is_read():
    parser = NfsParser()
    parser.feed(TO_SERVER, nfs.record(b"x") * (limits.MALFORMED - 1), 0)
    assert not parser.done
    assert parser.feed(TO_SERVER, nfs.record(b"x") + nfs.record(nfs.lookup3(b"x")), 0) == []
    assert parser.done


def test_everything_is_capped():
    parser = NfsParser()
    for i in range(limits.NAMES + 50):
        handle = i.to_bytes(32, "big")
        parser.feed(TO_SERVER, nfs.record(nfs.lookup3(b"%d" % i, i)), 0)
        parser.feed(TO_CLIENT, nfs.record(nfs.found3(handle, i)), 0)
        parser.feed(TO_SERVER, nfs.record(nfs.write3(b"x" * 9000, 0, 1 << 20 | i, handle)), 0)
        parser.feed(TO_SERVER, nfs.record(nfs.write3(b"x" * 9000, 500_000, 1 << 21 | i, handle)), 0)
    session = parser._session
    assert len(session.files._names) == limits.NAMES
    assert len(session.files._under_way) == limits.FILES
    assert len(session._waiting) == limits.CALLS
    assert session.files.budget.total <= limits.FILES_HELD
    operations = [nfs.GET] * (limits.OPERATIONS + 10)
    parser.feed(TO_SERVER, nfs.record(nfs.compound(*operations, xid=77)), 0)
    assert len(session._waiting[77].operations) == limits.OPERATIONS


def test_no_byte_of_a_long_record_is_kept():
    pieces = Pieces(rpc.Records(), limits.RECORD)
    pieces.feed(nfs.u32(0x80000000 | 1 << 24) + b"\0" * 100_000)
    assert pieces.held == 0


def test_every_stage_has_its_side_and_every_buffer_its_stage():
    assert [spec.side for spec in SPEC.stages] == [0, 0, 0, 1, 1, 1, 0, 1]
    _, found = run(nfs.talk3())
    seen = {b.name for s in found for b in SPEC.buffers if b.stage == s.stage and (s.file or s.tx.buffer(b.name))}
    assert {b.name for b in SPEC.buffers if b.stage not in stages.FRAMES} == seen


def test_calls_that_give_way_are_told():
    parser = NfsParser()
    for xid in range(limits.CALLS + 5):
        parser.feed(TO_SERVER, nfs.record(nfs.lookup3(b"x", xid=xid)), 0)
    assert parser.anomalies() == [(AppAnomaly.NFS_TOO_MANY_TRANSACTIONS, TO_SERVER)]
