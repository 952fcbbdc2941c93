"""FTP (RFC 959, RFC 2428): commands, replies, and the data connections that they announce."""
