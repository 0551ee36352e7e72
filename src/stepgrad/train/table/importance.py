"""Which columns matter: how much worse the predictions get when the cells of a column are shuffled."""

from __future__ import annotations

import numpy

from stepgrad.arrays.random import Generator, stream
from stepgrad.data.table.target import NumberTarget
from stepgrad.train.table.fit import Part
from stepgrad.train.table.model import TableModel
from stepgrad.train.table.predictions import probabilities
from stepgrad.train.table.result import InputImportance
from stepgrad.train.table.scores import cross_entropy

_MOST_ROWS = 2_000
_REPEATS = 5


def permutation_importance(model: TableModel, part: Part, seed: int) -> list[InputImportance]:
    """Return every column that the network uses, the most important first (Breiman, "Random forests", 2001).

    All inputs that come from a column are shuffled together, 5 times with `seed`, and the losses averaged. Of
    more than 2,000 rows, 2,000 random ones are used.
    """
    random = stream(seed, "importance")
    rows = random.permutation(len(part))[:_MOST_ROWS]
    part = Part(part.numbers[rows], part.codes[rows], part.target[rows])
    loss, error = _losses(model, part.numbers, part.codes, part.target)
    places: dict[str, dict[str, list[int]]] = {}
    for each in model.preparation.inputs:
        places.setdefault(each.origin, {"numbers": [], "codes": []})[each.array].append(each.position)
    found = []
    for column, place in places.items():
        rises = [_shuffled(model, part, place, random) for _ in range(_REPEATS)]
        mean_loss, mean_error = numpy.mean(rises, axis=0).tolist()
        found.append(InputImportance(column, mean_loss - loss, mean_error - error))
    return sorted(found, key=lambda each: -each.loss_rise)


def _shuffled(
    model: TableModel, part: Part, place: dict[str, list[int]], random: Generator
) -> tuple[float, float]:
    """Return loss and error with some inputs shuffled among the rows."""
    order = random.permutation(len(part))
    numbers, codes = part.numbers.copy(), part.codes.copy()
    for array, columns in ((numbers, place["numbers"]), (codes, place["codes"])):
        array[:, columns] = array[order][:, columns]
    return _losses(model, numbers, codes, part.target)


def _losses(
    model: TableModel, numbers: numpy.ndarray, codes: numpy.ndarray, target: numpy.ndarray
) -> tuple[float, float]:
    """Return the loss, and the error: the share of wrong classes, or the rmse in units of the target."""
    outputs = model.outputs(numbers, codes)
    learned = model.preparation.target
    if isinstance(learned, NumberTarget):
        off = learned.original(outputs[:, 0]) - learned.original(target)
        return float(((outputs[:, 0] - target) ** 2).mean()), float(numpy.sqrt((off**2).mean()))
    chances = probabilities(outputs)
    return cross_entropy(chances, target), float((chances.argmax(axis=1) != target).mean())
