"""What a compiled step cannot follow: Python values that change, and random numbers that are not stepgrad's.

Compiled code has as constants the Python values that a step read: a dropout probability, a weight decay,
which parameters are trained. When one of them changes between steps, the step is compiled anew; when a step
itself changes one, it cannot be compiled.
"""

from __future__ import annotations

import random
from operator import is_
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays.random import Generator
from stepgrad.nn.module import Module

if TYPE_CHECKING:
    from stepgrad.train.trainer import Trainer

_PLAIN = (int, float, str)


class Watch:
    """The Python values that a step of a `Trainer` reads, as they are now."""

    def __init__(self, trainer: Trainer, modules: list[Module]) -> None:
        self._trainer = trainer
        self._modules = [(module, _kept(vars(module)), _objects(vars(module))) for module in modules]
        self._learned = [
            (p, p.requires_grad) for m in modules for p in m._parameters.values() if p is not None
        ]
        self._groups = [(group, _kept(group)) for group in trainer.optimizer.param_groups]
        self._own = _own(trainer)

    def change(self) -> str:
        """Say which value is another one now; an empty text if none is."""
        trainer = self._trainer
        for module, kept, objects in self._modules:
            now = _objects(vars(module))
            if len(now) == len(objects) and all(map(is_, now, objects)):
                continue
            if name := _difference(vars(module), kept, ignore=("training", "_recorded_name")):
                return f"{name.lstrip('_')} of {_called(trainer, module)}"
        if any(p.requires_grad is not learned for p, learned in self._learned):
            return "which parameters are trained"
        groups = trainer.optimizer.param_groups
        if not _same(groups, [group for group, _ in self._groups]):
            return "the groups of the optimizer"
        for group, kept in self._groups:
            if name := _difference(group, kept, ignore=tuple(trainer.optimizer.changing)):
                return f"{name} of the optimizer"
        return "" if _same(self._own, _own(trainer)) else "the model, loss, optimizer or clipping"

    def restore(self) -> None:
        """Put the attributes of the modules back, and the positions of generators among them."""
        for module, kept, _ in self._modules:
            attributes = vars(module)
            for name in [name for name in attributes if name not in kept]:
                del attributes[name]
            for name, (value, content) in kept.items():
                if isinstance(value, Generator):
                    value.set_state(content)
                elif isinstance(content, list):
                    value[:] = content
                elif content is not None:
                    value.clear()
                    value.update(content)
                attributes[name] = value


class ForeignRandomness:
    """Whether Python's or NumPy's own random numbers were drawn, and putting them back."""

    def __init__(self) -> None:
        # The legacy state is meant: it is what code of others draws from.
        self._state: tuple[Any, Any] = (random.getstate(), numpy.random.get_state())  # noqa: NPY002

    def restore(self) -> bool:
        """Put the states back; return whether numbers were drawn."""
        python, numbers = self._state
        here: Any = numpy.random.get_state()  # noqa: NPY002
        if python == random.getstate() and here[2:] == numbers[2:] and bool((here[1] == numbers[1]).all()):
            return False
        random.setstate(python)
        numpy.random.set_state(numbers)  # noqa: NPY002
        return True


def hooked(modules: list[Module]) -> Module | None:
    """Return a module with a hook, which Python must call in every step; None if there is none."""
    for module in modules:
        if module._forward_hooks or module._forward_pre_hooks:
            return module
    return None


def _own(trainer: Trainer) -> list[Any]:
    return [trainer.model, trainer.loss, trainer.optimizer, trainer.clip_norm, trainer.clip_value]


def _kept(values: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return each value with a copy of what it contains."""
    return {name: (value, _content(value)) for name, value in values.items()}


def _objects(values: dict[str, Any]) -> list[Any]:
    """Return the values of a dict and, after them, what the dicts and lists among them hold."""
    found = [*values.values()]
    for value in values.values():
        if type(value) is dict:
            found += value.values()
        elif type(value) is list:
            found += value
    return found


def _content(value: Any) -> Any:
    if isinstance(value, Generator):
        return value.get_state()
    return type(value)(value) if type(value) in (dict, list, set) else None


def _difference(now: dict[str, Any], kept: dict[str, tuple[Any, Any]], ignore: tuple[str, ...]) -> str:
    """Return the name of the first value that is another one now, or holds others."""
    for name, value in now.items():
        old, content = kept.get(name, (None, None))
        if value is old and (content is None or isinstance(value, Generator) or not (value or content)):
            continue
        if (
            not _same(value, old) or (content is not None and not _same(value, content))
        ) and name not in ignore:
            return name
    return next((name for name in kept if name not in now and name not in ignore), "")


def _same(a: Any, b: Any) -> bool:
    """Return whether two values are the same object, equal numbers or texts, or hold the same objects."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return len(a) == len(b) and all(map(is_, a.values(), b.values())) and list(a) == list(b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, set):
        return a == b
    return isinstance(a, _PLAIN) and bool(a == b)


def _called(trainer: Trainer, module: Module) -> str:
    for path, other in trainer.model.named_modules():
        if other is module:
            return f"{path or 'the model'} ({type(module).__name__})"
    return f"the loss ({type(module).__name__})"
