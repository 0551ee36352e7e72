"""What became of a step, as text: its slots, its kernels with what was fused into each, and what it cost."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import TYPE_CHECKING

from stepgrad.compile.assemble import Native
from stepgrad.compile.lower.kernel import Kernel
from stepgrad.compile.memory import Slot
from stepgrad.compile.program.value import Value
from stepgrad.compile.schedule import Cluster, live_values

if TYPE_CHECKING:
    from stepgrad.compile.capture import Capture
    from stepgrad.compile.compiled import Compiled

_log = logging.getLogger("stepgrad.compile")


def explained(compiled: Compiled) -> str:
    """Return the slots, the kernels and the costs of compiled code as text."""
    native = compiled.native
    computed = len({member for cluster in native.clusters for member in cluster.members})
    lines = [
        f"{computed} values in {len(native.kernels)} kernels; "
        f"{_bytes(native.placement.arena_bytes)} for what lies between them",
        costs(compiled.capture, native),
        "",
        "slots:",
    ]
    lines += [f"  {_slot(slot)}" for _, slot in native.placement.slots] or ["  none"]
    written = {value: slot.attrs["leaf"] for slot, value in native.program.writes}
    for kernel, cluster in zip(native.kernels, native.clusters):
        lines += ["", *_kernel(kernel, cluster, written, native.results)]
    return "\n".join(lines)


def costs(capture: Capture, native: Native) -> str:
    """Return what the stages of a compilation took, as a line of text."""
    stages = {"capture": capture.seconds, **native.seconds}
    listed = ", ".join(f"{name} {1e3 * seconds:.1f}" for name, seconds in stages.items())
    return f"compiled in {1e3 * sum(stages.values()):.1f} ms: {listed}"


def _kernel(kernel: Kernel, cluster: Cluster, written: dict[Value, Slot], outputs: list[Value]) -> list[str]:
    before = ""
    if kernel.before:
        before = " before, by each thread" if kernel.before.is_private else " before, by all threads together"
    shared = f", shared by threads in {kernel.units} parts" if kernel.is_shared else ""
    lines = [f"{kernel.name}: {kernel.loops}{before}; about {kernel.work:,.0f} operations{shared}"]
    for member in cluster.members:
        goals = [f"→ {written[member].name}"] if member in written else []
        goals += ["→ result"] if any(member is x for x in outputs) else []
        lines.append(f"  {member!r} {' '.join(goals)}".rstrip())
    return lines


def _slot(slot: Slot) -> str:
    step = f", moves on by {slot.advance} each step" if slot.advance else ""
    return f"{slot.name}: {slot.dtype.name}{list(slot.shape)}{step}"


def _bytes(count: int) -> str:
    return f"{count} bytes" if count < 10_000 else f"{count / 1e3:,.0f} kB"


def log(compiled: Compiled) -> None:
    """Log the graph, the kernels, LLVM's text and the costs of what was compiled, at level DEBUG."""
    if not _log.isEnabledFor(logging.DEBUG):
        return
    native = compiled.native
    values = live_values([*native.program.outputs, *(v for _, v in native.program.writes)])
    _log.debug("graph:\n%s", "\n".join(map(repr, values)))
    _log.debug("kernels:\n%s", explained(compiled))
    _log.debug("LLVM:\n%s", native.text)
    _log.debug("%s", costs(compiled.capture, native))


def log_if_asked() -> None:
    """Let the compiler's log go to standard error if STEPGRAD_LOG holds the word "compile"."""
    words = os.environ.get("STEPGRAD_LOG", "").replace(",", " ").split()
    for word in words:
        if word != "compile":
            warnings.warn(f"STEPGRAD_LOG knows the word 'compile', not {word!r}.", stacklevel=2)
    if "compile" not in words:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.DEBUG)
