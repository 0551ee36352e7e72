"""Files that are either written whole or not at all.

A reader sees the old content or the new one and never a part of either, whenever the writing process is
killed: the bytes go to a temporary file in the same folder, are forced onto the disk, and only then take the
name (`os.replace`, which POSIX defines to be one indivisible step). The folder is forced onto the disk as
well, so that the name survives a power failure.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable
from typing import BinaryIO

from stepgrad.errors import FileError
from stepgrad.files.paths import checked_path, file_error

PART_ENDING = ".part"
"""How the names of temporary files end; they begin with a dot and (up to 40 letters of) the name of the file
that they become.
"""


def write_atomically(path: str | os.PathLike[str], content: bytes | Callable[[BinaryIO], None]) -> None:
    """Write `content` to `path` so that the file is complete or was never touched.

    `content` is the bytes, or a function that is handed the open file (it may seek) and writes them. Links
    are followed. An existing file keeps its permissions; a new one gets the usual ones of the process.

    Raises FileError when the file cannot be written (no space left, no permission, a folder, a pipe, …): the
    temporary file is then gone and the earlier file is unchanged. Any other exception of `content` passes,
    after the same cleaning.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(f"{folder}/note.txt", b"hello")
    ...     os.listdir(folder)
    ['note.txt']
    """
    text = checked_path(path)
    target = os.path.realpath(text)
    folder, name = os.path.split(target)
    part = os.path.join(folder, f".{name[:40]}.{secrets.token_hex(6)}{PART_ENDING}")
    try:
        mode = _mode_to_keep(text, target)
        try:
            _write_and_sync(part, content, mode)
            os.replace(part, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise
        _sync_folder(folder)
    except FileError:
        raise
    except OSError as error:
        raise file_error(error, text, "write") from error


def _mode_to_keep(path: str, target: str) -> int | None:
    """Return the permissions of the file that is to be replaced, or None where there is none yet."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise FileError(f"cannot write '{path}': it is a folder; name a file in it.")
    if not stat.S_ISREG(mode):
        # Replacing /dev/null by an ordinary file would harm every program on the machine.
        raise FileError(f"cannot write '{path}': it is a pipe or a device, not an ordinary file.")
    if not os.access(target, os.W_OK):
        raise FileError(f"cannot write '{path}': the file is write-protected; choose another name.")
    return stat.S_IMODE(mode)


def _write_and_sync(part: str, content: bytes | Callable[[BinaryIO], None], mode: int | None) -> None:
    with open(part, "xb") as file:
        if callable(content):
            content(file)
        else:
            file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if mode is not None:
        os.chmod(part, mode)


def _sync_folder(folder: str) -> None:
    if os.name == "nt":  # Windows cannot open a folder, and keeps names safe in its journal
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems answer that a folder is nothing to be synced; the file itself has been.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
