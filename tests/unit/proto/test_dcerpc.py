import pytest
import rpcforge as rpc
from handshakes import TO_CLIENT, TO_SERVER, drive

from sensor.model.anomaly import AppAnomaly
from sensor.proto.dcerpc import association, call, parse
from sensor.proto.dcerpc.fields import SPEC
from sensor.proto.dcerpc.state import STAGE_REQUEST, STAGE_RESPONSE, DcerpcParser

IFACE = f"{rpc.SPOOLSS} 1".encode()
ANSWER_HEADER = 8


def test_a_talk():
    stages = drive(DcerpcParser(), rpc.talk())
    assert [(s.tx.id, s.stage) for s in stages] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert all(s.side == s.stage for s in stages)
    one, three = stages[2].tx, stages[4].tx
    assert (one.buffer("dcerpc.iface"), one.numbers("dcerpc.opnum")) == ((IFACE,), (1,))
    assert one.buffer("dcerpc.stub_data") == (b"open printer",)
    assert one.buffer("dcerpc.stub_data@to_client")[0][ANSWER_HEADER:] == b"handle"
    assert three.buffer("dcerpc.stub_data") == (b"one,two,three",)
    assert three.buffer("dcerpc.stub_data@to_client")[0].endswith(b"of it")
    assert (three.numbers("dcerpc.opnum"), three.numbers("dcerpc.byte_order")) == ((9,), (1,))
    assert one.buffer("nope") == ()


def test_eve():
    bind, _, one, _, three, _ = (stage.tx.eve() for stage in drive(DcerpcParser(), rpc.talk()))
    assert bind == {
        "request": "BIND",
        "interfaces": [
            {"uuid": rpc.SPOOLSS, "version": "1.0", "ack_result": 0},
            {"uuid": rpc.EPMAPPER, "version": "3.0", "ack_result": 2},
        ],
        "response": "BINDACK",
        "call_id": 1,
        "rpc_version": "5.0",
    }
    assert one["req"] == {"opnum": 1, "frag_cnt": 1, "stub_data_size": 12}
    assert one["res"] == {"frag_cnt": 1, "stub_data_size": 6 + ANSWER_HEADER}
    assert (three["req"]["frag_cnt"], three["res"]["frag_cnt"]) == (3, 2)


def test_big_endian():
    stages = drive(
        DcerpcParser(),
        [
            (TO_SERVER, rpc.bind((7, rpc.SPOOLSS, 1), order=">")),
            (TO_CLIENT, rpc.bind_ack(0, order=">")),
            (TO_SERVER, rpc.request(0x0102, b"x", context=7, order=">")),
        ],
    )
    assert stages[-1].tx.buffer("dcerpc.iface") == (IFACE,)
    assert stages[-1].tx.numbers("dcerpc.opnum") == (0x0102,)
    assert stages[-1].tx.numbers("dcerpc.byte_order") == (0,)


@pytest.mark.parametrize("context", [1, 5])
def test_an_interface_that_was_not_accepted_is_not_called(context):
    stages = drive(DcerpcParser(), [*rpc.talk()[:2], (TO_SERVER, rpc.request(1, b"x", context=context))])
    assert stages[-1].tx.buffer("dcerpc.iface") == ()
    assert stages[-1].tx.numbers("dcerpc.opnum") == (1,)


def test_alter_context_adds_an_interface():
    stages = drive(
        DcerpcParser(),
        [
            *rpc.talk()[:2],
            (TO_SERVER, rpc.bind((4, rpc.EPMAPPER, 3), call=2, kind=parse.ALTER)),
            (TO_CLIENT, rpc.bind_ack(0, call=2, kind=parse.ALTER_ACK, address=b"")),
            (TO_SERVER, rpc.request(1, b"x", call=3, context=4) + rpc.request(1, b"y", call=4, context=0)),
        ],
    )
    called = [s for s in stages if s.stage == STAGE_REQUEST][-2:]
    assert [s.tx.buffer("dcerpc.iface")[0][:8] for s in called] == [b"e1af8308", b"12345678"]
    assert stages[stages.index(called[0]) - 1].tx.eve()["response"] == "ALTER_CONTEXT_RESP"


def test_an_answer_without_its_request_is_seen():
    (stage,) = drive(DcerpcParser(), [(TO_CLIENT, rpc.response(b"leak"))])
    assert (stage.stage, stage.tx.numbers("dcerpc.opnum")) == (STAGE_RESPONSE, ())
    assert stage.tx.eve()["request"] == "REQUEST_LOST"


def test_a_call_number_is_used_anew():
    """Clients that never count: the first fragment opens a call."""
    stages = drive(DcerpcParser(), [(TO_SERVER, rpc.request(1, b"a", call=1) + rpc.request(2, b"b", call=1))])
    assert [(s.tx.id, s.tx.buffer("dcerpc.stub_data")) for s in stages[:2]] == [(0, (b"a",)), (1, (b"b",))]


def test_a_call_that_nobody_answers_is_complete_at_the_end():
    """Rules without a direction hold for both sides of a call, of what is there of one that breaks off as well."""
    whole, part = rpc.request(1, b"a", call=1), rpc.request(1, b"part", call=2, flags=parse.FIRST)
    stages = drive(DcerpcParser(), [(TO_SERVER, rpc.bind((0, rpc.SPOOLSS, 1), call=9) + whole + part)])
    assert [(s.stage, s.side, s.tx.call) for s in stages[1:]] == [
        (STAGE_REQUEST, 0, 1), (STAGE_RESPONSE, 1, 1), (STAGE_REQUEST, 0, 2), (STAGE_RESPONSE, 1, 2),
    ]  # fmt: skip
    assert stages[3].tx.buffer("dcerpc.stub_data") == (b"part",)
    assert stages[2].tx.buffer("dcerpc.stub_data@to_client") == ()


def test_fault_and_refusal_are_answers():
    stages = drive(
        DcerpcParser(),
        [
            (TO_SERVER, rpc.bind((0, rpc.SPOOLSS, 1))),
            (TO_CLIENT, rpc.pdu(parse.BIND_NAK, b"\0\0\0\0")),
            (TO_SERVER, rpc.request(1, b"x")),
            (TO_CLIENT, rpc.pdu(parse.FAULT, b"\0" * 16, call=2)),
        ],
    )
    assert [s.tx.eve()["response"] for s in stages[1::2]] == ["BINDNAK", "FAULT"]
    assert "res" not in stages[-1].tx.eve()


@pytest.mark.parametrize(
    ("side", "data"),
    [
        (TO_SERVER, rpc.bind((0, rpc.SPOOLSS, 1))[:-25] + b"\0" * 0),
        (TO_SERVER, rpc.pdu(parse.BIND, b"\0" * 11)),
        (TO_SERVER, rpc.pdu(parse.BIND, b"\0" * 8 + b"\1\0\0\0")),
        (TO_SERVER, rpc.pdu(parse.REQUEST, b"\0" * 7)),
        (TO_CLIENT, rpc.pdu(parse.BIND_ACK, b"\0" * 9)),
        (TO_CLIENT, rpc.pdu(parse.BIND_ACK, b"\0" * 8 + b"\xff\xff" + b"\0" * 20)),
        (TO_CLIENT, rpc.pdu(parse.BIND_ACK, b"\0" * 12 + b"\xff\0\0\0" + b"\0" * 24)),
        (TO_SERVER, b"\5\0\1\3" + b"\0" * 12),
        (TO_SERVER, rpc.pdu(parse.REQUEST, b"").replace(b"\x10\0\0\0\x10\0", b"\x10\0\0\0\x0f\0")),
    ],
)
def test_malformed(side, data):
    parser = DcerpcParser()
    if parse.pdu(data) is not None:
        data = data[:8] + len(data).to_bytes(2, "little") + data[10:]
    parser.feed(side, data, 0)
    assert parser.anomalies() == [(AppAnomaly.DCERPC_MALFORMED, side)]
    assert parser.anomalies() == []


def test_what_is_no_pdu_ends_the_parser():
    parser = DcerpcParser()
    assert len(parser.feed(TO_SERVER, rpc.request(1, b"x") + b"GET / HTTP/1.1\r\n", 0)) == 1
    assert parser.done
    assert parser.feed(TO_SERVER, rpc.request(1, b"x"), 0) == parser.gap(0, 5, 0) == []


@pytest.mark.parametrize("side", [TO_SERVER, TO_CLIENT])
def test_long_calls_are_judged_in_parts(side):
    parser = DcerpcParser()
    parser.feed(TO_SERVER, rpc.bind((0, rpc.SPOOLSS, 1)), 0)
    parser.feed(TO_CLIENT, rpc.bind_ack(0), 0)
    if side == TO_CLIENT:
        parser.feed(TO_SERVER, rpc.request(1, b"ask"), 0)
    stages = []
    for i in range(20):
        flags = parse.FIRST if i == 0 else parse.LAST if i == 19 else 0
        data = bytes([97 + i]) * 5000
        piece = rpc.response(data, flags=flags) if side else rpc.request(1, data, flags=flags)
        stages += parser.feed(side, piece, 0)
    name = "dcerpc.stub_data@to_client" if side else "dcerpc.stub_data"
    parts = [stage.tx.buffer(name)[0].replace(b"\0", b"") for stage in stages]
    assert b"".join(parts).translate(None, b"\x88\x13") == b"".join(bytes([97 + i]) * 5000 for i in range(20))
    assert len(parts) == 2
    assert {stage.side for stage in stages} == {side}
    assert len({stage.tx.id for stage in stages}) == 2
    assert [stage.tx.numbers("dcerpc.opnum") for stage in stages] == [(1,)] * 2
    assert all(stage.tx.interface for stage in stages)
    assert parser.anomalies() == [(AppAnomaly.DCERPC_STUB_TOO_LONG, side)]
    assert len(parser.finish(0)) == (side == TO_SERVER)  # to which nobody has answered


def test_calls_under_way_are_capped_in_number_and_bytes():
    parser = DcerpcParser()
    stages = []
    for i in range(10 * association.MAX_CALLS):
        stages += parser.feed(TO_SERVER, rpc.request(1, b"x" * 9000, call=i, flags=parse.FIRST), 0)
    held = parser._association._calls
    assert len(held) == association.MAX_CALLS
    assert sum(one.stubs[0].size for one in held.values()) == parser._association._held < association.MAX_HELD
    stages += parser.finish(0)
    seen = {stage.tx.call for stage in stages if stage.side == TO_SERVER}
    assert seen == set(range(10 * association.MAX_CALLS))
    assert set(parser.anomalies()) == {
        (AppAnomaly.DCERPC_TOO_MANY_CALLS, TO_SERVER),
        (AppAnomaly.DCERPC_STUB_TOO_LONG, TO_SERVER),
    }


def test_contexts_are_capped():
    data = rpc.bind(*((i, rpc.SPOOLSS, 1) for i in range(parse.MAX_CONTEXTS + 1)))
    parser = DcerpcParser()
    (stage,) = parser.feed(TO_SERVER, data, 0)
    assert len(stage.tx.contexts) == parse.MAX_CONTEXTS
    assert parser.anomalies() == [(AppAnomaly.DCERPC_MALFORMED, TO_SERVER)]
    for i in range(20):
        first = 100 * i
        parser.feed(TO_SERVER, rpc.bind(*((first + n, rpc.SPOOLSS, 1) for n in range(60))), 0)
        parser.feed(TO_CLIENT, rpc.bind_ack(*[0] * 60), 0)
    assert len(parser._association._bound) == association.MAX_BOUND


@pytest.mark.parametrize("cut", [0, 3, 20, 40])
def test_bytes_lost_within_a_pdu_cost_only_it(cut):
    lost, after = rpc.request(1, b"lost" * 20), rpc.request(2, b"found", call=3)
    parser = DcerpcParser()
    parser.feed(TO_SERVER, lost[:cut], 0)
    parser.gap(TO_SERVER, 30, 0)
    (stage,) = parser.feed(TO_SERVER, lost[cut + 30 :] + after, 0)
    assert stage.tx.buffer("dcerpc.stub_data") == (b"found",)
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, TO_SERVER)]


def test_the_next_pdu_is_found_behind_lost_bytes():
    parser = DcerpcParser()
    parser.gap(TO_SERVER, 1000, 0)
    data = b"\5\0\5\5" * 50 + rpc.request(2, b"found")
    stages = [stage for i in range(len(data)) for stage in parser.feed(TO_SERVER, data[i : i + 1], 0)]
    assert [stage.tx.buffer("dcerpc.stub_data") for stage in stages] == [(b"found",)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_datagrams(order):
    (asked,) = DcerpcParser().feed(TO_SERVER, rpc.datagram(parse.REQUEST, b"args", order=order), 0)
    (answered,) = DcerpcParser().feed(TO_CLIENT, rpc.datagram(parse.RESPONSE, b"result", order=order), 0)
    assert (asked.stage, answered.stage) == (STAGE_REQUEST, STAGE_RESPONSE)
    assert (asked.tx.numbers("dcerpc.opnum"), asked.tx.buffer("dcerpc.iface")) == ((3,), (IFACE,))
    assert asked.tx.buffer("dcerpc.stub_data") == (b"args",)
    assert answered.tx.buffer("dcerpc.stub_data@to_client") == (b"result",)
    shown = {"activityuuid": rpc.EPMAPPER, "seqnum": 9, "rpc_version": "4.0", "request": "REQUEST"}
    assert shown.items() <= asked.tx.eve().items()


def test_datagrams_that_carry_no_call():
    parser = DcerpcParser()
    assert parser.feed(TO_SERVER, rpc.datagram(1, b""), 0) == parser.anomalies() == []
    for data in (b"\4\0" + b"\0" * 60, rpc.datagram(parse.REQUEST, b"x", size=2)):
        parser = DcerpcParser()
        assert parser.feed(TO_SERVER, data, 0) == []
        assert parser.anomalies() == [(AppAnomaly.DCERPC_MALFORMED, TO_SERVER)]


def test_buffers_are_declared():
    assert set(call._BUFFERS) == {b.name for b in SPEC.buffers}
    assert [stage.side for stage in SPEC.stages] == [TO_SERVER, TO_CLIENT]
    assert STAGE_REQUEST == 0
