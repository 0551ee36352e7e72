"""Fetching a batch: the one piece of code that runs in the main process and in worker processes alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy

from stepgrad.arrays import random
from stepgrad.data.collate import default_collate
from stepgrad.data.dataset import IterableDataset, gather_of


class BorrowedStreams:
    """stepgrad's default generators, set to streams of (seed, *path) inside ``with``, and put back behind it.

    Entered again, the streams go on where they stood.

    >>> from stepgrad.arrays.random import default_generator
    >>> before = default_generator.get_state()
    >>> with BorrowedStreams(7, "example", 3):
    ...     number = default_generator.random()
    >>> default_generator.get_state() == before
    True
    """

    __slots__ = ("_outside", "_state")

    def __init__(self, seed: int, *path: Any) -> None:
        names = random.get_rng_state()
        self._state = {name: random.stream(seed, name, *path).get_state() for name in names}

    def __enter__(self) -> None:
        self._outside = random.get_rng_state()
        random.set_rng_state(self._state)

    def __exit__(self, *_: object) -> None:
        self._state = random.get_rng_state()
        random.set_rng_state(self._outside)


@dataclass(frozen=True)
class Recipe:
    """What every process needs to fetch batches: all that is the same for the whole life of a loader."""

    dataset: Any
    collate_fn: Callable[[Any], Any]
    batched: bool  # False where batch_size is None: a "batch" is one sample then
    drop_last: bool
    seed: int


class Task(NamedTuple):
    """One batch to fetch."""

    epoch: int
    batch: int
    indices: Any  # an array or list, or one index if not batched; how many to take of an IterableDataset
    skip: bool = False  # go past these samples without making a batch of them


class Ended:
    """What is fetched from an IterableDataset that has no more samples."""


ENDED = Ended()


class WorkerInfo(NamedTuple):
    """What `get_worker_info` tells: the worker's number `id` from 0, how many there are, its seed, its
    dataset.

    >>> import stepgrad as sg
    >>> sg.data.get_worker_info() is None
    True
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


_worker_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Return the `WorkerInfo` of the worker process in which this is called, None in the main process.

    >>> print(get_worker_info())
    None
    """
    return _worker_info


def set_worker_info(info: WorkerInfo) -> None:
    """Declare that this process is a worker."""
    global _worker_info
    _worker_info = info


class MapFetcher:
    """Fetches batches of a dataset with an index.

    `place` is a list or array of which entry 0 is kept at the number, within the batch, of the sample that is
    being fetched, and at -1 otherwise: it tells where an error, or the end of the process, came from.
    """

    def __init__(self, recipe: Recipe, place: Any) -> None:
        self.recipe, self.place = recipe, place
        takes_arrays = recipe.batched and recipe.collate_fn is default_collate
        self.gather = gather_of(recipe.dataset) if takes_arrays else None
        self.runs_user_code = self.gather is None

    def fetch(self, task: Task) -> Any:
        """Return the batch."""
        if self.gather is not None:
            return self.gather(numpy.asarray(task.indices, dtype=numpy.int64))
        recipe, indices = self.recipe, task.indices
        if isinstance(indices, numpy.ndarray):
            indices = indices.tolist()
        if not recipe.batched:
            return recipe.collate_fn(self._samples([indices])[0])
        fetch_many = getattr(recipe.dataset, "__getitems__", None)
        samples = fetch_many(indices) if callable(fetch_many) else self._samples(indices)
        return recipe.collate_fn(samples)

    def _samples(self, indices: Any) -> list[Any]:
        dataset, place, samples = self.recipe.dataset, self.place, []
        for position, index in enumerate(indices):
            place[0] = position
            samples.append(dataset[index])
        place[0] = -1
        return samples


class IterableFetcher:
    """Fetches batches of one iteration over an IterableDataset; tasks must come in order, starting with the
    first."""

    runs_user_code = True

    def __init__(self, recipe: Recipe, place: Any) -> None:
        self.recipe, self.place = recipe, place
        self.samples: Iterator[Any] | None = None
        self.ended = False

    def fetch(self, task: Task) -> Any:
        """Return the batch, or `ENDED`; for a task to be skipped, None or `ENDED`."""
        recipe = self.recipe
        if self.samples is None:
            self.samples = iter(recipe.dataset)
        taken = self._take(task.indices)
        if not taken or (recipe.drop_last and len(taken) < task.indices):
            return ENDED
        if task.skip:
            return None
        return recipe.collate_fn(taken if recipe.batched else taken[0])

    def _take(self, count: int) -> list[Any]:
        assert self.samples is not None
        place, taken = self.place, []
        for position in range(0 if self.ended else count):
            place[0] = position
            try:
                taken.append(next(self.samples))
            except StopIteration:
                self.ended = True
                break
        place[0] = -1
        return taken


Fetcher = MapFetcher | IterableFetcher


def make_fetcher(recipe: Recipe, place: Any) -> Fetcher:
    """Return the fetcher for one epoch over the recipe's dataset."""
    kind = IterableFetcher if isinstance(recipe.dataset, IterableDataset) else MapFetcher
    return kind(recipe, place)


def fetch_seeded(fetcher: Fetcher, task: Task) -> Any:
    """Fetch with stepgrad's default generators seeded by (seed, epoch, batch), whichever process this is."""
    if not fetcher.runs_user_code:
        return fetcher.fetch(task)
    with BorrowedStreams(fetcher.recipe.seed, "batch", task.epoch, task.batch):
        return fetcher.fetch(task)


def describe_place(recipe: Recipe, task: Task, position: int) -> str:
    """Say what was being fetched, such as ``sample 17 (batch 4 of epoch 0)``.

    >>> recipe = Recipe("some dataset", default_collate, batched=True, drop_last=False, seed=0)
    >>> describe_place(recipe, Task(0, 4, [16, 17, 18]), 1)
    'sample 17 (batch 4 of epoch 0)'
    >>> describe_place(recipe, Task(0, 4, [16, 17, 18]), -1)
    'batch 4 of epoch 0 (samples 16, 17, 18)'
    """
    batch = f"batch {task.batch} of epoch {task.epoch}"
    if isinstance(recipe.dataset, IterableDataset):
        return f"item {position} of {batch}" if position >= 0 else batch
    indices = list(map(str, task.indices if recipe.batched else [task.indices]))
    if 0 <= position < len(indices):
        return f"sample {indices[position]} ({batch})"
    if len(indices) > 8:
        indices[4:-1] = ["…"]
    return f"{batch} (samples {', '.join(indices)})"
