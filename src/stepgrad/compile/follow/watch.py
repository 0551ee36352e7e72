"""What a step reads in Python, and whether it is still the same.

Compiled code has as constants the Python values that a step read: a dropout probability, a weight decay, a
number in a closure, a global variable. When one of them changes between steps, the step is compiled anew;
when a step itself changes one, it cannot be compiled.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from gc import get_referents
from itertools import chain
from operator import is_
from types import (
    CellType,
    CodeType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)  # fmt: skip
from typing import Any

from stepgrad.arrays.random import Generator
from stepgrad.compile.follow.guard import Guard
from stepgrad.nn.module import Module
from stepgrad.optim.optimizer import Optimizer
from stepgrad.tensor import Tensor

_HOOKS = ("_step_pre_hooks", "_step_post_hooks")  # of an optimizer
_PLAIN = (int, float, str)
_NOTHING = object()
# What a step changes in a way that compiled code follows: rates, modes, the names of a recording.
_FOLLOWED_IN_GROUP = {"param_names", "initial_lr"}
_FOLLOWED_IN_MODULE = {"training", "_recorded_name"}
# Ten tables for a module: more of them than networks have modules.
_MOST_TABLES, _MOST_ENTRIES = 100_000, 1_000


class Table:
    """Named values in one place: attributes of an object, entries of a container, variables of a function.

    `place` is the dict or list that holds them, or a function that returns them as a dict. `followed`: the
    names of which the value may change.
    """

    def __init__(self, what: str, place: Any, followed: Iterable[str] = ()) -> None:
        self.place, self._what, self.followed = place, what, followed
        named = self._named()
        self._names, self._objects = [*named], [*named.values()]

    def _named(self) -> dict[Any, Any]:
        if isinstance(self.place, dict):
            return self.place
        if isinstance(self.place, list):
            return {f"entry {i}": value for i, value in enumerate(self.place)}
        return self.place()

    def change(self) -> str:
        """Say which value is another one now; an empty text if none is."""
        now = self._named()
        if [*now] == self._names and all(map(is_, now.values(), self._objects)):
            return ""
        before = dict(zip(self._names, self._objects))
        for name in chain(now, (name for name in before if name not in now)):
            if name in self.followed:
                continue
            if name not in now or name not in before or not _same(now[name], before[name]):
                return f"{str(name).lstrip('_')} of {self._what}"
        return ""

    def restore(self) -> None:
        """Put the values back into the dict or list."""
        if isinstance(self.place, list):
            self.place[:] = self._objects
        elif isinstance(self.place, dict):
            self.place.clear()
            self.place.update(zip(self._names, self._objects))


class Watch:
    """The Python values within reach of some objects, by the name of each, as they are now.

    Followed are attributes of modules, groups and hyperparameters of optimizers, and what functions and
    methods written by a person read: closures, globals, attributes, entries of lists and dicts; after
    `follow_state` also which tensors are the state of optimizers.
    """

    def __init__(self, roots: dict[str, Any]) -> None:
        self._tables: list[Table] = []
        self._generators: list[tuple[Generator, Any]] = []
        self._seen: dict[int, Any] = {}
        # Names that the functions found so far use; objects with methods, of which those so named are read.
        self._names: set[str] = {"forward", "__call__"}
        self._objects: list[tuple[str, Any]] = []
        # Their classes, and those named; attributes are read as those of objects.
        self._classes: dict[type, None] = {}
        # The modules and the mode of each.
        self.modes: list[tuple[Module, bool]] = []
        # Optimizers with what their states held; what compiled code asks for in each step, as rates.
        self._optimizers: list[tuple[str, Optimizer, dict[str, Any]]] = []
        self._rates: list[Table] = []
        self._states = _states()
        # The gradients of their parameters, by identity.
        self.gradients: dict[int, Tensor] = {}
        # Tables of which some names are read, and cells of closures.
        self._picked: list[tuple[dict[str, Any], tuple[str, ...]]] = []
        self._cells: list[CellType] = []
        # What is neither in a dict or list nor in a cell: attributes in slots, elements of sets.
        self._others: list[Callable[[], Iterable[Any]]] = []
        for name, x in roots.items():
            self._find(x, name)
        self._follow_names()
        for name, x in self._objects:
            self._follow_object(x, name)
        for kind in self._classes:
            table = Table(kind.__name__, partial(_chosen, vars(kind), self._names))
            self._add(table)
            # The dict itself, of which `vars` is a view.
            here = tuple(table.place())
            self._picked += [(x, here) for x in get_referents(vars(kind)) if type(x) is dict]
        self._look()

    def _look(self, further: Iterable[Any] = ()) -> None:
        """Make the guard that looks at all values at once, before every step."""
        places = [(table.place, table.followed) for table in self._tables if not callable(table.place)]
        every = [*places, *((place, ()) for place in further)]
        self._guard = Guard(every, self._picked, self._cells, self._others)

    def change(self) -> str:
        """Say which value is another one now; an empty text if none is."""
        if not self._guard.differs():
            return ""
        for table in self._tables:
            if change := table.change():
                return change
        return ""

    def moved_rate(self) -> str:
        """Say which number that compiled code asks for in each step is another one now."""
        return next(filter(None, (table.change() for table in self._rates)), "")

    def drawn(self) -> str:
        """Say from which module random numbers were drawn since the watch began."""
        return next((name for name, state in _states().items() if state != self._states.get(name)), "")

    def follow_state(self) -> str:
        """Follow from now on which tensors are the state of the optimizers. Return what else than tensors was
        put there, or in the place of others, since the watch began; an empty text if nothing was.
        """
        places: list[Any] = []
        for name, optimizer, before in self._optimizers:
            now = _state(optimizer)
            for key, value in now.items():
                if value is not before.get(key, value) or not (key in before or isinstance(value, Tensor)):
                    return f"{key} of {name}"
            self._add(Table(name, partial(_state, optimizer)))
            self._picked.append((vars(optimizer), ("state", "param_groups", *_HOOKS)))
            places += [hooks for name in _HOOKS if isinstance(hooks := getattr(optimizer, name), list)]
            places += [optimizer.state, *(x for x in optimizer.state.values() if isinstance(x, dict))]
        self._look(places)
        return ""

    def restore(self) -> None:
        """Put back attributes of modules, entries of containers and positions of generators."""
        for table in self._tables:
            table.restore()
        for generator, state in self._generators:
            generator.set_state(state)

    # ---------------------------------------------------------------------------------- finding

    def _add(self, table: Table) -> None:
        if len(self._tables) < _MOST_TABLES:
            self._tables.append(table)

    def _find(self, x: Any, name: str) -> None:
        """Make tables of an object and of what it leads to."""
        if isinstance(x, Tensor):
            for hook in (*(x._hooks or ()), *(x._after_accumulation or ())):
                self._find(hook, f"a hook of {name}")
        if x is None or isinstance(x, (*_PLAIN, Tensor)) or id(x) in self._seen:
            return
        self._seen[id(x)] = x
        if isinstance(x, type):
            self._classes |= {kind: None for kind in x.__mro__ if not _is_library(kind)}
        elif isinstance(x, Module):
            self._find_module(x, name)
        elif isinstance(x, Optimizer):
            self._find_optimizer(x, f"{name} ({type(x).__name__})")
        elif isinstance(x, (dict, list, tuple)):
            self._find_entries(x, name)
        elif isinstance(x, FunctionType):
            self._find_function(x)
        elif isinstance(x, MethodType):
            self._find(x.__func__, name)
            self._find(x.__self__, name)
        elif isinstance(x, partial):
            self._find_entries([x.func, *x.args, *x.keywords.values()], name)
        elif isinstance(x, Generator):
            self._generators.append((x, x.get_state()))
        elif isinstance(x, set):
            self._find_elements(x, name)
        elif _is_namespace(x) or not _is_library(type(x)):
            self._objects.append((name, x))

    def _find_optimizer(self, optimizer: Optimizer, name: str) -> None:
        self._optimizers.append((name, optimizer, _state(optimizer)))
        for hooks in _HOOKS:
            self._add(Table(name, partial(_entries_of, optimizer, hooks)))
        # A rule is handed what changes from step to step; a `step` of one's own reads it as any number.
        changing = set(optimizer.changing) if type(optimizer).step is Optimizer.step else set()
        self._add(Table(f"the groups of {name}", optimizer.param_groups))
        for group in optimizer.param_groups:
            self._add(Table(name, group, _FOLLOWED_IN_GROUP | changing))
            self._add(Table(f"the parameters of {name}", group["params"]))
            self._rates.append(Table(name, partial(_chosen, group, changing)))
            for parameter in group["params"]:
                self._find(parameter, f"a parameter of {name}")
            self.gradients |= {id(p.grad): p.grad for p in group["params"] if p.grad is not None}

    def _find_module(self, module: Module, name: str) -> None:
        label = f"{name} ({type(module).__name__})"
        attributes = vars(module)
        self.modes.append((module, module.training))
        self._add(Table(label, attributes, _FOLLOWED_IN_MODULE))
        for key, value in list(attributes.items()):
            if key in ("_modules", "_parameters", "_buffers"):
                self._add(Table(label, value))
                for name_within, x in value.items():
                    if isinstance(x, Tensor):
                        self._find(x, name_within)
            elif isinstance(value, (dict, list)):
                self._find_entries(value, f"{key.lstrip('_')} of {label}")
            elif key != "_not_saved":  # which no step reads
                self._find(value, key)
        for key, child in module.named_children():
            self._find(child, key if name == "the model" else f"{name}.{key}")
        self._find_class(type(module))

    def _find_entries(self, x: Any, name: str) -> None:
        if len(x) > _MOST_ENTRIES:
            return
        if isinstance(x, dict):
            self._add(Table(name, x))
            entries = list(x.items())
        else:
            entries = [(f"entry {i}", value) for i, value in enumerate(x)]
            if isinstance(x, list):
                self._add(Table(name, x))
        for key, value in entries:
            self._find(value, str(key))

    def _find_elements(self, x: set[Any], name: str) -> None:
        if len(x) > _MOST_ENTRIES:
            return
        self._add(Table(name, partial(_elements, x)))
        self._others.append(partial(list, x))
        for element in list(x):
            self._find(element, name)

    def _follow_object(self, x: Any, name: str) -> None:
        """Follow the attributes of an object that have one of the names."""
        self._add(Table(name, partial(_attributes, x, self._names)))
        if hasattr(x, "__dict__"):
            self._picked.append((vars(x), tuple(self._names)))
        if slots := _slots_of(x) & self._names:
            self._others.append(lambda: [getattr(x, slot, _NOTHING) for slot in slots])

    def _find_function(self, function: FunctionType) -> None:
        if _is_library(function):
            return
        names = set(_names_in(function.__code__))
        self._names |= names
        self._add(Table(f"{function.__name__}()", partial(_variables, function, names)))
        self._cells += [cell for cell in function.__closure__ or () if _is_filled(cell)]
        variables = _variables(function, names)
        modules = [x for x in variables.values() if isinstance(x, ModuleType) and not _is_library_module(x)]
        self._picked += [(table, tuple(names)) for table in (function.__globals__, *map(vars, modules))]
        for key, value in variables.items():
            self._find(value, key)
        self._find_entries([*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()], "")

    def _follow_names(self) -> None:
        """Follow the attributes and methods of the objects found, by name, until no more are found."""
        known = -1
        while known != len(self._seen):
            known = len(self._seen)
            for _, x in list(self._objects):
                for key, value in _attributes(x, list(self._names)).items():
                    self._find(value, key)
                self._find_class(type(x))
            for kind in list(self._classes):
                for key, value in _chosen(vars(kind), list(self._names)).items():
                    if _is_namespace(value):
                        self._find(value, key)

    def _find_class(self, of: type) -> None:
        """Find the functions of a class and of those above it."""
        for kind in of.__mro__:
            if _is_library(kind):
                continue
            self._classes[kind] = None
            for name, member in list(vars(kind).items()):
                function = getattr(member, "fget", None) or getattr(member, "__func__", member)
                if name in self._names and isinstance(function, FunctionType):
                    self._find(function, name)


def _states() -> dict[str, Any]:
    """Return the states of Python's and NumPy's random numbers, of the modules that are loaded."""
    found: dict[str, Any] = {}
    if "random" in sys.modules:
        found["random"] = sys.modules["random"].getstate()
    if "numpy.random" in sys.modules:
        state = sys.modules["numpy.random"].get_state()
        found["numpy.random"] = state[1].tobytes(), *state[2:]
    return found


def _state(optimizer: Optimizer) -> dict[str, Any]:
    """Return what stands in the state of an optimizer, by names that tell the parameters apart."""
    found: dict[str, Any] = {}
    for i, (parameter, own) in enumerate(optimizer.state.items()):
        if isinstance(own, dict):
            found |= {f"{key} of parameter {i}": value for key, value in own.items()}
        else:
            found[str(parameter)] = own
    return found


def _entries_of(x: Any, name: str) -> dict[str, Any]:
    return {f"{name} {i}": value for i, value in enumerate(getattr(x, name))}


def _is_library(x: Any) -> bool:
    """Return whether a function or a class is Python's own, NumPy's or stepgrad's."""
    top = (getattr(x, "__module__", None) or "builtins").partition(".")[0]
    return top in ("stepgrad", "numpy") or (top in sys.stdlib_module_names and top != "__main__")


def _is_namespace(x: Any) -> bool:
    """Return whether an object of Python's library is one that a person puts values into."""
    return isinstance(x, SimpleNamespace) or any(
        (kind.__module__, kind.__name__) == ("argparse", "Namespace") for kind in type(x).__mro__
    )


def _names_in(code: CodeType) -> Iterator[str]:
    """Return the names of globals and attributes that code uses, functions inside included, and words that
    `getattr` and `hasattr` may be handed.
    """
    yield from code.co_names
    asks = not {"getattr", "hasattr"}.isdisjoint(code.co_names)
    for constant in code.co_consts:
        if asks and isinstance(constant, str) and constant.isidentifier():
            yield constant
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def _variables(function: FunctionType, names: Iterable[str]) -> dict[str, Any]:
    """Return the variables of its surroundings that a function reads, and those of modules named there."""
    found: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        if _is_filled(cell):
            found[name] = cell.cell_contents
    found |= _chosen(function.__globals__, names)
    for name, value in list(found.items()):
        if isinstance(value, ModuleType) and not _is_library_module(value):
            found |= _chosen(vars(value), names, f"{name}.")
    return found


def _is_filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - asked for to see whether it is there
    except ValueError:
        return False
    return True


def _is_library_module(module: ModuleType) -> bool:
    top = module.__name__.partition(".")[0]
    return top in ("stepgrad", "numpy") or top in sys.stdlib_module_names


def _attributes(x: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return the attributes that an object holds itself, in its dict or in slots, if they have such names."""
    slots = (name for name in _slots_of(x).intersection(names) if hasattr(x, name))
    return _chosen(getattr(x, "__dict__", {}), names) | {name: getattr(x, name) for name in slots}


def _slots_of(x: Any) -> set[str]:
    """Return the names for which an object has slots, filled or not."""
    kinds = (kind for kind in type(x).__mro__ if not _is_library(kind))
    return {name for kind in kinds for name, x in vars(kind).items() if isinstance(x, MemberDescriptorType)}


def _elements(x: set[Any]) -> dict[Any, Any]:
    return {element: element for element in x}


def _chosen(table: Mapping[str, Any], names: Iterable[str], prefix: str = "") -> dict[str, Any]:
    return {prefix + name: table[name] for name in names if name in table}


def _same(a: Any, b: Any) -> bool:
    """Return whether two values are the same object, equal numbers or texts, or tuples of such."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, set):
        return a == b
    if isinstance(a, MethodType):  # made anew each time it is asked for
        return a == b
    return isinstance(a, _PLAIN) and bool(a == b)
