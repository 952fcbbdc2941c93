"""Hand-made messages of SMB 1 and 2 (MS-CIFS, MS-SMB2), and conversations made of them."""

import struct

import rpcforge as rpc

HANDLE = bytes(range(1, 17))
PIPE_HANDLE = bytes(range(33, 49))
SESSION, TREE = 0x1122334455, 7
DATA = b"MZ" + bytes(range(256)) * 8
MORE, BAD_NAME = 0xC0000016, 0xC00000CC


def wide(text):
    return text.encode("utf-16-le")


def nbss(message):
    return struct.pack("!I", len(message)) + message


def ntlm(user="alice", domain="CORP", host="WS1", flags=0x02000001):
    names, offset, fields = b"", 72, b""
    for text in (domain, user, host):
        raw = wide(text) if flags & 1 else text.encode()
        fields += struct.pack("<HHI", len(raw), len(raw), offset + len(names))
        names += raw
    empty = struct.pack("<HHI", 0, 0, 72)
    head = b"NTLMSSP\0" + struct.pack("<I", 3) + empty * 2 + fields + empty + struct.pack("<I", flags)
    return head + struct.pack("<BBHBBBB", 10, 0, 19041, 0, 0, 0, 15) + names


def der(tag, *parts):
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + struct.pack("!H", len(body))
    return bytes([tag]) + size + body


def kerberos(realm=b"CORP.EXAMPLE", names=(b"cifs", b"srv.corp.example"), padding=200):
    """A token of GSS-API with an AP-REQ (RFC 4120 section 5.5.1)."""
    listed = der(0xA1, der(0x30, *(der(0x1B, name) for name in names)))
    sname = der(0xA2, der(0x30, der(0xA0, der(2, b"\2")), listed))
    secret = der(0xA3, der(0x30, der(0xA0, der(2, b"\x12")), der(0xA2, der(4, b"e" * padding))))
    ticket = der(0x61, der(0x30, der(0xA0, der(2, b"\5")), der(0xA1, der(0x1B, realm)), sname, secret))
    fields = (der(0xA0, der(2, b"\5")), der(0xA1, der(2, b"\x0e")), der(0xA2, der(3, b"\0" * 5)), der(0xA3, ticket))
    return der(0x60, bytes.fromhex("06092a864886f712010202"), b"\1\0", der(0x6E, der(0x30, *fields)))


# ---- SMB 2


def smb2(command, body, message=1, response=False, status=0, next=0, flags=0, tree=TREE, session=SESSION):  # noqa: A002
    return (
        b"\xfeSMB"
        + struct.pack("<HHIHHIIQIIQ", 64, 1, status, command, 1, flags | response, next, message, 0xFEFF, tree, session)
        + b"\0" * 16
        + body
    )


def compound(*messages):
    """Join requests: each but the last padded to eight bytes and told where the next begins."""
    out = b""
    for message in messages[:-1]:
        padded = message + b"\0" * (-len(message) % 8)
        out += padded[:20] + struct.pack("<I", len(padded)) + padded[24:]
    return nbss(out + messages[-1])


def negotiate2(*dialects):
    body = struct.pack("<HHHHI", 36, len(dialects), 1, 0, 0) + b"G" * 16 + b"\0" * 8
    return smb2(0, body + struct.pack(f"<{len(dialects)}H", *dialects), 0)


def negotiated2(dialect=0x0210, read=65536, write=65536):
    body = struct.pack("<HHHH", 65, 1, dialect, 0) + b"S" * 16 + struct.pack("<IIII", 0, 65536, read, write)
    return smb2(0, body + b"\0" * 24, 0, response=True)


def session_setup2(blob, message=1):
    return smb2(1, struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 64 + 24, len(blob), 0) + blob, message)


def tree_connect2(path, message=3):
    raw = wide(path)
    return smb2(3, struct.pack("<HHHH", 9, 0, 72, len(raw)) + raw, message, tree=0)


def tree_connected2(kind=1, message=3, tree=TREE, status=0):
    return smb2(3, struct.pack("<HBBIII", 16, kind, 0, 0, 0, 0), message, response=True, tree=tree, status=status)


def create2(name, message=4, options=0, tree=TREE):
    raw = wide(name)
    body = struct.pack("<HBBIQQIIIIIHHII", 57, 0, 0, 2, 0, 0, 0, 0, 0, 1, options, 64 + 56, len(raw), 0, 0)
    return smb2(5, body + raw, message, tree=tree)


def created2(handle=HANDLE, message=4, size=0, status=0):
    body = (
        struct.pack("<HBBI4QQQII", 89, 0, 0, 1, *[132_000_000_000_000_000] * 4, size, size, 0, 0) + handle + b"\0" * 8
    )
    return smb2(5, body if not status else b"\x09\0" + b"\0" * 7, message, response=True, status=status)


def write2(data, offset=0, handle=HANDLE, message=5):
    body = struct.pack("<HHIQ", 49, 64 + 48, len(data), offset) + handle + b"\0" * 16
    return smb2(9, body + data, message)


def wrote2(message=5):
    return smb2(9, struct.pack("<HHIIHH", 17, 0, 0, 0, 0, 0), message, response=True)


def read2(size, offset=0, handle=HANDLE, message=6):
    return smb2(8, struct.pack("<HBBIQ", 49, 0, 0, size, offset) + handle + b"\0" * 17, message)


def did_read2(data, message=6, status=0):
    return smb2(8, struct.pack("<HBBIII", 17, 80, 0, len(data), 0, 0) + data, message, response=True, status=status)


def close2(handle=HANDLE, message=7):
    return smb2(6, struct.pack("<HHI", 24, 0, 0) + handle, message)


def closed2(message=7):
    return smb2(6, struct.pack("<HH", 60, 0) + b"\0" * 56, message, response=True)


def ioctl2(data, handle=PIPE_HANDLE, message=8, code=0x0011C017):
    body = struct.pack("<HHI", 57, 0, code) + handle + struct.pack("<IIIIIIII", 120, len(data), 0, 0, 0, 1024, 1, 0)
    return smb2(11, body + data, message)


def ioctl_answer2(data, handle=PIPE_HANDLE, message=8, code=0x0011C017):
    body = struct.pack("<HHI", 49, 0, code) + handle + struct.pack("<IIIIII", 112, 0, 112, len(data), 0, 0)
    return smb2(11, body + data, message, response=True)


def rename2(name, handle=HANDLE, message=9):
    raw = wide(name)
    info = b"\1" + b"\0" * 15 + struct.pack("<I", len(raw)) + raw
    return smb2(17, struct.pack("<HBBIHHI", 33, 1, 10, len(info), 96, 0, 0) + handle + info, message)


def logged_on2():
    """Negotiation and log-on."""
    return [
        (0, nbss(negotiate2(0x0202, 0x0210))),
        (1, nbss(negotiated2())),
        (0, nbss(session_setup2(b"\x60\x48" + ntlm()))),
        (1, nbss(smb2(1, struct.pack("<HHHH", 9, 0, 72, 0), 1, response=True))),
    ]


def file_talk():
    """A file that is written in two pieces, the second one first, and read back."""
    half = len(DATA) // 2
    return [
        *logged_on2(),
        (0, nbss(tree_connect2("\\\\srv\\ADMIN$"))),
        (1, nbss(tree_connected2())),
        (0, nbss(create2("temp\\evil.exe"))),
        (1, nbss(created2(size=len(DATA)))),
        (0, nbss(write2(DATA[half:], half, message=5)) + nbss(write2(DATA[:half], 0, message=6))),
        (1, nbss(wrote2(5)) + nbss(wrote2(6))),
        (0, nbss(read2(len(DATA), message=7))),
        (1, nbss(did_read2(DATA, message=7))),
        (0, nbss(close2(message=8))),
        (1, nbss(closed2(8))),
    ]


def pipe_talk():
    """A bind and a call in the pipe svcctl: by write and read, and by transaction."""
    return [
        *logged_on2(),
        (0, nbss(tree_connect2("\\\\srv\\IPC$"))),
        (1, nbss(tree_connected2(2))),
        (0, nbss(create2("svcctl"))),
        (1, nbss(created2(PIPE_HANDLE))),
        (0, nbss(write2(rpc.bind((0, rpc.SPOOLSS, 1)), 0, PIPE_HANDLE, 5))),
        (1, nbss(wrote2(5))),
        (0, nbss(read2(1024, 0, PIPE_HANDLE, 6))),
        (1, nbss(did_read2(rpc.bind_ack(0), 6))),
        (0, nbss(ioctl2(rpc.request(12, b"create service")))),
        (1, nbss(ioctl_answer2(rpc.response(b"done")))),
        (0, nbss(close2(PIPE_HANDLE, 9))),
        (1, nbss(closed2(9))),
    ]


# ---- SMB 1


def smb1(command, words, data, response=False, status=0, unicode=True, multiplex=1, tree=TREE, user=9):
    flags2 = 0x4000 | (0x8000 if unicode else 0)
    head = struct.pack(
        "<BIBHH8sHHHHH", command, status, 0x98 if response else 0x18, flags2, 0, b"", 0, tree, 77, user, multiplex
    )
    return b"\xffSMB" + head + bytes([len(words) // 2]) + words + struct.pack("<H", len(data)) + data


ANDX = b"\xff\0\0\0"


def negotiate1(*dialects):
    return smb1(0x72, b"", b"".join(b"\2" + one + b"\0" for one in dialects))


def negotiated1(index):
    return smb1(0x72, struct.pack("<H", index) + b"\0" * 32, b"", response=True)


def tree_connect1(path, unicode=True):
    raw = wide(path + "\0") if unicode else path.encode() + b"\0"
    return smb1(0x75, ANDX + struct.pack("<HH", 0, 1), b"\0" + raw + b"?????\0", unicode=unicode)


def tree_connected1(service=b"A:"):
    return smb1(0x75, ANDX + b"\0" * 10, service + b"\0NTFS\0", response=True)


def create1(name, multiplex=2):
    raw = wide(name)
    words = ANDX + struct.pack("<BHIIIQIIIIIB", 0, len(raw), 0, 0, 0, 0, 0, 0, 5, 0x40, 2, 0)
    return smb1(0xA2, words, b"\0" + raw + b"\0\0", multiplex=multiplex)


def created1(handle=0x4000, size=0, multiplex=2):
    words = ANDX + struct.pack("<BHI4QIQQHHB", 0, handle, 1, *[0] * 4, 0, size, size, 0, 0, 0)
    return smb1(0xA2, words, b"", response=True, multiplex=multiplex)


def write1(data, offset=0, handle=0x4000, multiplex=3):
    at = 32 + 1 + 28 + 2
    words = ANDX + struct.pack("<HIIHHHHHI", handle, offset & 0xFFFFFFFF, 0, 0, 0, 0, len(data), at, offset >> 32)
    return smb1(0x2F, words, data, multiplex=multiplex)


def read1(size, offset=0, handle=0x4000, multiplex=4):
    words = ANDX + struct.pack("<HIHHIHI", handle, offset, size, 0, 0, 0, 0)
    return smb1(0x2E, words, b"", multiplex=multiplex)


def did_read1(data, multiplex=4):
    words = ANDX + struct.pack("<HHHHHHHHHH", 0, 0, 0, len(data), 32 + 1 + 24 + 2, 0, 0, 0, 0, 0)
    return smb1(0x2E, words, data, response=True, multiplex=multiplex)


def close1(handle=0x4000, multiplex=5):
    return smb1(0x04, struct.pack("<HI", handle, 0), b"", multiplex=multiplex)


def closed1(multiplex=5):
    return smb1(0x04, b"", b"", response=True, multiplex=multiplex)


def log_on1(blob):
    words = ANDX + struct.pack("<HHHIHII", 65535, 2, 1, 0, len(blob), 0, 0)
    pad = b"\0" * ((32 + 1 + 24 + 2 + len(blob)) % 2)
    return smb1(0x73, words, blob + pad + wide("Unix\0Samba\0"), tree=0)


def trans1(data, handle=0x4001, multiplex=8):
    at = 32 + 1 + 32 + 2
    words = struct.pack(
        "<HHHHBBHIHHHHHBBHH", 0, len(data), 0, 1024, 0, 0, 0, 0, 0, 0, at, len(data), at, 2, 0, 0x26, handle
    )
    return smb1(0x25, words, data, multiplex=multiplex)


def trans_answer1(data, multiplex=8):
    at = 32 + 1 + 20 + 2
    words = struct.pack("<HHHHHHHHHBB", 0, len(data), 0, 0, at, 0, len(data), at, 0, 0, 0)
    return smb1(0x25, words, data, response=True, multiplex=multiplex)


def file_talk1():
    """As `file_talk`, in SMB 1."""
    half = len(DATA) // 2
    return [
        (0, nbss(negotiate1(b"NT LANMAN 1.0", b"NT LM 0.12"))),
        (1, nbss(negotiated1(1))),
        (0, nbss(log_on1(ntlm()))),
        (1, nbss(smb1(0x73, ANDX + b"\0" * 4, b"", response=True))),
        (0, nbss(tree_connect1("\\\\srv\\C$"))),
        (1, nbss(tree_connected1())),
        (0, nbss(create1("\\evil.exe"))),
        (1, nbss(created1(size=len(DATA)))),
        (0, nbss(write1(DATA[:half])) + nbss(write1(DATA[half:], half))),
        (0, nbss(read1(len(DATA)))),
        (1, nbss(did_read1(DATA))),
        (0, nbss(close1())),
        (1, nbss(closed1())),
    ]
