"""What tests of whole training steps share: a run from one seed, optimizers, and the comparison."""

from collections.abc import Callable
from typing import Any

import numpy

import stepgrad as sg
from stepgrad import nn
from stepgrad.nn import functional as F
from stepgrad.tensor import Tensor

STEPS = 4
BATCH, INPUTS, CLASSES = 6, 5, 3


class Run:
    """A model, its optimizer and the batches of some steps, made anew from one seed."""

    def __init__(
        self, make: Callable[[], nn.Module], optimizer: Callable[..., Any], dtype: Any = sg.float64
    ) -> None:
        sg.manual_seed(0)
        self.model = make().to(dtype)
        self.optimizer = optimizer(self.model.parameters())
        random = numpy.random.default_rng(0)
        self.x = [sg.tensor(random.standard_normal((BATCH, INPUTS)), dtype=dtype) for _ in range(STEPS)]
        self.classes = [sg.tensor(random.integers(0, CLASSES, BATCH)) for _ in range(STEPS)]
        self.numbers = [
            sg.tensor(random.uniform(0.1, 0.9, (BATCH, CLASSES)), dtype=dtype) for _ in range(STEPS)
        ]

    def losses(
        self, step: Callable[..., Any], batches: list[tuple[Tensor, ...]], compiled: bool
    ) -> list[Any]:
        f = sg.compile(step) if compiled else step
        sg.manual_seed(1)
        return [f(*batch) for batch in batches]


def sgd(parameters: Any) -> Any:
    return sg.optim.SGD(parameters, lr=0.1)


def assert_the_same(
    make: Callable[[], nn.Module],
    optimizer: Callable[..., Any] = sgd,
    loss: Callable[..., Any] | None = None,
    dtype: Any = sg.float64,
    clip: float | None = None,
) -> None:
    """Losses, parameters, buffers and optimizer state after some steps are the same natively and eagerly."""
    ends = []
    for compiled in (False, True):
        run = Run(make, optimizer, dtype)

        def step(x: Tensor, *targets: Tensor, run: Run = run) -> Tensor:
            run.optimizer.zero_grad()
            outputs = run.model(x)
            value = loss(outputs, *targets) if loss else F.cross_entropy(outputs, targets[0])
            value.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(run.model.parameters(), clip)
            run.optimizer.step()
            return value

        targets = run.numbers if loss in NUMBERS else run.classes
        losses = run.losses(step, list(zip(run.x, targets, strict=True)), compiled)
        ends.append((losses, run.model.state_dict(), states_of(run.optimizer)))
    tolerance = 1e-10 if dtype is sg.float64 else 2e-4
    for native, eager in zip(flat(ends[1]), flat(ends[0]), strict=True):
        numpy.testing.assert_allclose(native, eager, rtol=tolerance, atol=tolerance)


def states_of(optimizer: Any) -> list[Any]:
    return [dict(optimizer.state[p]) for group in optimizer.param_groups for p in group["params"]]


def flat(x: Any) -> list[numpy.ndarray]:
    """The arrays in nested containers."""
    if isinstance(x, Tensor):
        return [x.detach().numpy()]
    if isinstance(x, dict):
        x = [x[key] for key in x]
    return [a for part in x for a in flat(part)] if isinstance(x, (list, tuple)) else []


NUMBERS: list[Any] = []


def numbers(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a loss that compares with numbers rather than with classes."""
    NUMBERS.append(loss)
    return loss


class Lion(sg.optim.Optimizer):
    """A hand-written rule: a step against the sign of the momentum (Chen and others, 2023)."""

    def __init__(self, params: Any, lr: float = 0.01, beta: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "beta": beta})

    @staticmethod
    def start(**_: Any) -> dict[str, float]:
        return {"momentum": 0.0}

    @staticmethod
    def update(xp: Any, p: Any, g: Any, state: Any, step: Any, *, lr: float, beta: float) -> Any:
        m = beta * state["momentum"] + (1 - beta) * g
        return p - lr * xp.tanh(m * 10), {"momentum": m}


class HandWritten(sg.optim.Optimizer):
    """An optimizer as it is written for PyTorch: `step` overridden, state of its own, `p.data` changed in
    place.
    """

    def __init__(self, params: Any, lr: float = 0.05) -> None:
        super().__init__(params, {"lr": lr})

    @sg.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["average"] = sg.zeros_like(p)
                state["average"].mul_(0.9).add_(p.grad)
                p.data.add_(state["average"], alpha=-group["lr"])


OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": lambda p: sg.optim.SGD(p, lr=0.1, weight_decay=0.01),
    "momentum": lambda p: sg.optim.SGD(p, lr=0.1, momentum=0.9),
    "dampened": lambda p: sg.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3),
    "nesterov": lambda p: sg.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: sg.optim.Adam(p, lr=0.02),
    "amsgrad": lambda p: sg.optim.Adam(p, lr=0.02, amsgrad=True),
    "adamw": lambda p: sg.optim.AdamW(p, lr=0.02, weight_decay=0.1),
    "adagrad": lambda p: sg.optim.Adagrad(p, lr=0.1, lr_decay=0.1, weight_decay=0.01),
    "rmsprop": lambda p: sg.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
    "adadelta": lambda p: sg.optim.Adadelta(p, lr=0.5, weight_decay=0.01),
    "adamax": lambda p: sg.optim.Adamax(p, lr=0.02),
    "nadam": lambda p: sg.optim.NAdam(p, lr=0.02, weight_decay=0.1, decoupled_weight_decay=True),
    "radam": lambda p: sg.optim.RAdam(p, lr=0.02, betas=(0.9, 0.7)),
    "rprop": lambda p: sg.optim.Rprop(p, lr=0.02),
    "asgd": lambda p: sg.optim.ASGD(p, lr=0.02, lambd=0.1, t0=1),
    "adafactor": lambda p: sg.optim.Adafactor(p, lr=0.02, weight_decay=0.1),
    "muon": lambda p: sg.optim.Muon([x for x in p if x.ndim == 2], lr=0.02),
    "two groups": lambda p: sg.optim.Adam(
        [{"params": (p := list(p))[:2]}, {"params": p[2:], "lr": 0.1, "betas": (0.5, 0.9)}]
    ),
    "a rule of one's own": Lion,
    "a step of one's own": HandWritten,
}
