"""Traffic at random: conversations that hold the oracle rules' literals, sent in every way that TCP and IP allow."""

import gzip
import random
import sys
import zlib
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent / "unit" / "proto"))  # the forged bytes of the unit tests

import forgekit as forge
import nfsforge
import rpcforge
import smbforge
import sqlforge
from forgekit import ACK, FIN, MS, PSH, RST, START, Flow

WORDS = (
    b"planted", b"NEEDLE-5", b"needle-six", b"xq", b"ABCDEFG7", b"needle-ten", b"portly-needle", b"two-way-needle",
    b"header-needle", b"split-needle", b"first-part", b" second", b"lonely-word", b"companion", b"toooken=abcd12",
    b"magic: 77;", b"HELO", b"AAAA", b"BBBB", b"both-scopes", b"either-one", b"other-one", b"wanted-word",
    b"excuse-word", b"LEN:\xff\xff", b"LEN:\0\1", b"ZZZ", b"bit-setter", b"bit-reader", b"count-me", b"often-seen",
    b"0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"\x90" * 9, b"flood-word",
    b"http-packet-needle", b"http-stream-needle", b"abcd",
)  # fmt: skip
_PATHS = (
    "/login", "/download", "/admin", "/evil/path", "/evil%2fpath", "/e%76il/path", "/a/../secret%20file",
    "/..%2fsecret%20file", "/%2e%2e/x", "/download", "/tcp-uri", "/TRANS-form", "/or-needle", "/" + "long" * 20,
    "/let-it-pass", "/evil//path", "/evil/./path", "/evil\\path", "/x?q=%41dmin", "*",
)  # fmt: skip
_HEADERS = (
    "X-Attack: yes", "x-attack:  YES", "X-Weird: 1", "Cookie: session=stolen", "Cookie: shared-cookie",
    "X-Shared-Header: 1", "User-Agent: sqlmap/1", "User-Agent: Mozilla", "X-Folded: a\r\n b",
    "Connection: keep-alive", "X-Note: http-stream-needle",
)  # fmt: skip
_SET = ("X-Shared-Header: 2", "Set-Cookie: shared-cookie=1", "Content-Type: text/html")
_BODIES = (b"", b"nothing", b"body-needle", b"or-needle", b"x" * 700 + b"body-needle" + b"y" * 50)
_ANSWERS = (
    b"", b"ok", b"answer-needle", b"answer-needle and second-needle", b"MZ\x90\0" + bytes(300),
    b"http-packet-needle",
)  # fmt: skip
_NAMES = (
    "www.example.com", "a.bad.domain", "BAD.domain.example", "answer.domain", "a1b2c3d4e5f6g7h8i9j0k1.example",
    "udp-name.example", "EIEJEEEEEFEOEOEBENEFCACACACACAAA",
)  # fmt: skip


def pick(rnd, choices):
    return choices[int(rnd.random() * len(choices))]


def soup(rnd, most=12):
    """Return words with noise between them."""
    parts = []
    for _ in range(rnd.randint(0, most)):
        parts.append(pick(rnd, WORDS))
        parts.append(
            pick(rnd, (b"", b" ", b"-", b"\r\n", rnd.randbytes(rnd.randint(1, 40)), b"A" * rnd.randint(1, 300)))
        )
    return b"".join(parts)


def http(rnd):
    """Return [(side, bytes)] of HTTP exchanges, pipelined at times."""
    asked, answered = [], []
    for _ in range(rnd.randint(1, 4)):
        body = pick(rnd, _BODIES)
        headers = rnd.sample(_HEADERS, rnd.randint(0, 3))
        host = pick(rnd, ("www.example.com", "Evil.Example", "evil.example:8080"))
        asked.append(_request(rnd, pick(rnd, _PATHS), headers, host, body))
        answered.append(_response(rnd))
    if rnd.random() < 0.3:
        asked[-1] = asked[-1][: rnd.randint(0, len(asked[-1]))]
    if rnd.random() < 0.4:
        return [(0, b"".join(asked)), (1, b"".join(answered))]
    return [pair for a, b in zip(asked, answered, strict=True) for pair in ((0, a), (1, b))]


def _request(rnd, uri, headers, host, body):
    method = pick(rnd, ("GET", "POST", "PUT", "HEAD", "OPTIONS"))
    if body and rnd.random() < 0.4:
        body = gzip.compress(body, mtime=0)
        headers = [*headers, "Content-Encoding: gzip"]
    return forge.request(uri, method=method, headers=headers, host=host, body=body)


def _response(rnd):
    body = pick(rnd, _ANSWERS)
    headers = rnd.sample(_SET, rnd.randint(0, 2))
    if rnd.random() < 0.15:
        headers.append("Content-Encoding: deflate")
        body = zlib.compress(body)
    chunks = sorted(rnd.randint(1, 60) for _ in range(rnd.randint(1, 4))) if rnd.random() < 0.4 else ()
    status = pick(rnd, ("200 OK", "403 Forbidden", "500 Error", "304 Not Modified"))
    return forge.response(
        body, status=status, headers=headers, coding="gzip" if rnd.random() < 0.3 else "", chunks=chunks
    )


def dns_message(rnd, response):
    answers = [pick(rnd, _NAMES) for _ in range(rnd.randint(0, 2))] if response else ()
    return forge.dns(pick(rnd, _NAMES), ident=rnd.randint(0, 65535), answers=answers, response=response)


def dns_tcp(rnd):
    out = []
    for side in (0, 1) * rnd.randint(1, 2):
        message = dns_message(rnd, side == 1)
        out.append((side, len(message).to_bytes(2, "big") + message))
    return out


def tls(rnd):
    hello = forge.client_hello(
        pick(rnd, ("tls-needle.example", "www.example.com", "TLS-Needle.Example")),
        pick(rnd, (("h2",), ("alpn-client", "h2"))), pad=pick(rnd, (0, 0, 400)),
    )  # fmt: skip
    answer = forge.server_hello(pick(rnd, ("h2", "alpn-needle"))) + forge.certificates(rnd.randbytes(90))
    messages = []
    for side, message in ((0, hello), (1, answer)):
        cuts = [rnd.randint(1, len(message)) for _ in range(rnd.randint(0, 3))] if rnd.random() < 0.5 else ()
        messages.append((side, forge.records(message, cuts)))
    return [*messages, (0, forge.records(rnd.randbytes(40), kind=23)), (1, forge.records(rnd.randbytes(70), kind=23))]


def ssh(rnd):
    banner = pick(rnd, (b"SSH-2.0-OpenSSH_9.0\r\n", b"SSH-2.0-dropbear_2020\r\n", b"hello\r\nSSH-2.0-x\r\n"))
    messages = [
        (0, banner + rnd.randbytes(30)),
        (1, pick(rnd, (b"SSH-2.0-dropbear\r\n", b"SSH-1.99-OpenSSH\n")) + rnd.randbytes(30)),
    ]
    return messages if rnd.random() < 0.5 else messages[::-1]


def raw(rnd):
    return [(rnd.randint(0, 1), pick(rnd, (b"", b"ABCDEFG7")) + soup(rnd)) for _ in range(rnd.randint(1, 5))]


def services(rnd):
    """Return a conversation of file services, remote calls or databases."""
    makers = (
        smbforge.file_talk, smbforge.pipe_talk, smbforge.file_talk1, rpcforge.talk, nfsforge.talk3, nfsforge.talk4,
        sqlforge.pgsql, sqlforge.mysql,
    )  # fmt: skip
    return pick(rnd, makers)()


TALKS = (http, http, http, dns_tcp, tls, tls, ssh, services, services, raw, raw)


def tcp_flow(rnd, number):
    """Return a conversation over TCP, sent badly."""
    flow = Flow(
        sport=pick(rnd, (40000, 41000, 7777)) + number, dport=pick(rnd, (80, 80, 443, 53, 22, 8050, 8080, 8081, 9999))
    )
    flow.client = pick(rnd, (b"\x0a\0\0\1", b"\x0a\0\0\3", b"\x0a\0\0\x4d"))
    flow.seqs = [rnd.getrandbits(32), rnd.getrandbits(32)]
    if rnd.random() < 0.85:
        flow.open()
    for side, data in pick(rnd, TALKS)(rnd):
        _send(rnd, flow, side, data)
    if rnd.random() < 0.7:
        flow.close()
    elif rnd.random() < 0.5:
        flow.segment(rnd.randint(0, 1), RST | ACK)
    return flow


def _send(rnd, flow, side, data):
    """Send bytes in segments: retransmitted, overlapping, lost or bytewise at times."""
    at = 0
    longest = pick(rnd, (1, 7, 40, 600, 1400))
    if longest == 1 and len(data) > 120:
        longest = 50
    while at < len(data):
        size = rnd.randint(1, longest)
        part = data[at : at + size]
        trick = rnd.random()
        if trick < 0.03:
            flow.lose(side, len(part))
            flow.segment(1 - side)
        elif trick < 0.09:
            flow.segment(side, PSH | ACK, part).segment(side, PSH | ACK, part, seq=-len(part))
        elif trick < 0.14:
            back = rnd.randint(0, min(at, 20))
            flow.segment(side, PSH | ACK, data[at - back : at] + part, seq=-back) if back else None
            flow.segment(side, PSH | ACK, part)
        elif trick < 0.17:
            flow.segment(side, PSH | ACK, part).segment(side, PSH | ACK, rnd.randbytes(len(part)), seq=-len(part))
        else:
            flow.segment(side, PSH | ACK, part)
        if rnd.random() < 0.4:
            flow.segment(1 - side)
        at += size
    flow.segment(1 - side)


def udp_flow(rnd, number):
    kind = pick(rnd, ("dns", "dns", "raw", "dhcp", "mixed", "flood"))
    flow = Flow(sport=42000 + number, dport={"dns": 53, "dhcp": 67}.get(kind, pick(rnd, (53, 5000, 137))))
    for k in range(rnd.randint(1, 6)):
        side = k % 2 if kind != "flood" else 0
        what = pick(rnd, ("dns", "raw", "dhcp")) if kind == "mixed" else kind
        if kind == "flood":
            data = b"flood-word" * 3
        elif what == "dns":
            data = dns_message(rnd, side == 1)
        elif what == "dhcp":
            data = forge.dhcp(kind=pick(rnd, (1, 2, 3, 5)), hostname=pick(rnd, ("guest-1", "rogue-9")))
        else:
            data = soup(rnd, 4)
        flow.datagram(side, data)
    return flow


def ping_flow(rnd, number):
    flow = Flow(client=bytes([10, 0, 1, number & 255]))
    for side in (0, 1) * rnd.randint(1, 2):
        flow.ping(side, 0 if side else 8, pick(rnd, (b"abcdefgh", b"needle-six", b"")))
    return flow


def _frames_of(rnd, side, packet, vlan, wrapped):
    """Return the frames that carry a packet: fragmented, tagged, tunnelled."""
    parts = [packet]
    if len(packet) > 60 and rnd.random() < 0.06:
        parts = forge.fragments(packet, [rnd.randint(8, len(packet)) for _ in range(rnd.randint(1, 3))])
        if rnd.random() < 0.3:  # the same place, other bytes
            parts.insert(1, parts[0][:-8] + rnd.randbytes(8))
        if rnd.random() < 0.3:
            rnd.shuffle(parts)
        if rnd.random() < 0.1:
            parts.pop()
    frames = [forge.ether(part, vlan=vlan, back=side == 1) for part in parts]
    return [forge.vxlan(frame) for frame in frames] if wrapped else frames


def traffic(seed):
    """Return the frames of some conversations, interleaved. The same seed gives the same frames."""
    rnd = random.Random(seed)
    queues: list[list[bytes]] = []
    for number in range(rnd.randint(1, 5)):
        flow = pick(rnd, (tcp_flow, tcp_flow, tcp_flow, tcp_flow, udp_flow, ping_flow))(rnd, number)
        vlan, wrapped = pick(rnd, (None, None, None, 7)), rnd.random() < 0.1
        packets = list(flow.packets)
        for _ in range(rnd.randint(0, 4) if rnd.random() < 0.5 else 0):
            _disorder(rnd, packets)
        if rnd.random() < 0.1:
            packets = [(side, forge.with_ttl(packet, 3)) for side, packet in packets]
        queues.append([frame for side, packet in packets for frame in _frames_of(rnd, side, packet, vlan, wrapped)])
    if rnd.random() < 0.2:
        queues.append([forge.arp(pick(rnd, (1, 2)), forge.MACS[0], b"\x0a\0\0\1", b"\x0a\0\0\2")])
    out, now = [], START
    jump = rnd.randint(0, 400) if rnd.random() < 0.15 else -1
    while any(queues):
        queue = pick(rnd, [q for q in queues if q])
        for _ in range(rnd.randint(1, 4)):
            if queue:
                now += pick(rnd, (MS, 20 * MS)) if len(out) != jump else 700_000 * MS
                out.append((now, queue.pop(0)))
    return out


def _disorder(rnd, packets):
    """Move, repeat or lose a packet."""
    if len(packets) < 3:
        return
    at = rnd.randint(0, len(packets) - 1)
    trick = rnd.random()
    if trick < 0.6:
        packets.insert(min(len(packets), max(0, at + rnd.randint(-4, 4))), packets.pop(at))
    elif trick < 0.8:
        packets.insert(min(len(packets), at + rnd.randint(0, 6)), packets[at])
    else:
        packets.pop(at)


__all__ = ["ACK", "FIN", "soup", "traffic"]
