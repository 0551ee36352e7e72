"""One file per peer: a library, or a way of using one.

A peer's file has a `TITLE`; `REQUIRES`, the modules without which it is skipped; if need be a `TOLERANCE`
(see `benchmarks.steps`) and ``CONVOLUTIONS = False``, where it has none; and a class `Training`:

- `Training(workload)` makes everything that is ready before the first step: data, network, optimizer;
- `reset()` puts the first weights and a fresh optimizer back, without compiling anything again;
- `epoch()` trains one epoch, the batches in order, and returns when all of its steps are done;
- `weights()` gives the weights and biases as `Workload.weights` does, as NumPy arrays.

Every step computes the loss too: no peer may leave out what a training loop needs to report.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def peer_names() -> list[str]:
    """The names of all peers, which are the names of their files; stepgrad's own come first."""
    names = sorted(module.name for module in iter_modules(__path__))
    return sorted(names, key=lambda name: not name.startswith("stepgrad"))


def load_peer(name: str) -> ModuleType:
    """The module of a peer. It imports its library inside `Training`, so loading it costs nothing."""
    return import_module(f"{__name__}.{name}")
