"""ONNX models run by onnxruntime, with and without optimisation, and by the reference evaluator."""

import warnings
from typing import Any

import numpy
import pytest

onnxruntime = pytest.importorskip("onnxruntime")


def run(model: Any, feeds: dict[str, numpy.ndarray]) -> list[list[numpy.ndarray]]:
    """What onnxruntime with and without optimisation and the reference evaluator compute."""
    from onnx.reference import ReferenceEvaluator

    results = []
    for level in ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL"):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        results.append(session.run(None, feeds))
    with numpy.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's warnings inside the reference evaluator
        results.append(ReferenceEvaluator(model).run(None, feeds))
    return results
