"""A tensor as text, in PyTorch's form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import devices, dtypes
from stepgrad.errors import ArgumentError, suggest

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor

_USUAL = (dtypes.int64, dtypes.bool_)
_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}
_options: dict[str, Any] = {**_PROFILES["default"], "sci_mode": None}


def set_printoptions(*, profile: str | None = None, **options: Any) -> None:
    """Set how tensors are printed, as `torch.set_printoptions`.

    `precision`: digits after the point (4). `threshold`: of more elements than this, only `edgeitems` at
    each end of a dimension are shown (1000, 3). `linewidth`: characters of a line (80). `sci_mode`: whether
    numbers have an exponent; None decides by their sizes. `profile`: "default", "short" or "full".

    Raises `ArgumentError` for another name.

    >>> import stepgrad as sg
    >>> sg.set_printoptions(precision=2)
    >>> sg.tensor([0.12345])
    tensor([0.12])
    >>> sg.set_printoptions(profile="default")
    """
    if profile is not None and profile not in _PROFILES:
        raise ArgumentError(f"there is no profile {profile!r}.{suggest(profile, _PROFILES)}")
    for name in options:
        if name not in _options:
            raise ArgumentError(f"set_printoptions has no option {name!r}.{suggest(name, _options)}")
    _options.update(_PROFILES[profile] | {"sci_mode": None} if profile else {})
    _options.update({k: v for k, v in options.items() if v is not None or k == "sci_mode"})


def tensor_text(tensor: Tensor) -> str:
    """Return ``tensor([[1., 2.]], requires_grad=True)``: 4 digits, large tensors shortened.

    >>> import stepgrad as sg
    >>> sg.tensor([[1.0, 2.5]], requires_grad=True)
    tensor([[1.0000, 2.5000]], requires_grad=True)
    """
    array = devices.move(tensor._array, devices.CPU)
    indent = len("tensor(")
    numbers = _Numbers(_shortened(array).reshape(-1))
    text = "tensor(" + (_body(array, numbers, indent) if array.size else "[]")
    for detail in _details(tensor, array):
        last = len(text) - text.rfind("\n") + 1
        fits = last + len(detail) + 2 <= _options["linewidth"]
        text += (", " if fits else ",\n" + " " * indent) + detail
    name = "Parameter containing:\n" if type(tensor).__name__ == "Parameter" else ""
    return f"{name}{text})"


def _details(tensor: Tensor, array: numpy.ndarray) -> list[str]:
    details = []
    if tensor.device.type != "cpu":
        details.append(f"device='{tensor.device}'")
    if not array.size and array.ndim != 1:
        details.append(f"size={array.shape}")
    if tensor.dtype is not dtypes.get_default_dtype() and not (array.size and tensor.dtype in _USUAL):
        details.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        details.append(f"grad_fn=<{tensor.grad_fn.op.name}>")
    elif tensor.requires_grad:
        details.append("requires_grad=True")
    return details


def _is_shortened(array: numpy.ndarray) -> bool:
    return array.size > _options["threshold"]


def _shortened(array: numpy.ndarray) -> numpy.ndarray:
    """Return the elements that are shown."""
    if not _is_shortened(array):
        return array
    edge = _options["edgeitems"]
    for dim, n in enumerate(array.shape):
        if n > 2 * edge:
            array = array.take([*range(edge), *range(n - edge, n)], axis=dim)
    return array


class _Numbers:
    """How the numbers of a tensor are written, all in one width."""

    def __init__(self, values: numpy.ndarray) -> None:
        self.is_float = values.dtype.kind == "f"
        self.precision = _options["precision"]
        self.exponent = self.whole = False
        if self.is_float:
            values = values[numpy.isfinite(values) & (values != 0)].astype("float64")
            self._choose(values)
        self.width = max((len(self._written(v)) for v in values.tolist()), default=1)

    def _choose(self, values: numpy.ndarray) -> None:
        """Choose between 1., 1.0000 and 1.0000e+00."""
        sizes = numpy.abs(values)
        self.whole = bool((values == numpy.ceil(values)).all())
        if sizes.size:
            low, high = sizes.min(), sizes.max()
            with numpy.errstate(over="ignore"):
                self.exponent = bool(high / low > 1000 or high > 1e8 or (low < 1e-4 and not self.whole))
        if _options["sci_mode"] is not None:
            self.exponent = bool(_options["sci_mode"])

    def _written(self, value: Any) -> str:
        if not self.is_float:
            return str(value)
        if self.exponent:
            return f"{value:.{self.precision}e}"
        if self.whole:
            return f"{value:.0f}" + ("." if math.isfinite(value) else "")
        return f"{value:.{self.precision}f}"

    def text(self, value: Any) -> str:
        """Return a number in the common width."""
        return self._written(value).rjust(self.width)


def _body(array: numpy.ndarray, numbers: _Numbers, indent: int, shorten: bool | None = None) -> str:
    """Return the nested lists, whose lines begin after `indent` characters."""
    if shorten is None:
        shorten = _is_shortened(array)
    if array.ndim == 0:
        return numbers.text(array.item())
    edge = _options["edgeitems"]
    cut = shorten and len(array) > 2 * edge
    shown = [*array[:edge], *array[-edge:]] if cut else list(array)
    if array.ndim == 1:
        parts = [numbers.text(x.item()) for x in shown]
        if cut:
            parts.insert(edge, " ...")
        per_line = max(1, (_options["linewidth"] - indent) // (numbers.width + 2))
        lines = [", ".join(parts[i : i + per_line]) for i in range(0, len(parts), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    rows = [_body(x, numbers, indent + 1, shorten) for x in shown]
    if cut:
        rows.insert(edge, "...")
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(rows) + "]"
