"""Differences between two states are told in words, every name with them."""

import numpy as np

import stepgrad as sg
from stepgrad.files.differences import differences, shapes


def test_shapes_of_tensors_and_arrays():
    assert shapes({"a": sg.zeros(2, 3), "b": np.zeros(())}) == {"a": (2, 3), "b": ()}


def test_equal_states_have_none():
    assert differences({"a": (2,)}, {"a": (2,)}) == []


def test_every_name_is_told():
    wanted = {f"layer.{i}": (i,) for i in range(30)}
    found = {f"other.{i}": (i,) for i in range(30)}
    missing, unexpected = differences(wanted, found)
    for i in range(30):
        assert f"'layer.{i}'" in missing
        assert f"'other.{i}'" in unexpected


def test_the_sides_are_named():
    assert differences({"a": (1,)}, {"a": (2,)}, "model", "checkpoint") == [
        "of another shape: 'a' is (2,) in the checkpoint, (1,) in the model"
    ]
