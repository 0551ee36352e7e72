"""Wrong records, planted on purpose: each must be caught by the check that is there for it."""

import types
from collections.abc import Callable
from typing import Any

import numpy
import pytest

from stepgrad.errors import GradientError
from stepgrad.ops import REGISTRY
from stepgrad.ops.record import Op
from stepgrad.ops.reductions import count, spread
from tests.registry import checks

DECLARED = ("value", "partials", "samples", "promotes", "expand", "init", "combine", "finish")
WRITTEN = ("forward", "vjp")  # declared, or made from value and partials


def altered(name: str, **changes: Any) -> Op:
    """A copy of a record with other fields, not in the registry; name, and so reference, stay."""
    op = REGISTRY[name]
    own = vars(op)
    fields = {key: own[key] for key in DECLARED if key in own}
    fields |= {key: own[key] for key in WRITTEN if isinstance(own.get(key), types.FunctionType)}
    if "vjp" in fields and op.reads is not None:
        fields["reads"] = op.reads
    body = type(f"planted_{name}", (), fields | changes | {"__doc__": op.__doc__})
    try:
        planted = type(op)(body)
    finally:
        REGISTRY.pop(f"planted_{name}", None)
    planted.name = name
    return planted


def keeps_no_copy(np, x, *, shape):
    return np.array(np.broadcast_to(x, shape))


def modifies(np, x):
    np.negative(x, out=x)
    return x.copy()


counter = iter(range(1000))


FAULTS: list[tuple[str, Callable[..., None], dict[str, Any]]] = [
    # first derivatives: sign flipped, factor missing, inputs swapped, transposition missing
    ("sigmoid", checks.check_first, {"partials": lambda m, x, y: (-y * (1 - y),)}),
    ("square", checks.check_first, {"partials": lambda m, x, y: (x,)}),
    ("div", checks.check_first, {"partials": lambda m, a, b, y: (-y / b, 1 / b)}),
    ("sub", checks.check_first, {"partials": lambda m, a, b, y: (1, 1)}),
    ("lerp", checks.check_first, {"partials": lambda m, a, b, w, y: (w, 1 - w, b - a)}),
    ("gelu", checks.check_first, {"partials": lambda m, x, y: (0.5 * (1 + m.erf(x * 0.5**0.5)),)}),
    (
        "matmul",
        checks.check_first,
        {"vjp": lambda xp, g, y, a, b, *, needs: (xp.matmul(g, b), xp.matmul(a, g))},
    ),
    (
        "mean",
        checks.check_first,
        {"vjp": lambda xp, g, y, x, *, needs, dim, keepdim: (spread(xp, g, x.shape, dim, keepdim),)},
    ),
    (
        "embedding",
        checks.check_first,
        {
            "vjp": lambda xp, g, y, w, i, *, needs, padding_idx: (
                xp.index_put(w * 0.0, g, i, spec=("tensor",), accumulate=False),
                None,
            ),
            "reads": None,
        },
    ),
    # the gradient of a broadcast operand that is not summed
    ("add", checks.check_first, {"vjp": lambda xp, g, y, a, b, *, needs: (g, g), "reads": ()}),
    # second derivatives: a result that the derivative takes for a constant
    (
        "exp",
        checks.check_second,
        {"vjp": lambda xp, g, y, x, *, needs: (g * getattr(y, "detach", lambda: y)(),), "reads": ("y",)},
    ),
    # a composite whose derivative is that of something else
    (
        "softmax",
        checks.check_expansion,
        {"vjp": lambda xp, g, y, x, *, needs, dim: (y * g,)},
    ),
    (
        "std",
        checks.check_expansion,
        {"forward": lambda np, x, *, dim, keepdim, correction: x.std(dim, keepdims=keepdim)},
    ),
    # values: a wrong constant, a forward that is not the formula, a formula that is not the forward
    ("softplus", checks.check_value, {"value": lambda m, x, *, beta, threshold: m.log1p(m.exp(x))}),
    ("tanh", checks.check_value, {"forward": lambda np, x: np.sin(x)}),
    ("tanh", checks.check_formula, {"value": lambda m, x: m.sin(x)}),
    ("maximum", checks.check_formula, {"value": lambda m, a, b: m.minimum(a, b)}),
    ("neg", checks.check_value, {"forward": modifies}),
    ("rand", checks.check_value, {"forward": lambda np, **attrs: np.full(3, next(counter))}),
    # folds
    ("prod", checks.check_fold, {"init": 0.0}),
    ("mean", checks.check_fold, {"finish": lambda m, total, count: total}),
    ("amin", checks.check_fold, {"combine": lambda m, total, x: m.maximum(total, x)}),
    # dtypes and memory
    ("relu", checks.check_dtype, {"forward": lambda np, x: np.maximum(x, np.zeros(1))}),
    ("expand", checks.check_memory, {"forward": keeps_no_copy}),
    ("abs", checks.check_memory, {"forward": lambda np, x: x}),
    (
        "relu",
        checks.check_gradient_dtype,
        {"vjp": lambda xp, g, y, x, *, needs: (numpy.asarray(g, "float64") * (y > 0),), "reads": ("y",)},
    ),
    # a derivative that reads what the record does not keep
    ("square", checks.check_first, {"vjp": lambda xp, g, y, x, *, needs: (g * 2 * x,), "reads": ()}),
    ("tanh", checks.check_first, {"vjp": lambda xp, g, y, x, *, needs: (g * (1 - y * y),), "reads": ("x",)}),
    # a derivative that differs between raw arrays and tensors
    (
        "leaky_relu",
        checks.check_paths,
        {"partials": lambda m, x, y, *, negative_slope: ((x > 0) + negative_slope * (x <= 0),)},
    ),
    # a derivative that is wrong where only one of them is wanted
    (
        "mul",
        checks.check_needs,
        {"vjp": lambda xp, g, y, a, b, *, needs: (g * b if all(needs) else g, g * a), "reads": ("a", "b")},
    ),
]  # fmt: skip


@pytest.mark.parametrize("name, check, changes", FAULTS, ids=lambda x: x if isinstance(x, str) else None)
def test_a_planted_fault_is_caught(name: str, check: Callable[..., None], changes: dict[str, Any]):
    for sample in REGISTRY[name].samples:
        check(altered(name), sample)  # the copy itself is right
    planted = altered(name, **changes)
    caught = False
    for sample in planted.samples:
        try:
            check(planted, sample)
        except (AssertionError, GradientError, TypeError, AttributeError, ValueError):
            caught = True
    assert caught


def test_a_record_that_keeps_too_much_is_caught():
    assert checks.superfluous(altered("sigmoid")) == set()
    vjp = REGISTRY["softmax"].vjp
    assert checks.superfluous(altered("softmax", vjp=vjp, reads=("x", "y"))) == {"x"}
    assert checks.superfluous(altered("sum", reads=None)) == {"x", "y"}


def test_a_warning_is_caught():
    def warns(np, x):
        import warnings

        warnings.warn("overflow", RuntimeWarning, stacklevel=1)
        return np.exp(x)

    planted = altered("exp", forward=warns)
    with pytest.raises(RuntimeWarning, match="overflow"):
        checks.check_silence(planted, planted.samples[0])


def test_the_number_of_elements_that_the_helpers_count():
    assert count((2, 3, 4), (0, 2)) == 8
    assert count((2, 3), None) == 6
