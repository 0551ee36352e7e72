"""Activation functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import arange
from stepgrad.functions.sampling import rand_like
from stepgrad.methods.base import one_dim
from stepgrad.nn.functional.checks import placed
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return max(x, 0).

    >>> import stepgrad as sg
    >>> relu(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([0., 0., 3.])
    """
    return input.relu_() if inplace else apply(REGISTRY["relu"], input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return x where x > 0, else negative_slope · x.

    >>> import stepgrad as sg
    >>> leaky_relu(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.0200,  0.0000,  3.0000])
    """
    return placed(input, apply(REGISTRY["leaky_relu"], input, negative_slope=float(negative_slope)), inplace)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Return x where x > 0, else weight · x; one weight, or one per channel (dimension 1).

    >>> import stepgrad as sg
    >>> prelu(sg.tensor([-2.0, 3.0]), sg.tensor([0.25]))
    tensor([-0.5000,  3.0000])
    """
    if weight.numel() > 1:
        if input.ndim < 2 or input.shape[1] != weight.numel():
            raise ShapeError(
                f"prelu has {weight.numel()} slopes for the channels of an input {list(input.shape)}."
            )
        weight = weight.reshape(-1, *(1,) * (input.ndim - 2))
    elif not input.ndim:
        weight = weight.reshape(())  # and not the result of the weight's shape
    return apply(REGISTRY["prelu"], input, weight)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return x where x > 0, else α (eˣ − 1).

    >>> import stepgrad as sg
    >>> elu(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.8647,  0.0000,  3.0000])
    """
    return placed(input, apply(REGISTRY["elu"], input, alpha=float(alpha)), inplace)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Return x Φ(x), exactly, or with ``approximate="tanh"`` by its approximation (Hendrycks and Gimpel,
    2016).

    >>> import stepgrad as sg
    >>> gelu(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.0455,  0.0000,  2.9960])
    """
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"approximate is 'none' or 'tanh', not {approximate!r}.")
    return apply(REGISTRY["gelu" if approximate == "none" else "gelu_tanh"], input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x σ(x).

    >>> import stepgrad as sg
    >>> silu(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.2384,  0.0000,  2.8577])
    """
    return placed(input, apply(REGISTRY["silu"], input), inplace)


def sigmoid(input: Tensor) -> Tensor:
    """Return 1 / (1 + e⁻ˣ).

    >>> import stepgrad as sg
    >>> sigmoid(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([0.1192, 0.5000, 0.9526])
    """
    return apply(REGISTRY["sigmoid"], input)


def tanh(input: Tensor) -> Tensor:
    """Return the hyperbolic tangent.

    >>> import stepgrad as sg
    >>> tanh(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.9640,  0.0000,  0.9951])
    """
    return apply(REGISTRY["tanh"], input)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return ln(1 + e^(βx)) / β, and x itself where βx > threshold.

    >>> import stepgrad as sg
    >>> softplus(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([0.1269, 0.6931, 3.0486])
    """
    return apply(REGISTRY["softplus"], input, beta=float(beta), threshold=float(threshold))


def logsigmoid(input: Tensor) -> Tensor:
    """Return ln σ(x).

    >>> import stepgrad as sg
    >>> logsigmoid(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-2.1269, -0.6931, -0.0486])
    """
    return apply(REGISTRY["logsigmoid"], input)


def softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """Return eˣⁱ / Σⱼ eˣʲ along `dim`, without overflow.

    >>> import stepgrad as sg
    >>> softmax(sg.tensor([[0.0, 1.0, 2.0]]), dim=1)
    tensor([[0.0900, 0.2447, 0.6652]])
    """
    return input.softmax(_given(dim, "softmax"), dtype)


def log_softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """Return ln softmax(x) along `dim`, without overflow.

    >>> import stepgrad as sg
    >>> log_softmax(sg.tensor([0.0, 1000.0]), dim=0)
    tensor([-1000.,     0.])
    """
    return input.log_softmax(_given(dim, "log_softmax"), dtype)


def _given(dim: int | None, name: str) -> int:
    if dim is None:
        raise ArgumentError(f"{name} needs dim: the dimension along which it sums to 1, usually -1.")
    return dim


def step(input: Tensor) -> Tensor:
    """Return 1 where x ≥ 0, else 0. It has no derivative: a backward pass through it is refused.

    >>> import stepgrad as sg
    >>> step(sg.tensor([-0.5, 0.0, 2.0]))
    tensor([0., 1., 1.])
    """
    return apply(REGISTRY["step"], input)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Return x where x > threshold, else the number `value`.

    >>> import stepgrad as sg
    >>> threshold(sg.tensor([-2.0, 0.0, 3.0]), 0.5, -1.0)
    tensor([-1., -1.,  3.])
    """
    y = apply(REGISTRY["threshold"], input, threshold=float(threshold), other=float(value))
    return placed(input, y, inplace)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Return x kept within [min_val, max_val]. Raises `ArgumentError` if min_val is above max_val.

    >>> import stepgrad as sg
    >>> hardtanh(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-1.,  0.,  1.])
    """
    if min_val > max_val:
        raise ArgumentError(f"hardtanh needs min_val <= max_val, not {min_val} and {max_val}.")
    return placed(input, apply(REGISTRY["hardtanh"], input, low=float(min_val), high=float(max_val)), inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x kept within [0, 6] (Krizhevsky, 2010).

    >>> import stepgrad as sg
    >>> relu6(sg.tensor([-2.0, 3.0, 8.0]))
    tensor([0., 3., 6.])
    """
    return hardtanh(input, 0.0, 6.0, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Return 0 below −3, 1 above 3, x / 6 + ½ between.

    >>> import stepgrad as sg
    >>> hardsigmoid(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([0.1667, 0.5000, 1.0000])
    """
    return placed(input, apply(REGISTRY["hardsigmoid"], input), inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x times its hard sigmoid.

    >>> import stepgrad as sg
    >>> hardswish(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.3333,  0.0000,  3.0000])
    """
    return placed(input, apply(REGISTRY["hardswish"], input), inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return x where x > 0, else α (e^(x/α) − 1). Raises `ArgumentError` for an α of 0.

    >>> import stepgrad as sg
    >>> celu(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.8647,  0.0000,  3.0000])
    """
    if alpha == 0:
        raise ArgumentError("celu divides by alpha, which cannot be 0.")
    return placed(input, apply(REGISTRY["celu"], input, alpha=float(alpha)), inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return 1.0507 x where x > 0, else 1.0507 · 1.6733 (eˣ − 1).

    >>> import stepgrad as sg
    >>> selu(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-1.5202,  0.0000,  3.1521])
    """
    return placed(input, apply(REGISTRY["selu"], input), inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x tanh(ln(1 + eˣ)).

    >>> import stepgrad as sg
    >>> mish(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.2525,  0.0000,  2.9865])
    """
    return placed(input, apply(REGISTRY["mish"], input), inplace)


def softsign(input: Tensor) -> Tensor:
    """Return x / (1 + |x|).

    >>> import stepgrad as sg
    >>> softsign(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.6667,  0.0000,  0.7500])
    """
    return apply(REGISTRY["softsign"], input)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return x where |x| > lambd, else 0.

    >>> import stepgrad as sg
    >>> hardshrink(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-2.,  0.,  3.])
    """
    return apply(REGISTRY["hardshrink"], input, lambd=float(lambd))


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return x − lambd where x > lambd, x + lambd where x < −lambd, else 0.

    Raises `ArgumentError` for a negative lambd.

    >>> import stepgrad as sg
    >>> softshrink(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-1.5000,  0.0000,  2.5000])
    """
    if not lambd >= 0:
        raise ArgumentError(f"softshrink needs lambd >= 0, not {lambd}.")
    return apply(REGISTRY["softshrink"], input, lambd=float(lambd))


def tanhshrink(input: Tensor) -> Tensor:
    """Return x − tanh x.

    >>> import stepgrad as sg
    >>> tanhshrink(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-1.0360,  0.0000,  2.0049])
    """
    return apply(REGISTRY["tanhshrink"], input)


def rrelu(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Return x where x > 0, else r · x; r is uniform in [lower, upper) for each element in training, else
    their mean (Xu, Wang, Chen and Li, 2015).

    Raises `ArgumentError` if lower is above upper.

    >>> import stepgrad as sg
    >>> rrelu(sg.tensor([-1.0, 2.0]))
    tensor([-0.2292,  2.0000])
    """
    if lower > upper:
        raise ArgumentError(f"rrelu needs lower <= upper, not {lower} and {upper}.")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slopes = rand_like(input.detach()) * (upper - lower) + lower
    return placed(input, apply(REGISTRY["prelu"], input, slopes), inplace)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Return a σ(b), a and b the halves of x along `dim`, whose size is even.

    >>> import stepgrad as sg
    >>> glu(sg.tensor([1.0, 2.0, 0.0, 0.0]))
    tensor([0.5000, 1.0000])
    """
    along = one_dim(dim, input.ndim) if input.ndim else -1
    if along < 0 or input.shape[along] % 2:
        raise ShapeError(
            f"glu halves a dimension of even size; dimension {dim} of {list(input.shape)} is not."
        )
    return apply(REGISTRY["glu"], input, dim=along)


def softmin(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """Return softmax(−x) along `dim`.

    >>> import stepgrad as sg
    >>> softmin(sg.tensor([0.0, 1.0]), dim=0)
    tensor([0.7311, 0.2689])
    """
    return (-input).softmax(_given(dim, "softmin"), dtype)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, dim: int = -1) -> Tensor:
    """Return a sample from the classes with these logits, as numbers that can be differentiated.

    It is softmax((logits + G) / tau) with G Gumbel noise; `hard`: the one-hot vector of its largest entry,
    with the gradient of the soft one (Jang, Gu and Poole, 2016; Maddison, Mnih and Teh, 2016).

    >>> import stepgrad as sg
    >>> gumbel_softmax(sg.zeros(5, 3), hard=True).sum(1)  # one class in each row
    tensor([1., 1., 1., 1., 1.])
    """
    noise = -(-rand_like(logits.detach()).log()).log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    along = one_dim(dim, soft.ndim)
    chosen = soft.detach().argmax(along, keepdim=True)
    places = arange(soft.shape[along]).reshape(-1, *(1,) * (soft.ndim - 1 - along))
    return (chosen == places).to(soft.dtype) - soft.detach() + soft


def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Tensor:
    """Return x divided by its p-norm along `dim`, which is taken to be `eps` at least.

    >>> import stepgrad as sg
    >>> normalize(sg.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    return input / input.norm(p, dim, keepdim=True).clamp(min=eps)


def _in_place(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return an activation that changes its input."""

    def changed(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return function(input, *args, **kwargs, inplace=True)

    changed.__name__ = changed.__qualname__ = f"{function.__name__}_"
    example = (
        (function.__doc__ or "").partition(">>> ")[2].replace(f"{function.__name__}(", f"{changed.__name__}(")
    )
    changed.__doc__ = f"`{function.__name__}`, in place.\n\n    >>> {example}"
    return changed


relu_, leaky_relu_, elu_, celu_ = _in_place(relu), _in_place(leaky_relu), _in_place(elu), _in_place(celu)
selu_, hardtanh_, rrelu_ = _in_place(selu), _in_place(hardtanh), _in_place(rrelu)
threshold_ = _in_place(threshold)


__all__ = [
    "celu", "celu_", "elu", "elu_", "gelu", "glu", "gumbel_softmax", "hardshrink", "hardsigmoid",
    "hardswish", "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "log_softmax", "logsigmoid",
    "mish", "normalize", "prelu", "relu", "relu6", "relu_", "rrelu", "rrelu_", "selu", "selu_",
    "sigmoid", "silu", "softmax", "softmin", "softplus", "softshrink", "softsign", "step", "tanh",
    "tanhshrink", "threshold", "threshold_",
]  # fmt: skip
