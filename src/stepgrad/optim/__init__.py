"""Optimizers, each one rule, and learning-rate schedules, with PyTorch's names.

>>> import stepgrad as sg
>>> w = sg.tensor([1.0, -2.0], requires_grad=True)
>>> optimizer = sg.optim.SGD([w], lr=0.1)
>>> (w * w).sum().backward()
>>> optimizer.step()
>>> w
tensor([ 0.8000, -1.6000], requires_grad=True)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepgrad.names import teller
from stepgrad.optim import lr_scheduler, swa_utils
from stepgrad.optim.adadelta import Adadelta
from stepgrad.optim.adafactor import Adafactor
from stepgrad.optim.adagrad import Adagrad
from stepgrad.optim.adam import Adam, AdamW
from stepgrad.optim.adamax import Adamax
from stepgrad.optim.asgd import ASGD
from stepgrad.optim.lbfgs import LBFGS
from stepgrad.optim.muon import Muon
from stepgrad.optim.nadam import NAdam
from stepgrad.optim.optimizer import Optimizer
from stepgrad.optim.radam import RAdam
from stepgrad.optim.rmsprop import RMSprop
from stepgrad.optim.rprop import Rprop
from stepgrad.optim.sgd import SGD

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "lr_scheduler",
    "swa_utils",
]

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
