"""The command line: ``stepgrad train``, ``predict``, ``evaluate``, ``doctor``, …: one file each."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_APP_MODULES = {"click", "rich", "polars"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of this process, and return its exit code.

    0: all went well; 1: an error in the run; 2: wrong usage; 130: Ctrl-C.

    >>> main(["--version"])
    stepgrad ...
    0
    """
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
