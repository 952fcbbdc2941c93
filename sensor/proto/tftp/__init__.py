"""TFTP (RFC 1350): requests for files."""
