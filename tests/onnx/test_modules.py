"""Every module that PyTorch's module database has samples of, exported with them."""

from typing import Any

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ExportError
from stepgrad.onnx.trace import _tensors
from tests.oracle import test_modules
from tests.oracle.test_modules import database  # noqa: F401 - a fixture
from tests.oracle.translate import Failures, described, to_stepgrad

pytestmark = pytest.mark.oracle

# Modules that cannot be exported, with the reason.
NOT_EXPORTED: dict[str, str] = {}
# Modules whose graphs one of the runners cannot run, with the reason.
NOT_RUN = {"FractionalMaxPool3d": "onnx's reference evaluator gathers from 64 elements at most"}


@pytest.mark.parametrize("name", [name for name in test_modules.MODULES if name not in NOT_RUN])
@pytest.mark.filterwarnings("ignore")
def test_module(name: str, database: dict[str, Any], tmp_path):  # noqa: F811
    torch = pytest.importorskip("torch")
    onnx = pytest.importorskip("onnx")
    from tests.onnx.running import run

    info = database[name]
    failures = Failures({})
    missing = [piece.replace("float64", "float32") for piece in test_modules.MISSING.get(name, {})]
    for sample in info.module_inputs_func(info, "cpu", torch.float32, requires_grad=False, training=False):
        constructor, forward = sample.constructor_input, sample.forward_input
        text = " ".join(described([call.args, call.kwargs]) for call in (constructor, forward))
        if any(piece in text for piece in missing):
            continue
        failures.checked += 1
        module = getattr(nn, name)(*to_stepgrad(constructor.args), **to_stepgrad(constructor.kwargs)).eval()
        arguments, keywords = to_stepgrad(forward.args), to_stepgrad(forward.kwargs)
        tensors = [x for x in (*arguments, *keywords.values()) if isinstance(x, sg.Tensor)]
        order = {id(x): i for i, x in enumerate(tensors)}

        def called(*given, module=module, arguments=arguments, keywords=keywords, order=order):
            swap = lambda x: given[order[id(x)]] if id(x) in order else x  # noqa: E731
            return module(*map(swap, arguments), **{key: swap(x) for key, x in keywords.items()})

        try:
            with sg.no_grad():
                expected = _tensors(called(*tensors))
            sg.onnx.export(called, tensors, tmp_path / "m.onnx", batch_dim=None)
            proto = onnx.load(tmp_path / "m.onnx")
            names = [value.name for value in proto.graph.input]
            for found in run(proto, {key: x.numpy() for key, x in zip(names, tensors)}):
                for a, b in zip(found, expected, strict=True):
                    np.testing.assert_allclose(a, b.numpy(), rtol=1e-4, atol=1e-5)
        except ExportError:
            if name not in NOT_EXPORTED:
                raise
        except Exception as error:
            failures.add(text, error)
    failures.report()
