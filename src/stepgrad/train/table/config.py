"""`config.toml`: the settings of a run, readable by a person, from which it can be resumed."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from stepgrad.errors import ArgumentError, FileError, suggest
from stepgrad.files.atomic import write_atomically
from stepgrad.files.paths import checked_path, file_error
from stepgrad.train.table.settings import TableSettings

NAME = "config.toml"
VERSION = 1
_HEADER = "# The settings of this run; `stepgrad train --resume` with this folder goes on with them.\n"
_OWN = ("version", "fingerprint")  # entries that are no settings


def make_run_folder(folder: Path) -> None:
    """Make the folder of a new run; raise `FileError` if it holds a run already or cannot be made."""
    if (folder / NAME).exists():
        raise FileError(f"'{folder}' holds a run already; choose another folder, or resume that run.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise file_error(error, str(folder), "create the folder") from error


def write_config(folder: str | os.PathLike[str], settings: TableSettings, fingerprint: str) -> None:
    """Write `config.toml` into `folder`. `fingerprint` is the checksum of the table, by which a changed one
    is known.

    Raises `FileError` if it cannot be written, `ArgumentError` for a name that is not text.
    """
    lines = [f"version = {VERSION}"]
    for name, value in asdict(settings).items():
        if value is not None:
            lines.append(f"{name} = {_toml(value)}")
    lines.append(f"fingerprint = {_toml(fingerprint)}")
    try:
        content = (_HEADER + "\n".join(lines) + "\n").encode()
    except UnicodeEncodeError:
        raise ArgumentError(
            f"the path {settings.data!r} or the name {settings.target!r} is not Unicode text; rename "
            f"the file."
        ) from None
    write_atomically(Path(checked_path(folder)) / NAME, content)


def read_config(folder: str | os.PathLike[str]) -> tuple[TableSettings, str]:
    """Return the settings of the run in `folder`, and the fingerprint of its table.

    Raises `FileError` if there is no readable `config.toml` in it, `ArgumentError` for settings out of their
    range.
    """
    path = Path(checked_path(folder)) / NAME
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise FileError(f"'{folder}' is not the folder of a run: it has no {NAME}.") from None
    except OSError as error:
        raise FileError(f"cannot read '{path}': {error.strerror}.") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise FileError(f"'{path}' is damaged: {error}.") from None
    if entries.get("version") != VERSION:
        raise FileError(
            f"'{path}' is of version {entries.get('version')!r}; this stepgrad reads version {VERSION}."
        )
    known = [field.name for field in fields(TableSettings)]
    for name in entries:
        if name not in known and name not in _OWN:
            raise FileError(f"'{path}' has an unknown setting '{name}'.{suggest(name, known)}")
    if not isinstance(entries.get("target"), str) or not isinstance(entries.get("fingerprint"), str):
        raise FileError(f"'{path}' is damaged: it has no target or no fingerprint.")
    settings = {name: value for name, value in entries.items() if name in known}
    for name in ("hidden", "fractions"):
        if name in settings and not isinstance(settings[name], list):
            raise FileError(f"'{path}' is damaged: {name} must be a list.")
    return TableSettings(**settings), entries["fingerprint"]


def _toml(value: Any) -> str:
    if isinstance(value, str):
        # JSON's texts are TOML's, but for the one control character that JSON leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)
