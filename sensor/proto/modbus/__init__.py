"""Modbus over TCP: each request, and each response, is a transaction."""
