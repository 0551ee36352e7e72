"""`stepgrad.utils.data`, the place where PyTorch's users look for datasets and loaders."""

from stepgrad.utils import data as data
