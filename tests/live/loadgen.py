"""Traffic without end from a guest: conversations of hosts that do not exist, each round between other addresses."""

import struct
import threading
import time

from sensor.engine.offline.forge import Conversation

_CLIENT, _SERVER = bytes([10, 1, 0, 1]), bytes([10, 200, 255, 1])
_ROUNDS = 20_000
"""Rounds after which addresses come again."""
_BURST = 64
"""Frames between two looks at the clock."""


def conversations(flows, alerting):
    """Return the frames of one round. flows: conversations in it; alerting: how many of them hold what a rule finds."""
    frames = []
    for n in range(flows):
        bad = n < alerting
        talk = Conversation(_CLIENT, _SERVER, 20_000 + n, (80, 7000, 5353)[n % 3], 0)
        if n % 3 == 0:
            path = b"/live/evil" if bad else b"/index.html"
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1200\r\n\r\n" + b"z" * 1200
            talk.tcp(0, b"GET " + path + b" HTTP/1.1\r\nHost: a.example\r\nUser-Agent: load\r\n\r\n", answer)
        elif n % 3 == 1:
            talk.tcp(0, (b"this is a live-needle " if bad else b"nothing to see here ") + b"x" * 3000, b"y" * 500)
        else:
            talk.udp(0, b"a live-datagram" if bad else b"a datagram")
            talk.udp(1, b"fine")
        frames += [b"\x02" + frame[1:6] + b"\x02" + frame[7:] for _, frame in talk.frames]
    return frames


class Load:
    """Sends rounds of frames from a guest in a thread of its own. rate: frames a second, 0: as many as go.

    Both addresses move by the same amount in opposite directions, so that all checksums stay right.
    """

    def __init__(self, lab, frames, rate=0, guest="g1"):
        self._frames = [(bytearray(frame), 26 if frame[26:28] == _CLIENT[:2] else 30) for frame in frames]
        self._rate = rate
        self._sock = lab.raw(guest)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0
        self.rounds = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._over.set()
        self._thread.join()
        self._sock.close()

    def _run(self):
        start = time.monotonic()
        while not self._over.is_set():
            self._round(self.rounds % _ROUNDS, start)
            self.rounds += 1

    def _round(self, k, start):
        client = struct.pack("!H", 1 + k)
        server = struct.pack("!H", 0xFF01 - k)
        for n, (frame, at) in enumerate(self._frames):
            frame[at + 2 : at + 4] = client
            other = 56 - at
            frame[other + 2 : other + 4] = server
            self._sock.send(frame)
            self.sent += 1
            if n % _BURST == 0 and self._wait(start):
                return

    def _wait(self, start):
        """Keep to the rate; tell whether it is over."""
        if not self._rate:
            return self._over.is_set()
        ahead = self.sent / self._rate - (time.monotonic() - start)
        return self._over.wait(ahead) if ahead > 0 else self._over.is_set()
