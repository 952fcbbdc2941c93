"""Records as frames, and states of the handshake as packets of either side find them."""

from handshakes import (
    CCS,
    CERT,
    DATA,
    SERVER_DONE,
    TO_CLIENT,
    TO_SERVER,
    certificates,
    client_hello,
    drive,
    message,
    pieces,
    record,
    server_hello,
    ssl2_client_hello,
    ssl2_server_hello,
)

from sensor.proto.tls.fields import SPEC
from sensor.proto.tls.state import VIEWS, TlsParser
from sensor.proto.tls.views import FRAMES

HELLO, ANSWER = record(22, client_hello()), record(22, server_hello())
KEY, REQUEST, EXCHANGE = (record(22, message(kind, b"abc")) for kind in (12, 13, 16))
ALERT, BEAT = record(21, b"\1\0"), record(24, b"\1\0\3abc" + bytes(16))


def views(conversation, shown=True):
    parser = TlsParser()
    parser.shows_frames = shown
    return parser, [stage for stage in drive(parser, conversation) if stage.stage in VIEWS]


def found(stages, name):
    """Return (side, value) of a buffer."""
    buffers = [(stage, stage.tx.buffer(name + ("@to_client" if stage.side else ""))) for stage in stages]
    return [(stage.side, values[0]) for stage, values in buffers if values]


def states(conversation):
    return [(side, value.decode()) for side, value in found(views(conversation)[1], "tls.state")]


def test_each_record_is_a_frame_to_the_end():
    talk = [(TO_SERVER, HELLO), (TO_CLIENT, ANSWER + CCS), (TO_SERVER, CCS + DATA), (TO_CLIENT, ALERT + BEAT)]
    parser, stages = views(talk)
    sent = [(0, HELLO), (1, ANSWER), (1, CCS), (0, CCS), (0, DATA), (1, ALERT), (1, BEAT)]
    assert found(stages, "frame.tls.pdu") == sent
    assert found(stages, "frame.tls.hdr") == [(side, raw[:5]) for side, raw in sent]
    assert found(stages, "frame.tls.data") == [(side, raw[5:]) for side, raw in sent]
    assert found(stages, "frame.tls.alert") == [(1, b"\1\0")]
    assert found(stages, "frame.tls.heartbeat") == [(1, BEAT[5:])]
    assert all(stage.tx.id < 0 and not stage.tx.eve() for stage in stages)
    assert parser.done  # drive ends the flow


def test_records_over_several_segments():
    talk = [(TO_CLIENT, piece) for piece in pieces(ANSWER + KEY, 7)]
    assert found(views([(TO_SERVER, HELLO), *talk])[1], "frame.tls.pdu") == [(0, HELLO), (1, ANSWER), (1, KEY)]


def test_nothing_is_shown_that_nobody_asks_for():
    parser, stages = views([(TO_SERVER, HELLO), (TO_CLIENT, ANSWER)], shown=False)
    assert not stages
    parser.feed(TO_CLIENT, CCS, 0)
    parser.feed(TO_SERVER, CCS, 0)
    assert parser.done


def test_sslv2():
    talk = [(TO_SERVER, ssl2_client_hello()), (TO_CLIENT, ssl2_server_hello(CERT))]
    _, stages = views(talk)
    assert found(stages, "frame.tls.ssl2.pdu") == [(side, raw) for side, raw in talk]
    assert [len(value) for _, value in found(stages, "frame.tls.ssl2.hdr")] == [3, 3]
    assert states(talk)[:2] == [(1, "client_hello"), (0, "server_hello")]


def test_what_is_no_record_ends_the_frames():
    parser = TlsParser()
    parser.shows_frames = True
    parser.feed(TO_SERVER, HELLO + b"\xff" * 40, 0)
    parser.feed(TO_CLIENT, b"\xff" * 40, 0)
    assert parser.done
    assert not parser.feed(TO_SERVER, HELLO, 0)


def test_states_are_found_by_the_packets_behind_a_message():
    flight = ANSWER + record(22, certificates(CERT)) + KEY + SERVER_DONE
    talk = [(TO_SERVER, HELLO), (TO_CLIENT, flight), (TO_SERVER, EXCHANGE + CCS), (TO_CLIENT, CCS)]
    assert states(talk)[:3] == [(1, "client_hello"), (0, "server_keyx"), (1, "client_hello client_keyx")]
    assert states([(TO_SERVER, HELLO)]) == [(1, "client_hello"), (0, "client_hello")]


def test_each_message_in_its_own_segment_is_found_by_both_sides():
    talk = [(TO_SERVER, HELLO), (TO_CLIENT, ANSWER), (TO_CLIENT, KEY), (TO_CLIENT, SERVER_DONE)]
    assert states(talk) == [
        (1, "client_hello"),
        (0, "server_hello"),
        (1, "client_hello server_hello"),
        (0, "server_hello server_keyx"),
        (1, "client_hello server_hello server_keyx"),
        (0, "server_hello server_keyx none"),
        (1, "client_hello server_hello server_keyx none"),
    ]


def test_a_request_for_a_certificate_is_none_of_them():
    assert states([(TO_SERVER, HELLO), (TO_CLIENT, ANSWER + REQUEST)])[1] == (0, "none")
    assert states([(TO_SERVER, HELLO + EXCHANGE + REQUEST)])[0] == (1, "client_keyx")


def test_all_frames_are_buffers_of_both_sides():
    names = {buffer.name for buffer in SPEC.buffers}
    assert {f"frame.tls.{name}{side}" for name in FRAMES for side in ("", "@to_client")} <= names
