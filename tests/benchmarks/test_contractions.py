"""The products that the benchmark of contractions times are the right ones."""

import numpy
import pytest

from benchmarks.contractions import Kernel, race, roles


@pytest.mark.parametrize("role", range(3))
def test_a_kernel_computes_its_product(role):
    name, a, b = list(roles(5, 7, 3))[role]
    kernel = Kernel(a, b)
    kernel.run(2)
    numpy.testing.assert_allclose(kernel.c, a @ b, rtol=1e-5, atol=1e-5, err_msg=name)


def test_each_takes_its_turns():
    found = race({"one": lambda n: sum(range(1000 * n)), "two": lambda n: sum(range(500 * n))}, 1e6, 0.0)
    assert set(found) == {"one", "two"}
    assert all(best >= median > 0 for best, median in found.values())
