"""Fusion: which values are computed together in one loop nest.

A `Cluster` becomes one kernel. It has an anchor (a reduction, a contraction or a special operation) or
none, and elementwise values around it:

* **map**: elementwise values of one shape.
* **reduce**: elementwise values over the full shape before it (the prologue), and of the result's shape
  after it.
* **contract**: elementwise values of the product's shape after it: bias, activation, its derivative, or
  the whole update of a weight by its gradient, which then is never stored.

Two clusters are merged along an edge from producer to consumer when their shapes allow it and the graph
of clusters stays free of cycles. A value that only its own cluster needs lives in registers.
"""

from __future__ import annotations

from stepgrad.compile.program.strides import row_major
from stepgrad.compile.program.value import Value, base_of

# Numbers in all values of a step below which the CPU is at several of its kernels at a time.
SMALL_STEP = 5_000
# How many cycles pass until a result is there, about; 4 for all others.
_CYCLES = {
    "pow": 100, "sigmoid": 70, "tanh": 80, "exp": 50, "expm1": 60, "log": 60, "log1p": 80, "erf": 60,
    "div": 12, "sqrt": 18, "contract": 16, "reduce": 12,
}  # fmt: skip


class Cluster:
    """Values that one kernel computes: `members` in order, the `anchor` among them, `shape` of the
    result's space.
    """

    __slots__ = (
        "anchor", "full_shape", "members", "number", "reads_across", "shape", "views_of", "writes",
    )  # fmt: skip

    def __init__(self, value: Value, number: int) -> None:
        self.members = [value]
        self.anchor = value if value.kind != "map" else None
        self.shape = value.shape
        self.full_shape = value.inputs[0].shape if value.kind == "reduce" else value.shape
        self.number = number
        # Slots that it overwrites, and slots of which one element is read to compute another.
        self.writes: set[Value] = set()
        self.reads_across: set[Value] = set()
        # Values that it reads through a view, which shows them in memory.
        self.views_of = {base_of(x) for x in value.inputs if x.kind == "view"}

    @property
    def kind(self) -> str:
        """What kind of kernel this becomes."""
        return "map" if self.anchor is None else self.anchor.kind

    def __repr__(self) -> str:
        return f"<{self.kind} cluster {self.number} {list(self.shape)}: {[m.key for m in self.members]}>"


def uncopied(value: Value) -> Value:
    """Return the computed value that a copy of its reshaped elements shows, or the value itself.

    Where only the elements in their order are asked for, as they are of an output, the copy is not needed.
    """
    if value.op is None or value.op.name != "cast" or value.dtype != value.inputs[0].dtype:
        return value
    x = value.inputs[0]
    while x.kind == "view" and x.op is not None and x.op.name == "reshape":
        x = x.inputs[0]
    return x if x is not value.inputs[0] and x.kind not in ("view", "leaf", "number") else value


def live_values(roots: list[Value]) -> list[Value]:
    """Return the values that `roots` need, in order."""
    seen: set[Value] = set()
    stack = list(roots)
    while stack:
        value = stack.pop()
        if value not in seen:
            seen.add(value)
            stack.extend(value.inputs)
    return sorted(seen, key=lambda v: v.key)


def writes_without_conflict(
    outputs: list[Value], writes: list[tuple[Value, Value]]
) -> list[tuple[Value, Value]]:
    """Return writes that can be made in place: by way of a copy where the old value is still needed.

    A value is computed first and copied to its slot later if it reads other elements of the slot than the
    one that it overwrites (``w @ w`` into w), if others wait for it which read the slot (two slots that
    change places), or if it is a special operation, whose kernel may write in row-major order alone, and the
    slot lies otherwise.
    """
    slots = {slot for slot, _ in writes}
    readers: dict[Value, set[Value]] = {slot: set() for slot in slots}
    consumers: dict[Value, list[Value]] = {}
    for value in live_values([*outputs, *(value for _, value in writes)]):
        for x in value.inputs:
            consumers.setdefault(x, []).append(value)
    for slot in slots:
        stack = [slot]
        while stack:
            for consumer in consumers.get(stack.pop(), ()):
                if consumer.kind == "view":
                    stack.append(consumer)
                else:
                    readers[slot].add(consumer)
    # What must come after a value besides those that consume it: the writers of the slots that it reads.
    later: dict[Value, list[Value]] = {}
    result = []
    for slot, value in writes:
        if (
            (value.kind == "special" and value.builder.strides_of(slot) != row_major(slot.shape))
            or (value in readers[slot] and _reads_across(value, slot))
            or _is_before(value, readers[slot] - {value}, consumers, later)
        ):
            value = value.builder.copy_of(value)
        for reader in readers[slot]:
            if reader is not value:
                later.setdefault(reader, []).append(value)
        result.append((slot, value))
    return result


def _reads_across(reader: Value, slot: Value) -> bool:
    """Return whether a value needs other elements of a slot than the one at its own place."""
    read = [x for x in reader.inputs if base_of(x) is slot]
    return bool(read) and (
        reader.kind != "map" or any(x is not slot for x in read) or reader.shape != slot.shape
    )


def _is_before(
    value: Value, others: set[Value], consumers: dict[Value, list[Value]], later: dict[Value, list[Value]]
) -> bool:
    """Return whether one of `others` can only come after a value."""
    stack, seen = [value], {value}
    while stack:
        x = stack.pop()
        for following in (*consumers.get(x, ()), *later.get(x, ())):
            if following in others:
                return True
            if following not in seen:
                seen.add(following)
                stack.append(following)
    return False


def _may_interleave(a: Cluster, b: Cluster) -> bool:
    """Return whether two clusters can go element by element: neither needs other elements of what the other
    computes or overwrites.
    """
    if a.writes & b.reads_across or b.writes & a.reads_across:
        return False
    return a.views_of.isdisjoint(b.members) and b.views_of.isdisjoint(a.members)


def _is_read_before(a: Cluster, b: Cluster) -> bool:
    """Return whether what comes before the reduction of b reads what a computes; then a, of the shape of the
    result, cannot come after it.
    """
    members = set(a.members)
    before = (m for m in b.members if m is b.anchor or m.shape == b.full_shape)
    return any(x in members for m in before for x in m.inputs)


class Schedule:
    """The clusters of a program, in an order in which each comes after those it needs.

    `roots`: outputs and the values written to slots. `writes`: (slot leaf, value) pairs; a cluster that
    updates a slot in place comes after all that read its old value.
    """

    def __init__(self, roots: list[Value], writes: list[tuple[Value, Value]]) -> None:
        self.values = [v for v in live_values(roots) if v.kind not in ("leaf", "number")]
        self._of: dict[Value, Cluster] = {}
        self._clusters: dict[int, Cluster] = {}
        for number, value in enumerate(v for v in self.values if v.kind != "view"):
            self._of[value] = self._clusters[number] = Cluster(value, number)
        self._needs: dict[int, set[int]] = {n: set() for n in self._clusters}
        self._feeds: dict[int, set[int]] = {n: set() for n in self._clusters}
        for value in self._of:
            for x in value.inputs:
                self._connect(base_of(x), value)
        self._old_readers_first(writes)
        self._merge_all()
        self.clusters = self._ordered()

    def _connect(self, producer: Value, consumer: Value) -> None:
        if producer in self._of:
            a, b = self._of[producer].number, self._of[consumer].number
            if a != b:
                self._needs[b].add(a)
                self._feeds[a].add(b)

    def _old_readers_first(self, writes: list[tuple[Value, Value]]) -> None:
        """Order every reader of a slot's old value before the cluster that writes it."""
        self._readers = readers = {slot: list[Value]() for slot, _ in writes}
        for value in self._of:
            for source in dict.fromkeys(map(base_of, value.inputs)):
                if source in readers:
                    readers[source].append(value)
        for slot, value in writes:
            writer = self._of[value]
            writer.writes.add(slot)
            for reader in readers[slot]:
                cluster = self._of[reader]
                if _reads_across(reader, slot):
                    cluster.reads_across.add(slot)
                if cluster is not writer:
                    self._needs[writer.number].add(cluster.number)
                    self._feeds[cluster.number].add(writer.number)

    # ------------------------------------------------------------------------------------- merge

    def _merge_all(self) -> None:
        for value in self.values:
            if value.kind == "view":
                continue
            for x in value.inputs:
                if x in self._of:
                    self._try_merge(x, value)
        for value in self.values:
            if value.kind == "reduce":
                self._merge_into_epilogue(value)

    def _try_merge(self, producer: Value, consumer: Value) -> None:
        a, b = self._of[producer], self._of[consumer]
        if a is b or not self._shapes_allow(a, b, producer, consumer) or self._has_detour(a, b):
            return
        self._merge(a, b)

    def _shapes_allow(self, a: Cluster, b: Cluster, producer: Value, consumer: Value) -> bool:
        if a.kind == "special" or b.kind in ("special", "contract"):
            return False
        if a.anchor is not None and b.anchor is not None:
            return False
        if not _may_interleave(a, b):
            return False
        if b.kind == "reduce":
            # Before a reduction: elementwise over its full space. After it, joined from a map: over its
            # result.
            space = b.full_shape if consumer is b.anchor or consumer.shape == b.full_shape else b.shape
            is_fit = a.kind == "map" and producer.shape == space == a.shape
            return is_fit and (space == b.full_shape or not _is_read_before(a, b))
        # b is a map: it goes on with what a computes, element by element.
        return producer.shape == consumer.shape == b.shape == a.shape

    def _merge_into_epilogue(self, value: Value) -> None:
        """Let elementwise clusters of the result's shape join a reduction whose epilogue reads them."""
        cluster = self._of[value]
        for member in list(cluster.members):
            for x in member.inputs:
                other = self._of.get(x)
                if other is None or other is cluster or other.kind != "map" or other.shape != cluster.shape:
                    continue
                fits = member.shape == cluster.shape and _may_interleave(other, cluster)
                if fits and not _is_read_before(other, cluster) and not self._has_detour(other, cluster):
                    self._merge(other, cluster)
                    cluster = other

    def _has_detour(self, a: Cluster, b: Cluster) -> bool:
        """Return whether b, which reads a, is reached from a through another cluster as well: merging them
        would close a cycle.
        """
        stack = [n for n in self._feeds[a.number] if n != b.number]
        seen: set[int] = set()
        while stack:
            n = stack.pop()
            if n == b.number:
                return True
            if n not in seen:
                seen.add(n)
                stack.extend(self._feeds[n])
        return False

    def _merge(self, a: Cluster, b: Cluster) -> None:
        """Put the members of b into a."""
        if b.anchor is not None:
            a.anchor, a.shape, a.full_shape = b.anchor, b.shape, b.full_shape
        a.members = sorted(a.members + b.members, key=lambda v: v.key)
        a.writes |= b.writes
        a.reads_across |= b.reads_across
        a.views_of |= b.views_of
        for member in b.members:
            self._of[member] = a
        for n in self._needs.pop(b.number):
            self._feeds[n].discard(b.number)
            if n != a.number:
                self._feeds[n].add(a.number)
                self._needs[a.number].add(n)
        for n in self._feeds.pop(b.number):
            self._needs[n].discard(b.number)
            if n != a.number:
                self._needs[n].add(a.number)
                self._feeds[a.number].add(n)
        self._needs[a.number].discard(b.number)
        self._feeds[a.number].discard(b.number)
        del self._clusters[b.number]

    def _ordered(self) -> list[Cluster]:
        """Return the clusters in topological order; of those that are ready, the one that was recorded
        first, or, in a step so small that the CPU is at several at a time, the one for which most waits.
        """
        ordered = self._in_order(dict.fromkeys(self._clusters, 0))
        if sum(v.size for v in self.values) > SMALL_STEP:
            return [self._clusters[n] for n in ordered]
        # From the beginning of a cluster to the end of the step, and then to the end of the next one.
        own = {n: _latency(cluster) for n, cluster in self._clusters.items()}
        once: dict[int, int] = {}
        twice: dict[int, int] = {}
        for n in reversed(ordered):
            once[n] = own[n] + max((once[m] for m in self._feeds[n]), default=0)
        for n in reversed(ordered):
            readers = [reader for slot in self._clusters[n].writes for reader in self._readers[slot]]
            following = [once[self._of[reader].number] for reader in readers]
            twice[n] = own[n] + max([twice[m] for m in self._feeds[n]] + following, default=0)
        return [self._clusters[n] for n in self._in_order({n: -cycles for n, cycles in twice.items()})]

    def _in_order(self, turns: dict[int, int]) -> list[int]:
        """Return the clusters' numbers, each after those it needs, and else by their turns and numbers."""
        import heapq

        waiting = {n: len(needs) for n, needs in self._needs.items()}
        ready = [(turns[n], n) for n, count in waiting.items() if not count]
        heapq.heapify(ready)
        ordered = []
        while ready:
            _, n = heapq.heappop(ready)
            ordered.append(n)
            for m in self._feeds[n]:
                waiting[m] -= 1
                if not waiting[m]:
                    heapq.heappush(ready, (turns[m], m))
        assert len(ordered) == len(self._clusters), "the clusters form a cycle"
        return ordered


def _latency(cluster: Cluster) -> int:
    """Return about how many cycles lie between the first input of a cluster and its last result."""
    cycles: dict[Value, int] = {}
    for value in cluster.members:
        own = _CYCLES.get(value.kind if value.op is None else value.op.name, 4)
        cycles[value] = own + max((cycles.get(base_of(x), 0) for x in value.inputs), default=0)
    return max(cycles.values())
