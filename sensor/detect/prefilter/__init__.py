"""Tests that refuse a rule in a kernel, before it is judged: on raw bytes, and on parts of framed messages."""
