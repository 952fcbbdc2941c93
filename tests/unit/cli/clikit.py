"""Small captures and rules for tests of the command line, and a way to run it in this process."""

import json
import struct
from dataclasses import dataclass
from ipaddress import ip_address

from sensor.cli.main import main
from sensor.engine.offline.forge import Conversation

START = 1_700_000_000 * 10**9

RULES = """
- id: 1
  title: Word found
  severity: high
  protocol: tcp
  match:
    - content: xyzzy
- id: 2
  title: Page asked for
  severity: low
  protocol: http
  flow: to_server
  match:
    - http.uri: /page
"""


def http(uri="/page", client="10.0.0.1", server="10.0.0.2", port=40000, start=START, body=b"xyzzy"):
    """One HTTP request in a TCP connection of its own: 8 frames."""
    talk = Conversation(ip_address(client).packed, ip_address(server).packed, port, 80, start)
    talk.tcp(0, b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n%b" % (uri.encode(), body))
    return talk.frames


def dns(name=b"example", port=5353, start=START):
    """One DNS question."""
    talk = Conversation(bytes([10, 0, 0, 1]), bytes([10, 0, 0, 3]), port, 53, start)
    question = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + bytes([len(name)]) + name + b"\0\0\1\0\1"
    talk.udp(0, question)
    return talk.frames


def arp(start=START):
    body = bytes.fromhex("0001080006040001") + bytes.fromhex("00163e000001") + bytes([10, 0, 0, 1])
    return [(start, b"\xff" * 6 + bytes.fromhex("00163e000001") + b"\x08\x06" + body + bytes(6) + bytes([10, 0, 0, 2]))]


def pcap(path, frames, linktype=1):
    """Write a classic capture; return its path as text."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, linktype)]
    for ns, frame in frames:
        sec, rest = divmod(ns, 10**9)
        out.append(struct.pack("<IIII", sec, rest // 1000, len(frame), len(frame)) + frame)
    path.write_bytes(b"".join(out))
    return str(path)


@dataclass
class Ran:
    status: int
    out: str
    err: str


@dataclass
class Box:
    """A folder with rules and a capture, and the command line to run on them."""

    folder: object
    capsys: object

    def __post_init__(self):
        self.rules = str(self.folder / "rules.yaml")
        (self.folder / "rules.yaml").write_text(RULES)
        self.capture = pcap(self.folder / "one.pcap", http())
        self.logs = self.folder / "logs"

    def xensor(self, *words):
        self.capsys.readouterr()
        status = main([str(word) for word in words])
        seen = self.capsys.readouterr()
        return Ran(status, seen.out, seen.err)

    def replay(self, *words, rules=None):
        return self.xensor("replay", "-S", rules or self.rules, *(words or (self.capture,)))

    def events(self, *words, rules=None, types="alert"):
        """Replay into a fresh folder; return the events."""
        folder = self.folder / f"logs{len(list(self.folder.iterdir()))}"
        ran = self.replay("-l", folder, "--set", f"outputs.eve-log.types={types}", *words, rules=rules)
        assert ran.status == 0, ran.err
        return [json.loads(line) for line in (folder / "eve.json").read_text().splitlines()]
