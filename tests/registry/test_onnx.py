"""Every record in ONNX: run by onnxruntime with and without optimisation, and by the reference evaluator."""

from typing import Any

import numpy
import pytest

from stepgrad.autograd.engine import apply
from stepgrad.errors import ExportError
from stepgrad.onnx.builder import Builder
from stepgrad.ops import REGISTRY
from stepgrad.ops.record import Op
from stepgrad.ops.samples import Sample
from tests.onnx.running import run
from tests.registry import checks

onnx = pytest.importorskip("onnx")

TOLERANCE = 2e-5


def arrays_of(op: Op, sample: Sample) -> list[Any]:
    """The inputs of a sample, real ones as float32."""
    inputs = checks.drawn(op, sample)
    real = [x.astype("float32") if getattr(x, "dtype", None) == "float64" else x for x in inputs]
    return [numpy.asarray(x) if isinstance(x, numpy.generic) else x for x in real]


def attributes_of(sample: Sample) -> dict[str, Any]:
    return {k: "float32" if k == "dtype" and v == "float64" else v for k, v in sample.attrs.items()}


@pytest.mark.parametrize("op, sample", checks.cases(lambda op: not op.no_onnx))
def test_onnx(op: Op, sample: Sample):
    arrays, attrs = arrays_of(op, sample), attributes_of(sample)
    expected = apply(op, *checks.wrapped(arrays), **attrs)._array
    builder = Builder()
    operands = [
        builder.input(f"x{i}", x.shape, x.dtype) if isinstance(x, numpy.ndarray) else x
        for i, x in enumerate(arrays)
    ]
    y = builder.apply(op, *operands, **attrs)
    assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
    model = builder.model({"y": y}, op.name)
    onnx.checker.check_model(model, full_check=True)
    feeds = {f"x{i}": x for i, x in enumerate(arrays) if isinstance(x, numpy.ndarray)}
    for (found,) in run(model, feeds):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        numpy.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("op", [op for op in REGISTRY.values() if op.no_onnx], ids=lambda op: op.name)
def test_what_is_not_exported_says_why(op: Op):
    with pytest.raises(ExportError, match=f"the operation {op.name} cannot be exported to ONNX: ....*"):
        Builder().apply(op)
