import os

import numpy
import pytest

import stepgrad as sg
from stepgrad.data import transport
from stepgrad.data.transport import map_frame, nameless_file, read_frame, write_frame
from stepgrad.errors import ArgumentError

LARGE = numpy.arange(3000, dtype=numpy.float64).reshape(30, 100)


@pytest.mark.parametrize("take", [read_frame, map_frame])
def test_a_frame_gives_back_what_was_put_in(take):
    thing = {
        "large": LARGE,
        "columns first": numpy.asfortranarray(LARGE),
        "every second": LARGE[::2],
        "small": numpy.arange(3, dtype=numpy.int8),
        "tensor": sg.tensor([[1.0, 2.0]], requires_grad=True) * 2,
        "dtype": sg.float32,
        "text": ["ä", b"\0", None, 1 << 80],
    }
    with nameless_file() as file:
        write_frame(file, {"an earlier": numpy.ones(100_000)})
        write_frame(file, thing)
        taken = take(file)
    for name in ("large", "columns first", "every second", "small"):
        assert taken[name].dtype == thing[name].dtype
        assert (taken[name] == thing[name]).all()
        assert taken[name].flags.writeable
        assert taken[name].flags.aligned
    assert taken["tensor"].tolist() == [[2.0, 4.0]]
    assert not taken["tensor"].requires_grad
    assert taken["dtype"] is sg.float32
    assert taken["text"] == thing["text"]


def test_arrays_of_a_mapped_frame_are_copied_when_written_to():
    with nameless_file() as file:
        write_frame(file, LARGE)
        first, second = map_frame(file), map_frame(file)
        first[0, 0] = -1
        assert second[0, 0] == read_frame(file)[0, 0] == 0


def test_a_file_without_memory_files_has_no_name_either(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with nameless_file() as file:
        assert list(tmp_path.iterdir()) == []
        write_frame(file, LARGE)
        assert (read_frame(file) == LARGE).all()


def test_a_frame_that_was_cut_is_noticed():
    with nameless_file() as file:
        write_frame(file, LARGE)
        file.truncate(1000)
        with pytest.raises(EOFError):
            read_frame(file)


def test_what_a_session_defined_cannot_be_sent(monkeypatch):
    class Mine:
        pass

    monkeypatch.setattr(Mine, "__module__", "__main__")
    monkeypatch.setattr(transport, "main_program", lambda: (None, None))
    with nameless_file() as file, pytest.raises(ArgumentError, match="Mine' was defined in an interactive"):
        write_frame(file, Mine())
