"""Rules in the text form of Suricata 7 and Snort 2: read as they are meant there, or refused with the reason."""
