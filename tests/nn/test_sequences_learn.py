"""Sequence models on handwritten digits, read row by row: they learn, natively and fast, and stay what they
are in a file.
"""

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.data import DataLoader, TensorDataset
from stepgrad.data.builtin import digits
from stepgrad.train import Trainer


class Reader(nn.Module):
    """The last state of a recurrent layer that reads the rows, and a linear layer."""

    def __init__(self, kind: str):
        super().__init__()
        self.read, self.out = getattr(nn, kind)(8, 48, batch_first=True), nn.Linear(48, 10)

    def forward(self, x):
        return self.out(self.read(x)[0][:, -1])


class Attention(nn.Module):
    """Rows that look at each other, and the mean of what they saw."""

    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Linear(8, 32), nn.Parameter(sg.randn(8, 32) * 0.1)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.layers, self.out = nn.TransformerEncoder(layer, 2), nn.Linear(32, 10)

    def forward(self, x):
        return self.out(self.layers(self.embed(x) + self.place).mean(1))


MODELS = {"LSTM": lambda: Reader("LSTM"), "GRU": lambda: Reader("GRU"), "attention": Attention}


@pytest.mark.parametrize("name", MODELS)
def test_digits_row_by_row(name, tmp_path):
    images, labels = digits()
    held = numpy.arange(len(images)) % 5 == 0
    x, y = sg.tensor(images[~held] / 16), sg.tensor(labels[~held])
    unseen, truth = sg.tensor(images[held] / 16), sg.tensor(labels[held])
    sg.manual_seed(0)
    model = MODELS[name]()
    trainer = Trainer(model, nn.CrossEntropyLoss(), sg.optim.Adam(model.parameters(), lr=0.005))
    trainer.fit(DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True), epochs=20)
    assert not trainer._steps.is_eager
    model.eval()
    with sg.no_grad():
        accuracy = (model(unseen).argmax(1) == truth).double().mean().item()
    assert accuracy > 0.95
    sg.save(model, tmp_path / "model.safetensors")
    again = sg.load(tmp_path / "model.safetensors", classes=[type(model)])
    assert again.eval()(unseen).tolist() == model(unseen).tolist()
