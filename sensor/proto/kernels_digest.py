"""MD5 and SHA-1 in kernels: fingerprints of hellos and certificates are of bytes that no object holds."""

import math

import numpy as np

from sensor.model.jit import helper

_MASK = np.int64(0xFFFFFFFF)
_SINES = np.array([int(abs(math.sin(n + 1)) * 2**32) for n in range(64)], np.int64)
_TURNS = np.array([7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21], np.int64)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


@helper
def _turned(x, n):  # pragma: no cover
    """Rotate 32 bits to the left."""
    return (x << n | x >> (32 - n)) & _MASK


@helper
def _padded(data, start, size, at):  # pragma: no cover
    """Return the byte at a place of a message and its padding, without the length at the end."""
    if at < size:
        return np.int64(data[start + at])
    return np.int64(128 if at == size else 0)


@helper
def _words(data, start, size, block, rising, w):  # pragma: no cover
    """Read the 16 words of a block of 64 bytes, the length in bits behind the padding of the last one.

    rising: the lowest byte of a word comes first.
    """
    for k in range(16):
        value = np.int64(0)
        for x in range(4):
            byte = _padded(data, start, size, 64 * block + 4 * k + x)
            value |= byte << (8 * x if rising else 24 - 8 * x)
        w[k] = value
    if 64 * block + 64 >= size + 9:
        bits = 8 * np.int64(size)
        w[14 if rising else 15] = bits & _MASK
        w[15 if rising else 14] = bits >> 32


@helper
def md5(data, start, end, w, out, at):  # pragma: no cover
    """Write the MD5 (RFC 1321) of data[start:end] as 32 hex digits. w: int64[80] of scratch; out: uint8."""
    a0, b0, c0, d0 = np.int64(0x67452301), np.int64(0xEFCDAB89), np.int64(0x98BADCFE), np.int64(0x10325476)
    size = end - start
    for block in range((size + 72) // 64):
        _words(data, start, size, block, True, w)
        a, b, c, d = a0, b0, c0, d0
        for i in range(64):
            if i < 16:
                f, g = (b & c) | (~b & d), i
            elif i < 32:
                f, g = (d & b) | (~d & c), (5 * i + 1) % 16
            elif i < 48:
                f, g = b ^ c ^ d, (3 * i + 5) % 16
            else:
                f, g = c ^ (b | (~d & _MASK)), 7 * i % 16
            f = ((f & _MASK) + a + _SINES[i] + w[g]) & _MASK
            a, d, c = d, c, b
            b = (b + _turned(f, _TURNS[4 * (i // 16) + i % 4])) & _MASK
        a0, b0, c0, d0 = (a0 + a) & _MASK, (b0 + b) & _MASK, (c0 + c) & _MASK, (d0 + d) & _MASK
    w[0], w[1], w[2], w[3] = a0, b0, c0, d0
    for k in range(16):
        byte = w[k // 4] >> (8 * (k % 4)) & 255
        out[at + 2 * k], out[at + 2 * k + 1] = _HEX[byte >> 4], _HEX[byte & 15]


@helper
def sha1(data, start, end, w, out, at):  # pragma: no cover
    """Write the SHA-1 (RFC 3174) of data[start:end] as hex digits with colons, 59 bytes. w: int64[80] of scratch."""
    h0, h1, h2, h3 = np.int64(0x67452301), np.int64(0xEFCDAB89), np.int64(0x98BADCFE), np.int64(0x10325476)
    h4 = np.int64(0xC3D2E1F0)
    size = end - start
    for block in range((size + 72) // 64):
        _words(data, start, size, block, False, w)
        for i in range(16, 80):
            w[i] = _turned(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1)
        a, b, c, d, e = h0, h1, h2, h3, h4
        for i in range(80):
            if i < 20:
                f, k = (b & c) | (~b & _MASK & d), np.int64(0x5A827999)
            elif i < 40:
                f, k = b ^ c ^ d, np.int64(0x6ED9EBA1)
            elif i < 60:
                f, k = (b & c) | (b & d) | (c & d), np.int64(0x8F1BBCDC)
            else:
                f, k = b ^ c ^ d, np.int64(0xCA62C1D6)
            value = (_turned(a, 5) + f + e + k + w[i]) & _MASK
            a, b, c, d, e = value, a, _turned(b, 30), c, d
        h0, h1, h2 = (h0 + a) & _MASK, (h1 + b) & _MASK, (h2 + c) & _MASK
        h3, h4 = (h3 + d) & _MASK, (h4 + e) & _MASK
    w[0], w[1], w[2], w[3], w[4] = h0, h1, h2, h3, h4
    for x in range(20):
        byte = w[x // 4] >> (24 - 8 * (x % 4)) & 255
        out[at + 3 * x], out[at + 3 * x + 1] = _HEX[byte >> 4], _HEX[byte & 15]
        if x < 19:
            out[at + 3 * x + 2] = 58
