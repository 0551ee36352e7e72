"""Whether operations remember what they did: `no_grad`, `enable_grad`, `inference_mode`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from stepgrad.autograd.engine import state
from stepgrad.errors import ArgumentError

F = TypeVar("F", bound=Callable[..., Any])
CO_GENERATOR = 0x20  # of a code object's flags: the function is a generator function


class set_grad_enabled:
    """Switch remembering on or off for this thread: at once, and back at the end of a ``with`` block.

    >>> import stepgrad as sg
    >>> x = sg.ones(2, requires_grad=True)
    >>> with sg.set_grad_enabled(False):
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __init__(self, mode: bool) -> None:
        self._mode = mode
        self._outer = [state.grad_enabled]
        state.grad_enabled = mode

    def __enter__(self) -> None:
        state.grad_enabled = self._mode

    def __exit__(self, *_: object) -> None:
        state.grad_enabled = self._outer[-1]


class _Mode:
    """A gradient mode as a context manager and as a decorator."""

    _enabled = False

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        mode = super().__new__(cls)
        mode._outer = []
        return mode(function) if callable(function) else mode

    def __enter__(self) -> None:
        self._outer.append(state.grad_enabled)
        state.grad_enabled = self._enabled

    def __exit__(self, *_: object) -> None:
        state.grad_enabled = self._outer.pop()

    def __call__(self, function: F) -> F:
        if getattr(function, "__code__", None) and function.__code__.co_flags & CO_GENERATOR:
            raise ArgumentError(
                f"{function.__name__} is a generator function, which runs after its call has returned. Use "
                f"`with {type(self).__name__}():` inside of it."
            )

        @wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            outer = state.grad_enabled
            state.grad_enabled = self._enabled
            try:
                return function(*args, **kwargs)
            finally:
                state.grad_enabled = outer

        return wrapped  # type: ignore[return-value]

    _outer: list[bool]


class no_grad(_Mode):
    """Operations within ``with no_grad():``, or in a function decorated with it, remember nothing.

    >>> import stepgrad as sg
    >>> x = sg.ones(2, requires_grad=True)
    >>> with sg.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """


class inference_mode(_Mode):
    """The same as `no_grad`: there is no further cost to save. ``inference_mode(False)`` is `enable_grad`.

    >>> import stepgrad as sg
    >>> x = sg.tensor(2.0, requires_grad=True)
    >>> with sg.inference_mode():
    ...     y = x * 3
    >>> y.requires_grad
    False
    """

    def __new__(cls, mode: Any = True) -> Any:
        if callable(mode):
            return super().__new__(cls, mode)
        made = super().__new__(cls)
        made._enabled = not mode
        return made


class enable_grad(_Mode):
    """Operations within it remember what they did, also inside `no_grad`.

    >>> import stepgrad as sg
    >>> x = sg.tensor(2.0, requires_grad=True)
    >>> with sg.no_grad(), sg.enable_grad():
    ...     y = x * 3
    >>> y.requires_grad
    True
    """

    _enabled = True


def is_grad_enabled() -> bool:
    """Return whether operations of this thread remember what they did.

    >>> import stepgrad as sg
    >>> with sg.no_grad():
    ...     print(is_grad_enabled())
    False
    >>> is_grad_enabled()
    True
    """
    return state.grad_enabled
