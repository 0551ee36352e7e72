"""Whole training steps in native code against eager: the same numbers, step after step."""

import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.nn import functional as F
from stepgrad.tensor import Tensor
from tests.compile.compiled import vectors_of
from tests.compile.steps import CLASSES, INPUTS, OPTIMIZERS, Run, assert_the_same, flat, numbers, sgd

# ---------------------------------------------------------------------------------------------- layers

ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "gelu by tanh": lambda: nn.GELU(approximate="tanh"),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "logsigmoid": nn.LogSigmoid,
    "softplus": nn.Softplus,
    "softmax": lambda: nn.Softmax(1),
    "log_softmax": lambda: nn.LogSoftmax(1),
    "threshold": lambda: nn.Threshold(0.1, -0.2),
    "hardtanh": nn.Hardtanh,
    "relu6": nn.ReLU6,
    "hardsigmoid": nn.Hardsigmoid,
    "hardswish": nn.Hardswish,
    "celu": nn.CELU,
    "selu": nn.SELU,
    "mish": nn.Mish,
    "softsign": nn.Softsign,
    "hardshrink": lambda: nn.Hardshrink(0.1),
    "softshrink": lambda: nn.Softshrink(0.1),
    "tanhshrink": nn.Tanhshrink,
    "softmin": lambda: nn.Softmin(1),
    "rrelu": nn.RReLU,
}
# One halves its input, one is for images (tests/nn/test_every_layer.py); a step has no derivative.
OTHER_ACTIVATIONS = {nn.GLU, nn.Softmax2d, nn.Step}


def test_every_activation_there_is_is_tested():
    from stepgrad.nn import activation, softmaxes

    every = [c for module in (activation, softmaxes) for c in vars(module).values() if isinstance(c, type)]
    own = {activation.__name__, softmaxes.__name__}
    classes = {c for c in every if issubclass(c, nn.Module) and c.__module__ in own}
    tested = {type(make()) for make in ACTIVATIONS.values()}
    assert tested == classes - OTHER_ACTIVATIONS - {activation.ActivationFunction}


@pytest.mark.parametrize(
    "names", [list(ACTIVATIONS)[i : i + 4] for i in range(0, len(ACTIVATIONS), 4)], ids=" ".join
)
def test_activations(names: list[str]):
    def make() -> nn.Module:
        layers = [layer for name in names for layer in (nn.Linear(INPUTS, INPUTS), ACTIVATIONS[name]())]
        return nn.Sequential(*layers, nn.Linear(INPUTS, CLASSES))

    assert_the_same(make)


LAYERS: dict[str, Callable[[], list[nn.Module]]] = {
    "batch norm": lambda: [nn.BatchNorm1d(7)],
    "batch norm without weights": lambda: [nn.BatchNorm1d(7, affine=False, momentum=0.3)],
    "batch norm without statistics": lambda: [nn.BatchNorm1d(7, track_running_stats=False)],
    "layer norm": lambda: [nn.LayerNorm(7)],
    "layer norm without weights": lambda: [nn.LayerNorm(7, elementwise_affine=False)],
    "dropout": lambda: [nn.Dropout(0.3), nn.ReLU(), nn.Dropout(0.5)],
    "all": lambda: [nn.BatchNorm1d(7), nn.GELU(), nn.Dropout(0.2), nn.LayerNorm(7)],
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str):
    assert_the_same(lambda: nn.Sequential(nn.Linear(INPUTS, 7), *LAYERS[name](), nn.Linear(7, CLASSES)))


@pytest.mark.parametrize("width", [16, 32])
def test_narrow_vectors(width: int):
    with vectors_of(width):
        assert_the_same(lambda: nn.Sequential(nn.Linear(INPUTS, 7), *LAYERS["all"](), nn.Linear(7, CLASSES)))


@pytest.mark.parametrize("bias", [False, True])
def test_float32_and_linear_without_bias(bias: bool):
    def make() -> nn.Module:
        return nn.Sequential(
            nn.Linear(INPUTS, 19, bias=bias), nn.Tanh(), nn.Dropout(0.1), nn.Linear(19, CLASSES, bias=bias)
        )

    assert_the_same(make, dtype=sg.float32)


def test_embeddings():
    sizes = {"plain": {}, "padded": {"padding_idx": 1}}

    class Words(nn.Module):
        def __init__(self, **options: Any) -> None:
            super().__init__()
            self.embedding = nn.Embedding(4, 3, **options)
            self.linear = nn.Linear(3 * 2 + INPUTS, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            words = (x[:, :2].abs() * 2).long() % 4
            return self.linear(sg.cat([self.embedding(words).flatten(1), x], 1))

    for options in sizes.values():
        assert_the_same(lambda options=options: Words(**options))


# ---------------------------------------------------------------------------------------------- losses

LOSSES: dict[str, Callable[..., Any]] = {
    "cross entropy": nn.CrossEntropyLoss(),
    "cross entropy, weighted and smoothed": nn.CrossEntropyLoss(
        sg.tensor([0.5, 1.0, 2.0], dtype=sg.float64), label_smoothing=0.1
    ),
    "cross entropy, one class ignored": nn.CrossEntropyLoss(ignore_index=1, reduction="sum"),
    "negative log-likelihood": lambda y, t: nn.NLLLoss()(y.log_softmax(1), t),
    "cross entropy with probabilities": numbers(lambda y, t: F.cross_entropy(y, t)),
    "mean squared": numbers(nn.MSELoss()),
    "absolute": numbers(nn.L1Loss(reduction="sum")),
    "huber": numbers(nn.HuberLoss(delta=0.3)),
    "smooth absolute": numbers(nn.SmoothL1Loss(beta=0.3)),
    "binary": numbers(lambda y, t: nn.BCELoss()(y.sigmoid(), t)),
    "binary with logits": numbers(nn.BCEWithLogitsLoss()),
    "binary with logits, weighted": numbers(
        nn.BCEWithLogitsLoss(pos_weight=sg.tensor([2.0, 1.0, 0.5], dtype=sg.float64))
    ),
    "hand-written": numbers(lambda y, t: ((y - t).abs() + 0.1).log().pow(2).mean() + 0.01 * y.std()),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str):
    assert_the_same(
        lambda: nn.Sequential(nn.Linear(INPUTS, 4), nn.Tanh(), nn.Linear(4, CLASSES)), loss=LOSSES[name]
    )


# ------------------------------------------------------------------------------------------ optimizers


@pytest.mark.parametrize("dtype", [sg.float64, sg.float32])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str, dtype: Any):
    assert_the_same(
        lambda: nn.Sequential(nn.Linear(INPUTS, 4), nn.Tanh(), nn.Linear(4, CLASSES)),
        OPTIMIZERS[name],
        dtype=dtype,
    )


@pytest.mark.parametrize("limit", [0.05, 100.0])
def test_clipping_inside_the_step(limit: float):
    def make() -> nn.Module:
        # No bias before the batch norm, which takes it out: Adam makes steps of its rounding errors.
        first = nn.Linear(INPUTS, 4, bias=False)
        return nn.Sequential(first, nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, CLASSES))

    assert_the_same(make, OPTIMIZERS["adam"], clip=limit)


def test_a_hand_written_update():
    ends = []
    for compiled in (False, True):
        run = Run(lambda: nn.Linear(INPUTS, CLASSES), sgd)

        def step(x: Tensor, t: Tensor, run: Run = run) -> Tensor:
            loss = F.cross_entropy(run.model(x), t)
            gradients = sg.autograd.grad(loss, list(run.model.parameters()))
            with sg.no_grad():
                for p, g in zip(run.model.parameters(), gradients, strict=True):
                    p -= 0.1 * g
            return loss

        ends.append(
            (run.losses(step, list(zip(run.x, run.classes, strict=True)), compiled), run.model.state_dict())
        )
    for native, eager in zip(flat(ends[1]), flat(ends[0]), strict=True):
        numpy.testing.assert_allclose(native, eager, rtol=1e-10)


def test_gradients_through_gradients():
    """A penalty on the gradient with respect to the inputs: derivatives of derivatives in one native step."""
    ends = []
    for compiled in (False, True):
        run = Run(lambda: nn.Sequential(nn.Linear(INPUTS, 4), nn.Tanh(), nn.Linear(4, 1)), OPTIMIZERS["adam"])

        def step(x: Tensor, run: Run = run) -> Tensor:
            run.optimizer.zero_grad()
            inputs = x.detach().requires_grad_()
            y = run.model(inputs).sum()
            (g,) = sg.autograd.grad(y, inputs, create_graph=True)
            loss = y.square() + ((g * g).sum(1).sqrt() - 1).square().mean()
            loss.backward()
            run.optimizer.step()
            return loss

        ends.append((run.losses(step, [(x,) for x in run.x], compiled), run.model.state_dict()))
    for native, eager in zip(flat(ends[1]), flat(ends[0]), strict=True):
        numpy.testing.assert_allclose(native, eager, rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------------------------------------- models


class TwoInputsTwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(INPUTS, 4), nn.Linear(CLASSES, 4)
        self.first, self.second = nn.Linear(4, CLASSES), nn.Linear(4, 1)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        h = (self.left(x) * self.right(y)).tanh()
        return self.first(h), self.second(h).squeeze(1)


def test_two_inputs_and_two_heads():
    ends = []
    for compiled in (False, True):
        run = Run(TwoInputsTwoHeads, OPTIMIZERS["adam"])

        def step(x: Tensor, y: Tensor, t: Tensor, run: Run = run) -> dict[str, Any]:
            run.optimizer.zero_grad()
            a, b = run.model(x, y)
            losses = F.cross_entropy(a, t), F.mse_loss(b, y[:, 0])
            total = losses[0] + 0.5 * losses[1]
            total.backward()
            run.optimizer.step()
            return {"total": total, "losses": losses, "outputs": [a, b], "name": "step"}

        batches = list(zip(run.x, run.numbers, run.classes, strict=True))
        ends.append((run.losses(step, batches, compiled), run.model.state_dict()))
    assert all(result["name"] == "step" for result in ends[1][0])
    for native, eager in zip(flat(ends[1]), flat(ends[0]), strict=True):
        numpy.testing.assert_allclose(native, eager, rtol=1e-10, atol=1e-12)


class Residual(nn.Module):
    """Blocks that add to what they are given; two of them have the same weights."""

    def __init__(self) -> None:
        super().__init__()
        self.start, self.end = nn.Linear(INPUTS, 6), nn.Linear(6, CLASSES)
        self.block = nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 6), nn.GELU(), nn.Linear(6, 6))
        self.scale = nn.Parameter(sg.ones(6))

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(x)
        for _ in range(3):
            x = x + self.scale * self.block(x)
        # The first weight is the last one's factor as well.
        return self.end(x) + (x @ self.start.weight)[:, :CLASSES]


def test_a_residual_model_with_shared_weights():
    assert_the_same(Residual, OPTIMIZERS["adam"], clip=1.0)


class Convolved(nn.Module):
    """Attention over the columns of the input: batched products, softmax, views in between."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Linear(1, 12), nn.Linear(INPUTS * 4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.embed(x.unsqueeze(2)).reshape(len(x), INPUTS, 3, 4).permute(2, 0, 1, 3).unbind(0)
        weights = (q @ k.transpose(1, 2) / math.sqrt(4)).softmax(2)
        return self.out((weights @ v).flatten(1))


def test_attention():
    assert_the_same(Convolved, OPTIMIZERS["adamw"])
