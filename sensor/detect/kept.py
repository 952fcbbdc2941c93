"""Objects of arrays that can be written down and had back without doing the work again that made them.

A class names the attributes that say all of it (`KEPT`, with their types); scratch space is made anew (`make_scratch`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        return _described(value.dtype), value.shape, np.ascontiguousarray(value).tobytes()
    if isinstance(value, Kept):
        return [getattr(value, name) for name in value.KEPT]
    raise NotImplementedError(type(value).__name__)


def unpacked(kind: type, value: Any) -> object:  # noqa: ANN401 - msgspec's form
    """Return the object that `packed` stood for (msgspec's `dec_hook`)."""
    if kind is np.ndarray:
        described, shape, octets = value
        # A copy: kernels take arrays that may be written, and these bytes may not.
        return np.frombuffer(octets, _dtype(described)).reshape(shape).copy()
    if issubclass(kind, Kept):
        return kind.restored(value)
    raise NotImplementedError(kind.__name__)


@lru_cache(maxsize=64)
def _described(dtype: np.dtype[Any]) -> str:
    """Return what `_dtype` makes the same type of. A kernel takes a record only with the alignment that it names."""
    if dtype.fields is None:
        return dtype.str
    parts = [(name, field[0].base.str, field[0].shape, field[1]) for name, field in dtype.fields.items()]
    return msgspec.json.encode((parts, dtype.itemsize, dtype.isalignedstruct)).decode()


@lru_cache(maxsize=64)
def _dtype(described: str) -> np.dtype[Any]:
    """Return the type of an array's elements again."""
    if not described.startswith("["):
        return np.dtype(described)
    parts, size, aligned = msgspec.json.decode(described)
    names, elements, shapes, offsets = zip(*parts, strict=True)
    formats = [(element, tuple(shape)) for element, shape in zip(elements, shapes, strict=True)]
    layout: Any = {"names": names, "formats": formats, "offsets": offsets, "itemsize": size}
    made: np.dtype[Any] = np.dtype(layout, align=aligned)
    return made
