"""The operation record: everything stepgrad knows about one operation, in one place.

A record is written as a class body and turned into an `Op` object by the decorator of its kind::

    @elementwise
    class sigmoid:
        \"\"\"σ(x) = 1 / (1 + e⁻ˣ), in (0, 1).\"\"\"
        def value(m, x):       return 1 / (1 + m.exp(-x))
        def partials(m, x, y): return (y * (1 - y),)
        samples = unary(-6, 6)

Its functions are written against three small languages, so that each is written once and read by many:

* `forward(np, *inputs, **attributes)` speaks NumPy: `np` is NumPy or CuPy, the inputs are raw arrays.
* `value(m, …)` and `partials(m, *inputs, y, …)` of an elementwise operation speak the scalar language:
  operators and the functions of `ops.namespace.SCALAR`. With m = arrays they compute; with m = symbols they
  are a formula.
* `vjp(xp, g, y, *inputs, needs, **attributes)` and `expand(xp, *inputs, **attributes)` speak stepgrad:
  `xp.NAME` is the operation NAME. Handed arrays they run fast, handed Tensors they record a graph (second
  derivatives).

`needs[i]` says whether the derivative with respect to input i is wanted. An input that the record does not
keep is handed to `vjp` as `Absent`, which has a shape and a dtype but no values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepgrad.errors import ArgumentError
from stepgrad.ops.namespace import namespace_of
from stepgrad.ops.registry import REGISTRY
from stepgrad.ops.samples import Sample
from stepgrad.ops.symbol import Symbol, symbols


class Absent:
    """An input whose values were not kept for the backward pass; shape and dtype are known."""

    __slots__ = ("dtype", "ndim", "shape")

    def __init__(self, array: Any) -> None:
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype


class Op:
    """One operation. Fields that a record may set:

    * `forward`, `vjp`: see the module's text. No `vjp`: no derivative.
    * `reads`: names of the inputs, and "y" for the result, whose values `vjp` reads; all of them if not
      given. Or a dict of such names for each input, where its derivative reads no others.
    * `promotes`: "same" (operands are brought to one type), "floating" (and integers to the default floating
      point type) or None (types are left alone).
    * `is_view`: the result shares the input's memory, wherever strides can say it.
    * `why_not`: for an operation whose inputs have no derivative, why not; the error that refuses it says so.
    * `written`: `value` or `expand` as a textbook states it, where that one guards against overflow; worked
      lines show it wherever it gives the same numbers.
    * `onnx`: the name of the ONNX operator with the same inputs, or ``onnx(g, *inputs, **attributes)``, which
      makes one of others (`stepgrad.onnx.builder`). Without it, an operation is exported as its expansion or
      its formula. `no_onnx`: why it cannot be exported at all.
    * `no_native`: why it is not compiled; a step with it runs eagerly.
    * `samples`: calls from which the registry tests draw.
    """

    kind = "op"
    forward: Callable[..., Any]
    put: Callable[..., Any]
    vjp: Callable[..., Any] | None = None
    expand: Callable[..., Any] | None = None
    written: Callable[..., Any] | None = None
    reads: tuple[str, ...] | dict[str, tuple[str, ...]] | None = None
    promotes: str | None = None
    is_view = False
    why_not = ""
    onnx: str | Callable[..., Any] | None = None
    no_onnx = ""
    no_native = ""
    samples: list[Sample] = []

    def __init__(self, body: type) -> None:
        fields = {k: v for k, v in vars(body).items() if k not in ("__module__", "__dict__", "__weakref__")}
        self.name: str = body.__name__.rstrip("_")
        self.__doc__ = fields.pop("__doc__")
        self.__dict__.update({k: v for k, v in fields.items() if not k.startswith("__")})
        self.source = body.__module__
        if self.name in REGISTRY:
            raise ArgumentError(
                f"there is already an operation {self.name!r}, in {REGISTRY[self.name].source}."
            )
        self._complete()
        self.has_own_vjp = self.vjp is not None
        self.differentiable = self.has_own_vjp or self.kind == "composite"
        REGISTRY[self.name] = self

    def _complete(self) -> None:
        reads, names = self.reads, self.input_names()
        # For each input which inputs are kept for its derivative alone; None where that makes no difference.
        self.keeps_for: list[tuple[bool, ...]] | None = None
        # For each input whether the result is kept for its derivative.
        self.result_for: tuple[bool, ...] = ()
        if isinstance(reads, dict):
            self.keeps_for = [tuple(name in reads[wanted] for name in names) for wanted in names]
            self.result_for = tuple("y" in reads[wanted] for wanted in names)
            reads = tuple({name for read in reads.values() for name in read})
        self.keeps_result = reads is None or "y" in reads
        self.keeps = tuple(reads is None or name in reads for name in names)
        code = self._signature()
        rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount] if code.co_flags & 4 else ""
        self.keeps_rest = reads is None or rest in reads

    def _signature(self) -> Any:
        return (self.__dict__.get("value") or self.expand or self.forward).__code__

    def input_names(self) -> tuple[str, ...]:
        """Return the names of the inputs, from the signature of `forward` (or `expand`, or `value`)."""
        code = self._signature()
        return code.co_varnames[1 : code.co_argcount]

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


class Elementwise(Op):
    """An operation on numbers, applied to each element of operands that broadcast.

    `value(m, *inputs)` and `partials(m, *inputs, y)`, the latter one derivative per input: an expression, a
    Python number, or None for an input that has no derivative. What the partials read is found by running
    them on symbols.
    """

    kind = "elementwise"
    promotes: str | None = "same"
    value: Callable[..., Any]
    partials: Callable[..., tuple[Any, ...]] | None = None

    def _complete(self) -> None:
        if "forward" not in self.__dict__:
            self.forward = self._forward
        if "vjp" not in self.__dict__ and self.partials is not None:
            self.vjp = self._vjp
            self.reads = self._found_reads()
        super()._complete()

    def _forward(self, np: Any, *inputs: Any, **attrs: Any) -> Any:
        return self.value(namespace_of(np), *inputs, **attrs)

    def _found_reads(self) -> tuple[str, ...] | dict[str, tuple[str, ...]]:
        names = self.input_names()
        assert self.partials is not None
        attributes = self.samples[0].attrs if self.samples else {}
        partials = self.partials(Symbol, *symbols(*names), Symbol("y"), **attributes)
        read = [d.names() if isinstance(d, Symbol) else set() for d in partials]
        if len(names) > 1:
            return {name: tuple(found) for name, found in zip(names, read, strict=True)}
        return tuple(n for n in (*names, "y") if any(n in found for found in read))

    def _vjp(
        self, xp: Any, g: Any, y: Any, *inputs: Any, needs: tuple[bool, ...], **attrs: Any
    ) -> tuple[Any, ...]:
        assert self.partials is not None
        gradients: list[Any] = []
        known: Any = (*inputs, y)
        if self.keeps_for is not None and not all(needs):
            # What is read by derivatives alone that are not asked for was not kept: 1 stands for it.
            reads = [(*self.keeps_for[i], self.result_for[i]) for i, need in enumerate(needs) if need]
            known = [x if any(kept) else 1.0 for x, *kept in zip(known, *reads)]
        for x, need, d in zip(inputs, needs, self.partials(xp, *known, **attrs), strict=True):
            if not need or d is None:
                gradients.append(None)
                continue
            # A derivative of 1 passes the gradient on, as it is.
            gx = (g if d == 1 else -g if d == -1 else g * d) if type(d) is int else g * d
            if gx.shape != x.shape:
                gx = xp.sum_to(gx, shape=x.shape)
            gradients.append(gx if gx.dtype == x.dtype else xp.cast(gx, dtype=x.dtype))
        return tuple(gradients)

    def formula(self, **attrs: Any) -> str:
        """Return the operation's value as text, such as ``1 / (1 + exp(-x))``.

        >>> from stepgrad import ops
        >>> ops.sigmoid.formula()
        '1 / (1 + exp(-x))'
        """
        attributes = attrs or (self.samples[0].attrs if self.samples else {})
        return str(self.value(Symbol, *symbols(*self.input_names()), **attributes))


class Reduce(Op):
    """A fold of numbers along dimensions.

    It starts with `init`, does `combine(m, total, x)` for each x, and `finish(m, total, count)`. Attributes
    `dim` (a tuple of dimensions, all when None) and `keepdim`. The fold states the operation for one number
    at a time; `forward` is the same in NumPy.
    """

    kind = "reduce"
    init: float
    combine: Callable[..., Any]

    @staticmethod
    def finish(m: Any, total: Any, count: Any) -> Any:
        return total


class Scan(Op):
    """A fold that gives every total on its way, along the dimension `dim`: see `Reduce` for its fields."""

    kind = "scan"
    init: float
    combine: Callable[..., Any]


class Routine(Op):
    """An operation on whole arrays that has no formula for one number: sorting, decompositions of matrices.

    `no_native` says why it is not compiled.
    """

    kind = "routine"


class View(Op):
    """Another index map over the same numbers: the result shares the memory of its input (`is_view`).

    `put(xp, x, value, **attributes)`: x with `value` where the view of x shows it, for changes in place.
    Compiled, one that copies (`is_view = False`) is an index map all the same: `seen` is it without the copy.
    """

    kind = "view"
    is_view = True
    reads = ()
    seen: Callable[..., Any]

    def _complete(self) -> None:
        if "seen" not in self.__dict__:
            self.seen = self.forward
        super()._complete()


class Contract(Op):
    """A sum of products over a shared dimension."""

    kind = "contract"
    promotes = "same"


class Gather(Op):
    """Elements picked by integer indices, and the addition of elements back to where indices point."""

    kind = "gather"


class Constant(Op):
    """Numbers that depend on attributes alone; an input, if there is one, says on which device they are."""

    kind = "constant"


class Random(Op):
    """Numbers of a counter-based stream: a pure function of seed, stream and position."""

    kind = "random"


class Composite(Op):
    """An operation that is stated in others, by `expand`, and keeps its own name.

    `forward` and `vjp` may be given where they are better than those of the expansion.
    """

    kind = "composite"
    promotes: str | None = "same"

    def _complete(self) -> None:
        if "forward" not in self.__dict__:
            self.forward = self._forward
        super()._complete()

    def _forward(self, np: Any, *inputs: Any, **attrs: Any) -> Any:
        assert self.expand is not None
        return self.expand(namespace_of(np), *inputs, **attrs)


def elementwise(body: type) -> Elementwise:
    """Make an elementwise record of a class body."""
    return Elementwise(body)


def reduce(body: type) -> Reduce:
    """Make a record of a reduction."""
    return Reduce(body)


def scan(body: type) -> Scan:
    """Make a record of a scan."""
    return Scan(body)


def routine(body: type) -> Routine:
    """Make a record of a routine."""
    return Routine(body)


def view(body: type) -> View:
    """Make a record of a view."""
    return View(body)


def contract(body: type) -> Contract:
    """Make a record of a contraction."""
    return Contract(body)


def gather(body: type) -> Gather:
    """Make a record of a gathering operation."""
    return Gather(body)


def constant(body: type) -> Constant:
    """Make a record of an operation that makes constants."""
    return Constant(body)


def random(body: type) -> Random:
    """Make a record of a random operation."""
    return Random(body)


def composite(body: type) -> Composite:
    """Make a record of a composite operation."""
    return Composite(body)
