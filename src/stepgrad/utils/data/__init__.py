"""The names of `stepgrad.data`, for code that imports them from here as from ``torch.utils.data``."""

from typing import TYPE_CHECKING

from stepgrad.data import *  # noqa: F403 - its __all__ is meant
from stepgrad.names import teller

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
