"""How far training is: one live line in a terminal, a plain line now and then elsewhere, always on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any

from stepgrad.cli.output import to_stderr
from stepgrad.train.callbacks import Callback
from stepgrad.words.language import Words
from stepgrad.words.numbers import duration, number

if TYPE_CHECKING:
    from rich.text import Text

    from stepgrad.train.trainer import Trainer

_BAR = 12
_LIVE_EVERY, _PLAIN_EVERY = 0.1, 5.0  # seconds


class RunProgress(Callback):
    """Shows epoch, losses and time of a run; a second training in the same run is said to be the one on all
    rows.
    """

    each_batch = False

    def __init__(self, words: Words) -> None:
        self._words = words
        self._trainings = 0
        self._live: Any = None
        self._begun = self._last = time.monotonic()
        self._last_text = ""

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Begin the live line if stderr is a terminal."""
        self._trainings += 1
        self._begun, self._last = time.monotonic(), 0.0
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True, highlight=False, markup=False, emoji=False)
            self._live = Live("", console=console, auto_refresh=False, transient=True)
            self._live.start()

    def on_batch_end(self, trainer: Trainer) -> None:
        """Renew the live line; elsewhere, tell of a long epoch."""
        if self._is_time():
            self._show(trainer, trainer.epoch + 1)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Show the numbers of the epoch, if the last ones are not too fresh."""
        if self._is_time():
            self._show(trainer, trainer.history[-1]["epoch"])

    def on_fit_end(self, trainer: Trainer) -> None:
        """Remove the live line; elsewhere, write the last numbers."""
        if self._live:
            with contextlib.suppress(OSError):
                self._live.stop()
            self._live = None
        elif len(trainer.history):
            self._show(trainer, trainer.history[-1]["epoch"])

    def _is_time(self) -> bool:
        return time.monotonic() - self._last > (_LIVE_EVERY if self._live else _PLAIN_EVERY)

    def _show(self, trainer: Trainer, epoch: int) -> None:
        self._last = time.monotonic()
        time_taken = duration(self._last - self._begun, self._words)
        text = ", ".join([self._stage(epoch, trainer.last_epoch), *self._losses(trainer), time_taken])
        if self._live:
            with contextlib.suppress(OSError):  # the terminal may be gone
                self._live.update(self._line(trainer, text), refresh=True)
        elif text != self._last_text:
            to_stderr(text)
            self._last_text = text

    def _stage(self, epoch: int, epochs: int) -> str:
        if self._trainings == 1:
            return self._words("epoch {epoch}/{epochs}", epoch=epoch, epochs=epochs)
        return self._words("again on all rows, epoch {epoch}/{epochs}", epoch=epoch, epochs=epochs)

    def _losses(self, trainer: Trainer) -> list[str]:
        if not len(trainer.history):
            return [self._words("loss {value}", value=number(trainer.mean_loss, 3))]
        record = trainer.history[-1]
        texts = [self._words("loss {value}", value=number(record["loss"], 3))]
        validation = record.get("validation_loss")
        if validation is not None:
            texts.append(self._words("validation {value}", value=number(validation, 3)))
            best = min(h["validation_loss"] for h in trainer.history if h["validation_loss"] is not None)
            texts.append(self._words("best {value}", value=number(best, 3)))
        return texts

    def _line(self, trainer: Trainer, text: str) -> Text:
        from rich.text import Text

        done, batches = trainer.batches
        share = (trainer.epoch + (done / batches if batches else 0)) / max(trainer.last_epoch, 1)
        filled = round(min(share, 1.0) * _BAR)
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append("━" * filled, style="blue").append("─" * (_BAR - filled), style="dim").append(f" {text}")
        return line
