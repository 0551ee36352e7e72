"""Worker processes and the program that starts them: its main file, its end, Ctrl-C."""

import os
import select
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="worker processes need Linux or macOS")


def run(folder, text, *arguments):
    """Run a program that consists of `text` and return what it did."""
    (folder / "program.py").write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, *(arguments or ["program.py"])],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


DATA = """
import os, signal, sys, time
from typing import NamedTuple
from stepgrad.data import DataLoader, Dataset

class Sample(NamedTuple):
    x: int

class Squares(Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return Sample(index * index)

def together(samples):
    return samples
"""


def test_a_dataset_that_the_program_defines_is_found(tmp_path):
    text = DATA + (
        "print('top', __name__)\n"
        "if __name__ == '__main__':\n"
        "    for batch in DataLoader(Squares(), batch_size=2, num_workers=1, collate_fn=together):\n"
        "        print(batch, type(batch[0]) is Sample)\n"
    )
    done = run(tmp_path, text)
    assert done.stderr == ""
    assert sorted(done.stdout.splitlines()) == [
        "[Sample(x=0), Sample(x=1)] True",
        "[Sample(x=4), Sample(x=9)] True",
        "top __main__",
        "top __mp_main__",
    ]
    as_module = run(tmp_path, text, "-m", "program")
    assert sorted(as_module.stdout.splitlines()) == sorted(done.stdout.splitlines())


def test_a_program_whose_dataset_is_elsewhere_is_not_run_again(tmp_path):
    (tmp_path / "squares.py").write_text(DATA, encoding="utf-8")
    text = (
        "from squares import *\nprint('top')\n"
        "print([b.x.tolist() for b in DataLoader(Squares(), batch_size=2, num_workers=2)])\n"
    )
    done = run(tmp_path, text)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["top", "[[0, 1], [4, 9]]"]


def test_a_program_that_starts_workers_at_its_top_gets_one_clear_error(tmp_path):
    done = run(tmp_path, DATA + "list(DataLoader(Squares(), num_workers=1))\n")
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("stepgrad.errors.WorkerError")]
    assert len(lines) == 1
    assert 'under: if __name__ == "__main__":' in lines[0]


def test_a_dataset_of_an_interactive_session_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "squares.py").write_text(DATA, encoding="utf-8")
    text = (
        "from squares import *\nclass Mine(Squares): pass\n"
        "print([b.x.tolist() for b in DataLoader(Squares(), batch_size=4, num_workers=1)])\n"
        "list(DataLoader(Mine(), num_workers=1))\n"
    )
    done = run(tmp_path, text, "-c", text)
    assert done.stdout.strip() == "[[0, 1, 4, 9]]"
    assert (
        "the dataset cannot be sent to worker processes: 'Mine' was defined in an interactive" in done.stderr
    )
    assert "put it in a .py file" in done.stderr


TROUBLED = (
    DATA
    + """
class Troubled(Dataset):
    # Sample 0 is idle afterwards, sample 1 is stopped, sample 2 never ends.
    def __len__(self):
        return 3
    def __getitem__(self, index):
        os.write(1, b"%d\\n" % os.getpid())  # in one piece, as others write there too
        if index == 1:
            os.kill(os.getpid(), signal.SIGSTOP)
        while index == 2:
            time.sleep(0.01)
        return index

if __name__ == "__main__":
    print(os.getpid(), flush=True)
    for batch in DataLoader(Troubled(), num_workers=3):
        pass
"""
)


def start_troubled(folder):
    """Start a program with an idle, a stopped and an endless worker; return it and the processes."""
    (folder / "program.py").write_text(TROUBLED, encoding="utf-8")
    program = subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    processes = [int(program.stdout.readline()) for _ in range(4)]
    return program, processes[1:]


def all_end(processes):
    for _ in range(200):
        if not any(map(is_there, processes)):
            return True
        time.sleep(0.05)
    return False


def is_there(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A process that nobody waited for yet is dead all the same.
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return sys.platform != "linux"


def test_no_worker_outlives_a_program_that_is_killed(tmp_path):
    program, processes = start_troubled(tmp_path)
    program.kill()
    program.communicate()
    assert all_end(processes)


def test_control_c_ends_the_program_and_says_so_once(tmp_path):
    program, processes = start_troubled(tmp_path)
    # As the terminal does: to all processes of the foreground group.
    os.killpg(program.pid, signal.SIGINT)
    _, errors = program.communicate(timeout=30)
    assert program.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert "Worker" not in errors
    assert all_end(processes)


def test_a_worker_ends_with_its_parent_though_a_fork_of_it_lives_on(tmp_path):
    text = DATA + (
        "if __name__ == '__main__':\n"
        "    loader = DataLoader(Squares(), num_workers=1, persistent_workers=True)\n"
        "    next(iter(loader))\n"
        "    print(loader._pool.workers[0].process.pid, flush=True)\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(60)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (tmp_path / "program.py").write_text(text, encoding="utf-8")
    program = subprocess.Popen(
        [sys.executable, "-W", "ignore", "program.py"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    worker = int(program.stdout.readline())
    program.wait()
    assert all_end([worker])
    # The fork still holds the other end of the pipe.
    assert not select.select([program.stdout], [], [], 0)[0]
    os.killpg(program.pid, signal.SIGKILL)
    program.stdout.close()
