"""Opening a file for reading never hangs and always says what is wrong."""

import errno
import os

import pytest

from stepgrad.errors import FileError, suggest_file
from stepgrad.files.paths import file_error, open_for_reading


def test_opens_a_file(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"hello")
    with open_for_reading(tmp_path / "a.txt") as file:
        assert file.read() == b"hello"


def test_missing_file_suggests_a_near_name(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(FileError, match=r"there is no such file\. Did you mean 'model\.safetensors'\?"):
        open_for_reading(tmp_path / "modell.safetensors")
    with pytest.raises(FileError, match=r"there is no such file; correct the path"):
        open_for_reading(tmp_path / "zzz")
    with pytest.raises(FileError, match=r"there is no folder '.*nowhere'; create it or correct the path"):
        open_for_reading(tmp_path / "nowhere" / "a")


def test_folder(tmp_path):
    with pytest.raises(FileError, match="it is a folder; name a file in it"):
        open_for_reading(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
def test_pipes_devices_and_circles(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(FileError, match="a pipe or a device, not an ordinary file"):
            open_for_reading(path)
    os.symlink(tmp_path / "circle", tmp_path / "circle")
    with pytest.raises(FileError, match="the links it goes through form a circle"):
        open_for_reading(tmp_path / "circle")


def test_permission_denied(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "secret").write_bytes(b"")
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(FileError, match="permission denied; ask for the right to it"):
        open_for_reading(tmp_path / "secret")


def test_a_cause_that_is_not_in_the_list():
    error = file_error(OSError(errno.EINTR, "Interrupted system call"), "a", "read")
    assert str(error) == "cannot read 'a': Interrupted system call."
    assert isinstance(error, OSError)


def test_an_ending_alone_makes_no_name_similar(tmp_path):
    for name in ("i.csv", "people.csv", "People.2.csv"):
        (tmp_path / name).write_text("", encoding="utf-8")
    assert suggest_file(tmp_path / "nofile.csv") == ""
    assert suggest_file(tmp_path / "peopel.csv") == " Did you mean 'people.csv'?"
    assert suggest_file(tmp_path / "people") == " Did you mean 'people.csv'?"
    assert suggest_file(tmp_path / "none" / "people.csv") == ""
