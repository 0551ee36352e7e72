"""The state of a module: its parameters and buffers by name, written out and read back, and hooks on both."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from stepgrad.autograd.modes import no_grad
from stepgrad.errors import ArgumentError, DtypeError, StateError
from stepgrad.functions.creation import as_tensor
from stepgrad.nn.parameter import Parameter
from stepgrad.nn.tables import kind
from stepgrad.tensor import RemovableHook, Tensor

if TYPE_CHECKING:
    from stepgrad.nn.module import Module

_EXTRA = "_extra_state"


class StateMethods:
    """`state_dict` and `load_state_dict` of a module, which ask each module of the tree for its own part."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _not_saved: set[str]
    _state_hooks: dict[str, list[Any]]

    def state_dict(
        self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Tensor]:
        """Return parameters and persistent buffers by dotted name, as PyTorch names them; they share
        memory. `prefix` is put before each name; with `keep_vars` they are the tensors themselves. With
        `destination` they are put into that dict.
        """
        found: dict[str, Tensor] = OrderedDict() if destination is None else destination
        for hook in self._hooks_on("save"):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(found, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=found, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._hooks_on("saved"):
            changed = hook(self, found, prefix, {})
            found = found if changed is None else changed
        return found

    def _save_to_state_dict(
        self, destination: MutableMapping[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        """Put this module's own part of the state, without that of its submodules, into `destination`."""
        for table in (self._parameters, self._buffers):
            for name, tensor in table.items():
                if tensor is not None and name not in self._not_saved:
                    destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not StateMethods.get_extra_state:
            destination[prefix + _EXTRA] = self.get_extra_state()

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> LoadResult:
        """Copy tensors (or arrays) by name into parameters and buffers; with `assign` put them there as they
        are, with their dtype and device.

        Raises `StateError` naming every missing and unexpected key (unless `strict` is False) and every
        tensor of another shape, `DtypeError` for what is no tensor; then nothing is changed. (But a hook of
        `register_load_state_dict_post_hook` sees the new state, and may take back what is missing.)
        """
        if not isinstance(state_dict, Mapping):
            raise DtypeError(
                f"load_state_dict takes tensors by name, as state_dict() returns, not {kind(state_dict)}."
            )
        missing, result = _Missing(), LoadResult([], [])
        problems: list[str] = []
        hooks: list[Callable[[], None]] = []
        _read(self, OrderedDict(state_dict), "", assign, missing, result, problems, hooks)
        result.missing_keys.extend(missing)
        if problems or not hooks:
            self._check_loaded(result, strict, problems)
        with no_grad():
            for change in missing.changes:
                change()
        for call in hooks:
            call()
        self._check_loaded(result, strict, [])
        return result

    def _check_loaded(self, result: LoadResult, strict: bool, problems: list[str]) -> None:
        wrong = []
        if strict and result.missing_keys:
            wrong.append(f"missing keys: {', '.join(result.missing_keys)}")
        if strict and result.unexpected_keys:
            wrong.append(f"unexpected keys: {', '.join(map(str, result.unexpected_keys))}")
        if wrong or problems:
            text = "; ".join(wrong + problems)
            raise StateError(f"the state does not fit {type(self).__name__}: {text}.")

    def _load_from_state_dict(
        self, state_dict: MutableMapping[str, Any], prefix: str, local_metadata: dict[str, Any], strict: bool,
        missing_keys: list[str], unexpected_keys: list[str], error_msgs: list[str],
    ) -> None:  # fmt: skip
        """Read this module's own part of the state; a class may change it before it calls this one."""
        for hook in self._hooks_on("load"):
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        own: dict[str, Tensor] = {}
        for table in (self._parameters, self._buffers):
            own |= {k: x for k, x in table.items() if x is not None and k not in self._not_saved}
        for name, tensor in own.items():
            key = prefix + name
            if key not in state_dict:
                missing_keys.append(key)
                continue
            given = _tensor_of(key, state_dict[key])
            if given.shape != tensor.shape:
                error_msgs.append(f"{key} is {list(given.shape)} there, {list(tensor.shape)} here")
            elif local_metadata.get("assign_to_params_buffers"):
                _change(missing_keys, partial(self._assign, name, given))
            else:
                _change(missing_keys, partial(tensor.copy_, given))
        if type(self).set_extra_state is not StateMethods.set_extra_state:
            if prefix + _EXTRA in state_dict:
                _change(missing_keys, partial(self.set_extra_state, state_dict[prefix + _EXTRA]))
            else:
                missing_keys.append(prefix + _EXTRA)
            own[_EXTRA] = own.get(_EXTRA, Tensor(0))
        for key in state_dict:
            name, _, rest = str(key)[len(prefix) :].partition(".")
            if not (self._modules.get(name) if rest else name in own) and str(key).startswith(prefix):
                unexpected_keys.append(key)

    def _assign(self, name: str, tensor: Tensor) -> None:
        before = self._parameters.get(name)
        if before is None:
            self._buffers[name] = tensor
        else:
            self._parameters[name] = Parameter(tensor, requires_grad=before.requires_grad)

    # ------------------------------------------------------------------------------ what is more

    def get_extra_state(self) -> Any:
        """Return what else belongs to the state, for a class that defines this and `set_extra_state`."""
        raise ArgumentError(f"{type(self).__name__} defines no get_extra_state().")

    def set_extra_state(self, state: Any) -> None:
        """Take what `get_extra_state` returned."""
        raise ArgumentError(f"{type(self).__name__} defines no set_extra_state(state).")

    def _hooks_on(self, event: str) -> list[Callable[..., Any]]:
        return list(self._state_hooks.get(event, ()))

    def _hook_on(self, event: str, hook: Callable[..., Any]) -> RemovableHook:
        return RemovableHook(self._state_hooks.setdefault(event, []), hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHook:
        """Call ``hook(module, prefix, keep_vars)`` before each `state_dict`."""
        return self._hook_on("save", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHook:
        """Call ``hook(module, state_dict, prefix, metadata)`` after each `state_dict`: it may change the dict
        in place.
        """
        return self._hook_on("saved", hook)

    _register_state_dict_hook = register_state_dict_post_hook

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHook:
        """Call ``hook(module, state_dict, prefix, metadata, strict, missing_keys, unexpected_keys,
        error_msgs)`` before this module reads its part of a state: it may change the dict, which is a copy,
        in place.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHook:
        return self._hook_on("load", partial(hook, self) if with_module else hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHook:
        """Call ``hook(module, result)`` after a state has been loaded; it may change ``result.missing_keys``
        and ``result.unexpected_keys``, which `strict` looks at after that, in place.
        """
        return self._hook_on("loaded", hook)


class LoadResult(NamedTuple):
    """What `load_state_dict` found: `missing_keys` and `unexpected_keys`."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"LoadResult(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class _Missing(list[str]):
    """Missing keys, with the changes to be made once it is known that the whole state fits."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[Callable[[], Any]] = []


def _change(missing_keys: list[str], change: Callable[[], Any]) -> None:
    """Make a change when the whole state is known to fit, or now where a class reads a part by itself."""
    if isinstance(missing_keys, _Missing):
        missing_keys.changes.append(change)
        return
    with no_grad():
        change()


def _read(
    module: Any, state: MutableMapping[str, Any], prefix: str, assign: bool, missing: _Missing,
    result: LoadResult, problems: list[str], hooks: list[Callable[[], None]],
) -> None:  # fmt: skip
    """Have a module and those within it read their parts of a state."""
    metadata = {"assign_to_params_buffers": assign}
    module._load_from_state_dict(state, prefix, metadata, True, missing, result.unexpected_keys, problems)
    for name, child in module._modules.items():
        if child is not None:
            path = f"{prefix}{name}."
            part = OrderedDict((k, x) for k, x in state.items() if str(k).startswith(path))
            _read(child, part, path, assign, missing, result, problems, hooks)
    hooks.extend(partial(hook, module, result) for hook in module._hooks_on("loaded"))


def _tensor_of(key: str, value: Any) -> Tensor:
    if not hasattr(value, "shape"):
        raise DtypeError(f"the state holds {kind(value)} under {key!r}, where a tensor belongs.")
    return as_tensor(value)


__all__ = ["LoadResult", "StateMethods"]
