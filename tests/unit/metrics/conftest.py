"""Servers of tests here end at once: by itself one looks twice a second whether it shall."""

import socketserver

import pytest


@pytest.fixture(autouse=True)
def _attentive(monkeypatch):
    monkeypatch.setattr(socketserver.BaseServer.serve_forever, "__defaults__", (0.01,))
