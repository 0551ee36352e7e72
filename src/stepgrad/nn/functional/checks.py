"""What the functions of this folder ask of their arguments."""

from __future__ import annotations

from typing import Any

from stepgrad.errors import ArgumentError, DtypeError, ShapeError
from stepgrad.tensor import Tensor


def no_tensor(name: str, x: Any) -> DtypeError:
    """Return the error for an argument of the function `name` that is no tensor."""
    return DtypeError(f"{name} takes a tensor, not {type(x).__name__}. Make one with stepgrad.tensor(…).")


def placed(x: Tensor, result: Tensor, inplace: bool) -> Tensor:
    """Return the result, with `inplace` as x itself."""
    return x._become(result) if inplace else result


def check_pair(name: str, x: Tensor, target: Tensor, reduction: str) -> None:
    """Raise an error unless input and target are tensors of one shape, and the reduction is known."""
    check_tensors(name, x, target)
    if x._array.shape != target._array.shape:
        raise ShapeError(
            f"{name} compares shapes that are equal: input {list(x.shape)}, target {list(target.shape)}. "
            f"A silent broadcast would give a wrong loss; use .squeeze(), .unsqueeze() or .reshape() to make "
            f"them so."
        )
    check_reduction(reduction)


def check_tensors(name: str, x: Any, target: Any) -> None:
    """Raise `DtypeError` unless both are tensors."""
    for each, what in ((x, "input"), (target, "target")):
        if not isinstance(each, Tensor):
            raise DtypeError(
                f"{name} takes tensors; its {what} is {type(each).__name__}. Make a tensor of it with "
                f"stepgrad.tensor(…)."
            )


def check_element_weight(name: str, what: str, weight: Tensor | None, x: Tensor) -> None:
    """Raise `ShapeError` for a weight per element that does not broadcast to the input as it is."""
    if weight is None or weight.shape == x.shape:
        return
    own = (1,) * (x.ndim - weight.ndim) + weight.shape
    if len(own) != x.ndim or any(n not in (1, m) for n, m in zip(own, x.shape)):
        raise ShapeError(
            f"{name} needs a {what} that broadcasts to the input {list(x.shape)}, not {list(weight.shape)}."
        )


def check_reduction(reduction: str) -> None:
    """Raise `ArgumentError` for a reduction that is not known."""
    if reduction not in ("mean", "sum", "none"):
        raise ArgumentError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r}.")


def check_class_weight(name: str, weight: Tensor | None, classes: int) -> None:
    """Raise `ShapeError` for a weight that is not one number per class."""
    if weight is not None and weight.shape != (classes,):
        raise ShapeError(f"{name} needs a weight per class, ({classes},), not {list(weight.shape)}.")


def reduced(x: Tensor, reduction: str, weight: Tensor | None = None) -> Tensor:
    """Return the mean, the sum or all of x; of x times `weight`, whose mean is Σ w x / Σ w."""
    if weight is not None:
        x = x * weight
    if reduction == "none":
        return x
    if reduction == "sum":
        return x.sum()
    return x.mean() if weight is None else x.sum() / weight.sum()
