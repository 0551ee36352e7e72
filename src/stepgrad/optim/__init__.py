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

from stepgrad.optim import lr_scheduler
from stepgrad.optim.adam import Adam, AdamW
from stepgrad.optim.optimizer import Optimizer
from stepgrad.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]
