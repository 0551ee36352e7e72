"""The names of `stepgrad.data`, for code that imports them from here as from ``torch.utils.data``."""

from stepgrad.data import *  # noqa: F403 - its __all__ is meant
