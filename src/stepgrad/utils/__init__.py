"""The place where PyTorch's users look for datasets and loaders: `utils.data`; `utils.checkpoint`."""

from typing import TYPE_CHECKING

from stepgrad.names import teller
from stepgrad.utils import checkpoint as checkpoint
from stepgrad.utils import data as data

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
