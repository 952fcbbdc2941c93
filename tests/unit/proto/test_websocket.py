import wsmake as ws
from handshakes import TO_CLIENT, TO_SERVER

from sensor.proto.websocket.fields import SPEC
from sensor.proto.websocket.frames import MAX_PAYLOAD
from sensor.proto.websocket.messages import MAX_INFLATED


def talk(*said):
    parser = SPEC.new_parser()
    stages = [stage for side, data in said for stage in parser.feed(side, data, 0)]
    return stages, [(one.event, side) for one, side in parser.anomalies()]


def payloads(stages):
    return [b"".join(stage.tx.buffer("websocket.payload")) for stage in stages]


def test_a_frame():
    (stage,), odd = talk((TO_SERVER, ws.frame(b"hello", key=ws.KEY)))
    assert (stage.side, stage.tx.id, odd) == (TO_SERVER, 0, [])
    assert stage.tx.buffer("websocket.payload") == (b"hello",)
    assert stage.tx.numbers("websocket.flags") == (0x80,)
    assert stage.tx.numbers("websocket.opcode") == (1,)
    assert stage.tx.numbers("websocket.mask") == (0x37FA213D,)
    assert stage.tx.eve() == {"fin": True, "mask": 0x37FA213D, "opcode": "text"}


def test_a_frame_without_a_mask():
    (stage,), _ = talk((TO_CLIENT, ws.frame(b"", 11, fin=False)))
    assert stage.tx.numbers("websocket.mask") == stage.tx.buffer("websocket.payload") == ()
    assert stage.tx.eve() == {"fin": False, "opcode": "unknown-11"}


def test_the_last_frame_has_the_whole_message():
    stages, odd = talk(*ws.talk()[:2])
    assert payloads(stages) == [b"hello", b"frag", b"ping", b"fragmented"]
    assert [s.tx.eve()["opcode"] for s in stages] == ["text", "text", "ping", "continuation"]
    assert [s.tx.id for s in stages] == [0, 1, 2, 3]
    assert odd == []


def test_compressed_messages_share_a_window():
    squeeze = ws.Compressor()
    first, second, third = squeeze(b"a text, a text, a text"), squeeze(b"a text again"), squeeze(b"a text, a text")
    assert b"text" not in second
    stages, odd = talk(
        (TO_CLIENT, ws.frame(first, comp=True) + ws.frame(second[:4], comp=True, fin=False) + ws.frame(second[4:], 0)),
        (TO_CLIENT, ws.frame(b"plain") + ws.frame(third, comp=True)),
    )
    assert payloads(stages) == [b"a text, a text, a text", second[:4], b"a text again", b"plain", b"a text, a text"]
    assert odd == []


def test_what_cannot_be_inflated_stays():
    stages, odd = talk((TO_SERVER, ws.frame(b"\xff\xff not deflate", comp=True) + ws.frame(b"next")))
    assert payloads(stages) == [b"\xff\xff not deflate", b"next"]
    assert odd == []


def test_bombs_are_cut():
    bomb = ws.Compressor()(bytes(3 * MAX_INFLATED))
    assert len(bomb) < MAX_PAYLOAD
    (stage,), odd = talk((TO_SERVER, ws.frame(bomb, comp=True)))
    assert payloads([stage]) == [bytes(MAX_PAYLOAD)]
    assert odd == [("websocket.reassembly_limit_reached", TO_SERVER)]


def test_long_frames_are_passed_over():
    size = MAX_PAYLOAD + 5000
    data = ws.frame(b"x" * size, ws.BINARY, key=ws.KEY) + ws.frame(b"next")
    for step in (len(data), 1000, 7):
        stages, odd = talk(*((TO_SERVER, data[at : at + step]) for at in range(0, len(data), step)))
        assert payloads(stages) == [b"x" * MAX_PAYLOAD, b"next"]
        assert odd == [("websocket.skip_end_of_payload", TO_SERVER)]


def test_long_messages_are_cut():
    part = b"y" * 40_000
    stages, odd = talk((TO_SERVER, ws.frame(part, fin=False) + ws.frame(part, 0) + ws.frame(b"next")))
    assert payloads(stages) == [part, b"y" * MAX_PAYLOAD, b"next"]
    assert odd == [("websocket.reassembly_limit_reached", TO_SERVER)]


def test_a_size_beyond_belief_holds_nothing():
    parser = SPEC.new_parser()
    parser.feed(TO_SERVER, ws.frame(b"", size=1 << 62), 0)
    for _ in range(50):
        parser.feed(TO_SERVER, bytes(10_000), 0)
    assert len(parser._readers[0]._buffer) <= MAX_PAYLOAD


def test_lost_bytes():
    parser = SPEC.new_parser()
    long = ws.frame(b"x" * (MAX_PAYLOAD + 5000))
    parser.feed(TO_SERVER, long[:-4000], 0)
    parser.gap(TO_SERVER, 4000, 0)
    (stage,) = parser.feed(TO_SERVER, ws.frame(b"next"), 0)
    assert payloads([stage]) == [b"next"]
    parser.gap(TO_SERVER, 1, 0)
    assert parser.feed(TO_SERVER, ws.frame(b"lost"), 0) == []
    assert not parser.done
    parser.gap(TO_CLIENT, 1, 0)
    assert parser.done
    events = [one.event for one, _ in parser.anomalies()]
    assert events == ["websocket.skip_end_of_payload", "applayer.protocol_gap", "applayer.protocol_gap"]
