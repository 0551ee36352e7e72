"""Ctrl-C while training: the step under way is finished first, so that a checkpoint can be written."""

from __future__ import annotations

import signal
import threading
from typing import Any


class Interrupts:
    """Within ``with Interrupts() as interrupts:`` the first Ctrl-C sets `requested`; the second raises at
    once.

    Outside of the main thread, where Python delivers no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._outer: Any = None

    def __enter__(self) -> Interrupts:
        is_main = threading.current_thread() is threading.main_thread()
        # A handler of someone else's (a notebook's, a server's) that is not Python's own stays.
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._outer = signal.signal(signal.SIGINT, self._handle)
        return self

    def _handle(self, number: int, frame: Any) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def __exit__(self, *_: object) -> None:
        if self._outer is not None:
            signal.signal(signal.SIGINT, self._outer)
            self._outer = None
