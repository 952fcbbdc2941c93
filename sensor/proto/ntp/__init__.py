"""NTP 1 to 4 with control and private messages: each datagram is a transaction."""
