import struct

import pytest
import rpcforge as rpc
import smbforge as smb
from handshakes import TO_CLIENT, TO_SERVER, drive

from sensor.model.anomaly import AppAnomaly
from sensor.model.keeping import FilePolicy
from sensor.proto.files import LONG_HEAD as HEAD
from sensor.proto.pieces import Pieces
from sensor.proto.smb import limits, names, ntlmssp, stages
from sensor.proto.smb.fields import SPEC
from sensor.proto.smb.nbss import Nbss
from sensor.proto.smb.state import SmbParser

SHARE = (b"\\\\srv\\ADMIN$",)
_FRAMES = {stages.FRAME_REQUEST, stages.FRAME_RESPONSE}


def run(talk, size=None):
    """Return the parser and the stages of all transactions."""
    parser = SmbParser()
    return parser, [stage for stage in drive(parser, talk, size) if stage.stage not in _FRAMES]


def at(found, stage):
    return [one for one in found if one.stage == stage]


def test_a_log_on():
    parser, found = run(smb.logged_on2())
    negotiation, session = (stage.tx for stage in at(found, stages.RESPONSE))
    assert negotiation.eve() == {
        "id": 1,
        "dialect": "2.10",
        "command": "SMB2_COMMAND_NEGOTIATE_PROTOCOL",
        "status": "STATUS_SUCCESS",
        "status_code": "0x0",
        "session_id": smb.SESSION,
        "tree_id": smb.TREE,
        "client_dialects": ["2.02", "2.10"],
        "client_guid": "47474747-4747-4747-4747-474747474747",
        "server_guid": "53535353-5353-5353-5353-535353535353",
        "max_read_size": 65536,
        "max_write_size": 65536,
    }
    assert session.buffer("smb.ntlmssp_user") == (b"alice",)
    assert session.buffer("smb.ntlmssp_domain") == (b"CORP",)
    user = {"domain": "CORP", "user": "alice", "host": "WS1", "version": "10.0 build 19041 rev 15"}
    assert session.eve()["ntlmssp"] == user
    assert parser.anomalies() == []


FILES1 = smb.file_talk1()


@pytest.mark.parametrize("talk", [smb.file_talk(), FILES1], ids=["2", "1"])
def test_files_are_put_together_both_ways(talk):
    parser, found = run(talk)
    (begun,), (written,), (seen,), (read,) = (
        at(found, stage) for stage in (stages.WRITE_DATA, stages.WRITTEN, stages.READ_DATA, stages.READ)
    )
    assert written.file.data == read.file.data == smb.DATA
    assert written.file.complete
    assert read.file.complete
    assert (written.side, read.side) == (TO_SERVER, TO_CLIENT)
    assert begun.tx.buffer("file.data") == seen.tx.buffer("file.data@to_client") == (smb.DATA,)
    assert begun.tx.buffer("file.data@to_client") == seen.tx.buffer("file.data") == ()
    assert written.tx.buffer("file.name")[0].endswith(b"evil.exe")
    assert written.tx.buffer("smb.share")[0].startswith(b"\\srv\\" if talk is FILES1 else b"\\\\srv\\")
    assert parser.anomalies() == []


def test_records_of_a_file():
    _, found = run(smb.file_talk())
    create = next(s.tx for s in found if s.tx.eve()["command"] == "SMB2_COMMAND_CREATE")
    assert create.eve()["filename"] == "temp\\evil.exe"
    assert create.eve()["disposition"] == "FILE_OPEN"
    assert create.eve()["created"] == 132_000_000_000_000_000 // 10**7 - 11_644_473_600
    assert create.buffer("smb.filename") == (b"temp\\evil.exe",)
    (written,) = at(found, stages.WRITTEN)
    fuid = create.eve()["fuid"]
    shown = {"filename": "temp\\evil.exe", "share": "\\\\srv\\ADMIN$", "fuid": fuid}
    assert shown.items() <= written.tx.eve().items()
    assert fuid == "04030201-0605-0807-0a09-0c0b100f0e0d"


def test_shares_and_pipes():
    _, found = run([*smb.file_talk()[:6], *smb.pipe_talk()[4:6]])
    share, pipe = (stage.tx for stage in at(found, stages.REQUEST) if "TREE" in stage.tx.command)
    assert (share.buffer("smb.share"), share.buffer("smb.named_pipe")) == (SHARE, ())
    assert (pipe.buffer("smb.share"), pipe.buffer("smb.named_pipe")) == ((), (b"\\\\srv\\IPC$",))
    assert share.eve()["share_type"] == "FILE"
    assert (pipe.eve()["named_pipe"], pipe.eve()["share_type"]) == ("\\\\srv\\IPC$", "PIPE")


def test_a_share_that_does_not_exist():
    _, found = run(
        [(0, smb.nbss(smb.tree_connect2("\\\\srv\\X"))), (1, smb.nbss(smb.tree_connected2(status=smb.BAD_NAME)))]
    )
    assert found[-1].tx.eve()["status"] == "STATUS_BAD_NETWORK_NAME"
    assert "share_type" not in found[-1].tx.eve()


def test_calls_in_a_pipe():
    parser, found = run(smb.pipe_talk())
    bind, call = at(found, stages.CALL_RESPONSE)
    assert [stage.tx.id for stage in at(found, stages.CALL_REQUEST)] == [bind.tx.id, call.tx.id]
    assert call.tx.buffer("dcerpc.iface") == (f"{rpc.SPOOLSS} 1".encode(),)
    assert call.tx.buffer("dcerpc.stub_data") == (b"create service",)
    assert call.tx.buffer("dcerpc.stub_data@to_client") == (b"done",)
    assert call.tx.buffer("smb.named_pipe") == (b"\\\\srv\\IPC$",)
    assert call.tx.numbers("dcerpc.opnum") == (12,)
    shown = call.tx.eve()
    assert shown["filename"] == "svcctl"
    assert shown["command"] == "SMB2_COMMAND_IOCTL"
    assert shown["dcerpc"]["opnum"] == 12
    assert shown["dcerpc"]["req"] == {"frag_cnt": 1, "stub_data_size": 14}
    assert shown["dcerpc"]["interfaces"] == [{"uuid": rpc.SPOOLSS, "version": "1.0"}]
    assert [s.tx.eve()["command"] for s in at(found, stages.REQUEST)][-1] == "SMB2_COMMAND_CLOSE"
    assert bind.tx.eve()["dcerpc"]["interfaces"][0] == {
        "uuid": rpc.SPOOLSS, "version": "1.0", "ack_result": 0, "ack_reason": 0,
    }  # fmt: skip
    assert at(found, stages.WRITTEN) == []
    assert parser.anomalies() == []


def test_calls_in_a_pipe_of_version_1():
    talk = [
        (0, smb.nbss(smb.tree_connect1("\\\\srv\\IPC$", unicode=False))),
        (1, smb.nbss(smb.tree_connected1(b"IPC"))),
        (0, smb.nbss(smb.create1("\\svcctl"))),
        (1, smb.nbss(smb.created1(0x4001))),
        (0, smb.nbss(smb.write1(rpc.bind((0, rpc.SPOOLSS, 1)), 0, 0x4001))),
        (0, smb.nbss(smb.read1(1024, 0, 0x4001))),
        (1, smb.nbss(smb.did_read1(rpc.bind_ack(0)))),
        (0, smb.nbss(smb.trans1(rpc.request(12, b"create service")))),
        (1, smb.nbss(smb.trans_answer1(rpc.response(b"done")))),
    ]
    _, found = run(talk)
    call = at(found, stages.CALL_RESPONSE)[-1].tx
    assert call.buffer("dcerpc.stub_data@to_client") == (b"done",)
    assert call.numbers("dcerpc.opnum") == (12,)
    connect = at(found, stages.REQUEST)[0].tx
    assert connect.buffer("smb.named_pipe") == (b"\\srv\\IPC$",)
    assert connect.eve()["service"] == {"request": "?????", "response": "IPC"}


def test_what_a_request_shows_does_not_change_with_its_answer():
    parser, shown = SmbParser(), []
    for side, message in ((0, smb.tree_connect1("\\\\srv\\IPC$", unicode=False)), (1, smb.tree_connected1(b"IPC"))):
        stages = [one for one in parser.feed(side, smb.nbss(message), 0) if one.stage not in _FRAMES]
        shown += [one.tx.eve() for one in stages]
    assert shown[0]["service"] == {"request": "?????"}
    assert shown[-1]["service"] == {"request": "?????", "response": "IPC"}


def test_a_pipe_that_was_open_before_is_known_by_its_bind():
    """The capture starts in the middle: neither tree nor file are known."""
    _, found = run(smb.pipe_talk()[8:])
    assert at(found, stages.CALL_RESPONSE)[-1].tx.numbers("dcerpc.opnum") == (12,)


@pytest.mark.parametrize("first", [12, 10, 4])
def test_a_pipe_that_was_bound_before_is_known_by_its_calls(first):
    """Neither the bind was seen nor, from one of these on, what the share is."""
    talk = [turn for n, turn in enumerate(smb.pipe_talk()[:14]) if n < first and n not in (8, 9, 10, 11)]
    call = [(0, smb.nbss(smb.ioctl2(rpc.request(12, b"create service")))),
            (1, smb.nbss(smb.ioctl_answer2(rpc.response(b"done"))))]  # fmt: skip
    _, found = run(talk[4:] + call)
    (done,) = at(found, stages.CALL_RESPONSE)
    assert done.tx.numbers("dcerpc.opnum") == (12,)
    assert done.tx.buffer("dcerpc.iface") == ()
    assert done.tx.buffer("dcerpc.stub_data@to_client") == (b"done",)


@pytest.mark.parametrize(
    "written", [rpc.request(12, b"x") + b"more", rpc.request(12, b"x")[:15], b"\5\0\1" + b"x" * 40]
)
def test_files_of_an_unknown_share_are_no_pipes(written):
    talk = [*smb.logged_on2(), (0, smb.nbss(smb.create2("a"))), (1, smb.nbss(smb.created2()))]
    _, found = run([*talk, (0, smb.nbss(smb.write2(written))), (0, smb.nbss(smb.close2()))])
    assert at(found, stages.CALL_REQUEST) == []
    assert at(found, stages.WRITTEN)[0].tx.buffer("file.data") == (written,)


def test_log_on_of_version_1():
    _, found = run(smb.file_talk1()[:4])
    session = found[-1].tx
    assert session.buffer("smb.ntlmssp_user") == (b"alice",)
    assert session.eve()["request"] == {"native_os": "Unix", "native_lm": "Samba"}
    assert session.eve()["dialect"] == "NT LM 0.12"


def test_a_negotiation_may_go_on_in_version_2():
    _, found = run([(0, smb.nbss(smb.negotiate1(b"NT LM 0.12", b"SMB 2.???"))), (1, smb.nbss(smb.negotiated2(0x02FF)))])
    (done,) = at(found, stages.RESPONSE)
    assert done.tx.eve()["client_dialects"] == ["NT LM 0.12", "SMB 2.???"]
    assert done.tx.eve()["dialect"] == "2.??"


def test_a_compound_opens_writes_and_closes():
    last = b"\xff" * 16
    messages = (smb.create2("a.exe", 4), smb.write2(b"MZ", 0, last, 5), smb.close2(last, 6))
    talk = [
        *smb.file_talk()[:6],
        (0, smb.compound(*messages)),
        (1, smb.compound(smb.created2(message=4), smb.wrote2(5), smb.closed2(6))),
    ]
    _, found = run(talk)
    (written,) = at(found, stages.WRITTEN)
    assert (written.file.name, written.file.data, written.file.complete) == (b"a.exe", b"MZ", True)


def test_a_file_is_shown_before_its_end():
    _, found = run([*smb.file_talk()[:8], (0, smb.nbss(smb.write2(b"x" * (HEAD + 5000))))])
    (begun,), (written,) = at(found, stages.WRITE_DATA), at(found, stages.WRITTEN)
    assert len(begun.tx.buffer("file.data")[0]) == HEAD
    assert (written.file.size, written.file.complete) == (HEAD + 5000, False)
    assert written.file.digest("md5") == b""


def test_long_files_are_hashed_on_request():
    parser = SmbParser()
    parser.treat_files(FilePolicy(hashed=True))
    big = b"y" * (HEAD * 2)
    talk = [*smb.file_talk()[:8], (0, smb.nbss(smb.write2(big))), (0, smb.nbss(smb.close2()))]
    (written,) = at(drive(parser, talk), stages.WRITTEN)
    assert len(written.file.digest("sha256")) == 64


def test_overlap_is_reported_and_the_first_copy_counts():
    writes = smb.nbss(smb.write2(b"X", 0, message=5)) + smb.nbss(smb.write2(b"Xyz", 0, message=6))
    parser, found = run([*smb.file_talk()[:8], (0, writes), (0, smb.nbss(smb.close2()))])
    assert at(found, stages.WRITTEN)[0].file.data == b"Xyz"
    assert (AppAnomaly.SMB_FILE_OVERLAP, TO_SERVER) in parser.anomalies()


def test_lost_bytes_within_a_write_cost_only_the_file():
    parser = SmbParser()
    drive(parser, smb.file_talk()[:8])
    big = smb.nbss(smb.write2(b"z" * 50_000))
    parser.feed(TO_SERVER, big[:20_000], 0)
    parser.gap(TO_SERVER, 10_000, 0)
    parser.feed(TO_SERVER, big[30_000:], 0)
    found = parser.feed(TO_SERVER, smb.nbss(smb.close2()), 0)
    (written,) = at(found, stages.WRITTEN)
    assert not written.file.complete
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, TO_SERVER)]


@pytest.mark.parametrize("seen", [1, 3, 7, 40, 70, 111])
def test_what_came_of_a_message_before_lost_bytes_counts(seen):
    parser = SmbParser()
    drive(parser, smb.file_talk()[:8])
    message = smb.write2(b"wnwk" + b"z" * 5_000)
    parser.feed(TO_SERVER, smb.nbss(message)[: 4 + seen], 0)
    frames = at(parser.gap(TO_SERVER, len(message) - seen - 100, 0), stages.FRAME_REQUEST)
    assert frames[0].tx.buffer("frame.nbss.data") == (message[:seen],)
    parser.feed(TO_SERVER, message[-100:], 0)
    found = parser.feed(TO_SERVER, smb.nbss(smb.close2()), 0)
    written = at(found, stages.WRITTEN)
    assert not any(one.file.complete for one in written)
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, TO_SERVER)]


def test_frames_and_files_hold_what_came_before_lost_bytes():
    parser = SmbParser()
    drive(parser, smb.file_talk()[:8])
    message = smb.write2(b"wnwk" + b"z" * 5_000)
    parser.feed(TO_SERVER, smb.nbss(message)[:2_000], 0)
    found = parser.gap(TO_SERVER, 1_000, 0)
    (frame,) = (f for f in at(found, stages.FRAME_REQUEST) if f.tx.buffer("frame.smb2.data"))
    assert b"wnwk" in frame.tx.buffer("frame.smb2.data")[0]
    parser.feed(TO_SERVER, smb.nbss(message)[3_000:], 0)
    (written,) = at(parser.feed(TO_SERVER, smb.nbss(smb.close2()), 0), stages.WRITTEN)
    assert written.file.data.startswith(b"wnwkzz")
    assert not written.file.complete


def test_frames_are_left_out_where_nobody_asks():
    for talk in (smb.file_talk(), smb.pipe_talk(), smb.file_talk1(), [(0, smb.nbss(b"\xfdSMB" + b"\0" * 60))]):
        parser, bare = SmbParser(), SmbParser()
        bare.shows_frames = False
        whole, rest = drive(parser, talk), drive(bare, talk)
        assert parser.shows_frames
        kept = [(s.stage, s.tx.eve()) for s in whole if s.stage not in SPEC.frame_stages]
        assert [(s.stage, s.tx.eve()) for s in rest] == kept
        assert len(kept) < len(whole)


def test_the_next_message_is_found_behind_lost_bytes():
    parser = SmbParser()
    parser.gap(TO_SERVER, 100, 0)
    data = b"xSMB\0\0\0\0\xffSM" + smb.nbss(smb.tree_connect2("\\\\srv\\ADMIN$"))
    found = [stage for i in range(len(data)) for stage in parser.feed(TO_SERVER, data[i : i + 1], 0)]
    assert [s.tx.buffer("smb.share") for s in at(found, stages.REQUEST)] == [SHARE]


def test_encrypted_messages_are_passed_over():
    hidden = b"\xfdSMB" + b"\0" * 48 + b"secret"
    frames = SmbParser().feed(TO_CLIENT, smb.nbss(hidden), 0)
    assert [frame.tx.buffer("frame.smb3.data") for frame in frames] == [(), (b"secret",)]
    parser, found = run([(0, smb.nbss(hidden) + smb.nbss(b"\xfcSMB" + b"\0" * 100)), *smb.logged_on2()[:2]])
    assert [stage.stage for stage in found] == [stages.REQUEST, stages.RESPONSE]
    assert parser.anomalies() == []


def test_session_service_comes_first():
    request, answer = b"\x81\0\0\x44" + b"\x20" + b"A" * 67, b"\x82\0\0\0"
    _, found = run([(0, request), (1, answer), *smb.logged_on2()[:2]])
    assert len(at(found, stages.RESPONSE)) == 1


def test_frames():
    parser = SmbParser()
    message = smb.tree_connect2("\\\\srv\\X")
    whole, frame = parser.feed(TO_SERVER, smb.nbss(message), 0)[:2]
    assert whole.tx.buffer("frame.nbss.hdr") == (smb.nbss(message)[:4],)
    assert whole.tx.buffer("frame.nbss.pdu") == (smb.nbss(message),)
    assert (frame.stage, frame.tx.id, frame.tx.eve()) == (stages.FRAME_REQUEST, -1, {})
    assert frame.tx.buffer("frame.smb2.data") == (message[64:],)
    assert frame.tx.buffer("frame.smb2.hdr") == (message[:64],)
    assert frame.tx.buffer("frame.smb2.pdu") == (message,)
    assert frame.tx.buffer("frame.smb1.pdu") == ()


def test_a_pending_answer_is_not_the_answer():
    pending = smb.smb2(3, b"\x09\0" + b"\0" * 7, 3, response=True, status=0x103, flags=2)
    _, found = run(
        [(0, smb.nbss(smb.tree_connect2("\\\\srv\\X"))), (1, smb.nbss(pending)), (1, smb.nbss(smb.tree_connected2()))]
    )
    assert [s.tx.eve()["status"] for s in at(found, stages.RESPONSE)] == ["STATUS_SUCCESS"]


def test_other_controls_are_transactions():
    _, found = run([(0, smb.nbss(smb.ioctl2(b"", code=0x00140204)))])
    assert found[0].tx.eve()["function"] == "FSCTL_VALIDATE_NEGOTIATE_INFO"


def test_rename():
    _, found = run([*smb.file_talk()[:8], (0, smb.nbss(smb.rename2("temp\\good.exe")))])
    renamed = at(found, stages.REQUEST)[-1].tx
    assert renamed.eve()["rename"] == {"from": "temp\\evil.exe", "to": "temp\\good.exe"}
    assert renamed.buffer("smb.filename") == (b"temp\\good.exe",)


@pytest.mark.parametrize(
    ("talk", "event", "side"),
    [
        ([(0, smb.nbss(b"\xfeSMB" + b"\0" * 60))], "MALFORMED_DATA", TO_SERVER),
        ([(0, smb.nbss(smb.smb2(5, b"\x39\0")))], "MALFORMED_DATA", TO_SERVER),
        ([(0, smb.nbss(smb.smb1(0x2F, b"\xff\0", b"")))], "MALFORMED_DATA", TO_SERVER),
        ([(0, smb.nbss(b"HTTP" + b"\0" * 60))], "MALFORMED_DATA", TO_SERVER),
        ([(0, b"\x20\0\0\0")], "MALFORMED_DATA", TO_SERVER),
        ([(0, smb.nbss(smb.smb2(5, b"", next=16)))], "MALFORMED_DATA", TO_SERVER),
        ([(0, smb.nbss(smb.session_setup2(smb.ntlm()[:50])))], "MALFORMED_NTLMSSP_REQUEST", TO_SERVER),
        ([(0, smb.nbss(smb.negotiate2(0x0202)) * 2)], "DUPLICATE_NEGOTIATE", TO_SERVER),
        ([(0, smb.nbss(smb.smb1(0x72, b"", b"\2A\0\3B\0")))], "NEGOTIATE_MALFORMED_DIALECTS", TO_SERVER),
        *(([(0, smb.nbss(smb.negotiate1(b"A", b"B"))), (1, smb.nbss(smb.negotiated1(chosen)))],
           "NEGOTIATE_MALFORMED_DIALECTS", TO_CLIENT) for chosen in (2, 0xFFFF)),
        ([*smb.logged_on2(), (0, smb.nbss(smb.read2(70_000)))], "READ_REQUEST_TOO_LARGE", TO_SERVER),
        ([*smb.logged_on2(), (0, smb.nbss(smb.write2(b"x" * 70_000)))], "WRITE_REQUEST_TOO_LARGE", TO_SERVER),
        ([(0, smb.nbss(smb.read2(1))), (1, smb.nbss(smb.did_read2(b"xyz")))], "READ_RESPONSE_TOO_LARGE", TO_CLIENT),
    ],
)
def test_what_is_odd(talk, event, side):
    parser, _ = run(talk)
    assert parser.anomalies() == [(AppAnomaly[f"SMB_{event}"], side)]


def test_after_many_malformed_messages_nothing_more_is_read():
    parser = SmbParser()
    parser.feed(TO_SERVER, smb.nbss(b"x") * (limits.MALFORMED - 1), 0)
    assert not parser.done
    found = parser.feed(TO_SERVER, smb.nbss(b"x") + smb.nbss(smb.tree_connect2("\\\\srv\\X")), 0)
    assert parser.done
    assert at(found, stages.REQUEST) == []


def test_pending_requests_are_capped():
    parser = SmbParser()
    for i in range(limits.PENDING + 10):
        parser.feed(
            TO_SERVER, smb.nbss(smb.smb2(13, b"\4\0\0\0", i)) + smb.nbss(smb.smb1(0x2B, b"\1\0", b"", multiplex=i)), 0
        )
    assert all(len(version._pending) == limits.PENDING for version in parser._versions.values())
    assert parser.anomalies() == [(AppAnomaly.SMB_TOO_MANY_TRANSACTIONS, TO_SERVER)]


def test_open_files_are_capped_in_number_and_bytes():
    parser = SmbParser()
    for i in range(limits.HANDLES + 20):
        piece = smb.write2(b"x" * 60_000, 0, struct.pack("<QQ", i, 1), i)
        parser.feed(TO_SERVER, smb.nbss(piece), 0)
    handles = parser._handles
    assert len(handles._open) == limits.HANDLES
    held = sum(one.transfers[0].builder.held for one in handles._open.values() if one.transfers[0])
    assert held == handles.budget.total <= limits.FILES_HELD
    assert (AppAnomaly.SMB_WRITE_QUEUE_SIZE_EXCEEDED, TO_SERVER) in parser.anomalies()


def test_shares_and_pipes_are_capped():
    parser = SmbParser()
    for i in range(limits.TREES + 5):
        parser.feed(TO_SERVER, smb.nbss(smb.tree_connect2("\\\\s\\x", i)), 0)
        parser.feed(TO_CLIENT, smb.nbss(smb.tree_connected2(1, i, tree=i)), 0)
    assert len(parser._handles.trees) == limits.TREES
    parser = SmbParser()
    for i in range(limits.PIPES + 5):
        parser.feed(TO_SERVER, smb.nbss(smb.write2(rpc.bind((0, rpc.SPOOLSS, 1)), 0, struct.pack("<QQ", i, 2), i)), 0)
    assert sum(one.pipe is not None for one in parser._handles._open.values()) == limits.PIPES


def test_a_long_message_is_not_kept():
    framer = Pieces(Nbss(), limits.MESSAGE)
    pieces = framer.feed(struct.pack("!I", 0xFFFFFF) + b"\xfeSMB" + b"\0" * 100_000)
    assert [(len(piece.data), piece.first) for piece in pieces] == [
        (limits.MESSAGE, True),
        (100_004 - limits.MESSAGE, False),
    ]
    assert framer.held == 0


def test_names_of_users():
    assert ntlmssp.user(b"no ntlm") is None
    assert ntlmssp.user(b"NTLMSSP\0\1\0\0\0") is None
    assert ntlmssp.user(smb.ntlm(flags=0)).user == b"alice"
    assert ntlmssp.user(smb.ntlm(flags=1)).version == ""
    with pytest.raises(ntlmssp.NtlmError):
        ntlmssp.user(smb.ntlm()[:-3])


def test_log_on_by_kerberos():
    parser, found = run([(0, smb.nbss(smb.session_setup2(b"\x60\x48" + smb.kerberos())))])
    assert found[0].tx.eve()["kerberos"] == {"realm": "CORP.EXAMPLE", "snames": ["cifs", "srv.corp.example"]}
    assert parser.anomalies() == []


@pytest.mark.parametrize("size", range(0, 300, 7))
def test_a_ticket_that_is_cut_is_none(size):
    parser, found = run([(0, smb.nbss(smb.session_setup2(smb.kerberos()[:size])))])
    assert "kerberos" not in found[0].tx.eve()
    assert parser.anomalies() == []


def test_a_long_log_on_is_taken_as_far_as_it_is_kept():
    parser, found = run([(0, smb.nbss(smb.session_setup2(smb.kerberos(padding=20_000))))])
    assert [stage.stage for stage in found] == [stages.REQUEST]
    assert parser.anomalies() == []


def test_sides_may_be_swapped_where_the_start_is_not_seen():
    _, found = run([(1 - side, data) for side, data in smb.pipe_talk()])
    assert at(found, stages.CALL_REQUEST)[-1].tx.buffer("dcerpc.stub_data") == (b"create service",)


def test_every_stage_has_its_side_and_every_buffer_its_stage():
    assert [spec.side for spec in SPEC.stages] == [0, 1, 0, 0, 0, 0, 1, 1, 1, 1]
    parser = SmbParser()
    talk = [
        *smb.file_talk(),
        *smb.pipe_talk()[4:],
        (0, smb.nbss(smb.smb1(0x2B, b"\1\0", b"x"))),
        *((side, smb.nbss(b"\xfdSMB" + b"\0" * 60)) for side in (0, 1)),
        (1, smb.nbss(smb.closed1())),
    ]
    seen = {b.name for stage in drive(parser, talk) for b in SPEC.buffers if b.stage == stage.stage
            if stage.tx.buffer(b.name) or (stage.file and b.name.startswith("file."))}  # fmt: skip
    assert {b.name for b in SPEC.buffers} == seen


def test_messages_of_the_other_side_are_told():
    parser, _ = run([(side ^ 1, data) for side, data in smb.file_talk()])
    odd = parser.anomalies()
    assert (AppAnomaly.SMB_RESPONSE_TO_SERVER, TO_SERVER) in odd
    assert (AppAnomaly.SMB_REQUEST_TO_CLIENT, TO_CLIENT) in odd
    parser, _ = run([(side ^ 1, data) for side, data in smb.file_talk1()])
    assert (AppAnomaly.SMB_REQUEST_TO_CLIENT, TO_CLIENT) in parser.anomalies()


def test_sizes_that_a_server_should_not_allow():
    parser, _ = run(
        [(TO_SERVER, smb.nbss(smb.negotiate2(0x0210))), (TO_CLIENT, smb.nbss(smb.negotiated2(read=1 << 25)))]
    )
    assert parser.anomalies() == [(AppAnomaly.SMB_NEGOTIATE_MAX_READ_SIZE_TOO_LARGE, TO_CLIENT)]
    parser, _ = run(
        [(TO_SERVER, smb.nbss(smb.negotiate2(0x0210))), (TO_CLIENT, smb.nbss(smb.negotiated2(write=1 << 25)))]
    )
    assert parser.anomalies() == [(AppAnomaly.SMB_NEGOTIATE_MAX_WRITE_SIZE_TOO_LARGE, TO_CLIENT)]


def test_many_pieces_of_a_file_out_of_order_are_told():
    pieces = [(TO_SERVER, smb.nbss(smb.write2(b"x", 10 * n, message=9 + n))) for n in range(1, 70)]
    parser, _ = run([*smb.file_talk()[:6], *pieces[:60]])
    assert parser.anomalies() == []
    parser, _ = run([*smb.file_talk()[:6], *pieces])
    assert parser.anomalies() == [(AppAnomaly.SMB_WRITE_QUEUE_CNT_EXCEEDED, TO_SERVER)]


def test_guids_read_as_in_suricata():
    assert names.guid(bytes(range(16))) == "03020100-0504-0706-0908-0b0a0f0e0d0c"
