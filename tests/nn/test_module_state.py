"""The state of a module: its keys and shapes, and loading it."""

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, DtypeError, MissingNameError, StateError
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


class Versioned(nn.Module):
    """A layer with more to its state than tensors, whose weight had another name once."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(sg.zeros(2))
        self.count = 3

    def get_extra_state(self):
        return {"count": self.count}

    def set_extra_state(self, state):
        self.count = state["count"]

    def _load_from_state_dict(self, state_dict, prefix, *rest):
        if prefix + "w" in state_dict:
            state_dict[prefix + "weight"] = state_dict.pop(prefix + "w")
        super()._load_from_state_dict(state_dict, prefix, *rest)


def test_a_class_reads_and_writes_its_part_of_the_state_in_its_own_way():
    net = nn.Sequential(nn.Linear(1, 1), Versioned())
    state = net.state_dict()
    assert list(state) == ["0.weight", "0.bias", "1.weight", "1._extra_state"]
    assert state["1._extra_state"] == {"count": 3}
    old = {"0.weight": [[5.0]], "0.bias": [6.0], "1.w": [7.0, 8.0]}
    old = {key: sg.tensor(value) for key, value in old.items()} | {"1._extra_state": {"count": 9}}
    assert not any(net.load_state_dict(old))
    assert (net[1].weight.tolist(), net[1].count, net[0].bias.tolist()) == ([7, 8], 9, [6])
    assert "1.w" in old  # hooks and classes change a copy
    del old["1._extra_state"]
    old["0.weight"] = sg.zeros(1, 1)
    with pytest.raises(StateError, match=r"missing keys: 1\._extra_state"):
        net.load_state_dict(old)
    assert (net[0].weight.item(), net[1].count) == (5, 9)
    with pytest.raises(StateError, match=r"unexpected keys: 0\._extra_state"):
        net.load_state_dict(state | {"0._extra_state": 1})


def test_hooks_around_writing_a_state():
    net, seen = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1, bias=False)), []
    net[1].register_state_dict_pre_hook(lambda *call: seen.append(call))
    handle = net[1].register_state_dict_post_hook(
        lambda module, state, prefix, _: state.update({prefix + "w": state.pop(prefix + "weight")})
    )
    net._register_state_dict_hook(lambda module, state, prefix, _: {f"net.{k}": x for k, x in state.items()})
    assert list(net.state_dict()) == ["net.0.weight", "net.0.bias", "net.1.w"]
    assert seen == [(net[1], "1.", False)]
    handle.remove()
    into = {"more": 1}
    assert list(net[0].state_dict(destination=into)) == ["more", "weight", "bias"]
    assert list(net.state_dict(keep_vars=True)) == ["net.0.weight", "net.0.bias", "net.1.weight"]


def test_hooks_around_reading_a_state():
    net = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    state = {key: x + 1 for key, x in net.state_dict().items()}
    old = {key.replace("1.", "second."): x for key, x in state.items()}

    def rename(module, given, prefix, metadata, strict, missing, unexpected, errors):
        for key in [key for key in given if key.startswith("second.")]:
            given[key.replace("second.", "1.")] = given.pop(key)

    handle = net.register_load_state_dict_pre_hook(rename)
    assert net.load_state_dict(old) == ([], [])
    assert [x.tolist() for x in net.state_dict().values()] == [x.tolist() for x in state.values()]
    handle.remove()
    with pytest.raises(
        StateError, match=r"missing keys: 1\.weight, 1\.bias; unexpected keys: second\.weight"
    ):
        net.load_state_dict(old)
    calls = []
    net[1]._register_load_state_dict_pre_hook(lambda given, prefix, *rest: calls.append((prefix, len(given))))

    def forgive(module, result):
        calls.append(module)
        result.missing_keys.clear()
        result.unexpected_keys.clear()

    net.register_load_state_dict_post_hook(forgive)
    assert net.load_state_dict(old) == ([], [])
    assert calls == [("1.", 0), net]


def test_without_numbers():
    layer = nn.BatchNorm1d(2).double()
    assert layer.to_empty(device="cpu") is layer
    assert layer.weight.dtype is sg.float64
    assert layer.weight.tolist() == layer.running_var.tolist() == [0, 0]
    assert isinstance(layer.weight, nn.Parameter)


def test_a_state_that_does_not_count_batches():
    """As those of published models of before PyTorch 0.4.1."""
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    net(sg.ones(4, 2))
    state = {k: x.clone() for k, x in net.state_dict().items() if "num_batches" not in k}
    assert len(state) == 6
    net(sg.ones(4, 2))
    assert not net.load_state_dict(state).missing_keys
    assert net[1].num_batches_tracked == 2
    with pytest.raises(StateError, match=r"missing keys: 1\.running_mean"):
        net.load_state_dict({k: x for k, x in state.items() if "running_mean" not in k})


def test_another_module_or_dtype_at_a_path():
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    net.set_submodule("0.1", nn.Tanh())
    assert isinstance(net[0][1], nn.Tanh)
    with pytest.raises(MissingNameError, match=r"'other'"):
        net.set_submodule("0.other", nn.Tanh(), strict=True)
    with pytest.raises(ArgumentError, match="set_submodule takes a module, not int"):
        net.set_submodule("0.1", 3)
    bn = nn.BatchNorm1d(2).type(sg.float64)
    assert bn.weight.dtype is bn.num_batches_tracked.dtype is sg.float64
    assert bn.share_memory() is bn
