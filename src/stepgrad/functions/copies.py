"""Functions that return copies: what views give, in memory of its own.

>>> import stepgrad as sg
>>> x = sg.arange(4)
>>> y = sg.view_copy(x, (2, 2))
>>> y[0, 0] = 9
>>> x
tensor([0, 1, 2, 3])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepgrad.autograd.engine import apply
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def _copying(view: Callable[..., Any]) -> Callable[..., Any]:
    def function(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        made = view(input, *args, **kwargs)
        return tuple(part.clone() for part in made) if isinstance(made, tuple) else made.clone()

    function.__doc__ = f"Return a copy of what `Tensor.{view.__name__}` gives, with the same arguments."
    function.__name__ = f"{view.__name__}_copy"
    return function


as_strided_copy = _copying(Tensor.as_strided)
diagonal_copy = _copying(Tensor.diagonal)
expand_copy = _copying(Tensor.expand)
narrow_copy = _copying(Tensor.narrow)
permute_copy = _copying(Tensor.permute)
split_with_sizes_copy = _copying(Tensor.split_with_sizes)
squeeze_copy = _copying(Tensor.squeeze)
t_copy = _copying(Tensor.t)
transpose_copy = _copying(Tensor.transpose)
unbind_copy = _copying(Tensor.unbind)
unfold_copy = _copying(Tensor.unfold)
unsqueeze_copy = _copying(Tensor.unsqueeze)
view_copy = _copying(Tensor.view)


def alias_copy(input: Tensor) -> Tensor:
    """Return a copy."""
    return input.clone()


def as_strided_scatter(
    input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None
) -> Tensor:
    """Return a copy with `src` in the places that `as_strided` takes."""
    places = input._counted(input.numel()).as_strided(size, stride, storage_offset)
    flat = input.reshape(-1).index_put((places.reshape(-1),), src.reshape(-1))
    return flat.reshape(input.shape)


def fill(input: Tensor, value: Any) -> Tensor:
    """Return a tensor of the input's shape and dtype with every element `value`, a number or a 0-d tensor."""
    everywhere = apply(REGISTRY["full"], shape=input.shape, value=True, dtype="bool").to(input.device)
    return input.masked_fill(everywhere, value)


__all__ = [
    "alias_copy", "as_strided_copy", "as_strided_scatter", "diagonal_copy", "expand_copy", "fill",
    "narrow_copy", "permute_copy", "split_with_sizes_copy", "squeeze_copy", "t_copy", "transpose_copy",
    "unbind_copy", "unfold_copy", "unsqueeze_copy", "view_copy",
]  # fmt: skip
