"""A file is written whole or not at all, whatever happens on the way."""

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap

import pytest

from stepgrad.errors import ArgumentError, FileError
from stepgrad.files.atomic import write_atomically

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.bin"
    path.write_bytes(b"old content")
    return path


def assert_untouched(old):
    assert old.read_bytes() == b"old content"
    assert os.listdir(old.parent) == ["old.bin"]


def test_writes_bytes_and_what_a_function_writes(old):
    write_atomically(old, b"new")
    assert old.read_bytes() == b"new"

    def write(file):
        file.write(b"123456")
        file.seek(2)
        file.write(b"x")

    write_atomically(str(old), write)
    assert old.read_bytes() == b"12x456"
    assert os.listdir(old.parent) == ["old.bin"]


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_full_disk_leaves_the_old_file(old, monkeypatch, call):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    content = b"new"
    if call == "write":
        content = full
    else:
        monkeypatch.setattr(os, call, full)
    with pytest.raises(FileError) as caught:
        write_atomically(old, content)
    monkeypatch.undo()
    assert str(caught.value) == (
        f"cannot write '{old}': no space left on the disk; free some space or choose another folder."
    )
    assert_untouched(old)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_disk_that_is_full_when_the_buffer_is_flushed(old):
    def write(file):
        os.dup2(os.open("/dev/full", os.O_WRONLY), file.fileno())
        file.write(b"new")

    with pytest.raises(FileError, match="no space left"):
        write_atomically(old, write)
    assert_untouched(old)


@posix
def test_the_limit_of_the_process_on_file_sizes(old):
    program = """
        import resource, sys
        from stepgrad.errors import FileError
        from stepgrad.files.atomic import write_atomically
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            write_atomically(sys.argv[1], bytes(200_000))
        except FileError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(old)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert "larger than the limit set for this process" in done.stdout
    assert_untouched(old)


@posix
def test_killed_while_writing(old):
    program = """
        import os, signal, sys
        from stepgrad.files.atomic import write_atomically
        def write(file):
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        write_atomically(sys.argv[1], write)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(old)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == -signal.SIGKILL
    assert old.read_bytes() == b"old content"
    left = [name for name in os.listdir(old.parent) if name != "old.bin"]
    assert len(left) == 1
    assert left[0].startswith(".old.bin.")
    assert left[0].endswith(".part")


@pytest.mark.parametrize("raised", [KeyboardInterrupt, ValueError])
def test_other_exceptions_pass_after_cleaning(old, raised):
    def write(file):
        file.write(b"half")
        raise raised("on the way")

    with pytest.raises(raised, match="on the way"):
        write_atomically(old, write)
    assert_untouched(old)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(FileError, match=r"there is no folder '.*missing'; create it"):
        write_atomically(tmp_path / "missing" / "a.bin", b"")


def test_folder_is_refused(tmp_path):
    with pytest.raises(FileError, match="it is a folder; name a file in it"):
        write_atomically(tmp_path, b"")


def test_a_file_used_as_a_folder(old):
    with pytest.raises(FileError, match="cannot write"):
        write_atomically(old / "a.bin", b"")
    assert_untouched(old)


@posix
def test_pipes_and_devices_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/null"):
        with pytest.raises(FileError, match="a pipe or a device"):
            write_atomically(path, b"")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_permission_denied_and_write_protection(old, monkeypatch):
    # The administrator may write everywhere, so the refusal is simulated.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(FileError, match="the file is write-protected"):
        write_atomically(old, b"new")
    monkeypatch.undo()

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(FileError, match="permission denied; ask for the right"):
        write_atomically(old, b"new")
    monkeypatch.undo()
    assert_untouched(old)


@posix
def test_keeps_permissions_and_follows_links(old, tmp_path):
    os.chmod(old, 0o640)
    os.mkdir(tmp_path / "other")
    link = tmp_path / "other" / "link.bin"
    os.symlink(old, link)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert old.read_bytes() == b"new"
    assert stat.S_IMODE(os.stat(old).st_mode) == 0o640


@posix
def test_a_new_file_gets_the_permissions_of_the_process(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "new.bin", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(tmp_path / "new.bin").st_mode) == 0o640


def test_long_and_korean_names(tmp_path):
    for name in ("x" * 250, "모델" * 40):
        write_atomically(tmp_path / name, b"1")
        assert (tmp_path / name).read_bytes() == b"1"
    with pytest.raises(FileError, match="the name is too long"):
        write_atomically(tmp_path / ("x" * 300), b"1")


@posix
def test_file_systems_that_cannot_sync_a_folder(old, monkeypatch):
    fsync = os.fsync

    def only_files(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    write_atomically(old, b"new")
    assert old.read_bytes() == b"new"


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_impossible_paths(path):
    with pytest.raises(ArgumentError, match="is not a path"):
        write_atomically(path, b"")


@pytest.mark.parametrize("path", [3, b"bytes", None])
def test_what_is_no_path(path):
    with pytest.raises(ArgumentError, match=r"a path must be text or a pathlib.Path"):
        write_atomically(path, b"")
