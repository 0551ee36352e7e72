"""Linear algebra and products, against NumPy and against what defines them."""

import math

import numpy
import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError, LinAlgError, ShapeError

RANDOM = numpy.random.default_rng(0)
A = RANDOM.standard_normal((2, 4, 4)) + 3 * numpy.eye(4)
B = RANDOM.standard_normal((2, 4, 3))
S = A @ A.swapaxes(-1, -2)
X, Y, P = sg.tensor(A), sg.tensor(B), sg.tensor(S)

SAME = {
    "inv": (sg.linalg.inv(X), numpy.linalg.inv(A)),
    "det": (sg.linalg.det(X), numpy.linalg.det(A)),
    "solve": (sg.linalg.solve(X, Y), numpy.linalg.solve(A, B)),
    "solve from the right": (
        sg.linalg.solve(X, Y.mT, left=False),
        numpy.linalg.solve(A.swapaxes(-1, -2), B).swapaxes(-1, -2),
    ),
    "pinv": (sg.linalg.pinv(Y), numpy.linalg.pinv(B)),
    "svdvals": (sg.linalg.svdvals(Y), numpy.linalg.svdvals(B)),
    "eigvalsh": (sg.linalg.eigvalsh(P), numpy.linalg.eigvalsh(S)),
    "matrix_power": (X.matrix_power(-3), numpy.linalg.matrix_power(A, -3)),
    "multi_dot": (sg.linalg.multi_dot([X[0], Y[0], Y[0].mT]), numpy.linalg.multi_dot([A[0], B[0], B[0].T])),
    "cond": (sg.linalg.cond(X, 1), numpy.linalg.cond(A, 1)),
    "matrix_rank": (sg.linalg.matrix_rank(Y @ Y.mT).double(), numpy.linalg.matrix_rank(B @ B.swapaxes(1, 2))),
    "tensorinv": (
        sg.linalg.tensorinv(X[0].reshape(2, 2, 4), 2),
        numpy.linalg.tensorinv(A[0].reshape(2, 2, 4), 2),
    ),
    "kron": (sg.kron(X[0], Y[0]), numpy.kron(A[0], B[0])),
    "cov": (X[0].cov(), numpy.cov(A[0])),
    "corrcoef": (X[0].corrcoef(), numpy.corrcoef(A[0])),
    "cross": (sg.linalg.cross(Y, Y.flip(1)), numpy.cross(B, numpy.flip(B, 1))),
    "tensordot": (
        X.tensordot(Y, ([0, 2], [0, 1])),
        numpy.tensordot(A, B, ([0, 2], [0, 1])),
    ),
    "addmm": (X[0].addmm(X[0], X[1], beta=2, alpha=0.5), 2 * A[0] + 0.5 * A[0] @ A[1]),
    "cdist": (sg.cdist(X, Y.mT), numpy.linalg.norm(A[:, :, None] - B.swapaxes(1, 2)[:, None], axis=-1)),
} | {
    f"norm {order}": (sg.linalg.matrix_norm(Y, order), numpy.linalg.norm(B, order, (1, 2)))
    for order in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_as_numpy(name: str):
    found, expected = SAME[name]
    numpy.testing.assert_allclose(found.numpy(), expected, rtol=1e-10, atol=1e-12)


EQUATIONS = {
    "ij,jk": ((3, 4), (4, 5)),
    "bij,bjk->bik": ((2, 3, 4), (2, 4, 5)),
    "...ij,...jk->...ki": ((2, 3, 4), (4, 5)),
    "ii->i": ((3, 3),),
    "ii": ((3, 3),),
    "ij,kj,k->i": ((3, 4), (5, 4), (5,)),
    "i,j->ji": ((3,), (4,)),
    "ijk->": ((2, 3, 4),),
    "ij,ij->i": ((3, 4), (3, 4)),
    "i...,i...->...": ((3, 4), (3, 1)),
    "bhqd,bhkd->bhqk": ((2, 3, 4, 5), (2, 3, 6, 5)),
}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(equation: str):
    arrays = [RANDOM.standard_normal(shape) for shape in EQUATIONS[equation]]
    expected = numpy.einsum(equation, *arrays)
    found = sg.einsum(equation, *map(sg.tensor, arrays))
    numpy.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    native = sg.compile(lambda *x: sg.einsum(equation, *x))
    if "ii" not in equation or equation == "ii->i":
        numpy.testing.assert_allclose(native(*map(sg.tensor, arrays)).numpy(), expected, rtol=1e-12)


def test_einsum_by_numbers():
    a, b = RANDOM.standard_normal((3, 4)), RANDOM.standard_normal((4, 5))
    found = sg.einsum(sg.tensor(a), [0, 1], sg.tensor(b), [1, 2], [0, 2])
    numpy.testing.assert_allclose(found.numpy(), a @ b)


def test_decompositions_multiply_to_the_matrix():
    for x, array in ((X, A), (Y, B), (Y.mT, B.swapaxes(1, 2))):
        u, s, vh = sg.linalg.svd(x, full_matrices=False)
        numpy.testing.assert_allclose((u * s.unsqueeze(-2) @ vh).numpy(), array, atol=1e-12)
        q, r = sg.linalg.qr(x)
        numpy.testing.assert_allclose((q @ r).numpy(), array, atol=1e-12)
        p, lower, upper = sg.linalg.lu(x)
        numpy.testing.assert_allclose((p @ lower @ upper).numpy(), array, atol=1e-12)
    w, v = sg.linalg.eigh(P)
    numpy.testing.assert_allclose((v * w.unsqueeze(-2) @ v.mT).numpy(), S, atol=1e-10)
    factor = sg.linalg.cholesky(P)
    numpy.testing.assert_allclose((factor @ factor.mT).numpy(), S, atol=1e-12)
    numpy.testing.assert_allclose((P @ Y.cholesky_solve(factor)).numpy(), B, atol=1e-9)
    numpy.testing.assert_allclose((X @ sg.linalg.lu_solve(*sg.linalg.lu_factor(X), Y)).numpy(), B, atol=1e-10)


def test_least_squares():
    solution = sg.linalg.lstsq(X[0, :, :2], Y[0]).solution
    numpy.testing.assert_allclose(solution.numpy(), numpy.linalg.lstsq(A[0, :, :2], B[0])[0], rtol=1e-10)


def test_the_gradient_of_the_determinant_of_a_singular_matrix_is_its_cofactors():
    x = sg.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=sg.float64, requires_grad=True)
    x.det().backward()
    numpy.testing.assert_allclose(x.grad.numpy(), [[4, -2], [-2, 1]], atol=1e-12)


def test_an_exponential_of_a_large_matrix():
    turn = numpy.array([[0.0, -20.0], [20.0, 0.0]])
    expected = [[math.cos(20), -math.sin(20)], [math.sin(20), math.cos(20)]]
    numpy.testing.assert_allclose(sg.linalg.matrix_exp(sg.tensor(turn)).numpy(), expected, atol=1e-12)


ERRORS = [
    (lambda: sg.linalg.inv(sg.ones(2, 2)), LinAlgError, r"of \[2, 2\] has no result: Singular"),
    (lambda: sg.linalg.inv(sg.ones(2, 3)), LinAlgError, r"inv takes square matrices, not the shape \[2, 3\]"),
    (lambda: sg.linalg.cholesky(-sg.eye(2)), LinAlgError, "not positive definite"),
    (lambda: sg.linalg.qr(X, "full"), ArgumentError, "modes .* not 'full'"),
    (lambda: sg.linalg.matrix_norm(X, 3), ArgumentError, "matrix_norm has the orders .*, not 3"),
    (lambda: sg.einsum("ij->i", sg.ones(3)), ArgumentError, r"'ij' does not name the dimensions .* \[3\]"),
    (lambda: sg.einsum("i,j", sg.ones(3)), ArgumentError, "names 2 operands; there are 1"),
    (lambda: sg.einsum("i,i", sg.ones(3), sg.ones(4)), ShapeError, "dimension 'i' is 3 and 4"),
    (lambda: X.tensordot(Y, 1), ShapeError, r"sizes of \[2\] and \[0\] differ"),
    (lambda: X.cross(X), ShapeError, "cross finds no dimension of length 3"),
    (lambda: sg.linalg.multi_dot([X[0]]), ArgumentError, "at least 2"),
]


@pytest.mark.parametrize("call, error, message", ERRORS)
def test_what_does_not_fit_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_native_code_of_what_is_composed():
    def step(x, y):
        return [
            x.cumsum(1), x.tril(), y.roll(1, 1),
            x.scatter_add(1, (x[..., :2] * 0).long(), y[..., :2].contiguous()), y.unfold(1, 2, 1),
            x.diagonal(0, 1, 2), sg.logaddexp(y, y * 2), x.lerp(x.mT, 0.25), sg.hypot(y, y),
            x.erfc(), x.lgamma(), sg.special.i0e(x), x.kron(y),
        ]  # fmt: skip

    f = sg.compile(step)
    for native, eager in zip(f(X, Y), step(X, Y), strict=True):
        numpy.testing.assert_allclose(native.numpy(), eager.numpy(), rtol=1e-12, atol=1e-13)
