"""Modules against PyTorch, on the samples of PyTorch's own module database: results, gradients, buffers."""

from collections.abc import Callable
from typing import Any

import pytest

from stepgrad import nn
from tests.oracle.sequences import SEQUENCE_MODULES
from tests.oracle.spatial import SPATIAL_MODULES
from tests.oracle.translate import (
    Failures,
    assert_same,
    compare,
    described,
    shared_by,
    tensors_in,
    to_stepgrad,
)

pytestmark = pytest.mark.oracle

MODULES = [
    "Linear", "ReLU", "LeakyReLU", "PReLU", "ELU", "GELU", "SiLU", "Sigmoid", "Tanh", "Softmax",
    "LogSoftmax", "Softplus", "LogSigmoid", "BatchNorm1d", "LayerNorm", "Embedding", "MSELoss",
    "L1Loss", "HuberLoss", "SmoothL1Loss", "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss",
    "NLLLoss",
    "Threshold", "Hardtanh", "ReLU6", "Hardswish", "CELU", "SELU", "Mish", "Softsign",
    "CosineEmbeddingLoss", "KLDivLoss", "MarginRankingLoss", "MultiLabelMarginLoss", "MultiMarginLoss",
    "SoftMarginLoss", "MultiLabelSoftMarginLoss", "GaussianNLLLoss", "PoissonNLLLoss", "HingeEmbeddingLoss",
    "LinearCrossEntropyLoss", "CTCLoss", "Bilinear", "RMSNorm", "LazyConv1d", "LazyConv2d", "LazyConv3d",
    "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d",
    "Hardshrink", "Softshrink", "Tanhshrink", "GLU", "Softmin", "Softmax2d",
]  # fmt: skip
MODULES += SPATIAL_MODULES + SEQUENCE_MODULES

# Samples of what stepgrad does not have, by a piece of the text that describes them.
MISSING: dict[str, dict[str, str]] = {
    "LinearCrossEntropyLoss": {"options=Linear": "a way to save memory that stepgrad does not have"},
}

# PyTorch's gradient of CTCLoss is that of the scores before log_softmax (which changes no log-probability).
BEFORE: dict[str, Callable[..., Any]] = {"CTCLoss": lambda x, *rest: (x.log_softmax(-1), *rest)}

# Modules of the same name that are not compared here, with the reason.
NOT_COMPARED: dict[str, str] = {}


@pytest.fixture(scope="module")
def database() -> dict[str, Any]:
    """PyTorch's module database: its import takes many seconds, so it is done once, and only here."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_modules import module_db
    return {module.name.removeprefix("nn."): module for module in module_db}


def test_every_module_that_both_have_is_compared(database: dict[str, Any]):
    both = {name for name in database if hasattr(nn, name)}
    assert both - set(MODULES) - set(NOT_COMPARED) == set()


def prepared(theirs: Any, name: str, constructor: Any, training: bool, forward: Any) -> Any:
    """Our module, made with the same arguments, with PyTorch's numbers in it."""
    ours = getattr(nn, name)(*to_stepgrad(constructor.args), **to_stepgrad(constructor.kwargs))
    if name.startswith("Lazy"):
        ours(to_stepgrad(forward.args[0]).float())
    # What quantization does is PyTorch's own matter.
    assert repr(ours) == repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")
    ours.double()
    ours.load_state_dict({key: to_stepgrad(value) for key, value in theirs.state_dict().items()})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    return ours.train(training)


def translated(arguments: Any) -> list[Any]:
    """The arguments as stepgrad's; one that stands there twice is one tensor again."""
    firsts = [next(i for i, y in enumerate(arguments) if y is x) for x in arguments]
    ours = [to_stepgrad(x) for x in arguments]
    return [ours[i] for i in firsts]


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.filterwarnings("ignore")
def test_module(name: str, database: dict[str, Any]):
    import torch

    info = database[name]
    failures = Failures(MISSING.get(name, {}))
    for training in (True, False):
        for sample in info.module_inputs_func(
            info, "cpu", torch.float64, requires_grad=True, training=training
        ):
            constructor, forward = sample.constructor_input, sample.forward_input
            text = " ".join(described([call.args, call.kwargs]) for call in (constructor, forward))
            if failures.skips(text):
                continue
            failures.checked += 1
            try:
                theirs = info.module_cls(*constructor.args, **constructor.kwargs).double().train(training)
                if name.startswith("Lazy"):  # its weights come with the first input
                    theirs(*forward.args)
                ours = prepared(theirs, name, constructor, training, forward)
                arguments, keywords = translated(forward.args), to_stepgrad(forward.kwargs)
                theirs_in = [x for x in tensors_in([forward.args, forward.kwargs]) if x.requires_grad]
                ours_in = [x for x in tensors_in([arguments, keywords]) if x.requires_grad]
                before = BEFORE.get(name, lambda *given: given)
                right = theirs(*before(*forward.args), **forward.kwargs)
                found = ours(*before(*arguments), **keywords)
                compare(
                    right, found, [*theirs_in, *theirs.parameters()], [*ours_in, *ours.parameters()]
                )  # fmt: skip
                for result, own in zip(tensors_in([right]), tensors_in([found]), strict=True):
                    assert shared_by(own, ours_in) == shared_by(result, theirs_in)
                for key, right in theirs.state_dict().items():
                    assert_same(ours.state_dict()[key], right)
            except Exception as error:
                failures.add(f"{text} training={training}", error)
    failures.report()
