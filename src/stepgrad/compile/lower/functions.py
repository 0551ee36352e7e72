"""The functions of an LLVM module: which are written, what stands in the one that is open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from stepgrad.compile.lower.register import Register


@dataclass
class _Body:
    """What is written of a function so far.

    `number`: how many names are given. `block`: the block that is open, and `computed`: what it has computed,
    by its text.
    """

    lines: list[str] = field(default_factory=list)
    allocas: list[str] = field(default_factory=list)
    number: int = 0
    block: str = "entry"
    computed: dict[str, Register] = field(default_factory=dict)


class Functions:
    """Part of `Writer`: the module, its functions and their blocks."""

    def __init__(self) -> None:
        self._body = _Body()
        self._functions: list[str] = []
        # Functions by what they do, and under which name one of the same text stands.
        self._by_text: dict[str, str] = {}
        self._stands_as: dict[str, str] = {}
        self._names: dict[tuple[Any, ...], str] = {}
        self._declared: dict[str, str] = {}
        self._count = 0

    def module_text(self) -> str:
        """Return the module."""
        return "\n".join([*self._declared.values(), *self._functions, ""])

    def declare(self, name: str, signature: str) -> None:
        """Declare an external function, once."""
        self._declared.setdefault(name, signature)

    def raw(self, text: str) -> None:
        """Add a function that is written already."""
        self._functions.append(text)

    @contextmanager
    def function(
        self,
        name: str,
        arguments: list[str],
        *,
        public: bool = False,
        noalias: bool = True,
        plain: bool = False,
    ) -> Iterator[list[Register]]:
        """Write a function of pointers (``ptr``) and integers (``i64``), which returns nothing; yields
        its arguments.

        It may be written while another is open. An inner one that does the same as another, as the layers
        of a deep network do, is not written again: LLVM would take as long for it. With `plain`, LLVM makes
        code of it as it stands, in half the time.
        """
        registers, texts = [], []
        for i, kind in enumerate(arguments):
            marks = " noalias" if kind == "ptr" and noalias else ""
            texts.append(f"{kind}{marks} %a{i}")
            registers.append(Register(self, f"%a{i}", kind, 1))  # type: ignore[arg-type]
        outer, self._body = self._body, _Body()
        yield registers
        body, self._body = self._body, outer
        linkage, how = "" if public else "internal ", "nounwind noinline optnone" if plain else "nounwind"
        rest = "\n".join([
            f"({', '.join(texts)}) {how} {{", "entry:", *body.allocas, *body.lines, "  ret void", "}"
        ])  # fmt: skip
        same = name if public else self._by_text.setdefault(rest, name)
        self._stands_as[name] = same
        if same == name:
            self._functions.append(f"define {linkage}void @{name}{rest}")

    def unique(self, name: str) -> str:
        """Return the name of an inner function that has none of its own."""
        self._count += 1
        return f"{name}_{self._count}"

    def once(self, key: tuple[Any, ...], write: Callable[[str], None]) -> str:
        """Return the name of an inner function that `write(name)` writes, for each key once."""
        if key not in self._names:
            self._names[key] = self.unique(str(key[0]))
            write(self._names[key])
        return self._names[key]

    def call(self, name: str, arguments: list[Register]) -> None:
        """Call a function that returns nothing."""
        name = self._stands_as.get(name, name)
        self.line(f"call void @{name}({', '.join(f'{a.type} {a.text}' for a in arguments)})")

    # ----------------------------------------------------------------------- the function that is open

    def number(self) -> int:
        """Return a number for a name."""
        self._body.number += 1
        return self._body.number

    def line(self, text: str) -> None:
        """Write an instruction without a result."""
        self._body.lines.append("  " + text)

    def begin(self, block: str) -> None:
        """Begin a block."""
        self._body.lines.append(f"{block}:")
        self._body.block, self._body.computed = block, {}

    def emit(self, text: str, element: str, lanes: int = 1) -> Register:
        """Write an instruction that computes something from its operands alone, and return its result.

        In a block the same one is written once.
        """
        computed = self._body.computed
        if text not in computed:
            computed[text] = self.emit_here(text, element, lanes)
        return computed[text].seen_as(element)

    def emit_here(self, text: str, element: str, lanes: int = 1) -> Register:
        """Write an instruction that reads memory or depends on its place, and return its result."""
        name = f"%v{self.number()}"
        self._body.lines.append(f"  {name} = {text}")
        return Register(self, name, element, lanes)  # type: ignore[arg-type]
