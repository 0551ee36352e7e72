"""`compile`: a function whose steps run as native code, made by the first call with arguments of a kind."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable
from functools import partial
from operator import is_not
from types import FunctionType, MethodType
from typing import Any, overload

from stepgrad.autograd.engine import state
from stepgrad.autograd.modes import no_grad
from stepgrad.autograd.recording import hides_values
from stepgrad.compile.capture import Capture
from stepgrad.compile.compiled import Compiled
from stepgrad.compile.explain import explained, log
from stepgrad.compile.follow.keys import (
    dataclasses_in,
    key_of,
    objects_in,
    repeated,
    settings,
    without_numbers,
)
from stepgrad.compile.follow.watch import Watch
from stepgrad.compile.program.value import NotCompiled
from stepgrad.compile.results import stacked_results
from stepgrad.errors import ArgumentError, MissingNameError
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor

_log = logging.getLogger("stepgrad.compile")

MOST_VARIANTS, MOST_COMPILATIONS = 8, 16


class CompiledFunction:
    """A function that is captured on its first call with arguments of a kind, and runs as native code
    from then on.
    """

    def __init__(self, function: Callable[..., Any], check: bool = False) -> None:
        if not callable(function):
            raise ArgumentError(f"compile takes a function or a module, not a {type(function).__name__}.")
        self.function, self._check = function, check
        self._is_module, self._has_told = isinstance(function, Module), False
        # For each kind of arguments the code for each state of what the step reads in Python, newest first.
        self._variants: dict[Any, list[tuple[Compiled, Watch]]] = {}
        self._compilations: dict[Any, int] = {}
        self._not_compiled: set[Any] = set()
        # Arguments with which it has run once and made state, so that it was not compiled yet.
        self._begun: set[Any] = set()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._is_module and self._is_trained():
            self._tell_of_training()
            return self.function(*args, **kwargs)
        # Within a step that is captured it is a part of that.
        if state.anomaly is not None or hides_values():
            return self._eager(*args, **kwargs)
        arguments: list[Tensor] = []
        kinds = [key_of(x, arguments) for x in args]
        if kwargs:
            kinds.append(key_of(kwargs, arguments))
        key = (len(args), *kinds, *settings(), repeated(arguments))
        compiled = self._current(key, arguments)
        if compiled is None:
            if key in self._not_compiled or without_numbers(key) in self._not_compiled:
                return self._eager(*args, **kwargs)
            capture, compiled = self._compile(key, args, kwargs)
            if compiled is None:
                return capture.result
        if self._check:
            from stepgrad.compile.check import checked_run

            return checked_run(compiled, self._eager, args, kwargs)
        outputs = compiled.run(arguments)
        return compiled.capture.output_form(outputs, arguments)

    def __getattr__(self, name: str) -> Any:
        if self.__dict__.get("_is_module") and not name.startswith("_"):
            return getattr(self.function, name)
        raise MissingNameError(f"a compiled function has no {name!r}.")

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        # A function in a class is a method, also when it is compiled.
        is_bound = instance is not None and isinstance(self.function, FunctionType)
        return MethodType(self, instance) if is_bound else self

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledFunction:
        return type(self)(copy.deepcopy(self.function, memo), self._check)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.function, self._check)

    def _is_trained(self) -> bool:
        """Return whether the results of a module need gradients, which native results do not have."""
        module: Any = self.function
        return state.grad_enabled and module.training and any(p.requires_grad for p in module.parameters())

    def _tell_of_training(self) -> None:
        if not self._has_told:
            self._has_told = True
            warnings.warn(
                "a compiled module runs eagerly in training mode, so that its results have gradients. "
                "Compile the whole step (forward, loss, backward, update), which is faster; for inference "
                "call eval() or use no_grad().",
                stacklevel=3,
            )

    def explain(self) -> str:
        """Return what became of the step, as text: slots, kernels with what was fused into each, costs.

        All programs one after the other; a sentence if there is none yet.

        >>> import stepgrad as sg
        >>> f = sg.compile(lambda x: (x * 2).sigmoid())
        >>> _ = f(sg.zeros(3, 4))
        >>> print(f.explain())
        2 values in 1 kernels; 0 bytes for what lies between them
        ...
        """
        if not self.programs:
            return "Nothing is compiled yet: it is compiled when it is called."
        return "\n\n".join(map(explained, self.programs))

    @property
    def programs(self) -> list[Compiled]:
        """All that has been compiled and is kept."""
        return [compiled for variants in self._variants.values() for compiled, _ in variants]

    @property
    def runs_eagerly(self) -> bool:
        """Whether calls of some kind run eagerly, since they cannot be compiled."""
        return bool(self._not_compiled)

    def _current(self, key: Any, arguments: list[Tensor]) -> Compiled | None:
        """Return the code for arguments of a kind and for modes and Python values as they are now."""
        for compiled, watch in self._variants.get(key, ()):
            if compiled.holds() and compiled.lie_alike(arguments) and not watch.change():
                return compiled
        return None

    def scan(self, *stacked: Tensor) -> Any:
        """Run the function on one entry of `stacked` after the other, in one native call; return the
        results stacked.

        Each argument is a Tensor with a dimension more in front than the function takes, of one length
        for all. The same as ``stack([f(*entries) for entries in zip(*stacked)])``, without Python in
        between.

        >>> import stepgrad as sg
        >>> total = sg.zeros(2)
        >>> def add(x):
        ...     total.add_(x)
        ...     return total.sum()
        >>> sg.compile(add).scan(sg.ones(3, 2))
        tensor([2., 4., 6.])
        """
        key: tuple[Any, ...] = ("scan", *settings())
        lengths = set()
        for x in stacked:
            if not isinstance(x, Tensor):
                raise ArgumentError(f"scan takes tensors, not a {type(x).__name__}.")
            array = x._array
            shape = array.shape
            lengths.add(shape[0] if shape else 0)
            key += (shape[1:], array.dtype)
        if len(lengths) != 1 or 0 in lengths:
            raise ArgumentError(
                "scan takes tensors whose first dimension has one length for all, at least 1."
            )
        if state.anomaly is not None or hides_values():
            return stacked_results([self._eager(*entries) for entries in zip(*stacked)])
        arguments = list(stacked)
        compiled = self._current(key, arguments)
        if compiled is None:
            return self._first_scan(key, [x.detach() for x in stacked])
        outputs = compiled.run(arguments, lengths.pop())
        return compiled.capture.output_form(outputs, arguments)

    def _first_scan(self, key: Any, stacked: list[Tensor]) -> Any:
        """Scan with a capture before: of the first entry, or of the second where the first made new state."""
        done: list[Any] = []
        advance = {i: x[0].numel() for i, x in enumerate(stacked)}
        for turn in range(min(2, len(stacked[0]))):
            if key in self._not_compiled:
                break
            capture, compiled = self._compile(key, tuple(x[turn].clone() for x in stacked), {}, advance)
            if compiled is not None:
                entries = [x[turn:] for x in stacked]
                outputs = compiled.run(entries, len(stacked[0]) - turn)
                rest = compiled.capture.output_form(outputs, entries)
                return stacked_results(done, rest) if done else rest
            done.append(capture.result)
        done += [self._eager(*entries) for entries in zip(*(x[len(done) :] for x in stacked))]
        return stacked_results(done)

    def _compile(
        self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any], advance: dict[int, int] | None = None
    ) -> tuple[Capture, Compiled | None]:
        """Capture and compile. Without code in what is returned, the run that was captured stands."""
        handed_in = {f"object {i} of the arguments": x for i, x in enumerate(objects_in(key), 1)}
        watch = Watch({"the step": self.function, **handed_in}, [*dataclasses_in((args, kwargs))])
        run = watch.noting(self._eager)
        kind = without_numbers(key)
        before: list[Tensor] = []
        handed = key_of((args, kwargs), before)
        capture = Capture(run, args, kwargs, advance, again=kind in self._begun, is_real=advance is None)
        if capture.is_first:
            self._begun.add(kind)
            return capture, None
        try:
            now: list[Tensor] = []
            if key_of((args, kwargs), now) != handed or any(map(is_not, now, before)):
                raise NotCompiled("the step changes a list, dict or dataclass that it was handed")
            compiled = self._code(key, capture, watch)
        except NotCompiled as reason:
            # For all numbers and objects of a kind alike: none of them is kept.
            self._not_compiled.add(kind)
            self._variants.pop(key, None)
            warnings.warn(f"this step runs eagerly: {reason}.", stacklevel=4)
            return capture, None
        if compiled is None:
            self._begun.add(kind)
            return capture, None
        capture.undo()
        self._variants[key] = [(compiled, watch), *self._variants.get(key, [])][:MOST_VARIANTS]
        return capture, compiled

    def _code(self, key: Any, capture: Capture, watch: Watch) -> Compiled | None:
        """Return the code of a captured step; None if it is the first and has set Python values, which the
        next one may find as it would set them. Raise `NotCompiled` if later steps could not run it.
        """
        if capture.reason is not None:
            raise capture.reason
        hooked = next((m for m, _ in capture.modules if m._forward_hooks or m._forward_pre_hooks), None)
        if hooked is not None:
            raise NotCompiled(f"{type(hooked).__name__} has a hook, which is to be called in every step")
        if any(id(tensor) in watch.gradients for tensor, _ in capture.learned):
            raise NotCompiled(
                "the step uses gradients that were there before it; call backward() inside the step, after "
                "optimizer.zero_grad()"
            )
        change = watch.changed()
        if change and without_numbers(key) not in self._begun:
            return None
        if going_on := watch.finish():
            raise NotCompiled(
                f"the step reads {going_on}, which would be the same in every run; hand in what changes as a "
                f"tensor, and draw by stepgrad.rand"
            )
        change = change or watch.follow_state()
        # What the step moves itself is put back, or done in every run, if it is an effect.
        is_repeated = capture.effects and not watch.reads_rates()
        if change or (not is_repeated and (change := watch.moved_rate())):
            raise NotCompiled(f"the step changes {change}, which compiled code could not")
        kind = without_numbers(key)
        count = self._compilations[kind] = self._compilations.get(kind, 0) + 1
        if count > MOST_COMPILATIONS:
            self._not_compiled.add(kind)
            changes = (other.change() for _, other in self._variants.get(key, ()))
            usual = "the memory or the mode of what it uses" if kind == key else "what is handed in"
            what = next(filter(None, changes), usual)
            raise NotCompiled(
                f"it was compiled {count - 1} times and something else has changed again ({what}); a number "
                f"that changes is best handed in as a tensor"
            )
        known = {i: x for i, x in enumerate(capture.arguments) if watch.knows(x)}
        compiled = Compiled(capture, watch.modes, known)
        log(compiled)
        return compiled

    def _eager(self, *args: Any, **kwargs: Any) -> Any:
        if self._is_module:
            with no_grad():
                return self.function(*args, **kwargs)
        return self.function(*args, **kwargs)


@overload
def compile(function: Callable[..., Any], check: bool = False) -> CompiledFunction: ...


@overload
def compile(
    function: None = None, check: bool = False
) -> Callable[[Callable[..., Any]], CompiledFunction]: ...


def compile(function: Callable[..., Any] | None = None, check: bool = False) -> Any:
    """Return `function` as one that runs natively: a training step, or a module for inference.

    It is compiled when it is called, for each kind of arguments (shapes, dtypes, other values) once, for
    sixteen values of a number at most. What it reads besides them may change between calls. Tensors,
    learning rates and random streams are read by the compiled code itself. Other Python values
    (hooks on parameters, attributes of modules and of objects, hyperparameters of optimizers, closures,
    global variables, entries of containers, small NumPy arrays) are constants in it: when one has changed,
    the step is compiled anew, after sixteen times it runs eagerly. What is read from files and clocks is not
    followed: hand it in as a tensor.

    Gradients stay inside: compiled code leaves none in ``.grad``. Return them to look at them.

    A module runs natively where no gradients are wanted: after ``eval()`` or under ``no_grad()``. In training
    mode it runs eagerly, with one warning, so that loops written around it train as ever. Its attributes
    (``parameters()``, ``state_dict()``, ``train()``) are there as well.

    As a decorator it may stand before methods too, with or without ``check=True``.

    With `check`, every call runs eagerly as well; `DifferenceError` names the first operation that differs by
    more than rounding can. With STEPGRAD_LOG=compile in the environment, graph, kernels, LLVM's text and the
    time of each stage are logged on standard error; ``explain()`` of the result tells the same.

    While anomalies are looked for (`autograd.detect_anomaly`) every call runs eagerly.

    The step runs eagerly, with one warning that names the reason, if it cannot be compiled. It raises
    `CaptureError` if it asks for a value that it computes, by ``.item()`` or ``if``.

    >>> import stepgrad as sg
    >>> f = sg.compile(lambda x: (x * 2).sigmoid())
    >>> f(sg.zeros(3)), f(sg.zeros(3))
    (tensor([0.5000, 0.5000, 0.5000]), tensor([0.5000, 0.5000, 0.5000]))
    """
    return partial(compile, check=check) if function is None else CompiledFunction(function, check)
