"""Which protocol a flow speaks, and from which packet on that counts."""
