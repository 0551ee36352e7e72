"""Switches that PyTorch's scripts set and ask for; stepgrad's results are the same every time as they are.

They are remembered, so that a script reads what it set, and change nothing else, but for
`set_default_tensor_type`.
"""

from __future__ import annotations

from typing import Any

from stepgrad.arrays.dtypes import set_default_dtype
from stepgrad.errors import ArgumentError

_PRECISIONS = ("highest", "high", "medium")
_set: dict[str, Any] = {"deterministic": False, "precision": "highest", "threads": 1}


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Remember the wish; all of stepgrad's algorithms give the same numbers every time.

    >>> import stepgrad as sg
    >>> use_deterministic_algorithms(True)
    >>> are_deterministic_algorithms_enabled()
    True
    >>> use_deterministic_algorithms(False)
    """
    _set["deterministic"] = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """Return what `use_deterministic_algorithms` was told last.

    >>> import stepgrad as sg
    >>> are_deterministic_algorithms_enabled()
    False
    """
    return bool(_set["deterministic"])


def set_float32_matmul_precision(precision: str) -> None:
    """Remember "highest", "high" or "medium"; float32 products always have the accuracy of float32.

    >>> import stepgrad as sg
    >>> set_float32_matmul_precision("high")
    >>> get_float32_matmul_precision()
    'high'
    >>> set_float32_matmul_precision("highest")
    """
    if precision not in _PRECISIONS:
        raise ArgumentError(f"the precision is 'highest', 'high' or 'medium', not {precision!r}.")
    _set["precision"] = precision


def get_float32_matmul_precision() -> str:
    """Return what `set_float32_matmul_precision` was told last.

    >>> import stepgrad as sg
    >>> get_float32_matmul_precision()
    'highest'
    """
    return str(_set["precision"])


def set_num_interop_threads(count: int) -> None:
    """Remember a number; operations run one after another. See `set_num_threads`.

    >>> import stepgrad as sg
    >>> set_num_interop_threads(1)
    """
    _set["threads"] = int(count)


def get_num_interop_threads() -> int:
    """Return what `set_num_interop_threads` was told last, 1 before that.

    >>> import stepgrad as sg
    >>> get_num_interop_threads()
    1
    """
    return int(_set["threads"])


def set_default_tensor_type(kind: Any) -> None:
    """Make the dtype of a type such as `stepgrad.DoubleTensor`, or of its name, that of new tensors.

    >>> import stepgrad as sg
    >>> set_default_tensor_type(sg.DoubleTensor)
    >>> sg.tensor(0.5).dtype
    stepgrad.float64
    >>> set_default_tensor_type(sg.FloatTensor)
    """
    set_default_dtype(kind)


__all__ = [
    "are_deterministic_algorithms_enabled", "get_float32_matmul_precision", "get_num_interop_threads",
    "set_default_tensor_type", "set_float32_matmul_precision", "set_num_interop_threads",
    "use_deterministic_algorithms",
]  # fmt: skip
