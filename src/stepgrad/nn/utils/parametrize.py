"""Parametrizations: a parameter that is computed, each time it is read, from others that are trained.

The module that has one becomes an instance of a class made for it, in which the parameter's name is a
property; what is trained stands under ``parametrizations.NAME.original``, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stepgrad.autograd.modes import no_grad
from stepgrad.errors import ArgumentError, MissingNameError, ShapeError
from stepgrad.names import teller
from stepgrad.nn.container import ModuleDict, ModuleList
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.nn.utils.computed import compute_attribute, forget_attribute
from stepgrad.tensor import Tensor


class ParametrizationList(ModuleList):
    """The parametrizations of one parameter: `original` (or `original0`, `original1`, …) through each of
    them. Calling it gives the parameter.
    """

    def __init__(self, modules: Any, original: Tensor) -> None:
        super().__init__(modules)
        found = self._inverted(original, at_start=True)
        self.is_tensor = isinstance(found, Tensor)
        self.ntensors = 1 if self.is_tensor else len(found)
        for name, value in zip(self._names(), [found] if self.is_tensor else found, strict=True):
            if isinstance(original, Parameter):
                self.register_parameter(name, Parameter(value.detach(), original.requires_grad))
            else:
                self.register_buffer(name, value.detach())

    def _names(self) -> list[str]:
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]

    def _inverted(self, value: Tensor, at_start: bool = False) -> Any:
        """Return from what the parametrizations make `value`; at the start, one without an inverse takes the
        value as it is.
        """
        found: Any = value
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    continue
                try:
                    found = module.right_inverse(found)
                except NotImplementedError:
                    if not at_start:
                        raise
        return found

    def right_inverse(self, value: Tensor) -> None:
        """Set what is trained so that the parameter becomes `value`, as far as the parametrizations can."""
        found = self._inverted(value)
        with no_grad():
            for name, tensor in zip(self._names(), [found] if self.is_tensor else found, strict=True):
                getattr(self, name).copy_(tensor)

    def forward(self) -> Tensor:
        """Compute the parameter."""
        first, *rest = list(self)
        x = first(*(getattr(self, name) for name in self._names()))
        for module in rest:
            x = module(x)
        return x


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Let a parameter or buffer of `module` be what `parametrization` makes of what was there; return the
    module.

    The `right_inverse` of a parametrization, if it has one, says from what the present value comes. A second
    parametrization is applied after the first. Raises `ShapeError` if the shape changes, unless `unsafe`.

    >>> import stepgrad as sg
    >>> class Symmetric(sg.nn.Module):
    ...     def forward(self, x):
    ...         return (x + x.T) / 2
    >>> layer = register_parametrization(sg.nn.Linear(3, 3), "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all())
    True
    """
    if is_parametrized(module, tensor_name):
        chain = module.parametrizations[tensor_name]
        value = getattr(module, tensor_name)
        if hasattr(parametrization, "right_inverse"):
            with no_grad():
                chain.right_inverse(parametrization.right_inverse(value))
        chain.append(parametrization)
        _check_shape(module, tensor_name, value, unsafe)
        return module
    value = module._parameters.get(tensor_name)
    value = module._buffers.get(tensor_name) if value is None else value
    if value is None:
        raise MissingNameError(f"{type(module).__name__} has no parameter or buffer {tensor_name!r}.")
    chain = ParametrizationList([parametrization], value)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = chain
    compute_attribute(
        module,
        tensor_name,
        lambda self: _read(self.parametrizations[tensor_name]),
        lambda self, value: _write(self.parametrizations[tensor_name], value),
        prefix="Parametrized",
    )
    _check_shape(module, tensor_name, value, unsafe)
    return module


# What parametrizations have computed, while somebody is in `cached()`.
_cache: dict[ParametrizationList, Tensor] = {}
_users = 0


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor once in this context, however often it is read.

    >>> import stepgrad as sg
    >>> layer = sg.nn.utils.parametrizations.weight_norm(sg.nn.Linear(2, 2))
    >>> with cached():
    ...     layer.weight is layer.weight
    True
    """
    global _users
    _users += 1
    try:
        yield
    finally:
        _users -= 1
        if not _users:
            _cache.clear()


def _read(chain: ParametrizationList) -> Tensor:
    if not _users:
        return chain()
    if chain not in _cache:
        _cache[chain] = chain()
    return _cache[chain]


def _write(chain: ParametrizationList, value: Tensor) -> None:
    _cache.pop(chain, None)
    chain.right_inverse(value)


def _check_shape(module: Module, name: str, before: Tensor, unsafe: bool) -> None:
    shape = getattr(module, name).shape
    if shape != before.shape and not unsafe:
        raise ShapeError(
            f"the parametrization makes {name!r} of shape {list(shape)} where it had {list(before.shape)}. "
            f"Pass unsafe=True if that is meant."
        )


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Return whether a module has parametrizations, or one of the tensor that is named."""
    chains = module._modules.get("parametrizations")
    if not isinstance(chains, ModuleDict):
        return False
    return len(chains) > 0 if tensor_name is None else tensor_name in chains


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make a parametrized tensor an ordinary one again, with its present value, or what it was made from;
    return the module.

    Raises `ArgumentError` for one that is not parametrized, or if what it was made from is several tensors.
    """
    if not is_parametrized(module, tensor_name):
        raise ArgumentError(f"{tensor_name!r} of {type(module).__name__} is not parametrized.")
    chain = module.parametrizations[tensor_name]
    if not leave_parametrized and not chain.is_tensor:
        raise ArgumentError(f"{tensor_name!r} is made from several tensors: leave it as it is now.")
    kept = (getattr(module, tensor_name) if leave_parametrized else chain.original).detach().clone()
    source = chain._parameters.get(chain._names()[0])
    forget_attribute(module, tensor_name)
    del module.parametrizations[tensor_name]
    if not len(module.parametrizations):
        del module.parametrizations
    if source is None:
        module.register_buffer(tensor_name, kept)
    else:
        module.register_parameter(tensor_name, Parameter(kept, source.requires_grad))
    return module


__all__ = [
    "ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
