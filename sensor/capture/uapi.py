"""The kernel's packet interface: constants and struct layouts, each with the header it comes from."""

from __future__ import annotations

import struct
from typing import Final

# ---- linux/if_ether.h
ETH_P_ALL: Final = 0x0003
ETH_P_8021Q: Final = 0x8100
ETH_P_802_EX1: Final = 0x88B5
"""IEEE 802 local experiments."""

# ---- linux/if_arp.h
ARPHRD_ETHER: Final = 1
ARPHRD_TUNNEL: Final = 768
ARPHRD_TUNNEL6: Final = 769
ARPHRD_LOOPBACK: Final = 772
ARPHRD_SIT: Final = 776
ARPHRD_NONE: Final = 0xFFFE

# ---- linux/socket.h
SOL_PACKET: Final = 263

# ---- asm-generic/socket.h
SO_ATTACH_FILTER: Final = 26

# ---- linux/if_packet.h: socket options
PACKET_ADD_MEMBERSHIP: Final = 1
PACKET_RX_RING: Final = 5
PACKET_STATISTICS: Final = 6
PACKET_VERSION: Final = 10
PACKET_FANOUT: Final = 18
PACKET_FANOUT_DATA: Final = 22
PACKET_IGNORE_OUTGOING: Final = 23
PACKET_MR_PROMISC: Final = 1
PACKET_FANOUT_CBPF: Final = 6
PACKET_FANOUT_FLAG_UNIQUEID: Final = 0x2000
PACKET_OUTGOING: Final = 4
"""sll_pkttype of a frame that this machine sends."""
TPACKET_V3: Final = 2

# ---- linux/if_packet.h: tp_status of a frame, block_status of a block
TP_STATUS_KERNEL: Final = 0
TP_STATUS_USER: Final = 1 << 0
TP_STATUS_LOSING: Final = 1 << 2
TP_STATUS_CSUMNOTREADY: Final = 1 << 3
TP_STATUS_VLAN_VALID: Final = 1 << 4
TP_STATUS_BLK_TMO: Final = 1 << 5
"""Of a block: handed over by the timer, before it was full."""
TP_STATUS_VLAN_TPID_VALID: Final = 1 << 6
TP_STATUS_CSUM_VALID: Final = 1 << 7

# struct tpacket_block_desc (version, offset_to_priv) with tpacket_hdr_v1 behind it; offsets from the block's start.
BLOCK_STATUS: Final = 8
BLOCK_NUM_PKTS: Final = 12
BLOCK_FIRST_PKT: Final = 16
BLOCK_BYTES_USED: Final = 20
BLOCK_TS_FIRST: Final = 32  # u32 seconds, u32 nanoseconds

# struct tpacket3_hdr; offsets from the frame's header.
FRAME_NEXT: Final = 0
FRAME_SEC: Final = 4
FRAME_NSEC: Final = 8
FRAME_SNAPLEN: Final = 12
FRAME_LEN: Final = 16
FRAME_STATUS: Final = 20
FRAME_MAC: Final = 24  # u16
FRAME_VLAN_TCI: Final = 32
FRAME_VLAN_TPID: Final = 36  # u16
FRAME_HEADER: Final = 48

RING_REQUEST: Final = struct.Struct("7I")
"""struct tpacket_req3: block_size, block_nr, frame_size, frame_nr, retire_blk_tov (ms), sizeof_priv, feature_req."""

RING_STATS: Final = struct.Struct("3I")
"""struct tpacket_stats_v3: packets (dropped ones included), drops, freezes; reading resets them."""
PLAIN_STATS: Final = struct.Struct("=II")
"""tpacket_stats of a socket without a ring: packets that passed its filter, and those of them that were dropped."""

MEMBERSHIP: Final = struct.Struct("iHH8s")
"""struct packet_mreq: ifindex, type, address length, address."""

# ---- linux/filter.h
FILTER_INSTRUCTION: Final = struct.Struct("HBBI")
"""struct sock_filter: code, jt, jf, k."""
FILTER_PROGRAM: Final = struct.Struct("HP")
"""struct sock_fprog: number of instructions, pointer to them."""
FILTER_MAX: Final = 4096
"""BPF_MAXINSNS"""
DROP_ALL: Final = (0x06, 0, 0, 0)
"""BPF_RET | BPF_K of 0 bytes."""
PASS_ALL: Final = (0x06, 0, 0, 0x40000)
"""... of more than any frame has."""
SKF_LL_OFF: Final = (1 << 32) - 0x200000
"""Places from here on count from the link header, wherever the kernel stands in the frame."""
SKF_AD_PKTTYPE: Final = (1 << 32) - 0x1000 + 4
SKF_AD_IFINDEX: Final = (1 << 32) - 0x1000 + 8

# ---- linux/sockios.h
SIOCGIFADDR: Final = 0x8915
SIOCGIFHWADDR: Final = 0x8927
SIOCETHTOOL: Final = 0x8946

# ---- linux/if.h
IFF_UP: Final = 0x1
IFF_RUNNING: Final = 0x40
IFF_NOARP: Final = 0x80
IFF_PROMISC: Final = 0x100
IFNAMSIZ: Final = 16

# ---- linux/ethtool.h
ETHTOOL_GFLAGS: Final = 0x25
ETHTOOL_GGRO: Final = 0x2B
ETHTOOL_GRINGPARAM: Final = 0x10
ETHTOOL_GCHANNELS: Final = 0x3C
ETH_FLAG_LRO: Final = 1 << 15
ETHTOOL_VALUE: Final = struct.Struct("II")
"""struct ethtool_value: cmd, data."""
ETHTOOL_CHANNELS: Final = struct.Struct("9I")
"""struct ethtool_channels: cmd, max rx, tx, other, combined; rx, tx, other, combined."""
ETHTOOL_RINGS: Final = struct.Struct("9I")
"""struct ethtool_ringparam: cmd, most of rx, rx mini, rx jumbo, tx; now of the same."""
IFREQ_ADDRESS: Final = struct.Struct(f"{IFNAMSIZ}sH22x")
"""struct ifreq with the family of an ifr_hwaddr, an ARPHRD_* (netdevice(7))."""
IFREQ_POINTER: Final = struct.Struct(f"{IFNAMSIZ}sP16x")
"""struct ifreq with ifr_data."""
