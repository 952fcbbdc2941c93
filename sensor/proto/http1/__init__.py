"""HTTP/1 (RFC 9110, RFC 9112), and what peers make of it."""
