"""Central differences, and the comparison of derivatives with them."""

import math
from itertools import pairwise

import numpy
import pytest

import stepgrad as sg
from stepgrad import autograd
from stepgrad.errors import ArgumentError, GradientError


def float64(*values: float) -> sg.Tensor:
    return sg.tensor(list(values), dtype=sg.float64, requires_grad=True)


def test_the_error_of_central_differences_falls_as_the_square_of_the_step():
    x = float64(0.7)
    exact = math.cos(0.7)
    errors = [
        abs(autograd.numerical_gradient(lambda x: x.sin(), x, eps=h)[0].item() - exact)
        for h in (1e-1, 5e-2, 2.5e-2, 1.25e-2)
    ]
    for larger, smaller in pairwise(errors):
        assert larger / smaller == pytest.approx(4, rel=0.01)
    # The leading term of the error is h² |f‴| / 6.
    assert errors[0] == pytest.approx(0.1**2 * exact / 6, rel=0.01)


def test_numerical_gradients_of_several_inputs():
    x, w, i = float64(1.0, 2.0), float64(3.0, -1.0), sg.tensor([1, 0])
    dx, dw, di = autograd.numerical_gradient(lambda x, w, i: x[i] * w**2, x, w, i)
    numpy.testing.assert_allclose(dx.numpy(), [1, 9], rtol=1e-8)
    numpy.testing.assert_allclose(dw.numpy(), [12, -2], rtol=1e-8)
    assert di is None


def test_numerical_gradients_leave_the_inputs_alone():
    x = float64(1.0, 2.0)
    autograd.numerical_gradient(lambda x: x * 2, x)
    assert x.tolist() == [1, 2]


def planted(factor: float) -> type[autograd.Function]:
    class Sine(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * x.cos() * factor

    return Sine


def test_gradcheck_accepts_a_right_derivative():
    assert autograd.gradcheck(planted(1).apply, float64(0.1, 2.0))
    assert autograd.gradgradcheck(planted(1).apply, float64(0.1, 2.0))


@pytest.mark.parametrize("factor", [-1, 2, 0, 1.01])
def test_gradcheck_catches_a_planted_derivative(factor: float):
    x = float64(0.1, 2.0)
    message = (
        r"derivative of output 0 with respect to element 0 of input 0 is .*, by central differences 0\.995004"
    )
    with pytest.raises(GradientError, match=message):
        autograd.gradcheck(planted(factor).apply, (x,))
    assert not autograd.gradcheck(planted(factor).apply, (x,), raise_exception=False)


def test_gradcheck_catches_the_wrong_element():
    class Reversed(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return (g * 2 * x).flip(0)

    with pytest.raises(GradientError, match="output 0 with respect to element 0 of input 0 is 0, by"):
        autograd.gradcheck(Reversed.apply, float64(1.0, 2.0, 3.0))


def test_gradgradcheck_catches_a_derivative_that_forgets_the_graph():
    class Constant(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.slope = x.detach() * 2
            return x * x

        @staticmethod
        def backward(ctx, g):
            return g * ctx.slope

    x = float64(1.0, 2.0)
    assert autograd.gradcheck(Constant.apply, x)
    with pytest.raises(GradientError, match="with respect to element 0"):
        autograd.gradgradcheck(Constant.apply, x)


def test_gradcheck_of_functions_with_several_results_and_constants():
    x = float64(1.0, 2.0)
    assert autograd.gradcheck(lambda x: (x * 2, (x * x).sum(), sg.ones(2)), x)
    assert autograd.gradcheck(lambda x: x.max(0), x)  # values and indices


def test_gradcheck_of_empty_and_0d_inputs():
    assert autograd.gradcheck(lambda x: x * 2, sg.zeros(0, dtype=sg.float64, requires_grad=True))
    assert autograd.gradcheck(lambda x: x * x, sg.tensor(2.0, dtype=sg.float64, requires_grad=True))
    assert autograd.gradcheck(
        lambda x: x.reshape(2, 0).sum(1), sg.zeros(0, dtype=sg.float64, requires_grad=True)
    )


def test_gradcheck_needs_double_precision_and_something_to_check():
    with pytest.raises(ArgumentError, match=r"gradcheck needs float64; input 0 is float32. Use \.double\(\)"):
        autograd.gradcheck(lambda x: x, sg.ones(1, requires_grad=True))
    with pytest.raises(ArgumentError, match="at least one input with requires_grad=True"):
        autograd.gradcheck(lambda x: x, sg.ones(1, dtype=sg.float64))


@pytest.mark.parametrize(
    "check, more",
    [
        (autograd.gradcheck, {"check_batched_forward_grad": False, "check_forward_ad": True, "masked": None}),
        (
            autograd.gradgradcheck,
            {"gen_non_contig_grad_outputs": True, "check_fwd_over_rev": True, "masked": False},
        ),
    ],
)
def test_the_keyword_arguments_of_pytorch(check, more):
    assert check(
        func=lambda x: x.sin(), inputs=float64(0.1, 2.0), eps=1e-6, atol=1e-5, rtol=1e-3,
        raise_exception=True, nondet_tol=0.0, check_undefined_grad=True, check_grad_dtypes=True,
        check_batched_grad=True, fast_mode=True, **more,
    )  # fmt: skip
    with pytest.raises(TypeError, match="unexpected keyword argument 'fast'"):
        check(lambda x: x, float64(1.0), fast=True)


def test_gradcheck_says_where_nothing_is_left_to_check():
    with pytest.raises(ArgumentError, match="check_forward_ad and check_backward_ad both False"):
        autograd.gradcheck(lambda x: x, float64(1.0), check_backward_ad=False)
    with pytest.raises(ArgumentError, match="check_fwd_over_rev and check_rev_over_rev both False"):
        autograd.gradgradcheck(lambda x: x, float64(1.0), check_rev_over_rev=False)


def test_gradcheck_catches_a_derivative_that_is_another_each_time():
    calls = iter(range(1000))

    class Drifting(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * (2 + next(calls) * 1e-9)

    message = r"element 0 of input 0 is 2, computed a second time 2\.000000001"
    with pytest.raises(GradientError, match=message):
        autograd.gradcheck(Drifting.apply, float64(1.0))
    assert autograd.gradcheck(Drifting.apply, float64(1.0), nondet_tol=1e-6)


def test_gradgradcheck_takes_the_weights_of_the_results():
    x, given = float64(1.0, 2.0), []

    class Square(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            given.append(g.tolist())
            return g * 2 * ctx.saved_tensors[0] if g[0] < 5 else g.detach() * 2 * ctx.saved_tensors[0]

    assert autograd.gradgradcheck(Square.apply, x, (sg.tensor([3.0, 4.0], dtype=sg.float64),))
    assert given[0] == [3, 4]
    assert autograd.gradgradcheck(Square.apply, x, float64(3.0, 4.0))
    assert autograd.gradgradcheck(Square.apply, x, sg.tensor([6.0, 7.0], dtype=sg.float64))
    with pytest.raises(GradientError, match="with respect to element 0 of input 1 is 0, by central diff"):
        autograd.gradgradcheck(Square.apply, x, float64(6.0, 7.0))


def test_gradcheck_works_under_no_grad_and_leaves_no_gradient():
    x = float64(1.0)
    with sg.no_grad():
        assert autograd.gradcheck(lambda x: x * x, x)
    assert x.grad is None
