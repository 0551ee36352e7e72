"""Initial values of parameters. Each function fills a tensor in place, without recording, and returns it.

Random ones draw from the default stream (`stepgrad.manual_seed`) or from `generator`.
"""

from __future__ import annotations

import _thread
import math
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.arrays import random as streams
from stepgrad.autograd.modes import no_grad
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.names import teller
from stepgrad.tensor import Tensor

_GAINS = {
    "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0, "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0, "conv_transpose3d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3,
    "relu": math.sqrt(2), "selu": 3 / 4,
}  # fmt: skip


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the gain recommended for a nonlinearity; `param` is the slope of leaky_relu (0.01).

    >>> calculate_gain("relu") == math.sqrt(2)
    True
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        raise ArgumentError(
            f"no gain is known for {nonlinearity!r}; known: {', '.join([*_GAINS, 'leaky_relu'])}."
        )
    return _GAINS[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs feed, and how many outputs leave, a unit of a weight (out, in, …).

    >>> import stepgrad as sg
    >>> fans(sg.empty(8, 3, 5, 5))
    (75, 200)
    """
    if tensor.ndim < 2:
        raise ShapeError(f"a weight of shape {list(tensor.shape)} has no fan: it needs 2 dimensions or more.")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


class skipped:
    """Within ``with skipped():`` the functions of this module leave tensors as they are, in this thread.

    For modules whose parameters are about to be loaded: it saves the time, the random numbers, and the
    memory of parameters that are never filled.

    >>> import stepgrad as sg
    >>> with skipped():
    ...     x = ones_(sg.zeros(2))
    >>> x
    tensor([0., 0.])
    """

    def __enter__(self) -> None:
        self._outer = _state.skips
        _state.skips = True

    def __exit__(self, *_: object) -> None:
        _state.skips = self._outer


class _State(_thread._local):
    skips = False


_state = _State()


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with `val`.

    >>> import stepgrad as sg
    >>> sg.nn.init.constant_(sg.empty(2), 0.5)
    tensor([0.5000, 0.5000])
    """
    if _state.skips:
        return tensor
    with no_grad():
        return tensor.fill_(val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0.

    >>> import stepgrad as sg
    >>> layer = sg.nn.Linear(3, 2)
    >>> sg.nn.init.zeros_(layer.bias).tolist()
    [0.0, 0.0]
    """
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1.

    >>> import stepgrad as sg
    >>> ones_(sg.empty(2))
    tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity.

    >>> import stepgrad as sg
    >>> sg.nn.init.eye_(sg.empty(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if tensor.ndim != 2:
        raise ShapeError(f"eye_ takes a matrix, not shape {list(tensor.shape)}.")
    rows, columns = tensor.shape
    return _filled(tensor, numpy.eye(rows, columns))


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with numbers uniform in [a, b). Raises `ArgumentError` if b is below a.

    >>> import stepgrad as sg
    >>> x = sg.nn.init.uniform_(sg.empty(1000), -1.0, 1.0)
    >>> bool((-1 <= x.min()) & (x.max() < 1))
    True
    """
    if not a <= b:
        raise ArgumentError(f"uniform_ needs a <= b, not {a} and {b}.")
    if _state.skips:
        return tensor
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with normal numbers. Raises `ArgumentError` for a negative deviation.

    >>> import stepgrad as sg
    >>> x = sg.nn.init.normal_(sg.empty(10_000), std=0.1)
    >>> round(x.std().item(), 2)
    0.1
    """
    if not std >= 0:
        raise ArgumentError(f"normal_ needs a standard deviation >= 0, not {std}.")
    if _state.skips:
        return tensor
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Any = None,
) -> Tensor:
    """Fill with normal numbers within [a, b]; those outside are drawn again.

    Raises `ArgumentError` if less than one number in a hundred would lie within.

    >>> import stepgrad as sg
    >>> x = trunc_normal_(sg.empty(1000), a=-1.0, b=1.0)
    >>> bool((x.abs() <= 1).all())
    True
    """
    if not a < b or not std > 0:
        raise ArgumentError(f"trunc_normal_ needs a < b and std > 0, not a={a}, b={b}, std={std}.")
    low, high = (math.erf((end - mean) / (std * math.sqrt(2))) for end in (a, b))
    if (high - low) / 2 < 0.01:
        raise ArgumentError(
            f"of normal numbers with mean {mean} and deviation {std} only the share {(high - low) / 2:.2g} "
            f"lies within [{a}, {b}]; trunc_normal_ needs 0.01 or more."
        )
    if _state.skips:
        return tensor
    g = generator or streams.default_generator
    values = numpy.full(tensor.shape, numpy.nan)
    while (missing := numpy.isnan(values)).any():
        drawn = g.normal((int(missing.sum()),), dtypes.float64) * std + mean
        values[missing] = numpy.where((drawn < a) | (drawn > b), numpy.nan, drawn)
    return _filled(tensor, values)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fill uniformly in ±gain √(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).

    >>> import stepgrad as sg
    >>> w = sg.nn.init.xavier_uniform_(sg.empty(300, 300))
    >>> bool(w.abs().max() <= 0.1)  # √(6 / 600)
    True
    """
    bound = gain * math.sqrt(6 / max(sum(fans(tensor)), 1))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with normal numbers of deviation gain √(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010).

    >>> import stepgrad as sg
    >>> w = sg.nn.init.xavier_normal_(sg.empty(300, 300))
    >>> round(w.std().item(), 2)  # √(2 / 600)
    0.06
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2 / max(sum(fans(tensor)), 1)), generator)


def _kaiming_deviation(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"mode is 'fan_in' or 'fan_out', not {mode!r}.")
    fan = fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> Tensor:
    """Fill uniformly in ±gain √(3 / fan) (He, Zhang, Ren and Sun, 2015).

    `mode`: "fan_in" or "fan_out", which number of connections is the fan. The gain is that of `nonlinearity`,
    with slope `a` of "leaky_relu".

    >>> import stepgrad as sg
    >>> w = sg.nn.init.kaiming_uniform_(sg.empty(10, 600), nonlinearity="relu")
    >>> bool(w.abs().max() <= 0.1)  # √2 · √(3 / 600)
    True
    """
    bound = math.sqrt(3.0) * _kaiming_deviation(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> Tensor:
    """Fill with normal numbers of deviation gain / √fan (He, Zhang, Ren and Sun, 2015); arguments as for
    `kaiming_uniform_`.

    >>> import stepgrad as sg
    >>> w = sg.nn.init.kaiming_normal_(sg.empty(300, 200), nonlinearity="relu")
    >>> round(w.std().item(), 2)  # √2 / √200
    0.1
    """
    return normal_(tensor, 0.0, _kaiming_deviation(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with gain times a matrix of orthonormal rows or columns (Saxe, McClelland and Ganguli, 2013).

    >>> import stepgrad as sg
    >>> w = sg.nn.init.orthogonal_(sg.empty(3, 3))
    >>> sg.allclose(w @ w.T, sg.eye(3), atol=1e-5)
    True
    """
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_ takes 2 dimensions or more, not shape {list(tensor.shape)}.")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    if _state.skips:
        return tensor
    g = generator or streams.default_generator
    q, r = numpy.linalg.qr(g.normal((max(rows, columns), min(rows, columns)), dtypes.float64))
    # With the signs of r's diagonal the result is uniform over orthogonal matrices.
    q = q * numpy.sign(numpy.diag(r))
    return _filled(tensor, gain * (q.T if rows < columns else q).reshape(tensor.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution's weight (out, in, …) so that as many channels as possible pass as they are, in each
    of the `groups` of output channels.

    Raises `ShapeError` for other than 3 to 5 dimensions, `ArgumentError` if the groups do not divide the
    output channels.

    >>> import stepgrad as sg
    >>> x = sg.randn(1, 2, 5)
    >>> weight = dirac_(sg.empty(2, 2, 3))
    >>> bool((sg.nn.functional.conv1d(x, weight, padding=1) == x).all())
    True
    """
    if tensor.ndim not in (3, 4, 5):
        raise ShapeError(f"dirac_ takes the weight of a convolution, not shape {list(tensor.shape)}.")
    out, channels, *sizes = tensor.shape
    if groups < 1 or out % groups:
        raise ArgumentError(f"{groups} groups do not divide {out} output channels.")
    values = numpy.zeros(tensor.shape)
    middle = tuple(n // 2 for n in sizes)
    for group in range(groups):
        for i in range(min(out // groups, channels)):
            values[(group * (out // groups) + i, i, *middle)] = 1
    return _filled(tensor, values)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Fill a matrix with normal numbers of deviation `std`, and in each column the share `sparsity` of them,
    rounded up, with 0 (Martens, 2010).

    >>> import stepgrad as sg
    >>> (sparse_(sg.empty(4, 2), 0.5) == 0).sum(0)
    tensor([2, 2])
    """
    if tensor.ndim != 2:
        raise ShapeError(f"sparse_ takes a matrix, not shape {list(tensor.shape)}.")
    if not 0 <= sparsity <= 1:
        raise ArgumentError(f"sparse_ needs a sparsity between 0 and 1, not {sparsity}.")
    if _state.skips:
        return tensor
    rows = tensor.shape[0]
    g = generator or streams.default_generator
    values = g.normal(tensor.shape, dtypes.float64) * std
    order = numpy.argsort(g.random(tensor.shape, dtypes.float64), axis=0)
    return _filled(tensor, numpy.where(order < math.ceil(sparsity * rows), 0.0, values))


# Under PyTorch's name, by which code of others calls it.
_calculate_fan_in_and_fan_out = fans


def _filled(tensor: Tensor, values: numpy.ndarray) -> Tensor:
    if _state.skips:
        return tensor
    with no_grad():
        return tensor.copy_(Tensor._of(values))


# PyTorch's older names, which code of its first years uses.
uniform, normal, constant, eye, dirac = uniform_, normal_, constant_, eye_, dirac_
xavier_uniform, xavier_normal = xavier_uniform_, xavier_normal_
kaiming_uniform, kaiming_normal = kaiming_uniform_, kaiming_normal_
orthogonal, sparse = orthogonal_, sparse_

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
