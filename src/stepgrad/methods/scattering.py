"""Methods that put elements where indices point, and take them from there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.autograd.engine import TENSORS, apply
from stepgrad.errors import ArgumentError, DtypeError, ShapeError
from stepgrad.methods.arranging import ArrangingMethods
from stepgrad.methods.base import Operand, TensorBase, one_dim
from stepgrad.methods.shapes import parsed_index
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor


class ScatteringMethods(ArrangingMethods):
    """`index` holds integers (int64) along a dimension; the other places are those of its own elements."""

    def take_along_dim(self, indices: Tensor, dim: int | None = None) -> Tensor:
        """Return the elements at `indices` along a dimension; the other dimensions broadcast.

        >>> import stepgrad as sg
        >>> x = sg.tensor([[3, 1], [2, 4]])
        >>> x.take_along_dim(x.argsort(1), 1)
        tensor([[1, 3],
                [2, 4]])
        """
        x = self._as_tensor()
        if dim is None:
            return apply(REGISTRY["take_along"], x.reshape(-1), indices.reshape(-1), dim=0)
        d = one_dim(dim, x.ndim)
        if indices.ndim != x.ndim:
            raise ShapeError(
                f"take_along_dim takes indices of {x.ndim} dimensions, not {list(indices.shape)}."
            )
        others = [max(a, b) if min(a, b) else 0 for a, b in zip(x.shape, indices.shape, strict=True)]
        picked = indices.expand(*others[:d], indices.shape[d], *others[d + 1 :])
        return apply(
            REGISTRY["take_along"], x.expand(*others[:d], x.shape[d], *others[d + 1 :]), picked, dim=d
        )

    def take(self, index: Tensor) -> Tensor:
        """Return the elements at positions in the flattened tensor, in the shape of `index`.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).take(sg.tensor([0, 3]))
        tensor([1, 4])
        """
        return self._copied(self._as_tensor().reshape(-1)[index])

    def put(self, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
        """Return a copy with `source` at positions in the flattened tensor, or added there.

        >>> import stepgrad as sg
        >>> sg.zeros(3).put(sg.tensor([0, 2]), sg.tensor([1.0, 2.0]))
        tensor([1., 0., 2.])
        """
        x = self._as_tensor()
        values = source.reshape(index.shape)
        return x.reshape(-1).index_put((index,), values, accumulate).reshape(x.shape)

    def index_put(self, indices: Any, values: Operand, accumulate: bool = False) -> Tensor:
        """Return a copy with `values` where a tuple of index tensors (None: all) points, or added there.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 2).index_put((sg.tensor([0, 1]), sg.tensor([1, 0])), 5.0)
        tensor([[0., 5.],
                [5., 0.]])
        """
        x = self._as_tensor()
        _, spec, tensors = parsed_index(tuple(slice(None) if i is None else i for i in indices))
        if not isinstance(values, TensorBase):
            values = apply(REGISTRY["full"], shape=(), value=values, dtype=x._array.dtype).to(x.device)
        return apply(REGISTRY["index_put"], x, values, *tensors, spec=spec, accumulate=accumulate)

    def index_copy(self, dim: int, index: Tensor, source: Tensor) -> Tensor:
        """Return a copy with the entries of `source` at `index` (a vector) along a dimension.

        >>> import stepgrad as sg
        >>> sg.zeros(3, 2).index_copy(0, sg.tensor([2]), sg.tensor([[1.0, 2.0]]))
        tensor([[0., 0.],
                [0., 0.],
                [1., 2.]])
        """
        return self._with_entries("index_copy", dim, index, source, False)

    def index_add(self, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
        """Return a copy with alpha · `source` added in the entries that `index` (a vector) names.

        >>> import stepgrad as sg
        >>> sg.zeros(3).index_add(0, sg.tensor([0, 2, 2]), sg.tensor([1.0, 2.0, 3.0]))
        tensor([1., 0., 5.])
        """
        return self._with_entries("index_add", dim, index, source if alpha == 1 else source * alpha, True)

    def index_fill(self, dim: int, index: Tensor, value: Operand) -> Tensor:
        """Return a copy with a number in the entries that `index` (a vector) names along a dimension.

        >>> import stepgrad as sg
        >>> sg.zeros(3, 2).index_fill(0, sg.tensor([1]), 7.0)
        tensor([[0., 0.],
                [7., 7.],
                [0., 0.]])
        """
        x = self._as_tensor()
        if not x.ndim:
            return x.reshape(1).index_fill(0, index, value).reshape(())
        d = one_dim(dim, x.ndim)
        named = (self._counted(x.shape[d]) * 0)._with_entries("index_fill", 0, index, 1, False) == 1
        mask = named.reshape((-1,) + (1,) * (x.ndim - 1 - d))
        return apply(REGISTRY["where"], mask, self._filling(value), x)

    def _with_entries(self, name: str, dim: int, index: Tensor, source: Operand, accumulate: bool) -> Tensor:
        x = self._as_tensor()
        d = one_dim(dim, x.ndim)
        if index.ndim > 1:
            raise ShapeError(f"{name} takes an index of one dimension, not of shape {list(index.shape)}.")
        if not x.ndim:
            source = source._as_tensor().reshape(-1) if isinstance(source, TensorBase) else source
            return x.reshape(1)._with_entries(name, 0, index, source, accumulate).reshape(())
        where = (None,) * d + (index.reshape(-1),)
        return x.index_put(where, source, accumulate)

    def index_reduce(
        self, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
    ) -> Tensor:
        """Return a copy with the entries of `source` reduced into those that `index` names along a dimension.

        `reduce` is "prod", "mean", "amax" or "amin"; without `include_self` the old entries do not count.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).index_reduce(0, sg.tensor([0, 0]), sg.tensor([5.0, 3.0]), "amax")
        tensor([5., 2.])
        """
        x = self._as_tensor()
        d = one_dim(dim, x.ndim)
        if not x.ndim:
            return (
                x.reshape(1)
                .index_reduce(0, index.reshape(-1), source.reshape(-1), reduce, include_self=include_self)
                .reshape(())
            )
        shape = [1] * d + [-1] + [1] * (x.ndim - d - 1)
        every = index.reshape(-1).reshape(shape).expand(source.shape)
        return x.scatter_reduce(d, every, source, reduce, include_self=include_self)

    # ------------------------------------------------------------------------------------- scatter

    def scatter(
        self, dim: int, index: Tensor, src: Operand = None, *, reduce: str | None = None, value: Any = None
    ) -> Tensor:
        """Return a copy y with y[index[i][j]][j] = src[i][j] (for dim 0), src a tensor or a number.

        `reduce` "add" or "multiply" combines them with what is there.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3).scatter(1, sg.tensor([[2], [0]]), 1.0)  # one-hot rows
        tensor([[0., 0., 1.],
                [1., 0., 0.]])
        """
        put = value if src is None else src
        if reduce is not None:
            how = {"add": "sum", "multiply": "prod"}.get(reduce)
            if how is None:
                raise ArgumentError(f"scatter reduces by 'add' or 'multiply', not {reduce!r}.")
            return self.scatter_reduce(dim, index, self._source(put, index), how)
        return self._scattered(dim, index, put, False)

    def scatter_add(self, dim: int, index: Tensor, src: Tensor) -> Tensor:
        """Return a copy with src[i][j] added at [index[i][j]][j] (for dim 0).

        >>> import stepgrad as sg
        >>> sg.zeros(3).scatter_add(0, sg.tensor([0, 2, 2]), sg.tensor([1.0, 2.0, 3.0]))
        tensor([1., 0., 5.])
        """
        return self._scattered(dim, index, src, True)

    def _source(self, put: Operand, index: Tensor) -> Tensor:
        if isinstance(put, TensorBase):
            return put._as_tensor()
        made = apply(REGISTRY["full"], shape=index.shape, value=put, dtype=self._array.dtype)
        return made.to(self._as_tensor().device)

    def _scattered(self, dim: int, index: Tensor, put: Operand, accumulate: bool) -> Tensor:
        x = self._as_tensor()
        d = one_dim(dim, x.ndim)
        if not x.ndim or not index.ndim:
            put = put._as_tensor().reshape(-1) if isinstance(put, TensorBase) else put
            return x.reshape(-1)._scattered(0, index.reshape(-1), put, accumulate).reshape(x.shape)
        if not index.numel():
            return x.clone()
        places = [
            self._counted(n).reshape((-1,) + (1,) * (index.ndim - 1 - i)) for i, n in enumerate(index.shape)
        ]
        places[d] = index
        if isinstance(put, TensorBase):
            put = put._as_tensor()[tuple(slice(0, n) for n in index.shape)]
        return x.index_put(tuple(places), put, accumulate)

    def scatter_reduce(
        self, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
    ) -> Tensor:
        """Return a copy with src[i][j] reduced into [index[i][j]][j] (for dim 0).

        `reduce` is "sum", "prod", "mean", "amax" or "amin"; without `include_self` old elements do not count.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).scatter_reduce(0, sg.tensor([0, 0, 1]), sg.tensor([1.0, 2.0, 3.0]), "sum")
        tensor([4., 5.])
        """
        x = self._as_tensor()
        if reduce not in ("sum", "prod", "mean", "amax", "amin"):
            raise ArgumentError(f"scatter_reduce reduces by sum, prod, mean, amax or amin, not {reduce!r}.")
        if not x.ndim or not index.ndim:
            flat = x.reshape(-1).scatter_reduce(
                0, index.reshape(-1), src.reshape(-1), reduce, include_self=include_self
            )
            return flat.reshape(x.shape)
        if src.dtype is not x.dtype:
            raise DtypeError(
                f"scatter_reduce takes two tensors of one dtype, not {x.dtype.name} and {src.dtype.name}."
            )
        d = one_dim(dim, x.ndim)
        source = src[tuple(slice(0, n) for n in index.shape)]
        if not index.numel():
            return x.clone()
        if not include_self:
            neutral = {"prod": 1, "amax": _lowest(x.dtype), "amin": dtypes.largest(x.dtype)}.get(reduce, 0)
            if x.is_floating_point() and reduce in ("amax", "amin"):
                neutral = math.inf if reduce == "amin" else -math.inf
            x = x._scattered(d, index, neutral, False)
        if reduce in ("sum", "mean"):
            total = x._scattered(d, index, source, True)
            return total if reduce == "sum" else _divided(total, self._counts(d, index, include_self))
        return apply(REGISTRY["reduce_along"], x, source, index, dim=d, how=reduce)

    def _counts(self, dim: int, index: Tensor, include_self: bool) -> Tensor:
        """Return how many numbers a mean at each place is made of, at least 1."""
        x = self._as_tensor()
        zeros = (x.detach() * 0).long() if x.numel() else x.detach().long()
        start = zeros + 1 if include_self else zeros
        counts = start._scattered(dim, index, 1, True)
        return counts.clamp(min=1)

    # ---------------------------------------------------------------------------------- by a mask

    def masked_scatter(self, mask: Tensor, source: Tensor) -> Tensor:
        """Return a copy with the elements of `source`, one after the other, where `mask` (boolean) holds.

        >>> import stepgrad as sg
        >>> sg.zeros(3).masked_scatter(sg.tensor([True, False, True]), sg.tensor([1.0, 2.0]))
        tensor([1., 0., 2.])
        """
        x = self._as_tensor()
        shape = numpy.broadcast_shapes(x.shape, mask.shape)
        held = mask.expand(shape).reshape(-1)
        place = (held.long().cumsum(0) - 1).clamp(0, max(source.numel() - 1, 0))
        if not source.numel():
            return x.expand(shape).clone()
        values = source.reshape(-1)[place].reshape(shape)
        return apply(REGISTRY["where"], mask, values, x)

    # ---------------------------------------------------------------------------------- one slice

    def select_scatter(self, src: Tensor, dim: int, index: int) -> Tensor:
        """Return a copy with `src` as one entry along a dimension.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 2).select_scatter(sg.tensor([1.0, 2.0]), 0, 1)
        tensor([[0., 0.],
                [1., 2.]])
        """
        return self._with_slice(one_dim(dim, self._array.ndim), index, src)

    def slice_scatter(
        self, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
    ) -> Tensor:
        """Return a copy with `src` in a slice along a dimension.

        >>> import stepgrad as sg
        >>> sg.zeros(4).slice_scatter(sg.ones(2), start=1, end=3)
        tensor([0., 1., 1., 0.])
        """
        return self._with_slice(one_dim(dim, self._array.ndim), slice(start, end, step), src)

    def _with_slice(self, dim: int, part: Any, src: Tensor) -> Tensor:
        spec = (slice(None),) * dim + (part,)
        return apply(REGISTRY["index_put"], self, src, spec=spec, accumulate=False)

    def diagonal_scatter(self, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
        """Return a copy with `src` on the diagonals of two dimensions.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 2).diagonal_scatter(sg.tensor([1.0, 2.0]))
        tensor([[1., 0.],
                [0., 2.]])
        """
        x = self._as_tensor()
        a, b = self._two_dims(dim1, dim2, "diagonal_scatter")
        y = REGISTRY["diagonal"].put(TENSORS, x.movedim((a, b), (-2, -1)), src, offset=offset)
        return y.movedim((-2, -1), (a, b))


def _lowest(kind: dtypes.dtype) -> Any:
    return -math.inf if kind.is_floating_point else numpy.iinfo(kind.numpy).min if kind.category else False


def _divided(total: Tensor, counts: Tensor) -> Tensor:
    return total / counts if total.is_floating_point() else total // counts
