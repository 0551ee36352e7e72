"""Random variables: `sample`, `log_prob`, `entropy`, and `kl_divergence`, as `torch.distributions`.

Each is stated in ordinary operations, so that log-probabilities and reparametrised samples (`rsample`) have
gradients.
"""

from typing import TYPE_CHECKING

from stepgrad.distributions.base import Distribution as Distribution
from stepgrad.distributions.base import Independent as Independent
from stepgrad.distributions.continuous import Exponential as Exponential
from stepgrad.distributions.continuous import Normal as Normal
from stepgrad.distributions.continuous import Uniform as Uniform
from stepgrad.distributions.discrete import Bernoulli as Bernoulli
from stepgrad.distributions.discrete import Categorical as Categorical
from stepgrad.distributions.divergence import kl_divergence as kl_divergence
from stepgrad.names import teller

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
