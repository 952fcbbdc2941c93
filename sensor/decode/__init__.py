"""Frames to rows: header kernels, their plain-Python reference, the dpkt view of one packet. Pure."""
