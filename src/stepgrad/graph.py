"""Nodes and graphs: what was computed, in order.

A `Node` is one application of an operation: the operation, its inputs, its attributes. It holds no code of
its own, so whoever walks the graph (the derivative, the printer, the compiler) sees all there is. A `Graph`
is a list of nodes in the order in which they were computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

from stepgrad.arrays import dtypes
from stepgrad.errors import ArgumentError
from stepgrad.ops.record import Absent, Op

# Every other number, so that a node can be put before another.
_numbers = count(step=2)


class Node:
    """One application of an operation.

    * `op`, `attrs`: the record and its attributes.
    * `inputs`: for each input the `Node` that made it, or the leaf tensor, or None for a number or a missing
      input.
    * `saved`: for each input its array if the derivative reads it, else an `Absent`; numbers and None stand
      for themselves. None once the graph has been freed.
    * `result`: the array it made, if the derivative reads it (or a graph is being recorded), else None.
    * `versions`: (counter, value) of each saved tensor, to notice that one was changed in place.
    * `shape`, `dtype`: of the result. `requires_grad`: whether a gradient flows through it.
    * `phase`: "forward", "backward" or "update". `module`: the path of the module that called it, when
      recorded. `made_at`: the lines that called it, where these are remembered (`detect_anomaly`).
    * `order`: nodes are numbered in the order of their birth.
    """

    __slots__ = (
        "attrs", "dtype", "hooks", "inputs", "made_at", "module", "op", "order", "phase", "requires_grad",
        "result", "retained", "saved", "shape", "versions",
    )  # fmt: skip
    made_at: str

    def __init__(
        self, op: Op, attrs: dict[str, Any], inputs: tuple[Any, ...], saved: tuple[Any, ...] | None,
        versions: tuple[Any, ...], result: Any, requires_grad: bool,
    ) -> None:  # fmt: skip
        self.op = op
        self.attrs = attrs
        self.inputs = inputs
        self.saved = saved
        self.versions = versions
        self.result = result if op.keeps_result else None
        self.shape = result.shape
        self.dtype = result.dtype
        self.requires_grad = requires_grad
        self.order = next(_numbers)
        self.phase = "forward"
        self.hooks: list[Any] | None = None
        self.retained: Any = None
        self.module = ""

    def name(self) -> str:
        """Return the name of the operation."""
        return self.op.name

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The nodes of the inputs, in PyTorch's form: ((node, 0), …), None for a leaf or a constant."""
        return tuple((x if isinstance(x, Node) else None, 0) for x in self.inputs)

    def __repr__(self) -> str:
        return f"<{self.op.name} → {dtypes.of(self)}{list(self.shape)}>"


def ancestors(roots: Iterable[Node]) -> list[Node]:
    """Return the nodes that lead to `roots`, and those themselves, in order of birth."""
    seen: dict[int, Node] = {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node.order not in seen:
            seen[node.order] = node
            stack.extend(x for x in node.inputs if isinstance(x, Node))
    return [seen[order] for order in sorted(seen)]


class Graph:
    """A list of nodes in order, which prints one line a node; `svg` is a picture, `to_dict` for JSON.

    >>> import stepgrad as sg
    >>> x = sg.tensor([1.0, 2.0], requires_grad=True)
    >>> print(sg.graph((x * x).sum(), {"x": x}))
    x : leaf float32[2]
    %1 = mul(x, x) : float32[2]
    %2 = sum(%1, dim=None, keepdim=False) : float32[]
    """

    def __init__(self, nodes: list[Node], names: dict[str, Any] | None = None) -> None:
        self.nodes = nodes
        self._leaf_names = {id(tensor): name for name, tensor in (names or {}).items()}
        self._keep_alive = names  # so that the ids stay theirs
        self.check()

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def check(self) -> None:
        """Raise `ArgumentError` unless every node comes after the nodes it uses."""
        seen: set[int] = set()
        for node in self.nodes:
            for x in node.inputs:
                if isinstance(x, Node) and x.order not in seen:
                    raise ArgumentError(f"the graph is not in order: {node} comes before {x}, which it uses.")
            seen.add(node.order)

    def leaves(self) -> dict[str, Any]:
        """Return the leaf tensors by name: the names given, ``leaf1``, ``leaf2``, … for others."""
        found: dict[int, Any] = {}
        for node in self.nodes:
            for x in node.inputs:
                if x is not None and not isinstance(x, Node):
                    found.setdefault(id(x), x)
        unnamed = count(1)
        return {self._leaf_names.get(key) or f"leaf{next(unnamed)}": leaf for key, leaf in found.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the graph as plain values, ready for JSON.

        "leaves" by name, and "nodes", each with its "name" (``%1``), operation, inputs by name (a constant as
        its text), attributes as text, shape, dtype, phase and module.

        >>> import stepgrad as sg
        >>> x = sg.tensor(2.0, requires_grad=True)
        >>> sg.graph(x * 3, {"x": x}).to_dict()["nodes"][0]["inputs"]
        ['x', '3']
        """
        leaves = self.leaves()
        label = self._labels(leaves)
        return {
            "version": 1,
            "leaves": [
                {"name": name, "shape": list(leaf.shape), "dtype": leaf.dtype.name}
                for name, leaf in leaves.items()
            ],
            "nodes": [
                {
                    "name": label[id(node)],
                    "operation": node.op.name,
                    "inputs": [_operand(node, i, label) for i in range(len(node.inputs))],
                    "attributes": {key: repr(value) for key, value in node.attrs.items()},
                    "shape": list(node.shape),
                    "dtype": dtypes.of(node).name,
                    "phase": node.phase,
                    "module": node.module,
                }
                for node in self.nodes
            ],
        }

    def svg(self) -> str:
        """Return the graph as a picture: a box for each operation, from the leaves above to the result."""
        from stepgrad.graph_picture import picture

        return picture(self)

    def _repr_html_(self) -> str:
        return self.svg()

    def _labels(self, leaves: dict[str, Any]) -> dict[int, str]:
        """Return the names of leaves and nodes by id."""
        label = {id(leaf): name for name, leaf in leaves.items()}
        return label | {id(node): f"%{number}" for number, node in enumerate(self.nodes, 1)}

    def __str__(self) -> str:
        leaves = self.leaves()
        label = self._labels(leaves)
        lines = [f"{name} : leaf {leaf.dtype.name}{list(leaf.shape)}" for name, leaf in leaves.items()]
        for node in self.nodes:
            operands = [_operand(node, i, label) for i in range(len(node.inputs))]
            operands += [f"{key}={value!r}" for key, value in node.attrs.items()]
            where = f"  # {node.module}" if node.module else ""
            mark = "" if node.phase == "forward" else f" [{node.phase}]"
            kind = f"{dtypes.of(node).name}{list(node.shape)}"
            lines.append(f"{label[id(node)]} = {node.op.name}({', '.join(operands)}) : {kind}{mark}{where}")
        return "\n".join(lines)


def _operand(node: Node, i: int, label: dict[int, str]) -> str:
    x = node.inputs[i]
    if x is not None:
        return label[id(x)]
    if node.saved is None:
        return "constant"  # freed by backward(): its value is gone
    constant = node.saved[i]
    if isinstance(constant, Absent) or hasattr(constant, "shape"):
        return f"constant {dtypes.of(constant).name}{list(constant.shape)}"
    return str(constant)
