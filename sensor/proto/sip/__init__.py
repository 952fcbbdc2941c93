"""SIP in datagrams: each message is a transaction."""
