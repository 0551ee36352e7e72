"""Checkpoints: everything that a training run needs to go on as if it had never stopped, in one file.

A checkpoint holds the parameters and buffers of the model, the optimizer's state by parameter name, the
states of a schedule, a loader and whatever else has `state_dict` and `load_state_dict`, the default random
streams, and an open `extra` value for counters and arrays. Everything comes back bit for bit. Files are
written whole or not at all (`stepgrad.files.atomic`) and checked in every bit when they are read.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy

from stepgrad.arrays import random
from stepgrad.errors import ArgumentError, FileError
from stepgrad.files.atomic import PART_ENDING
from stepgrad.files.differences import as_sentences, differences
from stepgrad.files.model import KIND, VALUE, VERSION, check_fit, state_arrays
from stepgrad.files.paths import checked_path, file_error
from stepgrad.files.tensor_file import read_tensors, write_tensors
from stepgrad.files.values import pack, to_tensor, unpack
from stepgrad.nn.module import Module
from stepgrad.optim.optimizer import Optimizer
from stepgrad.version import __version__

_NAME = re.compile(r"step-(\d{12,})\.safetensors")
_log = logging.getLogger("stepgrad")


class HasState(Protocol):
    """What can be kept in a checkpoint: a schedule, a loader, a callback, …"""

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain values, arrays and Tensors."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Go to a state that `state_dict` returned."""
        ...


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint file; `restore` puts it back.

    Attributes: `source` (the path), `model` (arrays by name), `optimizer` (None, or a dict of "state" by
    parameter name, "groups" with the names of their parameters, and "other", what belongs to no parameter),
    `parts` (states by name), `random` (the default streams), `extra` (the value that was handed to
    `write_checkpoint`).

    >>> import stepgrad as sg
    >>> from tempfile import TemporaryDirectory
    >>> model = sg.nn.Linear(2, 1)
    >>> with TemporaryDirectory() as folder:
    ...     write_checkpoint(f"{folder}/run.safetensors", model)
    ...     read_checkpoint(f"{folder}/run.safetensors").restore(model)
    """

    source: str
    model: dict[str, numpy.ndarray]
    optimizer: dict[str, Any] | None
    parts: dict[str, Any]
    random: dict[str, dict[str, int]]
    extra: Any

    def restore(self, model: Module, optimizer: Optimizer | None = None, **parts: HasState) -> None:
        """Put the states back into `model`, `optimizer`, `parts` and the default random streams.

        `parts` are named as they were for `write_checkpoint`, such as ``schedule=…, loader=…``.

        Raises FileError naming what does not fit (tensors that are missing, unexpected, of another shape or
        dtype; parameters that the optimizer has or lacks; parts). The model and the optimizer are then
        unchanged.
        """
        self._check_model(model)
        if (optimizer is None) != (self.optimizer is None):
            has, given = ("an", "none") if optimizer is None else ("no", "one")
            raise FileError(
                f"'{self.source}' does not fit: it holds {has} optimizer's state, and {given} was handed "
                f"over."
            )
        if parts.keys() != self.parts.keys():
            raise FileError(
                f"'{self.source}' does not fit: it holds the states of {_listed(self.parts)}, and "
                f"{_listed(parts)} were handed over."
            )
        if self.random.keys() != random.get_rng_state().keys():
            raise FileError(
                f"'{self.source}' was written by a stepgrad with other random streams; use that one."
            )
        optimizer_state = None if optimizer is None else self._for_optimizer(optimizer, model)
        for name, part in parts.items():
            part.load_state_dict(self.parts[name])
        if optimizer is not None and optimizer_state is not None:
            optimizer.load_state_dict(optimizer_state)
        model.load_state_dict(
            {name: to_tensor(name, array, self.source) for name, array in self.model.items()}
        )
        random.set_rng_state(self.random)

    def _check_model(self, model: Module) -> None:
        check_fit(model, self.model, self.source)
        for name, array in state_arrays(model).items():
            if array.dtype != self.model[name].dtype:
                raise FileError(
                    f"'{self.source}' does not fit the model: '{name}' is {self.model[name].dtype} in the "
                    f"file, {array.dtype} in the model, so that training could not go on to the same bits."
                )

    def _for_optimizer(self, optimizer: Optimizer, model: Module) -> dict[str, Any]:
        """Return the optimizer's state in PyTorch's layout, with the numbers that its parameters have now."""
        assert self.optimizer is not None
        groups = _group_names(optimizer, model)
        saved = [group["params"] for group in self.optimizer["groups"]]
        if [sorted(names) for names in groups] != [sorted(names) for names in saved]:
            here, there = (dict.fromkeys(itertools.chain(*lists), ()) for lists in (groups, saved))
            wrong = differences(here, there, "optimizer") or ["the groups have other members"]
            raise FileError(f"'{self.source}' does not fit the optimizer. {as_sentences(wrong)}")
        numbers = {name: i for i, name in enumerate(itertools.chain(*groups))}
        return {
            "state": {
                **{numbers[name]: state for name, state in self.optimizer["state"].items()},
                **self.optimizer["other"],
            },
            "param_groups": [
                {**group, "params": [numbers[name] for name in names]}
                for group, names in zip(self.optimizer["groups"], groups)
            ],
        }


def write_checkpoint(
    path: str | os.PathLike[str],
    model: Module,
    optimizer: Optimizer | None = None,
    *,
    extra: Any = None,
    **parts: HasState,
) -> None:
    """Write the state of a training run to `path`, whole or not at all.

    `parts` are a schedule, a loader and whatever else has `state_dict` and `load_state_dict`, by names of
    your choice. `extra` is any value made of None, booleans, numbers, texts, lists, tuples, dicts, dtypes,
    arrays and Tensors. The state of the default random streams is kept by itself.

    Raises FileError when the file cannot be written (an earlier file is then unchanged); ArgumentError for a
    value that a file cannot hold, or an optimizer with parameters that are not the model's.

    >>> import stepgrad as sg
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_checkpoint(f"{folder}/run.safetensors", sg.nn.Linear(2, 1), extra={"epoch": 3})
    ...     read_checkpoint(f"{folder}/run.safetensors").extra
    {'epoch': 3}
    """
    value = {
        "model": state_arrays(model),
        "optimizer": None if optimizer is None else _by_name(optimizer, model),
        "parts": {name: part.state_dict() for name, part in parts.items()},
        "random": random.get_rng_state(),
        "extra": extra,
    }
    text, arrays = pack(value)
    write_tensors(path, arrays, {KIND: "checkpoint", VERSION: __version__, VALUE: text})


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Return the content of a checkpoint.

    Raises FileError for a file that is missing, damaged in any bit, or no checkpoint.

    >>> import stepgrad as sg
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_checkpoint(f"{folder}/run.safetensors", sg.nn.Linear(2, 1))
    ...     sorted(read_checkpoint(f"{folder}/run.safetensors").model)
    ['bias', 'weight']
    """
    source = checked_path(path)
    arrays, metadata = read_tensors(source)
    if metadata.get(KIND) != "checkpoint" or VALUE not in metadata:
        raise FileError(f"'{source}' is no checkpoint of stepgrad; read it with stepgrad.load(path).")
    value = unpack(metadata[VALUE], arrays, source)
    if not _is_checkpoint(value):
        raise FileError(f"'{source}' holds another content than a checkpoint of this stepgrad.")
    return Checkpoint(source=source, **value)


def checkpoint_path(folder: str | os.PathLike[str], step: int) -> Path:
    """Return the path of the checkpoint that stands after `step` steps in `folder`.

    >>> checkpoint_path("run/checkpoints", 120).name
    'step-000000000120.safetensors'
    """
    if step < 0:
        raise ArgumentError(f"a step number is 0 or more, got {step}.")
    return Path(checked_path(folder)) / f"step-{step:012d}.safetensors"


def checkpoint_paths(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the checkpoints in `folder`, the newest (of the highest step) first; none without a folder.

    Raises FileError where `folder` is a file or cannot be read.

    >>> import stepgrad as sg
    >>> checkpoint_paths("no/such/folder")
    []
    """
    return [path for _, path in _numbered(folder)]


def _numbered(folder: str | os.PathLike[str]) -> list[tuple[int, Path]]:
    """Return the step number and the path of each checkpoint, the highest number first."""
    found = Path(checked_path(folder))
    try:
        names = os.listdir(found)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise file_error(error, str(found), "read") from error
    return sorted(((int(m[1]), found / m[0]) for m in map(_NAME.fullmatch, names) if m), reverse=True)


def newest_checkpoint(folder: str | os.PathLike[str]) -> Path | None:
    """Return the path of the newest checkpoint in `folder` that is complete and undamaged, or None.

    Every bit is checked. Damaged files are passed over with a warning that names them.

    >>> import stepgrad as sg
    >>> newest_checkpoint("no/such/folder") is None
    True
    """
    for path in checkpoint_paths(folder):
        try:
            read_checkpoint(path)
        except FileError as error:
            _log.warning("passing over a checkpoint: %s", error)
        else:
            return path
    return None


def delete_older(folder: str | os.PathLike[str], step: int, keep: int) -> None:
    """Delete the checkpoints in `folder` up to `step` but for the newest `keep` of them.

    Checkpoints after `step` are left alone. Parts of files that killed writers left behind are deleted as
    well, so a folder may have one writer at a time. What cannot be deleted stays, with a warning.

    >>> import stepgrad as sg
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for step in (10, 20, 30):
    ...         write_checkpoint(checkpoint_path(folder, step), sg.nn.Linear(2, 1))
    ...     delete_older(folder, 30, keep=2)
    ...     len(checkpoint_paths(folder))
    2
    """
    if keep < 1:
        raise ArgumentError(f"at least one checkpoint must be kept, got keep={keep}.")
    older = [path for number, path in _numbered(folder) if number <= step][keep:]
    left_behind = Path(checked_path(folder)).glob(f".step-*{PART_ENDING}")
    for path in (*older, *left_behind):
        try:
            path.unlink()
        except OSError as error:
            _log.warning("%s", file_error(error, str(path), "delete"))


def _is_checkpoint(value: Any) -> bool:
    kinds: dict[str, Any] = {
        "model": dict, "optimizer": (dict, type(None)), "parts": dict, "random": dict, "extra": object
    }  # fmt: skip
    return (
        isinstance(value, dict)
        and value.keys() == kinds.keys()
        and all(isinstance(value[key], kind) for key, kind in kinds.items())
        and all(isinstance(array, numpy.ndarray) for array in value["model"].values())
        and (value["optimizer"] is None or value["optimizer"].keys() == {"state", "other", "groups"})
    )


def _by_name(optimizer: Optimizer, model: Module) -> dict[str, Any]:
    """Return the optimizer's state with the names of parameters where PyTorch's layout has numbers."""
    names = _group_names(optimizer, model)
    content = optimizer.state_dict()
    numbers = [number for group in content["param_groups"] for number in group["params"]]
    name_of = dict(zip(numbers, (name for group in names for name in group)))
    state = content["state"]
    return {
        "state": {name_of[key]: value for key, value in state.items() if key in name_of},
        "other": {key: value for key, value in state.items() if key not in name_of},
        # The optimizer's own names for its parameters, if it has any, are not needed beside the model's.
        "groups": [
            {key: value for key, value in group.items() if key != "param_names"} | {"params": own}
            for group, own in zip(content["param_groups"], names)
        ],
    }


def _group_names(optimizer: Optimizer, model: Module) -> list[list[str]]:
    """Return the names of each group's parameters. Raises ArgumentError for one that is not the model's."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = []
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if id(parameter) not in names:
                raise ArgumentError(
                    f"the optimizer has a parameter of shape {parameter.shape} that is not the model's, so a "
                    f"checkpoint could not bring it back; make it a parameter of the model."
                )
        groups.append([names[id(parameter)] for parameter in group["params"]])
    return groups


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
