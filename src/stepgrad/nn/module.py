"""`Module`: a network or a part of one, with parameters, buffers and submodules, in PyTorch's form."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from stepgrad.arrays import devices, dtypes
from stepgrad.autograd.engine import state as engine_state
from stepgrad.autograd.modes import no_grad
from stepgrad.creation import as_tensor, zeros_like
from stepgrad.errors import ArgumentError, MissingNameError, StepgradError, suggest
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import RemovableHook, Tensor

M = TypeVar("M", bound="Module")


class Module:
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
            training=True, _parameters={}, _buffers={}, _modules={}, _not_saved=set(),
            _forward_hooks=[], _forward_pre_hooks=[],
            # What a model file needs to make the module again.
            _constructor=(args, kwargs),
        )  # fmt: skip
        return module

    def __init__(self) -> None:
        pass

    def forward(self, *args: Any) -> Any:
        """Compute the output; a subclass defines it."""
        raise ArgumentError(f"{type(self).__name__} defines no forward(…).")

    # ------------------------------------------------------------------------------------- call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._forward_pre_hooks or self._forward_hooks or engine_state.recorder is not None:
                return self._observed_call(args, kwargs)
            return self.forward(*args, **kwargs)
        except StepgradError as error:
            _name_module(error, self)
            raise

    def _observed_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook in list(self._forward_pre_hooks):
            changed = hook(self, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        outer = engine_state.module_path
        inside = self.__dict__.get("_recorded_name")
        engine_state.module_path = outer if inside is None else (*outer, inside)
        if engine_state.recorder is not None:
            engine_state.recorder.modules.append((self, self.training))
        try:
            with _Named(self):
                result = self.forward(*args, **kwargs)
        finally:
            engine_state.module_path = outer
        for hook in list(self._forward_hooks):
            changed = hook(self, args, result)
            if changed is not None:
                result = changed
        return result

    def register_forward_hook(self, hook: Callable[..., Any]) -> RemovableHook:
        """Call ``hook(module, args, output)`` after each forward; what it returns replaces the output."""
        return RemovableHook(self._forward_hooks, hook)

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> RemovableHook:
        """Call ``hook(module, args)`` before each forward; what it returns replaces the arguments."""
        return RemovableHook(self._forward_pre_hooks, hook)

    # ------------------------------------------------------------------------------- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        tables = self.__dict__
        if isinstance(value, Parameter):
            _forget(self, name, keep="_parameters")
            tables["_parameters"][name] = value
        elif isinstance(value, Module):
            _forget(self, name, keep="_modules")
            tables["_modules"][name] = value
        elif name in tables["_parameters"] or name in tables["_modules"]:
            if value is not None:
                kind = "parameter" if name in tables["_parameters"] else "module"
                raise ArgumentError(
                    f"{name!r} is a {kind} of {type(self).__name__}; it cannot become {value!r}."
                )
            tables["_parameters" if name in tables["_parameters"] else "_modules"][name] = None
        elif name in tables["_buffers"]:
            tables["_buffers"][name] = value
        else:
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        tables = self.__dict__
        for table in ("_parameters", "_modules", "_buffers"):
            if table in tables and name in tables[table]:
                return tables[table][name]
        names = [*tables.get("_parameters", ()), *tables.get("_modules", ()), *tables.get("_buffers", ())]
        names += dir(type(self))
        raise MissingNameError(f"{type(self).__name__} has no attribute {name!r}.{suggest(name, names)}")

    def __delattr__(self, name: str) -> None:
        if not _forget(self, name):
            object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._parameters, *self._modules, *self._buffers]

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Add a parameter, or the place of one (None)."""
        _check_name(self, name)
        self._parameters[name] = parameter

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the state but is not trained; not `persistent`: not saved either."""
        _check_name(self, name)
        self._buffers[name] = tensor
        if not persistent:
            self._not_saved.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule."""
        _check_name(self, name)
        self._modules[name] = module

    register_module = add_module

    # ------------------------------------------------------------------------------------- walk

    def children(self) -> Iterator[Module]:
        """Yield the direct submodules."""
        return (m for _, m in self.named_children())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) of the direct submodules."""
        return ((name, m) for name, m in self._modules.items() if m is not None)

    def modules(self) -> Iterator[Module]:
        """Yield this module and all within it, each once."""
        return (m for _, m in self.named_modules())

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """Yield (path, module) of this module and all within it."""
        seen: list[Module] = []
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if remove_duplicate and any(module is m for m in seen):
                continue
            seen.append(module)
            yield path, module
            inner = [(f"{path}.{name}" if path else name, m) for name, m in module.named_children()]
            stack.extend(reversed(inner))

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
        """Return the submodule at a dotted path."""
        module: Any = self
        for part in target.split(".") if target else ():
            module = getattr(module, part)
        return module

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter at a dotted path."""
        path, _, name = target.rpartition(".")
        return getattr(self.get_submodule(path), name)

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
        for module in self.modules():
            module.training = mode
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
        for p in self.parameters():
            p.grad = None if set_to_none or p.grad is None else zeros_like(p.grad)

    def to(self: M, *target: Any, dtype: Any = None, device: Any = None) -> M:
        """Move all parameters and buffers to a device and the floating point ones to a dtype, in place.

        ``to(device)``, ``to(dtype)``, ``to(device, dtype)`` or ``to(tensor)``. Returns the module.
        """
        for t in target:
            if isinstance(t, Tensor):
                dtype, device = t.dtype, t.device
            elif isinstance(t, devices.device) or (isinstance(t, str) and t not in dtypes._BY_NAME):
                device = t
            elif t is not None:
                dtype = t
        kind = None if dtype is None else dtypes.as_dtype(dtype)
        if kind is not None and not kind.is_floating_point:
            raise ArgumentError(f"a module can be brought to a floating point dtype, not to {kind.name}.")
        with no_grad():
            for tensor in [*self.parameters(), *self.buffers()]:
                for x in (tensor, tensor.grad):
                    if x is not None:
                        moved = x.to(device=device, dtype=kind if x.is_floating_point() else None)
                        x.data = moved
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

    # ------------------------------------------------------------------------------------ state

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> dict[str, Tensor]:
        """Return parameters and persistent buffers by dotted name, as PyTorch names them; they share
        memory.
        """
        found: dict[str, Tensor] = OrderedDict()
        for path, module in self.named_modules(prefix.rstrip("."), remove_duplicate=False):
            for table in (module._parameters, module._buffers):
                for name, tensor in table.items():
                    if tensor is not None and name not in module._not_saved:
                        found[f"{path}.{name}" if path else name] = tensor if keep_vars else tensor.detach()
        return found

    def load_state_dict(self, state_dict: dict[str, Any], strict: bool = True) -> LoadResult:
        """Copy tensors by name into parameters and buffers.

        Raises `ArgumentError` naming every missing and unexpected key (unless `strict` is False) and
        every tensor of another shape; then nothing is changed.
        """
        own = self.state_dict(keep_vars=True)
        missing = [k for k in own if k not in state_dict]
        unexpected = [k for k in state_dict if k not in own]
        problems = []
        if strict and missing:
            problems.append(f"missing keys: {', '.join(missing)}")
        if strict and unexpected:
            problems.append(f"unexpected keys: {', '.join(unexpected)}")
        for key, tensor in own.items():
            if key in state_dict and tuple(state_dict[key].shape) != tensor.shape:
                problems.append(f"{key} is {list(state_dict[key].shape)} there, {list(tensor.shape)} here")
        if problems:
            raise ArgumentError(f"the state does not fit {type(self).__name__}: {'; '.join(problems)}.")
        with no_grad():
            for key, tensor in own.items():
                if key in state_dict:
                    tensor.copy_(as_tensor(state_dict[key]))
        return LoadResult(missing, unexpected)

    # ------------------------------------------------------------------------------------- text

    def extra_repr(self) -> str:
        """Return what stands in the parentheses of the repr."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        lines = [f"({name}): {_indented(repr(m))}" for name, m in self._modules.items()]
        extra = self.extra_repr()
        if not lines:
            return f"{self._get_name()}({extra})"
        body = "\n".join(f"  {line}" for line in ([extra] if extra else []) + lines)
        return f"{self._get_name()}(\n{body}\n)"


class LoadResult:
    """What `load_state_dict` found: `missing_keys` and `unexpected_keys`."""

    def __init__(self, missing: list[str], unexpected: list[str]) -> None:
        self.missing_keys, self.unexpected_keys = missing, unexpected

    def __iter__(self) -> Iterator[list[str]]:
        return iter((self.missing_keys, self.unexpected_keys))

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"LoadResult(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class _Named:
    """Tells the submodules their names while a graph is recorded, so that nodes know where they belong."""

    def __init__(self, module: Module) -> None:
        self._module = module

    def __enter__(self) -> None:
        if engine_state.recorder is not None:
            for name, child in self._module.named_children():
                child.__dict__["_recorded_name"] = name

    def __exit__(self, *_: object) -> None:
        for child in self._module.children():
            child.__dict__.pop("_recorded_name", None)


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _check_name(module: Module, name: str) -> None:
    if not name or "." in name:
        raise ArgumentError(f"a parameter, buffer or module needs a name without dots, not {name!r}.")
    if name in dir(type(module)) or name in module.__dict__:
        raise ArgumentError(f"{type(module).__name__} has an attribute {name!r} already.")
    _forget(module, name)


def _forget(module: Module, name: str, keep: str = "") -> bool:
    """Take a name out of the tables (but for the table `keep`, where assigning again keeps its place in
    the order).
    """
    tables = module.__dict__
    found = tables.pop(name, None) is not None
    for table in ("_parameters", "_modules", "_buffers"):
        if table != keep and name in tables[table]:
            del tables[table][name]
            found = True
    return found


def _name_module(error: StepgradError, module: Module) -> None:
    """Put the path of the module in which an error arose into its message: ``… (in net.2: Linear(…))``."""
    told = error.__dict__.setdefault(
        "told", {"message": str(error), "path": [], "module": module, "at": module}
    )
    if told["at"] is not module:
        names = [name for name, child in module.named_children() if child is told["at"]]
        told["path"].insert(0, names[0] if names else type(told["at"]).__name__)
        told["at"] = module
    if told["path"]:
        kind = told["module"]
        error.args = (
            f"{told['message']} (in {'.'.join(told['path'])}: {kind._get_name()}({kind.extra_repr()}))",
        )
