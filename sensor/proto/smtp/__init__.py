"""SMTP (RFC 5321): commands, replies, mails and what they carry."""
