import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stepgrad as sg
from stepgrad.data import (
    ConcatDataset,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    random_split,
    stratified_split,
)
from stepgrad.data.dataset import gather_of
from stepgrad.errors import ArgumentError, ShapeError


def seeded(number):
    return sg.Generator().manual_seed(number)


def pairs(count=10):
    return TensorDataset(sg.tensor(numpy.arange(2 * count).reshape(count, 2)), sg.arange(count))


def test_a_tensor_dataset_gives_rows_and_shares_the_memory_of_arrays():
    array = numpy.arange(6.0).reshape(3, 2)
    data = TensorDataset(array, sg.tensor([5, 6, 7]))
    x, y = data[1]
    assert x.tolist() == [2.0, 3.0]
    assert y.item() == 6
    assert len(data) == 3
    array[1] = 9.0
    assert data[1][0].tolist() == [9.0, 9.0]
    assert [y.item() for _, y in data] == [5, 6, 7]


@pytest.mark.parametrize(
    "tensors, kind, message",
    [
        ((), ArgumentError, "at least one"),
        ((numpy.zeros(3), numpy.zeros((2, 3))), ShapeError, "(3,), (2, 3)"),
        ((sg.tensor(1.0),), ShapeError, "()"),
    ],
)
def test_tensors_of_different_length_are_refused(tensors, kind, message):
    with pytest.raises(kind) as caught:
        TensorDataset(*tensors)
    assert message in str(caught.value)


def test_concatenation_counts_through_and_back():
    data = ConcatDataset(["ab", [], "cde"])
    assert [data[i] for i in range(-5, 5)] == list("abcdeabcde")
    assert len(data) == 5
    for index in (5, -6):
        with pytest.raises(IndexError):
            data[index]
    both = pairs(2) + pairs(3)
    assert len(both) == 5
    assert both[4][1].item() == 2


def test_concatenation_refuses_nothing_and_iterables():
    with pytest.raises(ArgumentError, match="at least one"):
        ConcatDataset([])
    with pytest.raises(ArgumentError, match="not Endless"):
        ConcatDataset([type("Endless", (IterableDataset,), {})()])


class Takes(Dataset):
    """Notes with what it is indexed."""

    def __init__(self):
        self.asked = []

    def __len__(self):
        return 4

    def __getitem__(self, index):
        self.asked.append(index)
        return index


def test_a_subset_asks_with_the_integers_of_python():
    inner = Takes()
    part = Subset(inner, numpy.array([3, 1]))
    assert [part[0], part[1], *part.__getitems__([1, 0])] == [3, 1, 1, 3]
    assert {type(index) for index in inner.asked} == {int}
    assert Subset({"a": 1, "b": 2}, ["b"])[0] == 2
    assert Subset(numpy.arange(10) * 2, [4, 5, 6])[[0, 2]].tolist() == [8, 12]


def test_a_subset_hands_on_many_indices_at_once():
    class Many(Takes):
        def __getitems__(self, indices):
            return [("many", index) for index in indices]

    assert Subset(Many(), [3, 2, 1]).__getitems__([0, 2]) == [("many", 3), ("many", 1)]


def test_gathering_equals_fetching_one_by_one_through_nested_subsets():
    data = pairs()
    nested = Subset(Subset(data, [9, 8, 7, 6, 5]), numpy.array([4, 0, 2]))
    gather = gather_of(nested)
    x, y = gather(numpy.array([2, 0]))
    assert y.tolist() == [nested[2][1].item(), nested[0][1].item()] == [7, 5]
    assert x.tolist() == [[14, 15], [10, 11]]
    x[...] = 0
    assert data[7][0].tolist() == [14, 15]


def test_gathering_is_left_to_datasets_without_a_will_of_their_own():
    class Doubled(TensorDataset):
        def __getitem__(self, index):
            return tuple(2 * part for part in super().__getitem__(index))

    class Reversed(Subset):
        def __getitem__(self, index):
            return super().__getitem__(len(self) - 1 - index)

    assert gather_of(Doubled(sg.arange(3))) is None
    assert gather_of(Reversed(pairs(), [0, 1])) is None
    assert gather_of([1, 2]) is None
    assert gather_of(TensorDataset(sg.tensor([1.0], requires_grad=True))) is None


def test_methods_that_were_not_defined_are_asked_for():
    class Empty(Dataset):
        pass

    class EmptyIterable(IterableDataset):
        pass

    with pytest.raises(ArgumentError, match="Empty must define __getitem__"):
        Empty()[0]
    with pytest.raises(ArgumentError, match="EmptyIterable must define __iter__"):
        iter(EmptyIterable())


def test_random_split_by_sizes_and_fractions():
    parts = random_split(range(10), [5, 3, 2], generator=seeded(1))
    assert [len(part) for part in parts] == [5, 3, 2]
    assert sorted(sample for part in parts for sample in part) == list(range(10))
    again = random_split(range(10), [0.5, 0.3, 0.2], generator=seeded(1))
    assert [list(part) for part in again] == [list(part) for part in parts]
    # What rounding leaves over goes to the first parts.
    assert [len(p) for p in random_split(range(11), [0.5, 0.25, 0.25])] == [6, 3, 2]
    assert [len(p) for p in random_split(range(100), [0.29, 0.71])] == [29, 71]
    assert [len(p) for p in random_split([7], [1])] == [1]


def test_a_split_into_an_empty_part_is_logged(caplog):
    random_split(range(3), [0.9, 0.1])
    assert "part 1 of the split" in caplog.text


@pytest.mark.parametrize("lengths", [[5, 4], [0.5, 0.4], [], [-1, 11], [1.5, -0.5], ["a"], [True] * 10])
def test_lengths_that_do_not_add_up_are_refused(lengths):
    for split in (random_split, lambda data, lengths: stratified_split(data, lengths, labels=data)):
        with pytest.raises(ArgumentError, match="lengths must"):
            split(range(10), lengths)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=80),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.integers(0, 1000),
)
def test_stratified_split_keeps_sizes_and_shares(labels, weights, seed):
    fractions = [weight / sum(weights) for weight in weights]
    parts = stratified_split(labels, fractions, labels=labels, generator=seeded(seed))
    places = [part.indices for part in parts]
    assert sorted(numpy.concatenate(places).tolist()) == list(range(len(labels)))
    sizes = [len(part) for part in random_split(labels, fractions)]
    assert [len(part) for part in parts] == sizes
    kinds = numpy.array(labels)
    for number, place in enumerate(places):
        for kind in set(labels):
            share = (kinds == kind).sum() * sizes[number] / len(labels)
            assert abs((kinds[place] == kind).sum() - share) < 1 + number


def test_stratified_split_takes_the_labels_of_a_tensor_dataset():
    labels = numpy.repeat([0, 1], [90, 10])
    data = TensorDataset(numpy.zeros((100, 2)), labels)
    train, test = stratified_split(data, [80, 20], generator=seeded(0))
    assert sum(y.item() for _, y in train) == 8
    assert sum(y.item() for _, y in test) == 2
    assert any(numpy.diff(labels[train.indices]) < 0), "the order inside a part must not follow the labels"


def test_stratified_split_needs_one_label_per_sample():
    with pytest.raises(ArgumentError, match="needs labels="):
        stratified_split(range(4), [2, 2])
    with pytest.raises(ArgumentError, match=r"shape \(4,\)"):
        stratified_split(range(4), [2, 2], labels=[0, 1])
