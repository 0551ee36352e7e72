"""Every record against its reference and itself, driven by the registry: a new record is tested too."""

import numpy
import pytest

from stepgrad.autograd import grad
from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, GradientError
from stepgrad.ops import REGISTRY, find
from stepgrad.ops.record import Composite, Elementwise, Op, Reduce, Scan, View, elementwise
from stepgrad.ops.samples import Sample
from stepgrad.tensor import Tensor
from tests.registry import checks
from tests.registry.checks import has_derivative, refuses
from tests.registry.references import REFERENCES

# A fold that carries an index along does not fit init, combine and finish over numbers.
WITHOUT_FOLD = {"argmax", "argmin"}


def test_every_operation_has_samples_and_a_reference_and_a_text():
    for name, op in REGISTRY.items():
        assert op.name == name
        assert op.samples, f"{name} has no samples"
        assert name in REFERENCES, f"{name} has no reference in tests/registry/references/"
        assert op.__doc__, f"{name} has no text"


def test_every_reference_has_an_operation():
    assert set(REFERENCES) == set(REGISTRY)


@pytest.mark.parametrize("op, sample", checks.cases())
def test_value(op: Op, sample: Sample):
    checks.check_value(op, sample)


@pytest.mark.parametrize("op, sample", checks.cases(lambda op: "dtype" not in op.samples[0].attrs))
def test_dtype(op: Op, sample: Sample):
    checks.check_dtype(op, sample)


@pytest.mark.parametrize("op, sample", checks.cases())
def test_memory(op: Op, sample: Sample):
    checks.check_memory(op, sample)


@pytest.mark.parametrize("op, sample", checks.cases())
def test_no_warnings(op: Op, sample: Sample):
    checks.check_silence(op, sample)


@pytest.mark.parametrize("op, sample", checks.cases(has_derivative))
def test_first_derivatives(op: Op, sample: Sample):
    checks.check_first(op, sample)


@pytest.mark.parametrize("op, sample", checks.cases(has_derivative))
def test_second_derivatives(op: Op, sample: Sample):
    checks.check_second(op, sample)


@pytest.mark.parametrize("op, sample", checks.cases(has_derivative))
def test_gradients_by_every_path(op: Op, sample: Sample):
    checks.check_paths(op, sample)
    checks.check_needs(op, sample)


@pytest.mark.parametrize("op, sample", checks.cases(lambda op: has_derivative(op) and op.name != "cast"))
def test_gradient_dtype(op: Op, sample: Sample):
    checks.check_gradient_dtype(op, sample)


def test_what_has_no_derivative():
    without = {op.name for op in REGISTRY.values() if not op.differentiable}
    assert without == {
        "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor", "logical_not",
        "isnan", "isinf", "any", "all", "argmax", "argmin", "window_argmax",
        "full", "arange", "eye", "one_hot", "rand", "randn", "dropout_mask",
        "detach", "signbit", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "bitwise_left_shift",
        "bitwise_right_shift", "argsort", "argmode", "cumargmax", "cumargmin", "lu_pivots", "lu_order",
    }  # fmt: skip


@pytest.mark.parametrize("name", checks.WITHOUT_DERIVATIVE)
def test_a_derivative_that_is_not_there_is_an_error(name: str):
    op = REGISTRY[name]
    for excluded in checks.WITHOUT_DERIVATIVE[name]:
        i = op.input_names().index(excluded)
        sample = next(s for s in op.samples if s.inputs[i] is not None)
        operands = checks.wrapped(checks.drawn(op, sample))
        operands[0].requires_grad = operands[i].requires_grad = True
        y = apply(op, *operands, **sample.attrs)
        with pytest.raises(GradientError, match=f"^{name} has no derivative .* input '{excluded}'.*detach"):
            grad(y.sum(), operands[i])


# What a record keeps and reads in some of its calls alone: pow with a number as exponent, and so on.
@pytest.mark.parametrize(
    "op", [op for op in REGISTRY.values() if op.vjp is not None and not refuses(op)], ids=lambda op: op.name
)
def test_a_record_keeps_no_more_than_it_reads(op: Op):
    assert checks.superfluous(op) == set()


@pytest.mark.parametrize("op, sample", checks.cases(lambda op: isinstance(op, Composite)))
def test_composite_is_its_expansion(op: Op, sample: Sample):
    checks.check_expansion(op, sample)


@pytest.mark.parametrize("op, sample", checks.cases(lambda op: isinstance(op, Elementwise)))
def test_formula(op: Op, sample: Sample):
    checks.check_formula(op, sample)


@pytest.mark.parametrize(
    "op, sample", checks.cases(lambda op: isinstance(op, Reduce) and op.name not in WITHOUT_FOLD)
)
def test_fold(op: Op, sample: Sample):
    checks.check_fold(op, sample)


@pytest.mark.parametrize("op, sample", checks.cases(lambda op: isinstance(op, Scan)))
def test_scan(op: Op, sample: Sample):
    checks.check_scan(op, sample)


def test_operations_without_a_fold():
    assert {
        op.name for op in REGISTRY.values() if isinstance(op, Reduce) and not hasattr(op, "combine")
    } == WITHOUT_FOLD


# ------------------------------------------------------------------------------------------ integers in

FLOATING = [op for op in REGISTRY.values() if op.promotes == "floating"]
SAME = [op for op in REGISTRY.values() if op.promotes == "same"]
COMPARISONS = {
    "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor", "logical_not",
    "isnan", "isinf", "signbit",
}  # fmt: skip


def small_integers(op: Op) -> list[Tensor]:
    """Integer operands in the shapes of the first sample."""
    inputs = checks.drawn(op, op.samples[0])
    if checks.is_of_matrices(op):  # not singular
        return [
            Tensor._of(numpy.ones(x.shape, "int32") + 2 * numpy.eye(*x.shape, dtype="int32")) for x in inputs
        ]
    return [Tensor._of(numpy.ones(x.shape, "int32")) if isinstance(x, numpy.ndarray) else x for x in inputs]


@pytest.mark.parametrize("op", FLOATING, ids=lambda op: op.name)
def test_floating_operations_of_integers_are_float32(op: Op):
    y = apply(op, *small_integers(op), **op.samples[0].attrs)
    assert y.dtype.name == "float32"


@pytest.mark.parametrize("op", SAME, ids=lambda op: op.name)
def test_other_operations_of_integers_stay_integer(op: Op):
    y = apply(
        op, *small_integers(op), **({"low": 0, "high": 2} if op.name == "clamp" else op.samples[0].attrs)
    )
    assert y.dtype.name == ("bool" if op.name in COMPARISONS else "int32")


@pytest.mark.parametrize("op", SAME + FLOATING, ids=lambda op: op.name)
def test_mixed_operands_take_the_wider_dtype(op: Op):
    inputs = checks.drawn(op, op.samples[0])
    reals = [
        i for i, x in enumerate(inputs) if isinstance(x, numpy.ndarray) and x.dtype.kind == "f" and x.ndim
    ]
    if len(reals) < 2:
        return
    operands = checks.wrapped(inputs, "float32")
    operands[reals[1]] = Tensor._of(inputs[reals[1]])
    y = apply(op, *operands, **op.samples[0].attrs)
    assert y.dtype.name == ("bool" if op.name in COMPARISONS else "float64")


# ----------------------------------------------------------------------------------------------- random


@pytest.mark.parametrize(
    "op", [op for op in REGISTRY.values() if op.kind == "random"], ids=lambda op: op.name
)
def test_random_operations_are_functions_of_their_attributes(op: Op):
    sample = Sample(*op.samples[0].inputs, **op.samples[0].attrs)
    inputs = checks.wrapped(checks.drawn(op, op.samples[0]))
    first = apply(op, *inputs, **sample.attrs)._array
    apply(op, *inputs, **sample.attrs | {"position": 99})
    numpy.random.default_rng().random()
    numpy.testing.assert_array_equal(apply(op, *inputs, **sample.attrs)._array, first)
    for changed in ("seed", "stream", "position"):
        other = apply(op, *inputs, **sample.attrs | {changed: 77})._array
        assert not numpy.array_equal(other, first), f"{op.name} does not depend on {changed}"


# --------------------------------------------------------------------------------------------- the records


def test_find_suggests_the_nearest_name():
    with pytest.raises(ArgumentError, match=r"no operation 'sigmod'. Did you mean 'sigmoid'"):
        find("sigmod")


def test_a_name_is_taken_once():
    with pytest.raises(ArgumentError, match=r"already an operation 'exp', in stepgrad.ops.arithmetic"):

        @elementwise
        class exp:
            """Again."""

            def value(m, x):
                return m.exp(x)


def test_a_record_that_branches_on_a_value_is_refused():
    class branching:
        """|x|, the wrong way."""

        def value(m, x):
            return x

        def partials(m, x, y):
            return (1 if x > 0 else -1,)

    with pytest.raises(GradientError, match=r"branches on the value of x > 0; use m\.where"):
        elementwise(branching)
    assert "branching" not in REGISTRY


@pytest.mark.parametrize("op, sample", checks.cases(lambda op: op.is_view))
def test_writing_through_a_view(op: View, sample: Sample):
    checks.check_put(op, sample)
