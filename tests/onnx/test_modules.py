"""Every module that PyTorch's module database has samples of, exported with them."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ExportError, IndexShapeError, StepgradError
from stepgrad.onnx.trace import _tensors
from tests.oracle import test_modules
from tests.oracle.test_modules import database  # noqa: F401 - a fixture
from tests.oracle.translate import Failures, described, to_stepgrad

pytestmark = pytest.mark.oracle

MOST = 20  # samples of a module, of which some have hundreds
# Modules that cannot be exported, with the reason.
NOT_EXPORTED: dict[str, str] = {}
# Modules whose samples have no batch of any size in the first dimension, with the reason.
FIXED = {
    "CTCLoss": "the lengths of its sequences are numbers",
    "FractionalMaxPool2d": "it draws where to pool",
    "FractionalMaxPool3d": "it draws where to pool",
} | dict.fromkeys(
    ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"),
    "the batch of the states is another dimension; see test_export.py",
)
# Modules whose graphs one of the runners cannot run, with the reason.
NOT_RUN = {"FractionalMaxPool3d": "onnx's reference evaluator gathers from 64 elements at most"}


@pytest.mark.parametrize("name", [name for name in test_modules.MODULES if name not in NOT_RUN])
@pytest.mark.filterwarnings("ignore")
def test_module(name: str, database: dict[str, Any], tmp_path):  # noqa: F811
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    info = database[name]
    failures, dynamic = Failures({}), 0
    missing = [piece.replace("float64", "float32") for piece in test_modules.MISSING.get(name, {})]
    samples = info.module_inputs_func(info, "cpu", torch.float32, requires_grad=False, training=False)
    for sample in samples[:: max(1, len(samples) // MOST)]:
        constructor, forward = sample.constructor_input, sample.forward_input
        text = " ".join(described([call.args, call.kwargs]) for call in (constructor, forward))
        if any(piece in text for piece in missing):
            continue
        failures.checked += 1
        module = getattr(nn, name)(*to_stepgrad(constructor.args), **to_stepgrad(constructor.kwargs)).eval()
        arguments, keywords = to_stepgrad(forward.args), to_stepgrad(forward.kwargs)
        if name.startswith("Lazy"):
            module(*arguments)
        tensors = _tensors_in([arguments, list(keywords.values())])
        order = {id(x): i for i, x in enumerate(tensors)}

        def called(*given, module=module, arguments=arguments, keywords=keywords, order=order):
            def swap(x):
                if isinstance(x, (tuple, list)):
                    return type(x)(map(swap, x))
                return given[order[id(x)]] if id(x) in order else x

            return module(*map(swap, arguments), **{key: swap(x) for key, x in keywords.items()})

        try:
            check(called, tensors, tmp_path / "fixed.onnx", None, [tensors])
            if more := other_batches(called, tensors):
                # In some samples the first dimension is another one, which a graph cannot leave open.
                with contextlib.suppress(ExportError, IndexShapeError):
                    check(called, tensors, tmp_path / "dynamic.onnx", 0, [tensors, *more])
                    dynamic += 1
        except ExportError:
            if name not in NOT_EXPORTED:
                raise
        except Exception as error:
            failures.add(text, error)
    failures.report()
    assert dynamic or name in FIXED


def _tensors_in(value: Any) -> list[sg.Tensor]:
    if isinstance(value, (tuple, list)):
        return [x for part in value for x in _tensors_in(part)]
    return [value] if isinstance(value, sg.Tensor) else []


def resized(x: sg.Tensor, rows: int) -> sg.Tensor:
    """The same rows over and over."""
    return sg.from_numpy(np.take(x.numpy(), np.arange(rows) % len(x), axis=0))


def other_batches(called: Any, tensors: list[sg.Tensor]) -> list[list[sg.Tensor]]:
    """The inputs for other batch sizes, if the first dimension of all of them is a batch, of any size."""
    if not tensors or not all(x.ndim and x.numel() and len(x) == len(tensors[0]) for x in tensors):
        return []
    more = [[resized(x, rows) for x in tensors] for rows in (2, 9)]
    try:
        for given in more:
            called(*given)
    except StepgradError:
        return []
    return more


def check(called: Any, tensors: list[sg.Tensor], path: Path, batch_dim: int | None, runs: Any) -> None:
    """The file computes what the function computes."""
    import onnx

    from tests.onnx.running import run

    sg.onnx.export(called, tensors, path, batch_dim=batch_dim)
    proto = onnx.load(path)
    names = [value.name for value in proto.graph.input]
    for given in runs:
        with sg.no_grad():
            expected = _tensors(called(*given))
        for found in run(proto, {key: x.numpy() for key, x in zip(names, given)}):
            for a, b in zip(found, expected, strict=True):
                assert a.shape == b.shape
                np.testing.assert_allclose(a, b.numpy(), rtol=1e-4, atol=1e-5)
