"""What is odd about the two sides of a connection, each by itself, as a real Suricata had it."""

import sys
from pathlib import Path

import pytest
from enginekit import difference, rules_of, run
from forgekit import Flow

sys.path.append(str(Path(__file__).resolve().parents[1] / "proto"))  # the forged bytes of the parsers' tests

from bermake import kdc_req, krb_error, marked

KRB5, KRB5_ERROR = marked(kdc_req()), marked(krb_error())
JUNK = bytes(99)
HTTP, HTTP_ANSWER = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"
TLS, TLS_ANSWER = b"\x16\3\1\0\5\1\0\0\1\3", b"\x16\3\1\0\5\2\0\0\1\3"
IMAP_GREETING = b"* OK [CAPABILITY IMAP4rev1] ready\r\n"
ONE_SIDE, TWO, FIRST = "detect_protocol_only_one_direction", "protocol_mismatch", "wrong_direction_first_data"


@pytest.mark.parametrize(
    ("talk", "found"),
    [
        (((0, KRB5), (1, JUNK)), ONE_SIDE),
        (((1, JUNK), (0, KRB5)), ONE_SIDE),
        (((0, KRB5), (1, b"SSH-2.0-x\r\n")), TWO),
        (((0, KRB5), *((1, bytes([byte])) for byte in KRB5_ERROR)), ""),
        (((0, JUNK), (1, KRB5_ERROR)), ""),
        (((1, b"RFB 00"), (1, b"3.008"), (1, b"\n"), (0, b"RFB 003.008\n")), ""),
        (((0, JUNK), (1, b"RFB 003.008\n")), ONE_SIDE),
        (((0, b"EHLO me\r\n"), (1, HTTP_ANSWER)), TWO),
        (((1, HTTP_ANSWER), (0, b"EHLO me\r\n")), TWO),
        (((0, HTTP), (1, IMAP_GREETING)), ONE_SIDE),
        (((1, IMAP_GREETING), (0, b"a1 CAPABILITY\r\na2 LOGOUT\r\n")), ""),
        (((1, b"+OK POP3 ready <1.2@x>\r\n"), (0, b"CAPA\r\nUSER somebody\r\n")), ""),
        (((1, TLS_ANSWER), (0, HTTP)), FIRST),
        (((1, JUNK), (0, TLS)), ""),
        (((0, TLS), (1, JUNK)), ONE_SIDE),
        (((1, b"\xff\xfd\x18"), (0, b"\xff\xfb\x18"), (1, JUNK)), ""),
    ],
)
def test_sides_that_do_not_speak_as_they_should(tmp_path, talk, found):
    flow = Flow().open()
    for side, data in talk:
        flow = flow.send(side, data)
    frames = flow.close().frames()
    for name in (ONE_SIDE, TWO, FIRST):
        rule = f"- {{id: 1, title: t, protocol: tcp, match: [{{app.event: applayer.{name}}}]}}\n"
        rules = rules_of(rule, tmp_path)
        outcome = run(frames, rules, types=("alert",))
        assert outcome.sids == [1] * (name == found)
        for other in ({"triage": False}, {"block": 1}, {"block": 3}):
            assert not difference(outcome, run(frames, rules, types=("alert",), **other))
