"""The place where PyTorch's users look for datasets and loaders: `utils.data`; `utils.checkpoint`."""

from stepgrad.utils import checkpoint as checkpoint
from stepgrad.utils import data as data
