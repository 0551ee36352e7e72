"""Which names and values the tables of a module take. (`test_module.py` shows them from outside.)"""

import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, DtypeError
from stepgrad.nn.tables import check_name, check_text, forget, kind, register, table_for


def test_a_value_goes_to_the_table_of_its_kind():
    net = nn.Module()
    assert table_for(net, "x", nn.Parameter(sg.zeros(1)), is_module=False) == "_parameters"
    assert table_for(net, "x", nn.ReLU(), is_module=True) == "_modules"
    assert table_for(net, "x", sg.zeros(1), is_module=False) is None
    net.register_buffer("x", None)
    assert table_for(net, "x", sg.zeros(1), is_module=False) == "_buffers"
    assert table_for(net, "x", None, is_module=False) == "_buffers"
    with pytest.raises(DtypeError, match="'x' is a buffer of Module; it cannot become int"):
        table_for(net, "x", 1, is_module=False)


def test_a_name_stands_in_one_table():
    net = nn.Module()
    register(net, "_buffers", "x", sg.zeros(1), sg.Tensor)
    with pytest.raises(ArgumentError, match="Module has an attribute 'x' already"):
        register(net, "_modules", "x", nn.ReLU(), nn.Module)
    register(net, "_buffers", "x", None, sg.Tensor)
    assert forget(net, "x")
    assert not forget(net, "x")
    register(net, "_modules", "x", nn.ReLU(), nn.Module)
    assert list(net._modules) == ["x"]


def test_names_are_texts_without_dots():
    check_text("forward", "module")
    with pytest.raises(ArgumentError, match="the class Module has an attribute 'forward' already"):
        check_name(nn.Module(), "forward", "module")
    with pytest.raises(ArgumentError, match=r"a module needs a name without dots, not 'a\.b'"):
        check_text("a.b", "module")
    with pytest.raises(DtypeError, match="the name of a module is a text, not None"):
        check_text(None, "module")


def test_values_are_called_by_their_kind():
    assert (kind(3), kind(nn.ReLU()), kind(nn.ReLU)) == ("int", "ReLU", "the class ReLU")
