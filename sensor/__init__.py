"""Xensor: intrusion detection for the traffic between the guests of one Xen host."""

__version__ = "0.1.0"
