"""Training in several processes, as PyTorch's scripts ask for it: stepgrad has none of it.

`is_available` says so, as it does in a PyTorch that was built without.
"""

from __future__ import annotations

from typing import Any

from stepgrad.errors import MissingNameError


def is_available() -> bool:
    """Return False: stepgrad trains in one process, on all cores of one machine."""
    return False


def is_initialized() -> bool:
    """Return False: there is no group of processes."""
    return False


def __getattr__(name: str) -> Any:
    raise MissingNameError(
        f"stepgrad.distributed has no {name!r}: stepgrad trains in one process, on all cores of one machine. "
        f"Ask stepgrad.distributed.is_available() first."
    )
