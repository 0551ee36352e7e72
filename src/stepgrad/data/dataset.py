"""Datasets: things that give samples by index, or one after another."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import Any, Generic, TypeVar

import numpy

from stepgrad.arrays import devices, random
from stepgrad.data.sampler import length_of
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import from_numpy
from stepgrad.tensor import Tensor

Sample = TypeVar("Sample", covariant=True)

log = logging.getLogger("stepgrad")


class Dataset(Generic[Sample]):
    """Base of datasets with an index: define `__getitem__(index)` and `__len__()`.

    A class that can fetch many samples at once may define `__getitems__(indices)`, which returns them as a
    list.

    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, index):
    ...         return index * index
    >>> Squares()[3], len(Squares() + Squares())
    (9, 8)
    """

    def __getitem__(self, index: Any) -> Sample:
        raise ArgumentError(f"{type(self).__name__} must define __getitem__(self, index).")

    def __add__(self, other: Any) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[Sample]):
    """Base of datasets that give one sample after another: define `__iter__()`.

    With worker processes every worker iterates over a copy of its own, so share the work by
    `get_worker_info`, otherwise each sample comes once per worker.

    >>> class Lines(IterableDataset):
    ...     def __iter__(self):
    ...         yield from ("first", "second")
    >>> list(Lines())
    ['first', 'second']
    """

    def __iter__(self) -> Iterator[Sample]:
        raise ArgumentError(f"{type(self).__name__} must define __iter__(self).")


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Samples held in tensors (or NumPy arrays, whose memory is shared): sample i is the tuple of their rows
    i.

    Raises `ArgumentError` for no tensors and `ShapeError` where they differ in their first size.
    `DataLoader` gathers a whole batch with one array operation per tensor.

    >>> import numpy
    >>> data = TensorDataset(numpy.arange(6.0).reshape(3, 2), numpy.array([0, 1, 0]))
    >>> len(data), data[1][0].numpy(), data[1][1].item()
    (3, array([2., 3.]), 1)
    """

    def __init__(self, *tensors: Any) -> None:
        if not tensors:
            raise ArgumentError("TensorDataset needs at least one tensor.")
        self.tensors = tuple(t if isinstance(t, Tensor) else from_numpy(numpy.asarray(t)) for t in tensors)
        shapes = [tuple(t.shape) for t in self.tensors]
        if not all(shapes) or len({shape[0] for shape in shapes}) > 1:
            raise ShapeError(
                "TensorDataset needs tensors of the same first size, the number of samples; "
                f"the shapes are {', '.join(map(str, shapes))}."
            )

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])

    def gather(self, indices: numpy.ndarray) -> list[Tensor]:
        """Return what `default_collate` makes of the samples `indices` (int64, shape (B,)): B rows of each
        tensor.

        >>> import numpy
        >>> TensorDataset(numpy.arange(8).reshape(4, 2)).gather(numpy.array([3, 0]))[0].numpy()
        array([[6, 7],
               [0, 1]])
        """
        return [_rows(tensor, indices) for tensor in self.tensors]


def _rows(tensor: Tensor, indices: numpy.ndarray) -> Tensor:
    array = tensor._array
    if not isinstance(array, numpy.ndarray):
        indices = devices.module_of(array).asarray(indices)
    return Tensor._of(array.take(indices, axis=0))


class ConcatDataset(Dataset[Any]):
    """Datasets put one behind the other. Raises `ArgumentError` for none, or for an `IterableDataset` among
    them.

    >>> ConcatDataset(["ab", "cde"])[3]
    'd'
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError("ConcatDataset needs at least one dataset.")
        for dataset in self.datasets:
            if isinstance(dataset, IterableDataset):
                raise ArgumentError(
                    f"ConcatDataset needs datasets with an index, not {type(dataset).__name__}."
                )
        self.cumulative_sizes = list(accumulate(length_of(d, "ConcatDataset") for d in self.datasets))

    def __getitem__(self, index: int) -> Any:
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} samples")
        which = bisect_right(self.cumulative_sizes, place)
        return self.datasets[which][place - (self.cumulative_sizes[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset[Any]):
    """The samples of several `IterableDataset`s, one behind the other. Raises `ArgumentError` for others.

    >>> class Letters(IterableDataset):
    ...     def __init__(self, text):
    ...         self.text = text
    ...     def __iter__(self):
    ...         return iter(self.text)
    >>> list(ChainDataset([Letters("ab"), Letters("c")]))
    ['a', 'b', 'c']
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise ArgumentError(f"ChainDataset needs IterableDatasets, not {type(dataset).__name__}.")

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(map(len, self.datasets))


class StackDataset(Dataset[Any]):
    """Datasets side by side: sample i is the tuple of their samples i, or with names a dict of them.

    Raises `ArgumentError` for none, for names with some only, and for datasets of different lengths.

    >>> StackDataset(["a", "b"], [0, 1])[1], StackDataset(text=["a", "b"], label=[0, 1])[0]
    (('b', 1), {'text': 'a', 'label': 0})
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise ArgumentError("StackDataset takes datasets by position, or all of them by name.")
        self.datasets: Any = args or kwargs
        lengths = [length_of(each, "StackDataset") for each in (args or tuple(kwargs.values()))]
        if len(set(lengths)) > 1:
            raise ArgumentError(f"StackDataset needs datasets of one length; they have {lengths}.")
        self._length = lengths[0]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __len__(self) -> int:
        return self._length


class Subset(Dataset[Any]):
    """The samples of `dataset` at `indices`, in that order.

    >>> list(Subset("abcd", [3, 1]))
    ['d', 'b']
    """

    def __init__(self, dataset: Any, indices: Sequence[Any] | numpy.ndarray) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self._inner(i) for i in index]]
        return self.dataset[self._inner(index)]

    def __getitems__(self, indices: list[Any]) -> list[Any]:
        inner = [self._inner(i) for i in indices]
        fetch_many = getattr(self.dataset, "__getitems__", None)
        return fetch_many(inner) if callable(fetch_many) else [self.dataset[i] for i in inner]

    def _inner(self, index: Any) -> Any:
        # A dataset's author expects Python's own integers, as in a list of indices.
        inner = self.indices[index]
        return int(inner) if isinstance(inner, numpy.integer) else inner

    def __len__(self) -> int:
        return len(self.indices)


def gather_of(dataset: Any) -> Callable[[numpy.ndarray], list[Tensor]] | None:
    """Return a function that gathers a batch of `dataset` at once, or None where samples must be fetched one
    by one.

    That is `TensorDataset` and subsets of it, unless a subclass has its own `__getitem__` or a tensor needs a
    gradient.
    """
    fetch = type(dataset).__getitem__ if isinstance(dataset, Dataset) else None
    if fetch is Subset.__getitem__:
        gather = gather_of(dataset.dataset)
        if gather is None:
            return None
        indices = numpy.asarray(dataset.indices, dtype=numpy.int64)
        return lambda chosen: gather(indices[chosen])
    if fetch is TensorDataset.__getitem__ and not any(tensor.requires_grad for tensor in dataset.tensors):
        return dataset.gather
    return None


def random_split(
    dataset: Any, lengths: Sequence[float], generator: random.Generator | None = None
) -> list[Subset]:
    """Split a dataset at random into disjoint subsets.

    `lengths` are the sizes, which add up to `len(dataset)`, or fractions, which add up to 1; what is left by
    rounding fractions down goes to the first subsets, one sample each. The generator (default: stepgrad's)
    decides the order. Raises `ArgumentError` for lengths that do not add up.

    >>> from stepgrad.arrays.random import Generator
    >>> parts = random_split(range(10), [0.7, 0.3], generator=Generator().manual_seed(0))
    >>> [len(part) for part in parts], sorted([*parts[0], *parts[1]])
    ([7, 3], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    sizes = _sizes(length_of(dataset, "random_split"), lengths)
    order = (generator or random.default_generator).permutation(sum(sizes))
    ends = list(accumulate(sizes))
    pairs = zip(sizes, ends, strict=True)
    return [Subset(dataset, order[end - size : end].tolist()) for size, end in pairs]


def stratified_split(
    dataset: Any,
    lengths: Sequence[float],
    labels: Any = None,
    generator: random.Generator | None = None,
) -> list[Subset]:
    """Split like `random_split`, each subset with the same share of every label.

    `labels` has one label per sample; by default they are the last tensor of a `TensorDataset`. The sizes of
    the subsets are exact, and the count of a label in a subset is its proportional share rounded up or down,
    once for each cut. Raises `ArgumentError` for lengths that do not add up, and for labels that are missing
    or not one per sample.

    >>> kinds = ["a"] * 6 + ["b"] * 4
    >>> first, second = stratified_split(kinds, [0.5, 0.5], labels=kinds)
    >>> sorted(first), sorted(second)
    (['a', 'a', 'a', 'b', 'b'], ['a', 'a', 'a', 'b', 'b'])
    """
    count = length_of(dataset, "stratified_split")
    sizes = _sizes(count, lengths)
    if labels is None:
        if not isinstance(dataset, TensorDataset):
            raise ArgumentError("stratified_split needs labels=, one label per sample.")
        labels = dataset.tensors[-1]
    values = numpy.asarray(labels.detach().cpu().numpy() if isinstance(labels, Tensor) else labels)
    if values.shape != (count,):
        raise ArgumentError(
            f"labels must have the shape ({count},), one label per sample, not {values.shape}."
        )
    draws = generator or random.default_generator
    _, codes = numpy.unique(values, return_inverse=True)
    # Random within a label, the labels one after another: then evenly spaced places have every label's share.
    rest = draws.permutation(count)
    rest = rest[numpy.argsort(codes[rest], kind="stable")]
    subsets = []
    for size in sizes:
        chosen = _evenly(len(rest), size, draws)
        # The order inside a subset must not follow the labels.
        subsets.append(Subset(dataset, rest[chosen][draws.permutation(size)].tolist()))
        rest = rest[~chosen]
    return subsets


def _evenly(count: int, size: int, draws: random.Generator) -> numpy.ndarray:
    """Return a mask of `count` places, of which exactly `size` evenly spaced ones are chosen, from a random
    start."""
    if count == 0:
        return numpy.zeros(0, dtype=bool)
    steps = numpy.arange(count + 1, dtype=numpy.int64) * size + draws.integers(0, count)
    return numpy.diff(steps // count).astype(bool)


def _sizes(count: int, lengths: Sequence[float]) -> list[int]:
    """Return the sizes of a split of `count` samples, from sizes or fractions."""
    values = list(lengths)
    numbers = all(isinstance(n, (int, float, numpy.number)) and not isinstance(n, bool) for n in values)
    if not values or not numbers or not all(n >= 0 for n in values):
        raise ArgumentError(f"lengths must be sizes or fractions, none below 0, not {values!r}.")
    if all(isinstance(n, (int, numpy.integer)) for n in values) and sum(values) == count:
        return [int(n) for n in values]
    if abs(sum(values) - 1.0) > 1e-6:
        raise ArgumentError(
            f"lengths must add up to the {count} samples, or to 1 as fractions; "
            f"{values} add up to {sum(values)}."
        )
    # 0.29 * 100 is 28.999999999999996 in binary: without the nudge one sample would go astray.
    sizes = [int(numpy.floor(count * n + 1e-6)) for n in values]
    for i in range(count - sum(sizes)):
        sizes[i % len(sizes)] += 1
    for i, size in enumerate(sizes):
        if size == 0 and values[i] > 0:
            log.warning("part %d of the split, %g of %d samples, is empty.", i, values[i], count)
    return sizes
