"""Special functions under the names of `torch.special`.

>>> import stepgrad as sg
>>> sg.special.ndtr(sg.tensor([0.0, 1.96]))
tensor([0.5000, 0.9750])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepgrad.autograd.engine import apply
from stepgrad.functions.methods import polygamma
from stepgrad.names import teller
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def entr(input: Tensor) -> Tensor:
    """Return −x ln x, 0 at 0 and −inf below.

    >>> import stepgrad as sg
    >>> sg.special.entr(sg.tensor([0.0, 0.5, 2.0]))
    tensor([ 0.0000,  0.3466, -1.3863])
    """
    return apply(REGISTRY["entr"], input)


def erfcx(input: Tensor) -> Tensor:
    """Return e^(x²) erfc x.

    >>> import stepgrad as sg
    >>> sg.special.erfcx(sg.tensor([0.0, 10.0]))
    tensor([1.0000, 0.0561])
    """
    return apply(REGISTRY["erfcx"], input)


def i0e(input: Tensor) -> Tensor:
    """Return e^(−|x|) I₀(x), I₀ the modified Bessel function.

    >>> import stepgrad as sg
    >>> sg.special.i0e(sg.tensor([0.0, 1.0]))
    tensor([1.0000, 0.4658])
    """
    return apply(REGISTRY["i0e"], input)


def i1(input: Tensor) -> Tensor:
    """Return the modified Bessel function I₁(x).

    >>> import stepgrad as sg
    >>> sg.special.i1(sg.tensor([0.0, 1.0]))
    tensor([0.0000, 0.5652])
    """
    return apply(REGISTRY["i1"], input)


def i1e(input: Tensor) -> Tensor:
    """Return e^(−|x|) I₁(x).

    >>> import stepgrad as sg
    >>> sg.special.i1e(sg.tensor([0.0, 1.0]))
    tensor([0.0000, 0.2079])
    """
    return apply(REGISTRY["i1e"], input)


def log_ndtr(input: Tensor) -> Tensor:
    """Return the logarithm of the normal distribution function, exact in both tails.

    >>> import stepgrad as sg
    >>> sg.special.log_ndtr(sg.tensor([0.0, -20.0]))
    tensor([  -0.6931, -203.9172])
    """
    return apply(REGISTRY["log_ndtr"], input)


def ndtr(input: Tensor) -> Tensor:
    """Return the normal distribution function.

    >>> import stepgrad as sg
    >>> sg.special.ndtr(sg.tensor([0.0, 1.96]))
    tensor([0.5000, 0.9750])
    """
    return apply(REGISTRY["ndtr"], input)


def ndtri(input: Tensor) -> Tensor:
    """Return the quantile of the normal distribution; ±inf at 0 and 1, nan outside.

    >>> import stepgrad as sg
    >>> sg.special.ndtri(sg.tensor([0.5, 0.975]))
    tensor([0.0000, 1.9600])
    """
    return apply(REGISTRY["ndtri"], input)


def xlog1py(input: Any, other: Any) -> Tensor:
    """Return input · ln(1 + other), 0 where input is 0.

    >>> import stepgrad as sg
    >>> sg.special.xlog1py(sg.tensor([0.0, 2.0]), sg.tensor([-1.0, 1.0]))
    tensor([0.0000, 1.3863])
    """
    return apply(REGISTRY["xlog1py"], input, other)


def zeta(input: Any, other: Any) -> Tensor:
    """Return Hurwitz's ζ(input, other) = Σ (other + k)^(−input) over k ≥ 0, for input > 1 and other > 0.

    >>> import stepgrad as sg
    >>> sg.special.zeta(sg.tensor([2.0]), sg.tensor([1.0]))
    tensor([1.6449])
    """
    return apply(REGISTRY["zeta"], input, other)


digamma = psi = Tensor.digamma
erf, erfc, erfinv = Tensor.erf, Tensor.erfc, Tensor.erfinv
exp2, expm1, log1p = Tensor.exp2, Tensor.expm1, Tensor.log1p
expit, logit, round, sinc = Tensor.sigmoid, Tensor.logit, Tensor.round, Tensor.sinc
gammaln, multigammaln = Tensor.lgamma, Tensor.mvlgamma
i0, xlogy = Tensor.i0, Tensor.xlogy
log_softmax, softmax, logsumexp = Tensor.log_softmax, Tensor.softmax, Tensor.logsumexp

__all__ = [
    "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammaln", "i0", "i0e",
    "i1", "i1e", "log1p", "log_ndtr", "log_softmax", "logit", "logsumexp", "multigammaln", "ndtr", "ndtri",
    "polygamma", "psi", "round", "sinc", "softmax", "xlog1py", "xlogy", "zeta",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
