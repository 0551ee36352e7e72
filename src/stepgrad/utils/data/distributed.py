"""The names of `stepgrad.data` under another of the places from which PyTorch's users import them."""

from stepgrad.data import *  # noqa: F403 - its __all__ is meant
