"""Two hundred programs drawn at random, native against eager, with their gradients and for every width of
vectors.
"""

from typing import Any

import numpy
import pytest
from hypothesis import HealthCheck, given, settings

import stepgrad as sg
from tests.compile.compiled import assert_close, compiled_and_eager, vectors_of
from tests.compile.random_programs import Program, programs

QUICK = {"derandomize": True, "deadline": None, "suppress_health_check": list(HealthCheck)}


def check(program: Program, width: int | None = None) -> None:
    """The results are those of eager mode: the same bits where they are exact, otherwise close to them."""
    with vectors_of(width):
        native, eager = compiled_and_eager(program, program.inputs)
    assert len(native) == len(eager)
    exact = program.exact[len(program.inputs) :]
    # Of float64 alone all is computed in float64; a boolean or integer becomes float32 on the way.
    tolerance = 1e-4 if sg.float32 in [t.dtype for t in (*program.inputs, *eager)] else 1e-11
    for i, (x, y) in enumerate(zip(native, eager, strict=True)):
        what = program.names[i] if i < len(exact) else "a gradient"
        if i < len(exact) and exact[i]:
            numpy.testing.assert_array_equal(x.detach().numpy(), y.detach().numpy(), err_msg=what)
            assert x.dtype is y.dtype
        else:
            assert_close(x, y, tolerance, what)


@settings(max_examples=100, **QUICK)
@given(programs())
def test_random_programs(program: Program):
    check(program)


@pytest.mark.slow
@pytest.mark.parametrize("width", [16, 32])
def test_random_programs_with_narrow_vectors(width: int):
    @settings(max_examples=50, **QUICK)
    @given(programs())
    def run(program: Program) -> None:
        check(program, width)

    run()


def test_a_wrong_result_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """What is tested here is the test."""

    def wrong(m: Any, x: Any) -> Any:
        return m.maximum(x, 0) + 1

    program = Program([sg.ones(3)], [lambda v: v[0].relu()], [True, True], ["relu 0"])
    check(program)
    eager = sg.ones(3).relu
    monkeypatch.setattr(sg.ops.find("relu"), "value", wrong)
    assert eager().tolist() == [1, 1, 1]
    with pytest.raises(AssertionError, match="relu"):
        check(program)
