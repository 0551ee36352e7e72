"""Functions of functions, as `torch.func`: derivatives, one call for each of a batch, modules as functions.

`grad`, `jacrev`, `hessian` and the like take a function and return another; they nest, and the derivatives
reach tensors outside that require gradients. `vmap` calls its function for one sample after the other, so
that whatever the function does is allowed in it, and stacks what comes back.
"""

from typing import TYPE_CHECKING

from stepgrad.func.batches import vmap as vmap
from stepgrad.func.derivatives import grad as grad
from stepgrad.func.derivatives import grad_and_value as grad_and_value
from stepgrad.func.derivatives import hessian as hessian
from stepgrad.func.derivatives import jacfwd as jacfwd
from stepgrad.func.derivatives import jacrev as jacrev
from stepgrad.func.derivatives import jvp as jvp
from stepgrad.func.derivatives import linearize as linearize
from stepgrad.func.derivatives import vjp as vjp
from stepgrad.func.modules import stack_module_state as stack_module_state
from stepgrad.names import teller
from stepgrad.nn.utils.stateless import functional_call as functional_call

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
