"""The nodes of what is recorded, where PyTorch's users look for them.

>>> import stepgrad as sg
>>> y = sg.tensor(3.0, requires_grad=True).exp()
>>> isinstance(y.grad_fn, sg.autograd.graph.Node)
True
"""

from typing import TYPE_CHECKING

from stepgrad.graph import Node
from stepgrad.names import teller

__all__ = ["Node"]

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
