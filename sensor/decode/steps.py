"""Headers that the kernel's walk of a frame can stand before. From ARP on, the step closes the row."""

from typing import Final

NONE: Final = 0
ETHERNET: Final = 1
VLAN: Final = 2
MPLS: Final = 3
PPPOE: Final = 4
PPP: Final = 5
LLC: Final = 6
NSH: Final = 7
NULL: Final = 8
SLL: Final = 9
SLL2: Final = 10
HDLC: Final = 11
PPP_HDLC: Final = 12
RAW: Final = 13
VNTAG: Final = 14
BACKBONE: Final = 15
FABRIC: Final = 16
ARP: Final = 17
IPV4: Final = 18
IPV6: Final = 19
OPAQUE: Final = 20
