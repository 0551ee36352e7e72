"""Loop nests: how a cluster of elementwise values is evaluated over a space of indices.

A `Nest` knows the space, the buffers that are read and written in it, and at which depth each value must
be computed: a value that does not vary along the inner loops is computed outside of them, once. The
innermost loop runs over vectors of `lanes` elements; what is left at its end is done with masked loads
and stores.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.mathematics import OF_THEIR_OWN, Divisor, Mathematics
from stepgrad.compile.lower.register import BYTES, Register, element_of
from stepgrad.compile.machine import has_fma
from stepgrad.compile.memory import Buffer
from stepgrad.compile.program.value import Value

# So few elements are loaded one by one rather than gathered: sooner, and right after they were stored.
FEW_LANES = 4


@dataclass
class Access:
    """A buffer that is read or written at every index of a space: its base register and strides along the
    dimensions.
    """

    base: Register
    buffer: Buffer
    strides: tuple[int, ...]


class Evaluator:
    """Evaluates elementwise values at one place of the space, in registers.

    `known` holds what was read or computed already: what an outer loop computed stays valid inside of it.
    """

    def __init__(self, w: Writer) -> None:
        self.w = w
        self.m = Mathematics(w)
        self.known: dict[Value, Register] = {}
        # Of the known values those by which much is divided.
        self.divisors: dict[Value, Divisor] = {}

    def copy(self) -> Evaluator:
        """Return one that knows the same."""
        other = Evaluator(self.w)
        other.known, other.divisors = dict(self.known), dict(self.divisors)
        return other

    def learn(self, x: Value, register: Register, is_divisor: bool = False) -> None:
        """Take a value as known; `is_divisor` if what loops inside compute is divided by it."""
        self.known[x] = register
        if is_divisor:
            self.divisors[x] = self.m.divisor(register)

    def compute(self, value: Value) -> Register:
        """Return an elementwise value whose inputs are known or numbers."""
        operands: list[Any] = [self._operand(x) for x in value.inputs]
        assert value.op is not None
        reals = [x.dtype for x in (value, *value.inputs) if x.dtype.kind == "f"]
        self.w.real = element_of(max(reals, key=lambda d: d.itemsize)) if reals else "float"
        if not any(isinstance(x, Register) for x in operands):
            operands[0] = self.w.constant(operands[0], element_of(value.inputs[0].dtype))
        if value.op.name == "div" and value.inputs[1] in self.divisors:
            result = self.m.divided(operands[0], self.divisors[value.inputs[1]])
        elif value.op.name in OF_THEIR_OWN:
            result = getattr(self.m, OF_THEIR_OWN[value.op.name])(*operands)
        else:
            result = value.op.value(self.m, *operands, **value.attrs)  # type: ignore[attr-defined]
        if not isinstance(result, Register):
            result = self.w.constant(result, element_of(value.dtype))
        return self.w.convert(result, element_of(value.dtype))

    def _operand(self, x: Value) -> Any:
        if x in self.known:
            return self.known[x]
        if x.kind == "number":
            return x.number
        raise AssertionError(f"{x} is not known here")


def lanes_for(values: list[Value], vector_bytes: int, length: int) -> int:
    """Return how many elements a vector of the widest floating point type (without any, of 8 bytes) holds,
    but no more than `length` needs.
    """
    widths = [BYTES[element_of(v.dtype)] for v in values if v.dtype.kind == "f"] or [8]
    return lanes_within(max(1, vector_bytes // max(widths)), length)


def lanes_within(lanes: int, length: int) -> int:
    """Return how many of so many lanes, a power of 2, a vector over `length` elements needs."""
    while lanes > 1 and lanes // 2 >= length:
        lanes //= 2
    return lanes


def load(w: Writer, buffer: Buffer, address: Register, lanes: int, stride: int, mask: int | None) -> Register:
    """Load `lanes` elements that lie `stride` apart from an address."""
    element = element_of(buffer.dtype)
    if lanes == 1 or stride == 0:
        return w.load(address, element)
    if stride == 1:
        return w.load(address, element, lanes, mask)
    if lanes <= FEW_LANES and element != "i1":
        return w.together([
            w.load(w.pointer(address, i * stride, element), element)
            for i in range(lanes if mask is None else mask)
        ], lanes)  # fmt: skip
    return w.gather(address, w.integers([i * stride for i in range(lanes)]), element, mask)


def store(
    w: Writer, x: Register, buffer: Buffer, address: Register, lanes: int, stride: int, mask: int | None
) -> None:
    """Store lanes `stride` apart from an address."""
    x = w.convert(x, element_of(buffer.dtype))
    if stride == 1 or lanes == 1:
        w.store(w.splat(x, lanes), address, mask)
    else:
        w.scatter(w.splat(x, lanes), address, w.integers([i * stride for i in range(lanes)]), mask)


# So many divisions by one number take longer than to prepare it.
MUCH = 64


def divisors(values: list[Value], pays: Callable[[Value, Value], bool]) -> set[Value]:
    """Return the values by which others are divided where that ``pays(divisor, quotient)``."""
    if not has_fma():
        return set()
    quotients = (
        v for v in values if v.op is not None and v.op.name == "div" and v.inputs[1].kind != "number"
    )
    return {
        v.inputs[1]
        for v in quotients
        if all(x.dtype == v.dtype and x.kind != "number" for x in v.inputs) and pays(v.inputs[1], v)
    }


class Nest:
    """What is loaded, computed and stored at each depth of a nest of loops.

    `sizes`: the loops from the outside in; the one at position `vector` runs over vectors of `lanes`
    elements. `values`: the elementwise values to compute, in order; `sources`: what they read; `targets`:
    (value, access) pairs to store.
    """

    def __init__(
        self, w: Writer, sizes: tuple[int, ...], vector: int, lanes: int, values: list[Value],
        sources: dict[Value, Access], targets: list[tuple[Value, Access]],
        given: dict[Value, int] | None = None,
    ) -> None:  # fmt: skip
        self.w, self.sizes, self.vector, self.lanes = w, sizes, vector, lanes
        self.values, self.sources, self.targets = values, sources, targets
        self.depths: dict[Value, int] = dict(given or {})
        for x, access in sources.items():
            self.depths[x] = max((d for d, s in enumerate(access.strides) if s), default=-1)
        for value in values:
            if value not in self.depths:
                self.depths[value] = max(
                    (self.depths[x] for x in value.inputs if x in self.depths), default=-1
                )

        def times(x: Value, value: Value) -> int:
            return math.prod(sizes[self.depths[x] + 1 : self.depths[value] + 1])

        self.divisors = divisors(values, lambda x, value: x in self.depths and times(x, value) >= MUCH)

    def place(
        self, evaluator: Evaluator, depth: int, addresses: dict[int, Register], mask: int | None
    ) -> None:
        """Load and compute what belongs to one depth."""
        for x, access in self.sources.items():
            if self.depths[x] == depth:
                stride = access.strides[self.vector] if access.strides else 0
                found = load(self.w, access.buffer, addresses[id(access)], self.lanes, stride, mask)
                evaluator.learn(x, found, x in self.divisors)
        for value in self.values:
            if self.depths[value] == depth:
                evaluator.learn(value, evaluator.compute(value), value in self.divisors)

    def start(self) -> dict[int, Register]:
        """Return the address of the first element of every access."""
        return {
            id(access): self.w.pointer(access.base, access.buffer.offset, element_of(access.buffer.dtype))
            for access in self._accesses()
        }

    def _accesses(self) -> list[Access]:
        return [*self.sources.values(), *(access for _, access in self.targets)]

    def moved(self, addresses: dict[int, Register], depth: int, index: Register) -> dict[int, Register]:
        """Return the addresses at an index of a loop."""
        result = dict(addresses)
        for access in self._accesses():
            stride = access.strides[depth]
            if stride:
                by = scaled(self.w, index, stride)
                result[id(access)] = self.w.pointer(
                    addresses[id(access)], by, element_of(access.buffer.dtype)
                )
        return result

    def put(self, evaluator: Evaluator, addresses: dict[int, Register], mask: int | None, lanes: int) -> None:
        """Store the targets."""
        for value, access in self.targets:
            stride = access.strides[self.vector] if access.strides else 1
            x, address = evaluator.known[value], addresses[id(access)]
            store(self.w, x, access.buffer, address, lanes, stride, mask)


def in_vectors(
    w: Writer, size: int, lanes: int, body: Callable[[Register, int | None, list[Register]], list[Register]],
    carried: list[Register] | None = None, begin: Register | None = None, end: Register | None = None,
) -> list[Register]:  # fmt: skip
    """Write a loop over `size` elements in vectors, the rest of them masked: ``body(index, mask, carried)
    → carried``.

    With `begin` and `end` (whole vectors, counted in vectors) only that part is done; the masked rest
    belongs to the last one.
    """
    carried = carried or []
    full = size // lanes * lanes
    if begin is not None and end is not None:
        whole = w.constant(size // lanes, "i64")
        stop = w.least(end, whole)
        first, last = scaled(w, begin, lanes), scaled(w, stop, lanes)
        carried = w.loop(first, last, lanes, lambda i, c: body(i, None, c), carried)
        if size > full:
            w.when(end > whole, lambda: body(w.constant(full, "i64"), size - full, []))
        return carried
    if full:
        carried = w.loop(0, full, lanes, lambda i, c: body(i, None, c), carried)
    if size > full:
        carried = body(w.constant(full, "i64"), size - full, carried)
    return carried


def scaled(w: Writer, index: Register, stride: int) -> Register:
    """Return index · stride."""
    if index.text.isdigit():
        return w.constant(int(index.text) * stride, "i64")
    return index if stride == 1 else w.emit(f"mul nsw i64 {index.text}, {stride}", "i64")


def divided(w: Writer, x: Register, n: int) -> tuple[Register, Register]:
    """Return the quotient and the rest of x, not negative, by a number."""
    if n == 1:
        return x, w.constant(0, "i64")
    if x.text.isdigit():
        return w.constant(int(x.text) // n, "i64"), w.constant(int(x.text) % n, "i64")
    quotient = w.emit(f"udiv i64 {x.text}, {n}", "i64")
    return quotient, w.emit(f"urem i64 {x.text}, {n}", "i64")
