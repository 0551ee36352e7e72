"""Containers: modules made of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from stepgrad.errors import ArgumentError, IndexShapeError
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor


def _checked(module: Any, name: str) -> Module:
    if not isinstance(module, Module):
        raise ArgumentError(f"{name} takes modules, not {type(module).__name__}.")
    return module


class _ListOfModules(Module):
    """What Sequential and ModuleList have in common: numbered submodules."""

    def _all(self) -> list[Module]:
        return list(self._modules.values())  # type: ignore[arg-type]

    def _number(self, modules: Iterable[Any]) -> None:
        self._modules.clear()
        for i, module in enumerate(modules):
            self._modules[str(i)] = _checked(module, self._get_name())

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._all())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            made = type(self)()
            made._modules.update(list(self._modules.items())[index])
            made._number(made._all())
            return made
        return self._all()[self._position(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        self._modules[list(self._modules)[self._position(index)]] = _checked(module, self._get_name())

    def __delitem__(self, index: Any) -> None:
        modules = self._all()
        del modules[index if isinstance(index, slice) else self._position(index)]
        self._number(modules)

    def _position(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexShapeError(f"{self._get_name()} has {len(self)} modules; there is no number {index}.")
        return index % len(self)

    def append(self, module: Module) -> Any:
        """Add a module at the end; return the container."""
        self._modules[str(len(self))] = _checked(module, self._get_name())
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Add a module before number `index`; return the container."""
        modules = self._all()
        modules.insert(index, module)
        self._number(modules)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add modules at the end; return the container."""
        for module in modules:
            self.append(module)
        return self


class Sequential(_ListOfModules):
    """Modules one after the other: each gets the output of the one before.

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

    def forward(self, x: Any) -> Any:
        """Pass x through all modules."""
        for module in self._modules.values():
            x = module(x)  # type: ignore[misc]
        return x


class ModuleList(_ListOfModules):
    """A list of modules, whose parameters are known to the module that holds it."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self._number(modules)

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        return self.extend(modules)


class ModuleDict(Module):
    """A dictionary of modules, whose parameters are known to the module that holds it."""

    def __init__(self, modules: Any = ()) -> None:
        super().__init__()
        self.update(modules)

    def update(self, modules: Any) -> None:
        """Add modules of a mapping or of pairs (name, module)."""
        for name, module in modules.items() if hasattr(modules, "items") else modules:
            self[name] = module

    def __getitem__(self, name: str) -> Module:
        return self._modules[name]  # type: ignore[return-value]

    def __setitem__(self, name: str, module: Module) -> None:
        self._modules.pop(name, None)
        self._modules[name] = _checked(module, "ModuleDict")

    def __delitem__(self, name: str) -> None:
        del self._modules[name]

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
    """A list of parameters; tensors become parameters."""

    def __init__(self, values: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.extend(values)

    def append(self, value: Tensor) -> ParameterList:
        """Add a parameter at the end; return the list."""
        self._parameters[str(len(self))] = value if isinstance(value, Parameter) else Parameter(value)
        return self

    def extend(self, values: Iterable[Tensor]) -> ParameterList:
        """Add parameters at the end; return the list."""
        for value in values:
            self.append(value)
        return self

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parameters.values())

    def __getitem__(self, index: int) -> Any:
        return list(self._parameters.values())[index]

    def __setitem__(self, index: int, value: Tensor) -> None:
        name = list(self._parameters)[index]
        self._parameters[name] = value if isinstance(value, Parameter) else Parameter(value)
