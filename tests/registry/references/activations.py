"""References of activation functions."""

import math

import numpy
import scipy.special

from tests.registry.references.filing import Array, each, reference

each("sigmoid", scipy.special.expit)
each("tanh", math.tanh)
each("relu", lambda x: max(x, 0))
each("leaky_relu", lambda x, negative_slope: x if x > 0 else negative_slope * x)
each("prelu", lambda x, w: x if x > 0 else w * x)
each("elu", lambda x, alpha: x if x > 0 else alpha * (math.exp(x) - 1))
each("silu", lambda x: x * scipy.special.expit(x))
each("gelu", lambda x: x * scipy.special.ndtr(x))
each("gelu_tanh", lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
each(
    "softplus",
    lambda x, beta, threshold: x if beta * x > threshold else math.log(1 + math.exp(beta * x)) / beta,
)
each("logsigmoid", lambda x: scipy.special.log_expit(x))
each("step", lambda x: 1.0 if x >= 0 else 0.0)
each("threshold", lambda x, threshold, other: x if x > threshold else other)
each("hardtanh", lambda x, low, high: min(max(x, low), high))
each("hardsigmoid", lambda x: 0.0 if x < -3 else 1.0 if x > 3 else x / 6 + 0.5)
each("hardswish", lambda x: 0.0 if x < -3 else x if x > 3 else x * (x + 3) / 6)
each("celu", lambda x, alpha: max(0, x) + min(0, alpha * (math.exp(x / alpha) - 1)))
each("selu", lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (math.exp(x) - 1)))
each("mish", lambda x: x * math.tanh(math.log(1 + math.exp(x))))
each("softsign", lambda x: x / (1 + abs(x)))
each("hardshrink", lambda x, lambd: x if abs(x) > lambd else 0.0)
each("softshrink", lambda x, lambd: math.copysign(max(abs(x) - lambd, 0.0), x))
each("tanhshrink", lambda x: x - math.tanh(x))


@reference
def glu(x: Array, *, dim: int) -> Array:
    a, b = numpy.split(x, 2, axis=dim)
    return a * scipy.special.expit(b)
