"""Loaders with worker processes: the same batches as without them, and workers in trouble."""

import gc
import os
import signal
import time
import warnings

import numpy
import pytest

import stepgrad as sg
from stepgrad.data import DataLoader, TensorDataset, pool
from stepgrad.errors import ArgumentError, WorkerError
from tests.data import datasets
from tests.data.datasets import (
    Exits,
    Generators,
    Noisy,
    Numbers,
    OnlyFrom,
    Overwrites,
    Raises,
    Shards,
    Signals,
    Sleeps,
    Who,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="worker processes need Linux or macOS")


def has_ended(process):
    """Whether a process is no more; a moment is given to one that is about to end."""
    for _ in range(200):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def contents(loader):
    return [{name: numpy.asarray(part) for name, part in batch.items()} for batch in loader]


def same(ours, theirs, names):
    return len(ours) == len(theirs) and all(
        (a[name] == b[name]).all() for a, b in zip(ours, theirs, strict=True) for name in names
    )


def test_any_number_of_workers_gives_the_same_bits():
    def loader(workers):
        more = {"persistent_workers": True, "timeout": 60} if workers else {}
        return DataLoader(Noisy(23), batch_size=4, shuffle=True, seed=8, num_workers=workers, **more)

    here, one, four = loader(0), loader(1), loader(4)
    epochs = [[contents(loader) for _ in range(2)] for loader in (here, one, four)]
    for i in range(2):
        assert same(epochs[0][i], epochs[1][i], ("index", "stepgrad", "large"))
        assert same(epochs[1][i], epochs[2][i], ("index", "stepgrad", "large", "libraries"))
    rows = numpy.concatenate([batch["index"] for batch in epochs[2][0]])
    assert sorted(rows.tolist()) == list(range(23))
    assert not same(epochs[2][0], epochs[2][1], ("stepgrad",))
    # On in the middle of the first epoch, with the workers that are there.
    state = {"seed": 8, "epoch": 0, "batch": 3}
    for other in (one, four):
        other.load_state_dict(state)
        assert same(contents(other), epochs[0][0][3:], ("index", "stepgrad", "large"))
        assert other.state_dict() == {"seed": 8, "epoch": 1, "batch": 0}


def test_batches_of_tensors_can_be_written_to():
    data = TensorDataset(numpy.zeros((40, 300), numpy.float32), numpy.arange(40))
    loader = DataLoader(data, batch_size=20, num_workers=1)
    for number, (x, y) in enumerate(loader):
        x += 1
        assert x.numpy().min() == 1
        assert y.tolist() == list(range(20 * number, 20 * number + 20))
    assert not data.tensors[0].numpy().any()


def test_going_on_does_not_fetch_what_came_before():
    loader = DataLoader(OnlyFrom(20, first=12), batch_size=4, num_workers=2)
    loader.load_state_dict({"seed": 0, "epoch": 0, "batch": 3})
    assert [batch.tolist() for batch in loader] == [[12, 13, 14, 15], [16, 17, 18, 19]]


def test_workers_know_who_they_are_and_end_with_the_epoch():
    loader = DataLoader(
        Who(4),
        batch_size=1,
        num_workers=2,
        worker_init_fn=datasets.remember_worker,
        collate_fn=datasets.as_it_is,
    )
    rows = [batch[0] for batch in loader]
    assert [(index, number, count, noted) for index, _, number, count, noted in rows] == [
        (0, 0, 2, 0),
        (1, 1, 2, 1),
        (2, 0, 2, 0),
        (3, 1, 2, 1),
    ]
    processes = {process for _, process, *_ in rows}
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert all(map(has_ended, processes))


def test_a_loop_left_early_leaves_no_process_and_no_file_behind():
    def leave_early():
        process = None
        for batch in DataLoader(Who(), num_workers=1, prefetch_factor=4):
            process = batch[1].item()
            break
        return process

    def count_files():
        gc.collect()
        return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    leave_early()
    files = count_files()
    assert has_ended(leave_early())
    iter(DataLoader(Who(), num_workers=1))  # never asked for a batch
    assert count_files() == files


def test_persistent_workers_go_on_after_a_loop_left_early():
    loader = DataLoader(
        Numbers(12), batch_size=2, num_workers=2, persistent_workers=True, collate_fn=datasets.as_it_is
    )
    given_up = iter(loader)
    assert [next(given_up), next(given_up)] == [[0, 1], [2, 3]]
    assert [row for batch in loader for row in batch] == list(range(12))
    with pytest.raises(ArgumentError, match="went over to a newer iterator"):
        next(given_up)
    processes = [who.process.pid for who in loader._pool.workers]
    assert [row for batch in loader for row in batch] == list(range(12))
    assert [who.process.pid for who in loader._pool.workers] == processes
    del loader
    assert all(map(has_ended, processes))


def test_iterable_datasets_are_shared_between_workers_and_resumed():
    def rows(loader):
        return [(x.tolist(), noise.tolist()) for x, noise in loader]

    loader = DataLoader(Shards(9), batch_size=2, seed=3, num_workers=2, persistent_workers=True)
    whole = rows(loader)
    # Worker 0 has 0 2 4 6 8, worker 1 has 1 3 5 7: batches in turn, until one has no more.
    assert [x for x, _ in whole] == [[0, 2], [1, 3], [4, 6], [5, 7], [8]]
    loader.load_state_dict({"seed": 3, "epoch": 0, "batch": 3})
    assert rows(loader) == whole[3:]
    assert loader.epoch == 1
    assert rows(loader) != whole


def test_an_error_names_worker_sample_and_cause():
    with pytest.raises(WorkerError) as caught:
        list(DataLoader(Raises(), batch_size=4, num_workers=2))
    assert "worker 1 of 2" in str(caught.value)
    assert "ValueError while it fetched sample 7 (batch 1 of epoch 0): a bad cell in row 7" in str(
        caught.value
    )
    assert "datasets.py" in caught.value.__notes__[0]
    with pytest.raises(WorkerError, match=r"OSError while it fetched item 2 of batch 0.*: the line is dead"):
        list(DataLoader(datasets.Stops(), batch_size=4, num_workers=1))


def test_batches_before_the_error_arrive_first():
    iterator = iter(DataLoader(Raises(), batch_size=4, num_workers=2))
    assert next(iterator).tolist() == [0, 1, 2, 3]
    with pytest.raises(WorkerError, match="sample 7"):
        next(iterator)
    with pytest.raises(ArgumentError, match="was ended by an error"):
        next(iterator)


@pytest.mark.parametrize(
    "data, message",
    [
        (Signals(signal.SIGKILL), "was killed by SIGKILL, as the system does when memory runs out, while it"),
        (Signals(signal.SIGSEGV), "was killed by SIGSEGV while it"),
        (Exits(), "ended with exit code 3 while it"),
    ],
)
def test_a_worker_that_dies_is_an_error_at_once(data, message):
    with pytest.raises(WorkerError) as caught:
        list(DataLoader(data, batch_size=4, num_workers=1))
    assert f"{message} fetched sample 7 (batch 1 of epoch 0)" in str(caught.value)


def test_a_stopped_worker_is_an_error_with_and_without_a_timeout(monkeypatch):
    with pytest.raises(WorkerError, match=r"stopped by a signal.* while it fetched sample 7"):
        list(DataLoader(Signals(signal.SIGSTOP), batch_size=4, num_workers=1, timeout=0.5))
    assert pool.STOPPED_LIMIT <= 30
    monkeypatch.setattr(pool, "STOPPED_LIMIT", 0.5)
    loader = DataLoader(Signals(signal.SIGSTOP), batch_size=4, num_workers=2, persistent_workers=True)
    iterator = iter(loader)
    next(iterator)
    processes = [who.process.pid for who in loader._pool.workers]
    with pytest.raises(WorkerError, match=r"worker 1 of 2.*stopped by a signal.* while it fetched sample 7"):
        next(iterator)
    assert all(map(has_ended, processes))


@pytest.mark.slow
def test_a_slow_dataset_comes_to_no_harm_without_a_timeout(monkeypatch):
    monkeypatch.setattr(pool, "STOPPED_LIMIT", 0.2)
    assert len(list(DataLoader(Sleeps(0.8, count=2), num_workers=1))) == 2


def test_a_batch_that_takes_too_long_is_an_error():
    with pytest.raises(
        WorkerError, match=r"within the timeout of 0.3 s while it fetched sample 0 .*timeout=0"
    ):
        list(DataLoader(Sleeps(60), num_workers=1, timeout=0.3))


def test_what_cannot_be_sent_is_named():
    class Local(Numbers):
        pass

    for name, arguments in {
        "dataset": {"dataset": Local()},
        "collate_fn": {"collate_fn": lambda samples: samples},
        "worker_init_fn": {"worker_init_fn": lambda number: None},
    }.items():
        with pytest.raises(ArgumentError, match=f"the {name} cannot be sent .*use num_workers=0"):
            iter(DataLoader(**({"dataset": Numbers(), "num_workers": 1} | arguments)))
    with pytest.raises(
        WorkerError, match=r"TypeError.*the batch cannot be sent to the main process: .*generator"
    ):
        list(DataLoader(Generators(), num_workers=1, collate_fn=datasets.as_it_is))


def test_a_worker_that_does_not_get_ready_is_an_error():
    loader = DataLoader(Numbers(), num_workers=1, worker_init_fn=datasets.fail_to_start)
    with pytest.raises(
        WorkerError, match="RuntimeError while it was getting ready: no connection for worker 0"
    ):
        list(loader)


def test_workers_have_arrays_of_their_own():
    data = Overwrites()
    loader = DataLoader(data, num_workers=2, collate_fn=datasets.as_it_is)
    assert [batch[0].max() for batch in loader] == [1, 1]
    assert data.array.max() == 0


def test_no_room_for_files_is_one_clear_error(monkeypatch):
    def full():
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(pool, "nameless_file", full)
    with pytest.raises(WorkerError, match=r"2 worker processes cannot be started: .*Too many open files"):
        iter(DataLoader(Numbers(), num_workers=2))


def test_a_fork_of_the_program_leaves_the_workers_alone():
    loader = DataLoader(Numbers(6), num_workers=1, persistent_workers=True)
    iterator = iter(loader)
    next(iterator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork of several threads: this one only closes
        child = os.fork()
    if child == 0:
        loader._pool.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert [x.item() for x in iterator] == [1, 2, 3, 4, 5]


def test_the_random_state_of_the_main_process_stays_as_it_is():
    before = sg.get_rng_state()
    list(DataLoader(Noisy(4), batch_size=2, shuffle=True, num_workers=1))
    assert sg.get_rng_state() == before
