"""Random programs of views and changes in place, compiled and eager: the same numbers and gradients."""

import contextlib
from typing import Any

import numpy
from hypothesis import example, given, settings

import stepgrad as sg
from stepgrad.errors import GradientError, ShapeError
from stepgrad.tensor import Tensor
from tests.compile.compiled import assert_close
from tests.oracle.test_views import CHANGES, STEPS, VIEWS


def program(steps: list[Any], a: Tensor, b: Tensor) -> list[Tensor]:
    """Run the steps on a pool of tensors; return the pool and the gradients of its sum."""
    pool = [a, b, a * 1.5, sg.zeros(3, 3, dtype=sg.float64)]
    for name, i, other in steps:
        x = pool[i % len(pool)]
        with contextlib.suppress(GradientError, ShapeError):
            if name in CHANGES:
                CHANGES[name](x, operand(pool, x, other))
            elif (made := VIEWS[name](x)) is not None:
                pool.append(made)
    loss = sum((t * (k + 1)).sum() for k, t in enumerate(pool))
    try:
        gradients = sg.autograd.grad(loss, (a, b), allow_unused=True)
    except GradientError:
        gradients = ()
    return pool[2:] + [g for g in gradients if g is not None]


def operand(pool: list[Tensor], x: Tensor, other: Any) -> Any:
    if isinstance(other, float):
        return other
    value = pool[other % len(pool)] + 1.0
    return value if value.shape == x.shape else value.sum()


@settings(max_examples=100, deadline=None)
@given(STEPS)
@example([("add_", 3, 1.0), ("x[1:]", 3, False), ("add_", 3, 1.0)])
@example([("t", 3, False), ("add_", 3, 1.0), ("t", 4, False)])
def test_random_programs(steps: list[Any]):
    numbers = numpy.linspace(0.5, 1.5, 9).reshape(3, 3)
    own, others = ([sg.tensor(numbers * k, requires_grad=True) for k in (1, 2)] for _ in range(2))
    f = sg.compile(lambda a, b: program(steps, a, b))
    for _ in range(2):
        native, eager = f(*own), program(steps, *others)
        assert len(native) == len(eager)
        for x, y in zip([*native, *own], [*eager, *others], strict=True):
            assert_close(x, y, 1e-12)
    assert not f.runs_eagerly
