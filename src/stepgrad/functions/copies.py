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


def _copying(view: Callable[..., Any], arguments: str, copied: str) -> Callable[..., Any]:
    """Return the function; called with these arguments it gives, as an example in its text, `copied`."""

    def function(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        made = view(input, *args, **kwargs)
        return tuple(part.clone() for part in made) if isinstance(made, tuple) else made.clone()

    function.__name__ = f"{view.__name__}_copy"
    function.__doc__ = (
        f"Return a copy of what `Tensor.{view.__name__}` gives, with the same arguments.\n\n"
        f">>> import stepgrad as sg\n>>> sg.{function.__name__}({arguments})\n{copied}\n"
    )
    return function


_SQUARE, _COLUMN = "tensor([[0, 1],\n        [2, 3]])", "tensor([[1],\n        [2]])"

as_strided_copy = _copying(Tensor.as_strided, "sg.arange(4), (2,), (2,)", "tensor([0, 2])")
diagonal_copy = _copying(Tensor.diagonal, "sg.eye(2)", "tensor([1., 1.])")
expand_copy = _copying(Tensor.expand, "sg.tensor([1, 2]), (1, 2)", "tensor([[1, 2]])")
narrow_copy = _copying(Tensor.narrow, "sg.arange(4), 0, 1, 2", "tensor([1, 2])")
permute_copy = _copying(Tensor.permute, "sg.tensor([[1, 2]]), (1, 0)", _COLUMN)
split_with_sizes_copy = _copying(
    Tensor.split_with_sizes, "sg.arange(3), [1, 2]", "(tensor([0]), tensor([1, 2]))"
)
squeeze_copy = _copying(Tensor.squeeze, "sg.tensor([[1, 2]])", "tensor([1, 2])")
t_copy = _copying(Tensor.t, "sg.tensor([[1, 2]])", _COLUMN)
transpose_copy = _copying(Tensor.transpose, "sg.tensor([[1, 2]]), 0, 1", _COLUMN)
unbind_copy = _copying(Tensor.unbind, "sg.tensor([1, 2])", "(tensor(1), tensor(2))")
unfold_copy = _copying(Tensor.unfold, "sg.arange(4), 0, 2, 2", _SQUARE)
unsqueeze_copy = _copying(Tensor.unsqueeze, "sg.tensor([1, 2]), 0", "tensor([[1, 2]])")
view_copy = _copying(Tensor.view, "sg.arange(4), (2, 2)", _SQUARE)


def alias_copy(input: Tensor) -> Tensor:
    """Return a copy.

    >>> import stepgrad as sg
    >>> sg.alias_copy(sg.tensor([1, 2]))
    tensor([1, 2])
    """
    return input.clone()


def as_strided_scatter(
    input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None
) -> Tensor:
    """Return a copy with `src` in the places that `as_strided` takes.

    >>> import stepgrad as sg
    >>> sg.as_strided_scatter(sg.zeros(4), sg.tensor([1.0, 2.0]), (2,), (2,))
    tensor([1., 0., 2., 0.])
    """
    places = input._counted(input.numel()).as_strided(size, stride, storage_offset)
    flat = input.reshape(-1).index_put((places.reshape(-1),), src.reshape(-1))
    return flat.reshape(input.shape)


def fill(input: Tensor, value: Any) -> Tensor:
    """Return a tensor of the input's shape and dtype with every element `value`, a number or a 0-d tensor.

    >>> import stepgrad as sg
    >>> sg.fill(sg.zeros(2), 3)
    tensor([3., 3.])
    """
    everywhere = apply(REGISTRY["full"], shape=input.shape, value=True, dtype="bool").to(input.device)
    return input.masked_fill(everywhere, value)


__all__ = [
    "alias_copy", "as_strided_copy", "as_strided_scatter", "diagonal_copy", "expand_copy", "fill",
    "narrow_copy", "permute_copy", "split_with_sizes_copy", "squeeze_copy", "t_copy", "transpose_copy",
    "unbind_copy", "unfold_copy", "unsqueeze_copy", "view_copy",
]  # fmt: skip
