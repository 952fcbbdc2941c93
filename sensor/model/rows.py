"""The columns: one record per decoded packet (`ROW`), per stream event (`SEG`) and per flow (`FLOW`).

Each table is one NumPy structured array, so a stage hands on one object, a kernel takes one argument,
and `rows["seq"]` is the column. Kernels read columns as `seq = rows["seq"]` (views, free) and index those:
that form means the same under numba and as plain Python (`NUMBA_DISABLE_JIT=1`).

A packet gives one row per IP layer: a tunnel's inner packet is a row of its own whose `parent` is the outer
row, directly behind it. A reassembled datagram is a row too, behind the row of its last fragment.
"""

import numpy as np

ROW = np.dtype(
    [
        # ---- written by capture/decode
        ("ts", "<i8"),  # packet time, ns since the epoch
        ("src_hi", "<u8"),  # address as two big-endian words; IPv4: hi = 0, lo = the address
        ("src_lo", "<u8"),
        ("dst_hi", "<u8"),
        ("dst_lo", "<u8"),
        ("anomaly", "<u8"),  # bit set: 1 << DecodeAnomaly
        ("pkt", "<i4"),  # index of the captured packet in the block
        ("parent", "<i4"),  # row of the enclosing packet, -1: none
        ("l2", "<i4"),  # offset of the frame's first byte in the row buffer
        ("l3", "<i4"),  # offset of the IP/ARP header, -1: none
        ("l4", "<i4"),  # offset of the transport header, -1: none
        ("pay", "<i4"),  # offset of the payload of the innermost decoded header
        ("paylen", "<i4"),  # captured payload bytes (0 when none)
        ("caplen", "<i4"),  # captured bytes of the frame
        ("wirelen", "<i4"),  # bytes on the wire
        ("iplen", "<i4"),  # bytes of the IP packet as used (a zero length field is replaced by the capture's)
        ("seq", "<u4"),  # TCP
        ("ack", "<u4"),
        ("ipid", "<u4"),  # IPv4 identification, or the IPv6 fragment's
        ("tunnel_id", "<u4"),  # VNI, GRE key or ERSPAN session of the tunnel this row came out of
        ("sport", "<u2"),  # TCP/UDP/SCTP; ICMP: type
        ("dport", "<u2"),  # TCP/UDP/SCTP; ICMP: code
        ("win", "<u2"),
        ("urg", "<u2"),  # TCP urgent pointer
        ("fragoff", "<u2"),  # fragment offset in bytes / 8
        ("ethertype", "<u2"),  # of the innermost L2 payload
        ("vlan0", "<u2"),  # outermost tag's VLAN id (valid where nvlan > 0)
        ("vlan1", "<u2"),
        ("nvlan", "u1"),  # number of VLAN tags seen (ids of at most two are kept)
        ("ipv", "u1"),  # 4, 6, 0: not IP
        ("proto", "u1"),  # IP protocol of the innermost decoded header; 0 with ipv 0
        ("ttl", "u1"),
        ("tos", "u1"),
        ("tcpflags", "u1"),
        ("frag", "u1"),  # FRAG_* below
        ("tunnel", "u1"),  # Tunnel kind this row came out of, 0: none
        ("l3csum", "u1"),  # Checksum state of the IP header
        ("l4csum", "u1"),  # Checksum state of TCP/UDP/ICMP
        ("slow", "u1"),  # 1: the kernel did not fully understand the packet; dpkt must look at it
        # ---- written by flow
        ("dup", "u1"),  # 1: a mirror's second copy; counted, not inspected
        ("side", "u1"),  # 0 to_server, 1 to_client
        ("fstate", "u1"),  # FlowBits at this packet
        ("stream", "u1"),  # STREAM_* below: what reassembly did with the payload
        ("flow", "<i4"),  # slot in the flow table, -1: none
    ],
    align=True,
)
"""One decoded IP (or ARP, or non-IP) layer of one packet."""

FRAG_NONE, FRAG_PART, FRAG_REASSEMBLED = 0, 1, 2

TUNNEL_NONE, TUNNEL_IPIP, TUNNEL_GRE, TUNNEL_ERSPAN, TUNNEL_VXLAN, TUNNEL_GENEVE, TUNNEL_TEREDO = 0, 1, 2, 3, 4, 5, 6
TUNNEL_NAMES = ("none", "ipip", "gre", "erspan", "vxlan", "geneve", "teredo")

CSUM_UNVERIFIED, CSUM_OK, CSUM_PARTIAL, CSUM_BAD = 0, 1, 2, 3
CSUM_NAMES = ("unverified", "ok", "partial", "bad")

STREAM_NONE = 0  # not TCP, or no payload
STREAM_INORDER = 1  # all bytes went into the stream at once
STREAM_PARTIAL = 2  # some bytes did (overlap), the rest was known already
STREAM_QUEUED = 3  # out of order: kept until the gap closes
STREAM_OLD = 4  # retransmission: nothing new in it
STREAM_IGNORED = 5  # outside the window, beyond the depth, or no flow: inspected as a packet only

# FlowBits: state of the flow as this packet leaves it
FS_ESTABLISHED = 1  # TCP: three-way handshake seen or picked up midstream; UDP/ICMP/other: both sides seen
FS_TO_CLIENT_SEEN = 2
FS_CLOSED = 4
FS_MIDSTREAM = 8
FS_NEW = 16  # first packet of the flow
FS_HANDSHAKE_DONE = 32  # this very packet completed the three-way handshake, and carried no data (or a FIN)
FS_BEFORE = FS_ESTABLISHED | FS_NEW | FS_HANDSHAKE_DONE
"""Of these a packet has FS_ESTABLISHED alone if its flow was established before it came: what rules on packets ask."""

SEG = np.dtype(
    [
        ("off", "<i8"),  # DATA: offset of the bytes in the source buffer
        ("pos", "<i8"),  # offset of the first byte in the side's stream
        ("row", "<i4"),  # the row that caused the event; -1: time alone did (expiry before the next row)
        ("flow", "<i4"),  # slot
        ("len", "<i4"),  # bytes of data, or of the gap
        ("side", "u1"),
        ("kind", "u1"),  # SEG_* below
        ("src", "u1"),  # 0: row buffer, 1: buffer of queued segments
        ("arg", "u1"),  # SEG_END: the EndReason; SEG_NOTE: the StreamAnomaly
    ],
    align=True,
)
"""What happened to streams in a block, in packet order."""

SEG_DATA, SEG_GAP, SEG_END, SEG_NOTE = 0, 1, 2, 3

END_TIMEOUT, END_CLOSED, END_FORCED, END_SHUTDOWN = 0, 1, 2, 3
END_REASONS = ("timeout", "closed", "forced", "shutdown")

STATE_FREE, STATE_NEW, STATE_ESTABLISHED, STATE_CLOSED, STATE_ENDED = 0, 1, 2, 3, 4

APP_UNDECIDED, APP_UNKNOWN = 0, 1
"""Values of `FLOW.app`; ids of protocols start at 2 (see `sensor.proto.registry`)."""

TCP_NONE, TCP_SYN_SENT, TCP_SYN_RECV, TCP_ESTABLISHED, TCP_FIN_WAIT1 = 0, 1, 2, 3, 4
TCP_FIN_WAIT2, TCP_CLOSE_WAIT, TCP_CLOSING, TCP_LAST_ACK, TCP_TIME_WAIT, TCP_CLOSED = 5, 6, 7, 8, 9, 10
TCP_STATE_NAMES = (
    "none", "syn_sent", "syn_recv", "established", "fin_wait1",
    "fin_wait2", "close_wait", "closing", "last_ack", "time_wait", "closed",
)  # fmt: skip

FLOW = np.dtype(
    [
        # key, in the direction of the first packet: src is the client
        ("src_hi", "<u8"),
        ("src_lo", "<u8"),
        ("dst_hi", "<u8"),
        ("dst_lo", "<u8"),
        ("vkey", "<u8"),  # VLAN ids (when they are part of the key) and tunnel id
        ("id", "<u8"),  # EVE flow_id: deterministic, < 2**53, independent of the hash seed
        ("first", "<i8"),  # ns
        ("last", "<i8"),  # ns
        ("bytes", "<u8", (2,)),  # wire bytes per side (to_server, to_client)
        ("pos", "<i8", (2,)),  # stream bytes delivered per side, gaps included
        ("first_pkt", "<i8"),  # pcap_cnt of the first packet
        ("pkts", "<u4", (2,)),
        ("isn", "<u4", (2,)),  # sequence number of the side's stream offset 0
        ("next", "<u4", (2,)),  # next expected sequence number
        ("acked", "<u4", (2,)),  # highest acknowledgment number seen *for* this side's data
        ("gaps", "<u4", (2,)),  # bytes skipped
        ("queue", "<i4", (2,)),  # first queued segment of the side, -1: none
        ("queued", "<i4", (2,)),  # queued bytes
        ("sport", "<u2"),
        ("dport", "<u2"),
        ("win", "<u2", (2,)),
        ("wscale", "u1", (2,)),
        ("tcpflags", "u1", (2,)),  # all flags seen per side
        ("synced", "u1", (2,)),  # 1: isn/next of the side are known
        ("proto", "u1"),
        ("ipv", "u1"),
        ("state", "u1"),  # STATE_*
        ("tcpstate", "u1"),  # TCP_*
        ("midstream", "u1"),
        ("reason", "u1"),  # END_*, valid once state is STATE_ENDED
        ("policy", "u1", (2,)),  # reassembly policy of the receiver of this side's data
        ("app", "u1"),  # application protocol, see APP_*; written by the engine
        ("hot", "u1"),  # 1: the parser sees each byte as it comes; written by the engine
        ("keep", "u1"),  # KEEP_*: what the journal retains; written by the engine
        ("alerted", "u1"),
        ("nvlan", "u1"),
        ("vlan0", "<u2"),
        ("vlan1", "<u2"),
    ],
    align=True,
)
"""One conversation."""

KEEP_ALL, KEEP_WINDOW, KEEP_NONE = 0, 1, 2
COLD, HOT, DONE = 0, 1, 2
"""Values of `FLOW.hot`."""


def new_rows(n: int) -> np.ndarray:
    """Return n zeroed rows with no flow and no parent."""
    rows = np.zeros(n, ROW)
    for name in ("parent", "flow", "l3", "l4"):
        rows[name] = -1
    return rows
