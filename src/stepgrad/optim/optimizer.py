"""`Optimizer`: parameters in groups, the state that belongs to each, and the step that a rule takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ClassVar

import numpy

from stepgrad.autograd import enable_grad
from stepgrad.autograd.engine import state as engine_state
from stepgrad.autograd.recording import hides_values
from stepgrad.errors import ArgumentError, CaptureError, ShapeError
from stepgrad.optim.limits import Limit, number_of, plain
from stepgrad.optim.plan import Plan
from stepgrad.optim.recorded import recorded_step
from stepgrad.tensor import RemovableHook, Tensor

# Raw arrays, Tensors or graph values by name: what a rule reads and returns.
Arrays = dict[str, Any]
# What optimizers of others give as the default of an argument that has none.
required = object()
_PLAIN = {float, int, bool, tuple, str, type(None)}


class Optimizer:
    """What all optimizers share. An optimizer is made by subclassing it, in one of two ways.

    **By a rule**: a static method `update(xp, p, g, state, step, **hyperparameters)` that returns the new
    parameter and the new state, and changes nothing. It is pure arithmetic, so the same rule runs in eager
    mode, is compiled and is explained. `xp` has the functions (`xp.sqrt`, `xp.maximum`, …), `p` and `g` are
    the parameter and its gradient, `state` is a dict of arrays like `p`, `step` counts from 1. Two more
    things a rule may say:

    * `start(**hyperparameters)`: the state before the first step, as ``{name: number that fills it}``. With
      the name "step" among them, the steps of each parameter are counted (and `step` is not None). A state
      that first appears in what `update` returns is kept, too.
    * `scalars`: names among these whose state is one number for a parameter, not one for each element.
    * `elementwise = False` if a new number depends on others than those at its own place (a norm, for
      example). Otherwise several small parameters may be handed over as one vector, and a large one in
      pieces.

    The rule of Adagrad (Duchi, Hazan and Singer, 2011), whole:

    >>> import stepgrad as sg
    >>> class Adagrad(sg.optim.Optimizer):
    ...     def __init__(self, params, lr=0.01, eps=1e-10):
    ...         super().__init__(params, {"lr": lr, "eps": eps})
    ...     @staticmethod
    ...     def start(**_):
    ...         return {"sum": 0.0}
    ...     @staticmethod
    ...     def update(xp, p, g, state, step, *, lr, eps):
    ...         total = state["sum"] + g * g
    ...         return p - lr * g / (xp.sqrt(total) + eps), {"sum": total}
    >>> w = sg.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = Adagrad([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.5000, -2.5000], requires_grad=True)

    **By `step`**, as in PyTorch: override it and use `self.param_groups` and ``self.state[p]``, a dict per
    parameter.

    Arguments: `params` is an iterable of Tensors, of ``(name, Tensor)`` pairs
    (`module.named_parameters()`), or of dicts ``{"params": …, "lr": …}``, one for each group with
    hyperparameters of its own; `defaults` are the hyperparameters of groups that do not say otherwise.
    Raises `ArgumentError` that names what is wrong with them.

    Attributes: `param_groups` (a list of dicts: "params", "param_names" where names were given,
    hyperparameters), `state` (a dict from each parameter to its own), `defaults`.
    """

    update: Callable[..., tuple[Any, Arrays]] | None = None
    elementwise = True
    scalars: ClassVar[tuple[str, ...]] = ()
    limits: ClassVar[dict[str, Limit]] = {}
    _step_pre_hooks: Any = ()
    _step_post_hooks: Any = ()
    _is_hooked = False  # while a step with hooks runs
    _stepped_by: Any = None  # which compiled step took the last one; None if none did

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "step" in cls.__dict__:
            cls.step = _with_hooks(cls.step)  # type: ignore[method-assign]

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = {name: plain(value) for name, value in defaults.items()}
        self.state: Any = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._plans: dict[int, Plan] = {}
        # Hyperparameters that change from step to step: a compiled step asks for them each time.
        self.changing = ["lr"]
        if isinstance(params, (Tensor, str, dict)) or not isinstance(params, Iterable):
            raise ArgumentError(
                f"{type(self).__name__} takes an iterable of parameters, such as model.parameters(), or of "
                f"groups [{{'params': …, 'lr': …}}], not a {type(params).__name__}. Put one into a list."
            )
        given = _listed(params, type(self).__name__)
        if not given:
            raise ArgumentError(
                f"{type(self).__name__} got no parameters: the iterable is empty or was used up."
            )
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    @staticmethod
    def start(**hyperparameters: Any) -> dict[str, float]:
        """Return the state of a parameter before its first step: the number that fills each array."""
        return {}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient, in place, by one step of the rule.

        `closure`, if given, is called first and its result returned; it computes the loss and the
        gradients. Raises `ShapeError` or `DtypeError` for a gradient that does not fit its parameter;
        nothing is changed then.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if self.update is None:
            raise ArgumentError(
                f"{type(self).__name__} has no rule: define update(xp, p, g, state, step, …) or step()."
            )
        if engine_state.recorder is not None:
            for i, group in enumerate(self.param_groups):
                recorded_step(self, group, self._changing_numbers(i))
            return loss
        self._stepped_by = None
        # All gradients are looked at before the first number changes.
        plans = [self._plan(i, group) for i, group in enumerate(self.param_groups)]
        with numpy.errstate(all="ignore"):
            for plan in plans:
                plan.run(self.update)
        return loss

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHook:
        """Call ``hook(optimizer, args, kwargs)`` before each step; a pair that it returns replaces the
        arguments of `step`. The handle's `remove()` takes it back. Copies have no hooks.
        """
        self._step_pre_hooks = self._step_pre_hooks or []
        return RemovableHook(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHook:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        self._step_post_hooks = self._step_post_hooks or []
        return RemovableHook(self._step_post_hooks, hook)

    @property
    def has_hooks(self) -> bool:
        """Whether something is called before or after each step."""
        return bool(self._step_pre_hooks or self._step_post_hooks)

    def _changing_numbers(self, i: int) -> dict[str, Any]:
        """Return the hyperparameters of a group that change from step to step, each number as a 0-d tensor,
        for recorded steps.
        """

        def number(ask: Callable[[], float]) -> Tensor:
            assert engine_state.recorder is not None
            tensor = Tensor._of(numpy.array(ask(), "float64"))
            engine_state.recorder.numbers.append((tensor, ask))
            return tensor

        def ask(name: str, *place: int) -> Callable[[], float]:
            def asked() -> float:
                value = self.param_groups[i][name]
                return value[place[0]] if place else _rate(value)

            return asked

        numbers: dict[str, Any] = {}
        for name in self.changing:
            value = self.param_groups[i].get(name)
            if isinstance(value, tuple):
                numbers[name] = tuple(number(ask(name, k)) for k in range(len(value)))
            elif value is not None:
                numbers[name] = number(ask(name))
        return numbers

    def _plan(self, i: int, group: dict[str, Any]) -> Plan:
        hyperparameters = self.hyperparameters(group)
        start = self.start(**hyperparameters)
        plan = self._plans.get(i)
        if plan is None or not plan.is_ready(group["params"], self.state, start):
            plan = self._plans[i] = Plan(group, self.state, start, self.elementwise, self.scalars)
        plan.hyperparameters = hyperparameters
        return plan

    def hyperparameters(self, group: dict[str, Any]) -> dict[str, Any]:
        """Return the hyperparameters of a group, as `update` and `start` take them.

        A Tensor as learning rate is what it holds now. Raises `ArgumentError` for another Tensor: numbers
        are wanted.
        """
        return {
            name: value if type(value := group[name]) in _PLAIN else _number(value, name, self)
            for name in self.defaults
        }

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters; with `set_to_none` False, set those that are there to 0."""
        if engine_state.recorder is not None:
            engine_state.recorder.clears_gradients = True
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none or parameter.grad is None:
                    parameter.grad = None
                else:
                    parameter.grad = parameter.grad.detach().zero_()

    # ------------------------------------------------------------------------------------------ groups

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group ``{"params": …, "lr": …}``; the defaults hold for what it does not say.

        Raises `ArgumentError` for a parameter that is no leaf Tensor of a floating point dtype or is in a
        group already, for names in some groups only, and for a hyperparameter out of its range. Nothing is
        added then.
        """
        owner = type(self).__name__
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise ArgumentError(f"{owner} takes groups as dicts with the key 'params', not {param_group!r}.")
        params = param_group["params"]
        given = [params] if isinstance(params, Tensor) else _listed(params, owner)
        named = [x for x in given if isinstance(x, tuple) and len(x) == 2 and isinstance(x[0], str)]
        if named and len(named) != len(given):
            raise ArgumentError(
                f"{owner} takes names for all parameters of a group or for none, not for some."
            )
        group = {
            name: plain(value) for name, value in {**self.defaults, **param_group}.items() if name != "params"
        }
        if named:
            group["param_names"] = [name for name, _ in named]
        group = {"params": [x[1] for x in given] if named else given, **group}
        if self.param_groups and ("param_names" in self.param_groups[0]) != bool(named):
            raise ArgumentError(f"{owner} takes names for the parameters of all groups or of none.")
        known = set(self._parameters())
        for i, parameter in enumerate(group["params"]):
            self._check_parameter(parameter, named[i][0] if named else f"number {i} of the group", known)
            known.add(parameter)
        self.check_group(group)
        self.param_groups.append(group)

    def _check_parameter(self, parameter: Any, name: str, known: set[Any]) -> None:
        owner = type(self).__name__
        if not isinstance(parameter, Tensor):
            raise ArgumentError(
                f"{owner} takes Tensors; parameter {name} is of type {type(parameter).__name__}."
            )
        if not parameter.is_leaf:
            raise ArgumentError(
                f"{owner} cannot change parameter {name}, which was computed by {parameter.grad_fn}: only a "
                f"leaf is a place of its own. Give it .detach().requires_grad_()."
            )
        if not parameter.dtype.is_floating_point:
            raise ArgumentError(f"{owner} takes floating point parameters; {name} is {parameter.dtype.name}.")
        if parameter in known:
            raise ArgumentError(f"{owner} was given parameter {name} twice; each belongs to one group, once.")

    def check_group(self, group: dict[str, Any]) -> None:
        """Raise `ArgumentError` if a hyperparameter of the group is out of its range, stated in `limits`."""
        for name, limit in self.limits.items():
            value = group[name]
            of_tensor = isinstance(value, Tensor) and name in self.changing and value.numel() == 1
            limit.check(type(self).__name__, name, value.item() if of_tensor else value)

    # ------------------------------------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state, in PyTorch's layout.

        It is ``{"state": {0: {…}}, "param_groups": [{…, "params": [0]}]}``. Parameters are numbered in the
        order of the groups. The Tensors are those in use, not copies. Groups made of ``(name, Tensor)`` pairs
        also have "param_names".
        """
        numbers = {parameter: i for i, parameter in enumerate(self._parameters())}
        groups = [{**group, "params": [numbers[p] for p in group["params"]]} for group in self.param_groups]
        for group in groups:
            if "param_names" in group:
                group["param_names"] = list(group["param_names"])
        state = {i: dict(self.state[p]) for p, i in numbers.items() if self.state.get(p)}
        # What a subclass keeps under names of its own belongs to no parameter.
        rest = {key: value for key, value in self.state.items() if not isinstance(key, Tensor)}
        return {"state": {**state, **rest}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to a state that `state_dict` returned, here or in PyTorch (its tensors made stepgrad's).

        Hyperparameters and state are taken over as copies, each Tensor brought to the dtype and device of
        its parameter. Parameters are told apart by name where both sides have names, otherwise by position;
        delete "param_names" from the groups to go by position. Raises `ArgumentError` where groups, names
        or hyperparameters do not fit, `ShapeError` where a tensor does not; the optimizer is unchanged
        then.
        """
        owner = type(self).__name__
        try:
            saved_groups, saved_state = state_dict["param_groups"], state_dict["state"]
        except (KeyError, TypeError):
            raise ArgumentError(f"the state of {owner} is a dict with 'state' and 'param_groups'.") from None
        sizes, saved_sizes = (
            [len(g["params"]) for g in groups] for groups in (self.param_groups, saved_groups)
        )
        if sizes != saved_sizes:
            raise ArgumentError(
                f"the state does not fit {owner}: its groups have {saved_sizes} parameters, not {sizes}."
            )
        groups: list[dict[str, Any]] = []
        numbers: dict[Any, Any] = {}
        for group, saved in zip(self.param_groups, saved_groups):
            new = {
                name: value.detach().clone() if isinstance(value, Tensor) else plain(value)
                for name, value in saved.items()
                if name not in ("params", "param_names")
            }
            merged = {**group, **new}
            self.check_group(merged)
            groups.append(merged)
            numbers.update(zip(_in_order(saved, group, owner), group["params"]))
        state: Any = defaultdict(dict)
        for key, content in saved_state.items():
            if key in numbers:
                state[numbers[key]] = _owned(content, numbers[key], self)
            else:
                state[key] = content
        self.param_groups[:], self.state, self._plans = groups, state, {}

    def _parameters(self) -> list[Any]:
        return [p for group in self.param_groups for p in group["params"]]

    def __getstate__(self) -> dict[str, Any]:
        # A plan holds memory shared with the state, which a copy must not share.
        left_out = ("_plans", "_stepped_by", "_step_pre_hooks", "_step_post_hooks")
        return {name: value for name, value in vars(self).items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _plans={})

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            values = ", ".join(f"{k}={v}" for k, v in group.items() if k not in ("params", "param_names"))
            lines.append(f"  {i}: {len(group['params'])} parameters, {values}\n")
        return f"{type(self).__name__}(\n{''.join(lines)})"


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return `step` with the hooks of its optimizer, once for a step that calls that of its base."""

    @wraps(step)
    def hooked(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if self._is_hooked or not self.has_hooks:
            return step(self, *args, **kwargs)
        if hides_values():
            raise CaptureError(
                f"{type(self).__name__} has hooks around its step, which a compiled step would not call; "
                f"remove them, or call optimizer.step() outside."
            )
        self._is_hooked = True
        try:
            for hook in list(self._step_pre_hooks):
                changed = hook(self, args, kwargs)
                if changed is not None:
                    if not (isinstance(changed, tuple) and len(changed) == 2):
                        raise ArgumentError(
                            f"a hook before a step returns None, or a pair of arguments and keyword "
                            f"arguments, not {changed!r}."
                        )
                    args, kwargs = changed
            result = step(self, *args, **kwargs)
            for hook in list(self._step_post_hooks):
                hook(self, args, kwargs)
        finally:
            self._is_hooked = False
        return result

    return hooked


Optimizer.step = _with_hooks(Optimizer.step)  # type: ignore[method-assign]


def _listed(params: Any, owner: str) -> list[Any]:
    if isinstance(params, (set, frozenset)):
        raise ArgumentError(
            f"{owner} takes parameters in an order that is always the same: a list, not a set."
        )
    if not isinstance(params, Iterable):
        raise ArgumentError(f"{owner} takes a Tensor or an iterable of them as 'params', not {params!r}.")
    return list(params)


def _rate(value: Any) -> Any:
    """Return the number that a rate is now; a Tensor that a captured step asks for is one of its `rates`."""
    recorder = engine_state.recorder
    known = 0 if recorder is None else len(recorder.read)
    number = number_of(value)
    if recorder is not None:
        recorder.rates += recorder.read[known:]
        del recorder.read[known:]
    return number


def _number(value: Any, name: str, optimizer: Optimizer) -> Any:
    value = _rate(value) if name in optimizer.changing else plain(value)
    if isinstance(value, Tensor):
        raise ArgumentError(
            f"{type(optimizer).__name__} takes {name} as a number, not a Tensor; use .item()."
        )
    return value


def check_learns(optimizer: Optimizer, learned: Iterable[Tensor]) -> None:
    """Raise `ArgumentError` if the optimizer has none of the parameters that are to be `learned`."""
    held = {p for group in optimizer.param_groups for p in group["params"]}
    parameters = list(learned)
    if parameters and not held.intersection(parameters):
        raise ArgumentError(
            "the optimizer has none of the parameters of the model, so nothing would be learned; make it "
            "with optimizer = stepgrad.optim.Adam(model.parameters()) of the same model."
        )


def _in_order(saved: dict[str, Any], group: dict[str, Any], owner: str) -> list[Any]:
    """Return the numbers of a saved group in the order of the group's own parameters."""
    if "param_names" not in saved or "param_names" not in group:
        return list(saved["params"])
    number_of = dict(zip(saved["param_names"], saved["params"]))
    names = group["param_names"]
    if sorted(names) != sorted(number_of):
        missing = [name for name in names if name not in number_of]
        extra = [name for name in number_of if name not in names]
        raise ArgumentError(
            f"the state does not fit {owner}: it lacks the parameters {missing} and has {extra}, which the "
            f"optimizer lacks."
        )
    return [number_of[name] for name in names]


def _owned(content: Any, parameter: Any, optimizer: Optimizer, name: str = "") -> Any:
    """Return a copy of saved state, Tensors in the parameter's dtype and device, numbers as they are."""
    if isinstance(content, Tensor):
        if name == "step" or name in optimizer.scalars or not content.dtype.is_floating_point:
            return content.detach().clone()
        if optimizer.elementwise and content.shape not in ((), parameter.shape):
            raise ShapeError(
                f"the state does not fit {type(optimizer).__name__}: {name!r} of shape "
                f"{list(content.shape)} belongs to a parameter of shape {list(parameter.shape)}."
            )
        return content.detach().to(parameter, copy=True)
    if isinstance(content, dict):
        return {key: _owned(value, parameter, optimizer, str(key)) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return type(content)(_owned(value, parameter, optimizer, name) for value in content)
    return content
