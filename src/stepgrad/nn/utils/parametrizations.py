"""Orthogonal weights, weight normalisation and spectral normalisation as parametrizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from stepgrad import linalg
from stepgrad.errors import ArgumentError, MissingNameError, ShapeError
from stepgrad.functions.creation import eye, from_numpy, zeros
from stepgrad.functions.joining import cat
from stepgrad.functions.sampling import randn
from stepgrad.names import teller
from stepgrad.nn.functional import normalize
from stepgrad.nn.module import Module
from stepgrad.nn.utils.norms import SpectralState, _rows_of, norm_except, normalized
from stepgrad.nn.utils.parametrize import register_parametrization
from stepgrad.tensor import Tensor


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return normalized(weight_g, weight_v, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        self.state = SpectralState(n_power_iterations, dim, eps)
        if weight.ndim > 1:
            u, v = self.state.drawn(weight)
            self.register_buffer("_u", u)
            self.register_buffer("_v", v)
            self.state.improve(weight, u, v, times=15)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.state.eps)
        return self.state.computed(weight, self._u, self._v, self.training)

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


class _NoInverse(ArgumentError, NotImplementedError):
    """A parametrization by which nothing can be assigned."""


class _Orthogonal(Module):
    """A matrix with orthonormal columns (or rows, where it is wide) from one without conditions, X.

    `way`: "matrix_exp", exp(A), or "cayley", (I − A/2)⁻¹(I + A/2), of the skew-symmetric A = L − Lᵀ, L the
    lower triangle of X; "householder", the product of reflections by the vectors below the diagonal of X.
    With `base` the result is multiplied by it, so that X = −I gives the matrix that was there.
    """

    def __init__(self, way: str, shape: tuple[int, ...], use_trivialization: bool) -> None:
        super().__init__()
        self.way, self.shape = way, shape
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        is_wide = x.shape[-2] < x.shape[-1]
        x = x.mT if is_wide else x
        n, k = x.shape[-2:]
        if self.way == "householder":
            below = x.tril(-1)
            q = linalg.householder_product(below, 2.0 / (1.0 + (below * below).sum(dim=-2)))
            q = q * x.diagonal(dim1=-2, dim2=-1).detach().trunc().unsqueeze(-2)
        else:
            lower = x.tril()
            if n != k:
                lower = cat([lower, zeros(*x.shape[:-1], n - k, dtype=x.dtype, device=x.device)], dim=-1)
            skew = lower - lower.mT
            one = eye(n, dtype=x.dtype, device=x.device)
            q = (
                linalg.matrix_exp(skew)
                if self.way == "matrix_exp"
                else linalg.solve(one - skew / 2, one + skew / 2)
            )[..., :k]
        base = self._buffers.get("base")
        q = q if base is None else base @ q
        return q.mT if is_wide else q

    def right_inverse(self, value: Tensor) -> Tensor:
        if tuple(value.shape) != self.shape:
            raise ShapeError(f"orthogonal takes {list(self.shape)}, not {list(value.shape)}.")
        is_wide = value.shape[-2] < value.shape[-1]
        q = (value.mT if is_wide else value).detach()
        n, k = q.shape[-2:]
        if "base" in self._buffers:
            if n != k:
                rest = randn(*q.shape[:-1], n - k, dtype=q.dtype, device=q.device)
                self.base = _orthonormal(cat([q, rest], dim=-1))
            else:
                off = (q.mT @ q - eye(n, dtype=q.dtype, device=q.device)).abs().max().item()
                self.base = q.clone() if off < 10 * n * numpy.finfo(q._array.dtype).eps else _orthonormal(q)
            return -eye(*value.shape[-2:], dtype=q.dtype, device=q.device).expand(value.shape).clone()
        if self.way != "householder":
            raise _NoInverse(
                f"orthogonal: nothing can be assigned where use_trivialization=False and the map is "
                f"{self.way!r}; use 'householder'."
            )
        reflected, scales = numpy.linalg.qr(q.cpu().numpy(), mode="raw")
        x = numpy.swapaxes(reflected, -1, -2).copy()
        places = numpy.arange(k)
        signs = numpy.sign(x[..., places, places])
        x[..., places, places] = numpy.where(scales == 0, -signs, signs)
        made = from_numpy(x).to(q.device)
        return made.mT if is_wide else made


def _orthonormal(x: Tensor) -> Tensor:
    """Return the Q of x = QR with a positive diagonal of R."""
    q, r = linalg.qr(x)
    return q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Train a weight, (…, n, k), as a matrix with orthonormal columns (rows if n < k); return the module
    (Lezcano-Casado, 2019).

    `orthogonal_map`: "matrix_exp" (the default for square ones), "cayley" or "householder" (for others).
    With `use_trivialization` the weight is a product with a fixed matrix, ``parametrizations.weight.0.base``,
    and begins as it is, made orthonormal where it was not. Raises `ShapeError` for a vector, `ArgumentError`
    for another map and `MissingNameError` where there is no such parameter.

    >>> import stepgrad as sg
    >>> layer = orthogonal(sg.nn.Linear(3, 3))
    >>> bool((layer.weight @ layer.weight.T - sg.eye(3)).abs().max() < 1e-5)
    True
    """
    weight: Any = module._parameters.get(name)
    if weight is None:
        raise MissingNameError(f"{type(module).__name__} has no parameter {name!r}.")
    if weight.ndim < 2:
        raise ShapeError(f"orthogonal takes matrices, or batches of them, not {list(weight.shape)}.")
    ways = ("matrix_exp", "cayley", "householder")
    way = orthogonal_map or ways[2 * (weight.shape[-2] != weight.shape[-1])]
    if way not in ways:
        raise ArgumentError(f"orthogonal_map is one of {', '.join(map(repr, ways))}, not {way!r}.")
    made = _Orthogonal(way, tuple(weight.shape), use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train a weight as its norms along `dim` (None: one norm), ``parametrizations.NAME.original0``, and its
    direction, ``original1``; return the module (Salimans and Kingma, 2016).
    """
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by an estimate of its largest singular value; return the module (Miyato and others,
    2018).

    `dim`: along which the weight is cut into rows; 1 for transposed convolutions and 0 for others, if None.
    """
    weight: Any = module._parameters.get(name)
    if weight is None:
        raise MissingNameError(f"{type(module).__name__} has no parameter {name!r}.")
    parametrization = _SpectralNorm(weight, n_power_iterations, _rows_of(module, dim), eps)
    return register_parametrization(module, name, parametrization)


__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
