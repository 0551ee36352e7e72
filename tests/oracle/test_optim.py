"""Optimizers against PyTorch, with the settings of its own optimizer database: trajectories and state."""

from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad import optim
from tests.oracle.translate import Failures, assert_same, to_stepgrad

pytestmark = pytest.mark.oracle

OPTIMIZERS = ("SGD", "Adam", "AdamW")
MISSING: dict[str, dict[str, str]] = {"SGD": {"tensor lr": "a learning rate is a number"}}
STEPS = 12


@pytest.fixture(scope="module")
def database() -> dict[str, Any]:
    """PyTorch's optimizer database: its import takes many seconds, so it is done once, and only here."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_optimizers import optim_db
    return {info.optim_cls.__name__: info for info in optim_db}


def test_every_optimizer_that_both_have_is_compared(database: dict[str, Any]):
    assert {name for name in database if hasattr(optim, name)} == set(OPTIMIZERS)


def start() -> list[numpy.ndarray]:
    random = numpy.random.default_rng(0)
    return [random.normal(size=shape) for shape in ((3, 4), (4,), ())]


def loss(parameters: list[Any]) -> Any:
    """Something that is not quadratic, with a gradient for every parameter."""
    w, b, scale = parameters
    return ((w * w).sum(0).exp() * 0.1 + b * scale).square().mean() + scale * scale


def trajectory(optimizer: Any, parameters: list[Any]) -> None:
    for step in range(STEPS):
        optimizer.zero_grad()
        loss(parameters).backward()
        if step % 5 == 3:
            parameters[1].grad = None  # a parameter that took no part in this step
        optimizer.step()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.filterwarnings("ignore")
def test_optimizer(name: str, database: dict[str, Any]):
    import torch

    info = database[name]
    failures = Failures(MISSING.get(name, {}))
    for sample in info.optim_inputs_func(device="cpu"):
        text = f"{sample.desc} {sample.kwargs}"
        if failures.skips(text):
            continue
        failures.checked += 1
        try:
            theirs = [torch.tensor(p, requires_grad=True) for p in start()]
            ours = [sg.tensor(p, requires_grad=True) for p in start()]
            reference = info.optim_cls(theirs, **sample.kwargs)
            optimizer = getattr(optim, name)(ours, **to_stepgrad(sample.kwargs))
            trajectory(reference, theirs)
            trajectory(optimizer, ours)
            for found, right in zip(ours, theirs, strict=True):
                assert_same(found, right)
            saved = reference.state_dict()["state"]
            for i, state in optimizer.state_dict()["state"].items():
                for key, right in saved[i].items():
                    if right is not None:
                        numpy.testing.assert_allclose(
                            numpy.asarray(state[key]), numpy.asarray(right), rtol=1e-9
                        )
        except Exception as error:
            failures.add(text, error)
    failures.report()
