"""Capture: packets from files, pipes, memory and interfaces as blocks of columns."""
