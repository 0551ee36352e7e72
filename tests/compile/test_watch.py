"""A compiled step follows the Python values that it reads: it is compiled anew when one has changed."""

import argparse
import dataclasses
import sys
import types
import warnings
from functools import partial

import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.compile.follow.watch import Watch

COEFFICIENT = 1.0
OFFSET = sg.tensor([1.0])
X = sg.tensor([1.0, 2.0])


def by_global(x):
    return x * COEFFICIENT


def nested(x):
    return (lambda: by_global(x))()


def with_tensor(x):
    return x + OFFSET


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Dropout(1.0)
        self.scale, self.unused = 1.0, 0
        self.options = {"by": [1.0]}

    def forward(self, x):
        return self.inner(x) * self.scale * self.options["by"][0] * COEFFICIENT


class Stepper:
    def __init__(self):
        self.rate, self.calls = 1.0, 0
        self.history = []

    def step(self, x):
        return self.scaled(x)

    def scaled(self, x):
        return x * self.rate

    @property
    def elsewhere(self):
        return self.calls


def test_globals_are_followed(monkeypatch):
    for function in (by_global, nested):
        compiled = sg.compile(function)
        assert compiled(X).tolist() == [1, 2]
        monkeypatch.setitem(globals(), "COEFFICIENT", 3.0)
        assert compiled(X).tolist() == [3, 6]
        monkeypatch.setitem(globals(), "COEFFICIENT", 1.0)
        assert compiled(X).tolist() == [1, 2]
        assert len(compiled.programs) == 2  # the first one is found again


def test_a_global_tensor_that_is_another_one_now(monkeypatch):
    compiled = sg.compile(with_tensor)
    assert compiled(X).tolist() == [2, 3]
    OFFSET.fill_(2)
    assert compiled(X).tolist() == [3, 4]
    OFFSET.fill_(1)
    assert len(compiled.programs) == 1
    monkeypatch.setitem(globals(), "OFFSET", sg.tensor([5.0]))
    assert compiled(X).tolist() == [6, 7]


def test_variables_of_other_modules(monkeypatch):
    settings = types.ModuleType("settings_of_a_person")
    settings.FACTOR = 2.0
    monkeypatch.setitem(globals(), "settings", settings)
    compiled = sg.compile(lambda x: x * settings.FACTOR)
    assert compiled(X).tolist() == [2, 4]
    settings.FACTOR = 4.0
    assert compiled(X).tolist() == [4, 8]
    assert "settings_of_a_person" not in sys.modules


def test_closures_defaults_and_partials():
    def closure(x):
        return x * factor * table["a"][1]

    def default(x, numbers=[2.0]):  # noqa: B006 - to be changed
        return x * numbers[0]

    factor, table = 1.0, {"a": (0, 1.0)}
    compiled = sg.compile(closure)
    assert compiled(X).tolist() == [1, 2]
    factor = 2.0
    assert compiled(X).tolist() == [2, 4]
    table["a"] = (0, 3.0)
    assert compiled(X).tolist() == [6, 12]
    bound = partial(default, numbers=(numbers := [2.0]))
    compiled = sg.compile(bound)
    assert compiled(X).tolist() == [2, 4]
    numbers[0] = 5.0
    assert compiled(X).tolist() == [5, 10]


def test_attributes_of_modules(monkeypatch):
    model = Scaled().eval()
    compiled = sg.compile(model)
    assert compiled(X).tolist() == [1, 2]
    model.scale = 2.0
    assert compiled(X).tolist() == [2, 4]
    model.options["by"][0] = 2.0
    assert compiled(X).tolist() == [4, 8]
    model.train()
    with sg.no_grad():
        assert compiled(X).tolist() == [0, 0]
        model.inner.p = 0.0
        assert compiled(X).tolist() == [4, 8]
        monkeypatch.setitem(globals(), "COEFFICIENT", 10.0)
        assert compiled(X).tolist() == [40, 80]


def test_attributes_of_objects_and_no_others():
    stepper = Stepper()
    compiled = sg.compile(stepper.step)
    assert compiled(X).tolist() == [1, 2]
    for i in range(30):
        stepper.calls = i
        stepper.history.append(i)
        compiled(X)
    assert len(compiled.programs) == 1
    stepper.rate = 3.0
    assert compiled(X).tolist() == [3, 6]


class Settings:
    scale = 1.0
    nested = types.SimpleNamespace(by=1.0)


class Inherited(Settings):
    pass


@pytest.mark.parametrize(
    "make",
    [types.SimpleNamespace, argparse.Namespace, Settings, Inherited, lambda: Inherited],
    ids=["namespace", "arguments", "object", "inherited", "class"],
)
def test_where_people_keep_settings(make, monkeypatch):
    for kind in (Settings, Inherited):
        monkeypatch.setattr(kind, "scale", 1.0, raising=False)
    settings = make()
    settings.scale = 2.0
    compiled = sg.compile(lambda x: x * settings.scale * getattr(settings, "further", 1.0))
    for scale in range(12):
        settings.scale = float(scale % 2)
        assert compiled(X).tolist() == [scale % 2, 2 * (scale % 2)]
    assert len(compiled.programs) == 2
    settings.further = 3.0
    assert compiled(X).tolist() == [3, 6]
    if make is not Inherited:
        del settings.further


class Slotted:
    __slots__ = ("__hidden", "never", "rate")

    def __init__(self):
        self.rate, self.__hidden = 1.0, 1.0

    def hide(self, value):
        self.__hidden = value

    def step(self, x):
        return x if hasattr(self, "never") else x * self.rate * self.__hidden


@dataclasses.dataclass(slots=True)
class InSlots:
    scale: float = 1.0
    inner: Slotted = dataclasses.field(default_factory=Slotted)


def test_attributes_in_slots():
    settings = InSlots()
    compiled = sg.compile(lambda x: settings.inner.step(x) * settings.scale)
    assert compiled(X).tolist() == [1, 2]
    assert compiled(X).tolist() == [1, 2]
    assert len(compiled.programs) == 1
    settings.scale = 2.0
    assert compiled(X).tolist() == [2, 4]
    settings.inner.rate = 3.0
    assert compiled(X).tolist() == [6, 12]
    settings.inner.hide(10.0)
    assert compiled(X).tolist() == [60, 120]
    settings.inner.never = 1
    assert compiled(X).tolist() == [2, 4]
    settings.inner = Slotted()
    assert compiled(X).tolist() == [2, 4]


def test_sets_that_change_in_place():
    frozen = {"a"}
    compiled = sg.compile(lambda x: x * (0.0 if "a" in frozen else 1.0) * len(frozen))
    assert compiled(X).tolist() == [0, 0]
    frozen.add("b")
    assert compiled(X).tolist() == [0, 0]
    frozen.remove("a")
    assert compiled(X).tolist() == [1, 2]
    frozen.remove("b")
    frozen.add("a")  # as many as before
    assert compiled(X).tolist() == [0, 0]
    assert not compiled.runs_eagerly


def test_a_step_that_fills_a_set_runs_eagerly():
    seen = set()

    def step(x):
        seen.add(len(seen))
        return x * len(seen)

    compiled = sg.compile(step)
    with pytest.warns(UserWarning, match="the step changes 1 of seen"):
        assert [compiled(X).tolist(), compiled(X).tolist()] == [[1, 2], [2, 4]]
    assert compiled(X).tolist() == [3, 6]


@pytest.mark.parametrize("register", ["register_hook", "register_post_accumulate_grad_hook"])
def test_what_the_hooks_of_parameters_read(register):
    net, by = nn.Linear(2, 1, bias=False), {"": 1.0}

    def scale(g):
        return g * by[""]

    def scale_in_place(p):
        p.grad *= by[""]

    getattr(net.weight, register)(scale if register == "register_hook" else scale_in_place)

    def step(x):
        net.zero_grad()
        net(x).sum().backward()
        return net.weight.grad.clone()

    compiled = sg.compile(step)
    assert compiled(X).tolist() == [[1, 2]]
    by[""] = 3.0
    assert compiled(X).tolist() == [[3, 6]]
    assert not compiled.runs_eagerly


def test_attributes_of_classes(monkeypatch):
    """Of that of an object, of those above, of modules; also what stands in what they hold."""

    class Net(nn.Module):
        scale = 1.0

        def forward(self, x):
            return x * self.scale * Settings.nested.by * Inherited.scale

    compiled = sg.compile(Net().eval())
    assert compiled(X).tolist() == [1, 2]
    for holder, name in ((Net, "scale"), (Settings.nested, "by"), (Settings, "scale")):
        with monkeypatch.context() as patch:
            patch.setattr(holder, name, 3.0)
            assert compiled(X).tolist() == [3, 6]
        assert compiled(X).tolist() == [1, 2]
    assert len(compiled.programs) == 4


def test_hooks_of_parameters_that_come_and_go():
    weight = sg.ones(2, requires_grad=True)
    optimizer = optim.SGD([weight], lr=1.0)

    def step(x):
        optimizer.zero_grad()
        (weight * x).sum().backward()
        optimizer.step()
        return weight.sum()

    compiled = sg.compile(step)
    found = [compiled(sg.ones(2)).item()]
    handles = []
    for factor in (0.5, 0.0):
        handles.append(weight.register_hook(lambda g, factor=factor: g * factor))
        found.append(compiled(sg.ones(2)).item())
    handles[1].remove()
    found.append(compiled(sg.ones(2)).item())
    assert found == [0, -1, -1, -2]


def test_hyperparameters_of_optimizers():
    weight = sg.ones(2, requires_grad=True)
    optimizer = optim.SGD([weight], lr=1.0)

    def step(x):
        optimizer.zero_grad()
        loss = (weight * x).sum()
        loss.backward()
        optimizer.step()
        return loss

    compiled = sg.compile(step)
    compiled(sg.zeros(2))
    assert weight.tolist() == [1, 1]
    optimizer.param_groups[0]["weight_decay"] = 0.5
    compiled(sg.zeros(2))
    assert weight.tolist() == [0.5, 0.5]
    assert len(compiled.programs) == 2
    optimizer.param_groups[0]["lr"] = 0.0
    compiled(sg.zeros(2))
    assert weight.tolist() == [0.5, 0.5]
    assert len(compiled.programs) == 2


def test_going_to_and_fro_between_modes_compiles_each_once():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    compiled = sg.compile(model)
    for _ in range(20):
        model.train(not model.training)
        with sg.no_grad():
            compiled(X)
    assert len(compiled.programs) == 2


def sets_first(model, x):
    model.train()
    return model(x)


def sets_afterwards(model, x):
    result = model(x)
    model.train()
    return result


def sets_to_and_fro(model, x):
    model.eval()
    result = model(x)
    model.train()
    return result + model(x)


@pytest.mark.parametrize("function", [sets_first, sets_afterwards, sets_to_and_fro])
@pytest.mark.parametrize("check", [False, True])
def test_a_step_that_sets_the_mode(function, check):
    """Whatever it was before, without being compiled anew each time."""
    found = []
    for compile in (False, True):
        sg.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        step = partial(function, model)
        if compile:
            step = sg.compile(step, check=check)
        results = []
        for i in range(40):
            model.train(i % 3 != 1)
            results.append([step(sg.tensor([[1.0, 2.0], [float(i), 1.0]])).tolist(), model[1].training])
        found.append(results)
    for (eager, mode), (native, native_mode) in zip(*found):
        assert native == [pytest.approx(row, rel=1e-4, abs=1e-5) for row in eager]
        assert native_mode == mode
    assert len(step.programs) == 2


def test_a_step_that_counts_runs_eagerly():
    counter = {"n": 0}

    def step(x):
        counter["n"] += 1
        return x * counter["n"]

    compiled = sg.compile(step)
    with pytest.warns(UserWarning, match="runs eagerly: the step changes n of counter, which compiled"):
        assert [compiled(X).tolist(), compiled(X).tolist()] == [[1, 2], [2, 4]]
    assert compiled(X).tolist() == [3, 6]
    assert compiled.runs_eagerly


def test_a_value_that_always_changes_ends_in_eager_runs():
    factor = [0.0]
    compiled = sg.compile(lambda x: x * factor[0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for i in range(20):
            factor[0] = float(i)
            assert compiled(X).tolist() == [i, 2 * i]
    assert len(caught) == 1
    assert "compiled 16 times and something else has changed again (entry 0 of factor)" in str(
        caught[0].message
    )
    assert compiled.runs_eagerly


def test_a_number_handed_in_that_always_changes_ends_in_eager_runs():
    """Those that it was compiled for stay native; a number of each kind of arguments counts for itself."""
    compiled = sg.compile(lambda x, i, *, scale=1.0: x * i * scale)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for i in [*range(30), 3]:
            assert compiled(X, i).tolist() == [i, 2 * i]
    assert len(caught) == 1
    assert "compiled 16 times and something else has changed again (what is handed in)" in str(
        caught[0].message
    )
    assert len(compiled.programs) == 16
    assert compiled(X, 2, scale=0.5).tolist() == [1, 2]
    assert len(compiled.programs) == 17
    for n in range(3, 23):  # lengths are no such numbers
        compiled(sg.ones(n), 1)
    assert len(compiled.programs) == 37


def test_a_hook_is_called_in_every_step():
    calls = []
    model = nn.Linear(2, 1)
    model.register_forward_hook(lambda *_: calls.append(1))
    compiled = sg.compile(model.eval())
    with pytest.warns(UserWarning, match="Linear has a hook, which is to be called in every step"):
        compiled(X)
    compiled(X)
    assert len(calls) == 2


def test_what_is_not_callable_is_refused():
    with pytest.raises(sg.errors.ArgumentError, match="compile takes a function or a module, not a int"):
        sg.compile(3)


def test_a_watch_ends_in_circles():
    a, b = Stepper(), Stepper()
    a.rate, b.rate = b, a
    watch = Watch({"a": a.step, "list": [a, b, [a]]})
    assert watch.change() == ""


def test_a_trainer_follows_the_loss_that_it_calls(monkeypatch):
    factor = [1.0]

    def loss(y, target):
        return factor[0] * COEFFICIENT * nn.functional.mse_loss(y, target)

    def weaken(trainer):
        factor[0] *= 0.5
        monkeypatch.setitem(globals(), "COEFFICIENT", COEFFICIENT * 0.5)

    found = []
    for compile in (True, False):
        factor[0] = 1.0
        monkeypatch.setitem(globals(), "COEFFICIENT", 1.0)
        sg.manual_seed(0)
        model = nn.Linear(3, 1)
        x = sg.randn(64, 3)
        trainer = sg.Trainer(
            model, loss, optim.SGD(model.parameters(), lr=0.0), compile=compile, progress=False,
            callbacks=[sg.train.LambdaCallback(on_epoch_end=weaken)],
        )  # fmt: skip
        history = trainer.fit((x, x.sum(1, keepdim=True)), epochs=4, batch_size=16)
        found.append([record["loss"] for record in history])
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    assert found[0][3] == pytest.approx(found[0][0] / 64, rel=1e-5)


def test_a_cell_that_is_filled_later():
    def make():
        def outer(x):
            return inner(x)

        compiled = sg.compile(outer)

        def inner(x):
            return x * 2

        return compiled

    assert make()(X).tolist() == [2, 4]
