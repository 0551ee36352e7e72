"""Weights of a fixed norm: weight normalisation and spectral normalisation, both in PyTorch's two forms.

`weight_norm` and `spectral_norm` here compute the weight from parameters such as ``weight_g``; those of
`nn.utils.parametrizations` are parametrizations.
"""

from __future__ import annotations

import math
from typing import Any

from stepgrad.autograd.modes import no_grad
from stepgrad.errors import ArgumentError, MissingNameError
from stepgrad.functions.sampling import randn
from stepgrad.nn.functional import normalize
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.nn.utils.computed import compute_attribute, forget_attribute
from stepgrad.tensor import Tensor


def norm_except(v: Tensor, dim: int | None) -> Tensor:
    """Return the norms of the slices of v along `dim`, in dimensions of length 1; one norm if it is None."""
    if dim is None or dim == -1:
        return v.norm()
    return v.norm(2, [i for i in range(v.ndim) if i != dim % v.ndim], keepdim=True)


def normalized(g: Tensor, v: Tensor, dim: int | None) -> Tensor:
    """Return g v / |v|: a weight of norm g (Salimans and Kingma, 2016)."""
    return v * (g / norm_except(v, dim))


class SpectralState:
    """The two vectors from which the largest singular value of a weight is estimated, u and v.

    Each estimate in training takes some steps of power iteration (Miyato, Kataoka, Koyama and Yoshida, 2018).
    """

    def __init__(self, n_power_iterations: int, dim: int, eps: float, v_first: bool = False) -> None:
        if n_power_iterations <= 0:
            raise ArgumentError(f"spectral_norm needs one iteration at least, not {n_power_iterations}.")
        self.n_power_iterations, self.dim, self.eps, self.v_first = n_power_iterations, dim, eps, v_first

    def as_matrix(self, weight: Tensor) -> Tensor:
        """Return a weight as rows, one for each place along `dim`."""
        order = (self.dim, *(i for i in range(weight.ndim) if i != self.dim))
        return weight.permute(*order).reshape(weight.shape[self.dim], -1)

    def drawn(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return two vectors of length 1 in random directions."""
        rows = weight.shape[self.dim]
        sizes = (rows, math.prod(weight.shape) // max(rows, 1))
        drawn = (randn(n, dtype=weight.dtype, device=weight.device) for n in sizes)
        u, v = (normalize(x, dim=0, eps=self.eps) for x in drawn)
        return u, v

    def improve(self, weight: Tensor, u: Tensor, v: Tensor, times: int | None = None) -> None:
        """Turn u and v, in place, towards the singular vectors of the largest singular value."""
        with no_grad():
            matrix = self.as_matrix(weight.detach())
            for _ in range(times or self.n_power_iterations):
                # PyTorch's two forms begin with different vectors.
                if not self.v_first:
                    u.copy_(normalize(matrix.mv(v), dim=0, eps=self.eps))
                v.copy_(normalize(matrix.T.mv(u), dim=0, eps=self.eps))
                if self.v_first:
                    u.copy_(normalize(matrix.mv(v), dim=0, eps=self.eps))

    def computed(self, weight: Tensor, u: Tensor, v: Tensor, training: bool) -> Tensor:
        """Return the weight divided by the estimate uᵀ W v, which is improved before in training."""
        if training:
            self.improve(weight, u, v)
        u, v = u.clone(), v.clone()  # so that the next iteration does not change what a derivative needs
        return weight / u.dot(self.as_matrix(weight).mv(v))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train a weight as its norms ``NAME_g`` along `dim` (None: one norm) and its direction ``NAME_v``.

    Returns the module (Salimans and Kingma, 2016).

    >>> import stepgrad as sg
    >>> [k for k, _ in weight_norm(sg.nn.Linear(3, 2)).named_parameters()]
    ['bias', 'weight_g', 'weight_v']
    """
    weight = taken(module, name)
    module.register_parameter(f"{name}_g", Parameter(norm_except(weight.detach(), dim)))
    module.register_parameter(f"{name}_v", Parameter(weight.detach().clone()))
    compute_attribute(
        module, name, lambda self: normalized(getattr(self, f"{name}_g"), getattr(self, f"{name}_v"), dim)
    )
    return module


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by an estimate of its largest singular value, which is improved each time that the
    weight is read in training; return the module (Miyato, Kataoka, Koyama and Yoshida, 2018).

    The weight is trained as ``NAME_orig``. `dim`: along which it is cut into rows; 1 for transposed
    convolutions and 0 for others, if it is None.

    >>> import stepgrad as sg
    >>> layer = sg.nn.utils.spectral_norm(sg.nn.Linear(3, 2))
    >>> [name for name, _ in layer.named_parameters()]
    ['bias', 'weight_orig']
    """
    state = SpectralState(n_power_iterations, _rows_of(module, dim), eps, v_first=True)
    weight = taken(module, name)
    module.register_parameter(f"{name}_orig", Parameter(weight.detach()))
    u, v = state.drawn(weight)
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)

    def read(self: Any) -> Tensor:
        weight, u, v = (getattr(self, f"{name}_{part}") for part in ("orig", "u", "v"))
        return state.computed(weight, u, v, self.training)

    compute_attribute(module, name, read)
    return module


def _rows_of(module: Module, dim: int | None) -> int:
    return dim if dim is not None else int(type(module).__name__.startswith("ConvTranspose"))


def taken(module: Module, name: str) -> Parameter:
    """Take a parameter out of a module and return it."""
    weight = module._parameters.get(name)
    if weight is None:
        raise MissingNameError(f"{type(module).__name__} has no parameter {name!r}.")
    delattr(module, name)
    return weight


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make a weight that `weight_norm` computes an ordinary parameter again; return the module.

    >>> import stepgrad as sg
    >>> layer = sg.nn.utils.weight_norm(sg.nn.Linear(3, 2))
    >>> sorted(name for name, _ in remove_weight_norm(layer).named_parameters())
    ['bias', 'weight']
    """
    return _removed(module, name, "weight_norm", ("g", "v"))


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make a weight that `spectral_norm` computes an ordinary parameter again; return the module.

    >>> import stepgrad as sg
    >>> layer = sg.nn.utils.spectral_norm(sg.nn.Linear(3, 2))
    >>> sorted(name for name, _ in remove_spectral_norm(layer).named_parameters())
    ['bias', 'weight']
    """
    return _removed(module, name, "spectral_norm", ("orig", "u", "v"))


def _removed(module: Module, name: str, made_by: str, parts: tuple[str, ...]) -> Module:
    own = [f"{name}_{part}" for part in parts]
    if not all(part in module._parameters or part in module._buffers for part in own):
        raise ArgumentError(f"{name!r} of {type(module).__name__} is not computed by {made_by}.")
    weight = Parameter(getattr(module, name).detach().clone())
    forget_attribute(module, name)
    for part in own:
        delattr(module, part)
    module.register_parameter(name, weight)
    return module


__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]
