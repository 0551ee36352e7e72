"""References of linear algebra: SciPy's, matrix by matrix, or what defines a decomposition."""

import math
from typing import Any

import numpy
import scipy.linalg

from tests.registry.references.filing import REFERENCES, Array, reference


def each_matrix(name: str, function: Any, dtype: str = "float64") -> None:
    """File a function of one matrix as a reference for batches of them."""

    def on_batches(x: Array, **attrs: Any) -> Array:
        matrices = x.reshape(-1, *x.shape[-2:])
        found = [numpy.asarray(function(m, **attrs), dtype) for m in matrices]
        return numpy.array(found).reshape((*x.shape[:-2], *found[0].shape))

    REFERENCES[name] = on_batches


def flat(*parts: Array) -> Array:
    return numpy.concatenate([numpy.ravel(p) for p in parts])


def by_power_series(a: Array) -> Array:
    term = total = numpy.eye(len(a))
    for k in range(1, 60):
        term = term @ a / k
        total = total + term
    return total


def determinant(a: Array) -> float:
    """Laplace's expansion along the first row."""
    if not len(a):
        return 1.0
    minors = [numpy.delete(a[1:], i, 1) for i in range(len(a))]
    return math.fsum((-1) ** i * a[0, i] * determinant(m) for i, m in enumerate(minors))


def eliminated(a: Array) -> tuple[Array, Array]:
    made, pivots = scipy.linalg.lu_factor(a)
    return made, pivots + 1


def order(a: Array) -> Array:
    rows = list(range(len(a)))
    for i, j in enumerate(eliminated(a)[1] - 1):
        rows[i], rows[j] = rows[j], rows[i]
    return rows


def householder(a: Array, complete: bool) -> Array:
    return flat(*scipy.linalg.qr(a, mode="full" if complete else "economic"))


each_matrix("inv", lambda a: scipy.linalg.solve(a, numpy.eye(len(a))))
each_matrix("det", determinant)
each_matrix("logabsdet", lambda a: math.log(abs(determinant(a))))
each_matrix("detsign", lambda a: math.copysign(1, determinant(a)))
each_matrix("pinv", lambda a, atol, rtol, hermitian: scipy.linalg.lstsq(a, numpy.eye(len(a)))[0])
each_matrix("matrix_exp", by_power_series)
each_matrix("cholesky", lambda a: scipy.linalg.cholesky(a, lower=True))
each_matrix("eigh", lambda a, upper: flat(*scipy.linalg.eigh(a, driver="evd")))
each_matrix("svd", lambda a, full: flat(*scipy.linalg.svd(a, full_matrices=full)))
each_matrix("qr", householder)
each_matrix("lu", lambda a: eliminated(a)[0])
each_matrix("lu_pivots", lambda a: eliminated(a)[1], "int32")
each_matrix("lu_order", order, "int64")


@reference
def solve(a: Array, b: Array) -> Array:
    batch = numpy.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (numpy.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b))
    return numpy.array([scipy.linalg.inv(a[i]) @ b[i] for i in numpy.ndindex(*batch)]).reshape(b.shape)
