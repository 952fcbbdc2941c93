"""LDAP over TCP and UDP, until it is encrypted: each message is a transaction."""
