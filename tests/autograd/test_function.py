"""`autograd.Function`: operations of one's own."""

import warnings

import numpy
import pytest

import stepgrad as sg
from stepgrad import autograd
from stepgrad.errors import ArgumentError, DtypeError, GradientError


class Exp(autograd.Function):
    """Keeps its result."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


class Power(autograd.Function):
    """Keeps its input, and a number."""

    @staticmethod
    def forward(ctx, x, n, name="unused"):
        ctx.save_for_backward(x)
        ctx.n = n
        return x**n

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * ctx.n * x ** (ctx.n - 1), None, None


class SumAndProduct(autograd.Function):
    """Two results of different shapes."""

    @staticmethod
    def forward(ctx, a, b):
        y = a * b
        ctx.save_for_backward(a, None, b, y)
        return (a + b).sum(), y

    @staticmethod
    def backward(ctx, gs, gp):
        a, nothing, b, y = ctx.saved_tensors
        assert nothing is None
        assert y.shape == a.shape
        return gs + gp * b, gs + gp * a


def rand(*shape: int) -> sg.Tensor:
    return sg.rand(*shape, dtype=sg.float64, requires_grad=True)


@pytest.fixture(autouse=True)
def seeded():
    sg.manual_seed(0)


def test_a_saved_result_and_a_saved_input_to_the_second_order():
    for function in (Exp.apply, lambda x: Power.apply(x, 3), lambda x: Exp.apply(Power.apply(x, 2))):
        x = rand(2, 3)
        assert autograd.gradcheck(function, (x,))
        assert autograd.gradgradcheck(function, (x,))


def test_a_third_derivative():
    x = y = sg.tensor(0.3, dtype=sg.float64, requires_grad=True)
    y = Exp.apply(x * 2)
    for _ in range(3):
        (y,) = autograd.grad(y, x, create_graph=True)
    assert y.item() == pytest.approx(8 * numpy.exp(0.6))


def test_several_results():
    a, b = rand(2, 3), rand(2, 3)
    total, product = SumAndProduct.apply(a, b)
    assert total.shape == ()
    numpy.testing.assert_array_equal(product.detach().numpy(), (a * b).detach().numpy())
    assert autograd.gradcheck(SumAndProduct.apply, (a, b))
    assert autograd.gradgradcheck(SumAndProduct.apply, (a, b))
    total, product = SumAndProduct.apply(a, b)
    (g,) = autograd.grad(product[0, 0], a)  # the other result is not used
    assert g[0, 0].item() == b[0, 0].item()
    assert g.sum().item() == pytest.approx(b[0, 0].item())


def test_what_is_not_a_tensor_is_handed_over_as_it_is():
    seen = []

    class Spy(autograd.Function):
        @staticmethod
        def forward(ctx, number, x, text, rows, nothing):
            seen.append((number, text, rows, nothing, ctx.needs_input_grad))
            return x * number

        @staticmethod
        def backward(ctx, g):
            return None, g * 2, None, None, None

    x = rand(2)
    Spy.apply(2, x, "text", [1, 2], None).sum().backward()
    assert seen == [(2, "text", [1, 2], None, (False, True, False, False, False))]
    assert x.grad.tolist() == [2, 2]


def test_no_gradient_for_an_argument():
    class First(autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a * b

        @staticmethod
        def backward(ctx, g):
            return g, None

    a, b = rand(2), rand(2)
    First.apply(a, b).sum().backward()
    assert a.grad.tolist() == [1, 1]
    assert b.grad is None
    assert autograd.grad(First.apply(a, b).sum(), b, allow_unused=True) == (None,)


def test_nothing_is_remembered_where_nothing_needs_it():
    assert not Exp.apply(sg.ones(2)).requires_grad
    with sg.no_grad():
        assert not Exp.apply(rand(2)).requires_grad


def test_only_what_is_saved_is_kept():
    node = Exp.apply(rand(3)).grad_fn
    assert not isinstance(node.saved[0], numpy.ndarray)
    assert node.result is not None
    node = Power.apply(rand(3), 2).grad_fn
    assert isinstance(node.saved[0], numpy.ndarray)
    assert node.result is None


def test_what_is_not_saved_may_change_and_what_is_saved_may_not():
    x = rand(3)
    y = x * 1
    z = Exp.apply(y)
    y.mul_(0)
    z.sum().backward()
    numpy.testing.assert_allclose(x.grad.numpy(), numpy.exp(x.detach().numpy()))
    y = x * 1
    z = Power.apply(y, 2)
    y.mul_(0)
    with pytest.raises(
        GradientError, match="derivative of Power needs a tensor that an in-place operation changed"
    ):
        z.sum().backward()


def test_gradients_do_not_share_memory():
    class Same(autograd.Function):
        @staticmethod
        def forward(ctx, a, b, kept):
            ctx.save_for_backward(kept)
            return a + b

        @staticmethod
        def backward(ctx, g):
            (kept,) = ctx.saved_tensors
            return kept, kept, None

    a, b, kept = rand(2), rand(2), sg.ones(2, dtype=sg.float64)
    Same.apply(a, b, kept).sum().backward()
    a.grad.add_(5)
    assert b.grad.tolist() == [1, 1]
    assert kept.tolist() == [1, 1]


def test_an_operand_handed_back_is_a_copy():
    class Identity(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g

    x = rand(2)
    before = x.tolist()
    y = Identity.apply(x)
    y.mul_(0)
    assert x.tolist() == before


def test_forward_runs_without_gradients_and_backward_with_them_when_asked():
    seen = []

    class Watch(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            seen.append(sg.is_grad_enabled())
            return x * 2

        @staticmethod
        def backward(ctx, g):
            seen.append(sg.is_grad_enabled())
            return g * 2

    x = rand(1)
    autograd.grad(Watch.apply(x).sum(), x)
    autograd.grad(Watch.apply(x).sum(), x, create_graph=True)
    assert seen == [False, False, False, True]
    assert sg.is_grad_enabled()


def test_the_user_s_own_errors_and_warnings_come_through():
    class Bad(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            warnings.warn("look", UserWarning, stacklevel=1)
            raise ValueError("mine")

    with pytest.warns(UserWarning, match="look"), pytest.raises(ValueError, match=r"^mine$"):
        Bad.apply(rand(1))
    assert sg.is_grad_enabled()


def test_every_message():
    def function(forward, backward=lambda ctx, g: g):
        return type(
            "Mine",
            (autograd.Function,),
            {"forward": staticmethod(forward), "backward": staticmethod(backward)},
        )

    x = rand(2)
    with pytest.raises(ArgumentError, match=r"Mine.forward returned float; return a Tensor or a tuple"):
        function(lambda ctx, x: 1.0).apply(x)
    with pytest.raises(
        DtypeError, match=r"Mine.forward returned tensors of float32, float64; return one dtype"
    ):
        function(lambda ctx, x: (x, x.float())).apply(x)
    with pytest.raises(GradientError, match=r"Mine.backward returned 2 gradients for 1 arguments of forward"):
        function(lambda ctx, x: x * 2, lambda ctx, g: (g, g)).apply(x).sum().backward()
    with pytest.raises(
        GradientError, match=r"Mine.backward returned \[\] as the gradient of an argument of shape \[2\]"
    ):
        function(lambda ctx, x: x * 2, lambda ctx, g: g.sum()).apply(x).sum().backward()
    with pytest.raises(GradientError, match=r"Mine.backward returned float as the gradient"):
        function(lambda ctx, x: x * 2, lambda ctx, g: 1.0).apply(x).sum().backward()
    with pytest.raises(ArgumentError, match=r"a Function defines a static method forward\(ctx"):
        type("Empty", (autograd.Function,), {}).apply(x)
    half = type("Half", (autograd.Function,), {"forward": staticmethod(lambda ctx, x: x * 2)})
    with pytest.raises(GradientError, match=r"no static method backward\(ctx"):
        half.apply(x).sum().backward()


def test_a_subclass_has_a_record_of_its_own():
    class Cube(Power):
        @staticmethod
        def forward(ctx, x):
            return Power.forward(ctx, x, 3)

        @staticmethod
        def backward(ctx, g):
            return Power.backward(ctx, g)[0]

    x = rand(2)
    assert autograd.gradcheck(Cube.apply, (x,))
    assert (Cube.apply(x).grad_fn.name(), Power.apply(x, 2).grad_fn.name()) == ("Cube", "Power")


seen: list[sg.Tensor | None] = []


class Sorted(autograd.Function):
    """Values and indices; the indices have no derivative."""

    @staticmethod
    def forward(ctx, x, materialize):
        values, indices = x.sort()
        ctx.mark_non_differentiable(indices)
        ctx.set_materialize_grads(materialize)
        ctx.save_for_backward(indices)
        return indices, values

    @staticmethod
    def backward(ctx, gi, g):
        (indices,) = ctx.saved_tensors
        seen.append(gi)
        return sg.zeros_like(g).scatter(0, indices, g), None


def test_a_result_without_derivative():
    for materialize in (True, False):
        x = sg.tensor([3.0, 1.0, 2.0], requires_grad=True)
        indices, values = Sorted.apply(x, materialize)
        assert indices.tolist() == [1, 2, 0]
        assert not indices.requires_grad
        (values * sg.tensor([1.0, 10.0, 100.0])).sum().backward()
        assert x.grad.tolist() == [100.0, 1.0, 10.0]
    zeros, nothing = seen
    assert zeros.tolist() == [0, 0, 0]
    assert nothing is None


def test_one_result_that_is_marked_has_no_gradient():
    class Step(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = (x > 0).float()
            ctx.mark_non_differentiable(y)
            return y

    assert not Step.apply(sg.tensor([1.0, -1.0], requires_grad=True)).requires_grad


class Doubled(autograd.Function):
    """In place, and what it was."""

    @staticmethod
    def forward(ctx, x):
        before = x.clone()
        ctx.mark_dirty(x)
        return x.mul_(2), before

    @staticmethod
    def backward(ctx, g, before):
        return g * 2 + before


def test_an_argument_that_is_changed_in_place():
    leaf = sg.tensor([1.0, 3.0], requires_grad=True)
    x = leaf * 1
    view = x[:1]
    y, before = Doubled.apply(x)
    assert y is x
    assert (x.tolist(), before.tolist(), view.tolist()) == ([2.0, 6.0], [1.0, 3.0], [2.0])
    (x * x + before).sum().backward()
    assert leaf.grad.tolist() == [9.0, 25.0]
    with pytest.raises(GradientError, match="leaf"):
        Doubled.apply(leaf)


def test_what_is_marked_dirty_is_returned():
    class Wrong(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x * 2

    with pytest.raises(ArgumentError, match="mark_dirty takes arguments that forward changed in place"):
        Wrong.apply(sg.ones(2))
