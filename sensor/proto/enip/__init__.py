"""EtherNet/IP with CIP: each message is a transaction."""
