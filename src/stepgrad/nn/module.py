"""`Module`: a network or a part of one, with parameters, buffers and submodules, in PyTorch's form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from stepgrad.arrays import devices, dtypes
from stepgrad.autograd.engine import state as engine_state
from stepgrad.autograd.modes import no_grad
from stepgrad.errors import ArgumentError, MissingNameError, StepgradError, suggest
from stepgrad.functions.creation import zeros
from stepgrad.nn.backward_hooks import Gates
from stepgrad.nn.parameter import Parameter
from stepgrad.nn.paths import Named, name_module
from stepgrad.nn.state import StateMethods
from stepgrad.nn.tables import TABLES, check_name, forget, register, table_for
from stepgrad.tensor import RemovableHook, Tensor, destination

M = TypeVar("M", bound="Module")


class Module(StateMethods):
    """Base of all networks: define parameters and submodules in ``__init__``, the computation in ``forward``.

    >>> import stepgrad as sg
    >>> class Net(sg.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = sg.nn.Linear(2, 3)
    ...         self.out = sg.nn.Linear(3, 1)
    ...     def forward(self, x):
    ...         return self.out(self.hidden(x).sigmoid())
    >>> Net()(sg.zeros(4, 2)).shape
    (4, 1)
    >>> [name for name, _ in Net().named_parameters()]
    ['hidden.weight', 'hidden.bias', 'out.weight', 'out.bias']
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _constructor: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        module = super().__new__(cls)
        # Made here, so that a subclass that forgets super().__init__() works as well.
        module.__dict__.update(
            training=True, _parameters={}, _buffers={}, _modules={}, _not_saved=set(), _state_hooks={},
            _forward_hooks=[], _forward_pre_hooks=[], _backward_hooks=[], _backward_pre_hooks=[],
            # What a model file needs to make the module again.
            _constructor=(args, kwargs),
        )  # fmt: skip
        return module

    def __init__(self) -> None:
        pass

    def forward(self, *args: Any) -> Any:
        """Compute the output; a subclass defines it."""
        raise ArgumentError(
            f"{type(self).__name__} defines no forward(…), so it cannot be called. Define one, or call the "
            f"modules in it."
        )

    # ------------------------------------------------------------------------------------- call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if (
                self._forward_pre_hooks or self._forward_hooks
                or self._backward_hooks or self._backward_pre_hooks
                or engine_state.recorder is not None
            ):  # fmt: skip
                return self._observed_call(args, kwargs)
            return self.forward(*args, **kwargs)
        except StepgradError as error:
            name_module(error, self)
            raise

    def _observed_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook, with_kwargs in list(self._forward_pre_hooks):
            changed = hook(self, args, kwargs) if with_kwargs else hook(self, args)
            if changed is not None and with_kwargs:
                args, kwargs = changed
            elif changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        gates = Gates(self) if self._backward_hooks or self._backward_pre_hooks else None
        args = args if gates is None else gates.enter(args)
        outer = engine_state.module_path
        inside = self.__dict__.get("_recorded_name")
        engine_state.module_path = outer if inside is None else (*outer, inside)
        if engine_state.recorder is not None:
            engine_state.recorder.modules.append((self, self.training))
        try:
            with Named(self):
                result = self.forward(*args, **kwargs)
        finally:
            engine_state.module_path = outer
        for hook, with_kwargs in list(self._forward_hooks):
            changed = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
            if changed is not None:
                result = changed
        return result if gates is None else gates.leave(result)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHook:
        """Call ``hook(module, args, output)`` after each forward; what it returns replaces the output.

        `prepend`: before the hooks that are there. `with_kwargs`: ``hook(module, args, kwargs, output)``.
        """
        return _hooked(self._forward_hooks, (hook, with_kwargs), prepend)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHook:
        """Call ``hook(module, args)`` before each forward; what it returns replaces the arguments.

        `prepend`: before the hooks that are there. `with_kwargs`: ``hook(module, args, kwargs)``, which
        returns None or both.
        """
        return _hooked(self._forward_pre_hooks, (hook, with_kwargs), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHook:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the arguments are known; what
        it returns replaces them. Both are tuples, with None for what has no gradient.
        """
        return _hooked(self._backward_hooks, hook, prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHook:
        """Call ``hook(module, grad_output)`` when the gradients of the results are known; what it returns
        replaces them.
        """
        return _hooked(self._backward_pre_hooks, hook, prepend)

    # ------------------------------------------------------------------------------- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        table = table_for(self, name, value, isinstance(value, Module))
        if table is None:
            object.__setattr__(self, name, value)
            return
        tables = self.__dict__
        if name not in tables[table]:
            check_name(self, name, TABLES[table])
            forget(self, name)
        tables[table][name] = value

    def __getattr__(self, name: str) -> Any:
        tables = self.__dict__
        if name in tables["_parameters"]:
            return tables["_parameters"][name]
        if name in tables["_modules"]:
            return tables["_modules"][name]
        if name in tables["_buffers"]:
            return tables["_buffers"][name]
        if hasattr(type(self), name):
            # A property that raised an AttributeError: once more, so that its own message is seen.
            return object.__getattribute__(self, name)
        # Names such as __deepcopy__ are asked for by Python itself, which looks at no message.
        near = "" if name.startswith("__") else suggest(name, [n for n in dir(self) if n[0] != "_"])
        raise MissingNameError(f"{type(self).__name__} has no attribute {name!r}.{near}")

    def __delattr__(self, name: str) -> None:
        if not forget(self, name):
            object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._parameters, *self._modules, *self._buffers]

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Add a parameter, or the place of one (None).

        This and the two below raise `DtypeError` for a value of another kind, `ArgumentError` for a name with
        dots or one that the module has for something else.
        """
        register(self, "_parameters", name, parameter, Parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the state but is not trained; not `persistent`: not saved either."""
        register(self, "_buffers", name, tensor, Tensor)
        if persistent:
            self._not_saved.discard(name)
        else:
            self._not_saved.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule."""
        register(self, "_modules", name, module, Module)

    register_module = add_module

    # ------------------------------------------------------------------------------------- walk

    def children(self) -> Iterator[Module]:
        """Yield the direct submodules, each once."""
        return (m for _, m in self.named_children())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) of the direct submodules, each once."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self) -> Iterator[Module]:
        """Yield this module and all within it, each once."""
        return (m for _, m in self.named_modules())

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """Yield (path, module) of this module and all within it."""
        seen: set[Module] = set()  # hashed by identity; the order comes from the walk
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if remove_duplicate and module in seen:
                continue
            seen.add(module)
            yield path, module
            inner = [(f"{path}.{name}" if path else name, m) for name, m in module._modules.items()]
            stack.extend((name, m) for name, m in reversed(inner) if m is not None)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield the parameters, in the order of the module tree, shared ones once."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield (dotted name, parameter), in the order of the module tree."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield the buffers."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield (dotted name, buffer), in the order of the module tree."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def _named(self, table: str, prefix: str, recurse: bool, once: bool) -> Iterator[tuple[str, Any]]:
        seen: set[Tensor] = set()  # hashed by identity; the order comes from the walk
        for path, module in self.named_modules(prefix, once) if recurse else [(prefix, self)]:
            for name, tensor in getattr(module, table).items():
                if tensor is None or (once and tensor in seen):
                    continue
                seen.add(tensor)
                yield (f"{path}.{name}" if path else name), tensor

    def get_submodule(self, target: str) -> Module:
        """Return the submodule at a dotted path; "" is this module itself."""
        module: Any = self
        for part in target.split(".") if target else ():
            module = module._held("_modules", part)
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` at a dotted path; with `strict` only where there is one already.

        >>> import stepgrad as sg
        >>> net = sg.nn.Sequential(sg.nn.Sequential(sg.nn.ReLU()))
        >>> net.set_submodule("0.0", sg.nn.Tanh())
        >>> net[0]
        Sequential(
          (0): Tanh()
        )
        """
        path, _, name = target.rpartition(".")
        outer = self.get_submodule(path)
        if strict:
            outer.get_submodule(name)
        if not isinstance(module, Module):
            raise ArgumentError(f"set_submodule takes a module, not {type(module).__name__}.")
        setattr(outer, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter at a dotted path."""
        path, _, name = target.rpartition(".")
        return self.get_submodule(path)._held("_parameters", name)

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer at a dotted path."""
        path, _, name = target.rpartition(".")
        return self.get_submodule(path)._held("_buffers", name)

    def _held(self, table: str, name: str) -> Any:
        found = self.__dict__[table].get(name)
        if found is None:
            near = suggest(name, self.__dict__[table])
            raise MissingNameError(f"{type(self).__name__} has no {TABLES[table]} {name!r}.{near}")
        return found

    def apply(self: M, function: Callable[[Module], None]) -> M:
        """Call `function` on every submodule, then on this module; return it."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # ------------------------------------------------------------------------------------- mode

    def train(self: M, mode: bool = True) -> M:
        """Switch to training mode (dropout on, batch statistics), or with False to evaluation; return the
        module.
        """
        if not isinstance(mode, bool):
            raise ArgumentError(f"train() takes True or False, not {mode!r}.")
        self.training = mode
        for child in self.children():  # by their own train(), which a submodule may define otherwise
            child.train(mode)
        return self

    def eval(self: M) -> M:
        """Switch to evaluation mode; return the module."""
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Switch gradients of all parameters on or off; return the module."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters (or set them to 0)."""
        if engine_state.recorder is not None:
            engine_state.recorder.clears_gradients = True
        for p in self.parameters():
            p.grad = None if set_to_none or p.grad is None else p.grad.detach().zero_()

    def to(
        self: M,
        *target: Any,
        dtype: Any = None,
        device: Any = None,
        non_blocking: bool = False,
        memory_format: Any = None,
    ) -> M:
        """Move all parameters and buffers to a device and the floating point ones to a dtype, in place.

        ``to(device)``, ``to(dtype)``, ``to(device, dtype)`` or ``to(tensor)``. Returns the module.
        `non_blocking` and `memory_format` change nothing.
        """
        dtype, device = destination(target, dtype, device)
        kind = None if dtype is None else dtypes.as_dtype(dtype)
        if kind is not None and not kind.is_floating_point:
            raise ArgumentError(f"a module can be brought to a floating point dtype, not to {kind.name}.")
        tensors = [*self.parameters(), *self.buffers()]
        gradients = [x.grad for x in tensors if x.grad is not None]
        with no_grad():
            for x in [*tensors, *gradients]:
                moved = x.to(device=device, dtype=kind if x.is_floating_point() else None)
                if moved is not x:
                    x.data = moved
        return self

    def to_empty(self: M, *, device: Any, recurse: bool = True) -> M:
        """Move all parameters and buffers to a device without their numbers, which are 0 then; return the
        module.
        """
        for tensor in [*self.parameters(recurse), *self.buffers(recurse)]:
            tensor.data = zeros(*tensor.shape, dtype=tensor.dtype, device=device)
        return self

    def cpu(self: M) -> M:
        """Move to the CPU."""
        return self.to("cpu")

    def cuda(self: M, device: Any = "cuda") -> M:
        """Move to a GPU."""
        return self.to(devices.device(device))

    def float(self: M) -> M:
        """Bring to float32."""
        return self.to(dtypes.float32)

    def double(self: M) -> M:
        """Bring to float64."""
        return self.to(dtypes.float64)

    def half(self: M) -> M:
        """Bring to float16."""
        return self.to(dtypes.float16)

    def type(self: M, dst_type: Any) -> M:
        """Bring all parameters and buffers, those of integers too, to a dtype; return the module."""
        for tensor in [*self.parameters(), *self.buffers()]:
            tensor.data = tensor.data.to(dtypes.as_dtype(dst_type))
        return self

    def share_memory(self: M) -> M:
        """Call `share_memory_` of all parameters and buffers; return the module."""
        for tensor in [*self.parameters(), *self.buffers()]:
            tensor.share_memory_()
        return self

    # ------------------------------------------------------------------------------------- text

    def extra_repr(self) -> str:
        """Return what stands in the parentheses of the repr."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        lines = [f"({name}): {indented(repr(m))}" for name, m in self._modules.items()]
        return self._with_lines(lines)

    def _with_lines(self, lines: list[str]) -> str:
        """Return the repr of a module whose children have the repr `lines`."""
        extra = self.extra_repr().splitlines()
        if not lines and len(extra) <= 1:
            return f"{self._get_name()}({''.join(extra)})"
        body = "\n".join(f"  {line}" for line in extra + lines)
        return f"{self._get_name()}(\n{body}\n)"


def _hooked(hooks: list[Any], hook: Any, prepend: bool) -> RemovableHook:
    handle = RemovableHook(hooks, hook)
    if prepend:
        hooks.insert(0, hooks.pop())
    return handle


def indented(text: str) -> str:
    """Return a text whose lines, from the second on, are moved to the right, as in a repr."""
    return text.replace("\n", "\n  ")


__all__ = ["Module"]
