"""The command line: ``stepgrad train``, ``predict``, ``evaluate``, ``doctor``, …: one file each."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

_APP_MODULES = {"click", "rich", "polars"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of this process, and return its exit code.

    0: all went well; 1: an error in the run; 2: wrong usage; 130: Ctrl-C; 141: the reader of a pipe left
    early, as `head` does; 143: SIGTERM.

    >>> main(["--version"])
    stepgrad ...
    0
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell, as `>&-` does
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for this process
    try:
        from stepgrad.cli.application import run

        return run(sys.argv[1:] if arguments is None else list(arguments))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in _APP_MODULES:
            raise
        message = (
            f"Error: the command line needs the package '{error.name}'; install it with: "
            "pip install 'stepgrad[app]'\n"
        )
        sys.stderr.write(message)
        return 1


def load() -> None:
    """Import what every command needs. A package that is missing is reported by `main`."""
    with contextlib.suppress(ModuleNotFoundError):
        import stepgrad.cli.application  # noqa: F401 - for the import's own sake
