"""stepgrad's networks as scikit-learn estimators, for its pipelines, cross-validation and grid searches.

They do what ``stepgrad train`` does: columns are scaled, missing cells get indicators, texts become
categories or embeddings, part of the rows says when to stop. So no scaler or encoder is needed before them.
"""

from __future__ import annotations

from typing import Any

import numpy

from stepgrad.data.table.columns import Column, Numbers, Texts
from stepgrad.data.table.convert import column_from_values
from stepgrad.data.table.frame import Table, refuse_repeated
from stepgrad.data.table.prepare import Preparation
from stepgrad.data.table.split import FEWEST_ROWS, split_rows
from stepgrad.data.table.task import Task
from stepgrad.errors import ArgumentError, DataError, MissingPackageError
from stepgrad.train.table.defaults import with_defaults
from stepgrad.train.table.fit import Part, fit_network
from stepgrad.train.table.model import TableModel
from stepgrad.train.table.predictions import Predictions
from stepgrad.train.table.settings import TableSettings

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import assert_all_finite, check_consistent_length, check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
except ImportError:
    raise MissingPackageError(
        "stepgrad.sklearn needs scikit-learn 1.6 or newer: pip install 'stepgrad[sklearn]'"
    ) from None

__all__ = ["Classifier", "Regressor"]

_NO_SETTINGS = ("validation_fraction", "random_state")  # parameters that are no settings of a run on a table


class _Estimator(BaseEstimator):
    """What both estimators have in common. Parameters that are None are chosen from the data."""

    def __init__(
        self,
        hidden: int | tuple[int, ...] | None = None,
        activation: str | None = None,
        *,
        lr: float | None = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        optimizer: str | None = None,
        weight_decay: float | None = None,
        dropout: float | None = None,
        patience: int | None = None,
        refit: bool | None = None,
        validation_fraction: float = 0.15,
        random_state: Any = None,
        device: str = "cpu",
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.lr = lr
        self.batch_size = batch_size
        self.epochs = epochs
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.patience = patience
        self.refit = refit
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.device = device

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _train(self, table: Table, target: Column, task: Task) -> None:
        """Train on the columns of `table` and set `model_` and `history_`."""
        name = "y"
        while name in table.columns:
            name += "_"
        table = Table({**table.columns, name: target})
        settings = self._settings(name)
        train, validation = numpy.arange(len(table)), numpy.arange(0)
        if self.validation_fraction and len(table) >= FEWEST_ROWS:
            split = split_rows(target, task, settings.fractions, settings.seed)
            train, validation = split.train, split.validation
        preparation = Preparation.fit(table, name, task, train, settings.bounded)
        parts = [
            Part(prepared.numbers, prepared.codes, preparation.target_values(table, rows))
            for rows in (train, validation)
            for prepared in [preparation.transform(table, rows)]
        ]
        settings = with_defaults(settings, task.kind, len(train))
        fitted = fit_network(preparation, settings, parts[0], parts[1] if len(validation) else None)
        self.model_ = TableModel(fitted.network, preparation)
        self.history_ = list(fitted.history)

    def _settings(self, target: str) -> TableSettings:
        share = self.validation_fraction
        if not 0 <= share < 1:
            raise ArgumentError(f"validation_fraction must be at least 0 and below 1, not {share!r}.")
        seed = self.random_state
        if not isinstance(seed, (int, numpy.integer)):
            seed = check_random_state(seed).randint(2**31 - 1)
        parameters = self.get_params(deep=False)
        chosen = {name: value for name, value in parameters.items() if name not in _NO_SETTINGS}
        return TableSettings(target, fractions=(1 - share, share, 0.0), seed=int(seed), **chosen)

    def _checked(self, X: Any, y: Any, y_numeric: bool) -> tuple[Table, numpy.ndarray]:
        """Return the columns of X, and y as an array, checked for fitting as scikit-learn does."""
        if _is_frame(X):
            refuse_repeated([str(name) for name in X.columns], "X")
            X, y = validate_data(self, X, y, skip_check_array=True)
            check_consistent_length(X, y)
            y = column_or_1d(y, warn=True)
            y = y.astype(numpy.float64) if y_numeric else y
            assert_all_finite(y, input_name="y")
            if len(y) < 2:
                raise DataError(f"{len(y)} rows are too few to learn from.")
        else:
            X, y = validate_data(
                self,
                X,
                y,
                dtype="numeric",
                ensure_all_finite="allow-nan",
                ensure_min_samples=2,
                y_numeric=y_numeric,
            )
        table = _table(X, None)
        self._names = table.names
        return table, y

    def _predict(self, X: Any) -> Predictions:
        check_is_fitted(self)
        if _is_frame(X):
            refuse_repeated([str(name) for name in X.columns], "X")
            X = validate_data(self, X, reset=False, skip_check_array=True)
        else:
            X = validate_data(self, X, reset=False, dtype="numeric", ensure_all_finite="allow-nan")
        return self.model_.predict(_table(X, self._names))


def _refuse_missing(y: numpy.ndarray) -> None:
    """Raise `DataError` for a class that is None, NaN or another missing value."""
    if y.dtype.kind == "O":
        rows = numpy.flatnonzero(column_from_values(y, "y").missing())
        if len(rows):
            raise DataError(f"y[{rows[0]}] is missing; leave such rows out.")


def _is_frame(X: Any) -> bool:
    return hasattr(X, "columns") and (hasattr(X, "iloc") or hasattr(X, "get_columns"))


def _table(X: Any, names: list[str] | None) -> Table:
    """Return the columns of a checked X; those of an array are called `names`, or x0, x1, …"""
    if not _is_frame(X):
        names = names or [f"x{i}" for i in range(X.shape[1])]
        return Table({name: Numbers(X[:, i].astype(numpy.float64)) for i, name in enumerate(names)})
    return Table.from_pandas(X) if hasattr(X, "iloc") else Table.from_polars(X)


class Classifier(ClassifierMixin, _Estimator):
    """A network that predicts classes. Parameters that are None are chosen from the data.

    * `hidden`: units of each hidden layer, such as (64, 64), or 64 for one. `activation`: "elu", "gelu",
      "leaky_relu", "relu", "sigmoid", "silu" or "tanh". `lr`: the highest learning rate. `batch_size`,
      `epochs`: rows in a step, and the most passes over all. `optimizer`: "adam", "adamw" or "sgd".
      `weight_decay`, `dropout`: against overfitting.
    * `validation_fraction` of the rows say when to stop: when their loss did not fall for `patience` epochs.
      With `refit` the network is then trained anew on all rows for the best number of epochs. With fewer than
      10 rows all are for training.
    * `random_state`: an integer gives the same network every time. `device`: "cpu" or "cuda".

    X is an array of numbers, or a DataFrame (pandas or polars) whose columns may be numbers, texts, booleans
    and dates. NaN and None are missing cells.

    Attributes after `fit`: `classes_`, `n_features_in_`, `feature_names_in_` (of a DataFrame), `model_` (a
    `TableModel`, which `save` writes to a file), `history_` (a dict for each epoch).

    Raises `ArgumentError` for parameters out of their range and `DataError` for data that cannot be learned
    from; both are ValueErrors.

    >>> from stepgrad.data.builtin import iris
    >>> measures, species = iris()
    >>> classifier = Classifier(epochs=20, random_state=0).fit(measures, species)
    >>> classifier.predict(measures[:3]), classifier.predict_proba(measures[:3]).shape
    (array([0, 0, 0]), (3, 3))
    """

    def fit(self, X: Any, y: Any) -> Classifier:
        """Train on X (rows, columns) and classes y (rows,) of any type; return the estimator."""
        table, y = self._checked(X, y, y_numeric=False)
        _refuse_missing(y)
        check_classification_targets(y)
        self.classes_, codes = numpy.unique(y, return_inverse=True)
        count = len(self.classes_)
        if count < 2:
            raise DataError(f"y has only one class, {self.classes_[0]!r}, so there is nothing to learn.")
        labels = [str(i) for i in range(count)]
        task = Task("binary" if count == 2 else "multiclass", "the estimator is a classifier", labels)
        self._train(table, Texts(codes.astype(numpy.int32), labels), task)
        return self

    def predict_proba(self, X: Any) -> numpy.ndarray:
        """Return the probabilities of the classes, float64 (rows, C), in the order of `classes_`."""
        probabilities = self._predict(X).probabilities
        assert probabilities is not None
        return probabilities

    def predict(self, X: Any) -> numpy.ndarray:
        """Return the most probable class of each row."""
        chosen = self.predict_proba(X).argmax(axis=1)
        return self.classes_[chosen]


class Regressor(RegressorMixin, _Estimator):
    """A network that predicts a number. Its parameters, X and attributes are those of `Classifier`.

    Predictions stay near the range that y had in training: a tenth of it beyond either end at most. Those of
    a linear model, with ``hidden=()``, have no limits.

    >>> x = numpy.linspace(0, 1, 50)[:, None]
    >>> regressor = Regressor(random_state=0).fit(x, 3 * x[:, 0])
    >>> regressor.score(x, 3 * x[:, 0]) > 0.9
    True
    """

    def fit(self, X: Any, y: Any) -> Regressor:
        """Train on X (rows, columns) and numbers y (rows,); return the estimator."""
        table, y = self._checked(X, y, y_numeric=True)
        self._train(
            table, Numbers(y.astype(numpy.float64)), Task("regression", "the estimator is a regressor")
        )
        return self

    def predict(self, X: Any) -> numpy.ndarray:
        """Return the predicted numbers, float64 (rows,)."""
        values = self._predict(X).values
        assert values is not None
        return values
