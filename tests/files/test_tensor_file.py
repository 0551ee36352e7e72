"""Tensor files: exact, readable by everyone, and refused when one bit is wrong."""

import contextlib
import json
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepgrad.errors import ArgumentError, DtypeError, FileError
from stepgrad.files.header import MAX_BYTES
from stepgrad.files.model import load
from stepgrad.files.tensor_file import read_tensors, write_tensors

DTYPES = [
    "bool",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float16",
    "float32",
    "float64",
]


def raw_file(path, header, data=b"", length=None):
    """Write a safetensors file by hand; `header` is JSON text or what to make it of."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def assert_same(a, b):
    assert list(a) == list(b)
    for name in a:
        assert a[name].dtype == b[name].dtype
        assert a[name].shape == b[name].shape
        assert a[name].tobytes() == b[name].tobytes()


def some_arrays():
    generator = np.random.default_rng(0)
    arrays = {}
    for dtype in DTYPES:
        for shape in [(), (0,), (3,), (2, 0, 4), (2, 3)]:
            bits = generator.integers(0, 2 if dtype == "bool" else 256, (*shape, np.dtype(dtype).itemsize))
            values = np.ascontiguousarray(bits.astype(np.uint8)).view(dtype).reshape(shape)
            arrays[f"{dtype} {shape}"] = values
    return arrays


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.safetensors"


def test_every_type_and_shape_comes_back_bit_for_bit(path):
    arrays = some_arrays()
    write_tensors(path, arrays, {"note": '한글 \\ " \n', "other": ""})
    found, metadata = read_tensors(path)
    assert_same(found, arrays)
    assert metadata == {"note": '한글 \\ " \n', "other": ""}
    for array in found.values():
        assert array.flags.writeable
        assert array.flags.aligned
        assert array.dtype.isnative


def test_memory_layout_does_not_matter(path):
    matrix = np.arange(12.0).reshape(3, 4)
    arrays = {"transposed": matrix.T, "strided": matrix[::2, ::-1], "big endian": matrix.astype(">f8")}
    write_tensors(path, arrays)
    found, _ = read_tensors(path)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_the_same_arrays_give_the_same_bytes(path, tmp_path):
    arrays = some_arrays()
    metadata = dict.fromkeys("hgfedcba", "value")
    write_tensors(path, arrays, metadata)
    write_tensors(tmp_path / "b", arrays, metadata)
    assert path.read_bytes() == (tmp_path / "b").read_bytes()


def test_no_arrays_at_all(path):
    write_tensors(path, {})
    assert read_tensors(path) == ({}, {})


def test_the_library_of_the_format_reads_our_files_and_we_read_its(path):
    numpy_files = pytest.importorskip("safetensors.numpy")
    arrays = some_arrays()
    write_tensors(path, arrays, {"note": "한글"})
    found = numpy_files.load_file(path)
    assert_same({name: found[name] for name in arrays}, arrays)
    numpy_files.save_file(arrays, path, metadata={"format": "np"})
    found, metadata = read_tensors(path)
    assert_same({name: found[name] for name in arrays}, arrays)
    assert metadata == {"format": "np"}


def test_data_are_aligned_to_their_item_size(path):
    write_tensors(path, {"a": np.zeros(1, "int8"), "b": np.zeros(1), "c": np.zeros(3, "float16")})
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    assert length % 8 == 0
    header = json.loads(content[8 : 8 + length])
    assert list(header) == ["__metadata__", "a", "b", "c"]
    assert [header[name]["data_offsets"] for name in "abc"] == [[14, 15], [0, 8], [8, 14]]


def test_bfloat16_becomes_float32(path):
    raw_file(path, {"x": entry("BF16", (3,), (0, 6))}, struct.pack("<3H", 0x3F80, 0xC049, 0x7F80))
    array = read_tensors(path)[0]["x"]
    assert array.dtype == np.float32
    assert array.tolist() == [1.0, -3.140625, float("inf")]


def test_every_flipped_bit_is_found(path):
    write_tensors(path, {"w": np.arange(3, dtype="float32"), "n": np.array(7)}, {"note": "text"})
    content = path.read_bytes()
    for position in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(FileError) as caught:
            read_tensors(path)
        assert str(caught.value).startswith(f"'{path}' is damaged or not a safetensors file: ")
        assert str(caught.value).endswith("Use another copy of it, or write it again.")


def test_every_cut_and_every_extra_byte_is_found(path):
    write_tensors(path, {"w": np.arange(3, dtype="float32")}, {"note": "text"})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(FileError, match="is damaged or not a safetensors file"):
            read_tensors(path)
    for extra in (b"\0", b" ", b"more"):
        path.write_bytes(content + extra)
        with pytest.raises(FileError, match="its tensors need 12 bytes, and"):
            read_tensors(path)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_damage_is_found(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damage") / "a.safetensors"
    write_tensors(path, {"w": np.arange(200, dtype="float32"), "v": np.zeros((3, 5))}, {"note": "text" * 20})
    content = path.read_bytes()
    start = data.draw(st.integers(0, len(content) - 1))
    old = data.draw(st.integers(0, len(content) - start))
    damaged = content[:start] + data.draw(st.binary(max_size=40)) + content[start + old :]
    path.write_bytes(damaged)
    if damaged == content:
        return
    with pytest.raises(FileError):
        read_tensors(path)


@settings(max_examples=150, deadline=None)
@given(
    header=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.just([0, 4])
        | st.just("F32"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.text() | st.sampled_from(["dtype", "shape", "data_offsets", "__metadata__"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
    data=st.binary(max_size=8),
)
def test_any_json_is_read_or_refused(tmp_path_factory, header, data):
    path = raw_file(tmp_path_factory.mktemp("any") / "a.safetensors", header, data)
    with contextlib.suppress(FileError):
        read_tensors(path)


def test_a_checksum_that_was_removed(path):
    raw_file(path, {"__metadata__": {"stepgrad.format": "1"}})
    with pytest.raises(FileError, match="its checksum is missing"):
        read_tensors(path)


def test_a_newer_format(path):
    import hashlib

    write_tensors(path, {})
    content = path.read_bytes().replace(b'"stepgrad.format":"1"', b'"stepgrad.format":"9"')
    at = content.index(b'"stepgrad.sha256":"') + 19
    digest = hashlib.sha256(content[:at] + b"0" * 64 + content[at + 64 :]).hexdigest()
    path.write_bytes(content[:at] + digest.encode() + content[at + 64 :])
    with pytest.raises(
        FileError, match=r"it has format '9' of another stepgrad.* pip install --upgrade stepgrad"
    ):
        read_tensors(path)


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "F4", "C64"])
def test_types_that_stepgrad_does_not_have_are_no_damage(path, dtype):
    raw_file(path, {"ok": entry(), "x": entry(dtype, (4,), (4, 8))}, bytes(8))
    message = (
        rf"^cannot read '.*': tensor 'x' has the data type {dtype}, which stepgrad does not have\. Convert"
    )
    with pytest.raises(FileError, match=message) as caught:
        read_tensors(path)
    assert "damaged" not in str(caught.value)


def content(header, **more):
    return {"header": header, **more}


ONE = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'

HOSTILE = {
    "length 2**63": (content(ONE, length=2**63), "announces a header of 9,223,372,036,854,775,808 bytes"),
    "length 2**64-1": (content(ONE, length=2**64 - 1), "announces a header"),
    "length 0": (content(b"", data=bytes(16)), "announces a header of 0 bytes"),
    "length too long": (content(b" " * (MAX_BYTES + 1)), "is longer than the 16,777,216 allowed"),
    "no JSON": (content(b"hello"), "not valid JSON"),
    "no UTF-8": (content(b'{"\xff":1}'), "not valid JSON"),
    "list": (content([]), "not a JSON object"),
    "deep": (content(b"[" * 200_000), "nested too deeply"),
    "deep objects": (content(b'{"a":' * 200_000), "nested too deeply"),
    "huge number": (content(b'{"x":' + b"9" * 10_000 + b"}"), "not valid JSON"),
    "twice": (content(ONE[:-1] + b"," + ONE[1:], data=bytes(4)), "has 'x' twice"),
    "twice inside": (content(ONE.replace(b'"shape"', b'"dtype":"F64","shape"')), "has 'dtype' twice"),
    "metadata": (content({"__metadata__": {"a": 1}}), "metadata are not a JSON object of texts"),
    "metadata list": (content({"__metadata__": ["a"]}), "metadata are not a JSON object of texts"),
    "no entry": (content({"x": 1}), "is not a dtype, a shape and data_offsets"),
    "extra field": (content({"x": entry() | {"more": 1}}), "is not a dtype, a shape and data_offsets"),
    "unknown dtype": (
        content({"x": entry("F8_E5M3")}),
        "the data type 'F8_E5M3', which the format does not have",
    ),
    "dtype list": (content({"x": entry() | {"dtype": ["F32"]}}), "the data type"),
    "object dtype": (content({"x": entry("|O")}), "the data type '|O'"),
    "negative shape": (content({"x": entry(shape=(-1,))}), "no possible shape"),
    "boolean shape": (content({"x": entry(shape=(True,))}), "no possible shape"),
    "fraction": (content({"x": entry(shape=(1.0,))}), "no possible shape"),
    "shape text": (content({"x": entry() | {"shape": "1"}}), "no possible shape"),
    "100 dimensions": (content({"x": entry(shape=(1,) * 100)}), "no possible shape"),
    "overflow": (
        content({"x": entry(shape=(2**32, 2**32, 4), offsets=(0, 0))}),
        "that no memory could hold",
    ),
    "overflow of an empty array": (
        content({"x": entry(shape=(0, 2**40, 2**40), offsets=(0, 0))}),
        "that no memory could hold",
    ),
    "2**70": (content({"x": entry(shape=(2**70,))}), "no possible shape"),
    "much memory": (
        content({"x": entry(shape=(2**40,), offsets=(0, 2**42))}),
        "4,398,046,511,104 bytes, and",
    ),
    "other size": (content({"x": entry(shape=(2,))}, data=bytes(4)), "needs 8 bytes, not the 4"),
    "negative offset": (content({"x": entry(offsets=(-4, 0))}), "no possible place"),
    "backwards": (content({"x": entry(offsets=(4, 0))}), "no possible place"),
    "three offsets": (content({"x": entry(offsets=(0, 4, 8))}), "no possible place"),
    "overlap": (content({"x": entry(), "y": entry(offsets=(2, 6))}, data=bytes(6)), "'y' overlaps"),
    "same place": (content({"x": entry(), "y": entry()}, data=bytes(4)), "'y' overlaps"),
    "gap": (content({"x": entry(offsets=(4, 8))}, data=bytes(8)), "'x' leaves a gap"),
    "beyond the end": (
        content({"x": entry()}, data=bytes(3)),
        "it has been cut or was not copied completely",
    ),
    "booleans": (content({"x": entry("BOOL", (1,), (0, 1))}, data=b"\2"), "other than 0 and 1"),
    "long name": (content({"x" * 100_000: 1}), "…"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files(path, case):
    parts, message = HOSTILE[case]
    raw_file(path, **parts)
    tracemalloc.start()
    try:
        with pytest.raises(FileError) as caught:
            read_tensors(path)
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    finally:
        tracemalloc.stop()
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500


class Bomb:
    def __reduce__(self):
        return (os.abort, ())


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_renamed_pickle_is_not_run(path, protocol):
    path.write_bytes(pickle.dumps({"weight": Bomb()}, protocol))
    with pytest.raises(FileError, match=r"a PyTorch file or another pickle; stepgrad\.load"):
        read_tensors(path)
    with pytest.raises(FileError, match=r"it holds '(posix|nt)\.abort', and .* would run code"):
        load(path)


def test_other_kinds_of_files(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb()))
    with pytest.raises(FileError, match="a PyTorch file or another pickle"):
        read_tensors(path)
    with pytest.raises(FileError, match=r"it holds '(posix|nt)\.abort', and .* would run code"):
        load(path)
    np.savez(path.with_suffix(".npz"), a=np.zeros(3))
    with pytest.raises(FileError, match=r"a zip archive; if numpy\.savez wrote it"):
        read_tensors(path.with_suffix(".npz"))
    np.save(path.with_suffix(".npy"), np.zeros(3))
    with pytest.raises(FileError, match="it is a NumPy array"):
        read_tensors(path.with_suffix(".npy"))
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9\n")
    with pytest.raises(FileError, match="git lfs pull"):
        read_tensors(path)
    path.write_bytes(b"epoch,loss\n1,0.5\n")
    with pytest.raises(FileError, match="is damaged or not a safetensors file: it announces a header"):
        read_tensors(path)


def test_a_header_whose_length_looks_like_a_pickle(path):
    text = b'{"x":0}'.ljust(0x280)  # the file begins with the bytes 80 02
    raw_file(path, text)
    with pytest.raises(FileError, match="is damaged or not a safetensors file: the entry of 'x'"):
        read_tensors(path)


def test_an_empty_file_and_a_folder(path, tmp_path):
    path.write_bytes(b"")
    with pytest.raises(FileError, match="is damaged or not a safetensors file: it is empty"):
        read_tensors(path)
    with pytest.raises(FileError, match="it is a folder"):
        read_tensors(tmp_path)


def test_tensors_larger_than_the_memory(path, monkeypatch):
    write_tensors(path, {"x": np.zeros(4)})

    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr(np, "empty", no_memory)
    with pytest.raises(
        FileError, match=r"its 264 bytes do not fit into the memory|do not fit into the memory"
    ):
        read_tensors(path)


def test_a_disk_error_while_reading(path, monkeypatch):
    import errno
    import io

    write_tensors(path, {"x": np.zeros(4)})

    class Failing(io.BufferedReader):
        def readinto(self, _):
            raise OSError(errno.EIO, "Input/output error")

    file = Failing(io.FileIO(path))
    monkeypatch.setattr("stepgrad.files.tensor_file.open_for_reading", lambda _: file)
    with pytest.raises(FileError, match="the disk reported an error; check the disk"):
        read_tensors(path)


def test_what_cannot_be_written_is_refused_and_the_old_file_kept(path):
    write_tensors(path, {"x": np.zeros(2)})
    before = path.read_bytes()
    for arrays, metadata, kind, message in [
        ({"x": np.array(["a"])}, {}, DtypeError, "'x' has the data type <U1"),
        ({"x": np.array([None])}, {}, DtypeError, "'x' has the data type object"),
        ({"x": np.zeros(2, complex)}, {}, DtypeError, "complex128, which a safetensors file cannot hold"),
        ({"x": [1.0]}, {}, ArgumentError, "'x' must be a NumPy array, got list"),
        ({1: np.zeros(2)}, {}, ArgumentError, "must be text, got 1"),
        ({"__metadata__": np.zeros(2)}, {}, ArgumentError, "the format keeps that name for itself"),
        ({"\ud800": np.zeros(2)}, {}, ArgumentError, "it holds half a character"),
        ({}, {"note": 3}, ArgumentError, "must be text, got 3"),
        ({}, {"stepgrad.sha256": "0"}, ArgumentError, "'stepgrad.sha256' is written by stepgrad itself"),
        ({}, {"note": "x" * MAX_BYTES}, ArgumentError, "keep long lists as arrays"),
    ]:
        with pytest.raises(kind) as caught:
            write_tensors(path, arrays, metadata)
        assert message in str(caught.value)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_full_disk_keeps_the_old_file(path, monkeypatch):
    import errno

    write_tensors(path, {"x": np.zeros(2)})
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="no space left on the disk"):
        write_tensors(path, {"x": np.ones(2)})
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
