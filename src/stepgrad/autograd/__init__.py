"""Automatic differentiation: gradients of any order, by walking back over the recorded nodes.

>>> import stepgrad as sg
>>> x = sg.tensor(3.0, requires_grad=True)
>>> sg.autograd.grad(x * x, x)
(tensor(6.),)
"""

from typing import TYPE_CHECKING

from stepgrad.autograd import functional, graph
from stepgrad.autograd.anomaly import (
    detect_anomaly,
    set_detect_anomaly,
)
from stepgrad.autograd.check import gradcheck, gradgradcheck, numerical_gradient
from stepgrad.autograd.function import Function
from stepgrad.autograd.gradients import backward, grad
from stepgrad.autograd.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from stepgrad.autograd.variable import Variable
from stepgrad.names import teller

__all__ = [
    "Function", "Variable", "backward", "detect_anomaly", "enable_grad", "functional", "grad", "gradcheck",
    "gradgradcheck", "graph", "inference_mode", "is_grad_enabled", "no_grad", "numerical_gradient",
    "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
