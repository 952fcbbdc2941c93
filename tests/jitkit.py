"""Helpers of kernels, for tests: they have no wrapper, and a call from Python would crash the process."""

from numba import njit

from sensor.model import kernels_bytes, kernels_search


def from_python(helper):
    """Return a helper compiled once more, with the wrapper that a call from Python needs."""
    return njit(getattr(helper, "py_func", helper))


def interpret(monkeypatch, module):
    """Let the kernels of a module and their helpers run as plain Python."""
    monkeypatch.setattr(kernels_search, "VECTORS", False)
    for one in (module, kernels_bytes, kernels_search):
        for name, value in list(vars(one).items()):
            if hasattr(value, "py_func"):
                monkeypatch.setattr(one, name, value.py_func)
