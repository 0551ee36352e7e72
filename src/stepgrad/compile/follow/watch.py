"""What a step reads in Python, and whether it is still the same.

Compiled code has as constants the Python values that a step read: a dropout probability, a weight decay, a
number in a closure, a global variable. When one of them changes between steps, the step is compiled anew;
when a step itself changes one, it cannot be compiled.

Two things tell what a step may read. Before it runs, the functions in its reach are looked at: the names that
their code uses, and the objects that they can get at. While it runs, every function that is entered is
noted, whichever way it was called, and looked at as well.
"""

from __future__ import annotations

import sys
from collections import defaultdict, deque
from collections.abc import Callable, Collection
from functools import partial
from types import CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy

from stepgrad.arrays.random import Generator
from stepgrad.autograd.recording import hides_values
from stepgrad.compile.follow import reach
from stepgrad.compile.follow.entered import Entered, weakly
from stepgrad.compile.follow.guard import Guard
from stepgrad.compile.follow.sources import Sources, is_read
from stepgrad.compile.follow.table import Asked, Chosen, Closure, Entries, Question, Table, chosen
from stepgrad.nn.module import Module
from stepgrad.optim.optimizer import Optimizer
from stepgrad.tensor import Tensor

_HOOKS = ("_step_pre_hooks", "_step_post_hooks")  # of an optimizer
_PLAIN = (int, float, str, bytes)
# What a step changes in a way that compiled code follows: rates, modes, the names of a recording.
_FREE_IN_GROUP = {"param_names", "initial_lr"}
_FREE_IN_MODULE = {"training", "_recorded_name"}
_ASKS_FOR_RATES = {"get_last_lr", "get_lr"}
_ASKS_FOR_ALL = {"items", "values", "copy", "deepcopy"}
# Of containers, so many entries are followed each, and so many are asked for at all.
_MOST_FOLLOWED, _MOST_ENTRIES = 1_000, 10_000
# Larger arrays of NumPy take longer to compare than most steps.
_MOST_BYTES = 1 << 24


class Watch:
    """The Python values within reach of some objects, by the name of each, as they are now.

    Followed are attributes of modules, groups and hyperparameters of optimizers, and what functions and
    methods written by a person read: closures, globals, attributes, entries of containers; after
    `follow_state` also which tensors are the state of optimizers. `handed`: objects that are others in each
    call, of which the classes are followed alone.
    """

    def __init__(self, roots: dict[str, Any], handed: Collection[Any] = ()) -> None:
        self._tables: list[Table] = []
        self._generators: list[tuple[Generator, Any]] = []
        self._seen: dict[int, Any] = {}
        self._pending: deque[tuple[Any, str]] = deque()
        # Names that the functions found so far use, and those of them that may be missing; objects with
        # methods, of which attributes with such names are read.
        self._names: set[str] = {"forward", "__call__"}
        self._asked: set[str] = set()
        self._objects: list[tuple[str, Any]] = []
        # Their classes, and those named; attributes are read as those of objects.
        self._classes: dict[type, None] = {}
        # How many of the objects and classes have tables for these names.
        self._tabled: tuple[int, int, frozenset[str]] = (0, 0, frozenset())
        # The same for what their attributes led to.
        self._discovered: tuple[int, int, set[str]] = (0, 0, set())
        self._codes: set[int] = set()
        self._entered = Entered(self._enter, self._meet)
        self._met: dict[int, tuple[str, Callable[[], Any], dict[str, Any]]] = {}
        # The modules and the mode of each.
        self.modes: list[tuple[Module, bool]] = []
        # Optimizers with what their states held; their groups, with what compiled code asks for in each step.
        self._optimizers: list[tuple[str, Optimizer, dict[str, Any]]] = []
        self._groups: list[tuple[Entries, Chosen, set[str]]] = []
        # The gradients of their parameters, by identity.
        self.gradients: dict[int, Tensor] = {}
        self._tensors: dict[int, Tensor] = {}
        self._sources = Sources()
        self._arrays: list[tuple[str, numpy.ndarray, bytes | None]] = []
        self._handed = {id(x) for x in handed}
        for name, x in roots.items():
            self._find(x, name)
        for x in handed:
            self._note_class(type(x))
        self._settle()
        self._look()

    # -------------------------------------------------------------------------------- questions

    def change(self) -> str:
        """Say which value is another one now; an empty text if none is."""
        if not self._guard.differs():
            return ""
        if change := self.changed():
            return change
        self._look()  # others that are equal
        return ""

    def changed(self) -> str:
        """Say the same, by each table: what is asked after a run that was noted."""
        for name, ref, before in self._met.values():
            for key, value in before.items():
                if (x := ref()) is not None and (reach.dict_of(x) or {}).get(key) is not value:
                    return f"{key} of {name}"
        return next(filter(None, (table.change() for table in self._tables)), "")

    def moved_rate(self) -> str:
        """Say which number that compiled code asks for in each step is another one now."""
        return next(filter(None, (rates.change() for _, rates, _ in self._groups)), "")

    def noting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a step as one that is looked at while it runs."""
        return self._entered.during(function)

    def finish(self) -> str:
        """Follow all that the runs noted have shown. Return what of it goes on by being read, so that
        compiled code would be handed the same for ever; an empty text if nothing does.
        """
        for function in self._entered.functions(self._codes):
            self._find(function, function.__name__)
        met, self._met = self._met, {}
        for name, ref, _ in met.values():
            self._find(ref(), name)
        self._settle()
        names = self._entered.names()
        reason = self._follow_arrays(names) or self._entered.went_on or self._sources.read(names)
        self._hold_rates(names)
        self._look()
        return reason

    def _follow_arrays(self, names: set[str]) -> str:
        """Follow the NumPy arrays that the step names; say which one is too large, or changed by it."""
        arrays, self._arrays = self._arrays, []
        for name, x, before in arrays:
            if is_read(name, names):
                if before is None:
                    return f"a NumPy array of {x.nbytes >> 20} MiB ({name})"
                if x.tobytes() != before:
                    return f"a NumPy array that it changes ({name})"
                self._tables.append(Asked(name, partial(reach.numbers_of, x)))
        return ""

    def _hold_rates(self, names: set[str]) -> None:
        """Follow the rates that the step reads itself, which compiled code asks for otherwise."""
        words, asks = self._entered.words(), not _ASKS_FOR_RATES.isdisjoint(names)
        asks |= "param_groups" in names and not _ASKS_FOR_ALL.isdisjoint(names)
        for group, _, changing in self._groups:
            group.free -= changing if asks else changing & words

    def follow_state(self) -> str:
        """Follow from now on which tensors are the state of the optimizers. Return what else than tensors was
        put there, or in the place of others, since the watch began; an empty text if nothing was.
        """
        for name, optimizer, before in self._optimizers:
            now = _state(optimizer)
            for key, value in now.items():
                if value is not before.get(key, value) or not (key in before or isinstance(value, Tensor)):
                    return f"{key} of {name}"
            places: list[Any] = [
                hooks for name in _HOOKS if isinstance(hooks := getattr(optimizer, name), list)
            ]
            places += [optimizer.state, *(x for x in optimizer.state.values() if isinstance(x, dict))]
            questions: list[Question] = [("places", (place, ())) for place in places]
            questions.append(("entries", (vars(optimizer), ("state", "param_groups", *_HOOKS))))
            self._tables.append(Asked(name, partial(_state, optimizer), questions))
        self._look()
        return ""

    def restore(self) -> None:
        """Put back attributes, entries of containers and generators of random numbers."""
        for table in self._tables:
            table.restore()
        self._sources.restore()
        for generator, state in self._generators:
            generator.set_state(state)

    def _look(self) -> None:
        """Make the guard that looks at all values at once, before every step."""
        asked: dict[str, list[Any]] = defaultdict(list)
        for table in self._tables:
            for kind, question in table.questions():
                asked[kind].append(question)
        self._guard = Guard(**asked)

    def knows(self, x: Tensor) -> bool:
        """Return whether a tensor is within reach."""
        return id(x) in self._tensors

    def reads_rates(self) -> bool:
        """Return whether the step reads rates itself."""
        return any(not changing <= group.free for group, _, changing in self._groups)

    # ---------------------------------------------------------------------------------- running

    def _enter(self, frame: FrameType, was_made: bool) -> None:
        """Follow what a function reads that has just been entered, and was made by the step or was not."""
        code = frame.f_code
        if id(code) in self._codes:
            return
        if not reach.is_own_module(frame.f_globals.get("__name__") or ""):
            # Of what is installed, the global variables alone.
            names = {*reach.variables_in(code)}
            self._tables.append(Chosen(f"{code.co_name}()", frame.f_globals, names))
            return
        here = {} if was_made else frame.f_locals
        for name in code.co_freevars:
            self._find(here.get(name), name)
        self._follow_variables(f"{code.co_name}()", code, frame.f_globals)
        self._settle()

    def _meet(self, x: Any, name: str) -> None:
        """Remember an object that a function is handed: it may have been there before the step or not."""
        known = id(x) in self._seen or id(x) in self._met or id(x) in self._handed
        if known or isinstance(x, (Tensor, type, *_PLAIN)):
            return
        if isinstance(x, Module):
            self._find(x, name)
            self._settle()
        elif reach.is_own(type(x)) and (ref := weakly(x)) is not None:
            plain = {
                key: value for key, value in (reach.dict_of(x) or {}).items() if isinstance(value, _PLAIN)
            }
            self._met[id(x)] = name, ref, plain

    # ---------------------------------------------------------------------------------- finding

    def _find(self, x: Any, name: str) -> None:
        """Have tables made of an object and of what it leads to."""
        if x is None or isinstance(x, _PLAIN) or id(x) in self._seen:
            return
        if isinstance(x, Tensor) and x._node is not None and hides_values():
            return
        self._seen[id(x)] = x
        self._pending.append((x, name))

    def _settle(self) -> None:
        """Follow what has been found, and attributes and methods of objects by name, until there is no more;
        then make the tables of objects and classes for the names that are new.
        """
        self._discover()
        objects, classes, before = self._tabled
        names = frozenset(self._names)
        there = self._asked.union(*map(vars, self._classes))
        for i, (name, x) in enumerate(self._objects):
            self._add_object(x, name, names - before if i < objects else names)
        for i, kind in enumerate(self._classes):
            self._add_class(kind, (names - before if i < classes else names) & there)
        self._tabled = len(self._objects), len(self._classes), names

    def _discover(self) -> None:
        while self._pending or (len(self._objects), len(self._classes), self._names) != self._discovered:
            while self._pending:
                self._follow(*self._pending.popleft())
            objects, classes, before = self._discovered
            kinds, names, further = list(self._classes), set(self._names), self._names - before
            self._discovered = len(self._objects), len(kinds), names
            for i, (_, x) in enumerate(list(self._objects)):
                self._find_attributes(x, further if i < objects else names)
            for i, kind in enumerate(kinds):
                if reach.is_own(kind):
                    for key, value in chosen(vars(kind), further if i < classes else names).items():
                        # Methods are looked at when they are entered: not all of such a name are called.
                        if not isinstance(value, FunctionType):
                            self._find(value, key)

    def _find_attributes(self, x: Any, names: set[str]) -> None:
        if isinstance(x, ModuleType) and not reach.is_own(x):
            return
        self._note_class(type(x))
        for key, value in chosen(reach.dict_of(x) or {}, names).items():
            self._find(value, key)
        for key, value in reach.in_slots(x, names).items():
            self._find(value, key)

    def _follow(self, x: Any, name: str) -> None:
        if isinstance(x, Tensor):
            self._follow_tensor(x, name)
            self._tables.append(_shape_of(x, name))
        elif isinstance(x, type):
            self._note_class(x)
        elif isinstance(x, Module):
            self._follow_module(x, name)
        elif isinstance(x, Optimizer):
            self._follow_optimizer(x, f"{name} ({type(x).__name__})")
        elif isinstance(x, (dict, list, tuple)):
            self._follow_entries(x, name)
            self._note_object(x, name)
        elif isinstance(x, FunctionType):
            self._follow_function(x)
        elif isinstance(x, MethodType):
            self._find(x.__func__, name)
            self._find(x.__self__, name)
        elif isinstance(x, partial):
            self._follow_entries((x.func, x.args, x.keywords), name)
        elif isinstance(x, Generator):
            self._generators.append((x, x.get_state()))
        elif isinstance(x, numpy.ndarray):
            before = x.tobytes() if x.nbytes <= _MOST_BYTES else None
            self._arrays.append((name, x, before))
        elif isinstance(x, ModuleType):
            if not reach.is_library(x.__name__):
                self._objects.append((x.__name__, x))
        else:
            self._follow_other(x, name)

    def _follow_other(self, x: Any, name: str) -> None:
        """Follow an object of Python's library that holds others or goes on by being read, or one of a
        person's.
        """
        if (contents := reach.contents_of(x)) is not None:
            self._follow_contents(contents, name)
        elif (held := reach.holder_of(x)) is not None:
            self._tables.append(Chosen(name, vars(x), held))
            for value in held.values():
                self._find(value, name)
        elif (wrapped := reach.wrapped_in(x)) is not None:
            self._find(wrapped, name)
        else:
            self._sources.add(x, name)
        self._note_object(x, name)

    def _note_object(self, x: Any, name: str) -> None:
        if reach.is_namespace(x) or not reach.is_from_library(type(x)):
            self._objects.append((name, x))

    def _note_class(self, x: type) -> None:
        self._classes |= {kind: None for kind in x.__mro__ if not reach.is_from_library(kind)}

    def _follow_tensor(self, x: Tensor, name: str) -> None:
        """Follow the hooks of a tensor, and the attributes that a person gave it."""
        self._tensors[id(x)] = x
        for hook in (*(x._hooks or ()), *(x._after_accumulation or ())):
            self._find(hook, f"a hook of {name}")
        if own := [key for key in vars(x) if key[0] != "_" and key not in _OF_TENSORS]:
            self._tables.append(Chosen(name, vars(x), own))
            for key in own:
                self._find(vars(x)[key], key)
        if "requires_grad" in self._names:
            self._tables.append(Chosen(name, vars(x), ("requires_grad",)))

    def _follow_optimizer(self, optimizer: Optimizer, name: str) -> None:
        self._optimizers.append((name, optimizer, _state(optimizer)))
        self._seen |= {
            id(x): x for x in (optimizer.state, optimizer.param_groups)
        }  # followed in their own way
        for hooks in _HOOKS:
            self._tables.append(Asked(name, partial(_entries_of, optimizer, hooks), ()))
        # A rule is handed what changes from step to step; a `step` of one's own reads it as any number.
        changing = set(optimizer.changing) if type(optimizer).step is Optimizer.step else set()
        self._tables.append(Entries(f"the groups of {name}", optimizer.param_groups))
        for group in optimizer.param_groups:
            table = Entries(name, group, _FREE_IN_GROUP | changing)
            self._groups.append((table, Chosen(name, group, changing), changing))
            self._tables += table, Entries(f"the parameters of {name}", group["params"])
            for parameter in group["params"]:
                self._follow_tensor(parameter, f"a parameter of {name}")
            self.gradients |= {id(p.grad): p.grad for p in group["params"] if p.grad is not None}
        self._objects.append((name, optimizer))

    def _follow_module(self, module: Module, name: str) -> None:
        label = f"{name} ({type(module).__name__})"
        attributes = vars(module)
        self.modes.append((module, module.training))
        if all(kind is Module or reach.is_own(kind) for kind in _modules_above(module)):
            # A person wrote all that reads it but what every module has: the rest is read by name.
            self._objects.append((label, module))
            attributes = chosen(attributes, _OF_MODULES)
            self._tables.append(Chosen(label, vars(module), attributes, _FREE_IN_MODULE))
        else:
            self._tables.append(Entries(label, attributes, _FREE_IN_MODULE))
        for key, value in list(attributes.items()):
            if key in ("_modules", "_parameters", "_buffers"):
                self._tables.append(Entries(label, value))
                for name_within, x in value.items():
                    if isinstance(x, Tensor):
                        self._follow_tensor(x, name_within)
            elif isinstance(value, (dict, list)):
                self._follow_entries(value, f"{key.lstrip('_')} of {label}")
            elif key != "_not_saved":  # which no step reads
                self._find(value, key)
        for key, child in module.named_children():
            self._find(child, key if name == "the model" else f"{name}.{key}")
        self._note_class(type(module))

    def _follow_entries(self, x: Any, name: str) -> None:
        if len(x) > _MOST_ENTRIES:
            return
        if isinstance(x, (dict, list)):
            self._tables.append(Entries(name, x))
        if len(x) > _MOST_FOLLOWED:
            return
        for key, value in list(x.items() if isinstance(x, dict) else enumerate(x)):
            self._find(value, f"entry {key}" if isinstance(key, (int, str)) else "entry")

    def _follow_contents(self, contents: Callable[[], Any], name: str) -> None:
        if len(held := contents()) > _MOST_ENTRIES:
            return
        self._tables.append(Asked(name, contents))
        for value in list(held.values())[:_MOST_FOLLOWED]:
            self._find(value, name)

    def _follow_function(self, function: FunctionType) -> None:
        if not reach.is_own(function):
            return
        self._codes.add(id(function.__code__))
        self._tables.append(table := Closure(function))
        for key, value in table.named().items():
            if key != "code":
                self._find(value, key)
        if own := vars(function):
            self._tables.append(Entries(f"{function.__name__}()", own))
            for key, value in own.items():
                self._find(value, key)
        self._follow_variables(f"{function.__name__}()", function.__code__, function.__globals__)

    def _follow_variables(self, name: str, code: CodeType, variables: dict[str, Any]) -> None:
        """Follow the global variables that code names, and modules that it may import."""
        self._names.update(reach.names_in(code))
        self._asked.update(reach.words_asked_in(code))
        names = {*reach.variables_in(code)}
        self._tables.append(Chosen(name, variables, names))
        for key in names:
            self._find(variables.get(key, sys.modules.get(key)), key)

    def _add_object(self, x: Any, name: str, names: frozenset[str]) -> None:
        """Make tables of the attributes of an object that have one of the names."""
        if isinstance(x, Module):
            names -= _OF_MODULES
        if names and (held := reach.dict_of(x)) is not None:
            self._tables.append(Chosen(name, held, names))
        if reach.slots_of(x) & names:
            self._tables.append(Asked(name, partial(reach.in_slots, x, names)))

    def _add_class(self, kind: type, names: frozenset[str]) -> None:
        """Make a table of attributes of a class that it has, or may get, before those of classes above it."""
        if names:
            questions = [("entries", (reach.dict_of_class(kind), tuple(names)))]
            self._tables.append(Asked(kind.__name__, partial(chosen, vars(kind), names), questions))


_OF_TENSORS = {"grad", "requires_grad", "name"}
_OF_MODULES = frozenset({*vars(Module()), *_FREE_IN_MODULE})


def _modules_above(module: Module) -> list[type]:
    """Return the classes of a module that are modules."""
    return [kind for kind in type(module).__mro__ if issubclass(kind, Module)]


def _shape_of(x: Tensor, name: str) -> Table:
    """Return a table of what Python may ask of a tensor besides its numbers."""

    def ask() -> dict[str, Any]:
        return {"shape": x._array.shape, "dtype": x._array.dtype.str}

    return Asked(name, ask, [("entries", (vars(x), ("_array",)))])


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
