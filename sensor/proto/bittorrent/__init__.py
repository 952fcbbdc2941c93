"""BitTorrent's distributed hash table (BEP 5, BEP 32): each datagram is a transaction."""
