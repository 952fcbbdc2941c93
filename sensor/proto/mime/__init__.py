"""MIME (RFC 2045 to 2049): the entities of a mail, their files decoded."""
