from collections import OrderedDict, UserDict

import numpy
import pytest

import stepgrad as sg
from stepgrad.data import default_collate, default_convert
from stepgrad.errors import DtypeError, ShapeError
from tests.data.datasets import Point

NUMBERS = [
    ([1, 2], "int64"),
    ([1.0, 2.0], "float64"),
    ([True, False], "bool"),
    ([numpy.float32(1), numpy.float32(2)], "float32"),
    ([numpy.float64(1)], "float64"),
    ([numpy.int32(1)], "int32"),
    ([numpy.bool_(True)], "bool"),
    ([numpy.zeros((2, 3), numpy.float32)] * 4, "float32"),
    ([numpy.array(3, numpy.int16)], "int16"),
]


@pytest.mark.parametrize("batch, dtype", NUMBERS)
def test_numbers_and_arrays_become_tensors(batch, dtype):
    made = default_collate(batch)
    assert isinstance(made, sg.Tensor)
    assert made.numpy().dtype == dtype
    assert made.shape == (len(batch), *numpy.shape(batch[0]))
    assert (made.numpy() == numpy.stack(batch)).all()


@pytest.mark.oracle
@pytest.mark.parametrize("batch, dtype", NUMBERS)
def test_dtypes_are_those_of_pytorch(batch, dtype):
    from torch.utils.data import default_collate as torch_collate

    theirs = torch_collate(batch).numpy()
    ours = default_collate(batch).numpy()
    assert ours.dtype == theirs.dtype
    assert (ours == theirs).all()


def test_tensors_are_stacked_and_gradients_flow_through():
    x = sg.tensor([1.0, 2.0], requires_grad=True)
    made = default_collate([x, 3 * x])
    assert made.shape == (2, 2)
    made.sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_structures_keep_their_form():
    made = default_collate([{"p": Point(1, 2), "n": ["a", (1.0,)]}, {"p": Point(3, 4), "n": ["b", (2.0,)]}])
    assert isinstance(made["p"], Point)
    assert made["p"].y.tolist() == [2, 4]
    assert made["n"][0] == ("a", "b")
    assert made["n"][1][0].tolist() == [1.0, 2.0]
    assert type(default_collate([OrderedDict(a=1)])) is OrderedDict
    assert type(default_collate([UserDict(a=1)])) is UserDict
    assert default_collate([b"x", b"y"]) == [b"x", b"y"]
    assert type(default_collate([(1, 2)])) is list


@pytest.mark.parametrize(
    "batch, kind, message",
    [
        ([numpy.zeros(2), numpy.zeros(3)], ShapeError, "the first has (2,), number 1 of the batch has (3,)"),
        ([(1, sg.zeros(2)), (1, sg.zeros(4))], ShapeError, "samples (part [1]) must have equal shapes"),
        ([[1, 2], [3]], ShapeError, "equal lengths"),
        ([{"a": 1}, {"b": 1}], ShapeError, "the first has ['a'], number 1 of the batch has ['b']"),
        ([], ShapeError, "0 samples"),
        ([{"x": {"y": None}}], DtypeError, "samples (part ['x']['y']) of type NoneType"),
        ([numpy.array(["a"])], DtypeError, "of type ndarray of <U1"),
        (
            [(1, 2), None],
            DtypeError,
            "the first is a tuple, number 1 of the batch a NoneType. Make them alike",
        ),
        ([(1, sg.zeros(2)), (1, 3.0)], DtypeError, "samples (part [1]) must be of one kind to make a batch"),
        ([1.5, None], DtypeError, "the first is a float, number 1 of the batch a NoneType"),
    ],
)
def test_what_does_not_fit_together_is_named(batch, kind, message):
    with pytest.raises(kind) as caught:
        default_collate(batch)
    assert message in str(caught.value)


def test_conversion_shares_memory_and_leaves_the_rest():
    array = numpy.zeros(3)
    x, rest, point, mapping = default_convert((array, [1, "a"], Point(array, 2), {"k": array}))
    array[0] = 5.0
    assert x.tolist() == point.x.tolist() == mapping["k"].tolist() == [5.0, 0.0, 0.0]
    assert rest == [1, "a"]
    assert isinstance(point, Point)
    assert default_convert(numpy.float32(2)).item() == 2.0
