"""What compiled code cannot follow: the step is compiled anew, or trains eagerly, and always right."""

import logging
import random
import warnings

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.autograd import Function
from stepgrad.compile.follow.sources import Sources
from stepgrad.data import DataLoader, TensorDataset
from stepgrad.train import LambdaCallback
from stepgrad.train.watch import TrainerWatch
from tests.train.runs import assert_alike, bits, both, losses, plain_net, rich_net, table, trainer_of


class Doubled(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


class WithFunction(nn.Linear):
    def forward(self, x):
        return Doubled.apply(super().forward(x))


class LooksAtValues(nn.Linear):
    def forward(self, x):
        y = super().forward(x)
        return y * 2 if y.sum().item() > 0 else y


class Masks(nn.Linear):
    def forward(self, x):
        y = super().forward(x)
        return y - y[y > 0].mean()


class Counts(nn.Linear):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) / self.calls


class ReplacesBuffer(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.register_buffer("mean", sg.zeros(4))

    def forward(self, x):
        if self.training:
            self.mean = self.mean * 0.9 + x.mean(0).detach() * 0.1
        return super().forward(x - self.mean)


class Remembers(nn.Linear):
    def forward(self, x):
        self.seen = super().forward(x)
        return self.seen


class FlipsCoins(nn.Linear):
    def forward(self, x):
        return super().forward(x) * (2.0 if random.random() < 0.5 else 0.5)


class AsksNumpy(nn.Linear):
    def forward(self, x):
        return super().forward(x) * float(np.random.normal())  # noqa: NPY002 - what people do


class OwnGenerator(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.draws = sg.Generator().manual_seed(3)

    def forward(self, x):
        return super().forward(x + 0.1 * sg.rand(*x.shape, generator=self.draws))


class OwnStep(optim.SGD):
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.data = p.data - 0.1 * p.grad


REASONS = {
    WithFunction: "Doubled",
    LooksAtValues: r"\.item\(\)",
    Masks: "mask|index|values",
    Counts: r"the step changes calls of the model \(Counts\)",
    ReplacesBuffer: "the step keeps a tensor that it made",
    Remembers: "the step keeps a tensor that it made",
    FlipsCoins: "the step reads random numbers of random, which",
    AsksNumpy: r"the step reads random numbers of numpy\.random, which",
    OwnGenerator: "a Generator of one's own",
}


@pytest.mark.parametrize("kind", REASONS, ids=lambda kind: kind.__name__)
def test_what_cannot_be_compiled_trains_eagerly_with_one_warning(kind):
    def run(compiled):
        sg.manual_seed(0)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        trainer = trainer_of(kind(4, 3), compile=compiled)
        trainer.fit(table(), epochs=2, batch_size=16)
        trainer.fit(table(), epochs=1, batch_size=16)
        return trainer

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        native = run(True)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=f"training runs eagerly: .*({REASONS[kind]})"):
        warnings.warn(caught[0].message, stacklevel=1)
    eager = run(False)
    assert losses(native) == losses(eager)
    assert bits(native) == bits(eager)


def test_an_optimizer_with_a_step_of_its_own_trains_eagerly():
    trainers = []
    for compiled in (True, False):
        trainer = trainer_of(plain_net(), OwnStep, compile=compiled)
        if compiled:
            with pytest.warns(UserWarning, match=r"eagerly: OwnStep has a step\(\) of its own"):
                trainer.fit(table(), epochs=2)
        else:
            trainer.fit(table(), epochs=2)
        trainers.append(trainer)
    assert bits(trainers[0]) == bits(trainers[1])


def test_hooks_are_called_in_every_step():
    net, calls = plain_net(), []
    net[0].register_forward_hook(lambda module, args, output: calls.append(output.shape[0]))
    trainer = trainer_of(net)
    with pytest.warns(UserWarning, match="eagerly: Linear has a hook"):
        trainer.fit(table(), epochs=1, batch_size=16)
    assert calls == [16, 16, 16]


def test_other_reasons_to_train_eagerly_are_logged(caplog):
    x, y = table()
    samples = [(x[i], y[i]) for i in range(48)]
    own = DataLoader(
        TensorDataset(x, y), batch_size=16, collate_fn=lambda rows: [sg.stack(p) for p in zip(*rows)]
    )
    with caplog.at_level(logging.INFO, "stepgrad"):
        trainer_of(plain_net()).fit(samples, epochs=1)
        trainer_of(plain_net()).fit(own, epochs=1)
    assert "training eagerly: the data are fetched one by one (list)" in caplog.text
    assert "training eagerly: the loader has a collate_fn of its own" in caplog.text


# --------------------------------------------------------------------- changes between steps


@pytest.fixture(scope="module")
def unchanged():
    """The history of a native run in which nothing is changed."""
    return both(rich_net)[0].history


def changed(change):
    """Train natively and eagerly with a callback that changes something after the second epoch."""

    def after_two(trainer):
        if trainer.epoch == 2:
            change(trainer)

    callbacks = [LambdaCallback(on_epoch_end=after_two)]
    return both(rich_net, callbacks=callbacks)


def freeze(trainer):
    trainer.model[0].requires_grad_(False)


def drop_more(trainer):
    trainer.model[3].p = 0.8


def decay(trainer):
    trainer.optimizer.param_groups[0]["weight_decay"] = 0.3


def clip(trainer):
    trainer.clip_norm = 0.05


def slow(trainer):
    trainer.optimizer.param_groups[0]["lr"] = 1e-4


def forget_momentum(trainer):
    trainer.optimizer.state.clear()


def reload(trainer):
    trainer.optimizer.load_state_dict(trainer.optimizer.state_dict())


def put_other_weights(trainer):
    trainer.model.load_state_dict(rich_net(5).state_dict())


def replace_layer(trainer):
    trainer.model[2] = nn.Sigmoid()


@pytest.mark.parametrize(
    "change",
    [freeze, drop_more, decay, clip, slow, forget_momentum, reload, put_other_weights, replace_layer],
    ids=lambda change: change.__name__,
)
def test_native_steps_follow_what_changes_between_them(change, unchanged):
    native, eager = changed(change)
    assert_alike(native, eager, 2e-3)
    assert native.history["loss"][:2] == unchanged["loss"][:2]
    assert (native.history["loss"][2:] == unchanged["loss"][2:]) is (change is reload)


def test_a_module_that_is_switched_to_another_mode():
    def switch(trainer):
        if trainer.step in (4, 5):  # in the second epoch
            trainer.model[3].train(trainer.step == 5)

    native, eager = both(rich_net, callbacks=[LambdaCallback(on_batch_end=switch)])
    assert_alike(native, eager, 1e-3)


def test_a_fault_of_the_compiler_is_told(monkeypatch):
    def fail(capture):
        raise AssertionError("no place for this value")

    monkeypatch.setattr("stepgrad.compile.compiled.Compiled", fail)
    trainer = trainer_of(rich_net())
    with pytest.warns(
        UserWarning, match=r"eagerly: AssertionError while the step was compiled: no place for this"
    ):
        trainer.fit(table(), epochs=2, batch_size=16)
    monkeypatch.undo()
    found = bits(trainer)
    eager = trainer_of(rich_net(), compile=False)
    eager.fit(table(), epochs=2, batch_size=16)
    assert bits(eager) == found


def test_parameters_that_the_optimizer_lacks():
    def last_layer(params):
        return optim.SGD([*params][2:], lr=0.1)

    native, eager = both(plain_net, last_layer, clip_norm=0.5)
    assert_alike(native, eager)
    assert (native.model[0].weight == plain_net()[0].weight).all()


def test_a_module_that_stays_in_evaluation_mode():
    class Frozen(nn.BatchNorm1d):
        def train(self, mode=True):
            return super().train(False)

    def net():
        sg.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), Frozen(8), nn.Tanh(), nn.Linear(8, 3))

    native, eager = both(net)
    assert_alike(native, eager)
    assert native.model[1].num_batches_tracked.item() == 0


# ------------------------------------------------------------------------------------- the parts


class Thing(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.register_buffer("seen", sg.zeros(2))
        self.number, self.text, self.pair = 1.5, "x", (1, [2.0])
        self.list, self.table = [1, 2], {"a": 1.0}
        self.draws = sg.Generator().manual_seed(1)
        self.array = np.zeros(2)

    def forward(self, x):
        read = [self.number, self.text, self.pair, self.list, self.table, self.draws, self.array]
        assert not hasattr(self, "new")
        return self.inner(x) + 0 * len(read)


def a_watch():
    thing = Thing()
    trainer = sg.Trainer(
        thing, nn.MSELoss(), optim.SGD(thing.parameters(), lr=0.1), clip_norm=1.0, progress=False
    )
    watch = TrainerWatch(trainer, list(thing.modules()))
    watch.noting(thing)(sg.zeros(1, 2))
    assert watch.finish() == ""
    return trainer, thing, watch


CHANGES = {
    "number of the model (Thing)": lambda trainer, thing: setattr(thing, "number", 1.6),
    "text of the model (Thing)": lambda trainer, thing: setattr(thing, "text", "y"),
    "pair of the model (Thing)": lambda trainer, thing: setattr(thing, "pair", (1, [3.0])),
    "entry 2 of list": lambda trainer, thing: thing.list.append(3),
    "a of table": lambda trainer, thing: thing.table.update(a=2.0),
    "array of the model (Thing)": lambda trainer, thing: setattr(thing, "array", np.zeros(2)),
    "numbers of array": lambda trainer, thing: thing.array.fill(1),
    "new of the model (Thing)": lambda trainer, thing: setattr(thing, "new", 1),
    "text of the model (Thing) ": lambda trainer, thing: delattr(thing, "text"),
    "seen of the model (Thing)": lambda trainer, thing: setattr(thing, "seen", sg.zeros(2)),
    "inner of the model (Thing)": lambda trainer, thing: setattr(thing, "inner", nn.Linear(2, 2)),
    "bias of inner (Linear)": lambda trainer, thing: setattr(thing.inner, "bias", None),
    "entry 0 of forward_hooks of inner (Linear)": lambda trainer, thing: thing.inner.register_forward_hook(
        print
    ),
    "which parameters are trained": lambda trainer, thing: thing.inner.weight.requires_grad_(False),
    "momentum of the optimizer (SGD)": lambda trainer, thing: trainer.optimizer.param_groups[0].update(
        momentum=0.5
    ),
    "entry 1 of the groups of the optimizer (SGD)": lambda trainer, thing: trainer.optimizer.add_param_group(
        {"params": [sg.zeros(1, requires_grad=True)]}
    ),
    "the model, loss, optimizer or clipping": lambda trainer, thing: setattr(trainer, "clip_norm", 2.0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_watched(name):
    trainer, thing, watch = a_watch()
    assert watch.change() == ""
    CHANGES[name](trainer, thing)
    assert watch.change() == name.strip()


def test_what_may_change():
    trainer, thing, watch = a_watch()
    thing.eval()
    thing.seen.add_(1)
    thing.number = 1.0 + 0.5
    trainer.optimizer.param_groups[0]["lr"] = 3.0
    thing.draws.random()
    assert watch.change() == ""


def test_attributes_are_put_back():
    _, thing, watch = a_watch()
    before = thing.seen
    numbers = thing.draws.get_state()
    thing.number, thing.new, thing.seen = 7, 8, sg.ones(2)
    thing.list.append(3)
    thing.table.clear()
    thing.draws.random()
    del thing.text
    watch.restore()
    assert watch.change() == ""
    assert (thing.number, thing.list, thing.table, thing.text) == (1.5, [1, 2], {"a": 1.0}, "x")
    assert thing.seen is before
    assert not hasattr(thing, "new")
    assert thing.draws.get_state() == numbers


@pytest.mark.parametrize(
    "draw",
    [
        random.random,
        np.random.random,
        np.random.normal,
        (own := random.Random(3)).random,
        (of_numpy := np.random.default_rng(3)).random,
        (legacy := np.random.RandomState(3)).normal,
    ],
)
def test_random_numbers_of_others_are_put_back(draw):
    draw()
    sources = Sources()
    for generator in (own, of_numpy, legacy):
        sources.add(generator, "generator")
    assert not sources.read(set())
    number = draw()
    assert sources.read(set()).startswith("random numbers of ")
    sources.restore()
    assert not sources.read(set())
    assert draw() == number
