"""A convolutional network learns the digits: eagerly, and compiled with the same losses."""

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.data import DataLoader, TensorDataset, builtin
from stepgrad.train import Trainer


def trained(epochs: int, compiled: bool) -> Trainer:
    sg.manual_seed(0)
    images, labels = builtin.digits()
    order = np.random.default_rng(0).permutation(len(labels))
    x, y = sg.tensor(images[order, None] / 16), sg.tensor(labels[order])
    train, test = TensorDataset(x[:1437], y[:1437]), TensorDataset(x[1437:], y[1437:])
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(128, 10),
    )  # fmt: skip
    optimizer = optim.Adam(net.parameters(), lr=3e-3)
    trainer = Trainer(net, nn.CrossEntropyLoss(), optimizer, metrics=["accuracy"], compile=compiled)
    trainer.fit(
        DataLoader(train, batch_size=64, shuffle=True), DataLoader(test, batch_size=360), epochs=epochs
    )
    return trainer


def test_a_convolutional_network_reads_digits():
    trainer = trained(10, compiled=True)
    assert trainer.history[-1]["validation_accuracy"] > 0.97


def test_native_steps_are_the_eager_ones():
    native, eager = trained(1, compiled=True), trained(1, compiled=False)
    assert native.history[-1]["loss"] == pytest.approx(eager.history[-1]["loss"], rel=1e-4)
    for a, b in zip(native.model.state_dict().values(), eager.model.state_dict().values(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-2, atol=1e-3)
