"""Learning-rate schedules: most are functions of the step number, one looks at a measured quantity.

`scheduler.step()` is called once per epoch, or once per batch: a schedule counts its own calls. Several
schedules may work on one optimizer; each then changes the rate in its own proportion, as in PyTorch.
"""

from __future__ import annotations

from stepgrad.optim.lr_scheduler.base import LRScheduler
from stepgrad.optim.lr_scheduler.curves import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    StepLR,
)
from stepgrad.optim.lr_scheduler.plateau import ReduceLROnPlateau

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "ReduceLROnPlateau",
    "StepLR",
]
