"""The worked example: one training step of a 2-2-1 network of sigmoids, small enough for paper."""

from __future__ import annotations

from typing import Any

from stepgrad import nn, optim
from stepgrad.arrays.dtypes import float64
from stepgrad.explain.worked import Worked
from stepgrad.explain.writing import explain
from stepgrad.functions.creation import tensor

_PARAMETERS = {
    "0.weight": [[0.4352, 0.3545], [0.1951, 0.4835]],
    "0.bias": [-0.1419, 0.0439],
    "2.weight": [[-0.1725, 0.1129]],
    "2.bias": [-0.3043],
}


def example_step(**options: Any) -> Worked:
    """Return the step: x = (1, 1), y = 0, binary cross entropy, SGD with the learning rate 1.

    `options` are those of `stepgrad.explain`.

    >>> print(example_step(round_steps=4)["update/0.weight[0,0]"])
    w⁽¹⁾₁₁′ = w⁽¹⁾₁₁ − η·∂L/∂w⁽¹⁾₁₁ = 0.4352 − 1·(−0.0162) = 0.4514
    """
    with nn.init.skipped():
        layers = (nn.Linear(2, 2, dtype=float64), nn.Sigmoid(), nn.Linear(2, 1, dtype=float64), nn.Sigmoid())
        model = nn.Sequential(*layers)
    model.load_state_dict({name: tensor(value, dtype=float64) for name, value in _PARAMETERS.items()})
    return explain(model, nn.BCELoss(), optim.SGD(model.parameters(), lr=1.0), [1.0, 1.0], [0.0], **options)
