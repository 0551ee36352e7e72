"""Containers: modules made of modules."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from typing import Any

from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, MissingKeyError, suggest
from stepgrad.nn.module import Module, indented
from stepgrad.nn.parameter import Parameter
from stepgrad.nn.tables import check_text, kind
from stepgrad.tensor import Tensor


def _checked(module: Any, name: str) -> Module:
    if isinstance(module, Module):
        return module
    if isinstance(module, type) and issubclass(module, Module):
        raise DtypeError(
            f"{name} takes modules, not the class {module.__name__}. Write {module.__name__}(…)."
        )
    unpacked = f" Unpack them: {name}(*modules)." if isinstance(module, (list, tuple)) else ""
    raise DtypeError(f"{name} takes modules, not {kind(module)}.{unpacked}")


def _position(index: Any, count: int, name: str) -> int:
    """Return an index into `count` numbered things as 0 … count-1."""
    try:
        i = operator.index(index)
    except TypeError:
        raise DtypeError(f"{name} is indexed by integers and slices, not {index!r}.") from None
    if not -count <= i < count:
        raise IndexShapeError(f"{name} has {count} entries; there is no number {i}.")
    return i % count


class _ListOfModules(Module):
    """What Sequential and ModuleList have in common: numbered submodules."""

    def _all(self) -> list[Module]:
        return list(self._modules.values())  # type: ignore[arg-type]

    def _number(self, modules: Iterable[Any]) -> None:
        checked = [_checked(module, self._get_name()) for module in modules]
        self._modules.clear()
        self._modules.update({str(i): module for i, module in enumerate(checked)})

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._all())

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            return self._all()[_position(index, len(self), self._get_name())]
        made = type(self)()
        made._modules.update(list(self._modules.items())[index])
        return made

    def __setitem__(self, index: int, module: Module) -> None:
        name = list(self._modules)[_position(index, len(self), self._get_name())]
        self._modules[name] = _checked(module, self._get_name())

    def __delitem__(self, index: Any) -> None:
        modules = self._all()
        del modules[index if isinstance(index, slice) else _position(index, len(self), self._get_name())]
        self._number(modules)

    def __add__(self, other: Iterable[Module]) -> Any:
        return type(self)().extend(self).extend(other)

    def __iadd__(self, other: Iterable[Module]) -> Any:
        return self.extend(other)

    def append(self, module: Module) -> Any:
        """Add a module at the end; return the container."""
        number = len(self)
        while str(number) in self._modules:  # a slice of a Sequential keeps its names
            number += 1
        self._modules[str(number)] = _checked(module, self._get_name())
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Add a module before number `index`, as a list does; return the container."""
        modules = self._all()
        modules.insert(index, module)
        self._number(modules)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add modules at the end; return the container."""
        for module in [_checked(module, self._get_name()) for module in modules]:
            self.append(module)
        return self

    def pop(self, index: int = -1) -> Module:
        """Take a module out, the last one by default, and return it."""
        module: Module = self[index]
        del self[index]
        return module


class Sequential(_ListOfModules):
    """Modules one after the other: each gets the output of the one before.

    It takes modules, or one dict of modules by name. A slice of it keeps the names, as in PyTorch.

    >>> import stepgrad as sg
    >>> sg.nn.Sequential(sg.nn.Linear(2, 3), sg.nn.ReLU())
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
    )
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], dict):
            for name, module in modules[0].items():
                self.add_module(name, _checked(module, "Sequential"))
        else:
            self._number(modules)

    def forward(self, input: Any) -> Any:
        """Pass x through all modules."""
        for module in self._modules.values():
            input = module(input)  # type: ignore[misc]
        return input


class ModuleList(_ListOfModules):
    """A list of modules, whose parameters are known to the module that holds it.

    >>> import stepgrad as sg
    >>> layers = sg.nn.ModuleList([sg.nn.Linear(2, 2) for _ in range(3)])
    >>> len(list(layers.parameters()))
    6
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self._number([] if modules is None else modules)

    def __getitem__(self, index: Any) -> Any:
        return ModuleList(self._all()[index]) if isinstance(index, slice) else super().__getitem__(index)

    def __repr__(self) -> str:
        """Neighbours with the same text stand in one line."""
        runs: list[tuple[int, int, str]] = []  # the first, the last, and their text
        for i, text in enumerate(map(repr, self)):
            start = i
            if runs and runs[-1][2] == text:
                start = runs.pop()[0]
            runs.append((start, i, text))
        return self._with_lines(
            [
                f"({i}): {indented(text)}" if i == j else f"({i}-{j}): {j - i + 1} x {indented(text)}"
                for i, j, text in runs
            ]
        )


class ModuleDict(Module):
    """A dictionary of modules, whose parameters are known to the module that holds it.

    A name that is not there gives a `MissingKeyError`, which is a `KeyError`.

    >>> import stepgrad as sg
    >>> choice = sg.nn.ModuleDict({"relu": sg.nn.ReLU(), "tanh": sg.nn.Tanh()})
    >>> choice["relu"](sg.tensor([-1.0]))
    tensor([0.])
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        self.update({} if modules is None else modules)

    def update(self, modules: Any) -> None:
        """Add modules of a mapping or of pairs (name, module)."""
        for name, module in modules.items() if hasattr(modules, "items") else modules:
            self[name] = module

    def __getitem__(self, name: str) -> Module:
        if name not in self._modules:
            near = suggest(str(name), self._modules)
            raise MissingKeyError(f"ModuleDict has no module {name!r}.{near}")
        return self._modules[name]  # type: ignore[return-value]

    def __setitem__(self, name: str, module: Module) -> None:
        check_text(name, "module")
        if name in self.__dict__:
            raise ArgumentError(f"ModuleDict has an attribute {name!r} already. Take another name.")
        # Names of its methods, such as "keys", do no harm: what it holds is asked for by index.
        self._modules[name] = _checked(module, "ModuleDict")

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def pop(self, name: str) -> Module:
        """Take a module out and return it."""
        module = self[name]
        del self._modules[name]
        return module

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, name: str) -> bool:
        return name in self._modules

    def keys(self) -> Any:
        """The names."""
        return self._modules.keys()

    def values(self) -> Any:
        """The modules."""
        return self._modules.values()

    def items(self) -> Any:
        """Pairs of name and module."""
        return self._modules.items()


class ParameterList(Module):
    """A list of parameters; tensors become parameters.

    >>> import stepgrad as sg
    >>> weights = sg.nn.ParameterList([sg.zeros(2), sg.ones(2)])
    >>> weights[1]
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        self.extend([] if values is None else values)

    def append(self, value: Tensor) -> ParameterList:
        """Add a parameter at the end; return the list."""
        self._parameters[str(len(self))] = _as_parameter(value, "ParameterList")
        return self

    def extend(self, values: Iterable[Tensor]) -> ParameterList:
        """Add parameters at the end; return the list."""
        if isinstance(values, Tensor):
            raise DtypeError(
                "ParameterList takes a list of tensors, not one tensor. Write ParameterList([x])."
            )
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Tensor]) -> ParameterList:
        return self.extend(values)

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parameters.values())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ParameterList(list(self)[index])
        return self._parameters[str(_position(index, len(self), "ParameterList"))]

    def __setitem__(self, index: int, value: Tensor) -> None:
        self._parameters[str(_position(index, len(self), "ParameterList"))] = _as_parameter(
            value, "ParameterList"
        )

    def extra_repr(self) -> str:
        return "\n".join(f"  ({i}): {_described(p)}" for i, p in enumerate(self))


class ParameterDict(Module):
    """A dictionary of parameters; tensors become parameters.

    A name that is not there gives a `MissingKeyError`, which is a `KeyError`.

    >>> import stepgrad as sg
    >>> weights = sg.nn.ParameterDict({"left": sg.zeros(2)})
    >>> weights["left"].requires_grad
    True
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self.update({} if parameters is None else parameters)

    def update(self, parameters: Any) -> None:
        """Add parameters of a mapping or of pairs (name, tensor)."""
        for name, value in parameters.items() if hasattr(parameters, "items") else parameters:
            self[name] = value

    def __getitem__(self, name: str) -> Parameter:
        if name not in self._parameters:
            near = suggest(str(name), self._parameters)
            raise MissingKeyError(f"ParameterDict has no parameter {name!r}.{near}")
        return self._parameters[name]  # type: ignore[return-value]

    def __setitem__(self, name: str, value: Tensor) -> None:
        check_text(name, "parameter")
        if name in self.__dict__:
            raise ArgumentError(f"ParameterDict has an attribute {name!r} already. Take another name.")
        self._parameters[name] = _as_parameter(value, "ParameterDict")

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def pop(self, name: str) -> Parameter:
        """Take a parameter out and return it."""
        parameter = self[name]
        del self._parameters[name]
        return parameter

    def get(self, name: str, default: Any = None) -> Any:
        """Return a parameter, or `default` if there is none of that name."""
        return self._parameters.get(name, default)

    def clear(self) -> None:
        """Take all parameters out."""
        self._parameters.clear()

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __contains__(self, name: str) -> bool:
        return name in self._parameters

    def keys(self) -> Any:
        """The names."""
        return self._parameters.keys()

    def values(self) -> Any:
        """The parameters."""
        return self._parameters.values()

    def items(self) -> Any:
        """Pairs of name and parameter."""
        return self._parameters.items()

    def extra_repr(self) -> str:
        return "\n".join(f"  ({name}): {_described(p)}" for name, p in self.items())


def _described(p: Any) -> str:
    return f"Parameter containing: [{p.dtype} of size {'x'.join(map(str, p.shape))}]"


def _as_parameter(value: Any, name: str) -> Parameter:
    if not isinstance(value, Tensor):
        raise DtypeError(f"{name} takes tensors, not {kind(value)}.")
    return value if isinstance(value, Parameter) else Parameter(value)


__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]
