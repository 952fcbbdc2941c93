"""Numbers of the application protocols: the values of `FLOW.app`. Ids below 2 are `model.rows.APP_*`.

Kernels compare with them, so they are constants and not places in a table; one per protocol, never used anew.
"""

HTTP, DNS, TLS, SSH, DHCP = 2, 3, 4, 5, 6
SMB, DCERPC, KRB5, LDAP, RDP = 7, 8, 9, 10, 11
FTP, FTP_DATA, SMTP, POP3, IMAP, TELNET, TFTP = 12, 13, 14, 15, 16, 17, 18
NFS, SNMP, SIP, MQTT, RFB, HTTP2, NTP = 19, 20, 21, 22, 23, 24, 25
MYSQL, PGSQL, QUIC, IKE, MODBUS, DNP3, ENIP, WEBSOCKET, XEN_MIGRATION = 26, 27, 28, 29, 30, 31, 32, 33, 34
BITTORRENT_DHT = 35

LIMIT = 64
"""Ids are below it."""
