"""Datasets for the tests of loaders: in a file of their own, so that worker processes can import them."""

import os
import random
import signal
import time
from typing import NamedTuple

import numpy

import stepgrad as sg
from stepgrad.data import Dataset, IterableDataset, get_worker_info


class Numbers(Dataset):
    """Sample i is i."""

    def __init__(self, count=20):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(index)
        return index


class Noisy(Numbers):
    """Samples with every kind of randomness: stepgrad's generator, the libraries', and none."""

    def __getitem__(self, index):
        return {
            "index": index,
            "stepgrad": sg.rand(3),
            "libraries": numpy.array([random.random(), numpy.random.rand()]),  # noqa: NPY002
            "large": numpy.full((1000,), index, dtype=numpy.float32),
        }


class OnlyFrom(Numbers):
    """Refuses the samples before `first`."""

    def __init__(self, count, first):
        super().__init__(count)
        self.first = first

    def __getitem__(self, index):
        assert index >= self.first, f"sample {index} was fetched"
        return index


class Raises(Numbers):
    """Raises at sample 7."""

    def __getitem__(self, index):
        if index == 7:
            raise ValueError("a bad cell in row 7")
        return index


class Signals(Numbers):
    """At sample 7 the process sends a signal to itself."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def __getitem__(self, index):
        if index == 7:
            os.kill(os.getpid(), self.number)
        return index


class Exits(Numbers):
    """At sample 7 the process ends."""

    def __getitem__(self, index):
        if index == 7:
            os._exit(3)
        return index


class Sleeps(Numbers):
    """Takes `seconds` for each sample."""

    def __init__(self, seconds, count=4):
        super().__init__(count)
        self.seconds = seconds

    def __getitem__(self, index):
        time.sleep(self.seconds)
        return index


class Who(Numbers):
    """Tells about the worker that fetches: its process, number, and what `remember_worker` put down in it."""

    def __getitem__(self, index):
        info = get_worker_info()
        return index, os.getpid(), info.id, info.num_workers, remembered.get("worker", -1)


remembered = {}


def remember_worker(number):
    remembered["worker"] = number


def fail_to_start(number):
    raise RuntimeError(f"no connection for worker {number}")


class Overwrites(Dataset):
    """Writes into its own array, as careless augmentations do."""

    def __init__(self):
        self.array = numpy.zeros(5000)

    def __len__(self):
        return 2

    def __getitem__(self, index):
        self.array += 1
        return self.array


class Generators(Numbers):
    """Gives samples that no other process can be given."""

    def __getitem__(self, index):
        return (number for number in range(3))


def as_it_is(samples):
    return samples


class Shards(IterableDataset):
    """`count` samples, shared between workers in turn; each has noise beside it."""

    def __init__(self, count):
        self.count = count

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        for index in range(first, self.count, step):
            yield index, sg.rand(1)


class Stops(IterableDataset):
    """Raises after two samples."""

    def __iter__(self):
        yield 0
        yield 1
        raise OSError("the line is dead")


class Point(NamedTuple):
    x: int
    y: int


KILL, STOP = signal.SIGKILL, signal.SIGSTOP
