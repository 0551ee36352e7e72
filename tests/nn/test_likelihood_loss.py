"""Losses of likelihoods: what the modules compute, reductions, and what the functions refuse.

(Values and derivatives of every record: tests/registry.)
"""

import itertools
import math

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.autograd import gradcheck
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError
from stepgrad.nn import functional as F

RANDOM = np.random.default_rng(0)
X, T = (sg.tensor(RANDOM.normal(size=(4, 3))) for _ in range(2))
LOG, P = X.log_softmax(1), T.softmax(1)


def test_the_divergence_of_rows():
    p, q = P.numpy(), LOG.numpy()
    rows = (p * (np.log(p) - q)).sum(1)
    assert nn.KLDivLoss("batchmean")(LOG, P).item() == pytest.approx(rows.mean())
    assert nn.KLDivLoss("batchmean", log_target=True)(LOG, P.log()).item() == pytest.approx(rows.mean())
    assert nn.KLDivLoss()(LOG, P).item() == pytest.approx(rows.mean() / 3)
    assert nn.KLDivLoss("sum")(LOG, P).item() == pytest.approx(rows.sum())
    assert F.kl_div(LOG, LOG.exp(), reduction="sum").item() == pytest.approx(0)
    zero = F.kl_div(sg.zeros(2), sg.tensor([0.0, 1.0]), reduction="none")
    assert zero.tolist() == [0, 0]
    with pytest.raises(ArgumentError, match="reduction is"):
        nn.KLDivLoss("rows")


def test_poisson():
    counts = sg.tensor([0.0, 1.0, 5.0], dtype=sg.float64)
    rate = sg.tensor([0.5, 2.0, 4.0], dtype=sg.float64)
    expected = rate.numpy() - counts.numpy() * np.log(rate.numpy())
    np.testing.assert_allclose(F.poisson_nll_loss(rate.log(), counts, reduction="none").numpy(), expected)
    plain = F.poisson_nll_loss(rate, counts, log_input=False, reduction="none")
    np.testing.assert_allclose(plain.numpy(), expected, rtol=1e-6)
    full = nn.PoissonNLLLoss(full=True, reduction="none")(rate.log(), counts).numpy() - expected
    assert full[:2].tolist() == [0, 0]
    assert full[2] == pytest.approx(math.lgamma(6), rel=0.01)


def test_gaussian():
    var = sg.tensor([[0.5], [1.0], [2.0], [4.0]], dtype=sg.float64)
    x, t, v = X.numpy(), T.numpy(), var.numpy()
    expected = (np.log(v) + (x - t) ** 2 / v) / 2
    for shape in ((4, 1), (4,)):
        found = F.gaussian_nll_loss(X, T, var.reshape(shape), reduction="none")
        np.testing.assert_allclose(found.numpy(), expected)
    full = nn.GaussianNLLLoss(full=True)(X, T, var)
    assert full.item() == pytest.approx(expected.mean() + math.log(2 * math.pi) / 2)
    assert F.gaussian_nll_loss(X, T, 2.0).item() == pytest.approx(
        F.gaussian_nll_loss(X, T, 2 * sg.ones(4, 3, dtype=sg.float64)).item()
    )
    small = F.gaussian_nll_loss(X, X, sg.zeros(4, 3, dtype=sg.float64), eps=1e-3)
    assert small.item() == pytest.approx(math.log(1e-3) / 2)
    with pytest.raises(ShapeError, match=r"of \[4, 3\] takes a variance of that shape, .* not \[3\]"):
        F.gaussian_nll_loss(X, T, var[:3, 0])
    with pytest.raises(ArgumentError, match="variances that are not negative"):
        F.gaussian_nll_loss(X, T, -var)
    with pytest.raises(ShapeError, match="gaussian_nll_loss compares shapes that are equal"):
        F.gaussian_nll_loss(X, T[:1], var)


def sequences(steps: int, n: int, classes: int) -> sg.Tensor:
    return sg.tensor(np.random.default_rng(1).normal(size=(steps, n, classes))).log_softmax(2)


def test_ctc_of_what_can_be_counted_by_hand():
    x = sequences(2, 1, 3)
    p = x.exp().numpy()[:, 0]
    # "1" is read off (1, 1), (blank, 1) and (1, blank); "1 2" off one path alone.
    one = p[0, 1] * p[1, 1] + p[0, 0] * p[1, 1] + p[0, 1] * p[1, 0]
    assert F.ctc_loss(x, sg.tensor([[1]]), [2], [1]).item() == pytest.approx(-math.log(one))
    two = -math.log(p[0, 1] * p[1, 2])
    assert F.ctc_loss(x, sg.tensor([[1, 2]]), [2], [2], reduction="sum").item() == pytest.approx(two)
    assert F.ctc_loss(x, sg.tensor([[1, 2]]), [2], [2]).item() == pytest.approx(two / 2)
    # A repeat needs a blank between, for which there is no room.
    assert F.ctc_loss(x, sg.tensor([[1, 1]]), [2], [2]).item() == math.inf
    assert F.ctc_loss(x, sg.tensor([[1, 1]]), [2], [2], zero_infinity=True).item() == 0


def test_ctc_of_no_steps():
    x = sequences(2, 2, 3)
    losses = F.ctc_loss(x, sg.tensor([[1], [1]]), [0, 0], [0, 1], reduction="none")
    assert losses.tolist() == [0, math.inf]


def test_ctc_takes_targets_in_rows_or_after_one_another():
    x = sequences(6, 3, 4)
    rows = sg.tensor([[1, 2, 3], [3, -1, 99], [2, 2, 7]])
    flat = sg.tensor([1, 2, 3, 3, 2, 2])
    found = F.ctc_loss(x, rows, sg.tensor([6, 5, 6]), sg.tensor([3, 1, 2]), reduction="none")
    assert F.ctc_loss(x, flat, (6, 5, 6), (3, 1, 2), reduction="none").tolist() == found.tolist()
    compiled = sg.compile(lambda x, t, a, b: F.ctc_loss(x, t, a, b, reduction="none"))
    tensors = (x, flat, sg.tensor([6, 5, 6]), sg.tensor([3, 1, 2]))
    assert compiled(*tensors).tolist() == pytest.approx(found.tolist())
    assert compiled(*tensors[:3], sg.tensor([2, 2, 2])).tolist() == pytest.approx(
        F.ctc_loss(*tensors[:3], [2, 2, 2], reduction="none").tolist()
    )
    single = F.ctc_loss(x[:5, 1], sg.tensor([3]), [5], [1], reduction="none")
    assert single.shape == ()
    assert single.item() == pytest.approx(found[1].item())
    loss = nn.CTCLoss(blank=0, reduction="sum", zero_infinity=True)
    assert loss(x, rows, [6, 5, 6], [3, 1, 2]).item() == pytest.approx(found.sum().item())


def test_ctc_learns_to_read():
    sg.manual_seed(0)
    scores = sg.zeros(8, 1, 3, dtype=sg.float64, requires_grad=True)
    target, lengths = sg.tensor([[1, 2, 2, 1]]), sg.tensor([8])
    optimizer = sg.optim.SGD([scores], lr=2.0)

    def step() -> sg.Tensor:
        optimizer.zero_grad()
        loss = F.ctc_loss(scores.log_softmax(2), target, lengths, sg.tensor([4]))
        loss.backward()
        optimizer.step()
        return loss

    run = sg.compile(step)
    losses = [run().item() for _ in range(60)]
    assert losses[-1] < 0.05 < losses[0]
    best = scores.argmax(2).reshape(-1).tolist()
    assert [c for c, _ in itertools.groupby(best) if c] == [1, 2, 2, 1]


def test_ctc_with_probabilities_of_0():
    x = sequences(3, 1, 3).exp()
    x = sg.tensor(np.where(np.arange(3) == 2, 0.0, x.numpy()), requires_grad=True)
    loss = F.ctc_loss(x.log(), sg.tensor([[1]]), [3], [1])
    loss.backward()
    assert np.isfinite(loss.item())
    assert np.isfinite(x.grad.numpy()[:, :, :2]).all()
    impossible = F.ctc_loss(x.log(), sg.tensor([[2]]), [3], [1])
    assert impossible.item() == math.inf


def test_ctc_is_differentiated_as_it_is():
    x = sequences(4, 2, 3).detach().requires_grad_()
    assert gradcheck(lambda x: F.ctc_loss(x, sg.tensor([[1, 2], [1, 1]]), [4, 3], [2, 1]), (x,))


CTC = sequences(4, 2, 3)
ROWS = sg.tensor([[1, 2], [1, 1]])


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (
            lambda: F.ctc_loss(CTC[0, 0], ROWS, [4, 4], [2, 2]),
            ShapeError,
            r"\(T, N, C\) or \(T, C\), not float",
        ),
        (lambda: F.ctc_loss(CTC, ROWS, [4, 4], [2, 2], blank=3), ArgumentError, "blank 3 is none of them"),
        (lambda: F.ctc_loss(CTC, ROWS, [4], [2, 2]), ShapeError, "2 sequences takes 2 integers as lengths"),
        (lambda: F.ctc_loss(CTC, ROWS, [4, 5], [2, 2]), ArgumentError, "has 4 steps; a length of 5"),
        (lambda: F.ctc_loss(CTC, ROWS, [4, 4], [2, 3]), ArgumentError, "2 classes in a row; a length of 3"),
        (lambda: F.ctc_loss(CTC, ROWS, [4, -1], [2, 2]), ArgumentError, "a length of -1 is not possible"),
        (lambda: F.ctc_loss(CTC, ROWS + 1, [4, 4], [2, 2]), IndexShapeError, "the target contains 3"),
        (
            lambda: F.ctc_loss(CTC, ROWS.float(), [4, 4], [2, 2]),
            DtypeError,
            "classes as integers, not float32",
        ),
        (lambda: F.ctc_loss(CTC, ROWS[:1], [4, 4], [2, 2]), ShapeError, r"targets \(N, S\), not \[1, 2\]"),
        (
            lambda: F.ctc_loss(CTC, ROWS[0], [4, 4], [2, 2]),
            ShapeError,
            "add up to 4 takes that many classes in",
        ),
    ],
)
def test_refusals(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_a_last_layer_and_its_loss_in_one():
    sg.manual_seed(0)
    loss, x, classes = nn.LinearCrossEntropyLoss(3, 4, bias=True).double(), X, sg.tensor([0, 3, 1, 2])
    scores = loss.linear(x)
    assert loss(x, classes).item() == pytest.approx(F.cross_entropy(scores, classes).item())
    assert list(loss.state_dict()) == ["linear.weight", "linear.bias"]
    wide = nn.LinearCrossEntropyLoss(3, 4, out_features=(2,), reduction="none").double()
    assert wide(x, sg.tensor([[0, 1]] * 4)).shape == (4, 2)
    with pytest.raises(ArgumentError, match="options is None"):
        nn.LinearCrossEntropyLoss(3, 4, options=object())
