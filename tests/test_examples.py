"""Every public name shows an example in ``help()``, and those that are made when stepgrad is imported run."""

import doctest
import importlib
import inspect

import pytest

import stepgrad as sg
from stepgrad.functions import copies
from stepgrad.methods.stored import StoredMethods
from stepgrad.nn.functional import activations

MODULES = (
    "stepgrad", "stepgrad.amp", "stepgrad.autograd", "stepgrad.data", "stepgrad.distributions",
    "stepgrad.explain", "stepgrad.func", "stepgrad.linalg", "stepgrad.masked", "stepgrad.nn",
    "stepgrad.nn.functional", "stepgrad.nn.init", "stepgrad.nn.utils", "stepgrad.optim",
    "stepgrad.optim.lr_scheduler", "stepgrad.special", "stepgrad.train",
)  # fmt: skip
# Results that only long runs give, what changes the whole process, what needs a GPU, and what is not there.
WITHOUT = {"RateRange", "TableModel", "TuneResult", "as_torch", "cuda", "DataParallel"}


def public():
    """Yield the place, the name and the object of all that is called or made by people."""
    for module in map(importlib.import_module, MODULES):
        for name in getattr(module, "__all__", [name for name in vars(module) if name[0] != "_"]):
            thing = getattr(module, name)
            is_ours = (getattr(thing, "__module__", None) or "").startswith("stepgrad")
            is_error = isinstance(thing, type) and issubclass(thing, Exception)
            if callable(thing) and is_ours and not is_error and name != "teller":
                yield module.__name__, name, thing
    for name in dir(sg.Tensor):
        thing = inspect.getattr_static(sg.Tensor, name)
        if name[0] != "_" and (callable(thing) or isinstance(thing, property)):
            yield "Tensor", name, thing


def test_every_public_name_shows_an_example():
    silent = [
        f"{place}.{name}"
        for place, name, thing in public()
        if name not in WITHOUT and ">>>" not in (inspect.getdoc(thing) or "")
    ]
    assert silent == []


MADE = [
    *((name, method) for name, method in vars(StoredMethods).items() if name[0] != "_"),
    *((name, vars(copies)[name]) for name in copies.__all__ if name.endswith("_copy")),
    *((name, vars(activations)[name]) for name in activations.__all__ if name.endswith("_")),
]


@pytest.mark.parametrize("name, function", MADE, ids=[name for name, _ in MADE])
def test_examples_that_are_made_of_others_run_and_show_their_own_name(name, function):
    text = inspect.getdoc(function)
    shown = doctest.DocTestParser().get_doctest(text, dict(vars(activations)), name, None, 0)
    assert any(f"{name}(" in example.source for example in shown.examples)
    told = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert runner.run(shown, out=told.append).failed == 0, "".join(told)
