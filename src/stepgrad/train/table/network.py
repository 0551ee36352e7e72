"""The network for a prepared table: hidden layers, with embeddings ahead of them if some columns hold many
texts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from stepgrad import nn
from stepgrad.arrays import dtypes
from stepgrad.data.table.prepare import Preparation
from stepgrad.functions.creation import zeros
from stepgrad.train.table.result import Layer
from stepgrad.train.table.settings import TableSettings, needed

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "elu": nn.ELU, "gelu": nn.GELU, "leaky_relu": nn.LeakyReLU, "relu": nn.ReLU, "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU, "tanh": nn.Tanh,
}  # fmt: skip


def make_network(settings: TableSettings, preparation: Preparation) -> nn.Module:
    """Return a network for tables prepared like that: a `Sequential`, or an `EmbedColumns` where there are
    embeddings.

    It gives one number per class, or one alone for two classes and for regression. Its first weights are
    drawn from the default random stream. `settings` must have everything chosen.
    """
    assert settings.hidden is not None
    assert settings.activation is not None
    tables = [
        # Where no training row has the code 0, of unknown texts, its vector stays 0 instead of a random one.
        nn.Embedding(each.size, each.dimension, padding_idx=None if each.has_rare else 0)
        for each in preparation.embeddings
    ]
    width = _width(preparation)
    layers: list[nn.Module] = []
    for units in settings.hidden:
        layers += [nn.Linear(width, units), _ACTIVATIONS[settings.activation]()]
        if settings.dropout:
            layers.append(nn.Dropout(settings.dropout))
        width = units
    body = nn.Sequential(*layers, nn.Linear(width, _outputs(preparation)))
    return nn.EmbedColumns(nn.ModuleList(tables), body) if tables else body


def count_weights(settings: TableSettings, preparation: Preparation) -> int:
    """Return how many weights the layers of `make_network` have, without making them; biases and embeddings
    apart.
    """
    widths = [_width(preparation), *needed(settings.hidden), _outputs(preparation)]
    return sum(inputs * outputs for inputs, outputs in pairwise(widths))


def _width(preparation: Preparation) -> int:
    return preparation.width + sum(each.dimension for each in preparation.embeddings)


def _outputs(preparation: Preparation) -> int:
    task = preparation.task
    return len(task.classes) if task.kind == "multiclass" else 1


def describe_layers(network: nn.Module, preparation: Preparation) -> list[Layer]:
    """Return the layers of a network for prepared tables, in the order in which they compute."""
    inputs: list[Any] = [(1, preparation.width)]
    if preparation.embeddings:
        inputs.append(zeros(1, len(preparation.embeddings), dtype=dtypes.int64))
    rows = nn.summary(network, *inputs).rows
    return [Layer(row.text, row.outputs[0][1:], row.parameters) for row in rows]
