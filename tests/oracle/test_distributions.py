"""Distributions against PyTorch: log-probabilities, entropies, divergences, and their gradients."""

import numpy as np
import pytest

import stepgrad as sg
from tests.oracle.translate import assert_same

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch")

A = np.array([[0.5, 2.0, 1.0], [3.0, 0.25, 1.5]])
B = np.array([[1.5, 0.3, 0.7], [0.2, 2.25, 0.6]])

# Of a and b, positive numbers (2, 3) that require gradients, and D, the distributions; f: what is compared.
CASES = {
    "Normal": ("D.Normal(a, b)", "D.Normal(b, a)", "a.detach() - 1"),
    "Normal of numbers": ("D.Normal(a, 2.0)", "D.Normal(0.5, b)", "0.25"),
    "Uniform": ("D.Uniform(-a, b + 3)", "D.Uniform(-a - b, b + 4)", "a.detach() / 4"),
    "Exponential": ("D.Exponential(a)", "D.Exponential(b)", "a.detach()"),
    "Bernoulli": ("D.Bernoulli(a / 4)", "D.Bernoulli(b / 3)", "(a.detach() > 1).double()"),
    "Bernoulli of logits": ("D.Bernoulli(logits=a)", "D.Bernoulli(logits=b)", "(a.detach() > 1).double()"),
    "Categorical": ("D.Categorical(a)", "D.Categorical(b)", "(a.detach()[:, 0] > 1).long()"),
    "Categorical of logits": ("D.Categorical(logits=a)", "D.Categorical(logits=b)", "a.detach()[:, 0] * 0"),
    "Laplace": ("D.Laplace(a, b)", "D.Laplace(b, a)", "a.detach() - 1"),
    "Gumbel": ("D.Gumbel(a, b)", None, "a.detach() - 1"),
    "Cauchy": ("D.Cauchy(a, b)", None, "a.detach() - 1"),
    "HalfNormal": ("D.HalfNormal(a)", None, "b.detach()"),
    "StudentT": ("D.StudentT(a + 2, b, a)", None, "b.detach() - 1"),
    "Gamma": ("D.Gamma(a, b)", "D.Gamma(b, a)", "a.detach() + 0.5"),
    "Chi2": ("D.Chi2(a)", "D.Chi2(b)", "b.detach()"),
    "Beta": ("D.Beta(a, b)", "D.Beta(b, a)", "a.detach() / 4"),
    "Dirichlet": ("D.Dirichlet(a)", "D.Dirichlet(b)", "(a / a.sum(-1, keepdim=True)).detach()"),
    "Poisson": ("D.Poisson(a)", "D.Poisson(b)", "b.detach().ceil()"),
    "Geometric": ("D.Geometric(a / 4)", "D.Geometric(b / 3)", "b.detach().ceil()"),
    "Binomial": ("D.Binomial(4, a / 4)", None, "b.detach().ceil()"),
    "Binomial of logits": ("D.Binomial(b.detach().ceil(), logits=a)", None, "b.detach().floor()"),
    "MultivariateNormal": (
        "D.MultivariateNormal(a, (b.T @ b) + E)",
        "D.MultivariateNormal(b, scale_tril=(b.T @ a).tril(-1) + E * (1 + a[0]))",
        "a.detach() - 1",
    ),
    "MultivariateNormal of a precision": (
        "D.MultivariateNormal(a[0], precision_matrix=b.T @ b + E)",
        "D.MultivariateNormal(b[0], precision_matrix=a.T @ a + E)", "a.detach()[1] - 1",
    ),
    "OneHotCategorical": (
        "D.OneHotCategorical(a)", "D.OneHotCategorical(b)",
        "(a.detach() == a.detach().amax(-1, True)).double()",
    ),
    "LogNormal": ("D.LogNormal(a, b)", "D.LogNormal(b, a)", "a.detach() + 1"),
    "squashed": (
        "D.TransformedDistribution(D.Normal(a, b), [D.AffineTransform(0.5, 2.0), D.TanhTransform(1)])",
        "D.TransformedDistribution(D.Normal(b, a), [D.AffineTransform(0.5, 2.0), D.TanhTransform(1)])",
        "(a.detach() - 1).tanh()",
    ),
    "composed": (
        "D.TransformedDistribution(D.Laplace(a, b), D.ComposeTransform("
        "[D.SigmoidTransform(), D.transforms.SoftplusTransform().inv, D.ExpTransform()]))",
        None, "b.detach() / 2 + 0.01",
    ),
    "MixtureSameFamily": (
        "D.MixtureSameFamily(D.Categorical(a), D.Normal(a, b))", None, "a.detach()[:, 0] - 1"
    ),
    "MixtureSameFamily of vectors": (
        "D.MixtureSameFamily(D.Categorical(a[:, 0]), D.Independent(D.Normal(a, b), 1))", None,
        "a.detach()[0]",
    ),
    "Independent": (
        "D.Independent(D.Normal(a, b), 1)", "D.Independent(D.Normal(b, a), 1)", "a.detach() + 1"
    ),
}  # fmt: skip
WHAT = ["p.log_prob(x)", "p.entropy()", "D.kl_divergence(p, q)", "p.mean * 1", "p.variance * 1"]


# What stepgrad has no reparametrised samples of.
WITHOUT_RSAMPLE = ["Gamma", "Chi2", "Beta", "Dirichlet", "StudentT"]


def missing(what, p, q):
    """Whether there is no second distribution to diverge from, or the first says that it has no number."""
    if "kl_divergence" in what:
        return q is None
    try:
        _ = p.entropy() if "entropy" in what else p.mean if "mean" in what else p.variance
    except (NotImplementedError, sg.errors.ArgumentError):
        return "log_prob" not in what
    return False


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("name", CASES)
def test_numbers_and_gradients(name, what):
    outcomes = []
    for m in (sg, torch):
        names = {"D": m.distributions, "a": m.tensor(A).requires_grad_(), "b": m.tensor(B).requires_grad_()}
        names["E"] = m.eye(3, dtype=m.float64)
        first, second, value = (text and eval(text, names) for text in CASES[name])  # noqa: S307 - written above
        if missing(what, first, second):
            outcomes.append(None)
            continue
        names |= {"p": first, "q": second, "x": m.tensor(value) if isinstance(value, float) else value}
        y = eval(what, names)  # noqa: S307 - written above
        y.sum().backward() if y.requires_grad else None
        outcomes.append((y, names["a"].grad, names["b"].grad, first))
    if outcomes == [None, None]:
        return
    (found, *ours, p), (right, *theirs, other) = outcomes
    assert_same(found, right, 1e-7)
    for a, b in zip(ours, theirs, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert_same(a, b, 1e-7)
    assert (p.batch_shape, p.event_shape) == (tuple(other.batch_shape), tuple(other.event_shape))
    assert p.sample((4, 2)).shape == tuple(other.sample((4, 2)).shape)
    assert p.sample().dtype.name == str(other.sample().dtype)[6:]
    assert p.has_rsample == (other.has_rsample and type(p).__name__ not in WITHOUT_RSAMPLE)


def test_where_one_of_them_is_impossible():
    for m in (sg, torch):
        D = m.distributions
        p, q = D.Categorical(m.tensor([0.5, 0.5, 0.0])), D.Categorical(m.tensor([0.5, 0.0, 0.5]))
        assert D.kl_divergence(p, q) == float("inf")
        assert D.kl_divergence(D.Bernoulli(m.tensor(1.0)), D.Bernoulli(m.tensor(0.0))) == float("inf")
        assert D.kl_divergence(D.Uniform(0.0, 2.0), D.Uniform(0.0, 1.0)) == float("inf")
        assert D.Uniform(0.0, 1.0, validate_args=False).log_prob(m.tensor(2.0)) == -float("inf")
        for wrong in (
            lambda D=D: D.Normal(0.0, -1.0),
            lambda D=D, m=m: D.Uniform(0.0, 1.0).log_prob(m.tensor(2.0)),
            lambda D=D, m=m: D.Bernoulli(0.5).log_prob(m.tensor(0.5)),
            lambda D=D, m=m: D.Categorical(m.ones(2)).log_prob(m.tensor(2)),
            lambda D=D: D.Bernoulli(),
        ):
            with pytest.raises(ValueError, match=r"."):
                wrong()
