"""Samples have the moments of their distributions, rsample has gradients, errors say what is wrong."""

import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError

D = sg.distributions


@pytest.mark.parametrize(
    "of", [D.Normal(1.0, 2.0), D.Uniform(-1.0, 3.0), D.Exponential(0.5), D.Bernoulli(0.3)]
)
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
