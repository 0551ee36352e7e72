"""`DataLoader`: batches of a dataset, in an order that is a function of (seed, epoch)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Generic

import numpy

from stepgrad.arrays import random
from stepgrad.data.collate import default_collate, default_convert
from stepgrad.data.dataset import IterableDataset, Sample
from stepgrad.data.fetch import (
    ENDED,
    BorrowedStreams,
    Recipe,
    Task,
    describe_place,
    fetch_seeded,
    make_fetcher,
)
from stepgrad.data.sampler import (
    BatchSampler,
    OrderSampler,
    RandomSampler,
    SequentialSampler,
    batches_in,
    check_count,
    draw_seed,
    length_of,
)
from stepgrad.errors import ArgumentError

if TYPE_CHECKING:
    from stepgrad.data.pool import Pool


class DataLoader(Generic[Sample]):
    """Iterates over the batches of a dataset, with PyTorch's arguments.

    * `dataset`: anything with ``dataset[index]`` and ``len(dataset)``, or an `IterableDataset`.
    * `batch_size`: samples in a batch, the last of which is shorter unless `drop_last`. None gives single
      samples.
    * `shuffle`: a new random order in every epoch. `sampler`: an order of your own. `batch_sampler`: lists of
      indices of your own, instead of these four arguments.
    * `collate_fn`: makes a batch of a list of samples; `default_collate` stacks them into tensors.
    * `num_workers`: processes that fetch batches ahead of time, `prefetch_factor` (default 2) of them each.
      They are fresh interpreters to which dataset, collate_fn and worker_init_fn are sent, and which import
      the main program for the classes in it: what a script does stands under ``if __name__ == "__main__":``,
      and a notebook imports the class of its dataset from a file. Starting one takes as long as importing
      stepgrad; with `persistent_workers` that happens once instead of in every epoch.
    * `timeout`: seconds that a worker may take for a batch. 0, the default, waits as long as it runs, so that
      a slow dataset does no harm; a worker that something stopped (SIGSTOP) is an error after 10 s in any
      case.
    * `worker_init_fn`: called with the worker's number when it starts.
    * `pin_memory`: accepted, and without effect: memory goes to a GPU as it is.
    * `seed`: the seed of everything random here; by default the one of `manual_seed`, or one drawn from
      `generator`.

    **Order and randomness.** The order is a function of (seed, epoch). For every batch stepgrad's random
    generators are seeded by (seed, epoch, batch), so a dataset that draws from them gives the same numbers
    with any number of workers. In workers `random` and `numpy.random` are seeded like that as well; in the
    main process they are left alone.

    **Position.** Every iteration is one epoch: the next one if the last was begun. `set_epoch` chooses.
    `state_dict` is where the newest iterator stands, (seed, epoch, batch); an iterator started after
    `load_state_dict` goes on there, without fetching earlier batches (an `IterableDataset` must run through
    its samples again).

    Raises `ArgumentError` for arguments that do not fit together, and while iterating `WorkerError`, which
    names the worker, the sample and the original error, for a worker that raises, dies, is stopped or exceeds
    the timeout.

    >>> import numpy
    >>> from stepgrad.data.dataset import TensorDataset
    >>> data = TensorDataset(numpy.arange(5, dtype="float32"))
    >>> [x.tolist() for x, in DataLoader(data, batch_size=2)]
    [[0.0, 1.0], [2.0, 3.0], [4.0]]
    >>> loader = DataLoader(data, batch_size=2, shuffle=True, seed=3)
    >>> first = next(iter(loader))
    >>> loader.state_dict()
    {'seed': 3, 'epoch': 0, 'batch': 1}
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        *,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        generator: random.Generator | None = None,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        seed: int | None = None,
    ) -> None:
        if generator is not None and seed is not None:
            raise ArgumentError("give the DataLoader a seed or a generator, not both.")
        _check_samplers(dataset, batch_size, shuffle, sampler, batch_sampler, drop_last)
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        for name, function in (("collate_fn", collate_fn), ("worker_init_fn", worker_init_fn)):
            if function is not None and not callable(function):
                raise ArgumentError(f"{name} must be a function, not {type(function).__name__}.")
        self.dataset, self.num_workers, self.drop_last = dataset, int(num_workers), bool(drop_last)
        self.timeout, self.worker_init_fn, self.generator = float(timeout), worker_init_fn, generator
        self.prefetch_factor = (prefetch_factor or 2) if num_workers else None
        self.persistent_workers = persistent_workers
        self.batch_size = None if batch_sampler is not None else batch_size
        self._iterable = isinstance(dataset, IterableDataset)
        if sampler is None and not self._iterable and batch_sampler is None:
            sampler = RandomSampler(dataset) if shuffle else SequentialSampler(dataset)
        if batch_sampler is None and batch_size is not None and not self._iterable:
            batch_sampler = BatchSampler(sampler, batch_size, self.drop_last)
        self.sampler = sampler if batch_sampler is None else getattr(batch_sampler, "sampler", sampler)
        self.batch_sampler = batch_sampler
        batched = batch_sampler is not None or batch_size is not None
        self.collate_fn = collate_fn or (default_collate if batched else default_convert)
        self.seed = _seed(seed, generator)
        self._batched = batched
        self._pool: Pool | None = None
        self._position = Position(0, 0)

    def __len__(self) -> int:
        if not self._iterable:
            return len(self.batch_sampler if self._batched else self.sampler)
        if not hasattr(self.dataset, "__len__"):
            # Python itself asks for a length in list(loader), and goes on without one after a TypeError only.
            raise TypeError(
                f"a DataLoader of {type(self.dataset).__name__}, which has no __len__, has no length"
            )
        size = len(self.dataset)
        return size if self.batch_size is None else batches_in(size, self.batch_size, self.drop_last)

    # -------------------------------------------------------------------------------- position

    @property
    def epoch(self) -> int:
        """The epoch of the newest iterator; of the next one where none is under way."""
        return self.state_dict()["epoch"]

    def set_epoch(self, epoch: int) -> None:
        """Let the next iterator begin at the start of `epoch`, an integer of at least 0."""
        self._position = Position(check_count("epoch", epoch, least=0), 0)

    def state_dict(self) -> dict[str, int]:
        """Return the position: {"seed", "epoch", "batch"}; batch counts those handed out in this epoch.

        At the end of an epoch that is the start of the next one.
        """
        at = self._position
        epoch, batch = (at.epoch + 1, 0) if at.finished else (at.epoch, at.batch)
        return {"seed": self.seed, "epoch": epoch, "batch": batch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let the next iterator begin at a position that `state_dict` returned.

        Raises `ArgumentError` where an entry is missing or no integer of at least 0.
        """
        missing = [name for name in ("seed", "epoch", "batch") if name not in state]
        if missing:
            raise ArgumentError(
                f"a loader's state has seed, epoch and batch; {', '.join(missing)} is missing."
            )
        epoch, batch = (check_count(name, state[name], least=0) for name in ("epoch", "batch"))
        seed = _seed(state["seed"], None)
        if seed != self.seed:
            self.close()  # the workers have the old seed
        self.seed, self._position = seed, Position(epoch, batch)

    # ------------------------------------------------------------------------------- iteration

    def __iter__(self) -> LoaderIterator:
        at = self._position
        epoch, first = (at.epoch + 1, 0) if at.begun else (at.epoch, at.batch)
        recipe = Recipe(self.dataset, self.collate_fn, self._batched, self.drop_last, self.seed)
        tasks = self._tasks(epoch, first)
        results = self._fetch_in_workers(recipe, tasks) if self.num_workers else _fetch_here(recipe, tasks)
        # Samples of an IterableDataset are gone past, not left out.
        if self._iterable:
            results = islice(results, first, None)
        self._position = Position(epoch, first, begun=True)
        return LoaderIterator(results, self._position)

    def close(self) -> None:
        """End the workers that `persistent_workers` keeps. A later iteration starts new ones."""
        if self._pool is not None:
            self._pool.close()

    def gathers_by_index(self) -> bool:
        """Return whether a batch is what `default_collate` makes of the samples at some indices.

        If the dataset lies in memory, the batch can be gathered without this loader and its workers then.
        """
        return not self._iterable and self._batched and self.collate_fn is default_collate

    def index_batches(self) -> LoaderIterator:
        """Return an iterator over the indices of the batches, instead of the batches; the position moves
        on alike.
        """
        at = self._position
        epoch, first = (at.epoch + 1, 0) if at.begun else (at.epoch, at.batch)
        indices = map(numpy.asarray, self._indices(epoch, first))
        self._position = Position(epoch, first, begun=True)
        return LoaderIterator(indices, self._position)

    def _tasks(self, epoch: int, first: int) -> Iterator[Task]:
        if self._iterable:
            size = 1 if self.batch_size is None else self.batch_size
            return (Task(epoch, number, size, skip=number < first) for number in count())
        return (Task(epoch, first + n, indices) for n, indices in enumerate(self._indices(epoch, first)))

    def _indices(self, epoch: int, first: int) -> Iterator[Any]:
        """Yield the indices of the batches of an epoch, from batch `first` on."""
        for sampler in (self.sampler, self.batch_sampler):
            if isinstance(sampler, OrderSampler):  # others have theirs from whoever iterates, as in PyTorch
                sampler.set_epoch(epoch)
        streams = BorrowedStreams(self.seed, "order", epoch)
        if self._order_is_known():
            with streams:
                order = self.sampler.order()
            yield from self._cut(order, first)
            return
        # A sampler that draws random numbers does so while it is iterated over.
        with streams:
            source = iter(self.batch_sampler if self._batched else self.sampler)
        end = object()
        for number in count():
            with streams:
                indices = next(source, end)
            if indices is end:
                _check_position(first, number)
                return
            if number >= first:
                yield indices

    def _cut(self, order: Any, first: int) -> Iterator[Any]:
        """Yield the batches of an order, from batch `first` on; single indices if there are no batches."""
        size, drop_last = 1, False
        if self._batched:
            size, drop_last = self.batch_sampler.batch_size, self.batch_sampler.drop_last
        total = batches_in(len(order), size, drop_last)
        _check_position(first, total)
        for number in range(first, total):
            yield order[number * size : (number + 1) * size] if self._batched else int(order[number])

    def _order_is_known(self) -> bool:
        plain = (
            isinstance(self.sampler, OrderSampler) and type(self.sampler).__iter__ is OrderSampler.__iter__
        )
        return plain and (not self._batched or type(self.batch_sampler) is BatchSampler)

    def _fetch_in_workers(self, recipe: Recipe, tasks: Iterator[Task]) -> Iterator[Any]:
        from stepgrad.data.pool import Pool

        pool = self._pool
        if pool is None or pool.closed:
            assert self.prefetch_factor is not None
            pool = Pool(recipe, self.num_workers, self.prefetch_factor, self.timeout, self.worker_init_fn)
        if self.persistent_workers:
            self._pool = pool
            return pool.batches(tasks)
        return _fetch_once(pool, tasks)


@dataclass
class Position:
    """Where an iteration stands."""

    epoch: int
    batch: int  # how many of the epoch were handed out
    begun: bool = False  # False where this is the start of an iteration that is still to come
    finished: bool = False


class LoaderIterator:
    """One epoch of a `DataLoader`.

    The loader shares its position, but has no reference to it: when a loop is left early, it ends, and its
    workers with it.
    """

    def __init__(self, batches: Iterator[Any], position: Position) -> None:
        self._batches, self._position = batches, position
        self._failed = False

    def __iter__(self) -> LoaderIterator:
        return self

    def __next__(self) -> Any:
        if self._failed:
            raise ArgumentError(
                "this iterator was ended by an error. Begin a new one with iter(loader), "
                "after loader.load_state_dict(loader.state_dict()) to go on at the batch where it stood."
            )
        try:
            batch = next(self._batches)
        except StopIteration:
            self._position.finished = True
            raise
        except BaseException:
            self._failed = True
            raise
        self._position.batch += 1
        return batch


def _check_position(first: int, total: int) -> None:
    if first > total:
        raise ArgumentError(
            f"the loader is to go on at batch {first}, but the epoch has only {total} batches. "
            "Was the position saved with another dataset or batch_size?"
        )


def _fetch_here(recipe: Recipe, tasks: Iterator[Task]) -> Iterator[Any]:
    place = [-1]
    fetcher = make_fetcher(recipe, place)
    for task in tasks:
        place[0] = -1
        try:
            batch = fetch_seeded(fetcher, task)
        except Exception as error:
            error.add_note(
                f"This was raised while the DataLoader fetched {describe_place(recipe, task, place[0])}."
            )
            raise
        if batch is ENDED:
            return
        yield batch


def _fetch_once(pool: Pool, tasks: Iterator[Task]) -> Iterator[Any]:
    try:
        yield from pool.batches(tasks)
    finally:
        pool.close()


def _check_samplers(
    dataset: Any, batch_size: Any, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: Any
) -> None:
    if batch_size is not None:
        check_count("batch_size", batch_size)
    elif drop_last:
        raise ArgumentError(
            "drop_last=True needs a batch_size; with batch_size=None every sample comes by itself."
        )
    if isinstance(dataset, IterableDataset):
        given = {
            "shuffle=True": shuffle,
            "sampler": sampler is not None,
            "batch_sampler": batch_sampler is not None,
        }
        for name, is_given in given.items():
            if is_given:
                raise ArgumentError(
                    f"{name} does not go with {type(dataset).__name__}: an IterableDataset has an order of "
                    "its own. Shuffle in its __iter__, or make it a Dataset with __getitem__ and __len__."
                )
        return
    if not hasattr(dataset, "__getitem__"):
        raise ArgumentError(
            f"a DataLoader needs dataset[index], which {type(dataset).__name__} does not have. Define "
            "__getitem__(self, index) and __len__(self), or make it an IterableDataset with __iter__."
        )
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ArgumentError(
            "batch_sampler already says it all: leave out batch_size, shuffle, sampler and drop_last."
        )
    if sampler is not None and shuffle:
        raise ArgumentError("give a sampler or shuffle=True, not both: the sampler decides the order.")
    for name, order in (("sampler", sampler), ("batch_sampler", batch_sampler)):
        if order is not None and not hasattr(order, "__iter__"):
            raise ArgumentError(
                f"{name} must yield indices when iterated over; {type(order).__name__} cannot."
            )
    if sampler is None and batch_sampler is None:
        length_of(dataset, "DataLoader")


def _check_workers(num_workers: Any, timeout: Any, prefetch_factor: Any, persistent_workers: bool) -> None:
    check_count("num_workers", num_workers, least=0)
    number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if not number or not 0 <= timeout < float("inf"):
        raise ArgumentError(f"timeout must be a number of seconds of at least 0, not {timeout!r}.")
    if prefetch_factor is not None:
        check_count("prefetch_factor", prefetch_factor)
    if num_workers and os.name != "posix":
        raise ArgumentError("worker processes need Linux or macOS; on this system use num_workers=0.")
    if num_workers:
        return
    needless = {
        "timeout": timeout,
        "prefetch_factor": prefetch_factor,
        "persistent_workers": persistent_workers,
    }
    for name, value in needless.items():
        if value:
            raise ArgumentError(
                f"{name} is about worker processes: leave it out, or set num_workers to 1 or more."
            )


def _seed(seed: int | None, generator: random.Generator | None) -> int:
    if generator is not None:
        return draw_seed(generator)
    return random.initial_seed() if seed is None else random.stream(seed).initial_seed()
