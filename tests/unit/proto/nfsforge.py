"""Hand-made calls and replies of NFS (RFC 1094, 1813, 7530, 5531)."""

import struct

HANDLE = b"H" * 32
DATA = b"\x7fELF" + bytes(range(256)) * 8


def u32(*values):
    return struct.pack(f"!{len(values)}I", *values)


def u64(value):
    return struct.pack("!Q", value)


def opaque(raw):
    return u32(len(raw)) + raw + b"\0" * (-len(raw) % 4)


def record(message, last=True):
    return u32(len(message) | (0x80000000 if last else 0)) + message


def call(version, procedure, arguments, xid=1, program=100003):
    unix = opaque(u32(0) + opaque(b"client") + u32(0, 0, 0))
    return u32(xid, 0, 2, program, version, procedure, 1) + unix + u32(0, 0) + arguments


def reply(results, xid=1, accepted=0):
    return u32(xid, 1, 0, 0, 0, accepted) + results


NO_ATTRIBUTES = u32(0)


def lookup3(name, xid=1, directory=b"D" * 32):
    return call(3, 3, opaque(directory) + opaque(name), xid)


def found3(handle=HANDLE, xid=1):
    return reply(u32(0) + opaque(handle) + NO_ATTRIBUTES * 2, xid)


def write3(data, offset=0, xid=2, handle=HANDLE):
    return call(3, 7, opaque(handle) + u64(offset) + u32(len(data), 0) + opaque(data), xid)


def wrote3(xid=2):
    return reply(u32(0) + u32(0, 0, 100, 0) + u64(0), xid)


def read3(size, offset=0, xid=3, handle=HANDLE):
    return call(3, 6, opaque(handle) + u64(offset) + u32(size), xid)


def did_read3(data, xid=3, end=True):
    return reply(u32(0, 1) + b"\0" * 84 + u32(len(data), int(end)) + opaque(data), xid)


def commit3(xid=4, handle=HANDLE):
    return call(3, 21, opaque(handle) + u64(0) + u32(0), xid)


def committed3(xid=4):
    return reply(u32(0, 0, 0) + u64(0), xid)


def talk3():
    """A file is looked up, written in two pieces (the second one first), committed and read back."""
    half = len(DATA) // 2
    return [
        (0, record(lookup3(b"evil.bin"))),
        (1, record(found3())),
        (0, record(write3(DATA[half:], half, 2)) + record(write3(DATA[:half], 0, 3))),
        (1, record(wrote3(2)) + record(wrote3(3))),
        (0, record(commit3())),
        (1, record(committed3())),
        (0, record(read3(len(DATA), 0, 5))),
        (1, record(did_read3(DATA, 5))),
    ]


def talk2():
    """As `talk3`, in version 2, without a commit."""
    name = b"D" * 32 + opaque(b"evil.bin")
    return [
        (0, record(call(2, 4, name, 1))),
        (1, record(reply(u32(0) + HANDLE + b"\0" * 68, 1))),
        (0, record(call(2, 8, HANDLE + u32(0, 0, 0) + opaque(DATA), 2))),
        (1, record(reply(u32(0) + b"\0" * 68, 2))),
        (0, record(call(2, 6, HANDLE + u32(0, len(DATA), 0), 3))),
        (1, record(reply(u32(0) + b"\0" * 68 + opaque(DATA), 3))),
    ]


def compound(*operations, xid=1):
    return call(4, 1, opaque(b"tag") + u32(0, len(operations)) + b"".join(operations), xid)


def compound_reply(*results, xid=1, status=0):
    return reply(u32(status) + opaque(b"tag") + u32(len(results)) + b"".join(results), xid)


STATE = b"s" * 16


def open4(name):
    how = u32(1, 0) + u32(1, 0x10) + opaque(b"mode")
    return u32(18, 0, 1, 0) + u64(7) + opaque(b"owner") + how + u32(0) + opaque(name)


def opened4(delegation=0):
    more = {
        0: b"",
        1: STATE + u32(0, 0, 0, 0) + opaque(b"who"),
        2: STATE + u32(0, 1) + u64(9) + u32(0, 0, 0) + opaque(b""),
    }
    return u32(18, 0) + STATE + b"\0" * 20 + u32(0) + u32(1, 0x10) + u32(delegation) + more[delegation]


PUT, PUT_DONE = u32(22) + opaque(HANDLE), u32(22, 0)
GET, GOT = u32(10), u32(10, 0) + opaque(HANDLE)
ATTRIBUTES, GOT_ATTRIBUTES = u32(9, 1, 0x18), u32(9, 0, 1, 0x18) + opaque(b"\0" * 16)


def talk4(delegation=0):
    """A file is opened, written, closed, and read back."""
    read = u32(25) + STATE + u64(0) + u32(len(DATA))
    write = u32(38) + STATE + u64(0) + u32(2) + opaque(DATA)
    opened = (PUT_DONE, u32(32, 0), opened4(delegation), GOT, GOT_ATTRIBUTES)
    return [
        (0, record(compound(u32(22) + opaque(b"dir"), u32(32), open4(b"evil.bin"), GET, ATTRIBUTES, xid=1))),
        (1, record(compound_reply(*opened, xid=1))),
        (0, record(compound(PUT, write, ATTRIBUTES, xid=2))),
        (1, record(compound_reply(PUT_DONE, u32(38, 0, len(DATA), 2) + b"v" * 8, GOT_ATTRIBUTES, xid=2))),
        (0, record(compound(PUT, read, xid=3))),
        (1, record(compound_reply(PUT_DONE, u32(25, 0, 1) + opaque(DATA), xid=3))),
        (0, record(compound(PUT, u32(4, 1) + STATE, xid=4))),
        (1, record(compound_reply(PUT_DONE, u32(4, 0) + STATE, xid=4))),
    ]
