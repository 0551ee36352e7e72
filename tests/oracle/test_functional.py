"""Derivatives of functions as wholes, against `torch.autograd.functional`; `Function` in its second form."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import stepgrad as sg
from stepgrad.errors import GradientError

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]
RANDOM = np.random.default_rng(0)
X, Y, V = RANDOM.normal(size=(2, 3)), RANDOM.normal(size=3), RANDOM.normal(size=(2, 3))


@pytest.fixture(scope="module")
def torch() -> ModuleType:
    return pytest.importorskip("torch")


def plain(value: Any) -> Any:
    """Nested tuples of arrays."""
    if isinstance(value, (tuple, list)):
        return tuple(map(plain, value))
    return value.detach().numpy()


def assert_equal(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    if isinstance(ours, tuple):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            assert_equal(a, b)
    else:
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


FUNCTIONS = {
    "one": (lambda lib: lambda x: (x.exp() * x).sum(1), (X,), False),
    "one number": (lambda lib: lambda x: (x**3).sum(), (X,), False),
    "two inputs": (lambda lib: lambda x, y: x @ y + y.sum(), (X, Y), True),
    "two outputs": (lambda lib: lambda x, y: (x * y, lib.tanh(y)), (X, Y), True),
    "one independent": (lambda lib: lambda x, y: (y * 2, lib.ones(2, dtype=lib.float64)), (X, Y), True),
    "a tuple of one": (lambda lib: lambda x: (x.sin(),), (Y,), True),
}


def inputs_of(lib: Any, arrays: Any, as_tuple: bool, needs: bool = False) -> Any:
    made = tuple(lib.tensor(a, requires_grad=needs) for a in arrays)
    return made if as_tuple else made[0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jacobian(torch, name):
    make, arrays, as_tuple = FUNCTIONS[name]
    found = [
        plain(lib.autograd.functional.jacobian(make(lib), inputs_of(lib, arrays, as_tuple)))
        for lib in (sg, torch)
    ]
    assert_equal(*found)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_products_with_vectors(torch, name):
    make, arrays, as_tuple = FUNCTIONS[name]
    found = []
    for lib in (sg, torch):
        function, given = make(lib), inputs_of(lib, arrays, as_tuple)
        outputs = function(*given) if as_tuple else function(given)
        random = np.random.default_rng(1)

        def vector(like, random=random, lib=lib):
            if isinstance(like, tuple):
                return tuple(vector(x) for x in like)
            return lib.tensor(np.asarray(random.normal(size=tuple(like.shape))))

        functional = lib.autograd.functional
        found.append(
            (
                plain(functional.vjp(function, given, vector(outputs))),
                plain(functional.jvp(function, given, vector(given))),
            )
        )
    assert_equal(*found)


@pytest.mark.parametrize(
    "function, arrays, as_tuple",
    [
        (lambda x: (x**3).sum() * x[0, 0], (X,), False),
        (lambda x, y: ((x @ y) ** 2).sum() + y.prod(), (X, Y), True),
        (lambda x, y: (x**2).sum().reshape(1), (X, Y), True),
    ],
)
def test_hessian_and_its_products(torch, function, arrays, as_tuple):
    found = []
    for lib in (sg, torch):
        given = inputs_of(lib, arrays, as_tuple)
        v = tuple(lib.tensor(np.cos(a)) for a in arrays) if as_tuple else lib.tensor(np.cos(arrays[0]))
        functional = lib.autograd.functional
        found.append(
            (
                plain(functional.hessian(function, given)),
                plain(functional.hvp(function, given, v)),
                plain(functional.vhp(function, given, v)),
            )
        )
    ours, theirs = found
    assert_equal(ours[0], theirs[0])
    for a, b in zip(ours[1:], theirs[1:]):
        assert_equal(a[1], b[1])
        np.testing.assert_allclose(a[0].reshape(-1), b[0].reshape(-1))


def test_derivatives_with_a_graph(torch):
    found = []
    for lib in (sg, torch):
        functional, x = lib.autograd.functional, lib.tensor(X, requires_grad=True)
        v = lib.tensor(V)
        total = functional.jacobian(lambda x: x.sin(), x, create_graph=True).pow(2).sum()
        total = total + functional.hessian(lambda x: (x**4).sum(), x, create_graph=True).sum()
        total = total + functional.jvp(lambda x: x**3, x, v, create_graph=True)[1].sum()
        total = total + functional.vjp(lambda x: x**3, x, v, create_graph=True)[1].sum()
        total = total + functional.hvp(lambda x: (x**3).sum(), x, v, create_graph=True)[1].sum()
        total.backward()
        found.append(plain((x.grad,)))
        assert not functional.jacobian(lambda x: x.sin(), x).requires_grad
    assert_equal(*found)


@pytest.mark.parametrize(
    "call",
    [
        lambda f, x, lib: f.jacobian(lambda x: lib.ones(2), x, strict=True),
        lambda f, x, lib: f.jacobian(lambda x, y: x * 2, (x, x.clone()), strict=True),
        lambda f, x, lib: f.hessian(lambda x: x * 2, x),
        lambda f, x, lib: f.vjp(lambda x: x * 2, x),
        lambda f, x, lib: f.vjp(lambda x: x * 2, x, lib.ones(5)),
        lambda f, x, lib: f.jvp(lambda x: x * 2, x),
        lambda f, x, lib: f.jacobian(lambda x: 1.0, x),
    ],
)
def test_the_same_calls_are_refused(torch, call):
    for lib in (sg, torch):
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            call(lib.autograd.functional, lib.tensor(Y), lib)


def exponential(lib: Any) -> Any:
    class Exponential(lib.autograd.Function):
        @staticmethod
        def forward(x, factor):
            return (factor * x).exp(), x * 1

        @staticmethod
        def setup_context(ctx, inputs, output):
            assert isinstance(inputs, tuple)
            ctx.factor = inputs[1]
            ctx.save_for_backward(output[0])

        @staticmethod
        def backward(ctx, g, other):
            (y,) = ctx.saved_tensors
            return ctx.factor * g * y + other, None

    return Exponential


def test_a_function_with_setup_context(torch):
    found = []
    for lib in (sg, torch):
        x = lib.tensor(Y, requires_grad=True)
        y, z = exponential(lib).apply(x, 0.5)
        (slope,) = lib.autograd.grad((y * z).sum(), x, create_graph=True)
        (curvature,) = lib.autograd.grad(slope.sum(), x)
        found.append(plain((y, slope, curvature)))
    assert_equal(*found)
    assert sg.autograd.gradcheck(
        lambda x: exponential(sg).apply(x, 0.5)[0], (sg.tensor(Y, requires_grad=True),)
    )


def test_once_differentiable(torch):
    found = []
    for lib in (sg, torch):

        class Square(lib.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            @lib.autograd.function.once_differentiable
            def backward(ctx, g, lib=lib):
                assert not lib.is_grad_enabled()
                (x,) = ctx.saved_tensors
                return lib.from_numpy(2 * x.detach().numpy() * g.numpy())

        x = lib.tensor(Y, requires_grad=True)
        (plain_slope,) = lib.autograd.grad(Square.apply(x).sum(), x)
        (slope,) = lib.autograd.grad((Square.apply(x) ** 2).sum(), x, create_graph=True)
        found.append(plain((plain_slope, slope)))
        with pytest.raises(RuntimeError, match="once_differentiable"):
            slope.sum().backward()
    assert_equal(*found)


def test_anomalies_are_found_where_pytorch_finds_them(torch):
    for lib in (sg, torch):
        x = lib.tensor([0.0, 4.0], requires_grad=True)
        for use in (lib.autograd.detect_anomaly, lambda lib=lib: lib.autograd.set_detect_anomaly(True)):
            with use(), pytest.raises(RuntimeError, match=r"(?i)nan"):
                (lib.sqrt(x) * 0).sum().backward()
        with lib.autograd.detect_anomaly(check_nan=False):
            (lib.sqrt(x) * 0).sum().backward()
        with lib.autograd.detect_anomaly():
            (lib.sqrt(x + 1) * 2).sum().backward()
        (lib.sqrt(x) * 0).sum().backward()
        lib.autograd.set_detect_anomaly(True)
        try:
            for _ in range(2):  # an error does not end it
                with pytest.raises(RuntimeError, match=r"(?i)nan"):
                    (lib.sqrt(x) * 0).sum().backward()
        finally:
            lib.autograd.set_detect_anomaly(False)


def test_an_anomaly_shows_the_line_of_its_operation():
    x = sg.tensor([0.0, 4.0], requires_grad=True)
    with sg.autograd.detect_anomaly():
        root = sg.nn.functional.normalize(sg.sqrt(x), dim=0)  # the line
        with pytest.raises(GradientError, match=r"derivative of sqrt by its input 'x' has 1 NaN") as caught:
            (root * 0).sum().backward()
    assert "# the line" in caught.value.__notes__[0]
    assert "site-packages/stepgrad" not in caught.value.__notes__[0]
