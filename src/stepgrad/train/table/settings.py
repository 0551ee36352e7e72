"""What a person can choose about a run on a table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from stepgrad.data.table.split import FRACTIONS
from stepgrad.data.table.task import TASKS
from stepgrad.errors import ArgumentError, suggest

ACTIVATIONS = ("elu", "gelu", "leaky_relu", "relu", "sigmoid", "silu", "tanh")
T = TypeVar("T")
OPTIMIZERS = ("adam", "adamw", "sgd")


@dataclass(frozen=True)
class TableSettings:
    """The settings of a run on a table. What is None is chosen from the data
    (`stepgrad.train.table.defaults`).

    * `target`: the column that is predicted. `data`: the path that the table was read from, kept for
      resuming; None is the built-in digits. `task`: "regression", "binary" or "multiclass".
    * `hidden`: units of each hidden layer, such as (64, 64), or 64 for one; () is a linear model.
      `activation`: one of `ACTIVATIONS`.
    * `lr`: the highest learning rate. `batch_size`: rows in a step. `epochs`: at most so many passes over the
      training rows. `optimizer`: one of `OPTIMIZERS`. `weight_decay`: of the weights, not of the biases.
      `dropout`: the share of hidden units that a step leaves out.
    * `patience`: training stops after so many epochs in which the validation loss did not fall; 0 never
      stops. `refit`: whether the network is then trained anew for the best number of epochs, on the training
      and the validation rows together.
    * `fractions`: of the rows for training, validation and test, summing to 1. `seed`: of everything random.
    * `device`: "cpu" or "cuda".

    Raises `ArgumentError` naming the setting that is out of its range.

    >>> TableSettings("price", hidden=(32,)).hidden
    (32,)
    >>> TableSettings("price", activation="rellu")
    Traceback (most recent call last):
    stepgrad.errors.ArgumentError: there is no activation 'rellu'. Did you mean 'relu'? There are elu,
    gelu, ...
    """

    target: str
    data: str | None = None
    task: str | None = None
    hidden: tuple[int, ...] | None = None
    activation: str | None = None
    lr: float | None = None
    batch_size: int | None = None
    epochs: int | None = None
    optimizer: str | None = None
    weight_decay: float | None = None
    dropout: float | None = None
    patience: int | None = None
    refit: bool | None = None
    fractions: tuple[float, float, float] = FRACTIONS
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        _check_choice("task", self.task, TASKS)
        _check_choice("activation", self.activation, ACTIVATIONS)
        _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        if self.hidden is not None:
            object.__setattr__(self, "hidden", _hidden_layers(self.hidden))
        _check_whole("batch_size", self.batch_size, 1)
        _check_whole("epochs", self.epochs, 1)
        _check_whole("patience", self.patience, 0)
        _check_number("lr", self.lr, above=0)
        _check_number("weight_decay", self.weight_decay, least=0)
        _check_number("dropout", self.dropout, least=0, below=1)
        if self.refit is not None and not isinstance(self.refit, bool):
            raise ArgumentError(f"refit must be True or False, not {self.refit!r}.")
        object.__setattr__(self, "fractions", tuple(self.fractions))

    @property
    def bounded(self) -> bool:
        """Whether predicted numbers stay near the range that the target has in training; not if the model is
        linear, which a person chooses so that it goes on along its line.
        """
        return self.hidden != ()


def needed(setting: T | None) -> T:
    """Return a setting that was chosen, by a person or by `with_defaults`."""
    assert setting is not None
    return setting


def _hidden_layers(hidden: Any) -> tuple[int, ...]:
    """Return the units of each layer; a number alone is one layer."""
    if isinstance(hidden, str) or not isinstance(hidden, Iterable):
        hidden = (hidden,)
    layers = tuple(hidden)
    for units in layers:
        _check_whole("a number of hidden units", units, 1)
    return layers


def _check_choice(what: str, value: Any, choices: Iterable[str]) -> None:
    if value is not None and value not in choices:
        raise ArgumentError(
            f"there is no {what} '{value}'.{suggest(str(value), choices)} There are {', '.join(choices)}."
        )


def _check_whole(what: str, value: Any, least: int) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
        raise ArgumentError(f"{what} must be a whole number of at least {least}, not {value!r}.")


def _check_number(
    what: str, value: Any, above: float = -math.inf, least: float = -math.inf, below: float = math.inf
) -> None:
    if value is None:
        return
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if number and value > above and least <= value < below:
        return
    limits = [f"above {above:g}"] * (above > -math.inf) + [f"of at least {least:g}"] * (least > -math.inf)
    limits += [f"below {below:g}"] * (below < math.inf)
    raise ArgumentError(f"{what} must be a number {' and '.join(limits)}, not {value!r}.")
