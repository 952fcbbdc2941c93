"""Sound conversations of every protocol: what inputs are made from."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "proto"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "property"))

import forgekit
import nfsforge
import rpcforge
import sipmake
import smbforge
import test_dhcp
import test_prop_http1
import test_tftp
from test_handshakes_cut import SSH_TALKS, TLS_TALKS
from test_messages_cut import DATAGRAMS as MESSAGES
from test_messages_cut import STREAMS as MESSAGE_STREAMS
from test_sql_cut import TALKS as SQL
from test_streams_cut import TALKS as STREAMS

TESTS = Path(__file__).resolve().parents[1]


def _dns():
    asked = forgekit.dns("www.example.com")
    answered = forgekit.dns("www.example.com", answers=["10.0.0.1", "10.0.0.2"], response=True)
    return [asked, answered, forgekit.dns("a.b.c.example", rrtype=16)]


def _framed(message):
    return len(message).to_bytes(2, "big") + message


def _http():
    pairs = zip(test_prop_http1.REQUESTS[:5], test_prop_http1.RESPONSES[:5], strict=True)
    whole = [(side, data) for pair in pairs for side, data in enumerate(pair)]
    rest = [[(0, test_prop_http1.REQUESTS[0]), (1, answer)] for answer in test_prop_http1.RESPONSES[5:]]
    form = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nxyz\r\n--b--\r\n'
    post = forgekit.request("/u", method="POST", headers=("Content-Type: multipart/form-data; boundary=b",), body=form)
    return [whole, *rest, [(0, post), (1, forgekit.response(b"hello" * 50, coding="gzip"))]]


TALKS = {
    **MESSAGE_STREAMS,
    **{name: talks for name, (_, talks) in STREAMS.items()},
    **{name: [talk] for name, (_, talk) in SQL.items()},
    "http": _http(),
    "tls": list(TLS_TALKS),
    "ssh": list(SSH_TALKS),
    "dns": [[(side, _framed(one)) for side, one in enumerate(_dns()[:2])]],
    "smb": [smbforge.file_talk(), smbforge.pipe_talk(), smbforge.file_talk1()],
    "nfs": [nfsforge.talk2(), nfsforge.talk3(), nfsforge.talk4(), nfsforge.talk4(2)],
    "dcerpc": [rpcforge.talk()],
}
"""Protocol → conversations over TCP: lists of (side, bytes)."""

DATAGRAMS = {
    **MESSAGES,
    "dns": _dns(),
    "dhcp": [test_dhcp.REQUEST, test_dhcp.ACK],
    "tftp": [test_tftp.READ, b"\0\3\0\1data", b"\0\5\0\1no\0"],
    "dcerpc": [rpcforge.datagram(0, b"stub" * 9)],
    "nfs": [nfsforge.lookup3(b"name"), nfsforge.found3(), nfsforge.write3(b"data")],
    "sip": [sipmake.INVITE, sipmake.RINGING],
}
"""Protocol → datagrams."""
