"""PyTorch eager with the fused Adam, the fastest that PyTorch offers without a compiler."""

from ..workloads import Workload
from . import torch_eager

TITLE = "PyTorch eager, fused Adam"
REQUIRES = ("torch",)


class Training(torch_eager.Training):
    """The usual loop, `optim.Adam(fused=True)`."""

    def __init__(self, workload: Workload):
        super().__init__(workload, fused=True)
