"""PyTorch's helpers around training, against PyTorch: parametrizations, hooks, datasets, module names."""

from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError, CaptureError, MissingNameError
from tests.oracle.translate import to_stepgrad

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def torch() -> ModuleType:
    return pytest.importorskip("torch")


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("way", [None, "matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("trivial", [True, False])
def test_orthogonal(torch, shape, way, trivial):
    rows, columns = shape
    layers = []
    for lib in (torch, sg):
        layer = lib.nn.Linear(columns, rows, dtype=lib.float64)
        make = lib.nn.utils.parametrizations.orthogonal
        layers.append(make(layer, orthogonal_map=way, use_trivialization=trivial))
    theirs, ours = layers
    used = way or ("matrix_exp" if rows == columns else "householder")
    assert list(ours.state_dict()) == list(theirs.state_dict())
    found = (ours.weight if rows >= columns else ours.weight.T).detach().numpy()
    np.testing.assert_allclose(found.T @ found, np.eye(min(shape)), atol=1e-10)
    value = RANDOM.normal(size=shape)
    if not trivial and used != "householder":
        for lib, layer in ((torch, theirs), (sg, ours)):
            with pytest.raises(NotImplementedError), lib.no_grad():
                layer.weight = lib.tensor(value)
    elif not trivial:  # the same matrix is trained for the same value
        with torch.no_grad(), sg.no_grad():
            theirs.weight, ours.weight = torch.tensor(value), sg.tensor(value)
        original = ours.parametrizations.weight.original.detach().numpy()
        np.testing.assert_allclose(
            original, theirs.parametrizations.weight.original.detach().numpy(), atol=1e-10
        )
    state = theirs.state_dict()
    if used != "householder":  # whose diagonal has to stay ±1
        state["parametrizations.weight.original"] = torch.tensor(value)
    theirs.load_state_dict(state)
    ours.load_state_dict({key: to_stepgrad(x) for key, x in state.items()})
    np.testing.assert_allclose(ours.weight.detach().numpy(), theirs.weight.detach().numpy(), atol=1e-10)
    slope = RANDOM.normal(size=shape)
    for lib, layer in ((torch, theirs), (sg, ours)):
        (layer.weight * lib.tensor(slope)).sum().backward()
    np.testing.assert_allclose(
        ours.parametrizations.weight.original.grad.numpy(),
        theirs.parametrizations.weight.original.grad.numpy(),
        atol=1e-9,
    )


def test_an_orthogonal_weight_stays_so_in_training():
    sg.manual_seed(0)
    layer = sg.nn.utils.parametrizations.orthogonal(sg.nn.Linear(4, 4, dtype=sg.float64))
    optimizer = sg.optim.SGD(layer.parameters(), lr=0.01)
    x = sg.randn(8, 4, dtype=sg.float64)
    for _ in range(5):
        optimizer.zero_grad()
        (layer(x) ** 4).mean().backward()
        optimizer.step()
    np.testing.assert_allclose((layer.weight @ layer.weight.T).detach().numpy(), np.eye(4), atol=1e-10)


@pytest.mark.parametrize("name", ["SGD", "Adam", "LBFGS"])
def test_hooks_around_a_step(torch, name):
    calls = {}
    for lib in (torch, sg):
        seen = calls[lib.__name__] = []
        w = lib.tensor([1.0, -2.0], requires_grad=True)
        optimizer = getattr(lib.optim, name)([w], lr=0.1)

        def closure(w=w, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (w * w).sum()
            loss.backward()
            return loss

        before = optimizer.register_step_pre_hook(
            lambda o, args, kwargs, seen=seen, w=w: seen.append(("before", len(args) - 1, w.tolist()))
        )
        optimizer.register_step_post_hook(
            lambda o, args, kwargs, seen=seen, w=w: seen.append(("after", np.round(w.tolist(), 5).tolist()))
        )
        optimizer.step(closure)
        before.remove()
        optimizer.step(closure)
    ours, theirs = calls["stepgrad"], calls["torch"]
    assert [call[0] for call in ours] == [call[0] for call in theirs] == ["before", "after", "after"]
    assert ours[0][2] == theirs[0][2]
    np.testing.assert_allclose([c[-1] for c in ours], [c[-1] for c in theirs], atol=1e-4)


def test_a_hook_before_a_step_may_replace_its_arguments_and_compiled_steps_refuse_hooks():
    w = sg.tensor([1.0], requires_grad=True)
    optimizer = sg.optim.SGD([w], lr=0.5)
    w.grad = sg.ones(1)
    with optimizer.register_step_pre_hook(lambda o, args, kwargs: ((lambda: 7,), {})):
        assert optimizer.step() == 7
    handle = optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with handle, pytest.raises(ArgumentError, match=r"a hook before a step returns None, or a pair"):
        optimizer.step()
    assert w.tolist() == [0.5]
    assert optimizer.step() is None

    def step():
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()

    handle = optimizer.register_step_post_hook(lambda *_: None)
    with handle, pytest.raises(CaptureError, match="SGD has hooks around its step"):
        sg.compile(step)()
    sg.compile(step)()


def test_hooks_of_an_optimizer_of_ones_own_are_called_once():
    class Mine(sg.optim.SGD):
        def step(self, closure=None):
            return super().step(closure)

    w, calls = sg.tensor([1.0], requires_grad=True), []
    optimizer = Mine([w], lr=0.5)
    optimizer.register_step_post_hook(lambda *_: calls.append(1))
    w.grad = sg.ones(1)
    optimizer.step()
    assert calls == [1]


def test_stacked_and_chained_datasets(torch):
    found = []
    for lib in (torch, sg):
        data = import_module(f"{lib.__name__}.utils.data")

        class Count(data.IterableDataset):
            def __init__(self, n):
                self.n = n

            def __iter__(self):
                return iter(range(self.n))

            def __len__(self):
                return self.n

        chained = data.ChainDataset([Count(3), Count(2)])
        rows = data.TensorDataset(lib.arange(4))
        stacked = data.StackDataset(rows, range(4))
        named = data.StackDataset(x=range(4), y=rows)
        found.append(
            (
                list(chained), len(chained), len(stacked), stacked[2][0][0].item(), stacked[2][1],
                named[1]["x"], named[1]["y"][0].item(),
                [batch[1].tolist() for batch in data.DataLoader(stacked, batch_size=3)],
                [batch["x"].tolist() for batch in data.DataLoader(named, batch_size=3)],
                [batch.tolist() for batch in data.DataLoader(chained, batch_size=2)],
            )
        )  # fmt: skip
        for wrong in (
            lambda data=data: data.StackDataset(range(2), range(3)),
            lambda data=data: data.StackDataset(),
            lambda data=data: data.StackDataset(range(2), x=range(2)),
        ):
            with pytest.raises(ValueError):
                wrong()
    assert found[0] == found[1]


def test_the_places_of_layers_are_those_of_pytorch(torch):
    names = [
        ("loss", "CrossEntropyLoss"), ("loss", "_Loss"), ("batchnorm", "_BatchNorm"), ("conv", "_ConvNd"),
        ("conv", "Conv2d"), ("utils", "_pair"), ("module", "Module"), ("linear", "Linear"),
        ("container", "Sequential"), ("activation", "ReLU"), ("dropout", "Dropout"), ("rnn", "LSTM"),
    ]  # fmt: skip
    for place, name in names:
        for lib in (torch, sg):
            module = import_module(f"{lib.__name__}.nn.modules.{place}")
            assert getattr(module, name) is getattr(getattr(lib.nn.modules, place), name)
            if not name.startswith("_"):
                assert getattr(module, name) is getattr(lib.nn.modules, name) is getattr(lib.nn, name)
    for value in (3, [3, 5], (1, 2)):
        assert sg.nn.modules.utils._pair(value) == torch.nn.modules.utils._pair(value)

    def kinds(lib: Any, layer: Any) -> list[bool]:
        modules = lib.nn.modules
        bases = (modules.batchnorm._BatchNorm, modules.batchnorm._NormBase, modules.conv._ConvNd)
        return [isinstance(layer, base) for base in (*bases, modules.loss._Loss)]

    for make in (
        lambda nn: nn.BatchNorm2d(2), lambda nn: nn.InstanceNorm2d(2), lambda nn: nn.Conv1d(1, 1, 1),
        lambda nn: nn.ConvTranspose2d(1, 1, 1), lambda nn: nn.MSELoss(), lambda nn: nn.LayerNorm(2),
    ):  # fmt: skip
        assert kinds(sg, make(sg.nn)) == kinds(torch, make(torch.nn))
    with pytest.raises(MissingNameError, match=r"stepgrad.nn has no 'Linaer'. Did you mean 'Linear'"):
        _ = sg.nn.modules.Linaer
    for name in ("DataParallel", "DistributedDataParallel"):
        parallel = getattr(sg.nn.parallel, name)
        assert not isinstance(sg.nn.Linear(1, 1), (sg.nn.DataParallel, parallel))
        with pytest.raises(ArgumentError, match=rf"^{name} .* trains on one machine.*Use the Linear itself"):
            parallel(sg.nn.Linear(1, 1))


def test_checkpoints_give_the_same_gradients(torch):
    found = []
    for lib in (torch, sg):
        checkpoint = import_module(f"{lib.__name__}.utils.checkpoint")
        x = lib.tensor([1.0, -2.0], requires_grad=True)
        y = checkpoint.checkpoint(lambda x, k: (x * x * k).sin(), x, k=3.0, use_reentrant=False)
        z = checkpoint.checkpoint_sequential([lib.nn.Tanh(), lib.nn.Sigmoid()], 2, y, use_reentrant=False)
        z.sum().backward()
        found.append(x.grad.tolist())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


def test_switches_of_backends_are_taken():
    sg.backends.cuda.matmul.allow_tf32 = True
    sg.backends.cudnn.allow_tf32 = True
    sg.backends.cuda.enable_flash_sdp(False)
    with sg.backends.cuda.sdp_kernel(enable_flash=False):
        assert not sg.backends.cuda.flash_sdp_enabled()
    assert not sg.backends.mkl.is_available()


@pytest.mark.parametrize("kind", ["mean", "ema", "multi ema", "multi mean", "buffers", "own"])
def test_averaged_models(torch, kind):
    states = []
    for lib in (torch, sg):
        swa = import_module(f"{lib.__name__}.optim.swa_utils")
        options: dict[str, Any] = {
            "mean": {},
            "ema": {"avg_fn": swa.get_ema_avg_fn(0.9)},
            "multi ema": {"multi_avg_fn": swa.get_ema_multi_avg_fn(0.9)},
            "multi mean": {"multi_avg_fn": swa.get_swa_multi_avg_fn()},
            "buffers": {"use_buffers": True},
            "own": {"avg_fn": lambda a, b, n: a * 0.5 + b * 0.5 + 0 * n},
        }[kind]
        random = np.random.default_rng(0)
        network = lib.nn.Sequential(
            lib.nn.Linear(3, 4), lib.nn.BatchNorm1d(4), lib.nn.Tanh(), lib.nn.Linear(4, 1)
        ).double()
        average = swa.AveragedModel(network, **options)
        for _ in range(4):
            with lib.no_grad():
                for x in [*network.parameters(), network[1].running_mean, network[1].running_var]:
                    x.copy_(lib.tensor(random.normal(size=tuple(x.shape)) ** 2))
            average.update_parameters(network)
        states.append({key: x.numpy() for key, x in average.state_dict().items()})
        batches = [lib.tensor(random.normal(size=(6, 3))) for _ in range(3)]
        average.eval()
        swa.update_bn([(x, 0) for x in batches], average)
        assert not average.training
        assert average.module[1].momentum == 0.1
        states[-1]["mean"] = average.module[1].running_mean.numpy()
        states[-1]["var"] = average.module[1].running_var.numpy()
        states[-1]["output"] = average(batches[0]).detach().numpy()
    theirs, ours = states
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        # PyTorch divides by n as float32 there.
        np.testing.assert_allclose(ours[key], value, rtol=1e-6 if kind == "multi mean" else 1e-9, err_msg=key)
        assert ours[key].dtype == value.dtype


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 1, 4])
def test_the_schedule_of_averaging(torch, strategy, epochs):
    found = []
    for lib in (torch, sg):
        weights = [lib.zeros(2, requires_grad=True) for _ in range(2)]
        optimizer = lib.optim.SGD([{"params": [weights[0]]}, {"params": [weights[1]], "lr": 0.5}], lr=1.0)
        first = lib.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        swa = lib.optim.swa_utils.SWALR(
            optimizer, [0.05, 0.2], anneal_epochs=epochs, anneal_strategy=strategy
        )
        rates = [[group["lr"] for group in optimizer.param_groups]]
        for step in range(8):
            optimizer.step()
            (first if step < 2 else swa).step()
            rates.append([group["lr"] for group in optimizer.param_groups])
        found.append(rates)
        for wrong in (
            lambda lib=lib, o=optimizer: lib.optim.swa_utils.SWALR(o, 0.1, anneal_strategy="sin"),
            lambda lib=lib, o=optimizer: lib.optim.swa_utils.SWALR(o, 0.1, anneal_epochs=-1),
            lambda lib=lib, o=optimizer: lib.optim.swa_utils.SWALR(o, [0.1]),
            lambda lib=lib: lib.optim.swa_utils.get_ema_avg_fn(1.5),
        ):
            with pytest.raises(ValueError):
                wrong()
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
