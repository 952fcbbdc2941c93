"""AES-128 and GCM, as far as QUIC's Initial packets need them (FIPS 197, NIST SP 800-38D).

Keys of Initial packets are derived from bytes on the wire, so nothing here is secret and tables may be looked up.
"""

import numpy as np
import numpy.typing as npt
from numba import int64, types, uint8

from sensor.model.jit import allocating, allocating_kernel, helper

_BYTES = types.Array(uint8, 1, "C", readonly=True)
_OUT = uint8[::1]


def _double(value: int) -> int:
    """Multiply by x in the field of FIPS 197 section 4.2."""
    return (value << 1 ^ 0x11B if value & 0x80 else value << 1) & 0xFF


def _substitution() -> npt.NDArray[np.uint8]:
    """Return the S-box, uint8[256] (FIPS 197 section 5.1.1), found with powers of the generator 3."""
    box = np.zeros(256, np.uint8)
    powers: list[int] = []
    value = 1
    for _ in range(255):
        powers.append(value)
        value ^= _double(value)
    for i, power in enumerate(powers):
        inverse = powers[(255 - i) % 255]
        spread = inverse * 0x0101
        folded = inverse ^ spread >> 7 ^ spread >> 6 ^ spread >> 5 ^ spread >> 4
        box[power] = folded & 0xFF ^ 0x63
    box[0] = 0x63
    box.flags.writeable = False
    return box


_SBOX = _substitution()
_TWICE = np.array([_double(value) for value in range(256)], np.uint8)
_TWICE.flags.writeable = False


@allocating
def _expand(key):
    """Return the round keys, uint8[176] (FIPS 197 section 5.2)."""
    keys = np.empty(176, np.uint8)
    keys[:16] = key
    constant = np.uint8(1)
    for i in range(16, 176, 4):
        a, b, c, d = keys[i - 4], keys[i - 3], keys[i - 2], keys[i - 1]
        if i % 16 == 0:
            a, b, c, d = _SBOX[b] ^ constant, _SBOX[c], _SBOX[d], _SBOX[a]
            constant = _TWICE[constant]
        keys[i], keys[i + 1] = keys[i - 16] ^ a, keys[i - 15] ^ b
        keys[i + 2], keys[i + 3] = keys[i - 14] ^ c, keys[i - 13] ^ d
    return keys


@allocating
def _encrypt(keys, block, out):
    """Encrypt one block (FIPS 197 section 5.1)."""
    state = np.empty(16, np.uint8)
    moved = np.empty(16, np.uint8)
    for i in range(16):
        state[i] = block[i] ^ keys[i]
    for turn in range(1, 11):
        for i in range(16):
            moved[i] = _SBOX[state[(i + 4 * (i % 4)) % 16]]
        if turn < 10:
            for i in range(0, 16, 4):
                every = moved[i] ^ moved[i + 1] ^ moved[i + 2] ^ moved[i + 3]
                for j in range(4):
                    one = moved[i + j]
                    state[i + j] = one ^ every ^ _TWICE[one ^ moved[i + (j + 1) % 4]]
        else:
            state[:] = moved
        for i in range(16):
            state[i] ^= keys[16 * turn + i]
    out[:] = state


@helper
def _word(data, pos, end):
    """Return eight bytes as a number, zeros behind the end."""
    value = np.uint64(0)
    for i in range(8):
        byte = np.uint64(data[pos + i]) if pos + i < end else np.uint64(0)
        value = value << np.uint64(8) | byte
    return value


@helper
def _times(high, low, key_high, key_low):
    """Multiply in the field of SP 800-38D section 6.3."""
    out_high = out_low = np.uint64(0)
    one, top = np.uint64(1), np.uint64(63)
    for half in (high, low):
        for i in range(64):
            if half >> (top - np.uint64(i)) & one:
                out_high ^= key_high
                out_low ^= key_low
            odd = key_low & one
            key_low = key_low >> one | key_high << top
            key_high = key_high >> one
            if odd:
                key_high ^= np.uint64(0xE100000000000000)
    return out_high, out_low


@helper
def _absorb(high, low, key_high, key_low, data):
    """Take data into the hash, padded to whole blocks."""
    for pos in range(0, data.size, 16):
        high ^= _word(data, pos, data.size)
        low ^= _word(data, pos + 8, data.size)
        high, low = _times(high, low, key_high, key_low)
    return high, low


@allocating_kernel(int64(_BYTES, _BYTES, _OUT))
def block(key, data, out):
    """Encrypt one block of 16 bytes with a key of 16 bytes."""
    _encrypt(_expand(key), data, out)
    return 16


@allocating_kernel(int64(_BYTES, _BYTES, _BYTES, _BYTES, _OUT))
def unseal(key, nonce, aad, sealed, out):
    """Open AES-128-GCM: key of 16 bytes, nonce of 12; the last 16 of sealed are the tag. Returns bytes, -1: forged."""
    size = sealed.size - 16
    if size < 0 or out.size < size:
        return -1
    keys = _expand(key)
    counter, pad = np.zeros(16, np.uint8), np.empty(16, np.uint8)
    _encrypt(keys, counter, pad)
    key_high, key_low = _word(pad, 0, 16), _word(pad, 8, 16)
    high = low = np.uint64(0)
    high, low = _absorb(high, low, key_high, key_low, aad)
    high, low = _absorb(high, low, key_high, key_low, sealed[:size])
    high ^= np.uint64(aad.size * 8)
    low ^= np.uint64(size * 8)
    high, low = _times(high, low, key_high, key_low)
    counter[:12] = nonce
    counter[15] = 1
    _encrypt(keys, counter, pad)
    if high ^ _word(pad, 0, 16) != _word(sealed, size, size + 16):
        return -1
    if low ^ _word(pad, 8, 16) != _word(sealed, size + 8, size + 16):
        return -1
    for number in range((size + 15) // 16):
        count = number + 2
        counter[12], counter[13] = count >> 24 & 255, count >> 16 & 255
        counter[14], counter[15] = count >> 8 & 255, count & 255
        _encrypt(keys, counter, pad)
        for i in range(16 * number, min(size, 16 * number + 16)):
            out[i] = sealed[i] ^ pad[i - 16 * number]
    return size
