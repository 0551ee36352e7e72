"""Methods that make other tensors like this one, and that fill it with random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.arrays import random as streams
from stepgrad.arrays.conversion import array_of
from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.methods.base import as_shape
from stepgrad.methods.chances import check_probability
from stepgrad.methods.in_place import InPlaceMethods
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor


class MakingMethods(InPlaceMethods):
    """New tensors have the dtype and the device of this one, unless others are given."""

    def _made(self, made: Tensor, device: Any, requires_grad: bool) -> Tensor:
        made = made.to(self._as_tensor().device if device is None else device)
        return made.requires_grad_() if requires_grad else made

    def _full(
        self, size: tuple[Any, ...], value: Any, dtype: Any, device: Any, requires_grad: bool
    ) -> Tensor:
        kind = self._as_tensor().dtype if dtype is None else dtypes.as_dtype(dtype)
        made = apply(REGISTRY["full"], shape=as_shape(size), value=value, dtype=kind.numpy)
        return self._made(made, device, requires_grad)

    def new_tensor(
        self, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        """Return a tensor with a copy of `data`.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0], dtype=sg.float64).new_tensor([2, 3])
        tensor([2., 3.], dtype=stepgrad.float64)
        """
        array = array_of(data, self._as_tensor().dtype if dtype is None else dtype, copy=True)
        return self._made(type(self._as_tensor())._of(array), device, requires_grad)

    def new_zeros(
        self, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        """Return zeros of a shape, given one by one or as one sequence.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).new_zeros(3)
        tensor([0, 0, 0])
        """
        return self._full(size, 0, dtype, device, requires_grad)

    def new_ones(
        self, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        """Return ones of a shape.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).new_ones(3)
        tensor([1, 1, 1])
        """
        return self._full(size, 1, dtype, device, requires_grad)

    def new_empty(
        self, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        """Return a tensor of a shape, to be filled; it holds zeros.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).new_empty(2, 3).shape
        (2, 3)
        """
        return self._full(size, 0, dtype, device, requires_grad)

    def new_full(
        self,
        size: Any,
        fill_value: float,
        *,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
    ) -> Tensor:
        """Return a tensor of a shape with every element `fill_value`.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).new_full((2,), 0.5)
        tensor([0.5000, 0.5000])
        """
        return self._full((size,), fill_value, dtype, device, requires_grad)

    def new(self, *data: Any) -> Tensor:
        """Return a tensor of the given sizes, or of numbers in sequences: PyTorch's older `new_tensor`.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).new([2, 3])
        tensor([2., 3.])
        """
        if data and not isinstance(data[0], int):
            return self.new_tensor(data[0])
        return self.new_empty(data or (0,))

    # ------------------------------------------------------------------------------ random numbers

    def bernoulli(self, p: float | None = None, *, generator: Any = None) -> Tensor:
        """Return 1 with the probability that each element is, or with probability `p`, else 0.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1.0, 1.0]).bernoulli()
        tensor([0., 1., 1.])
        """
        x = self._as_tensor().detach()
        chance = x if p is None else p
        check_probability("bernoulli", chance)
        return (self._uniform(generator) < chance).to(x.dtype)

    def multinomial(self, num_samples: int, replacement: bool = False, *, generator: Any = None) -> Tensor:
        """Return `num_samples` indices (int64) drawn with probabilities proportional to the rows.

        Without replacement by the exponential race: the smallest −ln(u)/p come first (Efraimidis and
        Spirakis, 2006).

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 0.0, 5.0]).multinomial(1)
        tensor([2])
        """
        of = type(self._as_tensor())._of
        g = generator or streams.default_generator
        weights = numpy.asarray(self._as_tensor().detach().cpu()._array, dtype="float64")
        if (weights < 0).any() or not numpy.isfinite(weights).all() or (weights.sum(-1) <= 0).any():
            raise ArgumentError("multinomial needs finite probabilities ≥ 0 with a positive sum in each row.")
        if replacement:
            u = g.random((*weights.shape[:-1], num_samples), dtypes.float64)
            steps = numpy.cumsum(weights, -1) / weights.sum(-1, keepdims=True)
            drawn = (u[..., None] >= steps[..., None, :]).sum(-1)
            return of(numpy.minimum(drawn, weights.shape[-1] - 1).astype("int64"))
        if num_samples > int((weights > 0).sum(-1).min()):
            raise ArgumentError(
                f"multinomial cannot draw {num_samples} without replacement: too few are possible."
            )
        with numpy.errstate(all="ignore"):
            race = -numpy.log1p(-g.random(weights.shape, dtypes.float64)) / weights
        return of(numpy.argsort(race, axis=-1, kind="stable")[..., :num_samples].astype("int64"))

    def bernoulli_(self, p: Any = 0.5, *, generator: Any = None) -> Tensor:
        """Fill with 1 with probability `p`, a number or a tensor that broadcasts, else 0.

        >>> import stepgrad as sg
        >>> sg.empty(3).bernoulli_(1.0)
        tensor([1., 1., 1.])
        """
        chance = p._as_tensor().detach() if isinstance(p, InPlaceMethods) else float(p)
        check_probability("bernoulli_", chance)
        return self.copy_((self._uniform(generator) < chance).to(self._as_tensor().dtype))

    def random_(self, low: int | None = None, high: int | None = None, *, generator: Any = None) -> Tensor:
        """Fill with integers uniform in [low, high), or in [0, low) when it stands alone: random_(to).

        Without bounds up to the largest number that the dtype holds, of a floating point type up to which all
        integers are its numbers.

        >>> import stepgrad as sg
        >>> x = sg.empty(1000).random_(3)
        >>> x.unique()
        tensor([0., 1., 2.])
        """
        x = self._as_tensor()
        if high is None:
            low, high = 0, _integers(x.dtype) if low is None else low
        drawn = (generator or streams.default_generator).integers(low or 0, high, tuple(x.shape))
        return self.copy_(type(x)._of(drawn).to(x.dtype))

    def exponential_(self, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
        """Fill with exponentially distributed numbers of rate `lambd`.

        >>> import stepgrad as sg
        >>> x = sg.empty(10).exponential_(2.0)
        >>> bool((x >= 0).all())
        True
        """
        if not lambd > 0:
            raise ArgumentError(f"exponential_ needs a rate > 0, not {lambd}.")
        return self.copy_((-self._uniform(generator)).log1p() / -lambd)

    def geometric_(self, p: float, *, generator: Any = None) -> Tensor:
        """Fill with how many trials of probability `p` it takes to the first success, 1, 2, …

        >>> import stepgrad as sg
        >>> x = sg.empty(10).geometric_(0.5)
        >>> bool((x >= 1).all())
        True
        """
        if not 0 < p < 1:
            raise ArgumentError(f"geometric_ needs a probability between 0 and 1, not {p}.")
        return self.copy_(((-self._uniform(generator)).log1p() / math.log1p(-p)).floor() + 1)

    def cauchy_(self, median: float = 0.0, sigma: float = 1.0, *, generator: Any = None) -> Tensor:
        """Fill with Cauchy's numbers of the given median and width.

        >>> import stepgrad as sg
        >>> seed = sg.manual_seed(0)
        >>> x = sg.empty(1000).cauchy_(5.0)
        >>> round(x.median().item(), 1)
        5.1
        """
        if not sigma > 0:
            raise ArgumentError(f"cauchy_ needs a width > 0, not {sigma}.")
        return self.copy_(((self._uniform(generator) - 0.5) * math.pi).tan() * sigma + median)

    def log_normal_(self, mean: float = 1.0, std: float = 2.0, *, generator: Any = None) -> Tensor:
        """Fill with numbers whose logarithms are normal, of the given mean and standard deviation.

        >>> import stepgrad as sg
        >>> x = sg.empty(10).log_normal_()
        >>> bool((x > 0).all())
        True
        """
        if not std > 0:
            raise ArgumentError(f"log_normal_ needs a standard deviation > 0, not {std}.")
        drawn = self._drawn("randn", generator, streams.normal_blocks(self._array.size))
        return self.copy_((drawn * std + mean).exp())

    def _uniform(self, generator: Any) -> Tensor:
        """Return numbers uniform in [0, 1) in this shape, in the default dtype where this one has none."""
        x = self._as_tensor()
        kind = x.dtype if x.is_floating_point() else dtypes.get_default_dtype()
        place = streams.reserved(generator, streams.blocks_for(x.numel(), kind))
        return apply(REGISTRY["rand"], shape=tuple(x.shape), dtype=kind.numpy, **place).to(x.device)

    # ---------------------------------------------------------------------------------- filled by place

    def fill_diagonal_(self, fill_value: float, wrap: bool = False) -> Tensor:
        """Set the main diagonal to a number; with `wrap`, of a tall matrix, again after each N columns.

        Raises `ShapeError` for less than 2 dimensions, and for more of different lengths.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3).fill_diagonal_(1)
        tensor([[1., 0., 0.],
                [0., 1., 0.]])
        """
        shape = self._array.shape
        if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
            raise ShapeError(
                f"fill_diagonal_ takes a matrix, or more dimensions of one length, not {list(shape)}."
            )
        places = numpy.zeros(shape, bool)
        numpy.fill_diagonal(places, True, wrap)
        x = self._as_tensor()
        return self.masked_fill_(type(x)._of(places).to(x.device), fill_value)

    def apply_(self, function: Callable[[Any], Any]) -> Tensor:
        """Replace each element by what a Python function makes of it. Slow; on the CPU alone.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).apply_(lambda x: x * 10)
        tensor([10., 20.])
        """
        return self.map_(self._as_tensor(), lambda own, _: function(own))

    def map_(self, other: Tensor, function: Callable[[Any, Any], Any]) -> Tensor:
        """Replace each element by what a Python function makes of it and of that of `other`.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).map_(sg.tensor([3.0, 4.0]), lambda x, y: x * y)
        tensor([3., 8.])
        """
        x = self._as_tensor()
        if other.shape != x.shape:
            raise ArgumentError(f"map_ of the shapes {list(x.shape)} and {list(other.shape)}.")
        pairs = zip(x.detach().reshape(-1).tolist(), other.detach().reshape(-1).tolist(), strict=True)
        made = numpy.array([function(a, b) for a, b in pairs]).reshape(x.shape)
        return self.copy_(type(x)._of(made.astype(self._array.dtype)))


def _integers(kind: dtypes.dtype) -> int:
    """Return the end of the integers from 0 on that a type holds."""
    if kind.is_floating_point:
        return 1 << (numpy.finfo(kind.numpy).nmant + 1)
    return 2 if kind is dtypes.bool_ else int(dtypes.largest(kind))
