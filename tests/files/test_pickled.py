import contextlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepgrad.files.pickled import PickleError, read_pickle

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.tuples(inner, inner, inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


def read(data: bytes, **names):
    return read_pickle(memoryview(data), 0, names, lambda value: ("reference", value))[0]


@given(PLAIN, st.sampled_from([2, 3, 4, 5]))
def test_plain_values_are_what_python_reads(value, protocol):
    names = {"_codecs.encode": str.encode, "__builtin__.bytes": bytes}  # how protocol 2 writes bytes
    assert (
        read(pickle.dumps(value, protocol), **{n: lambda *a, f=f: f(*a) for n, f in names.items()}) == value
    )


def test_where_the_pickle_ends():
    data = pickle.dumps([1], 2) + pickle.dumps("two", 2)
    first, at = read_pickle(memoryview(data), 0, {}, str)
    second, end = read_pickle(memoryview(data), at, {}, str)
    assert (first, second, end) == ([1], "two", len(data))


def test_a_value_that_stands_at_two_places_is_one_value():
    inner = [1]
    again = read(pickle.dumps([inner, inner], 2))
    assert again[0] is again[1]


def test_references_are_handed_to_the_caller():
    assert read(b"\x80\x02X\x01\x00\x00\x00aQ.") == ("reference", "a")


class Evil:
    def __reduce__(self):
        import os

        return os.mkdir, ("made-by-a-pickle",)


def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for protocol in (2, 4):
        with pytest.raises(PickleError, match="mkdir', and to make that Python would run code"):
            read(pickle.dumps([Evil()], protocol))
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_the_table_is_called_and_any_other_is_not():
    doubled = b"\x80\x02cm\ntwice\n(K\x03tR."
    assert read(doubled, **{"m.twice": lambda n: 2 * n}) == 6
    with pytest.raises(PickleError, match=r"'m\.twice'"):
        read(doubled, **{"m.thrice": lambda n: 3 * n})
    with pytest.raises(PickleError, match=r"calls m\.twice with arguments that do not fit"):
        read(b"\x80\x02cm\ntwice\n(tR.", **{"m.twice": lambda n: 2 * n})


BAD = {
    "cut": (b"\x80\x02](K\x01", "cut"),
    "an empty stack": (b"\x80\x02.", "cut"),
    "no mark": (b"\x80\x02K\x01t.", "cut"),
    "a mark as a value": (b"\x80\x02(.", "cut"),
    "a mark in a tuple": (b"\x80\x02(K\x01\x86.", "cut"),
    "too few for a tuple": (b"\x80\x02K\x01\x86.", "cut"),
    "half a pair": (b"\x80\x02}(K\x01u.", "cut"),
    "a name without an end": (b"\x80\x02c" + b"a" * 5000, "cut"),
    "a text longer than the file": (b"\x80\x02X\xff\xff\xff\x7fabc.", "cut"),
    "a negative length": (b"\x80\x02T\xff\xff\xff\xff.", "cut"),
    "no UTF-8": (b"\x80\x02X\x01\x00\x00\x00\xff.", "UTF-8"),
    "an instruction that is not there": (b"\x80\x02\x00.", "instruction 0x00"),
    "an instance": (b"\x80\x02ios\nsystem\n(t.", "instruction 0x69"),
    "a memo that is not there": (b"\x80\x02h\x07.", "refers to value 7"),
    "a call of a number": (b"\x80\x02K\x01)R.", "calls 1, which is no function"),
    "an object that is made": (b"\x80\x02K\x01)\x81.", "calls 1, which is no function"),
    "attributes of a list": (b"\x80\x02]}b.", "adds items to a list"),
    "items of a tuple": (b"\x80\x02)K\x01a.", "adds items to a tuple"),
    "a list as a key": (b"\x80\x02}]K\x01s.", "uses a list as the key"),
    "a deep tuple as a key": (b"\x80\x02})\x85\x85K\x01s.", "uses a tuple as the key"),
    "a value in itself": (b"\x80\x02]q\x00h\x00a.", "holds itself"),
    "a deep value": (b"\x80\x02" + b"]" * 500 + b"a" * 499 + b".", "nested more than 100 deep"),
    "a billion laughs": (b"\x80\x02K\x01" + b"".join(
        b"q%c0](" % i + b"h%c" % i * 30 + b"e" for i in range(8)) + b".", "more than 20,000,000 values"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_pickle_is_said(case):
    data, message = BAD[case]
    with pytest.raises(PickleError, match=message):
        read(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(PickleError):
        read(b"\x80\x02" + data)
