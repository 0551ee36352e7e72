"""Layers, activations and losses as functions of tensors; the modules of `stepgrad.nn` call these.

One file per family; what its `__all__` names is found here.
"""

# ruff: noqa: F403
from typing import TYPE_CHECKING

from stepgrad.names import teller
from stepgrad.nn.functional.activations import *
from stepgrad.nn.functional.adaptive_pooling import *
from stepgrad.nn.functional.affine import *
from stepgrad.nn.functional.alpha_dropouts import *
from stepgrad.nn.functional.attention import *
from stepgrad.nn.functional.channels import *
from stepgrad.nn.functional.class_losses import *
from stepgrad.nn.functional.convolutions import *
from stepgrad.nn.functional.distances import *
from stepgrad.nn.functional.dropouts import *
from stepgrad.nn.functional.embeddings import *
from stepgrad.nn.functional.likelihood_losses import *
from stepgrad.nn.functional.losses import *
from stepgrad.nn.functional.margin_losses import *
from stepgrad.nn.functional.multi_head import *
from stepgrad.nn.functional.normalizations import *
from stepgrad.nn.functional.padding import *
from stepgrad.nn.functional.pooling import *
from stepgrad.nn.functional.resizing import *
from stepgrad.nn.functional.sampling import *

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
