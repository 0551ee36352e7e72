"""The state of a module: its keys and shapes, and loading it."""

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import DtypeError, StateError
from tests.nn.trees import Tree


def test_the_state_has_shared_entries_twice_and_passing_ones_not():
    tree = Tree()
    state = tree.state_dict()
    shapes = {name: tensor.shape for name, tensor in state.items()}
    assert list(shapes) == [
        "w", "v", "kept", "first.weight", "first.bias", "second.0.weight", "second.0.bias", "second.1.weight",
        "second.1.bias", "second.1.running_mean", "second.1.running_var", "second.1.num_batches_tracked",
        "again.weight", "again.bias",
    ]  # fmt: skip
    assert shapes["second.0.weight"] == (2, 3)
    assert shapes["second.1.num_batches_tracked"] == ()
    assert list(tree.state_dict(prefix="net."))[:4] == ["net.w", "net.v", "net.kept", "net.first.weight"]
    assert next(iter(tree.state_dict(prefix="net"))) == "netw"


def test_the_state_shares_memory_without_history():
    layer = nn.Linear(2, 2)
    state = layer.state_dict()
    assert not state["weight"].requires_grad
    assert layer.state_dict(keep_vars=True)["weight"] is layer.weight
    state["weight"].zero_()
    assert float(layer.weight.abs().sum()) == 0


def test_a_state_is_copied_in():
    tree, other = Tree(), Tree()
    result = tree.load_state_dict(other.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    for mine, theirs in zip(tree.state_dict().values(), other.state_dict().values(), strict=True):
        assert mine.tolist() == theirs.tolist()
    assert tree.first.weight is not other.first.weight
    assert tree.again is tree.first


def test_a_state_of_arrays_and_of_another_dtype_is_converted():
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": np.array([[1.5, 2.5]]), "bias": sg.tensor([3], dtype=sg.int64)})
    assert layer.weight.dtype is sg.float32
    assert layer(sg.ones(1, 2)).item() == 7


def test_every_difference_is_named_and_nothing_changed():
    tree = Tree()
    state = dict(Tree().state_dict())
    del state["v"], state["second.1.running_var"]
    state |= {"extra": sg.zeros(1), "passing": sg.zeros(1), "first.weight": sg.zeros(3, 4)}
    before = [x.tolist() for x in tree.state_dict().values()]
    with pytest.raises(StateError) as caught:
        tree.load_state_dict(state)
    assert str(caught.value) == (
        "the state does not fit Tree: missing keys: v, second.1.running_var; "
        "unexpected keys: extra, passing; first.weight is [3, 4] there, [3, 2] here."
    )
    assert isinstance(caught.value, (RuntimeError, ValueError))
    with pytest.raises(StateError, match=r"Tree: first.weight is \[3, 4\] there, \[3, 2\] here.$"):
        tree.load_state_dict(state, strict=False)
    assert [x.tolist() for x in tree.state_dict().values()] == before


def test_a_state_that_fits_in_part():
    layer = nn.Linear(2, 2)
    missing, unexpected = layer.load_state_dict({"bias": sg.ones(2), "extra": sg.ones(2)}, strict=False)
    assert (missing, unexpected) == (["weight"], ["extra"])
    assert layer.bias.tolist() == [1, 1]
    result = layer.load_state_dict({}, strict=False)
    assert repr(result) == "LoadResult(missing_keys=['weight', 'bias'], unexpected_keys=[])"
    assert result.missing_keys == ["weight", "bias"]


def test_what_is_no_state():
    layer = nn.Linear(2, 2)
    with pytest.raises(DtypeError, match=r"takes tensors by name, as state_dict\(\) returns, not list"):
        layer.load_state_dict([sg.zeros(1)])
    with pytest.raises(DtypeError, match="the state holds int under 'bias', where a tensor belongs"):
        layer.load_state_dict({"weight": sg.ones(2, 2), "bias": 3})
    assert layer.weight.tolist() != sg.ones(2, 2).tolist()


def test_a_state_is_put_in_place_with_its_dtype():
    net = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    net[0].bias.requires_grad_(False)
    state = {k: v.double() if v.is_floating_point() else v for k, v in net.state_dict().items()}
    net.load_state_dict(state, assign=True)
    assert net[0].weight.dtype is sg.float64
    assert net[1].running_var is state["1.running_var"]
    assert isinstance(net[0].weight, nn.Parameter)
    assert net[0].weight.requires_grad
    assert not net[0].bias.requires_grad
    assert np.shares_memory(net[0].weight.detach().numpy(), state["0.weight"].numpy())
