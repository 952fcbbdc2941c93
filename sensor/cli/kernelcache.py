"""Where compiled kernels are kept when the folder that they came in cannot be written (an image, a read-only root).

numba looks for a folder that it can write, even where all that it needs lies ready in one that it can only read, and
gives up where it finds none. Here such a folder is seen through links in another one: loading reads the shipped
kernels, saving replaces a link.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from numba import config
from numba.core.caching import InTreeCacheLocator, UserProvidedCacheLocator, UserWideCacheLocator

from sensor.errors import OutputError

_FOLDER: Final = "kernels"


class KernelCache(UserProvidedCacheLocator):
    """The place of one function's compiled form."""

    def __init__(self, py_func: Callable[..., Any], py_file: str, path: str = "") -> None:
        self._py_file = py_file
        self._lineno = py_func.__code__.co_firstlineno
        self._cache_path = path

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> Self | Any:  # noqa: ANN401 - numba's locators
        """Return numba's own choice, unless that is to compile anew what was shipped but cannot be written."""
        found = _first((UserProvidedCacheLocator, InTreeCacheLocator), py_func, py_file)
        if found is not None:
            return found
        shipped = _shipped(py_func, py_file)
        files = list(shipped.glob(f"{Path(py_file).stem}.*.nb[ci]"))
        if not files and (found := _first((UserWideCacheLocator,), py_func, py_file)) is not None:
            return found
        for folder in _writable():
            with suppress(OSError):
                return cls(py_func, py_file, str(_seen_through(files, folder, shipped)))
        return _ReadOnly(py_func, py_file, str(shipped))


class _ReadOnly(KernelCache):
    """Nothing can be written anywhere: what was shipped must do."""

    def ensure_cache_path(self) -> None:
        """Refuse to keep what has been compiled because the cache lacks it. Raises OutputError."""
        raise OutputError(
            f"compiled kernels are missing or out of date in {self._cache_path}, which cannot be written, nor can any "
            "other folder: let NUMBA_CACHE_DIR name one that can, or run `xensor` once where it can be written"
        )


def _first(locators: Iterable[Any], py_func: Callable[..., Any], py_file: str) -> Any:  # noqa: ANN401 - numba's
    """Return the first of numba's own places that can be written, None: none can."""
    found = (locator.from_function(py_func, py_file) for locator in locators)
    return next((one for one in found if one is not None), None)


def _shipped(py_func: Callable[..., Any], py_file: str) -> Path:
    """Return the folder with the kernels of a file: the one that is named if it is there, else the one beside it."""
    if config.CACHE_DIR:
        named = Path(UserProvidedCacheLocator(py_func, py_file).get_cache_path())
        if named.is_dir():
            return named
    return Path(py_file).parent / "__pycache__"


def _writable() -> Iterator[Path]:
    """Yield folders of our own, the one that lasts longer first."""
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        yield Path(base) / "xensor" / _FOLDER
    with suppress(OSError):  # there is no folder for temporary files
        yield Path(tempfile.gettempdir()) / f"xensor-{_FOLDER}-{os.geteuid()}"


def _seen_through(files: Iterable[Path], folder: Path, shipped: Path) -> Path:
    """Make a folder in which files of a shipped one are linked. Raises OSError.

    Compiled kernels are programs: a folder that somebody else has made or may write is not used.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o022:
        raise PermissionError(f"{folder} is not ours alone")
    own = folder / f"{shipped.parent.name}_{shipped.name}"
    own.mkdir(mode=0o700, exist_ok=True)
    tempfile.TemporaryFile(dir=own).close()
    for file in files:
        with suppress(FileExistsError):
            (own / file.name).symlink_to(file)
    return own
