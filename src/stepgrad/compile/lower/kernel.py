"""What every writer of native code gets and returns: the task, and the kernel that was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.register import Register
from stepgrad.compile.memory import Buffer, Storage
from stepgrad.compile.program.value import Value
from stepgrad.compile.schedule import Cluster

# Below this many operations a kernel is not worth waking a second thread for.
SHARED_WORK = 60_000

# A range of the parts into which the work of a kernel is cut: the first, and the one after the last.
Part = tuple[Register, Register]
# ``packing(bytes, is_common)`` returns a storage for what a kernel packs: one of all threads, or one of each.
Packing = Callable[[int, bool], Storage]


@dataclass(frozen=True)
class Kernel:
    """A function of the module: its name, the storages it gets pointers to, and how its work can be shared.

    `starts`: the element of a storage that its pointer points to, where that is not the first. `units`: into
    how many parts the work can be cut without changing a bit, 0 if it cannot; `grain`: of which a multiple is
    best done at a time. `work`: a rough number of operations, by which it is decided whether threads pay.
    `loops`: its loop nest in words. `before`: a kernel that prepares what this one reads; `is_private`: each
    thread runs it for itself.
    """

    name: str
    storages: list[Storage]
    starts: dict[Storage, int]
    units: int = 0
    grain: int = 1
    work: float = 0.0
    loops: str = ""
    before: Kernel | None = None
    is_private: bool = False

    @property
    def is_shared(self) -> bool:
        """Whether threads share its work."""
        return self.units > 1 and self.work >= SHARED_WORK


@dataclass
class Special:
    """What the writer of a special operation gets, while its function is open.

    `inputs`: where they lie, None for a number. `bases`: the addresses of the storages. `status`: where an
    index out of range is reported.
    """

    w: Writer
    value: Value
    inputs: list[Buffer | None]
    outputs: list[Buffer]
    bases: dict[Storage, Register]
    status: Register
    part: Part

    def buffer(self, i: int) -> Buffer:
        """Return an input that is no number."""
        found = self.inputs[i]
        assert found is not None
        return found


@contextmanager
def kernel_function(
    w: Writer, name: str, storages: list[Storage]
) -> Iterator[tuple[dict[Storage, Register], Part]]:
    """Write the function of a kernel; yields the addresses of its storages, and the part that it is to do."""
    with w.function(name, ["ptr"] * len(storages) + ["i64", "i64"]) as (*addresses, begin, end):
        yield dict(zip(storages, addresses, strict=True)), (begin, end)


@dataclass
class Task:
    """A cluster with everything that its kernel needs to know."""

    cluster: Cluster
    locate: Callable[[Value], Buffer]
    targets: list[tuple[Value, Buffer]]
    vector_bytes: int
    starts: dict[Storage, int] = field(default_factory=dict)

    def from_starts(self) -> Task:
        """Return the task with each storage counted from the first element that it touches there (`starts`).

        So what is done with one part of a tensor and then with another has the same code.
        """
        starts: dict[Storage, int] = {}
        for b in [*map(self.locate, self.outside()), *(b for _, b in self.targets)]:
            starts[b.storage] = min(b.offset, starts.get(b.storage, b.offset))

        def moved(b: Buffer) -> Buffer:
            return Buffer(b.storage, b.shape, b.strides, b.offset - starts.get(b.storage, 0))

        targets = [(value, moved(b)) for value, b in self.targets]
        return Task(self.cluster, lambda x: moved(self.locate(x)), targets, self.vector_bytes, starts)

    def outside(self) -> list[Value]:
        """Return the values that are read from memory: inputs of members that no member computes."""
        inside = set(self.cluster.members)
        found: dict[Value, None] = {}
        for member in self.cluster.members:
            for x in member.inputs:
                if x not in inside and x.kind != "number":
                    found.setdefault(x)
        return list(found)

    def storages(self) -> list[Storage]:
        """Return the storages that are touched, each once."""
        buffers = [self.locate(x) for x in self.outside()] + [b for _, b in self.targets]
        return list(dict.fromkeys(b.storage for b in buffers))


def sizes_in_words(sizes: tuple[int, ...]) -> str:
    """Return lengths of loops as text: "64 × 32", "1" without any."""
    return " × ".join(map(str, sizes)) or "1"
