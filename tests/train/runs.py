"""Small training runs that the tests share, and everything that their future depends on as bytes."""

import numpy as np

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.arrays.random import get_rng_state
from stepgrad.data import Dataset
from stepgrad.train.native import NativeSteps


def table(rows=48, columns=4, classes=3, seed=0):
    """Rows of numbers (float32) and classes (int64) that follow from them."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(rows, columns)).astype("float32")
    y = (x @ generator.normal(size=(columns, classes))).argmax(axis=1)
    return sg.from_numpy(x), sg.from_numpy(y)


def plain_net(seed=0):
    """4 numbers → 3 classes."""
    sg.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


def rich_net(seed=0):
    """4 numbers → 3 classes, with everything that has a state: dropout, running statistics."""
    sg.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4), nn.Tanh(), nn.Dropout(0.3), nn.Linear(4, 3)
    )


def trainer_of(net, make_optimizer=None, **options):
    """A Trainer of a classifier that says nothing."""
    optimizer = (make_optimizer or (lambda params: optim.Adam(params, lr=0.01)))(net.parameters())
    return sg.Trainer(net, nn.CrossEntropyLoss(), optimizer, **{"progress": False, **options})


def bits(trainer):
    """All that the future of a run depends on: weights, buffers, optimizer state, rates, random streams."""
    numbers = {p: i for i, p in enumerate(trainer.model.parameters())}
    state = {
        (numbers[p], name): value._array.tobytes() if isinstance(value, sg.Tensor) else value
        for p, own in trainer.optimizer.state.items()
        for name, value in own.items()
    }
    weights = {name: t._array.tobytes() for name, t in trainer.model.state_dict().items()}
    rates = [group["lr"] for group in trainer.optimizer.param_groups]
    return weights, state, rates, get_rng_state()


def losses(trainer):
    """The history without the seconds, which differ."""
    return [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in trainer.history]


def eager(make_net=plain_net, make_optimizer=None, **options):
    """A Trainer that takes eager steps."""
    return trainer_of(make_net(), make_optimizer, compile=False, **options)


class Samples(Dataset):
    """Rows one by one."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Noisy(Samples):
    """Rows one by one, with noise of their own."""

    def __getitem__(self, i):
        return self.x[i] + 0.1 * sg.randn(4), self.y[i]


def is_native(trainer):
    """Whether the steps of the last fit were compiled."""
    return isinstance(trainer._steps, NativeSteps) and bool(trainer._steps._compiled)


def both(make_net, make_optimizer=None, data=None, fit=None, **options):
    """Train natively and eagerly, from the same start; return both trainers."""
    trainers, states = [], []
    for compiled in (True, False):
        trainer = trainer_of(make_net(), make_optimizer, compile=compiled, **options)
        trainer.fit(table() if data is None else data, **{"epochs": 4, "batch_size": 16, **(fit or {})})
        trainers.append(trainer)
        states.append(sg.get_rng_state())
    native, eager = trainers
    assert states[0] == states[1]
    assert is_native(native)
    assert not is_native(eager)
    return native, eager


def assert_alike(native, eager, tolerance=1e-4):
    """The same steps were taken: equal counts and random numbers, losses and weights but for rounding."""
    assert native.step == eager.step
    np.testing.assert_allclose(native.history["loss"], eager.history["loss"], rtol=tolerance)
    for (name, a), b in zip(native.model.state_dict().items(), eager.model.state_dict().values()):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=tolerance, atol=tolerance, err_msg=name)
