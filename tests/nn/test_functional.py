"""The functions of nn.functional: what they refuse, in which words. (Values: the tests of the modules.)"""

import re

import numpy as np
import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError
from stepgrad.nn import functional as F

PAIR_LOSSES = [
    F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss, F.binary_cross_entropy,
    F.binary_cross_entropy_with_logits, F.kl_div, F.soft_margin_loss, F.hinge_embedding_loss,
    F.poisson_nll_loss, F.multilabel_soft_margin_loss,
]  # fmt: skip
pairs = pytest.mark.parametrize("loss", PAIR_LOSSES, ids=lambda f: f.__name__)
classes = pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss], ids=lambda f: f.__name__)


@pairs
@pytest.mark.parametrize("shapes", [((8, 1), (8,)), ((8,), (8, 1)), ((2, 3), (3,)), ((1,), ()), ((4,), (5,))])
def test_a_silent_broadcast_is_refused(loss, shapes):
    text = (
        f"{loss.__name__} compares shapes that are equal: input {list(shapes[0])}, target {list(shapes[1])}."
    )
    with pytest.raises(ShapeError, match=re.escape(text)):
        loss(sg.zeros(*shapes[0]), sg.zeros(*shapes[1]))


@pairs
def test_losses_take_tensors(loss):
    x = sg.full((2,), 0.5)
    with pytest.raises(
        DtypeError, match=rf"{loss.__name__} takes tensors; its target is list. Make a tensor"
    ):
        loss(x, [0.0, 1.0])
    with pytest.raises(DtypeError, match="its input is ndarray"):
        loss(np.zeros(2), x)
    with pytest.raises(ArgumentError, match="reduction is"):
        loss(x, x, reduction="batch")


@pairs
def test_integers_are_compared_as_numbers(loss):
    half, ints = sg.full((2,), 0.5), sg.tensor([0, 1])
    assert loss(half, ints).item() == loss(half, ints.float()).item()
    assert loss(half, ints).dtype is sg.float32


def test_parameters_of_losses_are_checked():
    x = sg.zeros(2)
    with pytest.raises(ArgumentError, match="huber_loss needs delta > 0, not 0"):
        F.huber_loss(x, x, delta=0)
    with pytest.raises(ArgumentError, match="smooth_l1_loss needs beta >= 0, not -1"):
        F.smooth_l1_loss(x, x, beta=-1)
    with pytest.raises(ArgumentError, match="label_smoothing lies between 0 and 1, not 2"):
        F.cross_entropy(sg.zeros(1, 2), sg.tensor([0]), label_smoothing=2)


def test_binary_cross_entropy_takes_probabilities():
    half = sg.full((2,), 0.5)
    with pytest.raises(
        ArgumentError, match=r"takes probabilities in \[0, 1\]; here is a 1.5. Use a sigmoid, or"
    ):
        F.binary_cross_entropy(sg.tensor([0.5, 1.5]), half)
    with pytest.raises(ArgumentError, match=r"here is a -0.1"):
        F.binary_cross_entropy(sg.tensor([float("nan"), -0.1]), half)
    with pytest.raises(ArgumentError, match=r"takes targets in \[0, 1\]; here is a 2\.$"):
        F.binary_cross_entropy(half, sg.tensor([2.0, 0.0]))
    nan = F.binary_cross_entropy(sg.tensor([0.5, float("nan")]), half, reduction="none").tolist()
    assert nan[0] == pytest.approx(0.6931, abs=1e-4)
    assert nan[1] != nan[1]


@pytest.mark.parametrize("shape", [(3,), (5, 2, 2), (2, 3)])
def test_weights_per_element_must_broadcast_to_the_input(shape):
    x, t, w = sg.full((2, 2), 0.5), sg.zeros(2, 2), sg.ones(*shape)
    message = f"needs a weight that broadcasts to the input [2, 2], not {list(shape)}."
    for loss in (F.binary_cross_entropy, F.binary_cross_entropy_with_logits):
        with pytest.raises(ShapeError, match=re.escape(message)):
            loss(x, t, w)
    with pytest.raises(ShapeError, match="needs a pos_weight that broadcasts"):
        F.binary_cross_entropy_with_logits(x, t, pos_weight=w)


@classes
def test_classes_are_checked(loss):
    x, name = sg.zeros(2, 3), loss.__name__
    for target, kind, message in (
        (sg.tensor([0, 3]), IndexShapeError, f"{name} has 3 classes, numbered from 0; the target contains 3"),
        (sg.tensor([-1, 0]), IndexError, "the target contains -1"),
        (
            sg.tensor([[0], [1]]),
            ShapeError,
            r"of scores \[2, 3\] takes a target of shape \[2\], not \[2, 1\]",
        ),
        (sg.tensor([0, 1, 2]), ShapeError, r"takes a target of shape \[2\], not \[3\]"),
        (sg.tensor([True, False]), DtypeError, f"{name} takes classes as integers, not bool"),
        ([0, 1], DtypeError, f"{name} takes tensors; its target is list"),
    ):
        with pytest.raises(kind, match=message):
            loss(x, target)
    good = sg.tensor([0, 1])
    with pytest.raises(ShapeError, match=r"needs a weight per class, \(3,\), not \[2\]"):
        loss(x, good, weight=sg.ones(2))
    with pytest.raises(DtypeError, match=f"{name} takes floating point scores, not int64"):
        loss(sg.zeros(2, 3, dtype=sg.int64), good)
    with pytest.raises(ShapeError, match="a dimension of classes, not a 0-d tensor"):
        loss(sg.tensor(1.0), sg.tensor(0))
    with pytest.raises(DtypeError, match="its input is list"):
        loss([[1.0]], good)
    for kind in (sg.int8, sg.int32, sg.uint8):
        assert loss(x, good.to(kind)).item() == loss(x, good).item()


def test_classes_given_as_floats_are_told_apart_from_probabilities():
    message = (
        r"in the shape of the input \[2, 3\]; this target is float32\[2\]. If it holds classes, .*\.long\(\)"
    )
    with pytest.raises(ShapeError, match=message):
        F.cross_entropy(sg.zeros(2, 3), sg.tensor([0.0, 1.0]))
    with pytest.raises(ShapeError, match="classes as integers, or probabilities"):
        F.cross_entropy(sg.tensor(1.0), sg.tensor(1.0))
    with pytest.raises(ShapeError, match=r"needs a weight per class, \(3,\), not \[2\]"):
        F.cross_entropy(sg.zeros(2, 3), sg.zeros(2, 3), weight=sg.ones(2))
    with pytest.raises(
        DtypeError, match=r"nll_loss takes classes as integers, not float32. Convert with .long"
    ):
        F.nll_loss(sg.zeros(2, 3), sg.zeros(2))


def test_one_hot():
    assert F.one_hot(sg.tensor([[0, 2]]), 4).tolist() == [[[1, 0, 0, 0], [0, 0, 1, 0]]]
    assert F.one_hot(sg.tensor([1, 0])).tolist() == [[0, 1], [1, 0]]
    assert F.one_hot(sg.tensor(1), 3).tolist() == [0, 1, 0]
    assert F.one_hot(sg.zeros(0, dtype=sg.int64), 3).shape == (0, 3)
    for values, count, wrong in (([0, 2], 2, 2), ([-1, 2], 4, -1), ([1], 0, 1)):
        with pytest.raises(ArgumentError, match=f"one_hot of {count} classes.* does not take {wrong}"):
            F.one_hot(sg.tensor(values), count)
    with pytest.raises(DtypeError, match="one_hot takes integers, not float32"):
        F.one_hot(sg.zeros(1))


def test_functions_without_a_module_of_their_own():
    x = sg.tensor([[-1.0, 2.0]], requires_grad=True)
    assert F.relu(x).tolist() == [[0, 2]]
    assert F.softmax(x, dim=1, dtype=sg.float64).dtype is sg.float64
    assert F.log_softmax(x, 1).exp().sum().item() == pytest.approx(1)
    assert F.linear(x, sg.eye(2)).tolist() == [[-1, 2]]
    assert F.embedding(sg.tensor([1]), sg.eye(2), padding_idx=-1).tolist() == [[0, 1]]
    with pytest.raises(ArgumentError, match="padding_idx 2 is none of the 2 rows"):
        F.embedding(sg.tensor([1]), sg.eye(2), padding_idx=2)
    assert F.dropout(x, 0.5, training=False) is x
