"""Samples have the moments of their distributions, rsample has gradients, errors say what is wrong."""

import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError, ShapeError

D = sg.distributions


KINDS = [
    D.Normal(1.0, 2.0), D.Uniform(-1.0, 3.0), D.Exponential(0.5), D.Bernoulli(0.3), D.Laplace(0.5, 1.0),
    D.Gumbel(0.5, 1.0), D.HalfNormal(2.0), D.StudentT(12.0, 1.0, 2.0), D.Gamma(3.0, 2.0), D.Gamma(0.3, 0.5),
    D.Chi2(3.0), D.Beta(2.0, 0.5), D.Poisson(3.0), D.Geometric(0.4), D.Binomial(7, 0.3),
    D.LogNormal(0.0, 0.3),
    D.MixtureSameFamily(D.Categorical(sg.tensor([1.0, 3.0])), D.Normal(sg.tensor([-1.0, 2.0]), 1.0)),
]  # fmt: skip


@pytest.mark.parametrize("of", KINDS, ids=lambda of: type(of).__name__)
def test_moments(of):
    sg.manual_seed(1)
    drawn = of.sample((20_000,))
    assert drawn.mean().item() == pytest.approx(of.mean.item(), abs=0.06)
    assert drawn.var().item() == pytest.approx(of.variance.item(), rel=0.06)
    assert not drawn.requires_grad


def test_classes_are_drawn_in_proportion():
    sg.manual_seed(1)
    of = D.Categorical(sg.tensor([[1.0, 1.0, 2.0], [0.0, 1.0, 0.0]]))
    drawn = of.sample((8000,))
    assert (drawn[:, 1] == 1).all()
    shares = drawn[:, 0].bincount(minlength=3) / 8000
    assert shares.tolist() == pytest.approx([0.25, 0.25, 0.5], abs=0.02)
    assert of.mode.tolist() == [2, 1]


def test_samples_with_gradients():
    mean, spread = sg.zeros(3, requires_grad=True), sg.ones(3, requires_grad=True)
    y = D.Normal(mean, spread).rsample((5,))
    y.sum().backward()
    assert mean.grad.tolist() == [5.0, 5.0, 5.0]
    assert spread.grad.tolist() == pytest.approx(y.detach().sum(0).tolist(), rel=1e-5)


def test_a_policy_learns():
    """REINFORCE on two arms, the second of which alone pays."""
    sg.manual_seed(0)
    logits = sg.zeros(2, requires_grad=True)
    optimizer = sg.optim.SGD([logits], lr=0.5)
    for _ in range(60):
        policy = D.Categorical(logits=logits)
        action = policy.sample()
        loss = -policy.log_prob(action) * action.float()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert D.Categorical(logits=logits).probs[1] > 0.9


def test_messages():
    with pytest.raises(ArgumentError, match=r"Normal: scale must be above 0, not -1\.0\."):
        D.Normal(0.0, -1.0)
    with pytest.raises(ArgumentError, match="the distribution Bernoulli has no rsample"):
        D.Bernoulli(0.5).rsample()
    with pytest.raises(ArgumentError, match="there is no kl_divergence of Normal and Uniform"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Uniform(0.0, 1.0))
    with pytest.raises(ArgumentError, match="Categorical takes either probs or logits"):
        D.Categorical()
    with pytest.raises(
        AttributeError, match=r"stepgrad\.distributions has no 'Normall'\. Did you mean 'Normal'"
    ):
        _ = D.Normall


def test_moments_of_vectors():
    sg.manual_seed(2)
    a = sg.tensor([[1.0, 2.0, 0.5], [4.0, 1.0, 1.0]])
    drawn = D.Dirichlet(a).sample((20_000,))
    assert sg.allclose(drawn.mean(0), D.Dirichlet(a).mean, atol=0.01)
    assert sg.allclose(drawn.var(0), D.Dirichlet(a).variance, atol=0.01)
    of = D.MultivariateNormal(sg.tensor([1.0, 2.0]), sg.tensor([[2.0, 0.6], [0.6, 1.0]]))
    drawn = of.sample((20_000,))
    assert sg.allclose(drawn.T.cov(), of.covariance_matrix, atol=0.06)
    assert sg.allclose(of.precision_matrix @ of.covariance_matrix, sg.eye(2), atol=1e-5)
    vectors = D.OneHotCategorical(sg.tensor([1.0, 3.0])).sample((8000,))
    assert vectors.mean(0).tolist() == pytest.approx([0.25, 0.75], abs=0.02)
    parts = D.Independent(D.Normal(sg.tensor([[0.0, 10.0], [5.0, -5.0]]), 0.1), 1)
    mixed = D.MixtureSameFamily(D.Categorical(sg.tensor([1.0, 3.0])), parts).sample((4000,))
    assert mixed.mean(0).tolist() == pytest.approx([3.75, -1.25], abs=0.3)
    assert ((mixed[:, 0] > 2.5) == (mixed[:, 1] < 2.5)).all()


def test_quantiles():
    for of in (D.Laplace(0.5, 2.0), D.Gumbel(0.5, 2.0), D.Cauchy(0.5, 2.0)):
        p = sg.tensor([0.1, 0.5, 0.9])
        assert sg.allclose(of.cdf(of.icdf(p)), p)
    half = D.HalfNormal(1.0)
    assert half.cdf(sg.tensor(1.0)).item() == pytest.approx(0.6826895, abs=1e-6)
    falling = D.TransformedDistribution(D.Normal(0.0, 1.0), [D.AffineTransform(0.0, -1.0), D.ExpTransform()])
    assert falling.cdf(sg.tensor(1.0)) == 0.5


def test_a_transform_remembers_what_rounding_loses():
    x = sg.tensor([20.0])
    kept, plain = D.TanhTransform(cache_size=1), D.TanhTransform()
    assert kept.inv(kept(x)) == 20
    assert plain.inv(plain(x)) == float("inf")
    with pytest.raises(ArgumentError, match="Transform defines no _call"):
        D.Transform()(x)


def test_pytorch_files_and_a_divergence_of_ones_own():
    from stepgrad.distributions.kl import kl_divergence
    from stepgrad.distributions.normal import Normal

    assert Normal is D.Normal

    class Mine(D.Normal):
        pass

    @D.register_kl(Mine, D.Normal)
    def _mine(p, q):
        return sg.tensor(7.0)

    assert kl_divergence(Mine(0.0, 1.0), Normal(0.0, 1.0)) == 7
    assert kl_divergence(Normal(0.0, 1.0), Mine(0.0, 1.0)) == 0
    with pytest.raises(ArgumentError, match="needs the same transforms"):
        kl_divergence(D.LogNormal(0.0, 1.0), D.TransformedDistribution(Normal(0.0, 1.0), D.TanhTransform()))


def test_messages_of_vectors_and_mixtures():
    with pytest.raises(ArgumentError, match="takes one of covariance_matrix, precision_matrix"):
        D.MultivariateNormal(sg.zeros(2))
    with pytest.raises(ShapeError, match=r"a matrix \(…, n, n\), not \[2\] and \[3, 3\]"):
        D.MultivariateNormal(sg.zeros(2), sg.eye(3))
    with pytest.raises(ShapeError, match="Dirichlet takes concentrations"):
        D.Dirichlet(1.0)
    with pytest.raises(ArgumentError, match="MixtureSameFamily has 2 probabilities for 3 distributions"):
        D.MixtureSameFamily(D.Categorical(sg.ones(2)), D.Normal(sg.zeros(3), 1.0))
    with pytest.raises(ArgumentError, match="TransformedDistribution takes transforms, not function"):
        D.TransformedDistribution(D.Normal(0.0, 1.0), [lambda x: x])
    with pytest.raises(ArgumentError, match="the distribution Gamma has no rsample"):
        D.Gamma(1.0, 1.0).rsample()


def test_checks_may_be_left_out():
    D.Distribution.set_default_validate_args(False)
    try:
        D.Normal(0.0, -1.0)
    finally:
        D.Distribution.set_default_validate_args(True)
    with pytest.raises(ArgumentError, match="scale must be above 0"):
        D.Normal(0.0, -1.0)
