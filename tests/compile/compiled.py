"""A step run natively and eagerly, side by side."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad.compile import machine
from stepgrad.tensor import Tensor


def compiled_and_eager(step: Callable[..., Any], tensors: list[Tensor]) -> tuple[Any, Any]:
    """What a step returns in native code and in eager mode, from the same random numbers. It must be
    compiled.
    """
    f = sg.compile(step)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sg.manual_seed(0)
        native = f(*tensors)
        if not f.programs:
            # It leaves gradients: that it does not add to them shows when it is called again.
            sg.manual_seed(0)
            native = f(*tensors)
    assert f.programs
    assert not f.runs_eagerly
    sg.manual_seed(0)
    return native, step(*tensors)


def assert_close(native: Tensor, eager: Tensor, tolerance: float, what: str = "") -> None:
    """The same shape, dtype, NaN and infinities; numbers differ by at most `tolerance` times the largest
    of them, or 1.
    """
    x, y = native._array, eager._array
    assert x.shape == y.shape, f"{what}: shape {x.shape} for {y.shape}"
    assert x.dtype == y.dtype, f"{what}: dtype {x.dtype} for {y.dtype}"
    if y.dtype.kind != "f" or not tolerance:
        numpy.testing.assert_array_equal(x, y, err_msg=what)
        return
    finite = numpy.isfinite(y)
    numpy.testing.assert_array_equal(x[~finite], y[~finite], err_msg=what)
    if finite.any():
        largest = max(1.0, float(abs(y[finite]).max()))
        off = float(abs(x[finite].astype("float64") - y[finite]).max())
        assert off <= tolerance * largest, f"{what}: off by {off / largest:.3g} of the largest"


@contextlib.contextmanager
def vectors_of(width: int | None) -> Iterator[None]:
    """Code made within has vectors of `width` bytes; None: those of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        if width is not None:
            patch.setenv("STEPGRAD_VECTOR_BYTES", str(width))
        machine.vector_bytes.cache_clear()
        try:
            assert width in (None, machine.vector_bytes())
            yield
        finally:
            machine.vector_bytes.cache_clear()
