"""Mirrors a bridge of a Xen host to the sensor's guest.

Standard library only, Python 3.9 and later: dom0 gets no packages.
"""
