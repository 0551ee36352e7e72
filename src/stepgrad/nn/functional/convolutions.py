"""Convolutions, transposed convolutions, and the windows and their sums as matrices."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.nn.functional.padding import pad_zeros
from stepgrad.nn.functional.sliding import batched, check_input, check_lengths, sizes
from stepgrad.ops.convolutions import padded_lengths
from stepgrad.ops.registry import REGISTRY
from stepgrad.ops.windowing import count_windows
from stepgrad.tensor import Tensor

_convolution, _transposed = REGISTRY["convolution"], REGISTRY["convolution_input"]
Pairs = tuple[tuple[int, int], ...]


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the convolution of x (N, C, L) or (C, L) with weight (O, C / groups, K), plus bias (O).

    yₙₒₚ = Σ over c and k of x[n, c, p · stride + k · dilation − padding] w[o, c, k] + b[o]. `padding`:
    zeros at
    both ends, or "valid" (none), or "same" (so many that L stays, for a stride of 1). Raises `ShapeError` or
    `ArgumentError` naming the sizes that do not fit.

    >>> import stepgrad as sg
    >>> conv1d(sg.tensor([[[1.0, 2.0, 4.0, 8.0]]]), sg.tensor([[[-1.0, 1.0]]]))
    tensor([[[1., 2., 4.]]])
    """
    return _convolved("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the convolution of x (N, C, H, W) or (C, H, W) with weight (O, C / groups, K₁, K₂), plus bias
    (O).

    Numbers, or pairs of them, as in `conv1d`.

    >>> import stepgrad as sg
    >>> conv2d(sg.ones(1, 1, 3, 3), sg.ones(1, 1, 3, 3), padding="same")
    tensor([[[[4., 6., 4.],
              [6., 9., 6.],
              [4., 6., 4.]]]])
    """
    return _convolved("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the convolution of x (N, C, D, H, W) or (C, D, H, W) with weight (O, C / groups, K₁, K₂, K₃).

    >>> import stepgrad as sg
    >>> conv3d(sg.ones(1, 1, 2, 3, 4), sg.ones(5, 1, 2, 2, 2)).shape
    (1, 5, 1, 2, 3)
    """
    return _convolved("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def _convolved(
    name: str, dims: int, x: Tensor, weight: Tensor, bias: Tensor | None,
    stride: Any, padding: Any, dilation: Any, groups: int,
) -> Tensor:  # fmt: skip
    check_input(name, x, dims)
    stride = sizes(name, "stride", stride, dims)
    dilation = sizes(name, "dilation", dilation, dims)
    _check_weight(name, x, weight, bias, dims, groups, 1)
    pairs = _padding(name, padding, tuple(weight.shape[2:]), stride, dilation, dims)
    lengths = padded_lengths(x.shape[x.ndim - dims :], pairs)
    check_lengths(name, x, lengths, weight.shape[2:], dilation)
    attrs = {"stride": stride, "padding": pairs, "dilation": dilation, "groups": groups}
    return batched(x, dims, lambda x: apply(_convolution, x, weight, bias, **attrs))


def _padding(
    name: str,
    padding: Any,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    dims: int,
) -> Pairs:
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * dims
        if padding != "same":
            raise ArgumentError(
                f"{name} knows the paddings 'valid' and 'same', and numbers, not {padding!r}."
            )
        if any(s != 1 for s in stride):
            raise ArgumentError(f"{name} with padding='same' needs a stride of 1, not {list(stride)}.")
        added = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
        return tuple((n // 2, n - n // 2) for n in added)
    return tuple((n, n) for n in sizes(name, "padding", padding, dims, 0))


def _check_weight(
    name: str, x: Tensor, weight: Tensor, bias: Tensor | None, dims: int, groups: int, of_input: int
) -> None:
    """Raise `ShapeError` unless the weight has `dims` sizes of windows and fits the channels of x.

    `of_input`: which dimension of the weight stands for the channels of x, 1 or (transposed) 0.
    """
    channels = x.shape[x.ndim - dims - 1]
    if groups < 1 or weight.ndim != dims + 2 or weight.shape[0] % groups:
        raise ShapeError(
            f"{name} takes a weight of {dims + 2} dimensions whose first is a multiple of "
            f"groups={groups}, not {list(weight.shape)}."
        )
    expected = weight.shape[0] if of_input == 0 else weight.shape[1] * groups
    if channels != expected:
        raise ShapeError(
            f"{name} has a weight {list(weight.shape)} (groups={groups}) for {expected} input channels; this "
            f"input {list(x.shape)} has {channels}."
        )
    outputs = weight.shape[0] if of_input == 1 else weight.shape[1] * groups
    if bias is not None and bias.shape != (outputs,):
        raise ShapeError(f"{name} needs a bias per output channel, ({outputs},), not {list(bias.shape)}.")


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Return the transposed convolution of x (N, C, L) or (C, L), weight (C, O / groups, K), plus bias (O).

    The adjoint of `conv1d` of the same arguments: each element of x adds weight · x where its window lies. Of
    (L − 1) stride + dilation (K − 1) + 1 elements `padding` are left out at both ends; `output_padding` are
    added at the last.

    >>> import stepgrad as sg
    >>> conv_transpose1d(sg.tensor([[[1.0, 2.0]]]), sg.tensor([[[1.0, 10.0]]]), stride=2)
    tensor([[[ 1., 10.,  2., 20.]]])
    """
    return _transposed_convolved(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Return the transposed convolution of x (N, C, H, W), weight (C, O / groups, K₁, K₂), plus bias (O).

    As `conv_transpose1d`, with numbers or pairs of them.

    >>> import stepgrad as sg
    >>> conv_transpose2d(sg.ones(1, 2, 4, 4), sg.ones(2, 3, 2, 2), stride=2).shape
    (1, 3, 8, 8)
    """
    return _transposed_convolved(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Return the transposed convolution of x (N, C, D, H, W), weight (C, O / groups, K₁, K₂, K₃), plus bias.

    >>> import stepgrad as sg
    >>> conv_transpose3d(sg.ones(1, 2, 2, 2, 2), sg.ones(2, 3, 2, 2, 2)).shape
    (1, 3, 3, 3, 3)
    """
    return _transposed_convolved(
        "conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def _transposed_convolved(
    name: str, dims: int, x: Tensor, weight: Tensor, bias: Tensor | None,
    stride: Any, padding: Any, output_padding: Any, groups: int, dilation: Any,
) -> Tensor:  # fmt: skip
    check_input(name, x, dims)
    stride, dilation = sizes(name, "stride", stride, dims), sizes(name, "dilation", dilation, dims)
    before = sizes(name, "padding", padding, dims, 0)
    extra = sizes(name, "output_padding", output_padding, dims, 0)
    _check_weight(name, x, weight, bias, dims, groups, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ArgumentError(
            f"{name} needs an output_padding below the stride or the dilation, not {list(extra)} with stride "
            f"{list(stride)} and dilation {list(dilation)}."
        )
    counts = zip(x.shape[x.ndim - dims :], stride, dilation, weight.shape[2:], strict=True)
    whole = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in counts]
    shape = [n - 2 * p + e for n, p, e in zip(whole, before, extra, strict=True)]
    if any(n < 1 for n in shape):
        raise ShapeError(f"{name} of {list(x.shape)} with padding {list(before)} has no elements: {shape}.")
    # What lies beyond the last window stays empty.
    empty = [max(e - p, 0) for p, e in zip(before, extra, strict=True)]
    inner = tuple(n - e for n, e in zip(shape, empty, strict=True))
    pairs = tuple((p, max(p - e, 0)) for p, e in zip(before, extra, strict=True))
    attrs = {"stride": stride, "padding": pairs, "dilation": dilation, "groups": groups, "shape": inner}

    def transposed(x: Tensor) -> Tensor:
        y = pad_zeros(apply(_transposed, x, weight, **attrs), [(0, e) for e in empty])
        return y if bias is None else y + bias.reshape(-1, *(1,) * dims)

    return batched(x, dims, transposed)


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """Return the windows of `input` (N, C, H, W) or (C, H, W) as columns: (N, C · K₁ · K₂, windows). im2col.

    >>> import stepgrad as sg
    >>> unfold(sg.arange(4.0).reshape(1, 1, 2, 2), (2, 1))
    tensor([[[0., 1.],
             [2., 3.]]])
    """
    check_input("unfold", input, 2)
    size, stride = sizes("unfold", "kernel_size", kernel_size, 2), sizes("unfold", "stride", stride, 2)
    dilation = sizes("unfold", "dilation", dilation, 2)
    before = sizes("unfold", "padding", padding, 2, 0)
    pairs = [(p, p) for p in before]
    check_lengths("unfold", input, padded_lengths(input.shape[-2:], pairs), size, dilation)

    def unfolded(x: Tensor) -> Tensor:
        x = pad_zeros(x, pairs)
        every = apply(REGISTRY["windows"], x, size=size, stride=stride, dilation=dilation)
        rows, columns = x.shape[1] * math.prod(size), math.prod(every.shape[2:4])
        return x._copied(every.permute(0, 1, 4, 5, 2, 3).reshape(x.shape[0], rows, columns))

    return batched(input, 2, unfolded)


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Return images (N, C, *output_size) in which columns (N, C · K₁ · K₂, windows) are added where their
    windows lie: the adjoint of `unfold`. col2im.

    >>> import stepgrad as sg
    >>> fold(sg.ones(1, 2, 2), (2, 2), (2, 1))
    tensor([[[[1., 1.],
              [1., 1.]]]])
    """
    check_input("fold", input, 1)
    shape, size = sizes("fold", "output_size", output_size, 2), sizes("fold", "kernel_size", kernel_size, 2)
    stride, dilation = sizes("fold", "stride", stride, 2), sizes("fold", "dilation", dilation, 2)
    before = sizes("fold", "padding", padding, 2, 0)
    lengths = padded_lengths(shape, [(p, p) for p in before])
    counts = count_windows(lengths, size, stride, dilation)
    if input.shape[-2] % math.prod(size) or input.shape[-1] != math.prod(counts):
        raise ShapeError(
            f"fold into {list(shape)} by windows of {list(size)} takes (N, C · {math.prod(size)}, "
            f"{math.prod(counts)}), not {list(input.shape)}."
        )

    def folded(x: Tensor) -> Tensor:
        every = x.reshape(x.shape[0], x.shape[1] // math.prod(size), *size, *counts).permute(0, 1, 4, 5, 2, 3)
        whole = apply(REGISTRY["add_windows"], every, shape=lengths, stride=stride, dilation=dilation)
        return whole[(..., *(slice(p, p + n) for p, n in zip(before, shape, strict=True)))]

    return batched(input, 1, folded)


__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "fold",
    "unfold",
]
