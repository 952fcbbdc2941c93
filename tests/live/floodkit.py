"""Floods at speed: frames made by columns and handed to the kernel 64 at a time (sendmmsg)."""

import ctypes
import os
import time

import numpy as np

_libc = ctypes.CDLL(None, use_errno=True)
BATCH = 64


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct mmsghdr of 64-bit machines."""

    _fields_ = (
        ("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32), ("iov", ctypes.c_void_p),
        ("iov_length", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int), ("sent", ctypes.c_uint32),
    )  # fmt: skip


class Flood:
    """Sends copies of a frame with counted or random bytes at some places. places: (offset, bytes) of random ones.

    numbered: offset of four bytes that count, so that no two copies are alike.
    """

    def __init__(self, sock, frame, numbered, places=(), rate=60_000):
        self._sock = sock
        self._rate = rate
        self._numbered, self._places = numbered, places
        self._frames = np.tile(np.frombuffer(frame, np.uint8), (BATCH, 1))
        self._random = np.random.default_rng(7)
        self._vectors = (_Iovec * BATCH)()
        self._messages = (_Message * BATCH)()
        for k in range(BATCH):
            self._vectors[k] = _Iovec(self._frames[k].ctypes.data, len(frame))
            self._messages[k].iov, self._messages[k].iov_length = ctypes.addressof(self._vectors[k]), 1
        self.sent = 0
        self._start = time.monotonic()

    def send(self, frames):
        """Send so many frames, in whole batches."""
        end = self.sent + frames
        while self.sent < end:
            self._change()
            self._batch()
            ahead = self.sent / self._rate - (time.monotonic() - self._start)
            if ahead > 0:
                time.sleep(ahead)  # the rate, not an event to wait for

    def _change(self):
        numbers = np.arange(self.sent, self.sent + BATCH, dtype=">u4").view(np.uint8).reshape(BATCH, 4)
        self._frames[:, self._numbered : self._numbered + 4] = numbers
        for start, size in self._places:
            self._frames[:, start : start + size] = self._random.integers(1, 255, (BATCH, size), np.uint8)

    def _batch(self):
        done = _libc.sendmmsg(self._sock.fileno(), self._messages, BATCH, 0)
        if done < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self.sent += done
