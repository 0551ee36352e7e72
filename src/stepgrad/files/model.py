"""`save` and `load`: models, states and values with tensors, in safetensors files that never run code."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy

from stepgrad.arrays import devices
from stepgrad.errors import ArgumentError, FileError
from stepgrad.files.architecture import build, describe
from stepgrad.files.differences import as_sentences, differences, shapes
from stepgrad.files.header import shown
from stepgrad.files.paths import Place, checked_path, held, open_for_reading
from stepgrad.files.tensor_file import read_tensors, write_tensors
from stepgrad.files.torch_file import is_torch_file, read_torch_file
from stepgrad.files.values import pack, to_numpy, to_tensor, unpack
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor
from stepgrad.version import __version__

KIND = "stepgrad.kind"
VERSION = "stepgrad.version"
_ARCHITECTURE = "stepgrad.architecture"
_MODES = "stepgrad.modes"
_MODE_KEYS = ("evaluating", "frozen")
_RECORD = "stepgrad.record"
VALUE = "stepgrad.value"


def save(obj: Any, path: Any, record: Any = None) -> None:
    """Write a model, a state or plain values with tensors to a safetensors file, whole or not at all.

    A Module is written with its architecture (class names and constructor arguments, no code), its parameters
    and buffers, which modules are in evaluation mode and which parameters are frozen. A dict of Tensors, such
    as ``model.state_dict()``, gives a file that PyTorch opens with ``safetensors.torch.load_file``. Anything
    else may be made of None, booleans, numbers, texts, lists, tuples, dicts, dtypes, arrays and Tensors.

    `path` is a path, or a binary file that is open for writing, such as ``io.BytesIO()``.

    `record` is a plain value that is kept along, such as how the model was trained; `read_record` returns it.

    Raises FileError when the file cannot be written (an earlier file is then unchanged), ArgumentError for
    what a file cannot hold.

    >>> import tempfile, stepgrad as sg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sg.save(sg.nn.Linear(2, 3), f"{folder}/model.safetensors")
    ...     sg.load(f"{folder}/model.safetensors")
    Linear(in_features=2, out_features=3, bias=True)
    """
    places = isinstance(path, (str, os.PathLike)) or hasattr(path, "write")
    if not places and (isinstance(obj, (str, os.PathLike)) or hasattr(obj, "write")):
        raise ArgumentError("save takes the object first and the path second: stepgrad.save(model, path).")
    if isinstance(obj, Module):
        kind, arrays = "model", state_arrays(obj)
        metadata = {_ARCHITECTURE: describe(obj), _MODES: pack(_modes(obj))[0]}
    elif _is_state(obj):
        kind, arrays, metadata = "state", {name: to_numpy(tensor) for name, tensor in obj.items()}, {}
    else:
        if hasattr(obj, "state_dict"):
            name = type(obj).__name__
            raise ArgumentError(
                f"a file cannot hold a {name}; save its state: stepgrad.save(x.state_dict(), path)."
            )
        kind = "values"
        text, arrays = pack(obj)
        metadata = {VALUE: text}
    if record is not None:
        metadata[_RECORD] = _record_text(record)
    write_tensors(path, arrays, {KIND: kind, VERSION: __version__, **metadata})


def load(
    path: Any,
    map_location: Any = None,
    *,
    classes: Iterable[type[Module]] = (),
    weights_only: bool = True,
) -> Any:
    """Return what `save` wrote: the model, the dict of Tensors, or the values. Reads PyTorch's files too.

    `path` is a path, or a binary file that is open for reading, such as an `io.BytesIO` (what it has from its
    position on). `map_location` is the device for the tensors, "cpu" or "cuda"; None is the CPU.

    `classes` are the module classes of a model that are not stepgrad's own, such as ``[MyNet]``: a file
    brings no code along. A safetensors file of another program gives a dict of Tensors by name; a `.pt` or
    `.pth` file of PyTorch its tensors, dicts, lists, tuples, numbers and texts. Nothing in a file is ever
    run, so `weights_only`, which PyTorch has for that, makes no difference.

    Raises MissingNameError (an AttributeError) naming classes that were not handed over; FileError for a file
    that is missing, damaged, of another kind, of a newer stepgrad, or that holds objects of other classes;
    ArgumentError for a model in the place of the path or of `map_location`.

    >>> import stepgrad as sg
    >>> import io
    >>> file = io.BytesIO()
    >>> sg.save({"weight": sg.ones(2)}, file)
    >>> _ = file.seek(0)
    >>> sg.load(file)
    {'weight': tensor([1., 1.])}
    """
    if isinstance(path, Module) or isinstance(map_location, Module):
        raise ArgumentError(
            "load takes the path of a file alone and returns what is in it. Weights go into a model that is "
            "there with stepgrad.files.load_weights(model, path), or "
            "model.load_state_dict(stepgrad.load(path))."
        )
    path = held(path)
    source = checked_path(path)
    device = devices.device("cpu" if map_location is None else map_location)
    if _is_torch_file(path):
        return read_torch_file(path, device)
    arrays, metadata = read_tensors(path)
    kind = metadata.get(KIND, "state")
    if kind == "state":
        return {name: to_tensor(name, array, source, device) for name, array in arrays.items()}
    if kind == "values":
        return unpack(entry(metadata, VALUE, source), arrays, source, device)
    if kind == "model":
        return _load_model(arrays, metadata, classes, source).to(device)
    if kind == "checkpoint":
        raise FileError(
            f"'{source}' is a checkpoint; read it with stepgrad.train.checkpoint.read_checkpoint(path)."
        )
    raise FileError(
        f"cannot read '{source}': this stepgrad knows no files of the kind {shown(kind)}; upgrade it."
    )


def load_weights(module: Module, path: Any, strict: bool = True) -> None:
    """Load the parameters and buffers of `module` from a model file, a state file or a `.pt` file of PyTorch.

    With `strict` false, names that only the file or only the module has are passed over.

    Raises FileError naming the file and every name that is missing, unexpected or of another shape; the
    module is then unchanged.

    >>> import tempfile, stepgrad as sg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sg.save(sg.nn.Linear(2, 3).state_dict(), f"{folder}/w.safetensors")
    ...     sg.files.load_weights(sg.nn.Linear(2, 3, bias=False), f"{folder}/w.safetensors")
    Traceback (most recent call last):
    stepgrad.errors.FileError: '.../w.safetensors' does not fit the model. Not in the model: 'bias'.
    """
    path = held(path)
    source = checked_path(path)
    if _is_torch_file(path):
        state = read_torch_file(path)
        if not _is_state(state):
            keys = f"; it holds {', '.join(shown(key) for key in state)}" if isinstance(state, dict) else ""
            raise FileError(
                f"'{source}' is not a dict of tensors by name{keys}. Pick the weights out of it: "
                f"module.load_state_dict(stepgrad.load(path)[…])."
            )
    else:
        arrays, metadata = read_tensors(path)
        if (kind := metadata.get(KIND, "state")) not in ("state", "model"):
            raise FileError(f"'{source}' holds {kind}, not the weights of a model.")
        state = {name: to_tensor(name, array, source) for name, array in arrays.items()}
    check_fit(module, state, source, strict)
    module.load_state_dict(state, strict=strict)


def read_record(path: Any) -> Any:
    """Return the record that `save` was given, or None where there is none. Raises FileError as `load` does.

    >>> import tempfile, stepgrad as sg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sg.save(sg.nn.Linear(2, 3), f"{folder}/m.safetensors", record={"epochs": 12})
    ...     sg.files.read_record(f"{folder}/m.safetensors")
    {'epochs': 12}
    """
    path = held(path)
    source = checked_path(path)
    _, metadata = read_tensors(path)
    return unpack(metadata[_RECORD], {}, source) if _RECORD in metadata else None


def state_arrays(module: Module) -> dict[str, numpy.ndarray]:
    """Return the parameters and buffers of `module` as NumPy arrays by their names.

    Raises ArgumentError where the state holds something that is no Tensor.
    """
    state = module.state_dict()
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise ArgumentError(
                f"the state of the model holds '{name}', a {type(value).__name__} and no Tensor."
            )
    return {name: to_numpy(tensor) for name, tensor in state.items()}


def check_fit(module: Module, arrays: Mapping[str, numpy.ndarray], source: str, strict: bool = True) -> None:
    """Raise FileError naming the file and all names that differ, where `arrays` do not fit the state of
    `module`.
    """
    wanted, found = shapes(module.state_dict()), shapes(arrays)
    if not strict:
        both = wanted.keys() & found.keys()
        wanted = {name: shape for name, shape in wanted.items() if name in both}
        found = {name: shape for name, shape in found.items() if name in both}
    if different := differences(wanted, found):
        raise FileError(f"'{source}' does not fit the model. {as_sentences(different)}")


def entry(metadata: Mapping[str, str], key: str, source: str) -> str:
    """Return the text under `key`. Raises FileError naming the file where it is missing."""
    if key not in metadata:
        raise FileError(
            f"cannot read '{source}': the entry '{key}' is missing from it. Write the file again."
        )
    return metadata[key]


def _is_torch_file(path: Place) -> bool:
    with open_for_reading(path) as file:
        return is_torch_file(file.read(2048))


def _is_state(obj: Any) -> bool:
    return isinstance(obj, dict) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in obj.items()
    )


def _record_text(record: Any) -> str:
    text, arrays = pack(record, "record")
    if arrays:
        raise ArgumentError(f"a record holds no arrays and tensors, but '{next(iter(arrays))}' is one.")
    return text


def _modes(module: Module) -> dict[str, list[str]]:
    evaluating = [name for name, part in module.named_modules() if not part.training]
    frozen = [name for name, parameter in module.named_parameters() if not parameter.requires_grad]
    return dict(zip(_MODE_KEYS, (evaluating, frozen)))


def _load_model(
    arrays: Mapping[str, numpy.ndarray],
    metadata: Mapping[str, str],
    classes: Iterable[type[Module]],
    source: str,
) -> Module:
    modes = unpack(entry(metadata, _MODES, source), {}, source)
    if not (isinstance(modes, dict) and all(isinstance(modes.get(key), list) for key in _MODE_KEYS)):
        raise FileError(f"cannot read '{source}': its modes are not lists of names. Write the file again.")
    module = build(entry(metadata, _ARCHITECTURE, source), classes, source)
    check_fit(module, arrays, source)
    for name, own in module.state_dict(keep_vars=True).items():
        tensor = to_tensor(name, arrays[name], source)
        if tensor.is_floating_point() != own.is_floating_point():
            raise FileError(
                f"cannot read '{source}': '{name}' is {tensor.dtype.name} in the file, "
                f"{own.dtype.name} in the model."
            )
        # Taking the array over, instead of copying into the one that is there, brings its dtype along.
        own.data = tensor
    for name, part in module.named_modules():
        part.training = name not in modes["evaluating"]
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in modes["frozen"])
    return module
