"""The operations. Each is one record; importing this package registers all of them.

>>> from stepgrad import ops
>>> ops.sigmoid
<elementwise sigmoid>
>>> ops.find("sigmod")
Traceback (most recent call last):
    ...
stepgrad.errors.ArgumentError: there is no operation 'sigmod'. Did you mean 'sigmoid'?
"""

from stepgrad.ops import (
    activations,
    arithmetic,
    bits,
    choices,
    comparison,
    contractions,
    convolutions,
    creation,
    factors,
    gathering,
    likelihood_losses,
    logarithms,
    losses,
    margin_losses,
    matrices,
    ordering,
    recurrent,
    reductions,
    rounding,
    scans,
    softmaxes,
    special,
    strided,
    trigonometry,
    views,
    windowing,
)
from stepgrad.ops.record import Op
from stepgrad.ops.registry import REGISTRY, find

__all__ = [
    "REGISTRY", "Op", "activations", "arithmetic", "bits", "choices", "comparison", "contractions",
    "convolutions", "creation", "factors", "find", "gathering", "likelihood_losses", "logarithms",
    "losses", "margin_losses", "matrices", "ordering", "recurrent", "reductions", "rounding", "scans",
    "softmaxes", "special", "strided", "trigonometry", "views", "windowing",
]  # fmt: skip


def __getattr__(name: str) -> Op:
    if name in REGISTRY:
        return REGISTRY[name]
    raise AttributeError(f"stepgrad.ops has no operation {name!r}.")
