"""Methods that sum: on the way along a dimension, without NaN, over differences, in norms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.methods.base import TensorBase, one_dim, some_dims
from stepgrad.methods.ordering import Ordered
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor


class RunningMethods(TensorBase):
    """Sums and products on the way, and reductions that are stated in others."""

    def cumsum(self, dim: int, *, dtype: Any = None) -> Tensor:
        """Return the sums of all elements so far along a dimension. Integers sum to int64.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2, 3]).cumsum(0)
        tensor([1, 3, 6])
        """
        return self._run("cumsum", dim, dtype)

    def cumprod(self, dim: int, *, dtype: Any = None) -> Tensor:
        """Return the products of all elements so far along a dimension. Integers multiply to int64.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0, 3.0]).cumprod(0)
        tensor([1., 2., 6.])
        """
        return self._run("cumprod", dim, dtype)

    def logcumsumexp(self, dim: int) -> Tensor:
        """Return ln Σ eˣ of all elements so far along a dimension, without overflow.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 0.0, 0.0]).logcumsumexp(0)
        tensor([0.0000, 0.6931, 1.0986])
        """
        return self._run("logcumsumexp", dim, None)

    def _run(self, name: str, dim: int, dtype: Any) -> Tensor:
        x = self._as_tensor()
        if name != "logcumsumexp" or dtype is not None:
            x = x.to(dtype) if dtype is not None else x if x.is_floating_point() else x.long()
        d = one_dim(dim, x.ndim)
        return (
            apply(REGISTRY[name], x, dim=d)
            if x.ndim
            else apply(REGISTRY[name], x.reshape(1), dim=0).reshape(())
        )

    def cummax(self, dim: int) -> Ordered:
        """Return (values, indices) of the largest element so far along a dimension.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 3.0, 2.0]).cummax(0).values
        tensor([1., 3., 3.])
        """
        return self._running_extreme("cumargmax", dim)

    def cummin(self, dim: int) -> Ordered:
        """Return (values, indices) of the smallest element so far along a dimension.

        >>> import stepgrad as sg
        >>> values, indices = sg.tensor([3.0, 1.0, 2.0]).cummin(0)
        >>> values, indices
        (tensor([3., 1., 1.]), tensor([0, 1, 1]))
        """
        return self._running_extreme("cumargmin", dim)

    def _running_extreme(self, name: str, dim: int) -> Ordered:
        x = self._as_tensor()
        d = one_dim(dim, x.ndim)
        if not x.ndim:
            return Ordered(x.clone(), (x.detach() * 0).long())
        places = apply(REGISTRY[name], x, dim=d)
        return Ordered(apply(REGISTRY["take_along"], x, places, dim=d), places)

    # ---------------------------------------------------------------------------- reductions

    def nansum(self, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
        """Return the sum of all elements but NaN.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, float("nan"), 3.0]).nansum()
        tensor(4.)
        """
        x = self._as_tensor()
        return apply(REGISTRY["where"], x.isnan(), 0, x).sum(dim, keepdim, dtype=dtype)

    def nanmean(self, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
        """Return the mean of all elements but NaN.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, float("nan"), 3.0]).nanmean()
        tensor(2.)
        """
        x = self._as_tensor() if dtype is None else self._as_tensor().to(dtype)
        count = x.detach().isnan().logical_not().sum(dim, keepdim)
        return x.nansum(dim, keepdim) / count

    def aminmax(self, *, dim: int | None = None, keepdim: bool = False) -> tuple[Tensor, Tensor]:
        """Return the smallest and the largest element; those that tie share the gradient.

        >>> import stepgrad as sg
        >>> smallest, largest = sg.tensor([3.0, 1.0, 2.0]).aminmax()
        >>> smallest, largest
        (tensor(1.), tensor(3.))
        """
        x = self._as_tensor()
        return x.amin(dim, keepdim), x.amax(dim, keepdim)

    def dist(self, other: Tensor, p: float = 2) -> Tensor:
        """Return the p-norm of the difference.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 0.0]).dist(sg.tensor([3.0, 4.0]))
        tensor(5.)
        """
        return (self._as_tensor() - other).norm(p)

    def renorm(self, p: float, dim: int, maxnorm: float) -> Tensor:
        """Return the entries along a dimension, those whose p-norm is above `maxnorm` scaled down to it.

        >>> import stepgrad as sg
        >>> sg.tensor([[3.0, 4.0], [0.3, 0.4]]).renorm(2, 0, 1.0)
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])
        """
        x = self._as_tensor()
        d = one_dim(dim, x.ndim)
        length = x.norm(p, [i for i in range(x.ndim) if i != d], keepdim=True)
        factor = apply(REGISTRY["where"], length > maxnorm, maxnorm / (length + 1e-7), 1.0)
        return x * factor

    def diff(
        self, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
    ) -> Tensor:
        """Return the n-th differences of neighbours along a dimension, to whose ends others are joined.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 4, 9]).diff()
        tensor([3, 5])
        """
        x = self._as_tensor()
        if not x.ndim:
            raise ShapeError("diff takes at least 1 dimension.")
        d = one_dim(dim, x.ndim)
        if n < 0:
            raise ArgumentError(f"diff takes how often to take differences, not {n}.")
        if not n:
            return x.clone()
        parts = [
            p.expand(*x.shape[:d], 1, *x.shape[d + 1 :]) if p is not None and not p.ndim else p
            for p in (prepend, x, append)
        ]
        joined = [p for p in parts if p is not None]
        x = apply(REGISTRY["cat"], *joined, dim=d) if len(joined) > 1 else x
        for _ in range(min(n, x.shape[d])):
            length = x.shape[d]
            later, earlier = x.narrow(d, 1, max(length - 1, 0)), x.narrow(d, 0, max(length - 1, 0))
            x = later ^ earlier if x.dtype.category == 0 else later - earlier
        return x.clone() if x is self else x


def spread_with_mean(
    name: str, x: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Tensor, Tensor]:
    """Return the variance or standard deviation, and the mean over the same dimensions."""
    spread = getattr(x, name)(*args, **kwargs)
    dim = kwargs.get("dim", args[0] if args and not isinstance(args[0], bool) else None)
    keepdim = kwargs.get("keepdim", args[2] if len(args) > 2 else False)
    return spread, x.mean(some_dims(dim, x.ndim), keepdim)
