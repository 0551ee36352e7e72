"""Writing LLVM IR as text: functions, loops, loads and stores, arithmetic on registers.

Text is written directly because building the same through objects costs several times as long, and the
time from the first call to the first compiled step is a promise. The functions of the scalar language are
in `lower.mathematics`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepgrad.compile.lower.functions import Functions
from stepgrad.compile.lower.register import BYTES, UNSIGNED, Register, number_text, type_text
from stepgrad.errors import DtypeError


class Writer(Functions):
    """Writes the functions of one LLVM module."""

    def __init__(self) -> None:
        super().__init__()
        # The floating point type in which a Python number meets a boolean or an integer.
        self.real = "float"

    # ----------------------------------------------------------------------------- instructions

    def constant(self, value: float, element: str, lanes: int = 1) -> Register:
        """Return a constant, in every lane."""
        text = number_text(value, element)
        if lanes > 1:
            text = f"splat ({type_text(element, 1)} {text})"
        return Register(self, text, element, lanes)

    def integers(self, values: list[int], element: str = "i64") -> Register:
        """Return a vector of constants."""
        return Register(self, "<" + ", ".join(f"{element} {v}" for v in values) + ">", element, len(values))

    def splat(self, x: Register, lanes: int) -> Register:
        """Return a scalar in every lane."""
        if x.lanes == lanes:
            return x
        assert x.lanes == 1
        one = self.emit(
            f"insertelement {type_text(x.element, lanes)} poison, {x.type} {x.text}, i32 0", x.element, lanes
        )
        return self.emit(
            f"shufflevector {one.type} {one.text}, {one.type} poison, <{lanes} x i32> zeroinitializer",
            x.element,
            lanes,
        )

    def together(self, parts: list[Register], lanes: int) -> Register:
        """Return scalars as the first lanes of a vector, 0 in the others."""
        element, text = parts[0].element, "zeroinitializer"
        for i, part in enumerate(parts):
            kind = type_text(element, lanes)
            vector = self.emit(
                f"insertelement {kind} {text}, {part.type} {part.text}, i32 {i}", element, lanes
            )
            text = vector.text
        return vector

    def convert(self, x: Register, element: str) -> Register:
        """Return x in another element type; floating point to integer cuts off, anything to i1 asks
        whether it is not 0.
        """
        if x.element == element:
            return x
        to = type_text(element, x.lanes)
        if element == "i1":
            return self.compare("ne", x, 0)
        floats = ("float", "double")
        if x.element in floats and element in floats:
            verb = "fpext" if element == "double" else "fptrunc"
        elif x.element in floats:
            if BYTES[element] < 4:
                # By way of 32 bits, as C does it, so that a number out of range leaves its low bits.
                return self.convert(self.convert(x, "i32"), element)
            verb = "fptosi"
        elif element in floats:
            verb = "uitofp" if x.element in UNSIGNED else "sitofp"
        elif BYTES[element] > BYTES[x.element] or x.element == "i1":
            verb = "zext" if x.element in UNSIGNED else "sext"
        elif BYTES[element] == BYTES[x.element]:
            return x.seen_as(element)
        else:
            verb = "trunc"
        return self.emit(f"{verb} {x.type} {x.text} to {to}", element, x.lanes)

    def bits(self, x: Register, element: str) -> Register:
        """Return the same bits as another element type of the same size."""
        return self.emit(f"bitcast {x.type} {x.text} to {type_text(element, x.lanes)}", element, x.lanes)

    def matched(self, a: Any, b: Any) -> tuple[Register, Register]:
        """Return two operands (registers or numbers) in one type: the wider element type, and as many
        lanes.
        """
        if not isinstance(a, Register):
            element = _element_for_number(a, b)
            return self.constant(a, element, b.lanes), self.convert(b, element)
        if not isinstance(b, Register):
            element = _element_for_number(b, a)
            return self.convert(a, element), self.constant(b, element, a.lanes)
        element = _wider(a.element, b.element)
        lanes = max(a.lanes, b.lanes)
        return self.splat(self.convert(a, element), lanes), self.splat(self.convert(b, element), lanes)

    def arithmetic(self, verb: str, a: Any, b: Any) -> Register:
        """Emit add, sub, mul, div (of integers the quotient towards 0) or rem (what that leaves)."""
        a, b = self.matched(a, b)
        if a.element == "i1":
            a, b = self.convert(a, "i64"), self.convert(b, "i64")
        if a.element == "i64" and (known := _known(verb, a, b)) is not None:
            return known
        if a.is_float:
            verb = "f" + verb
        elif verb in ("div", "rem"):
            verb = ("u" if a.element in UNSIGNED else "s") + verb
        return self.emit(f"{verb} {a.type} {a.text}, {b.text}", a.element, a.lanes)

    def quotient(self, a: Register, b: Register) -> Register:
        """Emit the whole number of times that b, an integer above 0, goes into a, an integer that is not
        negative.
        """
        if b.text == "1":
            return a
        return self.emit(f"udiv {a.type} {a.text}, {b.text}", a.element, a.lanes)

    def compare(self, verb: str, a: Any, b: Any) -> Register:
        """Emit a comparison: lt, le, gt, ge, eq, ne. With NaN all are false but ne."""
        a, b = self.matched(a, b)
        if a.is_float:
            how = "fcmp une" if verb == "ne" else f"fcmp o{verb}"
        else:
            signed = "u" if a.element in UNSIGNED else "s"
            how = f"icmp {verb}" if verb in ("eq", "ne") else f"icmp {signed}{verb}"
        return self.emit(f"{how} {a.type} {a.text}, {b.text}", "i1", a.lanes)

    def bitwise(self, verb: str, a: Any, b: Any) -> Register:
        """Emit and, or, xor, shl, lshr on integers and booleans."""
        a, b = self.matched(a, b)
        return self.emit(f"{verb} {a.type} {a.text}, {b.text}", a.element, a.lanes)

    def select(self, condition: Register, a: Any, b: Any) -> Register:
        """Emit a where the condition holds, else b."""
        if not isinstance(a, Register) and not isinstance(b, Register):
            raise DtypeError("select needs a register for its type.")
        a, b = self.matched(a, b)
        lanes = max(a.lanes, condition.lanes)
        a, b, condition = self.splat(a, lanes), self.splat(b, lanes), self.splat(condition, lanes)
        return self.emit(
            f"select {condition.type} {condition.text}, {a.type} {a.text}, {b.type} {b.text}",
            a.element,
            lanes,
        )

    def least(self, a: Register, b: Any) -> Register:
        """Return the smaller of two integers."""
        return self.select(a < b, a, b)

    def intrinsic(self, name: str, *operands: Register, element: str | None = None) -> Register:
        """Call ``llvm.<name>`` on operands of one type (the result has it too, unless `element` says
        otherwise).
        """
        first = operands[0]
        result = element or first.element
        suffix = f"v{first.lanes}" if first.lanes > 1 else ""
        full = f"llvm.{name}.{suffix}{_short(first.element)}"
        kinds = ", ".join(x.type for x in operands)
        out = type_text(result, first.lanes)
        self.declare(full, f"declare {out} @{full}({kinds})")
        arguments = ", ".join(f"{x.type} {x.text}" for x in operands)
        return self.emit(f"call {out} @{full}({arguments})", result, first.lanes)

    def estimated_inverse_root(self, x: Register) -> Register:
        """Return 1/√x of 64 bytes of numbers within 2⁻¹⁴, as AVX-512 estimates it: ∞ at 0 and 0 at ∞."""
        kind, mask = ("ps", f"i{x.lanes}") if x.element == "float" else ("pd", "i8")
        name = f"llvm.x86.avx512.rsqrt14.{kind}.512"
        self.declare(name, f"declare {x.type} @{name}({x.type}, {x.type}, {mask})")
        arguments = f"{x.type} {x.text}, {x.type} zeroinitializer, {mask} -1"
        return self.emit(f"call {x.type} @{name}({arguments})", x.element, x.lanes)

    def scaled(self, x: Register, n: Register) -> Register:
        """Return x 2ⁿ for whole n, rounded once, as AVX-512 computes it."""
        lanes = max(x.lanes, 16 // BYTES[x.element])
        kind, wide = type_text(x.element, lanes), 8 * lanes * BYTES[x.element]
        name = f"llvm.x86.avx512.mask.scalef.{'ps' if x.element == 'float' else 'pd'}.{wide}"
        mask, rounding = f"i{max(lanes, 8)}", ("i32",) if wide == 512 else ()
        self.declare(name, f"declare {kind} @{name}({', '.join((kind, kind, kind, mask, *rounding))})")
        operands = [f"{kind} {self._resized(part, lanes).text}" for part in (x, n)]
        arguments = [*operands, f"{kind} zeroinitializer", f"{mask} -1", *(f"{r} 4" for r in rounding)]
        return self._resized(
            self.emit(f"call {kind} @{name}({', '.join(arguments)})", x.element, lanes), x.lanes
        )

    def _resized(self, x: Register, lanes: int) -> Register:
        """Return a vector of so many lanes, of which those that both have are those of x."""
        if x.lanes == lanes:
            return x
        if lanes == 1:
            return self.emit(f"extractelement {x.type} {x.text}, i32 0", x.element)
        if x.lanes == 1:
            kind = type_text(x.element, lanes)
            return self.emit(f"insertelement {kind} poison, {x.type} {x.text}, i32 0", x.element, lanes)
        return self.shuffle(x, x, [i % x.lanes for i in range(lanes)])

    def is_of_class(self, x: Register, classes: int) -> Register:
        """Return which of 64 bytes of numbers are of some classes, as AVX-512 tells it: a sum of 129 (NaN),
        2 (0), 4 (−0), 8 (∞), 16 (−∞).
        """
        name = f"llvm.x86.avx512.fpclass.{'ps' if x.element == 'float' else 'pd'}.512"
        to = type_text("i1", x.lanes)
        self.declare(name, f"declare {to} @{name}({x.type}, i32)")
        return self.emit(f"call {to} @{name}({x.type} {x.text}, i32 {classes})", "i1", x.lanes)

    def shuffle(self, a: Register, b: Register, lanes: list[int]) -> Register:
        """Return a vector of lanes picked from those of a, then of b, counted through."""
        picked = ", ".join(f"i32 {i}" for i in lanes)
        text = f"shufflevector {a.type} {a.text}, {b.type} {b.text}, <{len(lanes)} x i32> <{picked}>"
        return self.emit(text, a.element, len(lanes))

    def halves(self, x: Register) -> tuple[Register, Register]:
        """Return the lower and the upper half of a vector's lanes."""
        half = x.lanes // 2
        parts = []
        for start in (0, half):
            picked = ", ".join(f"i32 {start + i}" for i in range(half))
            if half == 1:
                parts.append(self.emit(f"extractelement {x.type} {x.text}, i32 {start}", x.element))
            else:
                text = f"shufflevector {x.type} {x.text}, {x.type} poison, <{half} x i32> <{picked}>"
                parts.append(self.emit(text, x.element, half))
        return parts[0], parts[1]

    def first_lanes(self, lanes: int, count: int) -> Register:
        """Return a constant mask of which the first `count` lanes are true."""
        return Register(self, _mask(lanes, count).partition("> ")[2], "i1", lanes)

    def fma(self, a: Any, b: Any, c: Any) -> Register:
        """Emit a · b + c, rounded once."""
        registers = [x for x in (a, b, c) if isinstance(x, Register)]
        element, lanes = registers[0].element, max(x.lanes for x in registers)
        operands = [
            self.splat(x, lanes) if isinstance(x, Register) else self.constant(x, element, lanes)
            for x in (a, b, c)
        ]
        return self.intrinsic("fma", *operands)

    # ----------------------------------------------------------------------------------- memory

    def pointer(self, base: Register, index: Any, element: str) -> Register:
        """Return the address of element `index` (a register of i64 or a number) from `base`."""
        stored = "i8" if element == "i1" else element
        where = index.text if isinstance(index, Register) else str(int(index))
        if where == "0":
            return base
        return self.emit(f"getelementptr {type_text(stored, 1)}, ptr {base.text}, i64 {where}", "ptr")

    def load(self, address: Register, element: str, lanes: int = 1, mask: int | None = None) -> Register:
        """Load contiguous elements; with `mask` only that many of the lanes, 0 in the others. Booleans
        are bytes.
        """
        stored = "i8" if element == "i1" else element
        kind, align = type_text(stored, lanes), BYTES[stored]
        if mask is None or lanes == 1:
            loaded = self.emit_here(f"load {kind}, ptr {address.text}, align {align}", stored, lanes)
        else:
            name = f"llvm.masked.load.v{lanes}{_short(stored)}.p0"
            self.declare(name, f"declare {kind} @{name}(ptr, i32, <{lanes} x i1>, {kind})")
            loaded = self.emit_here(
                f"call {kind} @{name}(ptr {address.text}, i32 {align}, {_mask(lanes, mask)}, "
                f"{kind} zeroinitializer)",
                stored, lanes,
            )  # fmt: skip
        return self.convert(loaded, "i1") if element == "i1" else loaded

    def store(self, x: Register, address: Register, mask: int | None = None) -> None:
        """Store contiguous elements; with `mask` only that many of the lanes."""
        if x.element == "i1":
            x = self.convert(x, "i8")
        align = BYTES[x.element]
        if mask == 1:
            # LLVM's code for one of several lanes writes as many bytes as an integer had before it was cut.
            x = self._resized(x, 1)
        if mask is None or x.lanes == 1:
            self.line(f"store {x.type} {x.text}, ptr {address.text}, align {align}")
            return
        name = f"llvm.masked.store.v{x.lanes}{_short(x.element)}.p0"
        self.declare(name, f"declare void @{name}({x.type}, ptr, i32, <{x.lanes} x i1>)")
        self.line(
            f"call void @{name}({x.type} {x.text}, ptr {address.text}, i32 {align}, {_mask(x.lanes, mask)})"
        )

    def prefetch(self, address: Register, *, to_write: bool = False, second: bool = False) -> None:
        """Have a line of memory fetched into the first cache, or only into the `second`. The address may be
        any.
        """
        self.declare("llvm.prefetch.p0", "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        how = f"i32 {int(to_write)}, i32 {2 if second else 3}, i32 1"
        self.line(f"call void @llvm.prefetch.p0(ptr {address.text}, {how})")

    def gather(self, base: Register, indices: Register, element: str, mask: int | None = None) -> Register:
        """Load from `base` the elements that a vector of i64 indices picks."""
        stored = "i8" if element == "i1" else element
        lanes = indices.lanes
        pointers = self.emit(
            f"getelementptr {type_text(stored, 1)}, ptr {base.text}, {indices.type} {indices.text}",
            "ptr",
            lanes,
        )
        kind = type_text(stored, lanes)
        name = f"llvm.masked.gather.v{lanes}{_short(stored)}.v{lanes}p0"
        self.declare(name, f"declare {kind} @{name}(<{lanes} x ptr>, i32, <{lanes} x i1>, {kind})")
        loaded = self.emit_here(
            f"call {kind} @{name}(<{lanes} x ptr> {pointers.text}, i32 {BYTES[stored]}, "
            f"{_mask(lanes, lanes if mask is None else mask)}, {kind} zeroinitializer)",
            stored, lanes,
        )  # fmt: skip
        return self.convert(loaded, "i1") if element == "i1" else loaded

    def scatter(self, x: Register, base: Register, indices: Register, mask: int | None = None) -> None:
        """Store the lanes of x at `base` plus a vector of i64 indices."""
        if x.element == "i1":
            x = self.convert(x, "i8")
        lanes = x.lanes
        pointers = self.emit(
            f"getelementptr {type_text(x.element, 1)}, ptr {base.text}, {indices.type} {indices.text}",
            "ptr",
            lanes,
        )
        name = f"llvm.masked.scatter.v{lanes}{_short(x.element)}.v{lanes}p0"
        self.declare(name, f"declare void @{name}({x.type}, <{lanes} x ptr>, i32, <{lanes} x i1>)")
        self.line(
            f"call void @{name}({x.type} {x.text}, <{lanes} x ptr> {pointers.text}, i32 {BYTES[x.element]}, "
            f"{_mask(lanes, lanes if mask is None else mask)})"
        )

    def when(self, condition: Register | bool, body: Callable[[], Any]) -> None:
        """Write code that runs only where a condition holds; it hands nothing on.

        A condition that is known already leaves no trace.
        """
        if not isinstance(condition, Register):
            if condition:
                body()
            return
        tag = self.number()
        then, after = f"t{tag}", f"w{tag}"
        self.line(f"br i1 {condition.text}, label %{then}, label %{after}")
        self.begin(then)
        body()
        self.line(f"br label %{after}")
        self.begin(after)

    def repeat(self, body: Callable[[], Register]) -> None:
        """Write ``while body(): pass``."""
        tag = self.number()
        self.line(f"br label %r{tag}")
        self.begin(f"r{tag}")
        again = body()
        self.line(f"br i1 {again.text}, label %r{tag}, label %f{tag}")
        self.begin(f"f{tag}")

    def scratch(self, element: str, count: int) -> Register:
        """Return the address of `count` elements on the stack, aligned for vectors."""
        name = f"%s{self.number()}"
        self._body.allocas.append(f"  {name} = alloca [{count} x {element}], align 64")
        return Register(self, name, "ptr", 1)

    # ------------------------------------------------------------------------------------ loops

    def _opaque(self, x: Register) -> Register:
        """Return an integer so that LLVM does not see where it comes from, at no cost when it runs.

        LLVM's loop strength reduction then leaves the addresses as they are written. It takes a fifth of the
        time that the rest needs, and does not make loops faster whose addresses are simple.
        """
        self.declare("llvm.expect.i64", "declare i64 @llvm.expect.i64(i64, i64)")
        return self.emit_here(f"call i64 @llvm.expect.i64(i64 {x.text}, i64 0)", "i64")

    def loop(
        self,
        start: Any,
        stop: Any,
        step: int,
        body: Callable[[Register, list[Register]], list[Register] | None],
        carried: list[Register] | None = None,
    ) -> list[Register]:
        """Write ``for i in range(start, stop, step)``.

        `body(i, values)` returns the carried values for the next round; those of the last round are
        returned. A loop of one round is written without a loop.
        """
        carried = carried or []
        fixed = not isinstance(start, Register) and not isinstance(stop, Register)
        if fixed and stop <= start:
            return carried
        if fixed and start + step >= stop:
            return body(self.constant(start, "i64"), carried) or []
        first, last = (x if isinstance(x, Register) else self.constant(x, "i64") for x in (start, stop))
        tag = self.number()
        before, head, end = self._body.block, f"l{tag}", f"e{tag}"
        if fixed:
            self.line(f"br label %{head}")
        else:
            enter = first < last
            self.line(f"br i1 {enter.text}, label %{head}, label %{end}")
        self.begin(head)
        places = []
        index_at = len(self._body.lines)
        self._body.lines.append("")
        values = []
        for x in carried:
            values.append(Register(self, f"%c{self.number()}", x.element, x.lanes))
            places.append(len(self._body.lines))
            self._body.lines.append("")
        index = Register(self, f"%i{tag}", "i64", 1)
        results = body(index, values) or []
        following = self._opaque(self.emit_here(f"add nsw i64 {index.text}, {step}", "i64"))
        latch = self._body.block
        self._body.lines[index_at] = (
            f"  {index.text} = phi i64 [ {first.text}, %{before} ], [ {following.text}, %{latch} ]"
        )
        for place, value, x, result in zip(places, values, carried, results, strict=True):
            self._body.lines[place] = (
                f"  {value.text} = phi {x.type} [ {x.text}, %{before} ], [ {result.text}, %{latch} ]"
            )
        again = following < last
        self.line(f"br i1 {again.text}, label %{head}, label %{end}")
        self.begin(end)
        if fixed:
            return results
        return [
            self.emit_here(
                f"phi {x.type} [ {x.text}, %{before} ], [ {r.text}, %{latch} ]", x.element, x.lanes
            )
            for x, r in zip(carried, results, strict=True)
        ]


def _known(verb: str, a: Register, b: Register) -> Register | None:
    """Return the result of adding or multiplying integers where none is needed: of constants, with 0 or 1."""
    if verb not in ("add", "mul"):
        return None
    neutral = "0" if verb == "add" else "1"
    if neutral in (a.text, b.text):
        return b if a.text == neutral else a
    if a.text.isdigit() and b.text.isdigit():
        result = int(a.text) + int(b.text) if verb == "add" else int(a.text) * int(b.text)
        return a.writer.constant(result, "i64")
    return None


def _mask(lanes: int, count: int) -> str:
    if count == lanes:
        return f"<{lanes} x i1> splat (i1 true)"
    return (
        f"<{lanes} x i1> <" + ", ".join(f"i1 {'true' if i < count else 'false'}" for i in range(lanes)) + ">"
    )


def _short(element: str) -> str:
    return {"float": "f32", "double": "f64", "u8": "i8"}.get(element, element)


_RANK = {"i1": 0, "u8": 1, "i8": 1, "i16": 2, "i32": 3, "i64": 4, "float": 5, "double": 6, "ptr": 7}


def _wider(a: str, b: str) -> str:
    return a if _RANK[a] >= _RANK[b] else b


def _element_for_number(number: Any, x: Register) -> str:
    """Return the type in which a Python number meets a register: the register's, unless the number's kind
    is higher.
    """
    if isinstance(number, bool):
        return x.element
    if isinstance(number, int):
        return "i64" if x.element == "i1" else x.element
    return x.element if x.is_float else x.writer.real
