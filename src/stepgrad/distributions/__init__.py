"""Random variables: `sample`, `log_prob`, `entropy`, and `kl_divergence`, as `torch.distributions`.

Each is stated in ordinary operations, so that log-probabilities and reparametrised samples (`rsample`) have
gradients.
"""

import sys
from typing import TYPE_CHECKING

from stepgrad.distributions.base import Distribution as Distribution
from stepgrad.distributions.base import Independent as Independent
from stepgrad.distributions.combined import LogNormal as LogNormal
from stepgrad.distributions.combined import MixtureSameFamily as MixtureSameFamily
from stepgrad.distributions.combined import TransformedDistribution as TransformedDistribution
from stepgrad.distributions.continuous import Exponential as Exponential
from stepgrad.distributions.continuous import Normal as Normal
from stepgrad.distributions.continuous import Uniform as Uniform
from stepgrad.distributions.counts import Binomial as Binomial
from stepgrad.distributions.counts import Geometric as Geometric
from stepgrad.distributions.counts import Poisson as Poisson
from stepgrad.distributions.discrete import Bernoulli as Bernoulli
from stepgrad.distributions.discrete import Categorical as Categorical
from stepgrad.distributions.divergence import kl_divergence as kl_divergence
from stepgrad.distributions.divergence import register_kl as register_kl
from stepgrad.distributions.gammas import Beta as Beta
from stepgrad.distributions.gammas import Chi2 as Chi2
from stepgrad.distributions.gammas import Dirichlet as Dirichlet
from stepgrad.distributions.gammas import Gamma as Gamma
from stepgrad.distributions.heavy import Cauchy as Cauchy
from stepgrad.distributions.heavy import Gumbel as Gumbel
from stepgrad.distributions.heavy import HalfNormal as HalfNormal
from stepgrad.distributions.heavy import Laplace as Laplace
from stepgrad.distributions.heavy import StudentT as StudentT
from stepgrad.distributions.multivariate import MultivariateNormal as MultivariateNormal
from stepgrad.distributions.multivariate import OneHotCategorical as OneHotCategorical
from stepgrad.distributions.transforming import *  # noqa: F403 - its __all__ is meant
from stepgrad.names import teller

# PyTorch's files, each of which stands for all: ``from torch.distributions.normal import Normal``.
_FILES = (
    "bernoulli", "beta", "binomial", "categorical", "cauchy", "chi2", "dirichlet", "distribution",
    "exponential", "gamma", "geometric", "gumbel", "half_normal", "independent", "kl", "laplace",
    "log_normal", "mixture_same_family", "multivariate_normal", "normal", "one_hot_categorical", "poisson",
    "studentT", "transformed_distribution", "transforms", "uniform",
)  # fmt: skip
for _file in _FILES:
    sys.modules[f"{__name__}.{_file}"] = globals()[_file] = sys.modules[__name__]

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
