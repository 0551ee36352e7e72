"""Fetching ahead: memory that is touched when a tile is finished comes nearer while its sums are computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.register import Register


class Ahead(NamedTuple):
    """Memory that is fetched while a tile is summed up, a part for each of its rows.

    `address`: of the first part. `step`: how far the next part lies from one, in elements. `offsets`: where
    in a part its lines lie.
    """

    address: Register
    step: int
    offsets: range
    element: str


# What is read and written with the sums of the tile whose first element is (batch, m, n).
Places = Callable[[list[Register], Register, Register], list[Ahead]]


def write_fetching(
    w: Writer,
    ahead: Sequence[Ahead],
    each: int,
    depth: Any,
    count: int,
    body: Callable[[Register, list[Register]], list[Register]],
    carried: list[Register],
) -> list[Register]:
    """Write ``for k in range(0, depth, count): body(k, carried)``; after `each` of these k the next part is
    fetched. `count` divides both numbers.

    All at once would take the places in which the lines wait that the products need.
    """

    def part(k: Register, values: list[Register]) -> list[Register]:
        addresses, carried = values[: len(ahead)], values[len(ahead) :]
        for x, address in zip(ahead, addresses, strict=True):
            # Into the second cache: from the first, the vectors that pass would drive them out.
            for i in x.offsets:
                w.prefetch(w.pointer(address, i, x.element), second=True)
        if isinstance(depth, Register) or depth % each:
            end = k + each
            carried = w.loop(k, w.least(end, depth), count, body, carried)
        else:
            carried = w.loop(0, each, count, body, carried)
        pairs = zip(ahead, addresses, strict=True)
        return [*(w.pointer(at, x.step, x.element) for x, at in pairs), *carried]

    return w.loop(0, depth, each, part, [*(x.address for x in ahead), *carried])[len(ahead) :]
