"""SIP messages for tests."""


def sip(line, *headers, body=b""):
    return b"".join(part + b"\r\n" for part in (line, *headers)) + b"\r\n" + body


INVITE = sip(
    b"INVITE sip:bob@lab.example;transport=udp SIP/2.0",
    b"Via: SIP/2.0/UDP 10.0.0.1",
    b"Subject: a",
    b" folded",
    b"Content-Length: 5",
    body=b"v=0\r\n",
)
RINGING = sip(b"SIP/2.0 180 Ringing on desk", b"Via: SIP/2.0/UDP 10.0.0.1")
