"""POP3 (RFC 1939): commands, replies, and the mails that are fetched."""
