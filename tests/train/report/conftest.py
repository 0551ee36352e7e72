"""Finished runs as they would be, without training anything."""

import dataclasses

import numpy as np
import pytest

from stepgrad.train.table.result import Baseline, Example, InputImportance, Layer, Score, TableResult
from stepgrad.train.table.settings import TableSettings


def _history(epochs: int, metric: str) -> list[dict]:
    return [
        {
            "epoch": epoch,
            "step": epoch * 8,
            "loss": 1.2 / epoch + 0.02,
            "validation_loss": 1.3 / epoch + 0.05 + epoch * 0.002,
            f"validation_{metric}": 1 - 0.5 / epoch,
            "lr": 0.003,
            "seconds": 0.02,
        }
        for epoch in range(1, epochs + 1)
    ]


LAYERS = [
    Layer("Linear(in_features=9, out_features=64, bias=True)", (64,), 640),
    Layer("ReLU()", (64,), 0),
    Layer("Linear(in_features=64, out_features=3, bias=True)", (3,), 195),
]

FINISHED = {
    "inputs": 9,
    "layers": LAYERS,
    "parameters": 835,
    "epochs": 40,
    "best_epoch": 22,
    "stopped": "no improvement for 18 epochs",
    "seconds": 3.21,
    "refit_rows": 290,
    "importance_rows": "test",
    "notes": ["2 of 344 rows are left out because species is missing."],
    "run": "runs/penguins-1",
    "model": "runs/penguins-1/model.safetensors",
}


def classes_result(**changes) -> TableResult:
    """Penguins: three classes, 52 test rows, of which 50 are right."""
    cells = {"island": "Dream", "bill_length_mm": "46.4", "sex": "", "body_mass_g": "3450"}
    result = TableResult(
        task="multiclass",
        task_reason="'species' has 3 different texts",
        target="species",
        classes=["Adelie", "Chinstrap", "Gentoo"],
        rows={"train": 240, "validation": 50, "test": 52},
        settings=TableSettings("species", data="data/penguins.csv", hidden=(64,), lr=0.003, epochs=200),
        history=_history(40, "accuracy"),
        test={
            "accuracy": Score(50 / 52, 0.870, 0.989, "Wilson"),
            "loss": Score(0.0871),
            "f1": Score(0.953),
        },
        baseline=Baseline("Adelie", {"accuracy": 23 / 52, "loss": 1.05, "f1": 0.2}),
        confusion=[[23, 0, 0], [2, 8, 0], [0, 0, 19]],
        actual=None,
        predicted=None,
        examples=[
            Example(7, cells, "Gentoo", "Gentoo", 0.998, True),
            Example(301, cells, "Chinstrap", "Adelie", 0.61, False),
        ],
        importance=[
            InputImportance("bill_length_mm", 1.9, 0.31),
            InputImportance("island", 0.4, 0.06),
            InputImportance("sex", 0.01, -0.002),
        ],
        **FINISHED,
    )
    return dataclasses.replace(result, **changes)


def numbers_result(**changes) -> TableResult:
    """Prices: regression, 300 test rows."""
    actual = np.linspace(300.0, 18000.0, 300)
    predicted = actual * (1 + 0.1 * np.sin(np.arange(300.0)))
    result = classes_result(
        task="regression",
        task_reason="'price' is a number with 11,602 different values",
        target="price",
        classes=[],
        rows={"train": 1400, "validation": 300, "test": 300},
        settings=TableSettings("price", data="diamonds.csv"),
        history=_history(40, "r2"),
        test={
            "rmse": Score(545.18, 512.3, 580.4, "bootstrap"),
            "mae": Score(290.1, 280.0, 300.0, "bootstrap"),
            "r2": Score(0.981, 0.977, 0.984, "bootstrap"),
            "loss": Score(0.0187),
        },
        baseline=Baseline("3932.8", {"rmse": 3989.4, "mae": 3031.6, "r2": -0.0002, "loss": 1.0}),
        confusion=None,
        actual=actual,
        predicted=predicted,
        examples=[
            Example(12, {"carat": "0.23", "cut": "Ideal"}, "326", "331.5", None, True),
            Example(27, {"carat": "2.29", "cut": ""}, "18823", "12011", None, False),
        ],
        importance=[InputImportance("carat", 2.1, 3800.0), InputImportance("cut", 0.1, 25.5)],
    )
    return dataclasses.replace(result, **changes)


def digits_result(**changes) -> TableResult:
    """Digits: ten classes, inputs that are the pixels of an image."""
    names = [f"p{row}{column}" for row in range(8) for column in range(8)]
    cells = {name: str((i * 7) % 17) for i, name in enumerate(names)}
    confusion = np.diag([27] * 10)
    confusion[8, 1] = 2
    result = classes_result(
        target="digit",
        task_reason="'digit' has only 10 different whole numbers; ask for regression if it is a quantity",
        classes=[str(digit) for digit in range(10)],
        settings=TableSettings("digit"),
        rows={"train": 1257, "validation": 270, "test": 272},
        confusion=confusion.tolist(),
        test={"accuracy": Score(270 / 272, 0.974, 0.998, "Wilson"), "loss": Score(0.05)},
        baseline=Baseline("3", {"accuracy": 0.101, "loss": 2.3}),
        examples=[Example(1 + i, cells, "8", "8" if i % 2 else "1", 0.9, bool(i % 2)) for i in range(12)],
        importance=[InputImportance(name, 0.1 * (i % 9), 0.001 * (i % 9)) for i, name in enumerate(names)],
    )
    return dataclasses.replace(result, **changes)


RESULTS = {"classes": classes_result, "numbers": numbers_result, "digits": digits_result}


@pytest.fixture(params=RESULTS)
def result(request) -> TableResult:
    return RESULTS[request.param]()


@pytest.fixture
def make_result():
    """Make one of the finished runs by its name, with some fields changed."""
    return lambda name, **changes: RESULTS[name](**changes)
