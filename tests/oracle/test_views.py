"""Random programs of views and changes in place, in PyTorch and in stepgrad: values, gradients, errors."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stepgrad as sg
from stepgrad.errors import GradientError

pytestmark = pytest.mark.oracle

# Each makes a view; None where the shape is too small for it.
VIEWS: dict[str, Callable[[Any], Any]] = {
    "x[1:]": lambda x: x[1:] if x.ndim else None,
    "x[::2]": lambda x: x[::2] if x.ndim else None,
    "x[-1]": lambda x: x[-1] if x.ndim and x.shape[0] else None,
    "x[..., 0]": lambda x: x[..., 0] if x.ndim and x.shape[-1] else None,
    "x[None]": lambda x: x[None] if x.ndim < 3 else None,
    "t": lambda x: x.t() if x.ndim <= 2 else None,
    "transpose": lambda x: x.transpose(0, -1) if x.ndim else None,
    "reshape": lambda x: x.reshape(-1),
    "view": lambda x: x.view(-1),
    "flatten": lambda x: x.flatten(),
    "diagonal": lambda x: x.diagonal() if x.ndim > 1 else None,
    "diagonal below": lambda x: x.diagonal(-1) if x.ndim > 1 else None,
    "unfold": lambda x: x.unfold(0, 1, 2) if 0 < x.ndim < 3 and x.shape[0] else None,
    "narrow": lambda x: x.narrow(0, 0, 1) if x.ndim and x.shape[0] else None,
    "expand": lambda x: x.expand(2, *x.shape) if x.ndim < 2 else None,
    "expand by nothing": lambda x: x.expand(1, *x.shape) if x.ndim < 3 else None,
    "squeeze": lambda x: x.squeeze(),
    "detach": lambda x: x.detach(),
    "flip": lambda x: x.flip(0) if x.ndim else None,
    "repeat": lambda x: x.repeat(*(1,) * x.ndim),
    "clone": lambda x: x.clone(),
    "* 2": lambda x: x * 2,
    "sin": lambda x: x.sin(),
}


def assigned(x: Any, value: Any) -> None:
    if x.ndim and x.shape[0]:
        x[0] = value


# Each changes a tensor in place, with another one or a number.
CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "add_": lambda x, v: x.add_(v),
    "mul_": lambda x, v: x.mul_(v),
    "copy_": lambda x, v: x.copy_(v) if hasattr(v, "ndim") else x.fill_(v),
    "zero_": lambda x, v: x.zero_(),
    "relu_": lambda x, v: x.relu_(),
    "exp_": lambda x, v: x.clamp_(-1, 1).exp_(),
    "x[0] =": assigned,
}

INDEX = st.integers(0, 9)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(list(VIEWS)), INDEX, st.booleans()),
        st.tuples(st.sampled_from(list(CHANGES)), INDEX, st.one_of(INDEX, st.floats(-2, 2, width=16))),
    ),
    min_size=2,
    max_size=10,
)


class Run:
    """A program run in one of the two: `pool` holds its tensors, `refused` the steps that were errors."""

    def __init__(self, torch: Any, steps: list[Any], shapes: list[Any] | None = None) -> None:
        numbers = numpy.linspace(0.5, 1.5, 9).reshape(3, 3)
        self.leaves = [torch.tensor(numbers * k).requires_grad_() for k in (1, 2)]
        self.pool = [*self.leaves, self.leaves[0] * 1.5, torch.zeros(3, 3, dtype=torch.float64)]
        self.refused: list[str] = []
        self.no_grad = torch.no_grad
        for name, i, other in steps:
            x = self.pool[i % len(self.pool)]
            # PyTorch takes a view whose base has got a history for a leaf until it is asked for its own.
            assert [t.grad_fn is None for t in self.pool]
            try:
                if name in VIEWS:
                    made = self.made(name, x, other)
                    if made is not None:
                        self.pool.append(made)
                else:
                    CHANGES[name](x, self.value(x, other))
            except (RuntimeError, GradientError) as error:
                self.refused.append(f"{name}: {type(error).__name__}")

    def made(self, name: str, x: Any, hidden: bool) -> Any:
        if hidden and name == "clone":
            with self.no_grad():
                return VIEWS[name](x)
        return VIEWS[name](x)

    def value(self, x: Any, other: Any) -> Any:
        """An operand that broadcasts to x: a tensor of the pool, a sum of one, or a number."""
        if isinstance(other, float):
            return other
        value = self.pool[other % len(self.pool)]
        if numpy.may_share_memory(value.detach().numpy(), x.detach().numpy()):
            value = value + 1.0  # PyTorch refuses operands that overlap with what is written
        return value if tuple(value.shape) == tuple(x.shape) else value.sum()

    def gradients(self) -> list[Any]:
        loss = sum((t * (k + 1)).sum() for k, t in enumerate(self.pool))
        loss.backward()
        return [None if x.grad is None else x.grad.tolist() for x in self.leaves]


@settings(max_examples=400, deadline=None)
@given(STEPS)
@pytest.mark.filterwarnings("ignore")
def test_random_programs(steps: list[Any]):
    import torch

    theirs, ours = Run(torch, steps), Run(sg, steps)
    assert [step.split(":")[0] for step in ours.refused] == [step.split(":")[0] for step in theirs.refused]
    assert len(theirs.pool) == len(ours.pool)
    for right, found in zip(theirs.pool, ours.pool, strict=True):
        assert tuple(right.shape) == tuple(found.shape)
        numpy.testing.assert_allclose(found.tolist(), right.tolist(), 1e-12, 1e-12)
        assert (right.requires_grad, right.is_leaf) == (found.requires_grad, found.is_leaf)
    try:
        expected = theirs.gradients()
    except RuntimeError:
        return  # PyTorch keeps no copy of what a derivative reads and the step overwrites
    for found, right in zip(ours.gradients(), expected, strict=True):
        numpy.testing.assert_allclose(found or 0, right or 0, 1e-9, 1e-9)
