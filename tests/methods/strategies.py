"""What the property tests draw: arrays, shapes, indices."""

from typing import Any

import numpy
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
FULL_SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


@st.composite
def counted(draw: Any, shapes: Any = SHAPES, dtype: str = "float64") -> numpy.ndarray:
    """An array of different numbers, sometimes with its dimensions in another order in memory."""
    shape = draw(shapes)
    array = numpy.arange(1, numpy.prod(shape, dtype=int) + 1, dtype=dtype).reshape(shape)
    return numpy.array(array, order="F") if draw(st.booleans()) else array


@st.composite
def with_dim(draw: Any, shapes: Any = FULL_SHAPES) -> tuple[numpy.ndarray, int]:
    """An array and one of its dimensions, counted from either end."""
    array = draw(counted(shapes))
    return array, draw(st.integers(-array.ndim, array.ndim - 1))


@st.composite
def indexed(draw: Any) -> tuple[numpy.ndarray, Any]:
    """An array and a basic index into it: integers, slices with positive steps, None and Ellipsis."""
    array = draw(counted(arrays.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=4)))
    index: list[Any] = []
    sizes = list(array.shape[: draw(st.integers(0, array.ndim))])
    for size in sizes:
        kind = draw(st.sampled_from(["integer", "slice", "new"]))
        if kind == "new":
            index.append(None)
        if kind == "integer":
            index.append(draw(st.integers(-size, size - 1)))
        else:
            bound = st.none() | st.integers(-size - 1, size + 1)
            index.append(slice(draw(bound), draw(bound), draw(st.none() | st.integers(1, 3))))
    if draw(st.booleans()):
        index.insert(draw(st.integers(0, len(index))) if len(sizes) == array.ndim else len(index), Ellipsis)
    return array, tuple(index) if len(index) != 1 or draw(st.booleans()) else index[0]


@st.composite
def picked(draw: Any) -> tuple[numpy.ndarray, Any]:
    """An array and an index with integer or boolean arrays side by side, before or after slices."""
    array = draw(counted(arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)))
    if draw(st.booleans()):
        mask = draw(arrays.arrays(bool, array.shape[: draw(st.integers(1, array.ndim))]))
        return array, mask
    start = draw(st.integers(0, array.ndim - 1))
    stop = draw(st.integers(start + 1, min(array.ndim, start + 2)))
    shape = draw(arrays.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=3))
    tensors = [
        draw(arrays.arrays("int64", shape, elements=st.integers(-n, n - 1))) for n in array.shape[start:stop]
    ]
    return array, (slice(None),) * start + tuple(tensors)
