"""Ctrl-C while training: the step under way is finished first, so that a checkpoint can be written. The same
for SIGTERM, where a program asks for it.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


class Terminated(KeyboardInterrupt):
    """SIGTERM, by which `docker stop` and service managers end a program."""

    exit_code = 143


@contextlib.contextmanager
def terminations() -> Iterator[None]:
    """Within it SIGTERM raises `Terminated`, as Ctrl-C raises `KeyboardInterrupt`.

    Outside of the main thread, and where SIGTERM has a handler or is ignored, nothing changes.
    """
    if not _in_main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: Any) -> None:
    raise Terminated


class Interrupts:
    """Within ``with Interrupts() as interrupts:`` the first Ctrl-C sets `requested`; the second raises at
    once. `error` is what to raise: `KeyboardInterrupt`, or `Terminated` for SIGTERM within `terminations`.

    Outside of the main thread, where Python delivers no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self.error: type[KeyboardInterrupt] = KeyboardInterrupt
        self._outer: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        # A handler of someone else's (a notebook's, a server's) that is not one of these stays.
        known = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _terminate}
        for number, handler in known.items() if _in_main_thread() else ():
            if signal.getsignal(number) is handler:
                self._outer[number] = signal.signal(number, self._handle)
        return self

    def _handle(self, number: int, frame: Any) -> None:
        if self.requested:
            raise self.error
        self.requested = True
        self.error = Terminated if number == signal.SIGTERM else KeyboardInterrupt

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Put the handlers back that were there before; from here on nothing is noted."""
        for number, handler in self._outer.items():
            signal.signal(number, handler)
        self._outer.clear()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
