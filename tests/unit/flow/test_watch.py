"""What is odd about single TCP segments: connections that Suricata was asked about, and what it said of them."""

import struct

import numpy as np
import pytest

from sensor.flow.watch import Watcher
from sensor.model.rows import FLOW, FRAG_PART, FS_NEW, new_rows
from sensor.model.tcpevents import TcpEvent

A, S, F, R, P = 0x10, 2, 1, 4, 8
C0, S0 = 1000, 5000
CLIENT, SERVER = 0, 1
C, SV = C0 + 1, S0 + 1
DATA = 100
WIN = 64000

SYN, SYNACK, DONE = (CLIENT, C0, 0, S), (SERVER, S0, C, S | A), (CLIENT, C, SV, A)
OPENED = [SYN, SYNACK, DONE]
TALKED = [
    *OPENED, (CLIENT, C, SV, A | P, DATA), (SERVER, SV, C + DATA, A), (SERVER, SV, C + DATA, A | P, DATA),
    (CLIENT, C + DATA, SV + DATA, A),
]  # fmt: skip
C2, S2 = C + DATA, SV + DATA
FAR = 999999
MD5, AO = b"\x13\x12" + bytes(16) + b"\1\1", b"\x1d\4\0\0"
FAST_OPEN = b"\x22\x0a12345678\1\1"
FAST_OPEN_AS_EXPERIMENT = b"\xfe\x0c\xf9\x89" + b"12345678"
OTHER_EXPERIMENT = b"\xfe\x0c\xf9\x88" + b"12345678"


def echo(stamp):
    """Options of a segment with a timestamp that repeats another."""
    return b"\1\1\x08\x0a" + struct.pack("!II", 77, stamp)


CLIENT_FIN = [*TALKED, (CLIENT, C2, S2, A | F)]
SERVER_FIN = [*TALKED, (SERVER, S2, C2, A | F)]
BOTH_FIN = [*CLIENT_FIN, (SERVER, S2, C2 + 1, A), (SERVER, S2, C2 + 1, A | F)]
FOUR = [SYN, (SERVER, S0, 0, S)]


def rows_of(segments):
    """ROW[n] and the bytes of their headers. A segment: side, seq, ack, flags, payload, window, timestamp."""
    rows, raw = new_rows(len(segments)), b""
    for row, segment in zip(rows, segments, strict=True):
        side, seq, ack, flags, size, window, stamp = (*segment, *(0, WIN, None)[len(segment) - 4 :])
        options = b"\1\1\x08\x0a" + struct.pack("!II", stamp, 0) if isinstance(stamp, int) else stamp or b""
        row["l4"], row["side"], row["flow"], row["proto"], row["ipv"] = len(raw), side, 0, 6, 4
        row["seq"], row["ack"], row["tcpflags"], row["paylen"], row["win"] = seq, ack, flags, size, window
        raw += bytes(12) + bytes([5 + len(options) // 4 << 4]) + bytes(7) + options
    rows["fstate"][0] = FS_NEW
    return rows, np.frombuffer(raw, np.uint8)


def found(segments, cut=None, *, midstream=True):
    """Return the names of what is odd about each segment; cut: look at one, then at the others."""
    rows, buf = rows_of(segments)
    watcher, flows = Watcher(midstream=midstream), np.zeros(4, FLOW)
    parts = [rows] if cut is None else [rows[:cut], rows[cut:]]
    bits = np.concatenate([watcher.look(part, buf, flows) for part in parts])
    names = [{one.event.removeprefix("stream.") for one in TcpEvent if int(b) >> one & 1} for b in bits]
    return {n: some for n, some in enumerate(names, 1) if some}


STAMPED = [(CLIENT, C0, 0, S, 0, WIN, 9), (SERVER, S0, C, S | A, 0, WIN, 5), (CLIENT, C, SV, A, 0, WIN, 10)]
CASES = [
    ([*TALKED, *CLIENT_FIN[-1:], *BOTH_FIN[-2:], (CLIENT, C2 + 1, S2 + 1, A)], {}),
    ([SYN, (CLIENT, C0, S0, S | A)], {2: "3whs_synack_in_wrong_direction"}),
    ([SYN, (SERVER, S0, C0 + 99, S | A), SYNACK, DONE], {2: "3whs_synack_with_wrong_ack"}),
    ([SYN, SYNACK, SYNACK, DONE], {}),
    ([SYN, SYNACK, (SERVER, S0, C0 + 50, S | A), DONE], {3: "3whs_synack_resend_with_diff_ack"}),
    ([SYN, SYNACK, (SERVER, S0 + 7, C, S | A), DONE], {}),
    ([SYN, SYNACK, (SERVER, S0 + 7, C, S | A), (CLIENT, C, SV + 7, A)], {}),
    ([SYN, SYNACK, (CLIENT, C0, S0, S | A), DONE], {3: "3whs_synack_toserver_on_syn_recv"}),
    ([SYN, SYN, SYNACK, DONE], {}),
    ([SYN, SYNACK, (CLIENT, C0 + 9, 0, S), DONE], {3: "3whs_syn_resend_diff_seq_on_syn_recv"}),
    ([SYN, SYNACK, (SERVER, S0, 0, S), DONE], {3: "3whs_syn_toclient_on_syn_recv"}),
    ([SYN, (CLIENT, C0 + 9, 0, S), (SERVER, S0, C0 + 10, S | A)], {}),
    ([SYN, (CLIENT, C0 + 9, 0, S), SYNACK, DONE], {}),
    ([SYN, SYNACK, (CLIENT, C + 10, SV, A)], {}),
    ([SYN, SYNACK, (CLIENT, C, SV + 10, A)], {3: "3whs_right_seq_wrong_ack_evasion"}),
    ([SYN, SYNACK, (CLIENT, C + 10, SV + 10, A)], {3: "3whs_wrong_seq_wrong_ack"}),
    ([SYN, *[(SERVER, S0 + n, C, S | A) for n in range(8)]], {8: "3whs_synack_flood", 9: "3whs_synack_flood"}),
    ([(CLIENT, C0 + n, 0, S) for n in range(12)], {12: "3whs_syn_flood"}),
    ([SYN] * 12, {}),
    ([*FOUR, (CLIENT, C0, SV, S | A), (SERVER, SV, C, A)], {}),
    ([*FOUR, (CLIENT, C0, SV + 9, S | A)], {3: "4whs_synack_with_wrong_ack"}),
    ([*FOUR, (CLIENT, C0 + 9, SV, S | A)], {3: "4whs_synack_with_wrong_syn"}),
    ([*FOUR, (CLIENT, C0, SV, S | A), (SERVER, SV + 9, C, A)], {4: "4whs_wrong_seq"}),
    ([*FOUR, (CLIENT, C0, SV, S | A), (SERVER, SV, C + 9, A)], {4: "4whs_invalid_ack pkt_invalid_ack"}),
    ([*OPENED, SYNACK], {}),
    ([*TALKED, (CLIENT, C2 + 1, S2 + 100, A, DATA, 1000)], {8: "pkt_bad_window_update"}),
    ([*TALKED, (SERVER, S2 + 50, C2 + 50, A, 0, 1000)], {8: "pkt_bad_window_update"}),
    ([*TALKED, (CLIENT, C2 + 1, S2 + 100, A, 0, WIN - 132)], {}),
    ([*TALKED, (CLIENT, C2 + 1, S2 + 100, A, 0, WIN - 133)], {8: "pkt_bad_window_update"}),
    ([*TALKED, (SERVER, S2 + 100, C2, A), (CLIENT, C2 + 1, S2 + 200, A, 0, WIN - 150)], {}),
    ([*TALKED, (CLIENT, C2 + 1, S2 + 1, A, 50, WIN - 50)], {}),
    ([*TALKED, (CLIENT, C2 + 1, S2 + 1, A, 50, WIN - 51)], {8: "pkt_bad_window_update"}),
    ([*TALKED, (CLIENT, C2 + 1, S2, A, DATA, 1000)], {}),
    ([*TALKED, (CLIENT, C2, S2 + 100, A, DATA, 1000)], {}),
    ([*TALKED, (SERVER, S2 + 50, C2 + 50, A, DATA, WIN - 50)], {}),
    ([*SERVER_FIN, (CLIENT, C2, 0, F), (SERVER, S2 + 1, C2 + 1, A)], {}),
    ([*SERVER_FIN, (CLIENT, C2, 0, F), (CLIENT, C2, S2 + 1, A)], {}),
    ([*SERVER_FIN, (CLIENT, C2, 0, F), (SERVER, S2 + 50, C2 + 1, A)], {10: "closing_ack_wrong_seq"}),
    ([*SERVER_FIN, (CLIENT, C2, 0, F), (CLIENT, C2 + 1, S2 + 1, A)], {10: "closing_ack_wrong_seq"}),
    ([*SERVER_FIN, (CLIENT, C2, 0, F), (SERVER, S2 + 1, C2 + FAR, A)], {10: "closing_invalid_ack pkt_invalid_ack"}),
    ([*SERVER_FIN, (CLIENT, C2, 0, F), (SERVER, S2 + 1, C2 + 1, A), (SERVER, S2 + 50, C2 + 1, A)],
     {11: "timewait_ack_wrong_seq"}),
    ([*TALKED, SYNACK], {8: "est_synack_resend_with_diff_ack"}),
    ([*TALKED, (SERVER, S0 + 9, C2, S | A)], {8: "est_synack_resend_with_diff_seq"}),
    ([*TALKED, (CLIENT, C0, S2, S | A)], {8: "est_synack_toserver"}),
    ([*TALKED, SYN], {8: "est_syn_resend"}),
    ([*TALKED, (CLIENT, C0 + 9, 0, S)], {8: "est_syn_resend_diff_seq"}),
    ([*TALKED, (SERVER, S0, 0, S)], {8: "est_syn_toclient"}),
    ([*TALKED, (CLIENT, C2, S2 + FAR, A | P, DATA)], {8: "est_invalid_ack pkt_invalid_ack"}),
    ([*TALKED, (CLIENT, C2 + FAR, S2, A | P, DATA)], {8: "est_packet_out_of_window"}),
    ([*TALKED, (CLIENT, C2 - 1050, S2, A | P, DATA)], {8: "est_pkt_before_last_ack pkt_spurious_retransmission"}),
    ([*TALKED, (CLIENT, C, S2, A | P, DATA)], {8: "pkt_spurious_retransmission"}),
    ([*OPENED, (CLIENT, C, SV, A | P, DATA), (CLIENT, C, SV, A | P, DATA)], {}),
    ([*TALKED, (CLIENT, C2, SV, A | P, DATA)], {}),
    ([*TALKED, (CLIENT, C2, S2 + FAR, A | F)], {8: "fin_invalid_ack pkt_invalid_ack"}),
    ([*TALKED, (CLIENT, C2 + FAR, S2, A | F)], {8: "fin_out_of_window"}),
    ([(CLIENT, C0, 0, F)], {1: "fin_but_no_session"}),
    ([(CLIENT, C0, 0, S | F)], {1: "fin_but_no_session"}),
    ([(CLIENT, C0, 0, R)], {1: "rst_but_no_session"}),
    ([*TALKED, (CLIENT, C2, S2 + FAR, R | A)], {8: "pkt_invalid_ack rst_invalid_ack"}),
    ([*TALKED, (CLIENT, C2, S2, R | A, DATA)], {8: "rst_with_data"}),
    ([*TALKED, (CLIENT, C2, 0, R), (CLIENT, C2, S2 + FAR, A)], {}),
    ([(CLIENT, C0, 77, S)], {1: "pkt_broken_ack"}),
    ([(CLIENT, C0, 77, F)], {1: "fin_but_no_session pkt_broken_ack"}),
    ([(CLIENT, C0, 77, R)], {1: "pkt_broken_ack rst_but_no_session"}),
    ([(CLIENT, C0, 77, S), SYNACK, DONE, (CLIENT, C, SV, A | P, 1), (SERVER, SV, C + FAR, A)],
     {1: "pkt_broken_ack", 5: "est_invalid_ack pkt_invalid_ack"}),
    ([*OPENED, (CLIENT, C, 7, F), (SERVER, SV, C + 1, F | A), (CLIENT, C + 1, SV + 1, A)], {4: "pkt_broken_ack"}),
    ([*CLIENT_FIN, (SERVER, S2 + FAR, C2 + 1, A)], {9: "closewait_ack_out_of_window"}),
    ([*CLIENT_FIN, (SERVER, S2, C2 + FAR, A)], {9: "closewait_invalid_ack pkt_invalid_ack"}),
    ([*CLIENT_FIN, (SERVER, S2 + FAR, C2 + 1, A | F)], {9: "closewait_fin_out_of_window"}),
    ([*CLIENT_FIN, *CLIENT_FIN[-1:]], {}),
    ([*SERVER_FIN, (CLIENT, C2 + FAR, S2, A | P, DATA)], {9: "fin1_ack_wrong_seq"}),
    ([*SERVER_FIN, (CLIENT, C2, S2 + FAR, A | P, DATA)], {9: "fin1_invalid_ack pkt_invalid_ack"}),
    ([*SERVER_FIN, (CLIENT, C2 + FAR, S2, A | F)], {9: "fin1_fin_wrong_seq"}),
    ([*SERVER_FIN, (CLIENT, C2, S2 + 1, A), (CLIENT, C2 + FAR, S2 + 1, A | P, DATA)], {10: "fin2_ack_wrong_seq"}),
    ([*SERVER_FIN, (CLIENT, C2, S2 + 1, A), (CLIENT, C2, S2 + FAR, A)], {10: "fin2_invalid_ack pkt_invalid_ack"}),
    ([*SERVER_FIN, (CLIENT, C2, S2 + 1, A), (CLIENT, C2 + FAR, S2 + 1, A | F)], {10: "fin2_fin_wrong_seq"}),
    ([*BOTH_FIN, (CLIENT, C2 + 9999, S2 + 1, A)], {11: "lastack_ack_wrong_seq"}),
    ([*BOTH_FIN, (CLIENT, C2 + 1, S2 + FAR, A)], {11: "lastack_invalid_ack pkt_invalid_ack"}),
    ([(CLIENT, C0, 0, S, 0, WIN, 9), (SERVER, S0, C, S | A, 0, WIN, 5), (CLIENT, C, SV, A, 0, WIN, 10),
      (CLIENT, C, SV, A | P, DATA, WIN, 3)], {4: "pkt_invalid_timestamp"}),
    ([DONE, (CLIENT, C, SV, A | F)], {}),
    ([(CLIENT, C0, 0, 0), (SERVER, 0, C0, R | A)], {2: "rst_but_no_session"}),
    ([(CLIENT, C0, S0, A), (SERVER, S0, C0, R | A), (CLIENT, C0, 9, R)], {3: "pkt_broken_ack"}),
    # Answers that repeat another timestamp than the SYN's.
    ([SYN, (SERVER, 0, C, R | A, 0, WIN, echo(5)), SYNACK, DONE], {2: "pkt_invalid_timestamp"}),
    ([SYN, (SERVER, 0, C, R | A, 0, WIN, echo(0)), SYNACK, DONE], {}),
    ([(CLIENT, C0, 0, S, 0, WIN, 9), (SERVER, S0, C, S | A, 0, WIN, echo(8))], {2: "pkt_invalid_timestamp"}),
    ([(CLIENT, C0, 0, S, 0, WIN, 9), (SERVER, S0, C, S | A, 0, WIN, echo(9)), (CLIENT, C, SV + FAR, A | P, 1, WIN, 10)],
     {3: "3whs_right_seq_wrong_ack_evasion"}),
    # What comes again, or in the place of something else.
    ([*OPENED, (SERVER, SV, C, A), SYNACK], {5: "est_synack_resend"}),
    ([*OPENED, (CLIENT, C, SV, A), SYNACK], {}),
    ([*TALKED, (CLIENT, C2, S2, S | F | A)], {8: "fin_syn"}),
    ([SYN, SYNACK, (CLIENT, C, SV, S | F | A)], {3: "fin_syn"}),
    ([*TALKED, (SERVER, S2, C2, S | F | A)], {}),
    ([*TALKED, (CLIENT, C, S2, A | F)], {8: "fin_out_of_window"}),
    ([SYN, SYNACK, (SERVER, S0, C, A | F)], {3: "fin_out_of_window"}),
    ([*SERVER_FIN, SYN], {9: "shutdown_syn_resend"}),
    ([*SERVER_FIN, SYNACK], {9: "shutdown_syn_resend"}),
    ([*CLIENT_FIN, SYNACK], {9: "shutdown_syn_resend"}),
    ([*CLIENT_FIN, SYN], {}),
    ([*BOTH_FIN, SYNACK], {11: "shutdown_syn_resend"}),
    ([*CLIENT_FIN, (SERVER, SV, C2 + 1, A | P, DATA)],
     {9: "closewait_pkt_before_last_ack pkt_retransmission pkt_spurious_retransmission"}),
    ([*CLIENT_FIN, (SERVER, S2, C2 + 1, A), (CLIENT, C2, S2, A | F)], {10: "closewait_fin_out_of_window"}),
    ([*SERVER_FIN, (CLIENT, C, S2, A | P, DATA)], {9: "pkt_retransmission pkt_spurious_retransmission"}),
    ([*SERVER_FIN, (CLIENT, C2, S2, A | P, 9), (CLIENT, C2, S2, A | P, 9)], {10: "pkt_retransmission"}),
    ([*TALKED, (CLIENT, C2 - 1, S2, A | P, 1), (CLIENT, C2 - 1, S2, A), (CLIENT, C2 - 2, S2, A)],
     {10: "est_pkt_before_last_ack"}),
    ([*SERVER_FIN, (CLIENT, C2, S2 + 1, A | F), (SERVER, S2 + 9, C2 + 1, A)], {10: "timewait_ack_wrong_seq"}),
    ([*SERVER_FIN, (CLIENT, C2, S2 + 1, A | F), (CLIENT, C2 + 1, S2 + FAR, A)],
     {10: "pkt_invalid_ack timewait_invalid_ack"}),
    ([*SERVER_FIN, (CLIENT, C2, S2 + 1, A | F), (SERVER, S2 + 1, C2 + 1, A), (SERVER, S2 + 9, C2 + 1, A)], {}),
    ([*SERVER_FIN, (CLIENT, C2, S2 + 1, A | F), (CLIENT, C, S2 + 1, A | P, DATA)],
     {10: "pkt_retransmission pkt_spurious_retransmission"}),
    ([*BOTH_FIN, (SERVER, SV, C2 + 1, A | P, DATA)], {11: "pkt_spurious_retransmission"}),
    ([SYN, SYNACK, (SERVER, SV, C, A), DONE], {}),
    ([SYN, SYNACK, (SERVER, SV + 9, C, A)], {3: "3whs_wrong_seq_wrong_ack"}),
    ([(CLIENT, C0, 0, S, 4, WIN, FAST_OPEN), (SERVER, S0, C, S | A), (CLIENT, C, SV, A)],
     {2: "3whs_synack_tfo_data_ignored"}),
    ([(CLIENT, C0, 0, S, 4, WIN, FAST_OPEN), (SERVER, S0, C + 4, S | A), (CLIENT, C + 4, SV, A)], {}),
    ([(CLIENT, C0, 0, S, 4, WIN, FAST_OPEN_AS_EXPERIMENT), (SERVER, S0, C + 4, S | A), (CLIENT, C + 4, SV, A)], {}),
    ([(CLIENT, C0, 0, S, 4, WIN, OTHER_EXPERIMENT), (SERVER, S0, C + 4, S | A)], {2: "3whs_synack_with_wrong_ack"}),
    ([(CLIENT, C0, 0, S, 4), (SERVER, S0, C + 4, S | A)], {2: "3whs_synack_with_wrong_ack"}),
    # Resets that are not in their place end nothing.
    ([*TALKED, (CLIENT, C2 + 5, 0, R), SYN], {9: "est_syn_resend"}),
    ([*CLIENT_FIN, (CLIENT, C2, 0, R), SYNACK], {}),
    ([*CLIENT_FIN, (CLIENT, C2 + 1, 0, R), SYNACK], {10: "shutdown_syn_resend"}),
    ([SYN, (CLIENT, C, SV, R | A)], {2: "pkt_invalid_ack rst_invalid_ack"}),
    ([SYN, (SERVER, 0, C + 9, R | A)], {2: "pkt_invalid_ack rst_invalid_ack"}),
    ([SYN, (SERVER, 0, 0, R), (SERVER, S0, C0 + 99, S | A)], {3: "3whs_synack_with_wrong_ack"}),
    ([SYN, SYNACK, (CLIENT, C, SV + FAR, R | A)], {3: "pkt_invalid_ack rst_invalid_ack"}),
    # Windows: the right edge never goes back; what the SYN has announced counts until the handshake is over.
    ([(*SYN, 0, 1000), (*SYNACK, 0, 100), (*DONE, 0, 100), (SERVER, SV, C, A | P, 600, 100)],
     {4: "est_packet_out_of_window"}),
    ([(*SYN, 0, 1000), (*SYNACK, 0, 1000), (*DONE, 0, 1000), (SERVER, SV, C, A | P, 10, 100),
      (CLIENT, C + 500, SV - 50, A | P, 50, 0)], {}),
    ([(*SYN, 0, 100), (*SYNACK, 0, 1000), (*DONE, 0, 100), (CLIENT, C + 1, SV + 100, A, 0, 100),
      (CLIENT, C + 50, SV - 50, A, 0, 100)], {5: "est_invalid_ack pkt_invalid_ack"}),
    ([*OPENED, (SERVER, SV, C, A, 0, 0), (CLIENT, C, SV, A | P, 1), (SERVER, SV, C + 1, A, 0, 0),
      (CLIENT, C + 1, SV, A | P, 9), (SERVER, SV, C + 10, A)], {}),
    ([*OPENED, (CLIENT, C, SV, A | F, 0, 0), (SERVER, SV + 90, C + 1, A)], {5: "closewait_ack_out_of_window"}),
    # What acknowledges bytes that were not seen.
    ([*OPENED, (SERVER, SV, C + 1, A), DONE], {5: "est_pkt_before_last_ack"}),
    ([*OPENED, (CLIENT, C, SV + 1, A), (SERVER, SV, C - 1, A)], {}),
    ([*OPENED, (SERVER, SV, C + 1, A), (CLIENT, C - 1, SV, A)], {}),
    ([*OPENED, (CLIENT, C, SV + 1, A | F), (SERVER, SV, C + 1, A | P, 1)],
     {5: "closewait_pkt_before_last_ack pkt_retransmission pkt_spurious_retransmission"}),
    ([SYN, SYNACK, (SERVER, SV, C - 1, A)], {3: "3whs_wrong_seq_wrong_ack"}),
    ([SYN, SYNACK, (SERVER, SV, C + 10, A)], {}),
    # Bytes in front of the first one, and what comes behind a reset.
    ([*OPENED, (CLIENT, C, SV, A | P, DATA), (CLIENT, C - DATA, SV, A | P, DATA)], {5: "pkt_spurious_retransmission"}),
    ([*TALKED, (CLIENT, C2, 0, R), (SERVER, SV, C2, A | P, DATA)], {9: "pkt_spurious_retransmission"}),
    ([SYN, (CLIENT, C - DATA, SV, A | P, DATA)], {2: "pkt_spurious_retransmission"}),
    ([SYN, (SERVER, 0, C, R | A), (SERVER, S0, C0 + 99, S | A)], {3: "3whs_synack_with_wrong_ack"}),
    ([SYN, (SERVER, 0, C0, R | A)], {2: "pkt_invalid_ack rst_invalid_ack"}),
    ([*OPENED, (SERVER, SV, C, A | F), (SERVER, SV + 1, 0, R), SYNACK], {}),
    ([*OPENED, (SERVER, SV, C, A | F), (SERVER, SV, 0, R), SYNACK], {6: "shutdown_syn_resend"}),
    # Ends out of their place.
    ([*OPENED, (SERVER, SV, C, A | F), (SERVER, SV + 1, C, A | F), (SERVER, SV + 2, C - 1, A)],
     {6: "timewait_ack_wrong_seq"}),
    ([*OPENED, (SERVER, SV, C, A | F), (SERVER, SV - DATA, C, A | F)], {5: "fin1_fin_wrong_seq"}),
    ([*OPENED, (SERVER, SV, C + 1, A | F), (CLIENT, C, SV + 1, A | F)], {}),
    ([*SERVER_FIN, (CLIENT, C2, 0, F), SYNACK], {10: "shutdown_syn_resend"}),
    ([*BOTH_FIN, (CLIENT, C2 + 1, S2 + 1, A), SYNACK], {}),
    ([*OPENED, (SERVER, SV, C, A | P | F, 1), (SERVER, SV, C, A | P | F, 1), (CLIENT, C, SV + 2, A)],
     {5: "pkt_retransmission"}),
    # Timestamps: looked at where both SYNs had one, and of SYNs only by those that answer.
    *[([(CLIENT, C0, 0, S, 0, WIN, 9), (CLIENT, C0, 0, S, 0, WIN, 12), (SERVER, S0, C, S | A, 0, WIN, echo(old))],
       odd) for old, odd in ((9, {}), (12, {}), (10, {3: "pkt_invalid_timestamp"}))],
    ([*STAMPED, (CLIENT, C0, 0, S, 0, WIN, 9)], {4: "est_syn_resend"}),
    ([*STAMPED, (CLIENT, C, SV, R | A, 0, WIN, 3)], {4: "pkt_invalid_timestamp"}),
    ([*STAMPED, (CLIENT, C - 1, SV, A, 0, WIN, 3)], {}),
    # Resets with a signature (TCP-MD5, TCP-AO) end nothing; who goes on behind one has not sent it.
    ([*TALKED, (CLIENT, C2, S2, R | A, 0, WIN, MD5), (SERVER, S2, C2, A), (CLIENT, C2, S2, A | P, 9),
      (CLIENT, C2 + 9, S2, A | P, 9)], {10: "suspected_rst_inject"}),
    ([*TALKED, *[(SERVER, S2, C2, R | A, 0, WIN, some) for some in (MD5, MD5, None)], (SERVER, S2, C2, A)],
     {11: "suspected_rst_inject"}),
    ([*TALKED, *[(CLIENT, C2, S2, R | A, 0, WIN, AO), (CLIENT, C2, S2, A)] * 2],
     {9: "suspected_rst_inject", 11: "suspected_rst_inject"}),
    ([SYN, (SERVER, 0, C, R | A, 0, WIN, MD5), SYNACK, DONE], {3: "suspected_rst_inject"}),
    ([*TALKED, (CLIENT, C2, S2, R | A), (CLIENT, C2, S2, A)], {}),
    ([STAMPED[0], SYNACK, (CLIENT, C, SV, A, 0, WIN, 5), (CLIENT, C, SV, A | P, 9, WIN, 4)], {}),
]  # fmt: skip


@pytest.mark.parametrize(("segments", "expected"), CASES, ids=range(len(CASES)))
def test_segments(segments, expected):
    wanted = {n: set(names.split()) for n, names in expected.items()}
    for cut in (None, *range(1, len(segments))):
        assert found(segments, cut) == wanted


UNSEEN = [
    ([(CLIENT, C0, S0, A), (SERVER, S0, 0, R)], {2: "rst_but_no_session"}),
    ([(CLIENT, C0, S0, A), (SERVER, S0, C0, R | A), (SERVER, S0, C0, R)],
     {2: "rst_but_no_session", 3: "pkt_broken_ack rst_but_no_session"}),
    ([(CLIENT, C0, S0, A | P, 4), (SERVER, S0, C0 + 4, A | P, 4), (CLIENT, C0 + 4, S0 + 4, F | A)],
     {3: "fin_but_no_session"}),
    ([(SERVER, S0, C0, S | A), (CLIENT, C0, 0, R)], {2: "rst_but_no_session"}),
    ([(CLIENT, C0, S0, A, 0, WIN, 900), (CLIENT, C0, 0, S, 0, WIN, 9), SYNACK, DONE, (CLIENT, C, SV + FAR, F | A)],
     {5: "fin_invalid_ack pkt_invalid_ack"}),
]  # fmt: skip


@pytest.mark.parametrize(("segments", "expected"), UNSEEN, ids=range(len(UNSEEN)))
def test_without_midstream_what_has_no_start_is_no_session(segments, expected):
    wanted = {n: set(names.split()) for n, names in expected.items()}
    for cut in (None, *range(1, len(segments))):
        assert found(segments, cut, midstream=False) == wanted
    assert found(segments) != wanted


def test_each_event_is_raised_by_some_segment():
    raised = {name for _, expected in CASES for names in expected.values() for name in names.split()}
    assert raised == {one.event.removeprefix("stream.") for one in TcpEvent}


def test_sequence_numbers_wrap():
    shift = (1 << 32) - C0 - 50
    wrapped = [(side, (seq + shift) % (1 << 32) if side == CLIENT else seq, (ack + shift) % (1 << 32) if side else ack,
                *rest) for side, seq, ack, *rest in TALKED]  # fmt: skip
    assert found(wrapped) == {}


def test_a_connection_that_is_not_known_from_its_start_is_not_looked_at():
    rows, buf = rows_of([(CLIENT, C2 + FAR, S2, A | F)])
    rows["fstate"] = 0
    assert Watcher().look(rows, buf, np.zeros(1, FLOW)).tolist() == [0]


def test_fragments_second_copies_and_other_protocols_are_passed_over():
    for column, value in (("frag", FRAG_PART), ("dup", 1), ("proto", 17), ("flow", -1), ("l4", -1)):
        rows, buf = rows_of([(CLIENT, C0, 0, F)])
        rows[column] = value
        assert Watcher().look(rows, buf, np.zeros(1, FLOW)).tolist() == [0]


def test_a_slot_begins_anew_with_its_flow():
    rows, buf = rows_of([*TALKED, SYN])
    rows["fstate"][7] = FS_NEW
    assert not Watcher().look(rows, buf, np.zeros(1, FLOW)).any()


@pytest.mark.parametrize(("options", "ignored"), [(FAST_OPEN, 1 << TcpEvent.HS_SYNACK_TFO_DATA_IGNORED), (None, 0)])
def test_a_flow_that_begins_with_the_answer_to_data_in_a_syn_goes_on(options, ignored):
    segments = [(CLIENT, C0, 0, S, 4, WIN, options), (SERVER, S0, C, S | A), (CLIENT, C, SV + 9, A)]
    for cut in (1, 2):
        rows, buf = rows_of(segments)
        rows["flow"][1:], rows["fstate"][1] = 2, FS_NEW
        watcher, flows = Watcher(), np.zeros(4, FLOW)
        bits = np.concatenate([watcher.look(part, buf, flows) for part in (rows[:cut], rows[cut:])])
        assert bits.tolist() == [0, ignored, 1 << TcpEvent.HS_RIGHT_SEQ_WRONG_ACK_EVASION]


def test_another_connection_of_the_same_ends_is_no_end_without_a_session():
    again = [(CLIENT, C0 + 5000, 0, S), (SERVER, 9000, C0 + 5001, S | A), (CLIENT, C0 + 5001, 9001, A),
             (CLIENT, C0 + 5001, 9001, A | F), (SERVER, 9001 + FAR, C0 + 5002, A)]  # fmt: skip
    for cut in (7, 8, 9, 10):
        rows, buf = rows_of([*TALKED, *again])
        rows["flow"][8:], rows["fstate"][8] = 2, FS_NEW
        watcher, flows = Watcher(midstream=False), np.zeros(4, FLOW)
        bits = np.concatenate([watcher.look(part, buf, flows) for part in (rows[:cut], rows[cut:])])
        assert bits[7:].tolist() == [1 << TcpEvent.EST_SYN_RESEND_DIFF_SEQ, 0, 0, 0, 0]
