"""Networks: modules, layers, losses, in PyTorch's names and with its `state_dict` keys and shapes.

One file per family; what its `__all__` names is found here.
"""

# ruff: noqa: F403
from typing import TYPE_CHECKING

from stepgrad.names import teller
from stepgrad.nn import functional as functional
from stepgrad.nn import init as init
from stepgrad.nn import modules as modules
from stepgrad.nn import parallel as parallel
from stepgrad.nn import utils as utils
from stepgrad.nn.activation import *
from stepgrad.nn.adaptive_softmax import *
from stepgrad.nn.alpha_dropout import *
from stepgrad.nn.attention import *
from stepgrad.nn.channels import *
from stepgrad.nn.columns import *
from stepgrad.nn.container import *
from stepgrad.nn.convolution import *
from stepgrad.nn.distance import *
from stepgrad.nn.embedding import *
from stepgrad.nn.lazy import *
from stepgrad.nn.likelihood_loss import *
from stepgrad.nn.linear import *
from stepgrad.nn.loss import *
from stepgrad.nn.margin_loss import *
from stepgrad.nn.module import *
from stepgrad.nn.normalization import *
from stepgrad.nn.padding import *
from stepgrad.nn.parallel import *
from stepgrad.nn.parameter import *
from stepgrad.nn.perceptron import *
from stepgrad.nn.pooling import *
from stepgrad.nn.recurrent import *
from stepgrad.nn.recurrent_cells import *
from stepgrad.nn.resizing import *
from stepgrad.nn.softmaxes import *
from stepgrad.nn.summaries import *
from stepgrad.nn.transformer import *

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
