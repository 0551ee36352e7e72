"""A network together with what was learned about the table, so that it takes tables and gives answers."""

from __future__ import annotations

import base64
import copy
import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy

from stepgrad import nn
from stepgrad.autograd.modes import no_grad
from stepgrad.data.table.described import has_type
from stepgrad.data.table.frame import Table
from stepgrad.data.table.prepare import Preparation
from stepgrad.data.table.target import ClassTarget, NumberTarget
from stepgrad.errors import DataError, FileError, StepgradError
from stepgrad.files.model import load, read_record, save
from stepgrad.functions.creation import from_numpy
from stepgrad.train.table.predictions import Predictions, probabilities
from stepgrad.train.table.settings import TableSettings

MODEL_NAME = "model.safetensors"
_VERSION = 1
_ROWS_AT_ONCE = 4096
_RECORD = {  # types of what is read in the record of a file
    "rows": dict[str, int], "settings": dict[str, Any], "epochs": int, "best_epoch": int,
    "test": dict[str, float | None], "baseline": dict[str, float | None], "fingerprint": str,
    "test_rows": str,
}  # fmt: skip


class TableModel:
    """A trained network with its `preparation` of tables. `record` says how it was trained (plain values).

    It computes in float64 with the float32 weights that were trained, so that what it says about a row does
    not depend on the rows beside it. Predicted numbers stay within the range that the target had in
    training and a tenth of it on either side; those of a linear model (no hidden layers) have no limits.
    """

    def __init__(
        self, network: nn.Module, preparation: Preparation, record: Mapping[str, Any] | None = None
    ) -> None:
        self.network = network.eval()
        self.preparation = preparation
        self.record: dict[str, Any] = dict(record or {})

    @property
    def target(self) -> str:
        """The name of the column that is predicted."""
        return self.preparation.target.origin

    @property
    def task(self) -> str:
        """ "regression", "binary" or "multiclass"."""
        return self.preparation.task.kind

    @property
    def classes(self) -> list[str]:
        """The classes in order; [] for regression."""
        target = self.preparation.target
        return list(target.classes) if isinstance(target, ClassTarget) else []

    def predict(self, table: Table) -> Predictions:
        """Return the predictions for every row of `table`, which may lack the target and have other columns
        besides.

        Raises `DataError` if a column is missing (the nearest name is suggested), holds another kind of cells
        than in training, or an infinite number.
        """
        prepared = self.preparation.transform(table)
        used = {each.origin for each in self.preparation.columns} | {self.target}
        notes = [*prepared.notes, *_unused_columns(table, used)]
        return self.answer(self.outputs(prepared.numbers, prepared.codes), notes)

    def answer(self, outputs: numpy.ndarray, notes: Iterable[str] = ()) -> Predictions:
        """Return what the `outputs` of the network, (rows, outputs), mean."""
        target = self.preparation.target
        if isinstance(target, NumberTarget):
            values = target.original(outputs[:, 0])
            return Predictions([], None, None, values, [*notes, *target.notes(values)])
        chances = probabilities(outputs)
        labels = [target.classes[i] for i in chances.argmax(axis=1).tolist()]
        return Predictions(list(target.classes), labels, chances, None, list(notes))

    def outputs(self, numbers: numpy.ndarray, codes: numpy.ndarray) -> numpy.ndarray:
        """Return what the network makes of prepared rows, float64 (rows, outputs): logits, or the
        standardised target."""
        parts = []
        with no_grad():
            for start in range(0, max(len(numbers), 1), _ROWS_AT_ONCE):
                rows = slice(start, start + _ROWS_AT_ONCE)
                inputs = [from_numpy(numbers[rows].astype(numpy.float64))]
                if codes.shape[1]:
                    inputs.append(from_numpy(codes[rows]))
                parts.append(self._exact(*inputs).numpy())
        return numpy.concatenate(parts)

    @cached_property
    def _exact(self) -> nn.Module:
        return copy.deepcopy(self.network).to("cpu").double()

    def save(self, path: str | os.PathLike[str], record: Mapping[str, Any] | None = None) -> None:
        """Write everything to one safetensors file, whole or not at all; ``stepgrad.load(path)`` gives the
        network alone.

        `record` is added to the record of the model. Raises `FileError` if the file cannot be written.
        """
        self.record |= record or {}
        table = {"version": _VERSION, "preparation": self.preparation.to_config()}
        save(self.network, path, {"table": table, "training": self.record})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TableModel:
        """Read what `save` wrote. Raises `FileError` if the file is damaged or holds something else."""
        network, record = load(path), read_record(path)
        if not isinstance(network, nn.Module) or not isinstance(record, dict) or "table" not in record:
            raise FileError(
                f"'{os.fspath(path)}' holds no model of a table; `stepgrad train` writes one. A network "
                "alone is read with stepgrad.load(path)."
            )
        table = record["table"]
        try:
            if table["version"] != _VERSION:
                raise FileError(
                    f"'{os.fspath(path)}' was written by another version of stepgrad; train it again."
                )
            model = cls(network, Preparation.from_config(table["preparation"]), record["training"])
            model._refuse_misfit()
            return model
        except FileError:
            raise
        except (StepgradError, KeyError, TypeError, ValueError) as error:
            raise FileError(f"'{os.fspath(path)}' holds no usable model of a table: {error}") from None

    def _refuse_misfit(self) -> None:
        """Raise `DataError` if parts that a file brings do not go together: the network with the preparation,
        and what the record says with what is read there.
        """
        for name, value in self.record.items():
            if name in _RECORD and not has_type(value, _RECORD[name]):
                raise DataError(f"its record cannot have {str(value)[:40]!r} for {name}.")
        base64.b64decode(self.record.get("test_rows", ""))
        if "settings" in self.record:
            TableSettings(**self.record["settings"])
        embeddings = self.preparation.embeddings
        codes = numpy.array([[each.size - 1 for each in embeddings]], dtype=numpy.int64)
        outputs = self.outputs(numpy.zeros((1, self.preparation.width), dtype=numpy.float32), codes)
        task = self.preparation.task
        expected = (1, len(task.classes) if task.kind == "multiclass" else 1)
        if outputs.shape != expected:
            raise DataError(f"its network gives {list(outputs.shape)} and not {list(expected)} for a row.")


def load_table_model(run: str | os.PathLike[str]) -> TableModel:
    """Return the model of a finished run of ``stepgrad train``, given the run's folder or its model file.

    Raises `FileError` if there is none, or if the file is damaged or holds something else.

    >>> import tempfile
    >>> from stepgrad.data.table import Table
    >>> from stepgrad.train.table.job import train_table
    >>> from stepgrad.train.table.settings import TableSettings
    >>> table = Table.from_arrays({"size": range(30), "price": [3.0 * size for size in range(30)]})
    >>> folder = tempfile.mkdtemp()
    >>> _ = train_table(table, TableSettings("price", hidden=(), lr=0.1, epochs=30), folder)
    >>> predictions = load_table_model(folder).predict(Table.from_arrays({"size": [10, 20]}))
    >>> bool(predictions.values[0] < predictions.values[1])
    True
    """
    path = os.fspath(run)
    return TableModel.load(os.path.join(path, MODEL_NAME) if os.path.isdir(path) else path)


def _unused_columns(table: Table, used: set[str]) -> list[str]:
    unused = [f"'{name}'" for name in table.names if name not in used]
    if not unused:
        return []
    shown = ", ".join(unused[:8]) + (f" and {len(unused) - 8} more" if len(unused) > 8 else "")
    return [f"the network does not use {'these columns' if len(unused) > 1 else 'this column'}: {shown}."]
