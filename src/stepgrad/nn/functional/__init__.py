"""Layers, activations and losses as functions of tensors; the modules of `stepgrad.nn` call these.

One file per family; what its `__all__` names is found here.
"""

# ruff: noqa: F403
from stepgrad.nn.functional.activations import *
from stepgrad.nn.functional.affine import *
from stepgrad.nn.functional.class_losses import *
from stepgrad.nn.functional.distances import *
from stepgrad.nn.functional.dropouts import *
from stepgrad.nn.functional.likelihood_losses import *
from stepgrad.nn.functional.losses import *
from stepgrad.nn.functional.margin_losses import *
from stepgrad.nn.functional.normalizations import *
