"""A model in evaluation mode on data: its loss, its metrics, its outputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.autograd.modes import no_grad
from stepgrad.data.dataset import TensorDataset
from stepgrad.data.loader import DataLoader
from stepgrad.errors import DataError, ShapeError
from stepgrad.functions.creation import as_tensor
from stepgrad.functions.joining import cat
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor
from stepgrad.train.eager import on_device, with_target

if TYPE_CHECKING:
    from stepgrad.train.trainer import Trainer


class EvaluationMode:
    """Within it a model is in evaluation mode, and nothing is recorded; after it each module is as it was."""

    def __init__(self, model: Module) -> None:
        self._model, self._no_grad = model, no_grad()

    def __enter__(self) -> None:
        self._before = [(module, module.training) for module in self._model.modules()]
        self._no_grad.__enter__()
        self._model.eval()

    def __exit__(self, *_: object) -> None:
        self._no_grad.__exit__(*_)
        for module, training in self._before:
            vars(module)["training"] = training


def evaluate(
    trainer: Trainer, data: Any, batch_size: int, after_batch: Callable[[], None] | None = None
) -> dict[str, float]:
    """Return {"loss"} and each metric of the trainer's model on `data`; see `Trainer.evaluate`.

    `after_batch` is called after each batch.
    """
    outputs, targets, losses, rows = [], [], 0.0, 0
    with EvaluationMode(trainer.model):
        for batch in batches_of(data, batch_size):
            *inputs, target = with_target(batch, trainer.device)
            y = trainer.model(*inputs)
            size = target.shape[0] if target.ndim else 1
            losses += _number(trainer.loss(y, target)) * size
            rows += size
            if trainer.metrics:
                outputs.append(y)
                targets.append(target)
            if after_batch is not None:
                after_batch()
    if not rows:
        raise DataError("the data to evaluate have no rows.")
    result = {"loss": losses / rows}
    if trainer.metrics:
        y, t = _as_arrays(joined(outputs)), _as_arrays(joined(targets))
        result |= {name: float(metric(y, t)) for name, metric in trainer.metrics.items()}
    return result


def predict(trainer: Trainer, data: Any, batch_size: int) -> Any:
    """Return the outputs of the trainer's model for inputs; see `Trainer.predict`."""
    data = (data,) if isinstance(data, (Tensor, numpy.ndarray)) else data
    outputs = []
    with EvaluationMode(trainer.model):
        for batch in batches_of(data, batch_size):
            outputs.append(trainer.model(*on_device(batch, trainer.device)))
    if not outputs:
        raise DataError("the data to predict have no rows.")
    return joined(outputs)


def batches_of(data: Any, batch_size: int) -> Iterator[Any]:
    """Return the batches of data in their order."""
    data = as_dataset(data)
    if type(data) is TensorDataset:
        return _slices(data, batch_size)
    return iter(data if isinstance(data, DataLoader) else DataLoader(data, batch_size=batch_size))


def _slices(data: TensorDataset, size: int) -> Iterator[tuple[Tensor, ...]]:
    if 0 < len(data) <= size:
        yield data.tensors
        return
    for start in range(0, len(data), size):
        yield tuple(t.detach()[start : start + size] for t in data.tensors)


def as_dataset(data: Any) -> Any:
    """Return a tuple (inputs…, target), or a list of arrays, as a dataset, and a dataset as it is.

    Raises `DataError` for what is neither.
    """
    has_shapes = isinstance(data, list) and data and all(hasattr(part, "shape") for part in data)
    if isinstance(data, tuple) or has_shapes:
        return TensorDataset(*map(as_tensor, data))
    if isinstance(data, (str, bytes, os.PathLike)) or not (
        hasattr(data, "__getitem__") or hasattr(data, "__iter__")
    ):
        raise DataError(
            f"data are a Dataset, a tuple (inputs…, target) of tensors or arrays, or a DataLoader, not "
            f"{data!r}."
        )
    return data


def joined(parts: Any) -> Any:
    """Return the rows of all parts as one tensor; as a tuple of tensors if each part is one."""
    if isinstance(parts[0], (tuple, list)):
        return tuple(map(joined, zip(*parts)))
    return parts[0] if len(parts) == 1 else cat(parts)


def _as_arrays(x: Any) -> Any:
    return tuple(map(_as_arrays, x)) if isinstance(x, tuple) else x.cpu().numpy()


def _number(loss: Tensor) -> float:
    if loss.numel() != 1:
        raise ShapeError(f"the loss must be one number, not of shape {list(loss.shape)}; reduce it.")
    return loss.item()
