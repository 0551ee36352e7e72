"""Kernels of elementwise clusters: one pass over their space."""

from __future__ import annotations

import math

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.kernel import Kernel, Part, Task, kernel_function, sizes_in_words
from stepgrad.compile.lower.loops import Access, Evaluator, Nest, in_vectors, lanes_for
from stepgrad.compile.lower.register import Register
from stepgrad.compile.lower.spaces import by_stride, collapsed
from stepgrad.compile.memory import Buffer, Storage


def write_elementwise(w: Writer, name: str, task: Task) -> Kernel:
    """Write the function for a cluster of elementwise values."""
    storages = task.storages()
    with kernel_function(w, name, storages) as (bases, part):
        loops = _Elementwise(w, task, bases)
        loops.write(part)
    return Kernel(name, storages, task.starts, loops.units, work=loops.work, loops=loops.in_words())


class _Elementwise:
    """Writes the loops over one space. `units`, `work`: those of the kernel."""

    def __init__(self, w: Writer, task: Task, bases: dict[Storage, Register]) -> None:
        self.w = w
        cluster = task.cluster
        space = cluster.shape
        reads = {x: task.locate(x).broadcast(space) for x in task.outside()}
        stores = [(v, b.broadcast(space)) for v, b in task.targets]
        buffers = [*reads.values(), *(b for _, b in stores)]
        order = by_stride(space, [b for _, b in stores])
        crossing = _crossing(space, buffers, order, len(reads))
        if crossing is None:
            sizes, strides = collapsed(space, [b.strides for b in buffers], [order])
            self.vector = len(sizes[0]) - 1
        else:
            order, at = crossing
            parts = [order[:at], order[at : at + 1], order[at + 1 :]]
            sizes, strides = collapsed(space, [b.strides for b in buffers], parts)
            self.vector = len(sizes[0])
        self.sizes = tuple(n for group in sizes for n in group)
        accesses = [Access(bases[b.storage], b, s) for b, s in zip(buffers, strides)]
        sources = dict(zip(reads, accesses))
        targets = [(v, a) for (v, _), a in zip(stores, accesses[len(reads) :])]
        length = self.sizes[self.vector] if self.sizes else 1
        self.lanes = lanes_for([*cluster.members, *reads], task.vector_bytes, length) if self.sizes else 1
        self.nest = Nest(w, self.sizes, self.vector, self.lanes, cluster.members, sources, targets)

    @property
    def work(self) -> float:
        return float(math.prod(self.sizes)) * (len(self.nest.values) + 1)

    @property
    def units(self) -> int:
        first = self.sizes[0] if self.sizes else 0
        return -(-first // self.lanes) if self.vector == 0 else first

    def in_words(self) -> str:
        """Return the loop nest in words."""
        is_last = self.vector == len(self.sizes) - 1
        where = "the last" if is_last else f"loop {self.vector + 1}"
        return f"{sizes_in_words(self.sizes)}, vectors of {self.lanes} along {where}"

    def write(self, part: Part) -> None:
        """Write the loops; of the outermost one a part."""
        evaluator = Evaluator(self.w)
        addresses = self.nest.start()
        self.nest.place(evaluator, -1, addresses, None)
        if self.sizes:
            self._loops(evaluator, 0, addresses, part, None)
        else:
            self.nest.put(evaluator, addresses, None, 1)

    def _loops(
        self, evaluator: Evaluator, depth: int, addresses: dict[int, Register], part: Part, mask: int | None
    ) -> None:
        w, nest = self.w, self.nest
        if depth == len(self.sizes):
            nest.put(evaluator, addresses, mask, self.lanes)
            return
        if depth == self.vector:

            def vector(index: Register, mask: int | None, _: list[Register]) -> list[Register]:
                here = nest.moved(addresses, depth, index)
                nest.place(evaluator, depth, here, mask)
                self._loops(evaluator, depth + 1, here, part, mask)
                return []

            in_vectors(w, self.sizes[depth], self.lanes, vector, [], *(part if depth == 0 else ()))
            return

        def body(index: Register, _: list[Register]) -> list[Register]:
            here = nest.moved(addresses, depth, index)
            nest.place(evaluator, depth, here, mask)
            self._loops(evaluator, depth + 1, here, part, mask)
            return []

        start, stop = part if depth == 0 else (0, self.sizes[depth])
        w.loop(start, stop, 1, body)


# From so many elements on the order of a transposition matters.
_LARGE_CROSSING = 1 << 12


def _crossing(
    shape: tuple[int, ...], buffers: list[Buffer], order: list[int], reads: int
) -> tuple[list[int], int] | None:
    """Return, where some lie along one dimension and some along another, the order of the loops and the
    place in it
    of the vectors; else None. `order`: that of the first that is stored; `reads`: how many are read.

    Vectors run along one of the two dimensions, and the loop over the other is inside: what shares a line
    of the cache across vectors is then used while it is there.
    """
    along = [d for d in order if shape[d] > 1]
    if math.prod(shape) < _LARGE_CROSSING or len(along) < 2:
        return None
    across = max(buffers, key=lambda b: abs(b.strides[along[-1]]))
    other = next((d for d in along if across.strides[d] == 1), None)
    if other is None or abs(across.strides[along[-1]]) < 2:
        return None

    def score(d: int) -> float:
        near = sum((1 + (i >= reads)) * (b.strides[d] == 1) for i, b in enumerate(buffers))
        return near * shape[d] / (-(-shape[d] // 16) * 16)

    vector = max((along[-1], other), key=score)
    loops = sorted(along, key=lambda d: -abs(across.strides[d]))
    return loops, loops.index(vector)
