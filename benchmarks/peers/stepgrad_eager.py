"""stepgrad's eager mode, in the very lines that run PyTorch."""

from . import torch_eager

TITLE = "stepgrad eager"
REQUIRES = ("stepgrad",)


class Training(torch_eager.Training):
    """The usual loop, with stepgrad in PyTorch's place."""

    LIBRARY = "stepgrad"
