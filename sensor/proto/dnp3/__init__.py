"""DNP3 over TCP (IEEE 1815): each application fragment is a transaction."""
