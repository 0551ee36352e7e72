"""A model's architecture as plain values: class names and constructor arguments, never code.

A module is described by the name of its class and the arguments that its constructor was called with; the
containers `Sequential`, `ModuleList` and `ModuleDict` by the children that they have now. A module that
stands at several places is described once and referred to from then on, so that it is one module again when
it is built.

Building looks names up in two places alone: the modules of `stepgrad.nn`, and the classes that the caller
hands over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import Any

from stepgrad import nn
from stepgrad.arrays import devices, random
from stepgrad.errors import ArgumentError, FileError, MissingNameError
from stepgrad.files.differences import differences, shapes
from stepgrad.files.header import shown
from stepgrad.files.values import TAG, Reader, Writer, as_text
from stepgrad.nn.module import Module
from stepgrad.version import __version__

MAX_MODULES = 10_000
"""How many modules a file may describe, those that stand at several places counted at each of them."""

_CONTAINERS: dict[str, type[Module]] = {
    "nn.Sequential": nn.Sequential,
    "nn.ModuleList": nn.ModuleList,
    "nn.ModuleDict": nn.ModuleDict,
}
_WEIGHTS_ALONE = "Or save the weights alone: stepgrad.save(model.state_dict(), path)."


def known_classes() -> dict[str, type[Module]]:
    """Return the module classes of `stepgrad.nn` by the names that files use, such as "nn.Linear"."""
    return {
        f"nn.{name}": value
        for name, value in vars(nn).items()
        if isinstance(value, type) and issubclass(value, Module) and name == value.__name__
    }


def describe(module: Module) -> str:
    """Return the architecture of `module` as JSON text, from which `build` makes the same module.

    That it does is tried before the text is returned; the default random streams stay as they are. Devices
    are not part of an architecture.

    Raises ArgumentError when a constructor argument is not a plain value (None, booleans, numbers, texts,
    lists, tuples, dicts, dtypes, modules), when two classes have the same name, or when the module was
    changed after it was constructed, so that its constructor does not make it again.

    >>> describe(nn.Linear(2, 3))
    '{"$":"module","class":"nn.Linear","args":[2,3],"kwargs":{}}'
    """
    writer = _ModuleWriter()
    text = as_text(writer.write(module, "model"))
    try:
        again = build(text, writer.own_classes.values())
    except (FileError, MissingNameError) as error:
        raise ArgumentError(
            f"the model cannot be rebuilt from its description: {error} {_WEIGHTS_ALONE}"
        ) from error
    _check_same(module, again)
    return text


def build(text: str, classes: Iterable[type[Module]] = (), source: str = "the description") -> Module:
    """Return the module that `describe` described; its weights are still to be loaded.

    The default random streams stay as they are. `classes` are the module classes that are not stepgrad's
    own, `source` names the file in messages.

    Raises MissingNameError (an AttributeError) naming the classes that are needed and not handed over,
    FileError for a description that stepgrad does not write or from which a constructor cannot build its
    module.

    >>> build(describe(nn.Linear(2, 3)))
    Linear(in_features=2, out_features=3, bias=True)
    """
    reader = _ModuleReader(_by_name(classes), source)
    reader.check_classes(text)
    before = random.get_rng_state()
    try:
        with nn.init.skipped():
            module = reader.read_text(text)
    finally:
        random.set_rng_state(before)
    if not isinstance(module, Module):
        raise FileError(f"cannot read '{source}': its architecture is not a module. Write the file again.")
    return module


def _by_name(classes: Iterable[type[Module]]) -> dict[str, type[Module]]:
    found: dict[str, type[Module]] = {}
    handed: list[Any] = [classes] if isinstance(classes, type) else list(classes)
    for value in handed:
        if not (isinstance(value, type) and issubclass(value, Module)):
            raise ArgumentError(f"classes takes module classes, such as classes=[MyNet], got {shown(value)}.")
        if found.setdefault(value.__name__, value) is not value:
            raise ArgumentError(f"classes holds two classes called {value.__name__}; rename one of them.")
    return found


class _ModuleWriter(Writer):
    """Describes modules; `own_classes` are those met on the way that do not belong to stepgrad."""

    def __init__(self) -> None:
        super().__init__()
        self.own_classes: dict[str, type[Module]] = {}
        self._known = {value: name for name, value in known_classes().items()}
        self._numbers: dict[Module, int] = {}

    def write_other(self, value: Any, place: str, depth: int) -> Any:
        if isinstance(value, devices.device):
            return "cpu"  # load() moves the whole model to where it shall be
        if not isinstance(value, Module):
            raise ArgumentError(
                f"{place} is a {type(value).__name__}, which the description of a model cannot hold; it "
                f"holds None, booleans, numbers, texts, lists, tuples, dicts, dtypes and modules. "
                f"{_WEIGHTS_ALONE}"
            )
        if value in self._numbers:
            return {TAG: "same", "module": self._numbers[value]}
        self._numbers[value] = len(self._numbers)
        name = self._known.get(type(value)) or self._own_name(type(value))
        description = {TAG: "module", "class": name}
        if name in _CONTAINERS:
            # named_children() would leave out a module that stands there for the second time.
            children = value._modules.items()
            return {
                **description,
                "children": [
                    [key, self.write(child, f"{place}.{key}", depth + 1)] for key, child in children
                ],
            }
        args, kwargs = value._constructor
        if name in self._known.values():
            kwargs = {key: arg for key, arg in kwargs.items() if key != "device"}
        place = f"the constructor argument of {place} ({type(value).__name__})"
        return {
            **description,
            "args": [self.write(arg, f"{place} number {i + 1}", depth + 1) for i, arg in enumerate(args)],
            "kwargs": {key: self.write(arg, f"{place} '{key}'", depth + 1) for key, arg in kwargs.items()},
        }

    def _own_name(self, value: type[Module]) -> str:
        if self.own_classes.setdefault(value.__name__, value) is not value:
            raise ArgumentError(
                f"the model has modules of two classes called {value.__name__}, which a file cannot tell "
                f"apart; rename one of them. {_WEIGHTS_ALONE}"
            )
        return value.__name__


class _ModuleReader(Reader):
    """Builds modules from the classes of `stepgrad.nn` and those handed over, by their names."""

    def __init__(self, own_classes: dict[str, type[Module]], source: str) -> None:
        super().__init__({}, source)
        self.kinds |= {"module": self._module, "same": self._same}
        self._classes = known_classes() | own_classes
        self._built: list[tuple[Module, int] | None] = []  # each module, and how many modules it stands for
        self._count = 0

    def check_classes(self, text: str) -> None:
        """Raise where the description needs classes that are not there."""
        missing = [name for name in _class_names(text) if name not in self._classes]
        own = [name for name in missing if not name.startswith("nn.")]
        if own:
            names = ", ".join(shown(name).strip("'") for name in own)
            raise MissingNameError(
                f"'{self.source}' needs the module class {names}, and a file brings no code along. "
                f"Define or import it and hand it over: stepgrad.load(path, classes=[{names}])."
            )
        if missing:
            raise FileError(
                f"cannot read '{self.source}': this version of stepgrad ({__version__}) has no module "
                f"{shown(missing[0])}. Upgrade with: pip install --upgrade stepgrad"
            )

    def _module(self, value: dict[str, Any], depth: int) -> Module:
        number, before = len(self._built), self._count
        self._built.append(None)
        self._add(1)
        name = value["class"]
        if name in _CONTAINERS:
            container = _CONTAINERS[name]
            children = [(str(key), self.read(child, depth)) for key, child in value["children"]]
            module = self._call(name, lambda: _fill(container(), children))
        else:
            made_by = self._classes[name]
            args = [self.read(arg, depth) for arg in value["args"]]
            kwargs = {str(key): self.read(arg, depth) for key, arg in value["kwargs"].items()}
            module = self._call(name, lambda: made_by(*args, **kwargs))
        self._built[number] = (module, self._count - before)
        return module

    def _same(self, value: dict[str, Any], depth: int) -> Module:
        number = value["module"]
        built = self._built[number] if type(number) is int and 0 <= number < len(self._built) else None
        if built is None:
            raise ValueError(f"there is no module {shown(number)} before")
        module, count = built
        self._add(count)
        return module

    def _add(self, count: int) -> None:
        self._count += count
        # References to modules that hold references could describe more modules than there are atoms.
        if self._count > MAX_MODULES:
            raise ValueError(f"more than {MAX_MODULES:,} modules")

    def _call(self, name: str, make: Callable[[], Module]) -> Module:
        try:
            return make()
        except Exception as error:  # whatever a constructor raises when its arguments are damaged
            raise FileError(
                f"cannot build the module {name} that '{self.source}' describes: "
                f"{type(error).__name__}: {error}"
            ) from error


def _fill(container: Module, children: Iterable[tuple[str, Any]]) -> Module:
    for name, child in children:
        if not (child is None or isinstance(child, Module)):
            raise TypeError(f"{shown(name)} is no module")
        container._modules[name] = child
    return container


def _class_names(text: str) -> list[str]:
    """Return the class names in a description, each once; none where it cannot be read."""
    names: dict[str, None] = {}
    try:
        left = [json.loads(text)]
    except (ValueError, RecursionError):
        return []
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if value.get(TAG) == "module" and isinstance(value.get("class"), str):
                names[value["class"]] = None
            left.extend(reversed(value.values()))
        elif isinstance(value, list):
            left.extend(reversed(value))
    return list(names)


def _check_same(module: Module, again: Module) -> None:
    """Raise ArgumentError where a module built from the description of `module` is another one."""
    found = differences(shapes(again.state_dict()), shapes(module.state_dict()), "constructor", "model")
    if not found and _parameter_names(again) != _parameter_names(module):
        found = ["parameters are shared in another way"]
    if not found and repr(again) != repr(module):
        found = _first_difference(repr(again), repr(module))
    if found:
        raise ArgumentError(
            f"the model is not what its constructor makes, so a file cannot describe it: {'; '.join(found)}. "
            f"Make the change in the constructor. {_WEIGHTS_ALONE}"
        )


def _parameter_names(module: Module) -> list[str]:
    return [name for name, _ in module.named_parameters()]


def _first_difference(a: str, b: str) -> list[str]:
    pairs = zip_longest(a.splitlines(), b.splitlines(), fillvalue="nothing")
    return [f"the constructor makes {x.strip()}, the model has {y.strip()}" for x, y in pairs if x != y][:1]
