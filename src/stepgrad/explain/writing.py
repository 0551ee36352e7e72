"""`explain`: a training step of any model as worked lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy

from stepgrad.errors import ArgumentError
from stepgrad.explain.line import Given
from stepgrad.explain.matrix import MatrixLayout
from stepgrad.explain.scalar import ScalarLayout
from stepgrad.explain.selection import Selection
from stepgrad.explain.step import Step, run_step
from stepgrad.explain.worked import Worked
from stepgrad.nn.module import Module
from stepgrad.optim.optimizer import Optimizer, check_learns

_MOST_BY_NUMBER = 600  # lines


def explain(
    model: Module,
    loss: Callable[..., Any],
    optimizer: Any,
    x: Any,
    y: Any,
    *,
    layout: str = "auto",
    digits: int = 6,
    round_steps: int | None = None,
    sample: int | None = None,
    layer: int | str | None = None,
    neuron: int | None = None,
    path: str | None = None,
    labels: Mapping[str, Sequence[str]] | None = None,
) -> Worked:
    """Return one training step of `model` written out: forward pass, loss, chain rule, update, and the
    forward pass with the new parameters.

    `x` is the input (a tensor, an array, a list of numbers, or a tuple of these for a model of several
    inputs), `y` the target; `loss` takes the model's output and `y`; `optimizer` is one of
    `stepgrad.optim`, or None for no update. The step runs on copies in float64: model, optimizer and random
    streams stay as they are.

    `layout`: "scalar", every number by its own name and on its own line; "matrix", a line for each array;
    "auto", the second where the first would take more than 600 lines and nothing was picked.

    Numbers are printed with `digits` significant digits; a line that needs more for its text to give its
    value has more. With `round_steps` every value is rounded to so many decimals before its next use, as a
    textbook does.

    Of a large network the reader picks what is written out: a `sample` of the batch and a `neuron`, both
    counted from 0; a `layer` by its number, from 1, or by the path of its module; or with `path` one
    weight, such as ``"0.weight[3,17]"``, and the way from it to the loss. What the lines use and do not show
    is among `Worked.given`.

    `labels` are what a person calls the features of an input, by the input's name:
    ``{"x": ["width", "height"]}``; of a target (``"y"``) the classes that its whole
    numbers stand for, or one label for a single number.

    Raises `ArgumentError` for a loss that is not one number, for an optimizer of another model or one that
    runs the model by itself (`LBFGS`), for a pick that is not there, and for more than 20,000 lines.

    >>> import stepgrad as sg
    >>> model = sg.nn.Sequential(sg.nn.Linear(1, 1), sg.nn.Sigmoid())
    >>> for p in model.parameters():
    ...     _ = p.data.fill_(0.5)
    >>> optimizer = sg.optim.SGD(model.parameters(), lr=1.0)
    >>> for line in explain(model, sg.nn.BCELoss(), optimizer, [1.0], [0.0]):
    ...     print(line)
    z⁽¹⁾ = w⁽¹⁾·x + b⁽¹⁾ = 0.5·1 + 0.5 = 1
    ŷ = 1/(1 + e^(−z⁽¹⁾)) = 1/(1 + e^(−1)) = 0.731059
    L = −(y·ln(ŷ) + (1 − y)·ln(1 − ŷ)) = −(0·ln(0.731059) + (1 − 0)·ln(1 − 0.731059)) = 1.31326
    ∂L/∂ŷ = (ŷ − y)/(ŷ·(1 − ŷ)) = (0.731059 − 0)/(0.731059·(1 − 0.731059)) = 3.71828
    ∂ŷ/∂z⁽¹⁾ = ŷ·(1 − ŷ) = 0.731059·(1 − 0.731059) = 0.196612
    ∂L/∂z⁽¹⁾ = ∂L/∂ŷ·∂ŷ/∂z⁽¹⁾ = 3.71828·0.196612 = 0.731059
    ∂L/∂w⁽¹⁾ = ∂L/∂z⁽¹⁾·x = 0.731059·1 = 0.731059
    ∂L/∂b⁽¹⁾ = ∂L/∂z⁽¹⁾ = 0.731059
    w⁽¹⁾′ = w⁽¹⁾ − η·∂L/∂w⁽¹⁾ = 0.5 − 1·0.731059 = −0.231059
    b⁽¹⁾′ = b⁽¹⁾ − η·∂L/∂b⁽¹⁾ = 0.5 − 1·0.731059 = −0.231059
    z⁽¹⁾′ = w⁽¹⁾′·x + b⁽¹⁾′ = (−0.231059)·1 + (−0.231059) = −0.462117
    ŷ′ = 1/(1 + e^(−z⁽¹⁾′)) = 1/(1 + e^(−(−0.462117))) = 0.386484
    L′ = −(y·ln(ŷ′) + (1 − y)·ln(1 − ŷ′)) = −(0·ln(0.386484) + (1 − 0)·ln(1 − 0.386484)) = 0.488548
    """
    if not isinstance(model, Module):
        raise ArgumentError(f"explain takes a Module as its model, not {type(model).__name__}.")
    if optimizer is not None:
        if not isinstance(optimizer, Optimizer):
            raise ArgumentError(f"explain takes an optimizer of stepgrad.optim, or None, not {optimizer!r}.")
        check_learns(
            optimizer, [*model.parameters(), *(loss.parameters() if isinstance(loss, Module) else ())]
        )
    for name, value, least in (("digits", digits, 2), ("round_steps", round_steps, 1)):
        if value is not None and not (type(value) is int and least <= value <= 15):
            raise ArgumentError(f"{name} is a whole number from {least} to 15, not {value!r}.")
    step = run_step(model, loss, optimizer, x if isinstance(x, tuple) else (x,), y)
    selection = Selection(sample, layer, neuron, path)
    chosen = _layout(layout, step, selection, digits, round_steps)
    lines, given = chosen.write(selection)
    return Worked(lines, [_labelled(each, labels or {}) for each in given], chosen)


def _layout(
    name: str, step: Step, selection: Selection, digits: int, round_steps: int | None
) -> ScalarLayout | MatrixLayout:
    if name not in ("auto", "scalar", "matrix"):
        raise ArgumentError(f"layout is 'auto', 'scalar' or 'matrix', not {name!r}.")
    if name == "matrix":
        return MatrixLayout(step, digits, round_steps)
    scalar = ScalarLayout(step, digits, round_steps)
    is_free = name == "auto" and selection.is_everything and round_steps is None
    if is_free and sum(q.value.array.size for q in scalar.quantities.lines) > _MOST_BY_NUMBER:
        return MatrixLayout(step, digits, round_steps)
    return scalar


def _labelled(given: Given, labels: Mapping[str, Sequence[str]]) -> Given:
    """Return a given number with the label of its feature, the last dimension of its input."""
    name, _, index = given.id.removeprefix("given/").rstrip("]").partition("[")
    if given.origin == "target" and name in labels and numpy.size(given.value) == 1:
        number, known = numpy.ravel(given.value)[0], labels[name]
        if len(known) == 1:
            return replace(given, label=known[0])
        return replace(given, label=known[int(number)]) if number == int(number) else given
    if given.origin not in ("input", "target") or name not in labels or not index:
        return given
    feature = int(index.rpartition(",")[2])
    return replace(given, label=labels[name][feature]) if feature < len(labels[name]) else given
