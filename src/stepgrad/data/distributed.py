"""The part of a dataset that one of several programs trains on."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any

import numpy

from stepgrad.arrays import random
from stepgrad.data.sampler import Sampler, check_count, length_of
from stepgrad.errors import ArgumentError


class DistributedSampler(Sampler):
    """Visits every `num_replicas`-th sample, from number `rank` on, of an order that all programs share.

    Every program visits as many: samples of the begin come once more at the end where the dataset does not
    divide evenly, or with `drop_last` those at the end are left out. With `shuffle` the order is a function
    of `seed`, the same in all programs, and the epoch that `set_epoch` chooses: as in PyTorch, every epoch
    has the same order where that is not called.

    Raises `ArgumentError` for a dataset without samples, and without `num_replicas` and `rank`: stepgrad has
    no group of processes that could be asked.

    >>> [list(DistributedSampler("abcde", 2, rank, shuffle=False)) for rank in (0, 1)]
    [[0, 2, 4], [1, 3, 0]]
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            raise ArgumentError(
                "DistributedSampler needs num_replicas, how many programs train, and rank, which of them "
                "this is: stepgrad has no group of processes that it could ask."
            )
        self.dataset, self.shuffle, self.seed, self.drop_last = dataset, shuffle, seed, drop_last
        self.num_replicas, self.rank = check_count("num_replicas", num_replicas), check_count("rank", rank, 0)
        if self.rank >= self.num_replicas:
            raise ArgumentError(
                f"rank is 0 … {self.num_replicas - 1} of {self.num_replicas}, not {self.rank}."
            )
        count = length_of(dataset, "DistributedSampler")
        if not count:
            raise ArgumentError("DistributedSampler got a dataset with 0 samples; it needs at least 1.")
        self.epoch = 0
        self.num_samples = count // self.num_replicas if drop_last else -(-count // self.num_replicas)
        self.total_size = self.num_samples * self.num_replicas

    def __iter__(self) -> Iterator[int]:
        count = len(self.dataset)
        order: Any = numpy.arange(count)
        if self.shuffle:
            order = random.stream(self.seed, "order", self.epoch).permutation(count)
        return iter(numpy.resize(order, self.total_size)[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch
