"""Weight normalisation and spectral normalisation as parametrizations."""

from __future__ import annotations

from typing import Any

from stepgrad.errors import MissingNameError
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


__all__ = ["spectral_norm", "weight_norm"]
