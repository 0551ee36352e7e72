"""What is another one in each call, or in another place: right numbers, or eager with a warning."""

import random
import warnings

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim

X = sg.tensor([1.0, 2.0])


def by_random():
    random.seed(0)
    return lambda x: x * 2 if random.random() < 0.7 else x * 3


def by_numpy():
    numpy.random.seed(0)  # noqa: NPY002
    return lambda x: x * float(numpy.random.rand())  # noqa: NPY002


@pytest.mark.parametrize("make", [by_random, by_numpy])
def test_random_numbers_of_others_run_eagerly(make):
    step = make()
    eager = [step(X).tolist() for _ in range(6)]
    compiled = sg.compile(make())
    with pytest.warns(UserWarning, match=r"random numbers of (numpy\.)?random,"):
        found = [compiled(X).tolist()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found += [compiled(X).tolist() for _ in range(5)]
    assert found == eager


def test_random_numbers_drawn_outside_of_the_step_are_no_matter():
    compiled = sg.compile(lambda x: x * 2)
    for _ in range(3):
        random.random()
        assert compiled(X).tolist() == [2, 4]
    assert not compiled.runs_eagerly


def test_keys_that_change_places():
    held = {"aug": True, "a": 1.0, "b": 2.0}
    compiled = sg.compile(lambda x: x * (3.0 if "aug" in held else held["a"]))
    assert compiled(X).tolist() == [3, 6]
    del held["aug"]
    held["other"] = True
    assert compiled(X).tolist() == [1, 2]
    held["a"], held["b"] = held["b"], held["a"]
    assert compiled(X).tolist() == [2, 4]


def test_a_compiled_function_within_a_compiled_step():
    inner = sg.compile(lambda x: x * 3)
    outer = sg.compile(lambda x: inner(x) + 1)
    assert outer(X).tolist() == [4, 7]
    assert outer(2 * X).tolist() == [7, 13]
    assert not outer.runs_eagerly


def test_a_compiled_training_step_within_another():
    ends = []
    for compile in (lambda f: f, sg.compile):
        weight = nn.Parameter(sg.ones(1))
        optimizer = optim.SGD([weight], lr=0.1)

        def step(weight=weight, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (weight**2).sum()
            loss.backward()
            optimizer.step()
            return loss

        inner = compile(step)
        outer = compile(lambda inner=inner: inner())
        for _ in range(4):
            outer()
        ends.append(weight.tolist())
    assert ends[1] == pytest.approx(ends[0])
