"""Callbacks: what is called while a `Trainer` trains."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from stepgrad.errors import ArgumentError, suggest
from stepgrad.files.atomic import write_atomically
from stepgrad.files.paths import file_error

if TYPE_CHECKING:
    from stepgrad.train.trainer import Trainer


class Callback:
    """Base of callbacks; each method may be overridden.

    What `state_dict` returns (plain values, arrays, Tensors) is kept in checkpoints, and handed to
    `load_state_dict` when a run is resumed.

    >>> import stepgrad as sg
    >>> from stepgrad.train import Callback
    >>> class StopAtStep(Callback):
    ...     def __init__(self, step):
    ...         self.step = step
    ...     def on_batch_end(self, trainer):
    ...         if trainer.step == self.step:
    ...             trainer.stop(f"step {self.step} is reached")
    >>> net = sg.nn.Linear(1, 1)
    >>> trainer = sg.Trainer(net, sg.nn.MSELoss(), sg.optim.SGD(net.parameters()), callbacks=[StopAtStep(7)],
    ...                      progress=False)
    >>> trainer.fit((sg.ones(8, 1), sg.ones(8, 1)), epochs=9, batch_size=2).stopped, trainer.step
    ('step 7 is reached', 8)
    """

    # Whether `on_batch_end` must be called after every single update. False lets many updates run as one
    # native call, after which it is called once.
    each_batch = True

    def wants_each_batch(self) -> bool:
        """Return whether `on_batch_end` does something, and must be called after every update."""
        own = getattr(self.on_batch_end, "__func__", None)
        return self.each_batch and own is not Callback.on_batch_end

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Called before the first epoch (after a resume: before the epoch that goes on)."""

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Called before each epoch; `trainer.epoch` counts from 0."""

    def on_batch_end(self, trainer: Trainer) -> None:
        """Called after each update (see `each_batch`); `trainer.last_loss` is the loss of the batch,
        `trainer.step` counts updates. Native steps leave no gradients behind.
        """

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Called after each epoch; ``trainer.history[-1]`` is its record. `trainer.stop(reason)` ends the
        run.
        """

    def on_fit_end(self, trainer: Trainer) -> None:
        """Called at the end, also after an error or Ctrl-C."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a state that `state_dict` returned."""


class LambdaCallback(Callback):
    """A callback of functions: ``LambdaCallback(on_epoch_end=lambda trainer: …)``.

    Raises `ArgumentError` for a name that is no event.

    >>> import stepgrad as sg
    >>> from stepgrad.train import LambdaCallback, Trainer
    >>> net = sg.nn.Linear(1, 1)
    >>> seen = []
    >>> note = LambdaCallback(on_epoch_end=lambda trainer: seen.append(trainer.epoch))
    >>> sgd = sg.optim.SGD(net.parameters(), lr=0.1)
    >>> trainer = Trainer(net, sg.nn.MSELoss(), sgd, callbacks=[note], progress=False)
    >>> _ = trainer.fit((sg.zeros(4, 1), sg.zeros(4, 1)), epochs=3)
    >>> seen
    [1, 2, 3]
    """

    def __init__(self, **functions: Callable[[Trainer], None]) -> None:
        known = [name for name in vars(Callback) if name.startswith("on_")]
        for name, function in functions.items():
            if name not in known:
                raise ArgumentError(f"there is no callback {name!r}.{suggest(name, known)}")
            setattr(self, name, function)


class EpochLog(Callback):
    """Writes each epoch's record as one JSON line to a file, at once; NaN and infinity as null.

    A resumed run cuts the file back to the epochs that it knows, so that none stands there twice. Raises
    `FileError` if the file cannot be written.

    >>> import stepgrad as sg
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> model, data = sg.nn.Linear(1, 1), sg.data.TensorDataset(sg.rand(8, 1), sg.rand(8, 1))
    >>> optimizer = sg.optim.SGD(model.parameters(), lr=0.1)
    >>> with TemporaryDirectory() as folder:
    ...     log = Path(folder, "log.jsonl")
    ...     trainer = sg.Trainer(model, sg.nn.MSELoss(), optimizer, callbacks=[EpochLog(log)])
    ...     history = trainer.fit(data, epochs=2, batch_size=4)
    ...     len(log.read_text().splitlines())
    2
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Write what is known already (nothing, in a new run)."""
        write_atomically(self.path, "".join(map(_json_line, trainer.history)).encode())

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Append a line."""
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(_json_line(trainer.history[-1]))
        except OSError as error:
            raise file_error(error, os.fspath(self.path), "write") from error


def _json_line(epoch: dict[str, Any]) -> str:
    # JSON has no NaN and no infinity.
    finite = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in epoch.items()}
    return json.dumps(finite, allow_nan=False) + "\n"


class Progress(Callback):
    """Tells how far training is: one line that is rewritten in a terminal, plain lines elsewhere.

    `stream` is stderr by default. In a terminal the line is renewed ten times a second at most; elsewhere
    a line is written for the first epoch, then when `interval` seconds have passed since the last, and at
    the end. Where there is no stderr (a program without a console) or it cannot be written (a full disk, a
    closed pipe), the lines are lost: they are not worth the end of a training.

    >>> import stepgrad as sg
    >>> from io import StringIO
    >>> model, data = sg.nn.Linear(1, 1), sg.data.TensorDataset(sg.rand(8, 1), sg.rand(8, 1))
    >>> optimizer, stream = sg.optim.SGD(model.parameters(), lr=0.1), StringIO()
    >>> trainer = sg.Trainer(model, sg.nn.MSELoss(), optimizer, callbacks=[Progress(stream)])
    >>> history = trainer.fit(data, epochs=2, batch_size=4)
    >>> len(stream.getvalue().splitlines())
    2
    """

    each_batch = False

    def __init__(self, stream: TextIO | None = None, interval: float = 5.0) -> None:
        self._stream = stream
        self._interval = interval
        self._last = -math.inf
        self._written = ""
        self._open = False

    @property
    def stream(self) -> TextIO | None:
        """Where the lines go; None where there is no stderr."""
        return sys.stderr if self._stream is None else self._stream

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Find out whether there is a terminal."""
        self._terminal = self.stream is not None and self.stream.isatty()
        self._last, self._written, self._open = -math.inf, "", False

    def on_batch_end(self, trainer: Trainer) -> None:
        """In a terminal: renew the line."""
        if self._terminal and time.monotonic() - self._last > 0.1:
            done, total = trainer.batches
            share = f" {done}/{total}" if total else f" {done}"
            self._write(
                f"epoch {trainer.epoch + 1}/{trainer.last_epoch}, batch{share}, loss {trainer.last_loss:.4g}"
            )

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Write the epoch's numbers."""
        if time.monotonic() - self._last > (0.1 if self._terminal else self._interval):
            self._write(self._text(trainer))

    def on_fit_end(self, trainer: Trainer) -> None:
        """Write the last line, with the reason for the end."""
        if len(trainer.history):
            text = self._text(trainer)
            reason = trainer.history.stopped
            self._write(f"{text}; {reason}" if reason else text)
        if self._open:
            self._tell("\n")
            self._open = False

    def _text(self, trainer: Trainer) -> str:
        record = trainer.history[-1]
        skip = ("epoch", "step", "lr", "seconds")
        numbers = [f"{name.replace('_', ' ')} {v:.4g}" for name, v in record.items() if name not in skip]
        return (
            f"epoch {record['epoch']}/{trainer.last_epoch}, {', '.join(numbers)}, {record['seconds']:.1f} s"
        )

    def _write(self, text: str) -> None:
        if text == self._written:
            return
        if self._terminal:
            width = _terminal_width(self.stream)
            shown = text[: width - 1]
            self._tell("\r" + shown + " " * max(0, min(len(self._written), width - 1) - len(shown)))
            self._open = True
        else:
            self._tell(text + "\n")
        self._written, self._last = text, time.monotonic()

    def _tell(self, text: str) -> None:
        if self.stream is not None:
            with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
                self.stream.write(text)
                self.stream.flush()


def _terminal_width(stream: TextIO | None) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80 if stream is not None else 80
    except (OSError, ValueError):
        return 80
