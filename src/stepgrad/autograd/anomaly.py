"""Looking for the operation whose derivative is NaN."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from stepgrad.arrays import devices
from stepgrad.autograd.engine import state
from stepgrad.autograd.recording import hides_values
from stepgrad.errors import GradientError
from stepgrad.graph import Node

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class _Watch:
    """What the engine asks while anomalies are looked for."""

    def __init__(self, check_nan: bool) -> None:
        self.check_nan = check_nan

    def remember(self, node: Node) -> None:
        """Note the lines that made a node, those of stepgrad itself left out."""
        import traceback

        frames = [each for each in traceback.extract_stack() if not each.filename.startswith(_PACKAGE)]
        node.made_at = "".join(traceback.format_list(frames))

    def check(self, node: Node, gradients: Sequence[Any]) -> None:
        """Look at the gradients of a node's inputs. Raises `GradientError` where one has a NaN."""
        state.anomaly = self
        if self.check_nan and hides_values() and state.recorder is not None:
            state.recorder.looks_for_nan = True
        for i, gradient in enumerate(gradients if self.check_nan and not hides_values() else ()):
            array = getattr(gradient, "_array", gradient)
            if array is None or not (count := int(devices.module_of(array).isnan(array).sum())):
                continue
            names = node.op.input_names()
            by = repr(names[i]) if i < len(names) else f"number {i}"
            error = GradientError(
                f"the derivative of {node.op.name} by its input {by} has {count} NaN among {array.size} "
                f"numbers; its result is {node.dtype}{list(node.shape)}."
            )
            error.add_note(self._where(node))
            raise error

    def _where(self, node: Node) -> str:
        made_at = getattr(node, "made_at", "")
        return (
            f"The operation was called here:\n{made_at}"
            if made_at
            else ("Where the operation was called is not known: it was before anomalies were looked for.")
        )


class set_detect_anomaly:
    """Look for NaN in derivatives from now on, or no longer; back at the end of a ``with`` block.

    With `mode` on, every operation remembers the lines that called it, and a backward pass in which a
    derivative has a NaN raises a `GradientError`, which names the operation and shows these lines; with
    `check_nan` False nothing is looked at. All operations take longer then.

    >>> import stepgrad as sg
    >>> x = sg.tensor(0.0, requires_grad=True)
    >>> with sg.autograd.set_detect_anomaly(True):
    ...     x.exp().backward()
    >>> x.grad
    tensor(1.)
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._wanted = _Watch(check_nan) if mode else None
        self._outer = [state.anomaly]
        state.anomaly = self._wanted

    def __enter__(self) -> None:
        state.anomaly = self._wanted

    def __exit__(self, *_: object) -> None:
        state.anomaly = self._outer[-1]


class detect_anomaly:
    """A ``with`` block in which a derivative with a NaN is an error; see `set_detect_anomaly`.

    >>> import stepgrad as sg
    >>> x = sg.tensor([0.0, 4.0], requires_grad=True)
    >>> with sg.autograd.detect_anomaly():
    ...     (sg.sqrt(x) * 0).sum().backward()
    Traceback (most recent call last):
    stepgrad.errors.GradientError: the derivative of sqrt by its input 'x' has 1 NaN among 2 numbers; ...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._watch = _Watch(check_nan)
        self._outer: list[Any] = []

    def __enter__(self) -> None:
        self._outer.append(state.anomaly)
        state.anomaly = self._watch

    def __exit__(self, *_: object) -> None:
        state.anomaly = self._outer.pop()


def is_anomaly_enabled() -> bool:
    """Return whether operations remember the lines that called them."""
    return state.anomaly is not None


def is_anomaly_check_nan_enabled() -> bool:
    """Return whether a derivative with a NaN is an error."""
    return state.anomaly is not None and state.anomaly.check_nan


__all__ = ["detect_anomaly", "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "set_detect_anomaly"]
