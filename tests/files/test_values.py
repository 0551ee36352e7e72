"""Plain values come back from JSON exactly, with their types."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepgrad.arrays import dtypes
from stepgrad.errors import ArgumentError, FileError
from stepgrad.files.values import pack, unpack


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and (a.tobytes() == b.tobytes() or bool(np.isnan(a)))
    return a == b


def there_and_back(value):
    text, arrays = pack(value, "v")
    json.loads(text, parse_constant=pytest.fail)
    return unpack(text, arrays, "a file")


numbers = st.integers(-(2**70), 2**70) | st.floats() | st.booleans() | st.none() | st.text()
numpy_numbers = (
    st.floats(width=16).map(np.float16)
    | st.floats(width=32).map(np.float32)
    | st.floats().map(np.float64)
    | st.integers(-128, 127).map(np.int8)
    | st.booleans().map(np.bool_)
)
keys = st.text() | st.integers() | st.floats(allow_nan=False) | st.none() | st.just("$")
values = st.recursive(
    numbers | numpy_numbers | st.sampled_from(dtypes.ALL),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(value=values)
def test_values_come_back_exactly(value):
    assert same(there_and_back(value), value)


def test_arrays_are_kept_by_their_path():
    x, y = np.zeros(2), np.ones((), "int8")
    value = {"a": {"b": x}, "a.b": y, "c": [(x,)]}
    text, arrays = pack(value, "v")
    assert list(arrays) == ["v.a.b", "v.a.b'", "v.c.0.0"]
    assert arrays["v.a.b"] is x
    assert same(unpack(text, arrays, "a file"), value)


def test_what_cannot_be_kept_is_named_with_its_place():
    class Mine:
        pass

    circle = []
    circle.append(circle)
    for value, message in [
        ({"a": [1, Mine()]}, "'v.a.1' is a Mine, which a file cannot hold"),
        ({"a": {3: {1, 2}}}, "'v.a.3' is a set"),
        ({"f": print}, "'v.f' is a builtin_function_or_method"),
        ({"t": Mine}, "'v.t' is a type"),
        (np.datetime64("2020-01-01"), "'v' is a NumPy datetime64"),
        (np.complex64(1), "'v' is a NumPy complex64"),
        (circle, "is nested more than 100 levels deep, or contains itself"),
    ]:
        with pytest.raises(ArgumentError) as caught:
            pack(value, "v")
        assert message in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        "[" * 500 + "]" * 500,
        '{"$":"call","name":"os.abort"}',
        '{"$":["list"]}',
        '{"$":"float","value":"1"}',
        '{"$":"tuple"}',
        '{"$":"tuple","items":3}',
        '{"$":"dict","items":[1]}',
        '{"$":"dict","items":[[[],1]]}',
        '{"$":"dtype","name":"object"}',
        '{"$":"dtype","name":["float32"]}',
        '{"$":"number","dtype":"object","value":1}',
        '{"$":"number","dtype":"int8","value":1000}',
        '{"$":"number","dtype":"float32","value":"x"}',
        '{"$":"array","name":"missing"}',
        '{"$":"array","name":[]}',
        "9" * 10_000,
    ],
)
def test_hostile_text(text):
    with pytest.raises(
        FileError, match="cannot read 'a file': it holds a value that stepgrad does not write"
    ):
        unpack(text, {}, "a file")
