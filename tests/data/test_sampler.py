import numpy
import pytest

import stepgrad as sg
from stepgrad.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from stepgrad.errors import ArgumentError


def seeded(number):
    return sg.Generator().manual_seed(number)


def test_sequential_visits_in_order():
    assert list(SequentialSampler("abcd")) == [0, 1, 2, 3]
    assert len(SequentialSampler("abcd")) == 4


def test_random_visits_each_once_and_depends_on_the_default_seed():
    sg.manual_seed(3)
    first = list(RandomSampler(range(50)))
    second = list(RandomSampler(range(50)))
    sg.manual_seed(3)
    assert list(RandomSampler(range(50))) == first != second
    assert sorted(first) == sorted(second) == list(range(50))


def test_a_generator_of_its_own_makes_epochs_that_can_be_chosen():
    sampler = RandomSampler(range(30), generator=seeded(1))
    before = sg.get_rng_state()
    first, second = list(sampler), list(sampler)
    assert first != second
    sampler.set_epoch(0)
    assert list(sampler) == first
    assert sg.get_rng_state() == before


def test_random_with_and_without_replacement_and_num_samples():
    more = list(RandomSampler(range(4), num_samples=10, generator=seeded(0)))
    assert sorted(more[:4]) == sorted(more[4:8]) == [0, 1, 2, 3]
    assert len(more) == 10
    drawn = list(RandomSampler(range(4), replacement=True, num_samples=200, generator=seeded(0)))
    assert set(drawn) == {0, 1, 2, 3}
    assert max(numpy.bincount(drawn)) < 90


def test_subset_random_visits_the_given_indices():
    sampler = SubsetRandomSampler([4, 8, 15, 16], generator=seeded(2))
    orders = {tuple(sampler) for _ in range(20)}
    assert len(orders) > 5
    assert all(sorted(order) == [4, 8, 15, 16] for order in orders)


def test_weighted_draws_by_weight():
    sampler = WeightedRandomSampler([1.0, 0.0, 3.0], 8000, generator=seeded(4))
    counts = numpy.bincount(list(sampler), minlength=3)
    assert counts[1] == 0
    # 4 standard deviations of a binomial count
    assert abs(counts[2] - 6000) < 4 * (8000 * 0.25 * 0.75) ** 0.5


def test_weighted_without_replacement_draws_each_once_the_heavy_ones_first():
    sampler = WeightedRandomSampler([1, 1, 0, 8], 3, replacement=False, generator=seeded(5))
    orders = [list(sampler) for _ in range(500)]
    assert all(sorted(order) == [0, 1, 3] for order in orders)
    heavy_first = sum(order[0] == 3 for order in orders)
    assert abs(heavy_first - 400) < 4 * (500 * 0.8 * 0.2) ** 0.5


def test_batches_of_any_sampler():
    batches = BatchSampler(["a", "b", "c"], 2, drop_last=False)
    assert list(batches) == [["a", "b"], ["c"]]
    assert len(batches) == 2
    assert list(BatchSampler(range(5), 2, drop_last=True)) == [[0, 1], [2, 3]]
    assert len(BatchSampler(range(5), 2, drop_last=True)) == 2


class NoLength:
    pass


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: SequentialSampler(NoLength()), "NoLength has no __len__"),
        (lambda: RandomSampler([]), "0 samples"),
        (lambda: RandomSampler([1], num_samples=0), "num_samples must be an integer of at least 1, not 0"),
        (lambda: RandomSampler([1], generator=7), "must be a stepgrad.Generator, not int"),
        (lambda: WeightedRandomSampler([-1.0, 2.0], 1), "none below 0"),
        (lambda: WeightedRandomSampler([0.0, 0.0], 1), "not all 0"),
        (lambda: WeightedRandomSampler([float("nan")], 1), "must be finite"),
        (lambda: WeightedRandomSampler([[1.0]], 1), "shape (1, 1)"),
        (lambda: WeightedRandomSampler([1.0, 0.0], 2, replacement=False), "there are 1"),
        (lambda: BatchSampler([1], 0, False), "batch_size must be an integer of at least 1, not 0"),
        (lambda: BatchSampler([1], True, False), "not True"),
        (lambda: list(type("Mine", (Sampler,), {})()), "Mine must define __iter__"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert message in str(caught.value)


def test_an_epoch_of_very_many_draws_is_drawn_where_it_is_looked_at():
    sampler = RandomSampler(range(7), replacement=True, num_samples=10**10)
    sg.manual_seed(3)
    order = sampler.order()
    assert len(order) == len(sampler) == 10**10
    sg.manual_seed(3)
    expected = RandomSampler(range(7), replacement=True, num_samples=1000).order()
    numpy.testing.assert_array_equal(order[:1000], expected)
    numpy.testing.assert_array_equal(order[333:998], expected[333:998])
    assert order[77] == expected[77]
    sg.manual_seed(3)
    first = iter(sampler)
    assert [next(first) for _ in range(9)] == expected[:9].tolist()
    loader = sg.data.DataLoader(
        sg.data.TensorDataset(sg.arange(7)), 4, sampler=sampler, seed=1, pin_memory=True
    )
    batches = iter(loader)
    assert {len(next(batches)[0]) for _ in range(3)} == {4}
    assert set(order[10**10 - 50 :].tolist()) <= set(range(7))


@pytest.mark.parametrize("count, replicas", [(10, 2), (11, 3), (2, 5), (7, 1), (3, 4)])
@pytest.mark.parametrize("drop_last", [False, True])
def test_programs_share_an_order(count, replicas, drop_last):
    def parts(epoch=0, **more):
        samplers = [
            DistributedSampler(range(count), replicas, rank, drop_last=drop_last, **more)
            for rank in range(replicas)
        ]
        for sampler in samplers:
            sampler.set_epoch(epoch)
        return [list(sampler) for sampler in samplers]

    length = count // replicas if drop_last else -(-count // replicas)
    for found in (parts(), parts(shuffle=False), parts(epoch=3, seed=9)):
        assert [len(part) for part in found] == [length] * replicas
        visited = [index for step in zip(*found, strict=True) for index in step]
        assert len(set(visited)) == (length * replicas if drop_last else count)
    straight = [index for step in zip(*parts(shuffle=False), strict=True) for index in step]
    assert straight == [i % count for i in range(length * replicas)]
    assert parts() == parts()
    if count == 11:
        assert parts() != parts(epoch=1) != parts(seed=1)


def test_a_loader_of_one_program_of_several():
    sampler = DistributedSampler(range(8), num_replicas=2, rank=1, shuffle=False)
    assert [batch.tolist() for batch in DataLoader(range(8), batch_size=3, sampler=sampler)] == [
        [1, 3, 5],
        [7],
    ]
    sampler = DistributedSampler(range(8), num_replicas=2, rank=1)
    loader = DataLoader(range(8), batch_size=4, sampler=sampler)
    orders = []
    for epoch in (5, 5, 6):
        sampler.set_epoch(epoch)
        orders.append(next(iter(loader)).tolist())
    assert orders[0] == orders[1] != orders[2]
    with pytest.raises(ArgumentError, match=r"needs num_replicas.*and rank"):
        DistributedSampler(range(8))
    with pytest.raises(ArgumentError, match="rank is 0 … 1 of 2, not 2"):
        DistributedSampler(range(8), 2, 2)
    with pytest.raises(ArgumentError, match="a dataset with 0 samples"):
        DistributedSampler([], 2, 0)
