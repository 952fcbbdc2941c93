"""What is odd about a TCP segment in its connection, told apart as Suricata does: values of the field `tcp.event`.

`StreamAnomaly` is what the flow table itself finds, once a side. These belong to single packets, and are worked out
(`flow/watch.py`) only where a rule asks for one.
"""

from enum import IntEnum


class TcpEvent(IntEnum):
    """Bit numbers."""

    HS_SYNACK_IN_WRONG_DIRECTION = 0
    HS_SYNACK_WITH_WRONG_ACK = 1
    HS_SYNACK_RESEND_WITH_DIFF_ACK = 2
    HS_SYNACK_TOSERVER_ON_SYN_RECV = 3
    HS_SYN_RESEND_DIFF_SEQ_ON_SYN_RECV = 4
    HS_SYN_TOCLIENT_ON_SYN_RECV = 5
    HS_RIGHT_SEQ_WRONG_ACK_EVASION = 6
    HS_WRONG_SEQ_WRONG_ACK = 7
    HS_SYNACK_FLOOD = 8
    HS_SYN_FLOOD = 9
    HS4_SYNACK_WITH_WRONG_ACK = 10
    HS4_SYNACK_WITH_WRONG_SYN = 11
    HS4_WRONG_SEQ = 12
    HS4_INVALID_ACK = 13
    PKT_INVALID_ACK = 14
    EST_SYNACK_RESEND_WITH_DIFF_ACK = 15
    EST_SYNACK_RESEND_WITH_DIFF_SEQ = 16
    EST_SYNACK_TOSERVER = 17
    EST_SYN_RESEND = 18
    EST_SYN_RESEND_DIFF_SEQ = 19
    EST_SYN_TOCLIENT = 20
    EST_INVALID_ACK = 21
    EST_PACKET_OUT_OF_WINDOW = 22
    EST_PKT_BEFORE_LAST_ACK = 23
    PKT_SPURIOUS_RETRANSMISSION = 24
    FIN_INVALID_ACK = 25
    FIN_OUT_OF_WINDOW = 26
    FIN_BUT_NO_SESSION = 27
    RST_BUT_NO_SESSION = 28
    RST_INVALID_ACK = 29
    RST_WITH_DATA = 30
    PKT_BROKEN_ACK = 31
    PKT_INVALID_TIMESTAMP = 32
    CLOSEWAIT_ACK_OUT_OF_WINDOW = 33
    CLOSEWAIT_FIN_OUT_OF_WINDOW = 34
    CLOSEWAIT_INVALID_ACK = 35
    FIN1_ACK_WRONG_SEQ = 36
    FIN1_FIN_WRONG_SEQ = 37
    FIN1_INVALID_ACK = 38
    FIN2_ACK_WRONG_SEQ = 39
    FIN2_FIN_WRONG_SEQ = 40
    FIN2_INVALID_ACK = 41
    LASTACK_ACK_WRONG_SEQ = 42
    LASTACK_INVALID_ACK = 43
    HS_SYNACK_TFO_DATA_IGNORED = 44
    EST_SYNACK_RESEND = 45
    SHUTDOWN_SYN_RESEND = 46
    CLOSEWAIT_PKT_BEFORE_LAST_ACK = 47
    PKT_RETRANSMISSION = 48
    FIN_SYN = 49
    TIMEWAIT_ACK_WRONG_SEQ = 50
    TIMEWAIT_INVALID_ACK = 51
    PKT_BAD_WINDOW_UPDATE = 52
    CLOSING_ACK_WRONG_SEQ = 53
    CLOSING_INVALID_ACK = 54
    SUSPECTED_RST_INJECT = 55

    @property
    def event(self) -> str:
        """The value of `tcp.event`: three- and four-way handshakes begin with a digit there."""
        name = self.name.lower()
        if name.startswith("hs4_"):
            return f"stream.4whs_{name[4:]}"
        return f"stream.3whs_{name[3:]}" if name.startswith("hs_") else f"stream.{name}"
