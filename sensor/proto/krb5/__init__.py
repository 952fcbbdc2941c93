"""Kerberos 5 between clients and a KDC (RFC 4120): each message is a transaction."""
