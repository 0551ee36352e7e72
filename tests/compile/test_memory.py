"""Storages in the arena, and buffers as views of storages."""

import numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from stepgrad.compile.memory import Buffer, Storage, plan_arena

DTYPES = ("bool", "int8", "float32", "float64", "int64")


@st.composite
def storages(draw: st.DrawFn) -> list[Storage]:
    made = []
    for number in range(draw(st.integers(0, 14))):
        storage = Storage("scratch", draw(st.sampled_from(DTYPES)), draw(st.integers(0, 200)))
        storage.number = number
        storage.first = draw(st.integers(0, 9))
        storage.last = storage.first + draw(st.integers(0, 5))
        made.append(storage)
    return made


def end(s: Storage) -> int:
    return s.offset + s.size * s.dtype.itemsize


@settings(max_examples=80, derandomize=True, deadline=None)
@given(storages())
def test_storages_in_use_at_the_same_time_do_not_overlap(made: list[Storage]):
    total = plan_arena(made)
    for i, a in enumerate(made):
        assert a.offset % 64 == 0
        assert 0 <= a.offset <= end(a) <= total
        for b in made[:i]:
            together = a.first <= b.last and b.first <= a.last
            assert not together or not a.size or not b.size or end(a) <= b.offset or end(b) <= a.offset


@settings(max_examples=30, derandomize=True, deadline=None)
@given(storages())
def test_the_plan_depends_on_nothing_but_the_storages(made: list[Storage]):
    total = plan_arena(made)
    offsets = [s.offset for s in made]
    assert plan_arena(list(reversed(made))) == total
    assert [s.offset for s in made] == offsets


def test_memory_is_used_again():
    made = []
    for i in range(50):
        storage = Storage("scratch", "float64", 1000)
        storage.number, storage.first, storage.last = i, i, i + 1
        made.append(storage)
    assert plan_arena(made) == 2 * 8000


def test_a_buffer_repeated_to_a_shape():
    storage = Storage("scratch", "float32", 12)
    buffer = Buffer.contiguous(storage, (3, 1, 4))
    assert buffer.strides == (4, 4, 1)
    wide = buffer.broadcast((2, 3, 5, 4))
    assert (wide.shape, wide.strides, wide.offset) == ((2, 3, 5, 4), (0, 4, 0, 1), 0)
    memory = numpy.arange(12.0)
    seen = numpy.lib.stride_tricks.as_strided(memory, wide.shape, [s * 8 for s in wide.strides])
    numpy.testing.assert_array_equal(seen, numpy.broadcast_to(memory.reshape(3, 1, 4), (2, 3, 5, 4)))
