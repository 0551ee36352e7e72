"""Samplers: the order in which a `DataLoader` visits a dataset.

A sampler without a generator of its own draws from stepgrad's default generator. Inside a `DataLoader` that
generator is set to a stream of (seed, epoch) while the sampler runs, so the order is a pure function of the
two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy

from stepgrad.arrays import random
from stepgrad.errors import ArgumentError

Index = TypeVar("Index", covariant=True)


class Sampler(Generic[Index]):
    """Base of samplers: `__iter__` yields the indices of one epoch; `__len__`, where known, says how many.

    >>> class Backwards(Sampler):
    ...     def __init__(self, data):
    ...         self.data = data
    ...     def __iter__(self):
    ...         return iter(range(len(self.data) - 1, -1, -1))
    >>> list(Backwards("abc"))
    [2, 1, 0]
    """

    def __iter__(self) -> Iterator[Index]:
        raise ArgumentError(f"{type(self).__name__} must define __iter__, which yields indices.")


_HELD = 2**20
"""Up to how many indices of an order are held in the memory at once."""


class Draws:
    """`count` integers below `n`, drawn where they are looked at: those of ``generator.integers(0, n)``.

    Makes an epoch of 10¹⁰ draws cost nothing, since a number of a counter-based stream is a function of its
    place.

    >>> generator = random.Generator()
    >>> expected = random.Generator().integers(0, 5, (9,))
    >>> [int(i) for i in Draws(generator, 5, 9)] == expected.tolist()
    True
    """

    def __init__(self, generator: random.Generator, n: int, count: int) -> None:
        self._seed, self._stream, self._n, self._count = generator.seed, generator.stream, n, count
        self._first = generator.take(-(-count // random.WORDS))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, part: Any) -> Any:
        if not isinstance(part, slice):
            return self[part : part + 1][0]
        start, stop, _ = part.indices(self._count)
        skipped, rest = divmod(start, random.WORDS)
        raw = random.words(self._seed, self._stream, self._first + skipped, stop - start + rest)
        return (raw[rest:] % numpy.uint64(self._n)).astype(numpy.int64)

    def __iter__(self) -> Iterator[int]:
        for start in range(0, self._count, _HELD):
            yield from self[start : start + _HELD].tolist()


class OrderSampler(Sampler):
    """Base of the samplers that know a whole epoch at once: `order` returns its indices as an int64 array.

    `DataLoader` cuts batches out of that array, and starts in the middle of an epoch without walking up to
    it. With a generator, the sampler draws one seed from it when it is made; `set_epoch`, which `DataLoader`
    calls, then chooses the epoch, and an iteration outside a loader goes on to the next.
    """

    def __init__(self, generator: random.Generator | None = None) -> None:
        self.generator = generator
        self.epoch = 0
        self._seed = None if generator is None else draw_seed(generator)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next; it matters where the sampler has a generator of its
        own."""
        self.epoch = epoch

    def order(self) -> Any:
        """Return the indices of one epoch, int64 of shape (len(self),), or `Draws` of a very long one."""
        raise ArgumentError(f"{type(self).__name__} must define order(), which returns an int64 array.")

    def __iter__(self) -> Iterator[int]:
        order = self.order()
        self.epoch += 1
        return iter(order.tolist() if isinstance(order, numpy.ndarray) else order)

    def _draws(self) -> random.Generator:
        if self._seed is None:
            return random.default_generator
        return random.stream(self._seed, "order", self.epoch)


class SequentialSampler(OrderSampler):
    """Visits 0, 1, …, len(data_source) - 1.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        super().__init__()
        self.data_source = data_source
        length_of(data_source, "SequentialSampler")

    def order(self) -> numpy.ndarray:
        """Return 0 … n - 1."""
        return numpy.arange(len(self.data_source), dtype=numpy.int64)

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(OrderSampler):
    """Visits a dataset in random order.

    `replacement=True` draws each index independently; `num_samples` (default: the dataset's length) says how
    many are drawn, without replacement in whole permutations first. Raises `ArgumentError` for a dataset
    without a length or without samples, and for `num_samples` below 1.

    >>> from stepgrad.arrays.random import Generator
    >>> sorted(RandomSampler("abcd", generator=Generator().manual_seed(1)))
    [0, 1, 2, 3]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: random.Generator | None = None,
    ) -> None:
        super().__init__(generator)
        self.data_source, self.replacement = data_source, replacement
        if length_of(data_source, "RandomSampler") == 0:
            raise ArgumentError("RandomSampler got a dataset with 0 samples; it needs at least 1.")
        if num_samples is not None:
            check_count("num_samples", num_samples)
        self._num_samples = num_samples

    @property
    def num_samples(self) -> int:
        """How many indices an epoch has."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def order(self) -> Any:
        """Return the random order."""
        draws, n, count = self._draws(), len(self.data_source), self.num_samples
        if self.replacement:
            return draws.integers(0, n, (count,)) if count <= _HELD else Draws(draws, n, count)
        rounds = -(-count // n)
        return numpy.concatenate([draws.permutation(n) for _ in range(rounds)])[:count]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(OrderSampler):
    """Visits the given indices in random order, each once.

    >>> sorted(SubsetRandomSampler([5, 7, 9]))
    [5, 7, 9]
    """

    def __init__(self, indices: Sequence[int], generator: random.Generator | None = None) -> None:
        super().__init__(generator)
        self.indices = indices

    def order(self) -> numpy.ndarray:
        """Return the indices, permuted."""
        return numpy.asarray(self.indices, dtype=numpy.int64)[self._draws().permutation(len(self.indices))]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(OrderSampler):
    """Draws `num_samples` indices with probability proportional to `weights` (N numbers, not negative, of any
    sum).

    Without replacement each index comes at most once, chosen as in successive draws (Efraimidis and Spirakis,
    "Weighted random sampling with a reservoir", 2006: the smallest of exponential times with these rates).
    Raises `ArgumentError` for negative or non-finite weights, weights that are all 0, and more samples than
    indices of positive weight.

    >>> list(WeightedRandomSampler([0.0, 3.0, 0.0], num_samples=3))
    [1, 1, 1]
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: random.Generator | None = None,
    ) -> None:
        super().__init__(generator)
        self.weights = numpy.asarray(weights, dtype=numpy.float64)
        self.num_samples, self.replacement = check_count("num_samples", num_samples), replacement
        if self.weights.ndim != 1:
            raise ArgumentError(f"weights must be one number per sample, not of shape {self.weights.shape}.")
        if not (numpy.isfinite(self.weights).all() and (self.weights >= 0).all() and self.weights.any()):
            raise ArgumentError("weights must be finite, none below 0 and not all 0.")
        positive = int(numpy.count_nonzero(self.weights))
        if not replacement and num_samples > positive:
            raise ArgumentError(
                f"num_samples={num_samples} without replacement needs as many indices of positive weight; "
                f"there are {positive}. Use fewer samples or replacement=True."
            )

    def order(self) -> numpy.ndarray:
        """Return the drawn indices."""
        draws = self._draws()
        if self.replacement:
            edges = numpy.cumsum(self.weights)
            chosen = numpy.searchsorted(
                edges, draws.random((self.num_samples,), "float64") * edges[-1], "right"
            )
            # Rounding of the product can reach the last edge itself.
            return numpy.minimum(chosen, numpy.flatnonzero(self.weights)[-1])
        times = -numpy.log1p(-draws.random(self.weights.shape, "float64"))
        with numpy.errstate(divide="ignore", invalid="ignore"):
            times = numpy.where(self.weights > 0, times / self.weights, numpy.inf)
        return numpy.argsort(times, kind="stable")[: self.num_samples]

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Groups the indices of `sampler` into lists of `batch_size`; the last may be shorter unless `drop_last`.

    >>> list(BatchSampler(SequentialSampler("abcde"), 2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool) -> None:
        self.sampler, self.drop_last = sampler, drop_last
        self.batch_size = check_count("batch_size", batch_size)

    def __iter__(self) -> Iterator[list[Any]]:
        batch: list[Any] = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        return batches_in(len(self.sampler), self.batch_size, self.drop_last)


def batches_in(count: int, batch_size: int, drop_last: bool) -> int:
    """Return how many batches `count` samples make.

    >>> batches_in(5, 2, drop_last=False), batches_in(5, 2, drop_last=True)
    (3, 2)
    """
    return count // batch_size if drop_last else -(-count // batch_size)


def check_count(name: str, value: Any, least: int = 1) -> int:
    """Return `value` if it is an integer of at least `least`, else raise `ArgumentError` that names it."""
    if isinstance(value, bool) or not isinstance(value, (int, numpy.integer)) or value < least:
        raise ArgumentError(f"{name} must be an integer of at least {least}, not {value!r}.")
    return int(value)


def length_of(dataset: Any, who: str) -> int:
    """Return `len(dataset)`; raise `ArgumentError` where the dataset has none."""
    try:
        return len(dataset)
    except TypeError:
        raise ArgumentError(
            f"{who} needs the number of samples, but {type(dataset).__name__} has no __len__. "
            "Define __len__(self), or make it an IterableDataset."
        ) from None


def draw_seed(generator: Any) -> int:
    """Return a seed drawn from a stepgrad `Generator`; raise `ArgumentError` for anything else."""
    if not isinstance(generator, random.Generator):
        raise ArgumentError(f"generator must be a stepgrad.Generator, not {type(generator).__name__}.")
    return int(generator.integers(0, 2**63 - 1))
