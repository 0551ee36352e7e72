"""`assert_close`, as `torch.testing` has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stepgrad.arrays import dtypes
from stepgrad.errors import ArgumentError
from stepgrad.functions.creation import as_tensor
from stepgrad.functions.methods import unravel_index
from stepgrad.names import teller
from stepgrad.tensor import Tensor

# rtol and atol of each floating point type, PyTorch's; those of other types are 0.
_TOLERANCES = {dtypes.float16: (1e-3, 1e-5), dtypes.float32: (1.3e-6, 1e-5), dtypes.float64: (1e-7, 1e-7)}


def assert_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    allow_subclasses: bool = True,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise `AssertionError` unless |actual − expected| ≤ atol + rtol · |expected| for all elements.

    Tensors, arrays and numbers, or equal sequences and mappings of them. Without `rtol` and `atol`, which are
    given together, the tolerance is that of the dtype, the wider of the two. `msg` replaces the message, or
    makes another of it. `check_layout` and `allow_subclasses` change nothing.

    >>> import stepgrad as sg
    >>> assert_close(sg.tensor([1.0, 2.0]), sg.tensor([1.0, 2.5]))
    Traceback (most recent call last):
    AssertionError: 1 of 2 elements differ: 2.0 and 2.5 at (1,), by 0.5; 1.325e-05 is allowed.
    """
    del check_layout, allow_subclasses
    if (rtol is None) != (atol is None):
        raise ArgumentError("assert_close takes rtol and atol together, or neither.")
    checks = {"device": check_device, "dtype": check_dtype, "stride": check_stride}
    problem = _difference(actual, expected, rtol, atol, equal_nan, checks)
    if problem:
        raise AssertionError(problem if msg is None else msg if isinstance(msg, str) else msg(problem))


def _difference(
    actual: Any, expected: Any, rtol: Any, atol: Any, equal_nan: bool, checks: dict[str, bool]
) -> str:
    """Return what is different, "" for nothing."""
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if actual.keys() != expected.keys():
            return f"the keys differ: {sorted(map(str, actual))} and {sorted(map(str, expected))}."
        keys: Any = list(expected)
    elif _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            return f"there are {len(actual)} and {len(expected)} items."
        keys = range(len(expected))
    else:
        return _apart(actual, expected, rtol, atol, equal_nan, checks)
    for key in keys:
        found = _difference(actual[key], expected[key], rtol, atol, equal_nan, checks)
        if found:
            return f"item {key!r}: {found}"
    return ""


def _is_sequence(x: Any) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, str)


def _apart(actual: Any, expected: Any, rtol: Any, atol: Any, equal_nan: bool, checks: dict[str, bool]) -> str:
    if not isinstance(actual, Tensor) and not isinstance(expected, Tensor) and type(actual) is float:
        actual, expected = (as_tensor(x, dtype=dtypes.float64) for x in (actual, expected))
    a, b = as_tensor(actual).detach(), as_tensor(expected).detach()
    if a.shape != b.shape:
        return f"the shapes differ: {list(a.shape)} and {list(b.shape)}."
    seen = {"device": (a.device, b.device), "dtype": (a.dtype, b.dtype), "stride": (a.stride(), b.stride())}
    for name, (one, other) in seen.items():
        if checks[name] and one != other:
            return f"the {name}s differ: {one} and {other}."
    if rtol is None:
        each = [_TOLERANCES.get(x.dtype, (0.0, 0.0)) for x in (a, b)]
        rtol, atol = max(r for r, _ in each), max(t for _, t in each)
    b = b.to(a.device)
    kind = dtypes.promote_types(a.dtype, b.dtype)
    a, b = a.to(kind), b.to(kind)
    wrong = ~a.isclose(b, rtol=rtol, atol=atol, equal_nan=equal_nan)
    count = int(wrong.sum().item())
    if not count:
        return ""
    apart = (a.double() - b.double()).abs()
    apart = apart.masked_fill(apart.isnan(), float("inf")).masked_fill(~wrong, -1.0)
    place = tuple(int(i) for i in unravel_index(apart.argmax(), a.shape)) if a.ndim else ()
    one, other = a[place].item(), b[place].item()
    allowed = atol + rtol * abs(other)
    where = f" at {place}" if place else ""
    return (
        f"{count} of {a.numel()} elements differ: {one} and {other}{where}, by {apart[place].item():.4g}; "
        f"{allowed:.4g} is allowed."
    )


if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
