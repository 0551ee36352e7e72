"""JAX with the whole step as one jitted function, called once per batch; Adam is written out."""

from typing import Any

import numpy as np

from ..workloads import Workload

TITLE = "JAX, jit per step"
REQUIRES = ("jax",)


def make_step(workload: Workload) -> Any:
    """The function (state, batch) → (state, loss); the state is (parameters, means, squares, steps)."""
    import jax
    import jax.numpy as jnp

    first, second = workload.betas
    activation = jax.nn.relu if workload.activation == "relu" else jax.nn.sigmoid

    def mean_loss(parameters: Any, inputs: Any, targets: Any) -> Any:
        x = inputs
        for weight, bias in parameters[:-1]:
            if weight.ndim == 4:
                x = jax.lax.conv(x, weight, (1, 1), "SAME") + bias[:, None, None]
                x = jax.lax.reduce_window(
                    jax.nn.relu(x), -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID"
                )
            else:
                x = activation(x @ weight.T + bias)
        x = x.reshape(len(x), -1)
        weight, bias = parameters[-1]
        logits = x @ weight.T + bias
        if workload.is_binary:
            return jnp.mean(jnp.maximum(logits, 0) - logits * targets + jnp.log1p(jnp.exp(-jnp.abs(logits))))
        each = jnp.arange(len(targets))
        return -jnp.mean(jax.nn.log_softmax(logits)[each, targets])

    def step(state: Any, batch: Any) -> Any:
        parameters, means, squares, count = state
        loss, gradients = jax.value_and_grad(mean_loss)(parameters, *batch)
        count += 1
        rate = workload.learning_rate / (1 - first**count)
        root = jnp.sqrt(1 - second**count)
        means = jax.tree.map(lambda m, g: first * m + (1 - first) * g, means, gradients)
        squares = jax.tree.map(lambda v, g: second * v + (1 - second) * g**2, squares, gradients)
        parameters = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + workload.epsilon), parameters, means, squares
        )
        return (parameters, means, squares, count), loss

    return step


class Training:
    """One call of a jitted step per batch, the old state's memory given back to the new one."""

    def __init__(self, workload: Workload):
        import jax
        import jax.numpy as jnp

        self.jax, self.workload = jax, workload
        self.batches = [
            (jnp.asarray(x), jnp.asarray(y, None if workload.is_binary else jnp.int32))
            for x, y in workload.batches()
        ]
        self.compile(make_step(workload))
        self.reset()

    def compile(self, step: Any) -> None:
        """Make what `epoch` calls."""
        self.run_step = self.jax.jit(step, donate_argnums=0)

    def reset(self) -> None:
        """Back to the first weights."""
        jnp = self.jax.numpy
        parameters = [(jnp.asarray(weight), jnp.asarray(bias)) for weight, bias in self.workload.weights()]
        means, squares = (self.jax.tree.map(jnp.zeros_like, parameters) for _ in range(2))
        self.state = (parameters, means, squares, jnp.float32(0))
        self.jax.block_until_ready(self.state)

    def epoch(self) -> None:
        """One epoch, every batch in order; it ends when the last weights are there."""
        for batch in self.batches:
            self.state, self.loss = self.run_step(self.state, batch)
        self.jax.block_until_ready(self.state)

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weight and bias of each layer."""
        return [(np.asarray(weight), np.asarray(bias)) for weight, bias in self.state[0]]
