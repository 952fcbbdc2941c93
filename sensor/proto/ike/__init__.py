"""IKE versions 1 and 2 over UDP: each message is a transaction."""
