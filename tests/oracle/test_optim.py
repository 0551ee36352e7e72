"""Optimizers against PyTorch, with the settings of its own optimizer database: trajectories and state."""

from collections.abc import Iterator
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad import optim
from tests.oracle.translate import Failures, assert_same, to_stepgrad

pytestmark = pytest.mark.oracle

OPTIMIZERS = (
    "SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD",
    "LBFGS", "Adafactor", "Muon",
)  # fmt: skip
# Not compared: SparseAdam, for gradients with mostly zeros that are not stored, which stepgrad has not.
STEPS = 12
# Differences in the last bit grow with every iteration.
CHAOTIC = {"LBFGS": {"ensor lr": "at 0.001 the loss here goes to 1e242; see tests/optim/test_tensor_rate.py"}}
FEWER: dict[str, dict[str, Any]] = {"LBFGS": {"max_iter": 3}}


@pytest.fixture(scope="module")
def database() -> dict[str, Any]:
    """PyTorch's optimizer database: its import takes many seconds, so it is done once, and only here."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_optimizers import optim_db
    return {info.optim_cls.__name__: info for info in optim_db}


def test_every_optimizer_but_one_is_there_and_compared(database: dict[str, Any]):
    assert set(database) == {*OPTIMIZERS, "SparseAdam"}
    assert all(hasattr(optim, name) for name in OPTIMIZERS)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PyTorch with float64 where it chooses for itself: numbers of the state, and Muon's matrices."""
    import torch

    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.clone())
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def start(name: str) -> list[numpy.ndarray]:
    random = numpy.random.default_rng(0)
    shapes = ((3, 4), (1, 4), (4, 2)) if name == "Muon" else ((3, 4), (4,), ())
    return [random.normal(size=shape) for shape in shapes]


def loss(parameters: list[Any]) -> Any:
    """Something that is not quadratic, with a gradient for every parameter."""
    w, b, scale = parameters
    scale = (scale * scale).sum() + scale.sum()
    return ((w * w).sum(0).exp() * 0.1 + b * scale).square().mean() + scale * scale


def trajectory(optimizer: Any, parameters: list[Any]) -> list[float]:
    losses = []

    def closure() -> Any:
        optimizer.zero_grad()
        value = loss(parameters)
        value.backward()
        if len(losses) % 5 == 3:
            parameters[1].grad = None  # a parameter that took no part in this step
        return value

    for _ in range(STEPS):
        losses.append(float(optimizer.step(closure)))
    return losses


def assert_same_state(found: Any, right: Any) -> None:
    if isinstance(right, list):
        assert len(found) == len(right)
        for x, y in zip(found, right, strict=True):
            assert_same_state(x, y)
        return
    numpy.testing.assert_allclose(numpy.asarray(found), numpy.asarray(right), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.filterwarnings("ignore")
def test_optimizer(name: str, database: dict[str, Any], exact: None):
    import torch

    info = database[name]
    failures = Failures(CHAOTIC.get(name, {}))
    for sample in info.optim_inputs_func(device="cpu"):
        text = f"{sample.desc} {sample.kwargs}"
        if failures.skips(text):
            continue
        failures.checked += 1
        try:
            theirs = [torch.tensor(p, requires_grad=True) for p in start(name)]
            ours = [sg.tensor(p, requires_grad=True) for p in start(name)]
            more = sample.kwargs | FEWER.get(name, {})
            reference = info.optim_cls(theirs, **more)
            optimizer = getattr(optim, name)(ours, **to_stepgrad(more))
            losses = trajectory(reference, theirs)
            numpy.testing.assert_allclose(trajectory(optimizer, ours), losses, rtol=1e-9, atol=1e-12)
            for found, right in zip(ours, theirs, strict=True):
                assert_same(found, right)
            saved = reference.state_dict()["state"]
            for i, state in optimizer.state_dict()["state"].items():
                for key, right in saved[i].items():
                    if right is not None and key != "al":  # LBFGS's memory between two of its loops
                        assert_same_state(state[key], right)
        except Exception as error:
            failures.add(text, error)
    failures.report()
