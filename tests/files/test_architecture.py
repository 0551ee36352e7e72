"""An architecture is described by plain values and built again without running anything from the file."""

import json

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, FileError, MissingNameError
from stepgrad.files.architecture import MAX_MODULES, build, describe, known_classes


class Net(nn.Module):
    """A module of one's own, with all kinds of constructor arguments."""

    def __init__(self, sizes, rate=0.5, *, activation=None, names=None, dtype=None):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(a, b, dtype=dtype) for a, b in sizes])
        self.drop = nn.Dropout(rate)
        self.activation = activation
        self.names = names

    def forward(self, x):
        for layer in self.layers:
            x = self.activation(layer(x))
        return self.drop(x)

    def extra_repr(self):
        return f"names={self.names!r}"


class Outer(nn.Module):
    def __init__(self, inner, count):
        super().__init__()
        self.inner = inner
        self.head = nn.Linear(count, 1)


def a_net():
    return Net(((2, 3), (3, 4)), 0.25, activation=nn.Tanh(), names={"a": [1, None, True]}, dtype=sg.float64)


def same(a, b):
    """Whether two modules have the same text, state names, shapes and dtypes."""
    states = [[(name, x.shape, x.dtype) for name, x in module.state_dict().items()] for module in (a, b)]
    return type(a) is type(b) and repr(a) == repr(b) and states[0] == states[1]


MODELS = {
    "leaf": lambda: nn.Linear(2, 3),
    "keywords": lambda: nn.Linear(in_features=2, out_features=3, bias=False),
    "dtype": lambda: nn.Linear(2, 3, dtype=sg.float64),
    "device": lambda: nn.Linear(2, 3, device=sg.device("cpu")),
    "sequential": lambda: nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.BatchNorm1d(3), nn.Linear(3, 1)),
    "named": lambda: nn.Sequential({"first": nn.Linear(2, 3), "then": nn.Sigmoid()}),
    "empty": lambda: nn.Sequential(),
    "nested": lambda: nn.Sequential(nn.Sequential(nn.Embedding(5, 2)), nn.ModuleList([nn.PReLU()])),
    "dict": lambda: nn.ModuleDict({"a": nn.LayerNorm((2, 3)), "keys": nn.Linear(1, 1)}),
    "own": a_net,
    "module as argument": lambda: Outer(nn.Sequential(a_net(), nn.ReLU()), 4),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_built_again(name):
    model = MODELS[name]()
    again = build(describe(model), [Net, Outer])
    assert same(model, again)


@pytest.mark.parametrize("name", sorted(known_classes()))
def test_every_known_class_is_a_module(name):
    assert issubclass(known_classes()[name], nn.Module)
    assert getattr(nn, name.removeprefix("nn.")) is known_classes()[name]


def test_containers_are_described_as_they_are_now():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    model.append(nn.Sigmoid())
    model[1] = nn.Tanh()
    del model[2]
    again = build(describe(model))
    assert repr(again) == repr(model)
    assert [type(layer) for layer in again] == [nn.Linear, nn.Tanh, nn.Sigmoid]


def test_a_shared_module_is_one_module_again():
    shared = nn.Linear(3, 3)
    activation = nn.ReLU()
    model = nn.Sequential(shared, activation, nn.Sequential(shared, activation))
    again = build(describe(model))
    assert again[2][0] is again[0]
    assert again[2][1] is again[1]
    assert len(list(again.parameters())) == 2


def test_the_random_streams_are_left_alone():
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout())
    sg.manual_seed(3)
    before = sg.get_rng_state()
    build(describe(model))
    assert sg.get_rng_state() == before


def test_a_class_that_was_not_handed_over_is_named():
    text = describe(Outer(nn.Sequential(a_net()), 4))
    with pytest.raises(AttributeError) as caught:
        build(text, source="m.safetensors")
    assert isinstance(caught.value, MissingNameError)
    assert str(caught.value) == (
        "'m.safetensors' needs the module class Outer, Net, and a file brings no code along. Define or "
        "import it and hand it over: stepgrad.load(path, classes=[Outer, Net])."
    )
    with pytest.raises(MissingNameError, match=r"classes=\[Net\]"):
        build(text, [Outer])


def test_classes_may_be_one_class_and_must_be_module_classes():
    assert same(build(describe(a_net()), Net), a_net())
    for wrong, message in [
        ([int], "classes takes module classes, such as classes=[MyNet], got <class 'int'>"),
        (["Net"], "got 'Net'"),
        ([Net, type("Net", (nn.Module,), {})], "two classes called Net"),
    ]:
        with pytest.raises(ArgumentError) as caught:
            build(describe(a_net()), wrong)
        assert message in str(caught.value)


def test_a_class_of_ones_own_cannot_stand_in_for_one_of_stepgrad():
    class Linear(nn.Module):
        pass

    assert type(build(describe(nn.Linear(2, 3)), [Linear])) is nn.Linear
    assert type(build(describe(Linear()), [Linear])) is Linear


def test_two_classes_of_the_same_name_are_refused():
    a, b = (type("Part", (nn.Module,), {}) for _ in range(2))
    with pytest.raises(ArgumentError, match="two classes called Part, which a file cannot tell apart"):
        describe(nn.Sequential(a(), b()))


@pytest.mark.parametrize(
    "argument, kind",
    [(print, "builtin_function_or_method"), (np.zeros(2), "ndarray"), ({1, 2}, "set"), (object(), "object")],
)
def test_arguments_that_are_no_plain_values_are_named(argument, kind):
    with pytest.raises(ArgumentError) as caught:
        describe(nn.Sequential(Outer(nn.ReLU(), 2), Net((), activation=[argument])))
    assert str(caught.value).startswith(
        f"the constructor argument of model.1 (Net) 'activation'.0 is a {kind}, which the description of a "
        f"model cannot hold"
    )
    assert str(caught.value).endswith("save the weights alone: stepgrad.save(model.state_dict(), path).")
    with pytest.raises(ArgumentError, match=r"argument of model \(Outer\) number 2 is a Tensor"):
        describe(Outer(nn.ReLU(), sg.tensor(2)))


def test_changes_after_the_construction_are_refused():
    grown = a_net()
    grown.extra = nn.Linear(1, 1)
    reshaped = a_net()
    reshaped.layers[0] = nn.Linear(2, 7)
    other_rate = a_net()
    other_rate.drop.p = 0.9
    tied = Outer(nn.Linear(1, 4), 4)
    tied.head.weight = tied.inner.weight
    bare = nn.Module()
    bare.layer = nn.Linear(1, 1)
    for model, message in [
        (grown, "not in the constructor: 'extra.weight', 'extra.bias'"),
        (reshaped, "'layers.0.weight' is (7, 2) in the model, (3, 2) in the constructor"),
        (
            other_rate,
            "the constructor makes (drop): Dropout(p=0.25, inplace=False), the model has (drop): Dropout",
        ),
        (tied, "in the model, (1, 4) in the constructor"),
        (bare, "'layer.weight'"),
    ]:
        with pytest.raises(ArgumentError) as caught:
            describe(model)
        assert "the model is not what its constructor makes" in str(caught.value)
        assert message in str(caught.value)


def test_weights_tied_after_the_construction_are_refused():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    with pytest.raises(ArgumentError, match="parameters are shared in another way"):
        describe(model)


def test_a_constructor_that_fails_the_second_time():
    class Once(nn.Module):
        made = False

        def __init__(self):
            super().__init__()
            if Once.made:
                raise KeyError("again")
            Once.made = True

    with pytest.raises(
        ArgumentError, match=r"cannot be rebuilt from its description: .*Once.*KeyError: 'again'"
    ):
        describe(Once())


def module(name, *args, **kwargs):
    return {"$": "module", "class": name, "args": list(args), "kwargs": kwargs}


def container(*children):
    return {
        "$": "module",
        "class": "nn.Sequential",
        "children": [[str(i), c] for i, c in enumerate(children)],
    }


HOSTILE = {
    "nothing": ("", "it holds a value that stepgrad does not write"),
    "no module": (3, "its architecture is not a module"),
    "a list": ([module("nn.ReLU")], "its architecture is not a module"),
    "deep": ("[" * 100_000, "it holds a value that stepgrad does not write"),
    "nested containers": (None, "it holds a value that stepgrad does not write"),
    "attribute path": (module("nn.functional.relu"), "has no module 'nn.functional.relu'"),
    "function": (module("nn.init"), "has no module 'nn.init'"),
    "private": (module("nn.__class__"), "has no module"),
    "newer": (module("nn.Conv9d"), "has no module 'nn.Conv9d'. Upgrade with: pip install --upgrade stepgrad"),
    "number as class": (module(3), "it holds a value that stepgrad does not write"),
    "wrong argument": (module("nn.Linear", "a", 3), "cannot build the module nn.Linear that 'm' describes: "),
    "too many arguments": (module("nn.ReLU", *range(9)), "cannot build the module nn.ReLU"),
    "unknown keyword": (module("nn.ReLU", code="x"), "cannot build the module nn.ReLU"),
    "keywords": (module("nn.ReLU") | {"kwargs": 3}, "it holds a value that stepgrad does not write"),
    "immense": (module("nn.Linear", 2**40, 2**40), "cannot build the module nn.Linear"),
    "negative": (module("nn.Linear", -1, 3), "cannot build the module nn.Linear"),
    "no children": ({"$": "module", "class": "nn.Sequential"}, "does not write"),
    "child": (
        container(3),
        "cannot build the module nn.Sequential that 'm' describes: TypeError: '0' is no module",
    ),
    "pair": ({"$": "module", "class": "nn.Sequential", "children": [[1, 2, 3]]}, "does not write"),
    "reference": (container({"$": "same", "module": 7}), "does not write"),
    "reference to itself": (container({"$": "same", "module": 0}), "does not write"),
    "negative reference": (container(module("nn.ReLU"), {"$": "same", "module": -1}), "does not write"),
    "array": (module("nn.Linear", {"$": "array", "name": "x"}, 3), "does not write"),
    "call": ({"$": "call", "name": "os.abort"}, "does not write"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_descriptions(case):
    value, message = HOSTILE[case]
    if case == "nested containers":
        value = module("nn.ReLU")
        for _ in range(300):
            value = container(value)
    with pytest.raises(FileError) as caught:
        build(value if isinstance(value, str) else json.dumps(value), source="m")
    assert message in str(caught.value)
    assert "'m'" in str(caught.value)


def test_references_cannot_multiply_without_end():
    value = container(module("nn.ReLU"), module("nn.ReLU"))
    for level in range(30):
        value = container(value, {"$": "same", "module": 30 - level})
    # Thirty levels of two would be a billion modules.
    with pytest.raises(FileError, match=f"more than {MAX_MODULES:,} modules"):
        build(json.dumps(value), source="m")


def test_a_name_that_is_not_a_word_is_shown_as_text():
    with pytest.raises(MissingNameError) as caught:
        build(json.dumps(module("x" * 5000)), source="m")
    assert len(str(caught.value)) < 500
