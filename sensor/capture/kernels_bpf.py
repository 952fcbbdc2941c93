"""The classic BPF machine over a whole block (McCanne and Jacobson, 1993; linux/bpf_common.h)."""

import numpy as np
from numba import int32, int64, types, uint8, uint16

from sensor.model.jit import allocating_kernel, helper

_BYTES = types.Array(uint8, 1, "C", readonly=True)
_LINKS = types.Array(uint16, 1, "C", readonly=True)
_i4, _i8 = int32[::1], int64[::1]
_U32 = 0xFFFFFFFF
MEMORY = 16
"""Scratch words."""


@helper
def _alu(op, a, b):  # pragma: no cover
    """Return `a op b` modulo 2**32; -1 on a division by zero."""
    if op == 0x00:
        return a + b & _U32
    if op == 0x10:
        return a - b & _U32
    if op == 0x20:  # in halves: the whole product does not fit int64
        return (((a * (b >> 16)) & 0xFFFF) << 16) + a * (b & 0xFFFF) & _U32
    if op == 0x30:
        return a // b if b else np.int64(-1)
    if op == 0x40:
        return a | b
    if op == 0x50:
        return a & b
    if op == 0x60:
        return a << b & _U32 if b < 32 else np.int64(0)
    if op == 0x70:
        return a >> b if b < 32 else np.int64(0)
    if op == 0x80:
        return -a & _U32
    if op == 0x90:
        return a % b if b else np.int64(-1)
    return a ^ b


@helper
def _load(buf, base, size, at, width):  # pragma: no cover
    """Return the big-endian number of `width` bytes at `at` of a frame; -1 outside of it."""
    if at + width > size:
        return np.int64(-1)
    value = np.int64(0)
    for i in range(width):
        value = value << 8 | np.int64(buf[base + at + i])
    return value


@allocating_kernel(types.void(int64[:, ::1], int64, _BYTES, _i8, _i4, _i4, _LINKS, uint8[::1]))
def bpf_mask(program, wanted, buf, off, caplen, wirelen, linktype, keep):  # pragma: no cover
    """Set keep[i] to 1 where the program accepts packet `i`; only those of link type `wanted` are looked at.

    program: int64[n, 4] of verified instructions (code, jt, jf, k): jumps stay inside and go forward, so a
    packet costs at most n steps. A load outside the frame and a division by zero reject the packet.
    """
    memory = np.zeros(MEMORY, np.int64)
    for i in range(off.size):
        if linktype[i] != wanted:
            continue
        base = off[i]
        size = np.int64(caplen[i])
        a = np.int64(0)
        x = np.int64(0)
        memory[:] = 0
        pc = 0
        while True:
            code = program[pc, 0]
            k = program[pc, 3]
            pc += 1
            family = code & 7
            if family == 5:  # JMP
                op = code & 0xF0
                operand = x if code & 8 else k
                if op == 0x00:
                    pc += k
                elif (
                    (op == 0x10 and a == operand)
                    or (op == 0x20 and a > operand)
                    or (op == 0x30 and a >= operand)
                    or (op == 0x40 and a & operand)
                ):
                    pc += program[pc - 1, 1]
                else:
                    pc += program[pc - 1, 2]
            elif family == 0:  # LD
                mode = code & 0xE0
                if mode in (0x20, 0x40):  # ABS, IND
                    width = 4 if code & 0x18 == 0 else 2 if code & 0x18 == 8 else 1
                    a = _load(buf, base, size, k + x if mode == 0x40 else k, width)
                    if a < 0:
                        break
                elif mode == 0x00:
                    a = k
                elif mode == 0x60:
                    a = memory[k]
                else:
                    a = np.int64(wirelen[i])
            elif family == 4:  # ALU
                a = _alu(code & 0xF0, a, x if code & 8 else k)
                if a < 0:
                    break
            elif family == 1:  # LDX
                mode = code & 0xE0
                if mode == 0xA0:  # 4 * header length of IPv4
                    x = _load(buf, base, size, k, 1)
                    if x < 0:
                        break
                    x = (x & 15) << 2
                elif mode == 0x00:
                    x = k
                elif mode == 0x60:
                    x = memory[k]
                else:
                    x = np.int64(wirelen[i])
            elif family == 6:  # RET
                value = a if code & 0x18 else k
                keep[i] = 1 if value else 0
                break
            elif family == 2:
                memory[k] = a
            elif family == 3:
                memory[k] = x
            elif code & 0x80:
                a = x
            else:
                x = a
