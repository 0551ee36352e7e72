"""Where a module stands within the one that calls it: paths such as ``layers.2``, for messages and nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepgrad.autograd.engine import state as engine_state
from stepgrad.errors import StepgradError

if TYPE_CHECKING:
    from stepgrad.nn.module import Module


class Named:
    """Tells all modules within one their paths while a graph is recorded, so that nodes know where they
    belong.
    """

    def __init__(self, module: Module) -> None:
        self._module = module
        self._before: list[tuple[Module, str | None]] = []

    def __enter__(self) -> None:
        if engine_state.recorder is not None:
            for path, inner in self._module.named_modules():
                if path:
                    self._before.append((inner, inner.__dict__.get("_recorded_name")))
                    inner.__dict__["_recorded_name"] = path

    def __exit__(self, *_: object) -> None:
        for inner, name in self._before:
            if name is None:
                inner.__dict__.pop("_recorded_name", None)
            else:
                inner.__dict__["_recorded_name"] = name


def name_module(error: StepgradError, module: Module) -> None:
    """Put the path of the module in which an error arose into its message: ``… (in net.2: Linear(…))``."""
    told = error.__dict__.setdefault(
        "told", {"message": str(error), "path": [], "module": module, "at": module}
    )
    if told["at"] is not module:
        paths = [path for path, inner in module.named_modules() if inner is told["at"]]
        told["path"].insert(0, paths[0] if paths else type(told["at"]).__name__)
        told["at"] = module
    if told["path"]:
        kind = told["module"]
        error.args = (
            f"{told['message']} (in {'.'.join(told['path'])}: {kind._get_name()}({kind.extra_repr()}))",
        )
