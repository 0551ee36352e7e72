"""References of activation functions."""

import math

import scipy.special

from tests.registry.references.filing import each

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
