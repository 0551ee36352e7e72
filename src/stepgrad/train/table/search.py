"""The trials of a search for settings: what is searched, which settings come next, and the file that keeps
them.

Trials are proposed by the tree-structured Parzen estimator (Bergstra, Bardenet, Bengio, Kégl, "Algorithms for
Hyper-Parameter Optimization", 2011) as Optuna computes it, and kept in a journal file of Optuna's, which its
own tools can read. Only finished trials are written, so that there is nothing to repair after Ctrl-C.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepgrad.arrays.random import stream
from stepgrad.errors import ArgumentError, FileError, MissingPackageError
from stepgrad.train.table.settings import TableSettings, needed

if TYPE_CHECKING:
    import optuna

SEARCH_NAME = "tuning.log"
SEARCHED = ("hidden", "activation", "lr", "dropout", "weight_decay")
"""The settings that are searched where a person chose none."""
_STUDY, _VERSION = "stepgrad", 1
_ACTIVATIONS = ("relu", "silu", "gelu", "tanh", "elu", "leaky_relu", "sigmoid")


@dataclass(frozen=True)
class Trial:
    """One finished trial: its `number` from 1, its values by name ("layers", "width", "activation", "lr",
    "dropout", "weight_decay"; what was not searched is absent), the lowest `validation_loss` (None if the
    training diverged), how many `epochs` were trained, in `seconds`.
    """

    number: int
    values: dict[str, Any]
    validation_loss: float | None
    epochs: int
    seconds: float


class Search:
    """The finished trials of a search; `settings` are those that it was begun with, `start` the ones of the
    first trial, with everything chosen. With `path`, trials are kept there; a file that exists goes on.

    Raises `ArgumentError` if there is nothing to search, `MissingPackageError` without Optuna, `FileError` if
    the file is damaged or cannot be written.
    """

    def __init__(self, settings: TableSettings, start: TableSettings, path: Path | None = None) -> None:
        self.start = start
        self._optuna = _optuna()
        self._seed = settings.seed
        self._space = self._distributions(settings)
        if not self._space:
            raise ArgumentError("there is nothing to search: every setting that is searched was chosen.")
        with _quiet(self._optuna), _file_errors(path):
            self._study = self._optuna.create_study(
                storage=None if path is None else _storage(self._optuna, path),
                study_name=_STUDY,
                load_if_exists=True,
            )

    @property
    def trials(self) -> list[Trial]:
        """The finished trials, in order."""
        return [
            Trial(
                i,
                {name: trial.params[name] for name in self._space},
                trial.value if trial.values else None,
                trial.user_attrs["epochs"],
                trial.user_attrs["seconds"],
            )
            for i, trial in enumerate(self._study.get_trials(deepcopy=False), 1)
        ]

    def propose(self) -> dict[str, Any]:
        """Return the values of the next trial: a function of the seed and of the trials before, so that a
        search that was interrupted goes on to the same trials. The first are those of `start`.
        """
        done = self._study.get_trials(deepcopy=False)
        if not done:
            return {name: value for name, value in _start_values(self.start).items() if name in self._space}
        seed = int(stream(self._seed, f"tune {len(done)}").permutation(2**16)[0])
        with _quiet(self._optuna):
            beside = self._optuna.create_study(sampler=self._optuna.samplers.TPESampler(seed=seed))
            beside.add_trials(done)
            asked = beside.ask(self._space).params
        # Three digits, as a person reads them, so that what is said is what was tried.
        return {n: float(f"{v:.3g}") if isinstance(v, float) else v for n, v in asked.items()}

    def keep(self, values: dict[str, Any], loss: float | None, epochs: int, seconds: float) -> None:
        """Write a finished trial; `loss` is None if its training diverged."""
        state = self._optuna.trial.TrialState
        with _file_errors(None):
            self._study.add_trial(
                self._optuna.trial.create_trial(
                    state=state.FAIL if loss is None else state.COMPLETE,
                    value=loss,
                    params=values,
                    distributions=self._space,
                    user_attrs={"epochs": epochs, "seconds": round(seconds, 3)},
                )
            )

    def settings(self, values: dict[str, Any]) -> TableSettings:
        """Return the settings of a trial with these values."""
        chosen = dict(values)
        if "layers" in chosen:
            chosen["hidden"] = (chosen.pop("width"),) * chosen.pop("layers")
        return replace(self.start, **chosen)

    def importance(self) -> dict[str, float]:
        """Return which share of the differences between the trials each searched setting explains, the
        largest first; {} where the trials are too few, or all alike.

        It is functional analysis of variance (Hutter, Hoos, Leyton-Brown, "An Efficient Approach for
        Assessing Hyperparameter Importance", 2014): the shares sum to 1.
        """
        losses = {trial.validation_loss for trial in self.trials} - {None}
        if len(losses) < 2:
            return {}
        with _quiet(self._optuna):
            found = self._optuna.importance.get_param_importances(
                self._study, evaluator=self._optuna.importance.FanovaImportanceEvaluator(seed=self._seed)
            )
        return {name: float(share) for name, share in found.items()}

    def _distributions(self, settings: TableSettings) -> dict[str, optuna.distributions.BaseDistribution]:
        kinds = self._optuna.distributions
        space: dict[str, optuna.distributions.BaseDistribution] = {}
        if settings.hidden is None:
            space |= {"layers": kinds.IntDistribution(1, 3), "width": kinds.IntDistribution(8, 512, log=True)}
        if settings.activation is None and settings.hidden != ():
            space["activation"] = kinds.CategoricalDistribution(_ACTIVATIONS)
        if settings.lr is None:
            space["lr"] = kinds.FloatDistribution(1e-4, 0.1, log=True)
        if settings.dropout is None and settings.hidden != ():
            space["dropout"] = kinds.FloatDistribution(0.0, 0.5)
        if settings.weight_decay is None and settings.hidden != ():
            space["weight_decay"] = kinds.FloatDistribution(1e-4, 1.0, log=True)
        return space


def begin_search(folder: Path, settings: TableSettings, trials: int, fingerprint: str) -> None:
    """Write what a search needs to go on into `folder`; see `read_search`. Raises `FileError` if it holds one
    already.
    """
    if (folder / SEARCH_NAME).exists():
        raise FileError(f"'{folder}' holds a search already; choose another folder, or resume that search.")
    optuna = _optuna()
    begun = {"version": _VERSION, "settings": asdict(settings), "trials": trials, "fingerprint": fingerprint}
    with _quiet(optuna), _file_errors(folder):
        study = optuna.create_study(storage=_storage(optuna, folder / SEARCH_NAME), study_name=_STUDY)
        study.set_user_attr("stepgrad", json.dumps(begun))


def read_search(folder: Path) -> tuple[TableSettings, int, str]:
    """Return the settings that the search in `folder` was begun with, how many trials it is to have, and the
    fingerprint of its table. Raises `FileError` if there is none or it is damaged.
    """
    path = folder / SEARCH_NAME
    if not path.is_file():
        raise FileError(f"'{folder}' is not the folder of a search: it has no {SEARCH_NAME}.")
    optuna = _optuna()
    try:
        with _quiet(optuna):
            study = optuna.load_study(storage=_storage(optuna, path), study_name=_STUDY)
        begun = json.loads(study.user_attrs["stepgrad"])
        known = {field.name for field in fields(TableSettings)}
        chosen = {name: value for name, value in begun["settings"].items() if name in known}
        return TableSettings(**chosen), int(begun["trials"]), str(begun["fingerprint"])
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"'{path}' is damaged: {error}.") from None


def _start_values(start: TableSettings) -> dict[str, Any]:
    hidden = needed(start.hidden)
    values = {name: getattr(start, name) for name in SEARCHED if name != "hidden"}
    return values | {"layers": len(hidden), "width": hidden[0] if hidden else 0}


def _optuna() -> Any:
    try:
        import optuna
        import sklearn  # noqa: F401 - what Optuna measures importance with
    except ImportError:
        raise MissingPackageError(
            "the search for settings needs Optuna and scikit-learn: pip install 'stepgrad[tune]'"
        ) from None
    return optuna


def _storage(optuna: Any, path: Path) -> Any:
    journal = optuna.storages.journal
    # A symbolic link, which is the other kind of lock, needs a privilege on Windows.
    lock = journal.JournalFileOpenLock(str(path)) if os.name == "nt" else None
    return optuna.storages.JournalStorage(journal.JournalFileBackend(str(path), lock_obj=lock))


@contextlib.contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Within it Optuna says nothing of each study and trial."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


@contextlib.contextmanager
def _file_errors(path: Path | None) -> Iterator[None]:
    """Within it what goes wrong with the file is a `FileError`."""
    from stepgrad.files.paths import file_error

    try:
        yield
    except OSError as error:
        raise file_error(error, str(path or SEARCH_NAME), "write") from error
