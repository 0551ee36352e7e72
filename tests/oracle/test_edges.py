"""The edges of ordinary use against PyTorch: infinities, nothing, no dimensions, dimensions said in odd ways.

Each case is one expression that both libraries compute, values and gradients.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import stepgrad as sg
from tests.oracle.translate import assert_same

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

INF, NAN = float("inf"), float("nan")


@pytest.fixture(scope="module")
def torch() -> ModuleType:
    return pytest.importorskip("torch")


def both(case: Callable[..., Any], arrays: list[Any], torch: ModuleType) -> None:
    """A case gives the same value, and the same gradients to real inputs, in both libraries."""
    outcomes = []
    for lib in (sg, torch):
        tensors = [lib.tensor(np.asarray(a)) for a in arrays]
        real = [x.requires_grad_() for x in tensors if x.is_floating_point()]
        y = case(lib, *tensors)
        y.sum().backward() if y.requires_grad else None
        outcomes.append((y, [x.grad for x in real]))
    (found, ours), (right, theirs) = outcomes
    assert_same(found, right)
    for a, b in zip(ours, theirs, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            # Some constants in PyTorch's derivatives are rounded to float32.
            assert_same(a, b, 1e-7)


# --------------------------------------------------------------------------------- the ends of the numbers

ENDS = np.array([0.0, 1.0, 0.0, 1.0, 0.5, 1e-300, 1 - 1e-16])
TARGETS = np.array([0.0, 1.0, 1.0, 0.0, 0.5, 1.0, 0.0])
LARGE = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4]])
MASKED = np.array([[0.0, -INF, 1.0], [-INF, 2.0, -INF]])

EXTREMES = [
    (lambda t, p, y: t.nn.functional.binary_cross_entropy(p, y.detach(), reduction="none"), [ENDS, TARGETS]),
    (lambda t, p, y: t.nn.functional.binary_cross_entropy(p, y.detach()), [ENDS, TARGETS]),
    (
        lambda t, x, y: t.nn.functional.binary_cross_entropy_with_logits(x, y.detach(), reduction="none"),
        [np.array([1e4, -1e4, 1e4, -1e4, 800.0, 0.0, -0.0]), TARGETS],
    ),
    *[
        (lambda t, x, f=f, d=d: getattr(t.nn.functional, f)(x, dim=d), [a])
        for f in ("softmax", "log_softmax", "softmin")
        for d in (0, 1, -1)
        for a in (LARGE, MASKED)
        # A column of nothing but −inf has no softmax.
        if not (a is MASKED and d == 0) and not (a is MASKED and f == "softmin")
    ],
    (lambda t, x: t.nn.functional.log_softmax(x, dim=0), [np.array([-INF, -INF, 0.0])]),
    (lambda t, x: t.nn.functional.softmax(x, dim=0), [np.array([-INF, -INF])]),
    (lambda t, x: t.nn.functional.cross_entropy(x, t.tensor([0, 2, 1])), [LARGE]),
    (lambda t, x: t.nn.functional.cross_entropy(x, t.tensor([2, 1])), [MASKED]),
    (lambda t, x: t.logsumexp(x, 1), [LARGE]),
    *[
        (lambda t, x, f=f: getattr(t.nn.functional, f)(x), [np.array([1e4, -1e4, 800.0, -800.0, 0.0, -0.0])])
        for f in (
            "sigmoid", "tanh", "relu", "gelu", "silu", "mish", "softplus", "logsigmoid", "elu", "selu",
            "celu", "hardswish", "hardsigmoid", "softsign", "tanhshrink", "leaky_relu", "relu6",
        )
    ],
]  # fmt: skip


@pytest.mark.parametrize("case, arrays", EXTREMES, ids=range(len(EXTREMES)))
def test_extremes(case, arrays, torch):
    both(case, arrays, torch)


def test_the_logarithms_of_binary_cross_entropy_end_at_minus_100(torch):
    for lib in (sg, torch):
        p = lib.tensor([0.0, 1.0], dtype=lib.float64, requires_grad=True)
        y = lib.nn.functional.binary_cross_entropy(
            p, lib.tensor([1.0, 0.0], dtype=lib.float64), reduction="none"
        )
        assert y.tolist() == [100, 100]
        y.sum().backward()
        assert np.isfinite(p.grad.numpy()).all()


# ------------------------------------------------------------------------------------------ empty batches

NONE, CLASSES = np.zeros((0, 3)), np.zeros(0, dtype="int64")
EMPTY = [
    (lambda t, x: t.nn.functional.softmax(x, 1), [NONE]),
    (lambda t, x: t.nn.functional.log_softmax(x, 0), [NONE]),
    (lambda t, x: t.nn.functional.relu(x), [NONE]),
    (lambda t, x: t.nn.functional.layer_norm(x, (3,)), [NONE]),
    (lambda t, x, w: t.nn.functional.linear(x, w), [NONE, np.ones((2, 3))]),
    (lambda t, x, w: x @ w, [NONE, np.ones((3, 2))]),
    (lambda t, x, w: w @ x, [NONE, np.ones((3, 0))]),
    (lambda t, x: x.sum(), [NONE]),
    (lambda t, x: x.sum(0), [NONE]),
    (lambda t, x: x.prod(), [NONE]),
    (lambda t, x: x.mean(0), [NONE]),
    (lambda t, x: x.mean(), [NONE]),
    (lambda t, x: x.logsumexp(0), [NONE]),
    (lambda t, x: x.norm(), [NONE]),
    (lambda t, x: t.cat([x, t.ones(2, 3, dtype=t.float64)]), [NONE]),
    (lambda t, x: x.reshape(3, 0).T, [NONE]),
    *[
        (lambda t, x, y, f=f, r=r: getattr(t.nn.functional, f)(x, y.detach(), reduction=r), [NONE, NONE])
        for f in ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "kl_div", "soft_margin_loss",
                  "hinge_embedding_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")
        for r in ("mean", "sum", "none")
    ],
    *[
        (lambda t, x, c, r=r: t.nn.functional.cross_entropy(x, c, reduction=r), [NONE, CLASSES])
        for r in ("mean", "sum", "none")
    ],
    (lambda t, w, i: t.nn.functional.embedding(i, w), [np.ones((4, 3)), CLASSES]),
    (lambda t, w, i: w[i], [np.ones((4, 3)), CLASSES]),
    *[
        (lambda t, x, s=s: t.nn.functional.instance_norm(x.reshape(s)), [NONE])
        for s in ((0, 3, 4), (2, 3, 0), (2, 0, 4))
    ],
]  # fmt: skip


@pytest.mark.parametrize("case, arrays", EMPTY, ids=range(len(EMPTY)))
def test_empty_batches(case, arrays, torch):
    both(case, arrays, torch)


# -------------------------------------------------------------------------------- 0-d tensors, dimensions

X, SCALAR = np.random.default_rng(0).normal(size=(2, 3, 4)), np.array(0.7)
DIMENSIONS = [
    *[
        (lambda t, x, f=f: getattr(x, f)(), [SCALAR])
        for f in ("sum", "mean", "prod", "exp", "norm", "abs", "t")
    ],
    *[(lambda t, x, f=f: getattr(x, f)(0).values, [SCALAR]) for f in ("max", "min")],
    *[(lambda t, x, f=f, d=d: getattr(x, f)(d), [SCALAR]) for f in ("sum", "mean", "amax") for d in (0, -1)],
    (lambda t, x: t.nn.functional.softmax(x, 0), [SCALAR]),
    (lambda t, x: t.nn.functional.log_softmax(x, -1), [SCALAR]),
    (lambda t, x: x.unsqueeze(-1), [SCALAR]),
    (lambda t, x: x.flatten(), [SCALAR]),
    (lambda t, x: x.expand(2, 3), [SCALAR]),
    (lambda t, x: t.nn.functional.mse_loss(x, t.tensor(0.2, dtype=t.float64)), [SCALAR]),
    *[(lambda t, x, d=d: x.sum(d), [X]) for d in (-1, -3, (-1, 0), (2, -3), (0, 1, 2))],
    *[(lambda t, x, d=d: x.mean(d, keepdim=True), [X]) for d in (-2, (-1, -2), (1,))],
    *[(lambda t, x, d=d: x.amax(d), [X]) for d in (-1, (0, -1))],
    *[(lambda t, x, d=d: x.std(d), [X]) for d in (-1, (0, -1))],
    *[(lambda t, x, d=d: t.nn.functional.softmax(x, d), [X]) for d in (-1, -2, -3)],
    *[(lambda t, x, d=d: x.transpose(*d), [X]) for d in ((-1, -2), (0, -1))],
    (lambda t, x: x.permute(-1, 0, -2), [X]),
    (lambda t, x: x.unsqueeze(-4).squeeze(-4), [X]),
    (lambda t, x: t.cat([x, x], -1), [X]),
    (lambda t, x: t.stack([x, x], -1), [X]),
    (lambda t, x: x.flip(-1), [X]),
    (lambda t, x: x.select(-1, -2), [X]),
    (lambda t, x: x.narrow(-1, 1, 2), [X]),
    (lambda t, x: t.nn.functional.glu(x, -1), [X]),
]


@pytest.mark.parametrize("case, arrays", DIMENSIONS, ids=range(len(DIMENSIONS)))
def test_dimensions(case, arrays, torch):
    both(case, arrays, torch)


ALONG = (
    "sum", "mean", "amax", "max", "min", "argmax", "argmin", "median", "nanmedian", "mode", "sort", "argsort",
    "softmax", "log_softmax", "cumsum", "logsumexp", "all", "unbind", "std",
)  # fmt: skip
REPEATED = [
    *[
        lambda t, x, f=f, d=d: getattr(x.sum(), f)(d)  # of a 0-d tensor, which has dimensions 0 and -1 alone
        for f in ALONG
        for d in (1, -2, 5)
    ],
    lambda t, x: x.sum().topk(1, 1),
    lambda t, x: x.sum().kthvalue(1, -2),
    lambda t, x: x.sum((0, 0)),
    lambda t, x: x.sum((0, -3)),
    lambda t, x: x.mean((1, -2)),
    lambda t, x: x.amax((2, 2)),
    lambda t, x: x.permute(0, 0, 1),
    lambda t, x: x.flip((1, 1)),
    lambda t, x: x.sum(3),
    lambda t, x: x.sum(-4),
    lambda t, x: t.nn.functional.softmax(x, 3),
    lambda t, x: x.unsqueeze(5),
    lambda t, x: t.cat([x, x], 3),
]


@pytest.mark.parametrize("case", REPEATED, ids=range(len(REPEATED)))
def test_dimensions_that_are_repeated_or_not_there_are_refused(case, torch):
    with pytest.raises((RuntimeError, IndexError)):
        case(torch, torch.tensor(X))
    with pytest.raises(sg.StepgradError):
        case(sg, sg.tensor(X))


# ---------------------------------------------------------------------------------- broadcast gradients

SHAPES = [
    ((2, 3), (3,)),
    ((2, 3), (2, 1)),
    ((2, 1, 3), (4, 1)),
    ((), (2, 3)),
    ((1,), (2, 3)),
    ((0, 3), (1, 3)),
    ((1, 1), ()),
]
BINARY: dict[str, Callable[..., Any]] = {
    "add": lambda t, a, b: a + b,
    "sub": lambda t, a, b: a - b,
    "mul": lambda t, a, b: a * b,
    "div": lambda t, a, b: a / b,
    "pow": lambda t, a, b: a**b,
    "maximum": lambda t, a, b: t.maximum(a, b),
    "where": lambda t, a, b: t.where(a > b, a, b),
    "itself": lambda t, a, b: a * b + a * a + b,
}


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_gradients_of_what_was_broadcast(name, shapes, swap, torch):
    random = np.random.default_rng(0)
    arrays = [np.asarray(random.uniform(0.5, 2, shape)) for shape in (shapes[::-1] if swap else shapes)]
    both(BINARY[name], arrays, torch)
