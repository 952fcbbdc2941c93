"""A small decoder of test frames, independent of sensor.decode: Ethernet, VLAN, ARP, IP, TCP, UDP, ICMP."""

import struct

import numpy as np

from sensor.model.rows import FRAG_PART, ROW, new_rows


def decode_ip(buf, at, end, row):
    """Fill one row from the IP header at `at`; bytes end at `end`."""
    version = buf[at] >> 4
    row["l3"], row["ipv"] = at, version
    if version == 4:
        ihl = (buf[at] & 15) * 4
        row["iplen"], row["ipid"], frag = struct.unpack_from("!HHH", buf, at + 2)
        row["ttl"], row["proto"] = buf[at + 8], buf[at + 9]
        row["src_lo"], row["dst_lo"] = struct.unpack_from("!II", buf, at + 12)
        row["fragoff"] = frag & 0x1FFF
        part = bool(frag & 0x3FFF)
        l4 = at + ihl
    else:
        size, nxt, row["ttl"] = struct.unpack_from("!HBB", buf, at + 4)
        row["iplen"] = size + 40
        row["src_hi"], row["src_lo"], row["dst_hi"], row["dst_lo"] = struct.unpack_from("!QQQQ", buf, at + 8)
        l4, part = at + 40, False
        while nxt in {0, 43, 60, 44} and l4 + 8 <= end:
            if nxt == 44:
                off, row["ipid"] = struct.unpack_from("!HI", buf, l4 + 2)
                row["fragoff"], part = off >> 3, bool(off & 0xFFF9)
                nxt, l4 = buf[l4], l4 + 8
                break
            nxt, l4 = buf[l4], l4 + 8 * (buf[l4 + 1] + 1)
        row["proto"] = nxt
    end = min(end, at + int(row["iplen"]))
    pay = l4
    if part:
        row["frag"] = FRAG_PART
    elif row["proto"] == 6 and l4 + 20 <= end:
        row["sport"], row["dport"], row["seq"], row["ack"] = struct.unpack_from("!HHII", buf, l4)
        row["tcpflags"], row["l4"] = buf[l4 + 13], l4
        pay = l4 + (buf[l4 + 12] >> 4) * 4
    elif row["proto"] == 17 and l4 + 8 <= end:
        row["sport"], row["dport"] = struct.unpack_from("!HH", buf, l4)
        row["l4"], pay = l4, l4 + 8
    elif row["proto"] in {1, 58} and l4 + 8 <= end:
        row["sport"], row["dport"], row["l4"], pay = buf[l4], buf[l4 + 1], l4, l4 + 8
    row["pay"], row["paylen"] = pay, max(0, end - pay)
    if row["proto"] == 4 and not part:
        return l4
    return -1


def decode_frames(buf, offs, lens, ts=None, link=14):
    """Rows of frames that lie in `buf`."""
    raw = bytes(buf)
    out = []
    for k, (off, size) in enumerate(zip(offs, lens, strict=True)):
        row = new_rows(1)[0]
        row["pkt"], row["l2"], row["caplen"], row["wirelen"] = k, off, size, size
        row["ts"] = 0 if ts is None else ts[k]
        out.append(row)
        at, end = off + link, off + size
        kind = struct.unpack_from("!H", raw, at - 2)[0] if link else 0x800
        while kind in {0x8100, 0x88A8} and at + 4 <= end:
            tag, kind = struct.unpack_from("!HH", raw, at)
            if row["nvlan"] < 2:
                row[f"vlan{row['nvlan']}"] = tag & 0xFFF
            row["nvlan"] += 1
            at += 4
        row["ethertype"] = kind
        if kind == 0x806 and at + 28 <= end:
            row["l3"] = at
            row["src_lo"], row["dst_lo"] = struct.unpack_from("!I6xI", raw, at + 14)
        if kind in {0x800, 0x86DD} and at + 20 <= end and raw[at] >> 4 == (4 if kind == 0x800 else 6):
            if raw[at] >> 4 == 6 and at + 40 > end:
                continue
            inner = decode_ip(raw, at, end, row)
            outer = row
            while inner >= 0 and inner + 20 <= end and raw[inner] >> 4 == 4:
                child = outer.copy()
                child["parent"], child["tunnel"], child["paylen"] = len(out) - 1, 1, 0
                child["l4"] = -1
                out.append(child)
                inner, outer = decode_ip(raw, inner, end, child), child
    rows = np.zeros(len(out), ROW)
    for k, row in enumerate(out):
        rows[k] = row
    return rows


def block(frames, ts=None, link=14):
    """(rows, buf) of a list of frames."""
    buf = np.frombuffer(b"".join(frames), np.uint8)
    lens = [len(f) for f in frames]
    offs = np.concatenate([[0], np.cumsum(lens)[:-1]]).astype(int).tolist() if frames else []
    return decode_frames(buf, offs, lens, ts, link), buf


def pcap(path):
    """(rows, buf) of a classic little-endian Ethernet or raw-IP pcap file; None for anything else."""
    raw = path.read_bytes()
    magic = raw[:4]
    if magic not in {b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"}:
        return None
    link = {1: 14, 101: 0, 12: 0}.get(struct.unpack_from("<I", raw, 20)[0])
    if link != 14:
        return None
    unit = 1000 if magic[0] == 0xD4 else 1
    at, offs, lens, ts = 24, [], [], []
    while at + 16 <= len(raw):
        sec, sub, cap, _ = struct.unpack_from("<IIII", raw, at)
        at += 16
        if at + cap > len(raw):
            break
        if cap >= 14:
            offs.append(at)
            lens.append(cap)
            ts.append(sec * 10**9 + sub * unit)
        at += cap
    buf = np.frombuffer(raw, np.uint8)
    return decode_frames(buf, offs, lens, ts), buf
