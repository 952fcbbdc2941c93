"""DNS (RFC 1035) and its local relatives: mDNS (RFC 6762), LLMNR (RFC 4795), NetBIOS names (RFC 1002)."""
