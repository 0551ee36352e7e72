"""Plain Python values as JSON text and arrays, so that reading them back gives exactly what was written.

JSON has no tuples, NaN, infinities, data types or arrays, and its keys are texts. Such values are written as
an object with the key "$": ``{"$": "tuple", "items": [1, 2]}``. Floating point numbers are written with the
shortest digits that give the same number again, which Python's `repr` guarantees. Nothing but values comes
out of `unpack`: no name in the text is looked up anywhere but in the short lists of this package.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy

from stepgrad.arrays import devices, dtypes
from stepgrad.errors import ArgumentError, DtypeError, FileError
from stepgrad.files.header import shown
from stepgrad.functions.creation import from_numpy
from stepgrad.tensor import Tensor

TAG = "$"
MAX_DEPTH = 100

_DTYPES = {kind.name: kind for kind in dtypes.ALL}
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def pack(value: Any, name: str = "") -> tuple[str, dict[str, numpy.ndarray]]:
    """Return JSON text for `value`, and the arrays in it by their path, such as "state.weight".

    `value` is made of None, booleans, integers, floating point numbers, texts, lists, tuples, dicts, stepgrad
    dtypes, NumPy arrays, NumPy numbers and Tensors. `name` is what messages and paths call it.

    Raises ArgumentError that names the place of anything else.

    >>> pack({"loss": [0.5, float("inf")], "shape": (2, 3)})
    ('{"loss":[0.5,{"$":"float","value":"inf"}],"shape":{"$":"tuple","items":[2,3]}}', {})
    """
    writer = Writer()
    return as_text(writer.write(value, name)), writer.arrays


def unpack(
    text: str, arrays: Mapping[str, numpy.ndarray], source: str, device: devices.device = devices.CPU
) -> Any:
    """Return the value that `pack` wrote, its Tensors on `device`; `source` names the file in messages.

    Raises FileError for text that `pack` does not write.

    >>> text, arrays = pack({"weights": numpy.ones(2), 3: (None, float("-inf"))})
    >>> unpack(text, arrays, "notes.safetensors")
    {'weights': array([1., 1.]), 3: (None, -inf)}
    """
    return Reader(arrays, source, device).read_text(text)


def to_numpy(tensor: Tensor) -> numpy.ndarray:
    """Return the values of a Tensor as a NumPy array, which shares its memory on the CPU."""
    return devices.move(tensor._array, devices.CPU)


_WIDER = {"uint16": "int32", "uint32": "int64"}


def to_tensor(name: str, array: numpy.ndarray, source: str, device: devices.device = devices.CPU) -> Tensor:
    """Return an array of a file as a Tensor, which shares its memory on the CPU; uint16 becomes int32 and
    uint32 int64, which hold the same numbers.

    Raises FileError naming the file and the array where stepgrad has no such data type.
    """
    array = array.astype(_WIDER.get(array.dtype.name, array.dtype), copy=False)
    try:
        return from_numpy(array).to(device)
    except DtypeError as error:
        raise FileError(f"cannot read {shown(name)} in '{source}': {error}") from None


def as_text(plain: Any) -> str:
    """Return JSON values as text without needless spaces."""
    return json.dumps(plain, separators=(",", ":"), allow_nan=False)


class Writer:
    """Makes JSON values, and collects the `arrays` on the way. Subclasses add kinds of values in
    `write_other`.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, numpy.ndarray] = {}

    def write(self, value: Any, place: str, depth: int = 0) -> Any:
        """Return what stands for `value` in JSON; `place` is the path to it, `depth` the number of levels
        above.
        """
        if depth > MAX_DEPTH:
            raise ArgumentError(
                f"{shown(place)} is nested more than {MAX_DEPTH} levels deep, or contains itself."
            )
        if isinstance(value, numpy.generic):
            return _number_to_json(value, place)
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {TAG: "float", "value": repr(value)}
        if isinstance(value, dtypes.dtype):
            return {TAG: "dtype", "name": value.name}
        if isinstance(value, list):
            return self._items(value, place, depth)
        if isinstance(value, tuple):
            return {TAG: "tuple", "items": self._items(value, place, depth)}
        if isinstance(value, dict):
            return self._dict(value, place, depth)
        return self.write_other(value, place, depth)

    def write_other(self, value: Any, place: str, depth: int) -> Any:
        """Return what stands in JSON for a value that is not plain: an array or a Tensor."""
        if isinstance(value, Tensor):
            return {
                TAG: "tensor",
                "name": self._keep(devices.move(value.detach()._array, devices.CPU), place),
            }
        if isinstance(value, numpy.ndarray):
            return {TAG: "array", "name": self._keep(value, place)}
        raise ArgumentError(
            f"{shown(place)} is a {type(value).__name__}, which a file cannot hold; it holds None, booleans, "
            f"numbers, texts, lists, tuples, dicts, dtypes, arrays and tensors."
        )

    def _items(self, values: list | tuple, place: str, depth: int) -> list:
        return [self.write(value, _inside(place, i), depth + 1) for i, value in enumerate(values)]

    def _dict(self, value: dict, place: str, depth: int) -> dict[str, Any]:
        if TAG not in value and all(isinstance(key, str) for key in value):
            return {key: self.write(item, _inside(place, key), depth + 1) for key, item in value.items()}
        pairs = [
            [
                self.write(key, f"the key in {place}", depth + 1),
                self.write(item, _inside(place, key), depth + 1),
            ]
            for key, item in value.items()
        ]
        return {TAG: "dict", "items": pairs}

    def _keep(self, array: numpy.ndarray, place: str) -> str:
        name = place
        while name in self.arrays:  # two paths can read the same: {"a": {"b": x}, "a.b": y}
            name += "'"
        self.arrays[name] = array
        return name


def _inside(place: str, key: Any) -> str:
    return f"{place}.{key}" if place else str(key)


def _number_to_json(value: numpy.generic, place: str) -> Any:
    if value.dtype.name not in _DTYPES:
        raise ArgumentError(f"{shown(place)} is a NumPy {value.dtype}, which a file cannot hold.")
    number = value.item()
    return {
        TAG: "number",
        "dtype": value.dtype.name,
        "value": repr(number) if isinstance(number, float) else number,
    }


class Reader:
    """Makes values from JSON that a `Writer` wrote. Subclasses add kinds of values to `kinds`."""

    def __init__(
        self, arrays: Mapping[str, numpy.ndarray], source: str, device: devices.device = devices.CPU
    ) -> None:
        self.arrays, self.source, self.device = arrays, source, device
        self.kinds: dict[str, Callable[[dict[str, Any], int], Any]] = {
            "tuple": lambda value, depth: tuple(self.read(item, depth) for item in value["items"]),
            "dict": self._dict,
            "float": lambda value, depth: _NOT_FINITE[value["value"]],
            "dtype": lambda value, depth: _DTYPES[value["name"]],
            "number": lambda value, depth: _DTYPES[value["dtype"]].numpy.type(value["value"]),
            "array": lambda value, depth: self.arrays[value["name"]],
            "tensor": self._tensor,
        }

    def read_text(self, text: str) -> Any:
        """Return the value of JSON text. Raises FileError naming the source where the text says nothing
        known.
        """
        try:
            return self.read(json.loads(text))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise FileError(
                f"cannot read '{self.source}': it holds a value that stepgrad does not write "
                f"({type(error).__name__}: {shown(str(error))}). Write the file again."
            ) from error

    def read(self, value: Any, depth: int = 0) -> Any:
        """Return the value that JSON stands for."""
        if depth > 2 * MAX_DEPTH:  # a tag takes a level of its own
            raise ValueError(f"more than {MAX_DEPTH} levels")
        if isinstance(value, list):
            return [self.read(item, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        if TAG in value:
            return self.kinds[value[TAG]](value, depth + 1)
        return {key: self.read(item, depth + 1) for key, item in value.items()}

    def _dict(self, value: dict[str, Any], depth: int) -> dict:
        return {self.read(key, depth): self.read(item, depth) for key, item in value["items"]}

    def _tensor(self, value: dict[str, Any], depth: int) -> Tensor:
        name = value["name"]
        return to_tensor(name, self.arrays[name], self.source, self.device)
