"""What a step reads is noted while it runs: the same numbers as eagerly, whatever changes between calls."""

import collections
import contextvars
import cProfile
import functools
import gc
import itertools
import queue
import random
import sys
import types
import warnings
import weakref

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim

X = sg.tensor([1.0, 2.0])


def _nothing():
    pass


def _set(x, name, value):
    return lambda: setattr(x, name, value)


# ------------------------------------------------------------------------------- modes of modules


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(1.0)

    def encode(self, x):
        return x * 2 if self.training else x


def mode_of_a_module_of_which_another_method_is_called():
    module = Encoder()
    return (lambda x: module.encode(x)), [module.eval, module.train, module.eval]


def mode_of_a_module_of_which_forward_is_called():
    module = nn.Dropout(1.0)
    return module.forward, [module.eval, module.train]


def mode_that_an_object_asks_for():
    module = Encoder()
    return (lambda x: x * (1 + module.dropout.training)), [module.eval, module.train]


# --------------------------------------------------------------------------- rates and optimizers


def _trained(**options):
    weight = nn.Parameter(sg.tensor([1.0, 2.0]))
    return weight, optim.SGD([weight], lr=0.5, **options)


def _update(weight, optimizer, x):
    optimizer.zero_grad()
    loss = (weight * x).square().sum()
    loss.backward()
    optimizer.step()
    return loss


def rate_read_from_a_group():
    weight, optimizer = _trained()

    def step(x):
        return _update(weight, optimizer, x) * optimizer.param_groups[0]["lr"]

    return step, [_nothing, lambda: optimizer.param_groups[0].update(lr=0.25), _nothing]


def rates_read_in_a_loop():
    weight, optimizer = _trained()

    def step(x):
        rates = [group[key] for group in optimizer.param_groups for key in ("lr",)]
        return _update(weight, optimizer, x) * sum(rates)

    return step, [_nothing, lambda: optimizer.param_groups[0].update(lr=0.25), _nothing]


def numbers_of_a_group():
    weight, optimizer = _trained()

    def step(x):
        loss = _update(weight, optimizer, x)
        return loss * sum(n for n in optimizer.param_groups[0].values() if isinstance(n, float))

    return step, [_nothing, lambda: optimizer.param_groups[0].update(lr=0.25), _nothing]


def whether_a_parameter_is_trained():
    weight = nn.Parameter(sg.ones(2))
    return (lambda x: x * (2.0 if weight.requires_grad else 3.0)), [_set(weight, "requires_grad", False)]


def rate_read_from_a_schedule():
    weight, optimizer = _trained()
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def step(x):
        return _update(weight, optimizer, x) * schedule.get_last_lr()[0]

    return step, [_nothing, schedule.step, schedule.step]


def rate_read_after_a_schedule_inside():
    weight, optimizer = _trained()
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def step(x):
        loss = _update(weight, optimizer, x)
        schedule.step()
        return loss * schedule.get_last_lr()[0]

    return step, [_nothing] * 3


def epoch_read_from_a_schedule():
    weight, optimizer = _trained()
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def step(x):
        return _update(weight, optimizer, x) * schedule.last_epoch

    return step, [_nothing, schedule.step, schedule.step]


class Own(optim.Optimizer):
    def __init__(self, parameters, factor):
        super().__init__(parameters, {"lr": 0.1})
        self.factor = factor

    @sg.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.sub_(parameter.grad * (self.factor * group["lr"]))


def attribute_of_an_own_optimizer():
    weight = nn.Parameter(sg.tensor([1.0, 2.0]))
    optimizer = Own([weight], 0.5)
    return (lambda x: _update(weight, optimizer, x)), [_nothing, _set(optimizer, "factor", 2.0), _nothing]


def attribute_of_a_parameter():
    weight = nn.Parameter(sg.tensor([1.0, 2.0]))
    weight.factor = 2.0
    return (lambda x: (x * weight).detach() * weight.factor), [_nothing, _set(weight, "factor", 3.0)]


# ----------------------------------------------------------------------------- classes and objects


def list_in_a_class():
    class Settings:
        rates = [1.0]  # noqa: RUF012 - to be changed

    return (lambda x: x * Settings.rates[0]), [
        lambda: Settings.rates.append(2.0),
        lambda: _put(Settings.rates, 3.0),
    ]


def dict_in_a_class_of_an_object():
    class Settings:
        rates = {"a": 1.0}  # noqa: RUF012 - to be changed

    settings = Settings()
    return (lambda x: x * settings.rates["a"]), [lambda: settings.rates.update(a=2.0)]


def _put(x, value):
    x[0] = value


def object_held_by_a_class():
    class Inner:
        rate = 1.0

    class Settings:
        inner = Inner()

    return (lambda x: x * Settings.inner.rate), [_set(Settings.inner, "rate", 2.0)]


def nested_class():
    class Settings:
        class Inner:
            rate = 1.0

    return (lambda x: x * Settings.Inner.rate), [_set(Settings.Inner, "rate", 2.0)]


def class_method():
    class Settings:
        rate = 1.0

        @classmethod
        def scaled(cls, x):
            return x * cls.rate * cls.helper()

        @staticmethod
        def helper():
            return HELD["factor"]

    return (lambda x: Settings.scaled(x)), [_set(Settings, "rate", 2.0), lambda: HELD.update(factor=3.0)]


HELD = {"factor": 2.0}


def attributes_by_getattr_of_the_class():
    class Lazy:
        def __init__(self):
            self.table = {"rate": 1.0}

        def __getattr__(self, name):
            return self.table[name]

    lazy = Lazy()
    return (lambda x: x * lazy.rate), [lambda: lazy.table.update(rate=2.0)]


def entries_by_getitem_of_the_class():
    class Settings:
        def __init__(self):
            self.hidden = {"rate": 1.0}

        def __getitem__(self, key):
            return self.hidden[key]

    settings = Settings()
    return (lambda x: x * settings["rate"]), [lambda: settings.hidden.update(rate=2.0)]


def descriptor():
    class Scaled:
        def __init__(self):
            self.by = 1.0

        def __get__(self, instance, owner=None):
            return self.by

    class Settings:
        rate = Scaled()

    settings = Settings()
    return (lambda x: x * settings.rate), [_set(vars(Settings)["rate"], "by", 2.0)]


def operators_of_the_class():
    class Amount:
        def __init__(self):
            self.amount, self.bias = 1.0, 0.0

        def __float__(self):
            return self.amount

        def __bool__(self):
            return self.bias > 0

        def __len__(self):
            return int(self.amount)

    amount = Amount()
    return (
        lambda x: x * float(amount) + (1 if amount else len(amount)),
        [_set(amount, "amount", 2.0), _set(amount, "bias", 1.0)],
    )


def property_that_uses_another_object():
    class Inner:
        rate = 1.0

    class Settings:
        def __init__(self):
            self._inner = Inner()

        @property
        def rate(self):
            return self._inner.rate

    settings = Settings()
    return (lambda x: x * settings.rate), [_set(settings._inner, "rate", 2.0)]


def attribute_that_a_pattern_asks_for():
    class Amount:
        def __init__(self):
            self.size = 1.0

    amount = Amount()

    def step(x):
        match amount:
            case Amount(size=size):
                return x * size

    return step, [_set(amount, "size", 2.0)]


def attributes_of_a_function():
    def factor():
        return factor.value

    factor.value = 1.0
    return (lambda x: x * factor()), [_set(factor, "value", 2.0)]


def defaults_of_a_function():
    def factor(value=1.0):
        return value

    return (lambda x: x * factor()), [_set(factor, "__defaults__", (2.0,))]


def code_of_a_function():
    def factor():
        return 1.0

    def other():
        return 2.0

    return (lambda x: x * factor()), [_set(factor, "__code__", other.__code__)]


def attribute_of_a_dict_of_ones_own():
    class Settings(dict):
        pass

    settings = Settings(a=1.0)
    settings.rate = 1.0
    return (lambda x: x * settings.rate * settings["a"]), [
        _set(settings, "rate", 2.0),
        lambda: settings.update(a=3.0),
    ]


def attribute_of_a_list_of_ones_own():
    class Settings(list):
        pass

    settings = Settings([1.0])
    settings.rate = 1.0
    return (lambda x: x * settings.rate * settings[0]), [
        _set(settings, "rate", 2.0),
        lambda: _put(settings, 3.0),
    ]


# ------------------------------------------------------------------------------------------ modules


def _module(name, **values):
    module = types.ModuleType(name)
    vars(module).update(values)
    return module


def module_within_a_package():
    inner = _module("package_of_a_person.inner", RATE=1.0)
    package = _module("package_of_a_person", inner=inner)
    return (lambda x: x * package.inner.RATE), [_set(inner, "RATE", 2.0)]


def module_imported_by_the_step():
    module = sys.modules["module_of_a_person"] = _module("module_of_a_person", RATE=1.0)

    def step(x):
        import module_of_a_person as settings

        return x * settings.RATE

    return step, [_set(module, "RATE", 2.0)]


def name_imported_by_the_step():
    module = sys.modules["module_of_a_person"] = _module("module_of_a_person", RATE=1.0)

    def step(x):
        from module_of_a_person import RATE

        return x * RATE

    return step, [_set(module, "RATE", 2.0)]


# --------------------------------------------------------------------------------------- containers


def deque_of_numbers():
    held = collections.deque([1.0, 2.0])
    return (lambda x: x * held[0]), [held.popleft, lambda: held.appendleft(5.0)]


def deque_that_the_step_turns():
    held = collections.deque([1.0, 2.0, 3.0])

    def step(x):
        held.rotate(1)
        return x * held[0]

    return step, [_nothing] * 3


def chain_of_maps():
    first, second = {}, {"rate": 1.0}
    held = collections.ChainMap(first, second)
    return (lambda x: x * held["rate"]), [lambda: second.update(rate=2.0), lambda: first.update(rate=3.0)]


def view_of_a_dict():
    table = {"rate": 1.0}
    held = types.MappingProxyType(table)
    return (lambda x: x * held["rate"]), [lambda: table.update(rate=2.0)]


def user_list():
    held = collections.UserList([1.0])
    return (lambda x: x * held[0]), [lambda: _put(held, 2.0)]


def weak_references():
    class Amount:
        value = 1.0

    amount = Amount()
    held, table = weakref.ref(amount), weakref.WeakValueDictionary(a=amount)
    return (lambda x: x * held().value + table["a"].value), [_set(amount, "value", 2.0)]


def context_variable():
    rate = contextvars.ContextVar("rate", default=1.0)
    return (lambda x: x * rate.get()), [lambda: rate.set(2.0)]


def array_of_python():
    import array

    held = array.array("d", [1.0])
    return (lambda x: x * held[0]), [lambda: _put(held, 2.0)]


def bytes_that_change():
    held = bytearray([1])
    return (lambda x: x * float(held[0])), [lambda: _put(held, 2)]


def cached_function():
    settings = {"rate": 1.0}

    @functools.cache
    def held():
        return settings

    held()
    return (lambda x: x * held()["rate"]), [lambda: settings.update(rate=2.0)]


def frozen_set_of_objects():
    class Amount:
        value = 1.0

    amount = Amount()
    held = frozenset([amount])
    return (lambda x: x * sum(a.value for a in held)), [_set(amount, "value", 2.0)]


def long_list():
    held = [1.0] * 5_000
    return (lambda x: x * held[4_000]), [lambda: held.__setitem__(4_000, 2.0)]


def queue_of_numbers():
    held = queue.Queue()
    for i in range(10):
        held.put(float(i))
    return (lambda x: x * held.get()), [_nothing] * 4


def array_that_the_step_changes():
    held = numpy.zeros(2, numpy.float32)

    def step(x):
        held[0] += 1
        return x * float(held[0])

    return step, [_nothing] * 2


def array_in_a_dict():
    held = {"mean": numpy.ones(2, numpy.float32)}
    return (lambda x: x * sg.from_numpy(held["mean"])), [lambda: held["mean"].fill(2)]


def keywords_of_a_partial():
    def scaled(x, by):
        return x * by

    held = functools.partial(scaled, by=1.0)
    return (lambda x: held(x)), [lambda: held.keywords.update(by=2.0)]


def function_made_by_exec():
    space = {"rate": 1.0}
    exec("def scaled(x):\n    return x * rate", space)  # noqa: S102
    return space["scaled"], [lambda: space.update(rate=2.0)]


def entries_as_attributes():
    class Settings(dict):
        __getattr__ = dict.__getitem__

    class Net:
        settings = Settings(rate=1.0)

    return (lambda x: x * Net.settings.rate), [lambda: Net.settings.update(rate=2.0)]


def empty_slots_and_getattr():
    class Slotted:
        __slots__ = ("rate", "table")

        def __init__(self):
            self.table = {"rate": 1.0}

        def __getattr__(self, name):
            return self.table[name]

    held = Slotted()
    return (lambda x: x * held.rate), [lambda: held.table.update(rate=2.0), _set(held, "rate", 3.0)]


def tensors_as_keys():
    first, second = sg.ones(2), sg.ones(2)
    held = {first: 1.0}
    return (lambda x: x * sum(held.values())), [lambda: held.update({second: 2.0}), held.clear]


# ----------------------------------------------------------------------------------------- iterators


def iterator_in_a_dict():
    held = {"train": itertools.cycle([1.0, 2.0, 3.0])}
    return (lambda x: x * next(held["train"])), [_nothing] * 3


def loader():
    data = sg.utils.data.TensorDataset(sg.arange(8).float())
    order = sg.Generator().manual_seed(0)
    held = sg.utils.data.DataLoader(data, batch_size=2, shuffle=True, generator=order)
    return (lambda x: x * sum(rows.sum() * (i + 1) for i, (rows,) in enumerate(held))), [_nothing] * 3


def list_iterator():
    held = iter([float(i) for i in range(20)])
    return (lambda x: x * next(held)), [_nothing] * 3


def count():
    held = itertools.count()
    return (lambda x: x * next(held)), [_nothing] * 3


def cycle():
    held = itertools.cycle([1.0, 2.0, 3.0])
    return (lambda x: x * next(held)), [_nothing] * 3


def generator():
    held = (float(i) for i in range(10))
    return (lambda x: x * next(held)), [_nothing] * 3


def iterator_of_an_object():
    class Source:
        def __init__(self):
            self.numbers = iter(range(10))

        def draw(self):
            return next(number for number in self.numbers)

    source = Source()
    return (lambda x: x * source.draw()), [_nothing] * 3


def iterator_of_ones_own():
    class Numbers:
        def __init__(self):
            self.at = 0

        def __iter__(self):
            return self

        def __next__(self):
            self.at += 1
            return self.at

    held = Numbers()
    return (lambda x: x * next(held)), [_nothing] * 3


# ---------------------------------------------------------------------------------- random numbers


def random_of_python_as_an_object():
    held = random.Random(0)
    return (lambda x: x * held.random()), [_nothing] * 3


def choice_of_python():
    held = random.Random(0)
    return (lambda x: x * held.choice([1.0, 2.0, 3.0, 4.0])), [_nothing] * 3


def generator_of_numpy():
    held = numpy.random.default_rng(0)
    return (lambda x: x * float(held.random())), [_nothing] * 3


def state_of_numpy():
    held = numpy.random.RandomState(0)
    return (lambda x: x * float(held.rand())), [_nothing] * 3


# ------------------------------------------------------------------------------- tensors and numbers


def shape_of_a_tensor_that_no_operation_reads():
    held = sg.zeros(3)
    return (lambda x: x * held.shape[0]), [_set(held, "data", sg.zeros(5))]


def dtype_by_default():
    def reset():
        sg.set_default_dtype(sg.float32)

    return (lambda x: sg.ones(2) * x), [lambda: sg.set_default_dtype(sg.float64), reset]


def zero_and_minus_zero():
    held = {"zero": 0.0}
    return (lambda x: x * 0 + numpy.copysign(1.0, held["zero"]).item()), [lambda: held.update(zero=-0.0)]


def deleted_variable_of_a_closure():
    rate = 2.0

    def delete():
        nonlocal rate
        del rate

    def step(x):
        try:
            return x * rate
        except NameError:
            return x

    return step, [delete, _nothing]


CASES = [
    x for x in list(globals().values())
    if isinstance(x, types.FunctionType) and x.__module__ == __name__ and x.__name__[0] != "_"
]  # fmt: skip


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_as_eagerly(make):
    found = []
    for compile in (lambda f: f, sg.compile):
        step, changes = make()
        step = compile(step)
        results = []
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                results += [step(X).tolist(), step(X).tolist()]
                for change in changes:
                    change()
                    results += [step(X).tolist(), step(X).tolist()]
        finally:
            HELD["factor"] = 2.0
            sg.set_default_dtype(sg.float32)
        found.append(results)
    eager, compiled = found
    assert numpy.allclose(compiled, eager, rtol=1e-6), (eager, compiled)


# --------------------------------------------------------------------- what is no reason to run eagerly


class Context:
    """Something that holds what a step computes, while it runs."""


def _with_context():
    def first(context, x):
        context.hidden = [x * 2]

    def second(context, x):
        return context.hidden[0] + x

    def step(x):
        context = Context()
        first(context, x)
        return second(context, x)

    return step


def _with_iterators_elsewhere():
    class Run:
        def __init__(self):
            self.batches = iter([X] * 100)
            self.random = random.Random(0)
            self.rate = 2.0

        def run(self):
            return [self.step(x) for x in self.batches]

        def step(self, x):
            return x * self.rate

    return Run().step


def _with_generators_of_its_own():
    def parts(x):
        for factor in (1.0, 2.0):
            yield x * factor

    def step(x):
        rest = iter([1.0, 2.0])
        return sum(parts(x)) * next(rest) + sum(x * y for y in rest)

    return step


def _with_a_held_result():
    held = Encoder()
    held.last = None

    def keep(x):
        held.last = x
        return held.last * 2

    def step(x):
        y = keep(x + 1)
        held.last = None
        return y

    return step


def _with_what_it_makes_within():
    def scaled(x, *, by=2.0):
        return x * by

    def step(x):
        table = collections.OrderedDict(a=x)
        pair = types.SimpleNamespace(one=table["a"], two=scaled(x))
        return functools.reduce(lambda a, b: a + b, [pair.one, pair.two])

    return step


def _with_names_that_others_have():
    class Run:
        def __init__(self):
            self.weight = nn.Parameter(sg.zeros(2))
            self.optimizer = optim.SGD([self.weight], lr=0.0)
            self.calls, self.model = 0, Encoder()

        def step(self):
            self.calls += 1

        def train(self):
            self.calls += 1

        def update(self, x):
            globals()["mean"] = globals().get("mean", 0) + 1  # of which `.mean()` is no use
            return x

        def once(self, x):
            self.model.train()
            self.optimizer.zero_grad()
            (self.weight * x).mean().backward()
            self.optimizer.step()
            return x * 2

    return Run().once


def test_what_is_noted_on_a_model_is_no_matter():
    model = Encoder()
    model.history, model.epoch = [], 0
    compiled = sg.compile(lambda x: model.encode(x) * 2)
    model.eval()
    for epoch in range(20):
        model.epoch = epoch
        model.history.append(epoch)
        assert compiled(X).tolist() == [2, 4]
    assert len(compiled.programs) == 1


@pytest.mark.parametrize("number", [False, True])
def test_what_runs_eagerly_keeps_nothing(number):
    counter = {"n": 0}

    class Batch:
        factor = 2.0

    def step(x, batch):
        counter["n"] += 1
        return x * (batch if number else batch.factor)

    compiled, alive = sg.compile(step), []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for i in range(8):
            batch = float(i) if number else Batch()
            alive += [] if number else [weakref.ref(batch)]
            compiled(X, batch)
    del batch
    gc.collect()
    assert len(caught) == 1
    assert sum(ref() is not None for ref in alive) <= 1


def test_an_error_in_the_first_run_leaves_what_it_did_before():
    ends = []
    for compile in (lambda f: f, sg.compile):
        weight, optimizer = _trained()
        failing = {"": True}

        @compile
        def step(x, weight=weight, optimizer=optimizer, failing=failing):
            loss = _update(weight, optimizer, x)
            if failing[""]:
                raise RuntimeError("after the update")
            return loss

        with pytest.raises(RuntimeError, match="after the update"):
            step(X)
        failing[""] = False
        step(X)
        ends.append(weight.tolist())
    assert ends[1] == pytest.approx(ends[0])


def test_namedtuples_of_one_name():
    first = collections.namedtuple("Batch", ["a", "b"])
    second = collections.namedtuple("Batch", ["b", "a"])
    compiled = sg.compile(lambda batch: batch.a * 2 + batch.b)
    for _ in range(2):
        assert compiled(first(X, 3 * X)).tolist() == [5, 10]
        assert compiled(second(X, 3 * X)).tolist() == [7, 14]


def _with_what_it_computes_once():
    class Net(nn.Module):
        @functools.cached_property
        def scale(self):
            return 2.0

        def forward(self, x):
            self.last_shape = x.shape
            return x * self.scale

    return Net().forward


@pytest.mark.parametrize(
    "make",
    [
        _with_what_it_computes_once,
        _with_names_that_others_have,
        _with_context,
        _with_iterators_elsewhere,
        _with_generators_of_its_own,
        _with_a_held_result,
        _with_what_it_makes_within,
    ],
)
def test_runs_natively(make):
    step = make()
    expected = step(X).tolist()
    compiled = sg.compile(step)
    for _ in range(3):
        assert compiled(X).tolist() == expected
    assert len(compiled.programs) == 1
    assert not compiled.runs_eagerly


def test_another_profile_goes_on():
    calls = []

    def profile(frame, event, argument):
        calls.append(event)

    compiled = sg.compile(lambda x: x * 3)
    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        compiled(X)
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(before)
    assert calls


def test_under_cprofile():
    def afterwards():
        return sum(range(3))

    profile = cProfile.Profile()
    profile.enable()
    try:
        assert sg.compile(lambda x: x * 3)(X).tolist() == [3, 6]
        afterwards()
    finally:
        profile.disable()
    assert any(entry.code is afterwards.__code__ for entry in profile.getstats())
