"""The module that a network on a table with texts begins with."""

import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import IndexShapeError


def test_each_column_of_codes_has_its_table():
    net = nn.EmbedColumns(nn.ModuleList([nn.Embedding(5, 2), nn.Embedding(3, 1)]), nn.Identity())
    numbers, codes = sg.rand(4, 2), sg.tensor([[0, 1], [4, 2], [0, 0], [1, 1]])
    y = net(numbers, codes)
    first, second = (table.weight for table in net.embeddings)
    expected = sg.cat([numbers, first[codes[:, 0]], second[codes[:, 1]]], 1)
    assert y.tolist() == expected.tolist()
    y.sum().backward()
    assert net.embeddings[0].weight.grad.tolist() == [[2, 2], [1, 1], [0, 0], [0, 0], [1, 1]]
    assert list(net.state_dict()) == ["embeddings.0.weight", "embeddings.1.weight"]


def test_an_unknown_code_names_its_table():
    net = nn.EmbedColumns(nn.ModuleList([nn.Embedding(5, 2), nn.Embedding(3, 1)]), nn.Identity())
    with pytest.raises(IndexShapeError, match=r"has 3 rows.* \(in embeddings.1: Embedding\(3, 1\)\)"):
        net(sg.rand(1, 2), sg.tensor([[0, 3]]))
