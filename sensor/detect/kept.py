"""Objects of arrays that can be written down and had back without doing the work again that made them.

A class names the attributes that say all of it (`KEPT`, with their types); scratch space is made anew (`make_scratch`).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import msgspec
import numpy as np

from sensor.detect.headers.kernels_headers import HEADER, SHORT
from sensor.detect.prefilter.kernels_frametests import TEST
from sensor.detect.prefilter.kernels_looks import LOOK
from sensor.detect.regex.kernels_automata import AUTOMATON
from sensor.detect.scan.kernels_scan import ENTRY, LITERAL, TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

_RECORDS = MappingProxyType({
    "automaton": AUTOMATON, "entry": ENTRY, "header": HEADER, "literal": LITERAL, "look": LOOK, "short": SHORT,
    "table": TABLE, "test": TEST,
})  # fmt: skip
_NAMES = MappingProxyType({dtype: name for name, dtype in _RECORDS.items()})


class Kept:
    """Base of such classes."""

    __slots__ = ()
    KEPT: ClassVar[Mapping[str, Any]]
    """Attribute → its type, as msgspec understands it."""

    def make_scratch(self) -> None:
        """Make what is not kept."""

    @classmethod
    def restored(cls, values: list[Any]) -> Self:
        """Return the object again. Raises msgspec.ValidationError where the values are not those of such an object."""
        made = cls.__new__(cls)
        if len(values) != len(cls.KEPT):
            raise msgspec.ValidationError(f"{cls.__name__} has {len(cls.KEPT)} parts, not {len(values)}")
        for (name, kind), value in zip(cls.KEPT.items(), values, strict=True):
            setattr(made, name, msgspec.convert(value, kind, dec_hook=unpacked, builtin_types=(bytes, memoryview)))
        made.make_scratch()
        return made


def packed(value: object) -> object:
    """Return what stands for an object that msgspec does not know (its `enc_hook`)."""
    if isinstance(value, np.ndarray):
        return _NAMES.get(value.dtype) or value.dtype.str, value.shape, np.ascontiguousarray(value).tobytes()
    if isinstance(value, Kept):
        return [getattr(value, name) for name in value.KEPT]
    raise NotImplementedError(type(value).__name__)


def unpacked(kind: type, value: Any) -> object:  # noqa: ANN401 - msgspec's form
    """Return the object that `packed` stood for (msgspec's `dec_hook`)."""
    if kind is np.ndarray:
        name, shape, octets = value
        dtype = _RECORDS[name] if name in _RECORDS else np.dtype(name)
        # A copy: kernels take arrays that may be written, and these bytes may not.
        return np.frombuffer(octets, dtype).reshape(shape).copy()
    if issubclass(kind, Kept):
        return kind.restored(value)
    raise NotImplementedError(kind.__name__)
