"""Products of several tensors: of chains of matrices, and sums of products by name; distances of rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.joining import listed
from stepgrad.methods.norms import vector_norm
from stepgrad.tensor import Tensor


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: Any = None) -> Tensor:
    """Return the p-norm distances between the rows of x1 (…, n, k) and of x2 (…, m, k): (…, n, m).

    >>> import stepgrad as sg
    >>> sg.cdist(sg.tensor([[0.0, 0.0]]), sg.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    if x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(f"cdist of rows of {x1.shape[-1]} and {x2.shape[-1]} numbers.")
    apart = x1.unsqueeze(-2) - x2.unsqueeze(-3)
    if not apart.shape[-1]:
        return apart.sum(-1)
    return vector_norm(apart, p, -1, False)


def chain_matmul(*matrices: Any) -> Tensor:
    """Return the product of matrices, multiplied in the order that costs least.

    >>> import stepgrad as sg
    >>> sg.chain_matmul(sg.ones(2, 3), sg.ones(3, 4), sg.ones(4, 1))
    tensor([[12.],
            [12.]])
    """
    return multi_dot(listed(matrices))


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """Return the product of matrices (the first and last may be vectors) in the cheapest order.

    >>> import stepgrad as sg
    >>> sg.linalg.multi_dot([sg.ones(2, 3), sg.ones(3, 4), sg.ones(4, 1)])
    tensor([[12.],
            [12.]])
    """
    given = list(tensors)
    if len(given) < 2:
        raise ArgumentError("multi_dot takes at least 2 tensors.")
    first, last = given[0].ndim == 1, given[-1].ndim == 1
    given[0] = given[0].unsqueeze(0) if first else given[0]
    given[-1] = given[-1].unsqueeze(1) if last else given[-1]
    sizes = [t.shape[0] for t in given] + [given[-1].shape[1]]
    product = _multiplied(given, _cheapest(sizes), 0, len(given) - 1)
    product = product.squeeze(1) if last else product
    return product.squeeze(0) if first else product


def _cheapest(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Return after which matrix to cut each chain of matrices (Godbole, 1973)."""
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    cut: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            options = [
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            ]
            cost[i, j], cut[i, j] = min(options)
    return cut


def _multiplied(given: list[Tensor], cut: dict[tuple[int, int], int], i: int, j: int) -> Tensor:
    if i == j:
        return given[i]
    k = cut[i, j]
    return _multiplied(given, cut, i, k) @ _multiplied(given, cut, k + 1, j)


def einsum(equation: Any, *operands: Any) -> Tensor:
    """Return a sum of products of elements, Einstein's way: ``"ij,jk->ik"`` is the matrix product.

    Each letter is a dimension; letters that the result does not name are summed over, ``...`` stands for
    further dimensions that broadcast, a letter twice in one operand is its diagonal. Without ``->`` the
    result has the letters that occur once, in alphabetical order. Or with numbers for the dimensions:
    ``einsum(x, [0, 1], y, [1, 2], [0, 2])``.
    Raises `ArgumentError` for an equation that does not fit the operands, `ShapeError` for sizes that do not.

    >>> import stepgrad as sg
    >>> sg.einsum("ij,j->i", sg.ones(2, 3), sg.arange(3.0))
    tensor([3., 3.])
    """
    if not isinstance(equation, str):
        equation, operands = _spelled(equation, operands)
    tensors = listed(operands)
    terms, result = _letters(equation, tensors)
    parts = [_without_repeats(t, labels) for t, labels in zip(tensors, terms, strict=True)]
    while len(parts) > 1:
        (a, left), (b, right), *rest = parts
        needed = set(result).union(*(labels for _, labels in rest))
        parts = [_contracted(a, left, b, right, needed), *rest]
    x, labels = parts[0]
    gone = [i for i, label in enumerate(labels) if label not in result]
    x = x.sum(gone) if gone else x
    labels = [label for label in labels if label in result]
    return x.permute(*(labels.index(label) for label in result)) if labels else x


def _spelled(first: Tensor, rest: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Return the equation of tensors that are followed by lists of numbers for their dimensions."""
    given = [first, *rest]
    lists = given[1::2] + ([given[-1]] if len(given) % 2 else [])

    def text(labels: Any) -> str:
        return "".join("..." if i is Ellipsis else chr((65 if i < 26 else 71) + i) for i in labels)

    terms = [text(labels) for labels in given[1::2]]
    equation = ",".join(terms) + (f"->{text(lists[-1])}" if len(given) % 2 else "")
    return equation, tuple(given[: 2 * len(terms) : 2])


def _letters(equation: str, tensors: list[Tensor]) -> tuple[list[list[str]], list[str]]:
    """Return labels for the dimensions of operands and result; those of an ellipsis are numbers."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    texts = left.split(",")
    if len(texts) != len(tensors):
        raise ArgumentError(f"einsum {equation!r} names {len(texts)} operands; there are {len(tensors)}.")
    more = [t.ndim - len(text.replace("...", "")) for text, t in zip(texts, tensors, strict=True)]
    for text, n, t in zip(texts, more, tensors, strict=True):
        if n < 0 or (n and "..." not in text):
            raise ArgumentError(
                f"einsum: {text!r} does not name the dimensions of the shape {list(t.shape)}."
            )
    widest = max((n for n, text in zip(more, texts, strict=True) if "..." in text), default=0)

    def labels_of(text: str, n: int) -> list[str]:
        before, dots, after = text.partition("...")
        if not (before + after).isalpha() and before + after:
            raise ArgumentError(f"einsum names dimensions by letters: {equation!r}.")
        between = [str(i) for i in range(widest - n, widest)] if dots else []
        return [*before, *between, *after]

    terms = [labels_of(text, n) for text, n in zip(texts, more, strict=True)]
    if arrow:
        result = labels_of(right, widest)
    else:
        every = [label for term in terms for label in term if label.isalpha()]
        once = sorted(label for label in set(every) if every.count(label) == 1)
        result = [str(i) for i in range(widest)] + once
    known = {label for term in terms for label in term}
    if len(set(result)) < len(result) or not set(result) <= known:
        raise ArgumentError(
            f"einsum {equation!r}: the result names letters that occur in the operands, each once."
        )
    return terms, result


def _without_repeats(x: Tensor, labels: list[str]) -> tuple[Tensor, list[str]]:
    """Return an operand with the diagonal for each label that it has twice."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            if x.shape[first] != x.shape[second]:
                raise ShapeError(f"einsum: {label!r} is {x.shape[first]} and {x.shape[second]}.")
            x = x.diagonal(0, first, second)
            labels = [*(m for i, m in enumerate(labels) if i not in (first, second)), label]
    return x, labels


def _contracted(
    a: Tensor, left: list[str], b: Tensor, right: list[str], needed: set[str]
) -> tuple[Tensor, list[str]]:
    """Return the sum of products of two operands over the labels that nothing else needs."""
    sizes: dict[str, int] = {}
    for x, labels in ((a, left), (b, right)):
        for label, n in zip(labels, x.shape, strict=True):
            if n != 1 and sizes.get(label, 1) not in (1, n):
                raise ShapeError(f"einsum: the dimension {label!r} is {sizes[label]} and {n}.")
            sizes[label] = max(n, sizes.get(label, 0)) if n else 0
    # What only one of them has, and nobody needs, is summed at once.
    a, left = _summed(a, left, {*right, *needed})
    b, right = _summed(b, right, {*left, *needed})
    shared = [label for label in left if label in right]
    batch = [label for label in shared if label in needed]
    inner = [label for label in shared if label not in needed]
    rows = [label for label in left if label not in right]
    columns = [label for label in right if label not in left]
    x = _blocked(a, left, (batch, rows, inner), sizes)
    y = _blocked(b, right, (batch, inner, columns), sizes)
    labels = [*batch, *rows, *columns]
    return (x @ y).reshape(tuple(sizes[label] for label in labels)), labels


def _summed(x: Tensor, labels: list[str], kept: set[str]) -> tuple[Tensor, list[str]]:
    gone = [i for i, label in enumerate(labels) if label not in kept]
    return (x.sum(gone) if gone else x), [label for label in labels if label in kept]


def _blocked(x: Tensor, labels: list[str], blocks: tuple[list[str], ...], sizes: dict[str, int]) -> Tensor:
    """Return an operand with three dimensions: those of each block of labels as one."""
    order = [label for block in blocks for label in block]
    if x.ndim:
        x = x.permute(*(labels.index(label) for label in order)).expand(
            tuple(sizes[label] for label in order)
        )
    return x.reshape(tuple(math.prod(sizes[label] for label in block) for block in blocks))


__all__ = [
    "cdist", "chain_matmul", "einsum",
]  # fmt: skip
