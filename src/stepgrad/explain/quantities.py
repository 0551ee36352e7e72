"""Which values of a step get lines of their own, and what they are called.

A quantity is a value that a person would name: what a layer or an activation gives, a sum that is used
again, the gradient of each of these, a parameter after the update. What stands between two quantities (views,
a difference inside a square) is written out within a line.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy

from stepgrad.errors import ArgumentError
from stepgrad.explain.elements import Elements
from stepgrad.explain.names import Name
from stepgrad.explain.step import Step, Value
from stepgrad.ops.record import Composite, Elementwise, Op

_LETTERS = {"linear": "z", "matmul": "z"}
_SYMBOLS = {"convolution": "z", "exp": "u", "sum": "S", "mean": "M", "amax": "c", "softmax": "p"}
_PARAMETERS = {"weight": "w", "bias": "b"}
_STATE = {"exp_avg": "m", "exp_avg_sq": "v", "max_exp_avg_sq": "vmax", "momentum_buffer": "v",
          "m_hat": "m̂", "v_hat": "v̂"}  # fmt: skip
_LEARNED = ("parameter", "state")
_RESERVED = {"e", "π"}
_ACTIVATIONS = ("stepgrad.ops.activations", "stepgrad.ops.softmaxes")
# Written out within a line even where they are used twice.
_PLAIN = {"add", "sub", "mul", "div", "neg", "square", "cast"}


@dataclass(eq=False)
class Quantity:
    """A value with a name. `path` begins its ids, `kind` is that of its lines; `of` is what a gradient or a
    new value is of; `module` is the path of the module that it belongs to, `layer` the number of the layer
    (0: of none).
    """

    value: Value
    kind: str
    path: str
    name: Name
    of: Value | None = None
    layer: int = 0
    module: str = ""

    def id_at(self, place: int) -> str:
        """Return the id of the number at a flat position: the path and the indices."""
        return self.path + index_text(self.value.array.shape, place)

    def name_at(self, place: int) -> Name:
        """Return the name of the number at a flat position; dimensions of length 1 are left out."""
        shape = self.value.array.shape
        places = numpy.unravel_index(place, shape) if shape else ()
        return self.name.at(tuple(int(i) for i, n in zip(places, shape) if n > 1))


def index_text(shape: tuple[int, ...], place: int) -> str:
    """Return the indices of a flat position as Python writes them; nothing for a single number.

    >>> index_text((2, 3), 4), index_text((), 0)
    ('[1,1]', '')
    """
    return f"[{','.join(str(int(i)) for i in numpy.unravel_index(place, shape))}]" if shape else ""


class Quantities:
    """The quantities of a step: `lines` in the order in which they were computed; `of(value)` is that of a
    value; `layers` has the number of each module's layer.
    """

    def __init__(self, step: Step, elements: Elements) -> None:
        self._step, self._elements = step, elements
        self._found: dict[int, Quantity] = {}
        self.lines: list[Quantity] = []
        self._names: set[Name] = set()
        self.layers: dict[str, int] = {}
        self.by_path: dict[str, Quantity] = {}
        self._written_out: set[int] = set()  # within the lines of composites
        self._parts_of: dict[int, list[Value]] = {}
        self._leaves()
        self._forward()
        self._backward()
        self._update()
        self._after()
        self.lines = self._in_order()

    def of(self, value: Value) -> Quantity | None:
        """Return the quantity of a value, None if it has no name. That of a composite is its expansion's."""
        return self._found.get(id(self.resolved(value)))

    def resolved(self, value: Value) -> Value:
        """Return what stands for a value: the result of its expansion for a composite that has one."""
        while isinstance(value.op, Composite):
            expanded = self._elements.expansion(value)
            if expanded is None:
                return value
            value = expanded
        return value

    def layer(self, module: str) -> int:
        """Return the number of the layer that a module is, or follows."""
        return self.layers.get(module, 0)

    def number_of(self, layer: int | str) -> int:
        """Return the number of a layer, given that or the path of a module. Raises `ArgumentError`."""
        number = self.layers.get(layer) if isinstance(layer, str) else layer
        if number is None or number not in self.layers.values():
            names, last = ", ".join(sorted(filter(None, self.layers))), max(self.layers.values(), default=0)
            raise ArgumentError(
                f"there is no layer {layer!r}; layers are numbered 1 to {last}, or named by their paths: "
                f"{names}."
            )
        return number

    # ------------------------------------------------------------------------------------- leaves

    def _leaves(self) -> None:
        """Number the layers: the modules with parameters, in the order in which they first compute."""
        holders = {name.rpartition(".")[0] for name in self._step.parameters}
        number = 0
        for value in self._step.forward:
            if value.module not in self.layers and not value.in_loss:
                number += value.module in holders
                self.layers[value.module] = number
        for holder in sorted(holders - set(self.layers)):
            number += 1
            self.layers[holder] = number
        for name, value in self._step.parameters.items():
            module, _, own = name.rpartition(".")
            called = Name(_parameter_letter(own), self.layer(module))
            self._add(value, "given", f"given/{name}", called, module=module)

    def leaf(self, value: Value) -> Quantity:
        """Return the quantity of a leaf, and name it when it is first met."""
        known = self._found.get(id(value))
        if known is not None:
            return known
        path, base, layer, module = value.path, value.path, 0, ""
        if value.origin == "rate":
            base = "η"
        elif value.origin == "state":
            parameter, _, own = path.rpartition("/")
            path, base, module = self._state(parameter, own)
            layer = self.layer(module) if module else 0
        elif value.origin == "buffer":
            module, _, base = path.rpartition(".")
            layer = self.layer(module)
        called = Name(base or "k", layer)
        return self._add(value, "given", f"given/{path or value.origin}", called, module=module)

    def _state(self, parameter: str, own: str) -> tuple[str, str, str]:
        """Return the path of a piece of the optimizer's state, its letter, and its module."""
        if own == "step":
            return "step", "t", ""
        module, _, name = parameter.rpartition(".")
        return f"{parameter}/{own}", f"{_STATE.get(own, own)}_{_parameter_letter(name)}", module

    # ------------------------------------------------------------------------------------ forward

    def _forward(self) -> None:
        loss = self.resolved(self._step.loss)
        used = _ancestors([self._step.loss])
        for value in self._step.forward:
            if id(value) not in used:
                continue
            whole = self.resolved(value)
            parts = self._parts_of[id(value)] = self._parts(value, whole)
            for part in parts:
                if id(part) in self._found:
                    continue
                letter = _letter(value.op) if part is whole else self._inner_letter(part)
                if part is loss:
                    self._add(part, "loss", "loss", Name("L"))
                elif value.in_loss:
                    symbol = "ℓ" if self._feeds(part, loss) else _symbol(letter)
                    self._add(part, "loss", f"loss/{letter}", Name(symbol))
                else:
                    path = "/".join(filter(None, ("forward", value.module, letter)))
                    name = Name(_symbol(letter), self.layer(value.module))
                    self._add(part, "forward", path, name, module=value.module)
        outputs = self._step.outputs
        for i, value in enumerate(outputs):
            output = self._found.get(id(self.resolved(value)))
            if output is not None and output.kind == "forward":
                output.name = self._unique(Name("ŷ" if len(outputs) == 1 else f"ŷ_{i + 1}"))

    def _feeds(self, part: Value, loss: Value) -> bool:
        """Return whether a value is what the loss is the sum or mean of."""
        if loss.op is not None and loss.op.kind != "reduce":
            loss = next((x for x in loss.inputs if isinstance(x, Value) and not x.is_data), loss)
        is_sum = loss.op is not None and loss.op.kind == "reduce"
        return is_sum and self.resolved(loss.inputs[0]) is part

    def _parts(self, value: Value, whole: Value) -> list[Value]:
        """Return the quantities within a value of the graph: itself, and for a composite those that its
        expansion needs.
        """
        if value.is_data or value.op is None or value.op.kind == "constant" or self._elements.is_map(value):
            return []
        if whole is value:
            return [value]
        parts = self._inside(whole, value)
        self._written_out.update(map(id, parts))
        return [part for part in parts if part is whole or self._stands(part, whole)]

    def _inside(self, root: Value, composite: Value | None = None) -> list[Value]:
        """Return the values without a name that lead to `root`, and it, each after what it needs."""
        stop = set() if composite is None else {id(x) for x in composite.inputs if isinstance(x, Value)}
        done: dict[int, Value] = {}
        self._consumers: dict[int, list[Value]] = {}
        self._composites: dict[int, Op] = {}
        stack = [(root, False)]
        while stack:
            value, ready = stack.pop()
            if ready:
                done[id(value)] = value
                continue
            is_known = id(value) in self._found and value is not root
            if id(value) in done or id(value) in stop or value.op is None or value.is_data or is_known:
                continue
            whole = self.resolved(value)
            inputs = [x for x in value.inputs if isinstance(x, Value)]
            if whole is not value:
                inputs = [whole]
                self._composites[id(whole)] = value.op
            stack.append((value, True))
            for x in inputs:
                self._consumers.setdefault(id(x), []).append(value)
            stack.extend((x, False) for x in reversed(inputs))
        return list(done.values())

    def _stands(self, value: Value, root: Value) -> bool:
        """Return whether a value inside a composite, or between two gradients, gets lines of its own."""
        op = value.op
        if (
            op is None
            or value.is_data
            or op.kind in ("constant", "composite")
            or self._elements.is_map(value)
        ):
            return False
        if value.called:
            return True
        consumers = self._consumers.get(id(value), [])
        if op.kind in ("reduce", "contract"):
            goes_on = len(consumers) == 1 and consumers[0] is root and root.array.size == value.array.size
            return _terms(value) > 1 and not goes_on
        if not isinstance(op, Elementwise) or id(value) in self._composites:
            return True
        if any(c.op is not None and c.op.kind == "reduce" and _terms(c) > 1 for c in consumers):
            return _is_long(value)
        return len(consumers) > 1 and op.name not in _PLAIN

    def _inner_letter(self, value: Value) -> str:
        """Return what stands in ids for a value inside a composite: its name, or that of its operation."""
        if value.called:
            return value.called
        op = self._composites.get(id(value), value.op)
        assert op is not None
        return op.name

    # ----------------------------------------------------------------------- backward and update

    def _backward(self) -> None:
        for value, gradient in sorted(self._step.gradients, key=lambda pair: pair[1].order):
            owner = self.of(value)
            if owner is None or owner.path == "loss":
                continue
            path = "grad/" + owner.path.removeprefix("given/").removeprefix("forward/")
            whole = self.resolved(gradient)
            self._between(whole, "chain", owner)
            self._add(whole, "chain", path, owner.name.gradient(), value)

    def _update(self) -> None:
        """Name the new values: first those of no layer (the number of the step), then the last layer's, as
        they follow from the chain rule, which ends in the first layer.
        """
        changed = [
            (self.leaf(leaf), leaf, new) for leaf, new in self._step.updates if leaf.origin in _LEARNED
        ]
        for owner, leaf, new in sorted(changed, key=lambda each: -(each[0].layer or math.inf)):
            whole = self.resolved(new)
            if id(whole) in self._found and self._found[id(whole)].kind == "update":
                continue
            self._between(whole, "update", owner)
            name = Name(owner.name.base, owner.name.layer, prime=True)
            self._add(whole, "update", "update/" + owner.path.removeprefix("given/"), name, leaf)

    def _between(self, whole: Value, kind: str, owner: Quantity) -> None:
        """Name what stands between `whole` and the quantities that it is computed from, where it should."""
        prefix = {"chain": "grad", "update": "update"}[kind]
        for part in self._inside(whole):
            is_known = id(part) in self._found or id(part) in self._written_out
            if part is not whole and not is_known and self._stands(part, whole):
                letter = self._inner_letter(part)
                path, name, of = f"{prefix}/{letter}", Name(_symbol(letter)), None
                if kind == "update" and part.called:  # by the optimizer, of one parameter
                    path, base, _ = self._state(owner.path.removeprefix("given/"), part.called)
                    path, name, of = f"update/{path}", Name(base, owner.layer), owner.value
                made = self._add(part, kind, path, name, of)
                made.module, made.layer = owner.module, owner.layer

    def _after(self) -> None:
        """Name the values of the forward pass with the new parameters as those of the first, with a prime."""
        step = self._step
        used = _ancestors([step.loss_after]) if step.after else set()
        first = step.forward if len(step.forward) == len(step.after) else []
        for value, twin in zip_longest(step.after, first):
            if id(value) not in used:
                continue
            twins = self._parts_of.get(id(twin), []) if twin is not None and twin.op is value.op else []
            left = iter(twins)
            for part in self._parts(value, self.resolved(value)):
                if id(part) in self._found:
                    continue
                # Some of the twins may be missing here: what depends on no parameter.
                alike = (x for x in left if (x.op, x.called) == (part.op, part.called))
                own = self._found.get(id(next(alike, None)))
                if own is None:
                    letter = _letter(part.op)
                    path = "/".join(filter(None, ("after", value.module, letter)))
                    name = Name(_symbol(letter), 0 if value.in_loss else self.layer(value.module))
                else:
                    path, name = f"after/{own.path.removeprefix('forward/')}", own.name
                made = self._add(part, "after", path, replace(name, prime=True))
                if own is not None:
                    made.module, made.layer = own.module, own.layer

    def _add(
        self, value: Value, kind: str, path: str, name: Name, of: Value | None = None, module: str = ""
    ) -> Quantity:
        path = next(each for each in _numbered(path) if each not in self.by_path)
        owner = None if of is None else self.of(of)
        layer, module = (name.layer, module) if owner is None else (owner.layer, owner.module)
        quantity = Quantity(value, kind, path, self._unique(name), of, layer, module)
        if kind != "given":
            self.lines.append(quantity)
        self.by_path[path] = quantity
        # A gradient that is passed on as it is belongs to the first that had it.
        self._found.setdefault(id(value), quantity)
        return quantity

    def _in_order(self) -> list[Quantity]:
        """Return the quantities each after those that it is computed from, otherwise as they are.

        What stands between two gradients may be used by an earlier one, a new parameter by the new state.
        """
        done: dict[int, Quantity] = {}
        stack = [(quantity, False) for quantity in reversed(self.lines)]
        while stack:
            quantity, ready = stack.pop()
            if id(quantity) in done:
                continue
            if ready:
                done[id(quantity)] = quantity
                continue
            stack.append((quantity, True))
            stack.extend(
                (other, False) for other in reversed(self._needed(quantity)) if id(other) not in done
            )
        return list(done.values())

    def _needed(self, quantity: Quantity) -> list[Quantity]:
        """Return the quantities, not given ones, that a quantity is computed from."""
        first = self._found[id(quantity.value)]
        if first is not quantity:
            return [first]
        found: dict[int, Quantity] = {}
        seen: set[int] = set()
        stack = [quantity.value]
        while stack:
            value = stack.pop()
            for x in value.inputs:
                whole = self.resolved(x) if isinstance(x, Value) else None
                if whole is None or id(whole) in seen:
                    continue
                seen.add(id(whole))
                known = self._found.get(id(whole))
                if known is None:
                    stack.append(whole)
                elif known.kind != "given":
                    found[id(known)] = known
        return list(found.values())

    def add_local(self, quantity: Quantity) -> Quantity:
        """Take up a local derivative, which is found only when lines are written."""
        self._found[id(quantity.value)] = quantity
        return quantity

    def add_rows(self, value: Value, kind: str, owner: Quantity) -> Quantity:
        """Take up the windows of an array laid out as rows, which a convolution multiplies by its weight."""
        first = {"chain": "grad", "after": "after"}.get(kind, "forward")
        path = "/".join(filter(None, (first, owner.module, "patches")))
        quantity = self._add(
            value, kind, path, Name("P", owner.layer, prime=kind == "after"), module=owner.module
        )
        self.lines.remove(quantity)
        return quantity

    def _unique(self, name: Name) -> Name:
        """Return the name, with a number behind its letter if another value has it already."""
        if name.base in _RESERVED:
            name = Name(f"{name.base}_", name.layer, prime=name.prime, kind=name.kind)
        bases = _numbered(name.base)
        found = (Name(base, name.layer, prime=name.prime, kind=name.kind) for base in bases)
        name = next(each for each in found if each not in self._names)
        self._names.add(name)
        return name


def _numbered(text: str) -> Iterator[str]:
    """Yield a letter or a path, then with the numbers 2, 3, … behind it."""
    yield text
    between = "_" if text[-1:].isdecimal() else ""
    yield from (f"{text}{between}{i}" for i in itertools.count(2))


def _parameter_letter(name: str) -> str:
    """Return what a parameter is called: w, b, and w_ih_l0 for weight_ih_l0, w_in_proj for in_proj_weight."""
    for word, letter in _PARAMETERS.items():
        if name == word:
            return letter
        if name.startswith(f"{word}_"):
            return letter + name.removeprefix(word)
        if name.endswith(f"_{word}"):
            return f"{letter}_{name.removesuffix(f'_{word}')}"
    return name


def _letter(op: Op | None) -> str:
    """Return what stands for the result of an operation in ids: z, a, or the operation's name."""
    assert op is not None
    return "a" if op.source in _ACTIVATIONS else _LETTERS.get(op.name, op.name)


def _symbol(letter: str) -> str:
    """Return what stands for it in names."""
    return letter if len(letter) == 1 or re.search(r"_\d+$", letter) else _SYMBOLS.get(letter, "h")


def _terms(value: Value) -> int:
    """Return how many numbers go into each result of a reduction or contraction, about."""
    x = value.inputs[0]
    if value.op is not None and value.op.kind == "contract":
        return 2 if x.array.shape[-1] > 1 else 1
    return int(x.array.size // max(value.array.size, 1))


def _is_long(value: Value) -> bool:
    """Return whether an elementwise value takes more than one operation on numbers that have names."""
    op = value.op
    assert isinstance(op, Elementwise)
    if any(isinstance(x, Value) and isinstance(x.op, Elementwise) for x in value.inputs):
        return True
    return op.name not in _PLAIN and op.name != "exp"


def _ancestors(roots: list[Value]) -> set[int]:
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        value = stack.pop()
        if id(value) not in seen:
            seen.add(id(value))
            stack.extend(x for x in value.inputs if isinstance(x, Value))
    return seen
