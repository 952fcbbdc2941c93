"""Changes inputs at random: bits, bytes, numbers, blocks doubled, dropped, moved, repeated, spliced in from others."""

LONGEST = 64 * 1024
"""Bytes of an input."""
_NUMBERS = (0, 1, 2, 4, 0x7F, 0x80, 0xFE, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_WORDS = (
    b"\0", b"\r\n", b"\r\n\r\n", b"\n", b"(", b")", b"{65536}\r\n", b"%", b"//", b"\xff" * 4, b"\x30\x84", b"\xc0\x0c",
    b"A" * 64, b";", b"=", b",", b"--", b'"', b"\\", b"*", b"/", b"\x80", b"\xff\xf1", b".", b" ", b":",
)  # fmt: skip


def bytes_of(rnd, data, others):
    """Return the bytes after one change. others: byte strings of the same protocol."""
    if not data:
        return rnd.choice(others)[:LONGEST]
    at = rnd.randrange(len(data))
    kind = rnd.randrange(9)
    if kind == 0:
        return data[:at] + bytes([data[at] ^ 1 << rnd.randrange(8)]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + rnd.randbytes(1) + data[at + 1 :]
    if kind == 2:
        size = rnd.choice((1, 2, 4))
        number = (rnd.choice(_NUMBERS) & (1 << 8 * size) - 1).to_bytes(size, rnd.choice(("big", "little")))
        return data[:at] + number + data[at + size :]
    if kind == 3:
        return data[:at] + rnd.choice(_WORDS) + data[at:]
    if kind == 4:
        return data[:at] + data[at + rnd.randint(1, 40) :]
    if kind == 5:
        return data[:at]
    if kind == 6:
        block = data[at : at + rnd.randint(1, 60)]
        times = min(rnd.choice((1, 2, 10, 300, 3000)), max(1, (LONGEST - len(data)) // len(block)))
        return data[:at] + block * times + data[at:]
    if kind == 7:
        other = rnd.choice(others)
        start = rnd.randrange(len(other)) if other else 0
        return (data[:at] + other[start : start + rnd.randint(1, 400)] + data[at:])[:LONGEST]
    return data[:at] + rnd.randbytes(rnd.randint(1, 40)) + data[at:]


def talk_of(rnd, talk, others):
    """Return a conversation after a few changes."""
    changed = list(talk)
    for _ in range(rnd.choice((1, 1, 2, 3, 5, 9))):
        at = rnd.randrange(len(changed))
        side, data = changed[at]
        kind = rnd.randrange(12)
        if kind == 0 and len(changed) > 1:
            del changed[at]
        elif kind == 1 and _size(changed) < LONGEST:
            changed[at:at] = [changed[at]] * rnd.choice((1, 2, 50))
        elif kind == 2:
            changed[at] = (1 - side, data)
        elif kind == 3:
            changed.insert(at, (side, None))
        elif data is not None:
            changed[at] = (side, bytes_of(rnd, data, others))
    return _bounded(changed)


def _size(talk):
    return sum(len(data) for _, data in talk if data)


def _bounded(talk):
    """Return as much of a conversation as an input may be long."""
    left, kept = 2 * LONGEST, []
    for side, data in talk:
        part = data and data[:left]
        left -= len(part or b"")
        if part is None or part:
            kept.append((side, part))
    return kept or [(0, b"\0")]


def pieces_of(rnd, talk):
    """Return a conversation cut anew: whole, in some pieces, or (the short ones) byte by byte."""
    how = rnd.randrange(4)
    size = 1 if how == 0 and _size(talk) < 2000 else rnd.choice((3, 50, 1460)) if how == 1 else LONGEST * 2
    out = []
    for side, data in talk:
        if data is None:
            out.append((side, None))
        else:
            out += [(side, data[at : at + size]) for at in range(0, len(data), size)]
    return out


def frames_of(rnd, frames):
    """Return the frames [(ns, bytes)] of a capture with some of them changed, dropped, doubled or moved."""
    out = list(frames)
    for _ in range(rnd.choice((1, 3, 10, 40))):
        at = rnd.randrange(len(out))
        ts, frame = out[at]
        kind = rnd.randrange(8)
        if kind == 0 and len(out) > 1:
            del out[at]
        elif kind == 1:
            out.insert(at, out[at])
        elif kind == 2:
            other = rnd.randrange(len(out))
            out[at], out[other] = (ts, out[other][1]), (out[other][0], frame)
        elif frame:
            out[at] = (ts, bytes_of(rnd, frame, [rnd.choice(out)[1]])[:LONGEST])
    return out
