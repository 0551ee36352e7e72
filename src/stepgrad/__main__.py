"""``python -m stepgrad``: the command line."""

from __future__ import annotations

import sys


def _run() -> int:
    from stepgrad_command import main

    return main()


if __name__ == "__main__":
    sys.exit(_run())
