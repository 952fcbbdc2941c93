"""WebSocket (RFC 6455), behind an `Upgrade` of HTTP/1: each frame is a transaction."""
