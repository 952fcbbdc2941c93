"""DHCP over IPv4: one transaction per datagram."""
