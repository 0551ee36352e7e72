"""Opening files with one clear sentence for everything that can go wrong on the way."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader, BytesIO
from typing import Any, NamedTuple

from stepgrad.errors import ArgumentError, FileError, suggest_file

_CAUSES = {
    errno.EACCES: "permission denied; ask for the right to it or choose another place",
    errno.EPERM: "permission denied; ask for the right to it or choose another place",
    errno.EROFS: "the disk is mounted read-only; choose another folder",
    errno.ENOSPC: "no space left on the disk; free some space or choose another folder",
    errno.EDQUOT: "your disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file would be larger than the limit set for this process (see `ulimit -f`) or its disk",
    errno.EMFILE: "too many files are open in this process; close some (see `ulimit -n`)",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "the links it goes through form a circle",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EIO: "the disk reported an error; check the disk, and use a copy of the file if there is one",
}


class Held(NamedTuple):
    """What is left to read of a file that is open, or in memory, under the name that messages give it."""

    name: str
    data: bytes


Place = str | os.PathLike[str] | Held
"""Where a file is."""


def held(file: Any) -> Any:
    """Return what a binary file object (of `open` or `io.BytesIO`) has left to read, and a path as it is.

    Raises ArgumentError for a file of texts.

    >>> held(BytesIO(b"abc")), held("model.safetensors")
    (Held(name='BytesIO', data=b'abc'), 'model.safetensors')
    """
    if not hasattr(file, "read"):
        return file
    name = getattr(file, "name", None)
    name = name if isinstance(name, str) and name else type(file).__name__
    data = file.read()
    if not isinstance(data, bytes):
        raise ArgumentError(f"cannot read '{name}': it was opened for reading text; open it with mode 'rb'.")
    if not data:
        raise FileError(f"cannot read '{name}': nothing is left in it after its position; call seek(0).")
    return Held(name, data)


def checked_path(path: Place) -> str:
    """Return `path` as text.

    Raises ArgumentError when it is no path, or one that no file can have.

    >>> checked_path("model.safetensors")
    'model.safetensors'
    """
    if isinstance(path, Held):
        return path.name
    if not isinstance(path, (str, os.PathLike)) or not isinstance(text := os.fspath(path), str):
        raise ArgumentError(f"a path must be text or a pathlib.Path, got {type(path).__name__}.")
    if not text or "\0" in text:
        raise ArgumentError(f"{text!r} is not a path: it is empty or contains a NUL character.")
    return text


def file_error(error: OSError, path: str, action: str) -> FileError:
    """Return a FileError that says what went wrong with `path` and what helps. `action` is "read", "write", …

    >>> str(file_error(OSError(errno.ENOSPC, ""), "m.safetensors", "write"))
    "cannot write 'm.safetensors': no space left on the disk; free some space or choose another folder."
    """
    if error.errno == errno.ENOENT:
        return FileError(f"cannot {action} '{path}': {_what_is_missing(path)}")
    cause = _CAUSES.get(error.errno or 0) or error.strerror or str(error) or type(error).__name__
    return FileError(f"cannot {action} '{path}': {cause}.")


def _what_is_missing(path: str) -> str:
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        return f"there is no folder '{folder}'; create it or correct the path."
    near = suggest_file(path)
    return f"there is no such file.{near}" if near else "there is no such file; correct the path."


def size_of(file: BufferedReader) -> int:
    """Return how many bytes a file has that is open, and at its begin."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def open_for_reading(path: Place) -> BufferedReader:
    """Open an ordinary file for reading bytes, or what is held of one.

    Folders, pipes and devices are refused before they are opened, since opening a pipe would wait for ever.

    Raises FileError naming the path and the cause; ArgumentError when `path` is no path.
    """
    if isinstance(path, Held):
        return BufferedReader(BytesIO(path.data))
    text = checked_path(path)
    try:
        mode = os.stat(text).st_mode
        if stat.S_ISDIR(mode):
            raise FileError(f"cannot read '{text}': it is a folder; name a file in it.")
        if not stat.S_ISREG(mode):
            raise FileError(f"cannot read '{text}': it is a pipe or a device, not an ordinary file.")
        return open(text, "rb")
    except FileError:
        raise
    except OSError as error:
        raise file_error(error, text, "read") from error
