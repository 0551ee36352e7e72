"""Reductions and softmax of the elements where a mask holds, under the names of `torch.masked`.

`mask` is boolean and broadcasts to the input; without it all elements count. Where no element counts, a sum
is 0, a product 1, an extreme ∓inf, a mean nan.

>>> import stepgrad as sg
>>> sg.masked.mean(sg.tensor([1.0, 5.0, 9.0]), mask=sg.tensor([True, True, False]))
tensor(3.)
"""

from __future__ import annotations

import math
from typing import Any

from stepgrad.arrays import dtypes
from stepgrad.autograd.engine import apply
from stepgrad.methods.norms import vector_norm
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def _filled(input: Tensor, mask: Tensor | None, value: Any, dtype: Any = None) -> Tensor:
    """Return the input in `dtype`, with a value where the mask does not hold."""
    x = input if dtype is None else input.to(dtype)
    return x if mask is None else apply(REGISTRY["where"], mask, x, value)


def _extreme(kind: dtypes.dtype, sign: int) -> Any:
    if kind.is_floating_point:
        return sign * math.inf
    largest = int(dtypes.largest(kind))
    return largest if sign > 0 else (-largest - 1 if kind is not dtypes.uint8 else 0)


def _count(input: Tensor, dim: Any, keepdim: bool, mask: Tensor | None) -> Tensor:
    """Return how many elements count."""
    ones = apply(REGISTRY["full"], shape=input.shape, value=1, dtype=dtypes.int64.numpy).to(input.device)
    return _filled(ones, mask, 0).sum(dim, keepdim)


def sum(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the sum.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.sum(x, mask=mask)
    tensor(4.)
    """
    return _filled(input, mask, 0, dtype).sum(dim, keepdim, dtype=dtype)


def prod(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the product.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.prod(x, mask=mask)
    tensor(3.)
    """
    return _filled(input, mask, 1, dtype).prod(dim, keepdim, dtype=dtype)


def amax(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the largest.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.amax(x, mask=mask)
    tensor(3.)
    """
    kind = input.dtype if dtype is None else dtypes.as_dtype(dtype)
    return _filled(input, mask, _extreme(kind, -1), dtype).amax(dim, keepdim)


def amin(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the smallest.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.amin(x, mask=mask)
    tensor(1.)
    """
    kind = input.dtype if dtype is None else dtypes.as_dtype(dtype)
    return _filled(input, mask, _extreme(kind, 1), dtype).amin(dim, keepdim)


def mean(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the mean.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.mean(x, mask=mask)
    tensor(2.)
    """
    return sum(input, dim, keepdim=keepdim, dtype=dtype, mask=mask) / _count(input, dim, keepdim, mask)


def median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the lower median along one dimension.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.median(x, mask=mask)
    tensor(1.)
    """
    if mask is None:
        return _filled(input, None, 0, dtype).median(dim, keepdim).values
    return _filled(input, mask, math.nan, dtype).nanmedian(dim, keepdim).values


def var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, *, correction: float | None = None,
    keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the variance: Σ (x − mean)² / (count − correction), correction 1 or (not `unbiased`) 0.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.var(x, mask=mask)
    tensor(2.)
    """
    x = input if dtype is None else input.to(dtype)
    x = x if x.is_floating_point() else x.to(dtypes.get_default_dtype())
    centred = x - mean(x, dim, keepdim=True, mask=mask)
    total = sum(centred.square(), dim, keepdim=keepdim, mask=mask)
    count = _count(x, dim, keepdim, mask)
    minus = (0 if unbiased is False else 1) if correction is None else correction
    return total / (count.to(x.dtype) - minus).clamp(min=0)


def std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, *, correction: float | None = None,
    keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the standard deviation, the root of `var`.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.std(x, mask=mask)
    tensor(1.4142)
    """
    return var(input, dim, unbiased, correction=correction, keepdim=keepdim, dtype=dtype, mask=mask).sqrt()


def norm(
    input: Tensor, ord: float = 2.0, dim: Any = None, *, keepdim: bool = False, dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the norm of order `ord`.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.norm(x, mask=mask)
    tensor(3.1623)
    """
    return vector_norm(_filled(input, mask, 0 if ord >= 0 else math.inf, dtype), ord, dim, keepdim)


def logsumexp(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return ln Σ eˣ.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.logsumexp(x, 0, mask=mask)
    tensor(3.1269)
    """
    return _filled(input, mask, -math.inf, dtype).logsumexp(dim, keepdim)


def logaddexp(
    input: Tensor, other: Tensor, *, dtype: Any = None, input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return ln(eˣ + eʸ) of the elements of both that count.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.logaddexp(x, x, other_mask=mask)
    tensor([1.6931, 3.6931, 9.0000])
    """
    lowest = -math.inf
    return _filled(input, input_mask, lowest, dtype).logaddexp(_filled(other, other_mask, lowest, dtype))


def cumsum(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return the sums of the elements so far.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.cumsum(x, 0, mask=mask)
    tensor([1., 4., 4.])
    """
    return _filled(input, mask, 0, dtype).cumsum(dim, dtype=dtype)


def cumprod(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return the products of the elements so far.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.cumprod(x, 0, mask=mask)
    tensor([1., 3., 3.])
    """
    return _filled(input, mask, 1, dtype).cumprod(dim, dtype=dtype)


def softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return eˣ / Σ eˣ over the elements that count; 0 for the others.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.softmax(x, 0, mask=mask)
    tensor([0.1192, 0.8808, 0.0000])
    """
    return _filled(input, mask, -math.inf, dtype).softmax(dim)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return the logarithm of `softmax`.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.log_softmax(x, 0, mask=mask)
    tensor([-2.1269, -0.1269,    -inf])
    """
    return _filled(input, mask, -math.inf, dtype).log_softmax(dim)


def softmin(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return e⁻ˣ / Σ e⁻ˣ over the elements that count; 0 for the others.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.softmin(x, 0, mask=mask)
    tensor([0.8808, 0.1192, 0.0000])
    """
    return (-_filled(input, mask, math.inf, dtype)).softmax(dim)


def normalize(
    input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return x / max(norm, eps) over the elements that count; 0 for the others.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.normalize(x, 2, 0, mask=mask)
    tensor([0.3162, 0.9487, 0.0000])
    """
    length = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return _filled(input, mask, 0, dtype) / apply(REGISTRY["maximum"], length, eps)


def argmax(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the place (int64) of the largest.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.argmax(x, mask=mask)
    tensor(1)
    """
    kind = input.dtype if dtype is None else dtypes.as_dtype(dtype)
    return _filled(input, mask, _extreme(kind, -1), dtype).argmax(dim, keepdim)


def argmin(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the place (int64) of the smallest.

    >>> import stepgrad as sg
    >>> x, mask = sg.tensor([1.0, 3.0, 9.0]), sg.tensor([True, True, False])
    >>> sg.masked.argmin(x, mask=mask)
    tensor(0)
    """
    kind = input.dtype if dtype is None else dtypes.as_dtype(dtype)
    return _filled(input, mask, _extreme(kind, 1), dtype).argmin(dim, keepdim)


__all__ = [
    "amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "log_softmax", "logaddexp", "logsumexp", "mean",
    "median", "norm", "normalize", "prod", "softmax", "softmin", "std", "sum", "var",
]  # fmt: skip
