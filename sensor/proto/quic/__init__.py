"""QUIC up to the hellos: Initial packets are opened with keys that anyone can derive (RFC 9001 section 5.2)."""
