"""Methods that order: sorts, largest and smallest ones, medians, modes, quantiles, counts."""

from __future__ import annotations

import math
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays.conversion import array_of
from stepgrad.autograd import engine
from stepgrad.autograd.engine import apply
from stepgrad.autograd.recording import check_readable, hides_values
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError
from stepgrad.methods.base import Operand, TensorBase, one_dim
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor

Ordered = namedtuple("Ordered", "values indices")
Histogram = namedtuple("Histogram", "hist bin_edges")
Ordered.__doc__ = "The `values` found along a dimension, and their `indices` (int64)."
_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


class OrderingMethods(TensorBase):
    """Along `dim`, an integer. NaN counts as the largest; equal elements stay in their order."""

    def argsort(self, dim: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
        """Return the places (int64) of the elements in order.

        >>> import stepgrad as sg
        >>> sg.tensor([3.0, 1.0, 2.0]).argsort()
        tensor([1, 2, 0])
        """
        x = self._as_tensor()
        along = one_dim(dim, x.ndim)
        if not x.ndim:
            return (x.detach() * 0).long()
        return apply(REGISTRY["argsort"], x, dim=along, descending=descending)

    def sort(self, dim: int = -1, descending: bool = False, stable: bool = True) -> Ordered:
        """Return (values, indices): the elements in order, and where they stood.

        >>> import stepgrad as sg
        >>> values, indices = sg.tensor([3.0, 1.0, 2.0]).sort(descending=True)
        >>> values, indices
        (tensor([3., 2., 1.]), tensor([0, 2, 1]))
        """
        return self._picked(dim, self.argsort(dim, descending))

    def _picked(self, dim: int, places: Tensor, keepdim: bool = True) -> Ordered:
        """Return the elements at `places`, which have length 1 along `dim` where `keepdim` is false."""
        x = self._as_tensor()
        if not x.ndim:
            return Ordered(x.clone(), places.reshape(()))
        d = one_dim(dim, x.ndim)
        values = apply(REGISTRY["take_along"], x, places, dim=d)
        return Ordered(values, places) if keepdim else Ordered(values.squeeze(d), places.squeeze(d))

    def msort(self) -> Tensor:
        """Return the elements in order along the first dimension.

        >>> import stepgrad as sg
        >>> sg.tensor([[3, 1], [2, 4]]).msort()
        tensor([[2, 1],
                [3, 4]])
        """
        return self.sort(0).values

    def topk(self, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Ordered:
        """Return (values, indices) of the k largest, or smallest, elements in order.

        >>> import stepgrad as sg
        >>> values, indices = sg.tensor([[0.1, 0.7, 0.2]]).topk(2)
        >>> values, indices
        (tensor([[0.7000, 0.2000]]), tensor([[1, 2]]))
        """
        x = self._as_tensor()
        along = one_dim(dim, x.ndim)
        length = x.shape[along] if x.ndim else 1
        if not 0 <= k <= length:
            raise IndexShapeError(f"topk of {k} elements of a dimension of length {length}.")
        if not x.ndim:
            return (
                self._picked(0, (x.detach() * 0).long())
                if k
                else Ordered(x.reshape(1)[:0], x.reshape(1)[:0].long())
            )
        order = self.argsort(dim, descending=largest)
        return self._picked(dim, order.narrow(dim, 0, k))

    def kthvalue(self, k: int, dim: int = -1, keepdim: bool = False) -> Ordered:
        """Return (values, indices) of the k-th smallest elements, k from 1 on.

        >>> import stepgrad as sg
        >>> sg.tensor([3.0, 1.0, 2.0]).kthvalue(2).values
        tensor(2.)
        """
        x = self._as_tensor()
        along = one_dim(dim, x.ndim)
        length = x.shape[along] if x.ndim else 1
        if not 1 <= k <= length:
            raise IndexShapeError(f"kthvalue: there is no element {k} in a dimension of length {length}.")
        order = self.argsort(dim)
        return self._picked(dim, order.narrow(dim, k - 1, 1) if x.ndim else order, keepdim)

    # ------------------------------------------------------------------------- medians and quantiles

    def median(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the lower median of all, NaN if there is one; with `dim` (values, indices).

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0, 3.0, 10.0]).median()
        tensor(2.)
        """
        return self._median(dim, keepdim, skips=False)

    def nanmedian(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the lower median of all but NaN; with `dim` (values, indices).

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, float("nan"), 3.0]).nanmedian()
        tensor(1.)
        """
        return self._median(dim, keepdim, skips=True)

    def _median(self, dim: int | None, keepdim: bool, skips: bool) -> Any:
        x = self._as_tensor()
        if dim is None:
            if not x.numel():
                return x.sum() * float("nan")
            middle = x.detach().reshape(-1)._median(0, False, skips).values
            if not x.requires_grad:
                return middle
            # Elements that tie share the gradient, which is all that is taken of their mean.
            alike = (x == middle) | (x.isnan() & middle.isnan())
            share = apply(REGISTRY["where"], alike, x, 0).sum() / alike.sum()
            return middle + (share - share.detach())
        d = one_dim(dim, x.ndim)
        if not x.ndim:
            return Ordered(x.clone(), (x.detach() * 0).long())
        length = x.shape[d]
        if not length:
            raise IndexShapeError("median of a dimension of length 0 does not exist.")
        order = self.argsort(d)
        missing = x.detach().isnan().long().sum(d, keepdim=True)
        at = (length - 1 - missing).clamp(min=0) // 2 if skips else missing * 0 + (length - 1) // 2
        if not skips:
            # The first of the NaN stands behind all numbers.
            at = apply(REGISTRY["where"], missing > 0, length - missing, at)
        return self._picked(d, apply(REGISTRY["take_along"], order, at, dim=d), keepdim)

    def mode(self, dim: int = -1, keepdim: bool = False) -> Ordered:
        """Return (values, indices) of the most frequent element, the smallest of those; where it is last.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2, 2, 3]).mode().values
        tensor(2)
        """
        x = self._as_tensor()
        d = one_dim(dim, x.ndim)
        if not x.ndim:
            return Ordered(x.clone(), (x.detach() * 0).long())
        return self._picked(d, apply(REGISTRY["argmode"], x, dim=d), keepdim)

    def quantile(
        self, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
    ) -> Tensor:
        """Return the q-quantiles, q in [0, 1] a number, or a vector whose dimension comes first; or NaN.

        Between two elements by `interpolation`: "linear", "lower", "higher", "midpoint" or "nearest".

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1.0, 2.0, 10.0]).quantile(0.5)
        tensor(1.5000)
        """
        return self._quantile(q, dim, keepdim, interpolation, skips=False)

    def nanquantile(
        self, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
    ) -> Tensor:
        """Return the quantiles of all elements but NaN: see `quantile`.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, float("nan"), 3.0]).nanquantile(0.5)
        tensor(2.)
        """
        return self._quantile(q, dim, keepdim, interpolation, skips=True)

    def _quantile(self, q: Any, dim: int | None, keepdim: bool, interpolation: str, skips: bool) -> Tensor:
        x = self._as_tensor()
        if interpolation not in _INTERPOLATIONS:
            raise ArgumentError(
                f"quantile interpolates by {', '.join(_INTERPOLATIONS)}, not {interpolation!r}."
            )
        if not x.is_floating_point():
            raise DtypeError(f"quantile takes floating point numbers, not {x.dtype.name}.")
        if not x.numel():
            raise ShapeError("quantile of nothing does not exist.")
        shares: Tensor = (
            q
            if isinstance(q, TensorBase)
            else engine.Tensor._of(  # type: ignore[assignment]
                array_of(q, x._array.dtype.name)
            )
        )
        if shares.ndim > 1 or not (hides_values() or ((shares._array >= 0) & (shares._array <= 1)).all()):
            raise ArgumentError(f"quantile takes numbers from 0 to 1, not {q}.")
        d = 0 if dim is None or not x.ndim else one_dim(dim, x.ndim)
        rows = (x.reshape(-1) if dim is None or not x.ndim else x).movedim(d, -1)
        found = _between(rows, shares.to(x.dtype).reshape(-1), interpolation, skips)
        kept = (1,) * x.ndim if dim is None else tuple(1 if i == d else n for i, n in enumerate(x.shape))
        result = found.movedim(-1, 0)
        if keepdim:
            result = result.reshape(shares.numel(), *kept)
        return result if shares.ndim else result[0]

    # ---------------------------------------------------------------------------------- counts

    def count_nonzero(self, dim: Any = None) -> Tensor:
        """Return how many elements differ from 0.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 2.0, 3.0]).count_nonzero()
        tensor(2)
        """
        return (self._as_tensor() != 0).sum(dim)

    def unique(
        self,
        sorted: bool = True,
        return_inverse: bool = False,
        return_counts: bool = False,
        dim: int | None = None,
    ) -> Any:
        """Return the different elements in order, or the different entries along `dim`.

        With `return_inverse` also which of them each element is, with `return_counts` how often each occurs.

        >>> import stepgrad as sg
        >>> values, counts = sg.tensor([3, 1, 3]).unique(return_counts=True)
        >>> values, counts
        (tensor([1, 3]), tensor([1, 2]))
        """
        found: Any = numpy.unique(  # type: ignore[call-overload]
            readable(self),
            return_inverse=return_inverse,
            return_counts=return_counts,
            axis=dim,
            equal_nan=False,
        )
        results = [engine.Tensor._of(a) for a in (found if isinstance(found, tuple) else (found,))]
        if return_inverse and dim is None:
            results[1] = results[1].reshape(self._array.shape)
        return tuple(results) if len(results) > 1 else results[0]

    def unique_consecutive(
        self, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
    ) -> Any:
        """Return the elements, or the entries along `dim`, without those that repeat the one before.

        With `return_inverse` also which of them each element is, with `return_counts` how often each occurs.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 1, 2, 1]).unique_consecutive()
        tensor([1, 2, 1])
        """
        array = readable(self)
        rows = array.reshape(-1) if dim is None else numpy.moveaxis(array, one_dim(dim, array.ndim), 0)
        flat = rows.reshape(len(rows), math.prod(rows.shape[1:]))
        first = numpy.concatenate([numpy.ones(min(len(rows), 1), bool), (flat[1:] != flat[:-1]).any(1)])
        kept = rows[first]
        found = [kept if dim is None else numpy.moveaxis(kept, 0, one_dim(dim, array.ndim))]
        if return_inverse:
            places = first.cumsum() - 1
            found.append(places.reshape(array.shape) if dim is None else places)
        if return_counts:
            found.append(numpy.diff(numpy.append(numpy.flatnonzero(first), len(rows))))
        results = [engine.Tensor._of(a) for a in found]
        return tuple(results) if len(results) > 1 else results[0]

    def nonzero(self, *, as_tuple: bool = False) -> Any:
        """Return the places (int64) of the elements other than 0, as rows, or as a tensor per dimension.

        >>> import stepgrad as sg
        >>> sg.tensor([[0, 5], [7, 0]]).nonzero()
        tensor([[0, 1],
                [1, 0]])
        """
        array = readable(self)
        places = (array if array.ndim else array.reshape(1)).nonzero()
        if as_tuple:
            return tuple(engine.Tensor._of(p) for p in places)
        stacked = (
            numpy.stack(places[: self._array.ndim], 1)
            if self._array.ndim
            else numpy.empty((places[0].size, 0))
        )
        return engine.Tensor._of(stacked.astype("int64"))

    argwhere = nonzero

    def bincount(self, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
        """Return how often each integer 0, 1, … occurs in a vector, or the sum of their weights.

        >>> import stepgrad as sg
        >>> sg.tensor([0, 2, 2]).bincount()
        tensor([1, 0, 2])
        """
        x = readable(self)
        if x.ndim != 1 or x.dtype.kind not in "iu" or (x.size and x.min() < 0):
            raise ArgumentError("bincount takes a vector of integers ≥ 0.")
        made = numpy.bincount(x, None if weights is None else readable(weights), minlength)
        return engine.Tensor._of(made.astype("int64" if weights is None else made.dtype))

    def histc(self, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
        """Return how many elements fall into equal parts of [min, max], by default of all there is.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1.0, 1.5, 4.0]).histc(bins=4)
        tensor([1., 2., 0., 1.])
        """
        x = readable(self)
        low, high = (min, max) if min != max else (x.min(), x.max()) if x.size else (0, 1)
        low, high = (low - 1, high + 1) if low == high else (low, high)
        counts, _ = numpy.histogram(x[numpy.isfinite(x)], bins, (float(low), float(high)))
        return engine.Tensor._of(counts.astype(x.dtype))

    def histogram(
        self,
        bins: Any = 100,
        *,
        range: tuple[float, float] | None = None,
        weight: Tensor | None = None,
        density: bool = False,
    ) -> Histogram:
        """Return how many elements fall into each of `bins` parts, and the edges of these.

        `bins`: how many equal parts of `range`, by default of all there is, or their edges, a 1-d tensor.
        `weight`: what each element counts. With `density` the area under the parts is 1.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0, 2.0, 4.0]).histogram(2).hist
        tensor([1., 3.])
        """
        x = readable(self)
        parts = readable(bins) if isinstance(bins, TensorBase) else int(bins)
        low, high = (0, 0) if range is not None and range[0] == range[1] else range or (0, 0)
        if low == high:
            low, high = (x.min(), x.max()) if x.size else (0, 1)
            low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
        if not (numpy.isfinite(low) and numpy.isfinite(high) and low <= high):
            raise ArgumentError(f"histogram needs a finite range from low to high, not from {low} to {high}.")
        weights = None if weight is None else readable(weight)
        counts, edges = numpy.histogram(x, parts, (float(low), float(high)), density, weights)
        return Histogram(*(engine.Tensor._of(a.astype(x.dtype)) for a in (counts, edges)))

    def isin(self, test_elements: Any, *, invert: bool = False) -> Tensor:
        """Return whether each element is one of others.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2, 3]).isin([2, 3])
        tensor([False,  True,  True])
        """
        others = readable(test_elements) if isinstance(test_elements, TensorBase) else test_elements
        return engine.Tensor._of(numpy.isin(readable(self), others, invert=invert))


def readable(x: Any) -> Any:
    """Return the raw array of a tensor whose values decide about the result."""
    check_readable(x)
    return x._array


def _between(rows: Tensor, shares: Tensor, interpolation: str, skips: bool) -> Tensor:
    """Return the quantiles of the last dimension, that of `shares` in its place."""
    ordered = rows.sort(-1).values
    missing = rows.detach().isnan().long().sum(-1, keepdim=True)
    count = rows.shape[-1]
    last = (
        (count - 1 - missing).clamp(min=0).to(rows.dtype)
        if skips
        else missing.to(rows.dtype) * 0 + (count - 1)
    )
    rank = shares * last
    if not skips:
        rank = apply(REGISTRY["where"], missing > 0, count - 1, rank)  # all of NaN stand there
    if interpolation != "linear" and interpolation != "midpoint":
        rank = {"lower": rank.floor, "higher": rank.ceil, "nearest": rank.round}[interpolation]()
    below = rank.detach().floor()
    lower = ordered.gather(-1, below.long())
    if interpolation not in ("linear", "midpoint"):
        return lower
    upper = ordered.gather(-1, rank.detach().ceil().long())
    weight: Operand = 0.5 if interpolation == "midpoint" else rank - below
    return lower.lerp(upper, weight)
