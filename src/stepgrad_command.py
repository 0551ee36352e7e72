"""The program `stepgrad`, which is quiet about Ctrl-C from its first moment.

``import stepgrad`` takes a few tenths of a second. This module stands outside of the package, so that it runs
before that import: until the command line is there to answer Ctrl-C, the signal ends the process, as it ends
any program that has nothing to save yet (exit code 130 in a shell).
"""

from __future__ import annotations

import signal


def main() -> int:
    """Run the command line of this process and return its exit code; see `stepgrad.cli.main`."""
    outer = signal.getsignal(signal.SIGINT)
    is_pythons = outer is signal.default_int_handler  # background jobs ignore Ctrl-C, and that stays
    if is_pythons:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from stepgrad.cli import load
    from stepgrad.cli import main as run

    load()
    if is_pythons:
        signal.signal(signal.SIGINT, outer)
    return run()
