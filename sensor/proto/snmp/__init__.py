"""SNMP versions 1, 2c and 3: each message is a transaction."""
