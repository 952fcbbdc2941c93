"""The Huffman code of HPACK (RFC 7541 appendix B).

The code is canonical: of one length the codes ascend with the symbols, and lengths ascend with the codes. So the
lengths tell it all.
"""

from __future__ import annotations

import functools

_EOS = 256
_LENGTHS = (
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28,
    28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15,
    6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22,
    20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23,
    23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22,
    22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26,
    27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27,
    26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
)  # fmt: skip
"""Bits of each symbol's code, 0 to 255 and end of string."""

Step = tuple[int, bytes]
"""Next state (-1: end of string was coded), bytes put out."""


@functools.cache
def _tree() -> tuple[tuple[int, int], ...]:
    """Return the nodes: (child for 0, child for 1); a symbol s as ~s."""
    nodes: list[list[int]] = [[0, 0]]
    code = size = 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(_LENGTHS)):
        code <<= length - size
        size = length
        at = 0
        for shift in range(length - 1, 0, -1):
            bit = code >> shift & 1
            if not nodes[at][bit]:
                nodes.append([0, 0])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit]
        nodes[at][code & 1] = ~symbol
        code += 1
    return tuple((zero, one) for zero, one in nodes)


@functools.cache
def _steps() -> tuple[tuple[Step, ...], ...]:
    """Return for each state what each half of a byte does."""
    tree = _tree()

    def walk(state: int, half: int) -> Step:
        out = bytearray()
        for shift in (3, 2, 1, 0):
            state = tree[state][half >> shift & 1]
            if state == ~_EOS:
                return -1, bytes(out)
            if state < 0:
                out.append(~state)
                state = 0
        return state, bytes(out)

    return tuple(tuple(walk(state, half) for half in range(16)) for state in range(len(tree)))


@functools.cache
def _padding() -> frozenset[int]:
    """Return the states that up to seven 1-bits lead to: a string may end there (section 5.2)."""
    tree, state, found = _tree(), 0, [0]
    for _ in range(7):
        state = tree[state][1]
        found.append(state)
    return frozenset(found)


def decode(data: bytes) -> bytes | None:
    """Return the text; None: it is malformed."""
    steps, state, out = _steps(), 0, []
    for byte in data:
        state, text = steps[state][byte >> 4]
        if state < 0:
            return None
        out.append(text)
        state, text = steps[state][byte & 15]
        if state < 0:
            return None
        out.append(text)
    return b"".join(out) if state in _padding() else None
