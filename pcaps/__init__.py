"""Captures forged with scapy: `python -m pcaps` makes them, `python -m pcaps --check` compares them."""
