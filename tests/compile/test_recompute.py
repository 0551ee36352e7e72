"""Cheap values are computed again where they are used, if what they are made of lies in memory there."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.compile import assemble
from stepgrad.compile.assemble import Native
from stepgrad.tensor import Tensor
from tests.compile.changes import CHANGES

ROWS = numpy.random.default_rng(0).normal(size=(8, 6)).astype("float32")


def native_of(step: Callable[..., Any], *tensors: Tensor) -> tuple[Native, Any]:
    """The native code of a step after its second call, and what that returned."""
    f = sg.compile(step)
    f(*tensors)
    result = f(*tensors)
    assert not f.runs_eagerly
    return f.programs[-1].native, result


def stored(native: Native) -> list[str]:
    """The names of the operations whose results some kernel writes to memory."""
    return [value.op.name for targets in native.placement.targets.values() for value, _ in targets]


def in_arena(native: Native) -> list[Any]:
    """The values that lie between kernels."""
    pairs = [pair for targets in native.placement.targets.values() for pair in targets]
    return [value for value, buffer in pairs if buffer.storage.kind == "scratch"]


def training(activation: nn.Module, dtype: Any = sg.float32) -> tuple[nn.Module, Callable[..., Any]]:
    """A network with two hidden layers, and its training step."""
    sg.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 16), activation, nn.Linear(16, 16), activation, nn.Dropout(0.25), nn.Linear(16, 1)
    ).to(dtype)
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    def step(x: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def storing(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, nothing is computed again."""
    monkeypatch.setattr(assemble, "computed_again", lambda clusters, outputs, writes: clusters)


def test_the_mask_of_a_relu_is_not_stored(monkeypatch: pytest.MonkeyPatch):
    """It is computed from the result; where that is not stored, and for dropout, the mask is, as booleans."""

    def between(native: Native) -> list[tuple[str, str]]:
        of_layers = [value for value in in_arena(native) if value.shape == (8, 16)]
        return sorted((value.op.name, value.dtype.name) for value in of_layers)

    x = sg.tensor(ROWS)
    native, _ = native_of(training(nn.ReLU())[1], x)
    # The first layer's result; random numbers and whether one is kept; the second layer's mask, and its
    # result after dropout; the gradients before the activations.
    assert between(native) == [
        ("ge", "bool"), ("mul", "float32"), ("mul", "float32"), ("mul", "float32"), ("ne", "bool"),
        ("rand", "float32"), ("relu", "float32"),
    ]  # fmt: skip
    storing(monkeypatch)
    as_before, _ = native_of(training(nn.ReLU())[1], x)
    assert [kind for kind in between(as_before) if kind not in between(native)] == [("cast", "float32")] * 2
    assert as_before.placement.arena_bytes > native.placement.arena_bytes


def test_masks_are_seen_through_views(monkeypatch: pytest.MonkeyPatch):
    """A convolution's gradient meets the mask of its ReLU in another shape: it is made of booleans in that
    shape.
    """
    images = sg.tensor(numpy.random.default_rng(0).normal(size=(4, 2, 6, 6)).astype("float32"))
    sizes, ends = [], []
    for _ in range(2):
        sg.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(2, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(144, 1)
        )
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x: Tensor, model: nn.Module = model, optimizer: Any = optimizer) -> Tensor:
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        native, loss = native_of(step, images)
        sizes.append(native.placement.arena_bytes)
        ends.append([loss.item(), *(p.tolist() for p in model.parameters())])
        masks = [v.dtype for v in in_arena(native) if v.op.name in ("cast", "ne") and v.size == 4 * 36 * 16]
        assert masks == ["float32" if len(ends) == 2 else "bool"]
        storing(monkeypatch)
    assert sizes[0] < sizes[1]
    assert ends[0] == ends[1]


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Sigmoid(), nn.Tanh(), nn.Hardtanh(), nn.LeakyReLU()])
@pytest.mark.parametrize("dtype", [sg.float32, sg.float64], ids=["float32", "float64"])
def test_bits_are_those_of_stored_values(monkeypatch: pytest.MonkeyPatch, activation: nn.Module, dtype: Any):
    x, ends = sg.tensor(ROWS, dtype=dtype), []
    for _ in range(2):
        model, step = training(activation, dtype)
        compiled = sg.compile(step)
        losses = [compiled(x).item() for _ in range(4)]
        ends.append([losses, *(p.tolist() for p in model.parameters())])
        storing(monkeypatch)
    assert ends[0] == ends[1]


def test_what_is_overwritten_in_between_is_not_read_again():
    w = sg.tensor(ROWS[:, 0])
    expected = w._array.copy()

    def changing(x: Tensor) -> Tensor:
        with sg.no_grad():
            twice = w * 2
            w.sub_(twice.sum())
            return twice * w.sum()

    f = sg.compile(changing)
    for _ in range(3):
        found = f(sg.zeros(1))
        twice = expected * 2
        expected = expected - twice.sum()
        numpy.testing.assert_allclose(found._array, twice * expected.sum(), rtol=1e-5)
    numpy.testing.assert_allclose(w._array, expected, rtol=1e-5)
    assert "mul" in [value.op.name for value in in_arena(f.programs[-1].native)]

    def keeping(x: Tensor) -> Tensor:
        with sg.no_grad():
            twice = w * 2
            return twice * (w - twice.sum()).sum()

    native, _ = native_of(keeping, sg.zeros(1))
    assert "mul" not in [value.op.name for value in in_arena(native)]


def test_two_arrays_are_not_read_for_one():
    """A product of two arguments is stored for the second kernel that uses it; its double is not."""
    a, b = sg.tensor(ROWS), sg.tensor(ROWS + 1)

    def step(a: Tensor, b: Tensor) -> Tensor:
        return (a * b) * (a * b).sum()

    native, _ = native_of(step, a, b)
    assert [value.op.name for value in in_arena(native)] == ["mul", "sum"]
    native, _ = native_of(lambda a, b: (a * b * 2) * (a * b).sum() * (a * b * 2).amax(), a, b)
    assert [str(value.op.name) for value in in_arena(native) if value.shape].count("mul") == 1


@pytest.mark.parametrize("rows", [8, 600])
def test_a_result_is_stored_and_its_mask_computed_from_it(rows: int):
    """Unless that is much to read: then booleans are stored besides."""

    def step(x: Tensor) -> tuple[Tensor, Tensor]:
        y = x.exp() - 1
        mask = (y > 0).float()
        return y, mask.sum(0) * mask.sum(1).sum()

    x = numpy.random.default_rng(0).normal(size=(rows, 512)).astype("float32")
    native, (y, total) = native_of(step, sg.tensor(x))
    between = [value.dtype for value in in_arena(native) if value.shape == y.shape]
    assert between == ([] if rows == 8 else ["bool"])
    mask = (x > 0).astype("float32")
    numpy.testing.assert_array_equal(total._array, mask.sum(0) * mask.sum())


def test_costly_values_are_stored():
    def step(x: Tensor) -> Tensor:
        return x.exp() * x.exp().sum()

    native, _ = native_of(step, sg.tensor(ROWS))
    assert "exp" in stored(native)


@pytest.mark.parametrize("name", CHANGES)
def test_changes_in_place(monkeypatch: pytest.MonkeyPatch, name: str):
    """The same bits and no more memory than where all is stored."""
    step, shapes = CHANGES[name]
    found = []
    for _ in range(2):
        random = numpy.random.default_rng(1)
        tensors = [sg.tensor(random.normal(size=shape)) for shape in shapes]
        f = sg.compile(sg.no_grad()(step))
        results = [f(*tensors) for _ in range(2)]
        found.append(
            ([sg.stack([r]) for r in flat(results)] + tensors, f.programs[-1].native.placement.arena_bytes)
        )
        storing(monkeypatch)
    (mine, small), (others, large) = found
    assert small <= large
    for a, b in zip(mine, others, strict=True):
        numpy.testing.assert_array_equal(a._array, b._array)


def flat(x: Any) -> list[Tensor]:
    """The tensors in nested lists and tuples."""
    return [x] if isinstance(x, Tensor) else [t for part in x or () for t in flat(part)]
