"""HTTP/2 (RFC 9113) with HPACK (RFC 7541): streams as exchanges of HTTP, frames as frames."""
