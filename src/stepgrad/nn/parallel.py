"""Where PyTorch has networks on several devices. stepgrad trains on one machine, with all of its cores.

The names can be imported and asked for with ``isinstance(model, nn.DataParallel)``; making one is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepgrad.errors import ArgumentError
from stepgrad.names import teller
from stepgrad.nn.module import Module


class DataParallel(Module):
    """Copies of a network on several GPUs: not here. Raises `ArgumentError` when it is made."""

    def __init__(self, module: Module, *_: Any, **__: Any) -> None:
        super().__init__()
        raise ArgumentError(
            f"{type(self).__name__} is not there: stepgrad trains on one machine, with all of its cores. "
            f"Use the {type(module).__name__} itself."
        )


class DistributedDataParallel(DataParallel):
    """Copies of a network in several processes: not here. Raises `ArgumentError` when it is made."""


__all__ = ["DataParallel"]

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
