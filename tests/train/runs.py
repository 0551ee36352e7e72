"""Small training runs that the tests share, and everything that their future depends on as bytes."""

import numpy as np

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.arrays.random import get_rng_state


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
