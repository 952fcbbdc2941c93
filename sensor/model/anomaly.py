"""Every way a packet or stream can be odd, and every reason not to inspect it: one name in code, EVE and metrics.

A decode anomaly is a bit in the `anomaly` column, so there are at most 64 of them. The names follow Suricata's
event names where it has one (`decoder.*`, `stream.*`), so that rules and dashboards written for it keep working.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class DecodeAnomaly(IntEnum):
    """Bit numbers of the `anomaly` column."""

    LINK_TRUNCATED = 0
    VLAN_TRUNCATED = 1
    VLAN_TOO_MANY_LAYERS = 2
    MPLS_TRUNCATED = 3
    MPLS_TOO_MANY_LAYERS = 4
    PPPOE_TRUNCATED = 5
    PPPOE_UNSUPPORTED = 6
    ARP_TRUNCATED = 7
    ARP_UNSUPPORTED = 8
    IPV4_PKT_TOO_SMALL = 9
    IPV4_HLEN_TOO_SMALL = 10
    IPV4_IPLEN_SMALLER_THAN_HLEN = 11
    IPV4_TRUNC_PKT = 12
    IPV4_WRONG_VERSION = 13
    IPV4_OPT_INVALID = 14
    IPV4_ZERO_LENGTH = 15
    IPV6_PKT_TOO_SMALL = 16
    IPV6_TRUNC_PKT = 17
    IPV6_WRONG_VERSION = 18
    IPV6_TRUNC_EXTHDR = 19
    IPV6_EXTHDR_TOO_MANY = 20
    IPV6_EXTHDR_DUPL = 21
    IPV6_FH_USELESS = 22
    IPV6_FH_NO_L4 = 23
    IPV6_RH_TYPE0 = 24
    IPV6_ZERO_LENGTH = 25
    TCP_PKT_TOO_SMALL = 26
    TCP_HLEN_TOO_SMALL = 27
    TCP_INVALID_OPTLEN = 28
    UDP_PKT_TOO_SMALL = 29
    UDP_LEN_INVALID = 30
    SCTP_PKT_TOO_SMALL = 31
    ICMPV4_PKT_TOO_SMALL = 32
    ICMPV6_PKT_TOO_SMALL = 33
    GRE_PKT_TOO_SMALL = 34
    GRE_UNSUPPORTED = 35
    ERSPAN_TRUNCATED = 36
    ERSPAN_UNSUPPORTED = 37
    VXLAN_TRUNCATED = 38
    VXLAN_UNKNOWN_PAYLOAD = 39
    GENEVE_TRUNCATED = 40
    GENEVE_UNKNOWN_PAYLOAD = 41
    TOO_MANY_LAYERS = 42
    ETHERTYPE_UNKNOWN = 43
    FRAG_PKT_TOO_LARGE = 44
    FRAG_OVERLAP = 45
    FRAG_OVERLAP_DIFF_DATA = 46
    FRAG_IGNORED = 47
    FRAG_TIMEOUT = 48
    SNAPLEN_CUT = 49
    LAND_ATTACK = 50
    FRAME_OVER_MTU = 51
    LLC_UNSUPPORTED = 52
    PPP_UNSUPPORTED = 53
    ESP_UNINSPECTED = 54
    IPV6_FRAG_INVALID_LENGTH = 55
    IPV6_DSTOPTS_UNKNOWN_OPT = 56
    SLL_PKT_TOO_SMALL = 57
    PPP_PKT_TOO_SMALL = 58
    CHDLC_PKT_TOO_SMALL = 59
    LTNULL_PKT_TOO_SMALL = 60
    LTNULL_UNSUPPORTED_TYPE = 61
    IPRAW_INVALID_IP_VERSION = 62

    @property
    def event(self) -> str:
        """The rule keyword `decode-event` and the metric label."""
        return _DECODE_EVENTS[self]

    def logged(self, ipv: int) -> str:
        """Return EVE's `anomaly.event`: what is odd in fragments has a name of its own in IPv6."""
        return self.event.replace("ipv4.frag_", f"ipv{ipv}.frag_") if ipv else self.event


_DECODE_EVENTS = {
    DecodeAnomaly.LINK_TRUNCATED: "decoder.ethernet.pkt_too_small",
    DecodeAnomaly.VLAN_TRUNCATED: "decoder.vlan.header_too_small",
    DecodeAnomaly.VLAN_TOO_MANY_LAYERS: "decoder.vlan.too_many_layers",
    DecodeAnomaly.MPLS_TRUNCATED: "decoder.mpls.header_too_small",
    DecodeAnomaly.MPLS_TOO_MANY_LAYERS: "decoder.mpls.too_many_layers",
    DecodeAnomaly.PPPOE_TRUNCATED: "decoder.pppoe.pkt_too_small",
    DecodeAnomaly.PPPOE_UNSUPPORTED: "decoder.pppoe.unsupported",
    DecodeAnomaly.ARP_TRUNCATED: "decoder.arp.pkt_too_small",
    DecodeAnomaly.ARP_UNSUPPORTED: "decoder.arp.unsupported",
    DecodeAnomaly.IPV4_PKT_TOO_SMALL: "decoder.ipv4.pkt_too_small",
    DecodeAnomaly.IPV4_HLEN_TOO_SMALL: "decoder.ipv4.hlen_too_small",
    DecodeAnomaly.IPV4_IPLEN_SMALLER_THAN_HLEN: "decoder.ipv4.iplen_smaller_than_hlen",
    DecodeAnomaly.IPV4_TRUNC_PKT: "decoder.ipv4.trunc_pkt",
    DecodeAnomaly.IPV4_WRONG_VERSION: "decoder.ipv4.wrong_ip_version",
    DecodeAnomaly.IPV4_OPT_INVALID: "decoder.ipv4.opt_invalid_len",
    DecodeAnomaly.IPV4_ZERO_LENGTH: "decoder.ipv4.zero_length",
    DecodeAnomaly.IPV6_PKT_TOO_SMALL: "decoder.ipv6.pkt_too_small",
    DecodeAnomaly.IPV6_TRUNC_PKT: "decoder.ipv6.trunc_pkt",
    DecodeAnomaly.IPV6_WRONG_VERSION: "decoder.ipv6.wrong_ip_version",
    DecodeAnomaly.IPV6_TRUNC_EXTHDR: "decoder.ipv6.trunc_exthdr",
    DecodeAnomaly.IPV6_EXTHDR_TOO_MANY: "decoder.ipv6.exthdr_too_many",
    DecodeAnomaly.IPV6_EXTHDR_DUPL: "decoder.ipv6.exthdr_dupl",
    DecodeAnomaly.IPV6_FH_USELESS: "decoder.ipv6.exthdr_useless_fh",
    DecodeAnomaly.IPV6_FH_NO_L4: "decoder.ipv6.frag_no_l4",
    DecodeAnomaly.IPV6_RH_TYPE0: "decoder.ipv6.rh_type_0",
    DecodeAnomaly.IPV6_ZERO_LENGTH: "decoder.ipv6.zero_length",
    DecodeAnomaly.TCP_PKT_TOO_SMALL: "decoder.tcp.pkt_too_small",
    DecodeAnomaly.TCP_HLEN_TOO_SMALL: "decoder.tcp.hlen_too_small",
    DecodeAnomaly.TCP_INVALID_OPTLEN: "decoder.tcp.invalid_optlen",
    DecodeAnomaly.UDP_PKT_TOO_SMALL: "decoder.udp.pkt_too_small",
    DecodeAnomaly.UDP_LEN_INVALID: "decoder.udp.len_invalid",
    DecodeAnomaly.SCTP_PKT_TOO_SMALL: "decoder.sctp.pkt_too_small",
    DecodeAnomaly.ICMPV4_PKT_TOO_SMALL: "decoder.icmpv4.pkt_too_small",
    DecodeAnomaly.ICMPV6_PKT_TOO_SMALL: "decoder.icmpv6.pkt_too_small",
    DecodeAnomaly.GRE_PKT_TOO_SMALL: "decoder.gre.pkt_too_small",
    DecodeAnomaly.GRE_UNSUPPORTED: "decoder.gre.unsupported",
    DecodeAnomaly.ERSPAN_TRUNCATED: "decoder.erspan.header_too_small",
    DecodeAnomaly.ERSPAN_UNSUPPORTED: "decoder.erspan.unsupported_version",
    DecodeAnomaly.VXLAN_TRUNCATED: "decoder.vxlan.header_too_small",
    DecodeAnomaly.VXLAN_UNKNOWN_PAYLOAD: "decoder.vxlan.unknown_payload_type",
    DecodeAnomaly.GENEVE_TRUNCATED: "decoder.geneve.header_too_small",
    DecodeAnomaly.GENEVE_UNKNOWN_PAYLOAD: "decoder.geneve.unknown_payload_type",
    DecodeAnomaly.TOO_MANY_LAYERS: "decoder.too_many_layers",
    DecodeAnomaly.ETHERTYPE_UNKNOWN: "decoder.ethernet.unknown_ethertype",
    DecodeAnomaly.FRAG_PKT_TOO_LARGE: "decoder.ipv4.frag_pkt_too_large",
    DecodeAnomaly.FRAG_OVERLAP: "decoder.ipv4.frag_overlap",
    DecodeAnomaly.FRAG_OVERLAP_DIFF_DATA: "decoder.ipv4.frag_overlap_diff_data",
    DecodeAnomaly.FRAG_IGNORED: "decoder.ipv4.frag_ignored",
    DecodeAnomaly.FRAG_TIMEOUT: "decoder.ipv4.frag_timeout",
    DecodeAnomaly.SNAPLEN_CUT: "decoder.snaplen_cut",
    DecodeAnomaly.LAND_ATTACK: "decoder.ip.land",
    DecodeAnomaly.FRAME_OVER_MTU: "decoder.frame_over_mtu",
    DecodeAnomaly.LLC_UNSUPPORTED: "decoder.llc.unsupported",
    DecodeAnomaly.PPP_UNSUPPORTED: "decoder.ppp.unsup_proto",
    DecodeAnomaly.ESP_UNINSPECTED: "decoder.esp.uninspected",
    DecodeAnomaly.IPV6_FRAG_INVALID_LENGTH: "decoder.ipv6.frag_invalid_length",
    DecodeAnomaly.IPV6_DSTOPTS_UNKNOWN_OPT: "decoder.ipv6.dstopts_unknown_opt",
    DecodeAnomaly.SLL_PKT_TOO_SMALL: "decoder.sll.pkt_too_small",
    DecodeAnomaly.PPP_PKT_TOO_SMALL: "decoder.ppp.pkt_too_small",
    DecodeAnomaly.CHDLC_PKT_TOO_SMALL: "decoder.chdlc.pkt_too_small",
    DecodeAnomaly.LTNULL_PKT_TOO_SMALL: "decoder.ltnull.pkt_too_small",
    DecodeAnomaly.LTNULL_UNSUPPORTED_TYPE: "decoder.ltnull.unsupported_type",
    DecodeAnomaly.IPRAW_INVALID_IP_VERSION: "decoder.ipraw.invalid_ip_version",
}


class StreamAnomaly(IntEnum):
    """`SEG.arg` of a SEG_NOTE event."""

    MIDSTREAM_PICKUP = 0
    REASSEMBLY_GAP = 1
    OVERLAP = 2
    OVERLAP_DIFF_DATA = 3
    DEPTH_REACHED = 4
    SEGMENT_MEMCAP = 5
    OUT_OF_WINDOW = 6
    SYN_RESEND_DIFF_SEQ = 7
    SYNACK_DIFF_SEQ = 8
    RST_BUT_INVALID = 9
    DATA_AFTER_CLOSE = 10
    URGENT_DATA = 11
    TCP_FASTOPEN = 12
    PORT_REUSE = 13
    SUSPECTED_RST_INJECT = 14
    REASSEMBLY_SEQ_GAP = 15
    """A REASSEMBLY_GAP that Suricata tells of: within a protocol that is known, or at the very beginning of a side.
    The walk tells them apart; the flow table does not know protocols."""

    @property
    def event(self) -> str:
        """The rule keyword `stream-event` and the metric label."""
        return f"stream.{self.name.lower()}"

    @property
    def logged(self) -> str:
        """EVE `anomaly.event`."""
        return STREAM_OTHERWISE.get(self.event, self.event)


STREAM_OTHERWISE: Mapping[str, str] = MappingProxyType(
    {
        "stream.reassembly_gap": "stream.reassembly_seq_gap",
        "stream.overlap_diff_data": "stream.reassembly_overlap_different_data",
        "stream.depth_reached": "stream.reassembly_depth_reached",
        "stream.segment_memcap": "stream.reassembly_insert_memcap",
    }
)
"""Events that have another name in Suricata."""


_TWO_WORDS = ("xen_migration", "bittorrent_dht")
"""Protocols whose names are two words."""
_IN_CAPITALS = frozenset({"http", "tls", "ftp", "smtp", "dnp3", "enip"})
"""Protocols whose events Suricata's records have in capital letters: those that it parses in C."""
_OF_NONE = frozenset({"parser", "protocol", "detect", "proto", "wrong", "no", "unexpected"})
"""First words of what belongs to no protocol."""


OTHERWISE: Mapping[str, str] = MappingProxyType(
    {
        "applayer.parser_error": "smb.internal_error",
        "applayer.protocol_mismatch": "applayer_mismatch_protocol_both_directions",
        "dns.malformed": "dns.malformed_data",
        "dns.not_a_request": "dns.not_request",
        "dns.not_a_response": "dns.not_response",
        "dns.pointer_loop": "dns.infinite_loop",
        "http.decompression_bomb": "http.compression_bomb",
        "http.decompression_failed": "http.gzip_decompression_failed",
        "ssh.banner_too_long": "ssh.long_banner",
        "tls.certificate_invalid": "tls.invalid_certificate",
        "tls.invalid_handshake": "tls.invalid_handshake_message",
        "tls.invalid_record": "tls.invalid_ssl_record",
        "tls.too_many_records": "tls.too_many_records_in_packet",
    }
)
"""Events that have another name in Suricata's rules."""


class AppAnomaly(IntEnum):
    """What parsers of application protocols find odd, with Suricata's name where it has one.

    A protocol's members are numbered from 32 times its id (`sensor.proto.ids`); the first ones are older.
    """

    HTTP_INVALID_REQUEST_LINE = 0
    HTTP_INVALID_RESPONSE_LINE = 1
    HTTP_HEADER_TOO_LONG = 2
    HTTP_TOO_MANY_HEADERS = 3
    HTTP_AMBIGUOUS_LENGTH = 4
    HTTP_INVALID_CHUNK = 5
    HTTP_INVALID_CONTENT_LENGTH = 6
    HTTP_DECOMPRESSION_FAILED = 7
    HTTP_DECOMPRESSION_BOMB = 8
    HTTP_TOO_MANY_PIPELINED = 9
    HTTP_DOUBLE_ENCODED_URI = 10
    DNS_MALFORMED = 11
    DNS_NAME_TOO_LONG = 12
    DNS_POINTER_LOOP = 13
    DNS_TOO_MANY_RECORDS = 14
    TLS_INVALID_RECORD = 15
    TLS_INVALID_HANDSHAKE = 16
    TLS_CERTIFICATE_INVALID = 17
    TLS_TOO_MANY_RECORDS = 18
    SSH_INVALID_BANNER = 19
    SSH_BANNER_TOO_LONG = 20
    SSH_INVALID_KEXINIT = 21
    DHCP_MALFORMED = 22
    PARSER_ERROR = 23
    PROTOCOL_GAP = 24
    PROTOCOL_MISMATCH = 25
    HTTP_RESPONSE_TOO_MANY_HEADERS = 26
    HTTP_REQUEST_FIELD_TOO_LONG = 27
    HTTP_100_CONTINUE_ALREADY_SEEN = 28
    HTTP_UNABLE_TO_MATCH_RESPONSE_TO_REQUEST = 29
    HTTP_RESPONSE_ABNORMAL_TRANSFER_ENCODING = 30
    HTTP_RESPONSE_CHUNKED_OLD_PROTO = 31
    DETECT_PROTOCOL_ONLY_ONE_DIRECTION = 32
    PROTO_DETECTION_SKIPPED = 36
    HTTP_TOO_MANY_WARNINGS = 37
    WRONG_DIRECTION_FIRST_DATA = 33
    HTTP_MULTIPART_INVALID_HEADER = 34
    HTTP_MULTIPART_NO_FILEDATA = 35
    HTTP_REQUEST_AUTH_UNRECOGNIZED = 64
    HTTP_TOO_MANY_ENCODING_LAYERS = 65
    HTTP_MISSING_HOST_HEADER = 66
    HTTP_INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST = 67
    HTTP_RESPONSE_MULTIPART_BYTERANGES = 68
    HTTP_REQUEST_HEADER_HOST_INVALID = 69
    HTTP_REQUEST_LINE_LEADING_WHITESPACE = 70
    HTTP_METHOD_DELIM_NON_COMPLIANT = 71
    HTTP_URI_DELIM_NON_COMPLIANT = 72
    HTTP_REQUEST_LINE_INCOMPLETE = 73
    HTTP_REQUEST_BODY_UNEXPECTED = 74
    HTTP_REQUEST_FIELD_MISSING_COLON = 75
    HTTP_RESPONSE_FIELD_MISSING_COLON = 76
    HTTP_REQUEST_HEADER_INVALID = 77
    HTTP_RESPONSE_HEADER_INVALID = 78
    HTTP_INVALID_REQUEST_FIELD_FOLDING = 79
    HTTP_INVALID_RESPONSE_FIELD_FOLDING = 80
    HTTP_REQUEST_URI_HOST_INVALID = 81
    HTTP_HOST_HEADER_AMBIGUOUS = 82
    HTTP_DUPLICATE_CONTENT_LENGTH_FIELD_IN_REQUEST = 83
    HTTP_DUPLICATE_CONTENT_LENGTH_FIELD_IN_RESPONSE = 84
    HTTP_INVALID_CONTENT_LENGTH_FIELD_IN_REQUEST = 85
    HTTP_INVALID_CONTENT_LENGTH_FIELD_IN_RESPONSE = 86
    HTTP_INVALID_REQUEST_CHUNK_LEN = 87
    HTTP_INVALID_RESPONSE_CHUNK_LEN = 88
    HTTP_REQUEST_CHUNK_EXTENSION = 89
    HTTP_RANGE_INVALID = 90
    HTTP_FILE_NAME_TOO_LONG = 91
    HTTP_ABNORMAL_CE_HEADER = 92
    HTTP_RESPONSE_INVALID_PROTOCOL = 93
    HTTP_RESPONSE_INVALID_STATUS = 94
    HTTP_REQUEST_TOO_MANY_HEADERS = 95
    DNS_Z_FLAG_SET = 96
    DNS_NOT_A_REQUEST = 97
    DNS_NOT_A_RESPONSE = 98
    DNS_INVALID_OPCODE = 99
    TLS_INVALID_RECORD_TYPE = 128
    TLS_INVALID_RECORD_VERSION = 129
    TLS_CERTIFICATE_INVALID_LENGTH = 130
    TLS_MULTIPLE_SNI_EXTENSIONS = 131
    TLS_INVALID_SNI_TYPE = 132
    TLS_INVALID_SNI_LENGTH = 133
    TLS_HANDSHAKE_INVALID_LENGTH = 134
    TLS_CERTIFICATE_INVALID_VERSION = 135
    TLS_CERTIFICATE_INVALID_SERIAL = 136
    TLS_CERTIFICATE_INVALID_DATE = 137
    TLS_CERTIFICATE_INVALID_DER = 138
    TLS_OVERFLOW_HEARTBEAT_MESSAGE = 139
    TLS_INVALID_HEARTBEAT_MESSAGE = 140
    TLS_CERTIFICATE_INVALID_SUBJECT = 141
    TLS_CERTIFICATE_INVALID_ISSUER = 142
    TLS_ERROR_MESSAGE_ENCOUNTERED = 143
    TLS_INVALID_RECORD_LENGTH = 144
    TLS_CERTIFICATE_INVALID_ALGORITHMIDENTIFIER = 145
    TLS_CERTIFICATE_INVALID_EXTENSIONS = 146
    TLS_DATALEAK_HEARTBEAT_MISMATCH = 147
    SSH_INVALID_RECORD = 160
    DHCP_TRUNCATED_OPTIONS = 192
    KRB5_MALFORMED_DATA = 288
    KRB5_WEAK_ENCRYPTION = 289
    SMB_MALFORMED_DATA = 224
    SMB_MALFORMED_NTLMSSP_REQUEST = 225
    SMB_DUPLICATE_NEGOTIATE = 226
    SMB_NEGOTIATE_MALFORMED_DIALECTS = 227
    SMB_FILE_OVERLAP = 228
    SMB_READ_REQUEST_TOO_LARGE = 229
    SMB_READ_RESPONSE_TOO_LARGE = 230
    SMB_READ_QUEUE_SIZE_EXCEEDED = 231
    SMB_WRITE_REQUEST_TOO_LARGE = 232
    SMB_WRITE_QUEUE_SIZE_EXCEEDED = 233
    SMB_TOO_MANY_TRANSACTIONS = 234
    SMB_NEGOTIATE_MAX_READ_SIZE_TOO_LARGE = 235
    SMB_NEGOTIATE_MAX_WRITE_SIZE_TOO_LARGE = 236
    SMB_REQUEST_TO_CLIENT = 237
    SMB_RESPONSE_TO_SERVER = 238
    SMB_READ_QUEUE_CNT_EXCEEDED = 239
    SMB_WRITE_QUEUE_CNT_EXCEEDED = 240
    DCERPC_MALFORMED = 256
    DCERPC_TOO_MANY_CALLS = 257
    DCERPC_STUB_TOO_LONG = 258
    NFS_MALFORMED_DATA = 608
    NFS_TOO_MANY_TRANSACTIONS = 609
    FTP_REQUEST_COMMAND_TOO_LONG = 384
    FTP_RESPONSE_COMMAND_TOO_LONG = 385
    FTP_TOO_MANY_TRANSACTIONS = 386
    SMTP_INVALID_REPLY = 448
    SMTP_UNABLE_TO_MATCH_REPLY_WITH_REQUEST = 449
    SMTP_MAX_COMMAND_LINE_LEN_EXCEEDED = 450
    SMTP_MAX_REPLY_LINE_LEN_EXCEEDED = 451
    SMTP_INVALID_PIPELINED_SEQUENCE = 452
    SMTP_BDAT_CHUNK_LEN_EXCEEDED = 453
    SMTP_NO_SERVER_WELCOME_MESSAGE = 454
    SMTP_TLS_REJECTED = 455
    SMTP_DATA_COMMAND_REJECTED = 456
    SMTP_MIME_PARSE_FAILED = 457
    SMTP_MIME_MALFORMED_MSG = 458
    SMTP_MIME_INVALID_BASE64 = 459
    SMTP_MIME_INVALID_QP = 460
    SMTP_MIME_LONG_LINE = 461
    SMTP_MIME_LONG_ENC_LINE = 462
    SMTP_MIME_LONG_HEADER_NAME = 463
    SMTP_MIME_LONG_HEADER_VALUE = 464
    SMTP_MIME_LONG_BOUNDARY = 465
    SMTP_DUPLICATE_FIELDS = 466
    SMTP_UNPARSABLE_CONTENT = 467
    SMTP_MIME_LONG_FILENAME = 468
    SMTP_TRUNCATED_LINE = 469
    NO_TLS_AFTER_STARTTLS = 470
    UNEXPECTED_PROTOCOL = 471
    TFTP_MALFORMED = 576
    HTTP2_INVALID_FRAME_HEADER = 768
    HTTP2_INVALID_CLIENT_MAGIC = 769
    HTTP2_INVALID_FRAME_DATA = 770
    HTTP2_INVALID_HEADER = 771
    HTTP2_LONG_FRAME_DATA = 772
    HTTP2_STREAM_ID_REUSE = 773
    HTTP2_FAILED_DECOMPRESSION = 774
    HTTP2_HEADER_INTEGER_OVERFLOW = 775
    HTTP2_TOO_MANY_STREAMS = 776
    HTTP2_AUTHORITY_HOST_MISMATCH = 777
    HTTP2_USERINFO_IN_URI = 778
    HTTP2_REASSEMBLY_LIMIT_REACHED = 779
    HTTP2_INVALID_FRAME_LENGTH = 780
    HTTP2_DATA_STREAM_ZERO = 781
    HTTP2_TOO_MANY_FRAMES = 782
    HTTP2_INVALID_RANGE = 783
    HTTP2_INVALID_HTTP1_SETTINGS = 784
    MQTT_MISSING_CONNECT = 704
    MQTT_MISSING_PUBLISH = 705
    MQTT_MISSING_SUBSCRIBE = 706
    MQTT_MISSING_UNSUBSCRIBE = 707
    MQTT_DOUBLE_CONNECT = 708
    MQTT_UNINTRODUCED_MESSAGE = 709
    MQTT_INVALID_QOS_LEVEL = 710
    MQTT_MISSING_MSG_ID = 711
    MQTT_UNASSIGNED_MSG_TYPE = 712
    MQTT_TOO_MANY_TRANSACTIONS = 713
    MQTT_MALFORMED_TRAFFIC = 714
    SNMP_MALFORMED_DATA = 640
    SNMP_UNKNOWN_SECURITY_MODEL = 641
    SNMP_VERSION_MISMATCH = 642
    NTP_MALFORMED_DATA = 800
    SIP_INCOMPLETE_DATA = 672
    SIP_INVALID_DATA = 673
    RFB_MALFORMED_MESSAGE = 736
    RFB_UNIMPLEMENTED_SECURITY_TYPE = 737
    RFB_UNKNOWN_SECURITY_RESULT = 738
    RFB_CONFUSED_STATE = 739
    IKE_MALFORMED_DATA = 928
    IKE_NO_ENCRYPTION = 929
    IKE_WEAK_CRYPTO_ENC = 930
    IKE_WEAK_CRYPTO_PRF = 931
    IKE_WEAK_CRYPTO_DH = 932
    IKE_WEAK_CRYPTO_AUTH = 933
    IKE_WEAK_CRYPTO_NO_DH = 934
    IKE_WEAK_CRYPTO_NO_AUTH = 935
    IKE_INVALID_PROPOSAL = 936
    IKE_UNKNOWN_PROPOSAL = 937
    IKE_PAYLOAD_EXTRA_DATA = 938
    IKE_MULTIPLE_SERVER_PROPOSAL = 939
    ENIP_MALFORMED_PDU = 1024
    QUIC_FAILED_DECRYPT = 896
    QUIC_ERROR_ON_DATA = 897
    QUIC_ERROR_ON_HEADER = 898
    QUIC_CRYPTO_FRAG_TOO_LONG = 899
    DNP3_FLOODED = 992
    DNP3_LEN_TOO_SMALL = 993
    DNP3_BAD_LINK_CRC = 994
    DNP3_BAD_TRANSPORT_CRC = 995
    DNP3_MALFORMED = 996
    DNP3_UNKNOWN_OBJECT = 997
    DNP3_TOO_MANY_OBJECTS = 998
    DNP3_TOO_MANY_POINTS = 999
    MYSQL_MALFORMED_DATA = 832
    PGSQL_MALFORMED_DATA = 864
    PGSQL_TOO_MANY_REQUESTS = 865
    MODBUS_UNSOLICITED_RESPONSE = 960
    MODBUS_INVALID_FUNCTION_CODE = 961
    MODBUS_INVALID_LENGTH = 962
    MODBUS_INVALID_VALUE = 963
    MODBUS_INVALID_EXCEPTION_CODE = 964
    MODBUS_VALUE_MISMATCH = 965
    MODBUS_FLOODED = 966
    MODBUS_INVALID_PROTOCOL_ID = 967
    WEBSOCKET_SKIP_END_OF_PAYLOAD = 1056
    WEBSOCKET_REASSEMBLY_LIMIT_REACHED = 1057
    BITTORRENT_DHT_MALFORMED_PACKET = 1120
    XEN_MIGRATION_MEMORY_IN_CLEAR = 1088
    XEN_MIGRATION_MALFORMED_DATA = 1089
    LDAP_INVALID_DATA = 320
    RDP_MALFORMED = 352

    @property
    def event(self) -> str:
        """The rule keyword `app-layer-event` and the metric label."""
        name = self.name.lower()
        for words in _TWO_WORDS:
            if name.startswith(words):
                return f"{words}.{name.removeprefix(words)[1:]}"
        proto, _, rest = name.partition("_")
        if proto in _OF_NONE:
            return f"applayer.{name}"
        return f"{proto}.{rest}"

    @property
    def logged(self) -> str:
        """EVE `anomaly.event`: without the protocol, which stands beside it, and as Suricata spells it there."""
        proto, _, rest = self.event.partition(".")
        if proto == "applayer":
            other = OTHERWISE.get(self.event, "")
            return other.upper() if other.startswith("applayer_") else f"APPLAYER_{rest.upper()}"
        rest = OTHERWISE.get(self.event, self.event).partition(".")[2]
        return rest.upper() if proto in _IN_CAPITALS else rest


NO_TLS = (AppAnomaly.NO_TLS_AFTER_STARTTLS, AppAnomaly.UNEXPECTED_PROTOCOL)
"""What is odd where TLS was agreed on and something else follows."""
