"""Containers: what they hold, under which names, and how they behave as lists and dicts."""

from collections import OrderedDict

import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, MissingKeyError


def modules():
    return [nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 3), nn.Tanh()]


CONTAINERS = {"Sequential": lambda: nn.Sequential(*modules()), "ModuleList": lambda: nn.ModuleList(modules())}
both = pytest.mark.parametrize("made", CONTAINERS.values(), ids=CONTAINERS)


def kinds(container):
    return [type(m).__name__ for m in container]


# ---------------------------------------------------------------------------- Sequential and ModuleList


@both
def test_indices_count_from_either_end(made):
    c = made()
    assert len(c) == 4
    assert c[-1] is c[3]
    assert c[-4] is c[0]
    assert c[0] in c
    assert list(c)[1] is c[1]
    name = type(c).__name__
    for wrong in (4, -5):
        with pytest.raises(IndexShapeError, match=f"{name} has 4 entries; there is no number {wrong}."):
            c[wrong]
    with pytest.raises(IndexError):
        c[4] = nn.ReLU()
    with pytest.raises(IndexError):
        del c[4]
    with pytest.raises(DtypeError, match=f"{name} is indexed by integers and slices, not '0'"):
        c["0"]


@both
def test_slices_share_the_modules(made):
    c = made()
    part = c[1:3]
    assert type(part) is type(c)
    assert part[0] is c[1]
    assert kinds(c[::2]) == ["Linear", "Linear"]
    assert kinds(c[::-1]) == ["Tanh", "Linear", "ReLU", "Linear"]
    assert len(c) == 4
    part.append(nn.Sigmoid())
    assert kinds(part) == ["ReLU", "Linear", "Sigmoid"]


def test_a_slice_of_a_sequential_keeps_the_names_and_of_a_list_not():
    state = ["2.weight", "2.bias"]
    assert list(nn.Sequential(*modules())[1:3].state_dict()) == state
    assert list(nn.ModuleList(modules())[1:3].state_dict()) == ["1.weight", "1.bias"]
    named = nn.Sequential(OrderedDict(zip(("a", "b", "c", "d"), modules())))
    assert list(named[2:].state_dict()) == ["c.weight", "c.bias"]
    assert list(named._modules) == ["a", "b", "c", "d"]
    assert named.c is named[2]


@both
def test_modules_are_put_in_and_taken_out(made):
    c = made()
    c[1] = nn.GELU()
    c[-1] = nn.SiLU()
    assert kinds(c) == ["Linear", "GELU", "Linear", "SiLU"]
    del c[1]
    del c[-1]
    assert kinds(c) == ["Linear", "Linear"]
    assert list(c.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert c.insert(1, nn.ReLU()) is c
    c.insert(-1, nn.Tanh())
    c.insert(0, nn.Sigmoid())
    assert kinds(c) == ["Sigmoid", "Linear", "ReLU", "Tanh", "Linear"]
    assert list(c._modules) == ["0", "1", "2", "3", "4"]
    assert type(c.pop()) is nn.Linear
    assert type(c.pop(0)) is nn.Sigmoid
    assert kinds(c) == ["Linear", "ReLU", "Tanh"]
    del c[1:]
    assert kinds(c) == ["Linear"]


@both
def test_containers_are_joined(made):
    c = made()
    joined = c + made()
    assert type(joined) is type(c)
    assert len(joined) == 8
    assert joined[0] is c[0]
    assert len(c) == 4
    c += [nn.ReLU()]
    assert c.append(nn.ReLU()) is c
    assert c.extend([nn.ELU(), nn.ELU()]) is c
    assert kinds(c)[4:] == ["ReLU", "ReLU", "ELU", "ELU"]
    c.extend(c)
    assert len(c) == 16


@both
def test_only_modules_go_in(made):
    c = made()
    name = type(c).__name__
    for put in (
        c.append,
        lambda m: c.insert(0, m),
        lambda m: c.__setitem__(0, m),
        lambda m: c.extend([nn.ReLU(), m]),
    ):
        with pytest.raises(DtypeError, match=f"{name} takes modules, not int"):
            put(3)
        with pytest.raises(DtypeError, match=rf"{name} takes modules, not the class ReLU. Write ReLU\(…\)"):
            put(nn.ReLU)
        with pytest.raises(DtypeError, match="NoneType"):
            put(None)
    assert kinds(c) == ["Linear", "ReLU", "Linear", "Tanh"]


def test_sequential_passes_on_what_each_gives():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    x = sg.rand(4, 2)
    by_hand = net[2](net[0](x).relu())
    assert net(x).tolist() == by_hand.tolist()
    assert nn.Sequential()(x) is x
    with pytest.raises(DtypeError, match=r"not list. Unpack them: Sequential\(\*modules\)"):
        nn.Sequential([nn.ReLU()])
    with pytest.raises(ArgumentError, match=r"a module needs a name without dots, not 'a\.b'"):
        nn.Sequential({"a.b": nn.ReLU()})


def test_a_module_that_stands_twice_is_one():
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, nn.Tanh(), layer)
    assert len(net) == 3
    assert len(list(net.parameters())) == 2
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    x = sg.rand(1, 2)
    assert net(x).tolist() == layer(layer(x).tanh()).tolist()


def test_a_list_of_modules():
    assert len(nn.ModuleList()) == len(nn.ModuleList(None)) == 0
    assert len(nn.ModuleList(nn.ReLU() for _ in range(3))) == 3
    with pytest.raises(ArgumentError, match="ModuleList defines no forward"):
        nn.ModuleList()(sg.zeros(1))


def test_neighbours_of_the_same_text_are_one_line():
    several = nn.ModuleList([nn.Tanh(), *(nn.Linear(1, 1) for _ in range(3)), nn.Tanh()])
    assert repr(several) == (
        "ModuleList(\n"
        "  (0): Tanh()\n"
        "  (1-3): 3 x Linear(in_features=1, out_features=1, bias=True)\n"
        "  (4): Tanh()\n"
        ")"
    )
    nested = nn.ModuleList([nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU())])
    assert repr(nested) == "ModuleList(\n  (0-1): 2 x Sequential(\n    (0): ReLU()\n  )\n)"


# ------------------------------------------------------------------------------------------ ModuleDict


def test_a_dict_of_modules():
    d = nn.ModuleDict({"a": nn.Linear(1, 2), "keys": nn.ReLU()})
    d["b"] = nn.Tanh()
    d["a"] = nn.Linear(1, 3)  # keeps its place
    assert list(d) == list(d.keys()) == ["a", "keys", "b"]
    assert [type(m).__name__ for m in d.values()] == ["Linear", "ReLU", "Tanh"]
    assert dict(d.items())["b"] is d["b"]
    assert ("a" in d, "z" in d, len(d)) == (True, False, 3)
    assert list(d.state_dict()) == ["a.weight", "a.bias"]
    assert type(d.pop("keys")) is nn.ReLU
    del d["b"]
    d.update([("c", nn.ReLU())])
    d.update(nn.ModuleDict({"d": nn.ReLU()}))
    assert list(d) == ["a", "c", "d"]
    d.clear()
    assert len(d) == len(nn.ModuleDict()) == len(nn.ModuleDict(None)) == 0


def test_a_dict_checks_names_and_values():
    d = nn.ModuleDict({"layer": nn.ReLU()})
    with pytest.raises(MissingKeyError) as caught:
        d["lyaer"]
    assert str(caught.value) == "ModuleDict has no module 'lyaer'. Did you mean 'layer'?"
    assert isinstance(caught.value, KeyError)
    with pytest.raises(KeyError):
        del d["z"]
    for name in ("", "a.b", "training"):
        with pytest.raises(ArgumentError):
            d[name] = nn.ReLU()
    with pytest.raises(DtypeError, match="the name of a module is a text, not 3"):
        d[3] = nn.ReLU()
    with pytest.raises(DtypeError, match="ModuleDict takes modules, not the class ReLU"):
        d["x"] = nn.ReLU
    assert list(d) == ["layer"]


# --------------------------------------------------------------------------------------- ParameterList


def test_a_list_of_parameters():
    p = nn.ParameterList([sg.zeros(1), nn.Parameter(sg.zeros(2), requires_grad=False)])
    assert p.append(sg.zeros(3)) is p
    p += [sg.zeros(4)]
    p.extend([sg.zeros(5)])
    assert len(p) == 5
    assert [name for name, _ in p.named_parameters()] == ["0", "1", "2", "3", "4"]
    assert all(isinstance(x, nn.Parameter) for x in p)
    assert [x.requires_grad for x in p[:2]] == [True, False]
    assert isinstance(p[1:3], nn.ParameterList)
    assert p[1:3][0] is p[1]
    assert p[-1].shape == (5,)
    p[-1] = sg.ones(6)
    p[0] = nn.Parameter(sg.ones(7))
    assert [x.numel() for x in p] == [7, 2, 3, 4, 6]
    assert len(nn.ParameterList()) == len(nn.ParameterList(None)) == 0


def test_a_list_of_parameters_checks_what_it_is_given():
    p = nn.ParameterList([sg.zeros(2, 3)])
    with pytest.raises(IndexShapeError, match="ParameterList has 1 entries; there is no number 1"):
        p[1]
    with pytest.raises(IndexError):
        p[-2] = sg.zeros(1)
    with pytest.raises(DtypeError, match="ParameterList takes tensors, not int"):
        p.append(3)
    with pytest.raises(DtypeError, match=r"not one tensor. Write ParameterList\(\[x\]\)"):
        nn.ParameterList(sg.zeros(2, 3))
    assert repr(p) == "ParameterList(  (0): Parameter containing: [stepgrad.float32 of size 2x3])"
    assert repr(nn.ParameterList([sg.zeros(1), sg.zeros(2)])) == (
        "ParameterList(\n"
        "    (0): Parameter containing: [stepgrad.float32 of size 1]\n"
        "    (1): Parameter containing: [stepgrad.float32 of size 2]\n"
        ")"
    )


def test_a_dictionary_of_parameters():
    held = nn.ParameterDict({"a": sg.ones(2), "b": nn.Parameter(sg.zeros(1, 3))})
    assert list(held) == list(held.keys()) == ["a", "b"]
    assert isinstance(held["a"], nn.Parameter)
    assert [k for k, _ in held.named_parameters()] == list(held.state_dict()) == ["a", "b"]
    held["a"] = sg.zeros(4)
    held.update([("c", sg.ones(1))])
    assert [(k, v.shape) for k, v in held.items()] == [("a", (4,)), ("b", (1, 3)), ("c", (1,))]
    assert "c" in held
    assert held.pop("c").tolist() == [1]
    assert held.get("c") is None
    assert "c" not in held
    del held["a"]
    assert len(held) == len(list(held.values())) == 1
    with pytest.raises(MissingKeyError, match="ParameterDict has no parameter 'd'"):
        held["d"]
    with pytest.raises(DtypeError, match="ParameterDict takes tensors, not int"):
        held["d"] = 3
    with pytest.raises(ArgumentError, match="a parameter needs a name without dots"):
        held["d.e"] = sg.ones(1)
    with pytest.raises(ArgumentError, match="has an attribute 'training' already"):
        held["training"] = sg.ones(1)
    held.clear()
    assert repr(held) == "ParameterDict()"
