"""Learning-rate schedules: most are functions of the step number, one looks at a measured quantity.

`scheduler.step()` is called once per epoch, or once per batch: a schedule counts its own calls. Several
schedules may work on one optimizer; each then changes the rate in its own proportion, as in PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepgrad.names import teller
from stepgrad.optim.lr_scheduler.base import LRScheduler
from stepgrad.optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from stepgrad.optim.lr_scheduler.curves import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from stepgrad.optim.lr_scheduler.cycles import CyclicLR, OneCycleLR
from stepgrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from stepgrad.optim.lr_scheduler.restarts import CosineAnnealingWarmRestarts

# The name under which code for PyTorch often subclasses it.
_LRScheduler = LRScheduler

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
