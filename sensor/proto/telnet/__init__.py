"""Telnet (RFC 854): lines and control sequences."""
