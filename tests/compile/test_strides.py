"""Strides of views, worked out without touching memory, against those of NumPy's arrays."""

from typing import Any

import numpy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stepgrad.compile.program.strides import reshaped_strides, row_major, viewed_strides
from stepgrad.ops import find

SIZES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


@st.composite
def arrays(draw: st.DrawFn, sizes: Any = SIZES) -> numpy.ndarray:
    """An array of consecutive numbers, permuted, sliced with steps, flipped and expanded."""
    shape = draw(sizes)
    x = numpy.arange(int(numpy.prod([2 * n for n in shape], dtype=int)) or 1)
    x = x[: int(numpy.prod([2 * n for n in shape], dtype=int))].reshape([2 * n for n in shape])
    x = x[(..., *(slice(None, None, draw(st.sampled_from([1, 2]))) for _ in shape))]
    x = x[(..., *(slice(n) for n in shape))]
    x = x.transpose(draw(st.permutations(range(x.ndim))))
    return x[(..., *(slice(None, None, draw(st.sampled_from([1, -1]))) for _ in shape))]


def elements(x: numpy.ndarray) -> tuple[int, ...]:
    return tuple(s // x.itemsize for s in x.strides)


def placed(
    x: numpy.ndarray, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0
) -> numpy.ndarray:
    """What a shape and strides, counted in elements from the first of x, show of x's memory."""
    if 0 in shape:
        return numpy.zeros(shape, x.dtype)
    start = numpy.array([0])
    for n, s in zip(shape, strides, strict=True):
        start = (start[:, None] + numpy.arange(n) * s).reshape(-1)
    whole = x
    while isinstance(whole.base, numpy.ndarray):
        whole = whole.base
    first = (x.__array_interface__["data"][0] - whole.__array_interface__["data"][0]) // x.itemsize
    return whole.reshape(-1)[first + offset + start].reshape(shape)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(arrays(), st.data())
def test_a_reshape_shows_the_same_numbers_or_says_that_it_cannot(x: numpy.ndarray, data: st.DataObject):
    parts = [x.size] if x.size else [0, 1]
    for factor in (2, 3, 2):
        if x.size and parts[-1] % factor == 0 and data.draw(st.booleans()):
            parts[-1:] = [factor, parts[-1] // factor]
        if data.draw(st.booleans()):
            parts.insert(data.draw(st.integers(0, len(parts))), 1)
    new = tuple(data.draw(st.permutations(parts)))
    strides = reshaped_strides(x.shape, elements(x), new)
    if x.size:
        assert (strides is not None) == numpy.shares_memory(x, x.reshape(new))
    if strides is not None:
        numpy.testing.assert_array_equal(placed(x, new, strides), x.reshape(new))


VIEWS = [
    ("permute", lambda x, draw: {"dims": tuple(draw(st.permutations(range(x.ndim))))}),
    ("flip", lambda x, draw: {"dims": tuple(draw(st.permutations(range(x.ndim))))[:2]}),
    ("expand", lambda x, draw: {"shape": (draw(st.integers(0, 3)), *(3 if n == 1 else n for n in x.shape))}),
    ("slice", lambda x, draw: {"index": tuple(draw(index_of(n)) for n in x.shape)}),
    ("slice", lambda x, draw: {"index": (Ellipsis, None, *(draw(index_of(n)) for n in x.shape[-1:]))}),
]


def index_of(n: int) -> Any:
    bound = st.one_of(st.none(), st.integers(-5, 5))
    parts = st.builds(slice, bound, bound, st.sampled_from([None, 1, 2, 3]))
    return st.one_of(parts, st.integers(-n, n - 1)) if n else parts


@settings(max_examples=100, derandomize=True, deadline=None)
@given(arrays(), st.sampled_from(VIEWS), st.data())
def test_a_view_shows_the_same_numbers(x: numpy.ndarray, view: Any, data: st.DataObject):
    op, make = find(view[0]), view[1]
    attributes = make(x, data.draw)
    assume(x.size and attributes.get("dims", True))
    seen = op.forward(numpy, x, **attributes)
    strides, moved = viewed_strides(op, attributes, x.shape, elements(x), seen.shape)
    numpy.testing.assert_array_equal(placed(x, seen.shape, strides, moved), seen)


def test_row_major_strides_are_those_of_numpy():
    for shape in ((), (3,), (2, 3, 4), (1, 5, 1)):
        assert row_major(shape) == elements(numpy.zeros(shape))
