import struct

import pytest
from handshakes import TO_CLIENT, TO_SERVER, drive
from rfbmake import CHALLENGE, RESPONSE, init, rfb, text
from test_probe import APP_UNDECIDED, stream

from sensor.model.anomaly import AppAnomaly
from sensor.proto.ids import HTTP, RFB
from sensor.proto.rfb import state
from sensor.proto.rfb.fields import SPEC

BANNER = b"RFB 003.008\n"


def run(talk):
    parser = SPEC.new_parser()
    stages = [stage for side, data in talk for stage in parser.feed(side, data, 0)]
    return parser, [(SPEC.stages[s.stage].name, s.side) for s in stages], stages[-1].tx if stages else None


def test_handshake():
    parser, stages, tx = run(rfb())
    assert parser.done
    assert parser.anomalies() == []
    assert stages == [
        ("server_version", TO_CLIENT),
        ("client_version", TO_SERVER),
        ("security", TO_SERVER),
        ("result", TO_CLIENT),
        ("server_init", TO_CLIENT),
    ]
    assert tx.buffer("rfb.name") == (b"alice's desktop",)
    assert tx.numbers("rfb.sectype") == (2,)
    assert tx.numbers("rfb.secresult") == (0,)
    assert tx.eve() == {
        "server_protocol_version": {"major": "003", "minor": "008"},
        "client_protocol_version": {"major": "003", "minor": "008"},
        "authentication": {
            "security_type": 2,
            "vnc": {"challenge": CHALLENGE.hex(), "response": RESPONSE.hex()},
            "security_result": "OK",
        },
        "screen_shared": True,
        "framebuffer": {
            "width": 1280,
            "height": 800,
            "name": "alice's desktop",
            "pixel_format": {
                "bits_per_pixel": 32,
                "depth": 24,
                "big_endian": False,
                "true_color": True,
                "red_max": 255,
                "green_max": 254,
                "blue_max": 253,
                "red_shift": 16,
                "green_shift": 8,
                "blue_shift": 0,
            },
        },
    }


@pytest.mark.parametrize(
    ("version", "security", "results"),
    [(b"003.003", 2, (0,)), (b"003.003", 1, ()), (b"003.007", 1, ()), (b"003.008", 1, (0,)), (b"003.007", 2, (0,))],
)
def test_versions(version, security, results):
    parser, stages, tx = run(rfb(version, security))
    assert parser.done
    assert stages[-1][0] == "server_init"
    assert tx.numbers("rfb.sectype") == (security,)
    assert tx.numbers("rfb.secresult") == results


def test_the_server_chooses_in_version_3_3():
    assert run(rfb(b"003.003"))[1][2] == ("security", TO_SERVER)


def test_failure_with_its_reason():
    parser, stages, tx = run(rfb(result=1))
    assert parser.done
    assert stages[-1][0] == "result"
    assert tx.numbers("rfb.secresult") == (1,)
    assert tx.eve()["authentication"]["security_result"] == "FAIL"
    assert tx.eve()["server_security_failure_reason"] == "go away"


def test_unknown_result():
    parser, _, tx = run(rfb(result=77))
    assert parser.anomalies() == [(AppAnomaly.RFB_UNKNOWN_SECURITY_RESULT, TO_CLIENT)]
    assert tx.numbers("rfb.secresult") == (3,)
    assert tx.eve()["authentication"]["security_result"] == "UNKNOWN (77)"


def test_a_security_type_that_is_not_followed():
    parser, stages, tx = run([*rfb()[:2], (TO_CLIENT, b"\1\x1e"), (TO_SERVER, b"\x1e")])
    assert parser.done
    assert stages[-1] == ("security", TO_SERVER)
    assert tx.numbers("rfb.sectype") == (30,)
    assert parser.anomalies() == [(AppAnomaly.RFB_UNIMPLEMENTED_SECURITY_TYPE, TO_SERVER)]


def test_no_types_but_a_reason():
    parser, _, tx = run([*rfb()[:2], (TO_CLIENT, b"\0" + text(b"too many"))])
    assert parser.done
    assert tx.eve()["server_security_failure_reason"] == "too many"
    assert tx.numbers("rfb.sectype") == (0,)
    assert parser.anomalies() == []


@pytest.mark.parametrize(
    "talk",
    [
        [*rfb()[:2], (TO_CLIENT, b"\0\xff\xff\xff\xff")],
        [*rfb()[:8], (TO_CLIENT, init()[:20] + struct.pack("!I", state.MAX_TEXT + 1))],
    ],
)
def test_malformed(talk):
    parser, _, _ = run(talk)
    assert parser.done
    assert [one for one, _ in parser.anomalies()] == [AppAnomaly.RFB_MALFORMED_MESSAGE]


@pytest.mark.parametrize("talk", [[(TO_CLIENT, b"RFB 3.8\n____")], [(TO_CLIENT, BANNER), (TO_SERVER, b"GET / HTTP/1")]])
def test_what_has_no_version_has_no_events(talk):
    """As in Suricata: there is no exchange yet that could be odd."""
    parser, _, _ = run(talk)
    assert (parser.done, parser.anomalies()) == (True, [])


def test_a_side_out_of_turn_is_told_once_and_followed():
    talk = rfb()
    parser, stages, _ = run([*talk[:3], (TO_SERVER, b"\2"), (TO_SERVER, b"\2"), (TO_SERVER, b"\2"), *talk[4:]])
    assert parser.anomalies() == [(AppAnomaly.RFB_CONFUSED_STATE, TO_SERVER)]
    swapped = [talk[0], talk[2], talk[1], *talk[3:]]
    parser, stages, _ = run(swapped)
    assert parser.anomalies() == [(AppAnomaly.RFB_CONFUSED_STATE, TO_CLIENT)]
    assert stages[-1][0] == "server_init"


def test_a_side_out_of_turn_is_bounded():
    parser, _, _ = run([(TO_SERVER, b"x" * (state.MAX_AHEAD + 1))])
    assert parser.done
    assert parser.anomalies() == [(AppAnomaly.RFB_CONFUSED_STATE, TO_SERVER)]


def test_gap():
    parser, _, _ = run(rfb()[:3])
    parser.gap(TO_CLIENT, 4, 0)
    assert parser.done
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, TO_CLIENT)]
    assert parser.feed(TO_SERVER, b"\2", 0) == []


def test_detection():
    assert stream(b"", BANNER) == RFB
    assert stream(BANNER) == RFB
    assert stream(b"", b"RFB 003.0") == APP_UNDECIDED
    assert stream(b"", b"RFB 003,008\n" + b"x" * 20) != RFB


def test_no_request_of_http_begins_so():
    assert stream(b"", BANNER, port=80) == stream(BANNER, port=80) == RFB
    assert stream(b"RF", port=80) == APP_UNDECIDED
    assert stream(b"REPORT / HTTP/1.1\r\n", port=80) == HTTP


def test_each_message_is_a_frame_where_rules_ask_for_it():
    init = bytes(20) + b"\0\0\0\4desk"
    talk = [
        (TO_CLIENT, BANNER), (TO_SERVER, BANNER), (TO_CLIENT, b"\2\1\2"), (TO_SERVER, b"\2"), (TO_CLIENT, b"c" * 16),
        (TO_SERVER, b"r" * 16), (TO_CLIENT, bytes(4)), (TO_SERVER, b"\1"), (TO_CLIENT, init), (TO_SERVER, b"more"),
    ]  # fmt: skip
    for shown in (True, False):
        parser = SPEC.new_parser()
        parser.shows_frames = shown
        frames = [one for one in drive(parser, talk, 3) if one.stage in state.FRAMES]
        name = "frame.rfb.pdu"
        found = [(one.side, *one.tx.buffer(name + ("@to_client" if one.side else ""))) for one in frames]
        assert found == (talk[:-1] if shown else [])


def test_a_reason_is_no_frame():
    parser = SPEC.new_parser()
    parser.shows_frames = True
    talk = [(TO_CLIENT, BANNER), (TO_SERVER, BANNER), (TO_CLIENT, b"\0\0\0\0\3bad")]
    frames = [one for one in drive(parser, talk) if one.stage in state.FRAMES]
    assert [one.tx.buffer("frame.rfb.pdu@to_client") for one in frames if one.side] == [(BANNER,), (b"\0",)]
