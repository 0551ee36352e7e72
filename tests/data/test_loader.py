import json
import random

import numpy
import pytest

import stepgrad as sg
from stepgrad.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    RandomSampler,
    Sampler,
    SubsetRandomSampler,
    TensorDataset,
    get_worker_info,
    random_split,
)
from stepgrad.data import loader as loader_module
from stepgrad.errors import ArgumentError
from tests.data.datasets import Noisy, Numbers, OnlyFrom, Raises, Shards, Stops, as_it_is


def batches(loader):
    """The indices in each batch of a loader over `Numbers`."""
    return [batch.tolist() for batch in loader]


def test_batches_in_order_the_last_one_shorter():
    loader = DataLoader(Numbers(7), batch_size=3)
    assert batches(loader) == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(loader) == 3
    loader = DataLoader(Numbers(7), batch_size=3, drop_last=True)
    assert batches(loader) == [[0, 1, 2], [3, 4, 5]]
    assert len(loader) == 2


def test_each_row_comes_exactly_once_and_with_its_label():
    x = numpy.arange(101, dtype=numpy.float32)
    for data in (TensorDataset(x, 2 * x), list(zip(x, 2 * x, strict=True))):
        loader = DataLoader(data, batch_size=8, shuffle=True)
        orders = []
        for _ in range(3):
            seen = [(a.tolist(), b.tolist()) for a, b in loader]
            assert all((2 * numpy.array(a) == b).all() for a, b in seen)
            orders.append([row for a, _ in seen for row in a])
            assert sorted(orders[-1]) == x.tolist()
        assert orders[0] != orders[1] != orders[2]


def test_the_fast_path_gives_what_the_slow_one_gives():
    data = TensorDataset(numpy.arange(40).reshape(20, 2), numpy.arange(20))
    part, _ = random_split(data, [13, 7])
    for fast, slow in ((data, ConcatDataset([data])), (part, ConcatDataset([part]))):
        ours = list(DataLoader(fast, batch_size=4, shuffle=True, seed=1))
        theirs = list(DataLoader(slow, batch_size=4, shuffle=True, seed=1))
        assert [[t.tolist() for t in b] for b in ours] == [[t.tolist() for t in b] for b in theirs]
        assert type(ours[0]) is type(theirs[0]) is list


def test_a_batch_does_not_share_memory_with_the_dataset():
    array = numpy.zeros((6, 2))
    for (x,) in DataLoader(TensorDataset(array), batch_size=3):
        x += 1
    assert not array.any()


def test_the_order_is_a_function_of_seed_and_epoch():
    def orders(**arguments):
        loader = DataLoader(Numbers(), batch_size=5, shuffle=True, **arguments)
        return [batches(loader) for _ in range(3)]

    first = orders(seed=4)
    numpy.random.rand()  # noqa: NPY002
    sg.rand(5)
    assert orders(seed=4) == first != orders(seed=5)
    loader = DataLoader(Numbers(), batch_size=5, shuffle=True, seed=4)
    loader.set_epoch(2)
    assert batches(loader) == first[2]
    assert loader.epoch == 3
    generator = sg.Generator().manual_seed(9)
    assert orders(generator=generator) == orders(generator=sg.Generator().manual_seed(9)) != first
    sg.manual_seed(4)
    assert orders() == first


def test_making_and_using_a_loader_leaves_the_random_state_alone():
    before = sg.get_rng_state(), random.getstate(), numpy.random.get_state()[1].tolist()  # noqa: NPY002
    list(DataLoader(Numbers(), batch_size=3, shuffle=True))
    assert sg.get_rng_state() == before[0]
    assert random.getstate() == before[1]
    assert numpy.random.get_state()[1].tolist() == before[2]  # noqa: NPY002


def test_noise_of_the_dataset_depends_on_seed_epoch_and_batch_alone():
    def noise(loader):
        return [batch["stepgrad"].numpy() for batch in loader]

    loader = DataLoader(Noisy(), batch_size=6, shuffle=True, seed=2)
    first, second = noise(loader), noise(loader)
    sg.rand(3)
    loader.load_state_dict({"seed": 2, "epoch": 0, "batch": 2})
    again = noise(loader)
    assert all((a == b).all() for a, b in zip(again, first[2:], strict=True))
    assert not (first[0] == second[0]).any()
    assert not (first[0] == first[1]).any()


class Walk(Sampler):
    """A sampler that decides while it is walked through, and draws from stepgrad's generator."""

    def __init__(self, count):
        self.count = count

    def __iter__(self):
        for _ in range(self.count):
            yield int(sg.randint(0, 20, (1,)).item())


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"shuffle": True, "batch_size": 4},
        lambda: {"sampler": Walk(19), "batch_size": 4},
        lambda: {"batch_sampler": BatchSampler(Walk(19), 4, drop_last=True)},
        lambda: {"batch_sampler": [[0, 1], [5], [7, 2, 3], [1], [2]]},
        lambda: {"sampler": SubsetRandomSampler(range(10)), "batch_size": None},
        lambda: {
            "sampler": RandomSampler(range(20), generator=sg.Generator().manual_seed(3)),
            "batch_size": 4,
        },
    ],
)
def test_going_on_in_the_middle_of_an_epoch_equals_never_having_stopped(make):
    def loader():
        return DataLoader(Numbers(), collate_fn=as_it_is, seed=6, **make())

    whole = loader()
    epochs = [list(whole) for _ in range(3)]
    stopped = loader()
    list(stopped)
    iterator = iter(stopped)
    head = [next(iterator) for _ in range(2)]
    state = json.loads(json.dumps(stopped.state_dict()))
    assert state == {"seed": 6, "epoch": 1, "batch": 2}
    resumed = loader()
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    assert head + list(resumed) == epochs[1]
    assert resumed.state_dict() == {"seed": 6, "epoch": 2, "batch": 0}
    assert list(resumed) == epochs[2]


def test_going_on_does_not_fetch_what_came_before():
    loader = DataLoader(OnlyFrom(20, first=12), batch_size=4)
    loader.load_state_dict({"seed": 0, "epoch": 0, "batch": 3})
    assert batches(loader) == [[12, 13, 14, 15], [16, 17, 18, 19]]


def test_the_position_at_every_moment():
    loader = DataLoader(Numbers(4), batch_size=2, seed=1)
    states = [tuple(loader.state_dict().values())]
    iterator = iter(loader)
    for _ in range(2):
        next(iterator)
        states.append(tuple(loader.state_dict().values()))
    assert states == [(1, 0, 0), (1, 0, 1), (1, 0, 2)]
    with pytest.raises(StopIteration):
        next(iterator)
    assert loader.state_dict() == {"seed": 1, "epoch": 1, "batch": 0}
    # An epoch that was given up is over; and an old iterator does not move the position of a newer one.
    old = iter(loader)
    next(old)
    new = iter(loader)
    next(old)
    assert loader.state_dict() == {"seed": 1, "epoch": 2, "batch": 0}
    next(new)
    assert loader.state_dict() == {"seed": 1, "epoch": 2, "batch": 1}
    # The very end of an epoch can be a position, too.
    loader.load_state_dict({"seed": 1, "epoch": 5, "batch": 2})
    assert batches(loader) == []
    assert loader.epoch == 6


@pytest.mark.parametrize(
    "state, message",
    [
        ({"seed": 0, "epoch": 1}, "batch is missing"),
        ({"seed": 0, "epoch": -1, "batch": 0}, "epoch must be an integer of at least 0, not -1"),
        ({"seed": 0, "epoch": 0, "batch": 1.5}, "batch must be an integer of at least 0, not 1.5"),
        ({"seed": "x", "epoch": 0, "batch": 0}, "a seed is an integer"),
    ],
)
def test_a_position_that_is_none_is_refused(state, message):
    loader = DataLoader(Numbers())
    with pytest.raises(ArgumentError, match=message):
        loader.load_state_dict(state)
    assert loader.state_dict()["batch"] == 0


@pytest.mark.parametrize("arguments", [{"batch_size": 5}, {"batch_size": 5, "sampler": Walk(20)}])
def test_a_position_beyond_the_epoch_is_refused(arguments):
    loader = DataLoader(Numbers(20), **arguments)
    loader.load_state_dict({"seed": 0, "epoch": 0, "batch": 6})
    with pytest.raises(ArgumentError, match="batch 6, but the epoch has only 4 batches"):
        list(loader)


def test_single_samples_without_a_batch_size():
    array = numpy.arange(3.0)
    loader = DataLoader(list(array), batch_size=None)
    samples = list(loader)
    assert [sample.shape for sample in samples] == [(), (), ()]
    assert len(loader) == 3
    assert list(DataLoader(Numbers(3), batch_size=None)) == [0, 1, 2]


def test_a_dataset_may_fetch_many_samples_at_once():
    class Many(Numbers):
        def __getitems__(self, indices):
            return [-index for index in indices]

    assert batches(DataLoader(Many(5), batch_size=2)) == [[0, -1], [-2, -3], [-4]]


def test_iterable_datasets_are_batched_and_resumed():
    whole = [[x.tolist(), noise.tolist()] for x, noise in DataLoader(Shards(7), batch_size=3, seed=1)]
    assert [x for x, _ in whole] == [[0, 1, 2], [3, 4, 5], [6]]
    loader = DataLoader(Shards(7), batch_size=3, seed=1)
    loader.load_state_dict({"seed": 1, "epoch": 0, "batch": 1})
    assert [[x.tolist(), noise.tolist()] for x, noise in loader] == whole[1:]
    assert loader.epoch == 1
    assert len(list(DataLoader(Shards(7), batch_size=3, drop_last=True))) == 2
    assert [x for x, _ in DataLoader(Shards(2), batch_size=None)] == [0, 1]


def test_the_length_of_an_iterable_dataset_is_its_own():
    class Sized(Shards):
        def __len__(self):
            return self.count

    assert len(DataLoader(Sized(7), batch_size=3)) == 3
    assert len(DataLoader(Sized(7), batch_size=3, drop_last=True)) == 2
    with pytest.raises(TypeError, match="Shards, which has no __len__"):
        len(DataLoader(Shards(7)))


def test_an_error_of_the_dataset_says_where_and_ends_the_iterator():
    loader = DataLoader(Raises(), batch_size=4)
    iterator = iter(loader)
    next(iterator)
    with pytest.raises(ValueError, match="a bad cell in row 7") as caught:
        next(iterator)
    assert "sample 7 (batch 1 of epoch 0)" in caught.value.__notes__[0]
    with pytest.raises(ArgumentError, match="was ended by an error"):
        next(iterator)
    assert loader.state_dict() == {"seed": sg.initial_seed(), "epoch": 0, "batch": 1}
    with pytest.raises(OSError, match="the line is dead") as caught:
        list(DataLoader(Stops(), batch_size=4))
    assert "item 2 of batch 0" in caught.value.__notes__[0]
    with pytest.raises(sg.errors.ShapeError) as caught:
        list(DataLoader([numpy.zeros(2), numpy.zeros(3)], batch_size=2))
    assert "batch 0 of epoch 0 (samples 0, 1)" in caught.value.__notes__[0]


def test_there_is_no_worker_in_the_main_process():
    class Asks(Numbers):
        def __getitem__(self, index):
            assert get_worker_info() is None
            return index

    assert batches(DataLoader(Asks(2))) == [[0], [1]]


class NoLength:
    def __getitem__(self, index):
        return index


BAD = [
    ({"batch_size": 0}, "batch_size must be an integer of at least 1, not 0"),
    ({"batch_size": 2.0}, "not 2.0"),
    ({"batch_size": None, "drop_last": True}, "drop_last=True needs a batch_size"),
    ({"num_workers": -1}, "num_workers must be an integer of at least 0, not -1"),
    ({"sampler": [0], "shuffle": True}, "a sampler or shuffle=True, not both"),
    ({"batch_sampler": [[0]], "batch_size": 4}, "leave out batch_size"),
    ({"batch_sampler": [[0]], "shuffle": True}, "leave out batch_size"),
    ({"sampler": 3}, "sampler must yield indices when iterated over; int cannot"),
    ({"dataset": NoLength()}, "NoLength has no __len__"),
    ({"dataset": NoLength(), "shuffle": True}, "NoLength has no __len__"),
    ({"dataset": (i for i in range(3))}, "generator does not have"),
    ({"dataset": Numbers(0), "shuffle": True}, "0 samples"),
    ({"dataset": Shards(3), "shuffle": True}, "shuffle=True does not go with Shards"),
    ({"dataset": Shards(3), "sampler": [0]}, "sampler does not go with Shards"),
    ({"dataset": Shards(3), "batch_sampler": [[0]]}, "batch_sampler does not go with Shards"),
    ({"collate_fn": 3}, "collate_fn must be a function, not int"),
    ({"worker_init_fn": 3}, "worker_init_fn must be a function, not int"),
    ({"timeout": -1, "num_workers": 1}, "timeout must be a number of seconds"),
    ({"timeout": 5}, "timeout is about worker processes"),
    ({"prefetch_factor": 2}, "prefetch_factor is about worker processes"),
    ({"prefetch_factor": 0, "num_workers": 1}, "prefetch_factor must be an integer of at least 1, not 0"),
    ({"persistent_workers": True}, "persistent_workers is about worker processes"),
    ({"seed": "a"}, "a seed is an integer, not 'a'"),
    ({"seed": 1, "generator": sg.Generator()}, "not both"),
    ({"generator": numpy.random.default_rng(0)}, "must be a stepgrad.Generator, not Generator"),
]


@pytest.mark.parametrize("arguments, message", BAD, ids=[message[:40] for _, message in BAD])
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ArgumentError) as caught:
        DataLoader(**({"dataset": Numbers()} | arguments))
    assert message in str(caught.value)


def test_systems_without_worker_processes_say_so(monkeypatch):
    class Windows:
        name = "nt"

    monkeypatch.setattr(loader_module, "os", Windows)
    with pytest.raises(ArgumentError, match="need Linux or macOS"):
        DataLoader(Numbers(), num_workers=1)


def test_empty_datasets_give_no_batches():
    assert list(DataLoader(Numbers(0), batch_size=2)) == []
    assert list(DataLoader(TensorDataset(numpy.zeros((0, 3))), batch_size=2)) == []


def test_the_names_can_be_subclassed_and_annotated():
    class Typed(Dataset[int]):
        pass

    assert issubclass(Typed, Dataset)
