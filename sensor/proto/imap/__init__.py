"""IMAP (RFC 9051): commands, replies, and the mails that are fetched and stored."""
