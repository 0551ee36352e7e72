"""Loss, metrics and outputs of a model in evaluation mode."""

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.data import DataLoader, TensorDataset
from stepgrad.errors import DataError, ShapeError
from tests.train.runs import bits, eager, rich_net, table

X, Y = table(rows=26)
VALIDATION = table(rows=10, seed=1)


def test_metrics_by_name():
    from sklearn import metrics as judge

    names = ["accuracy", "precision", "recall", "f1", "top_2"]
    trainer = eager(metrics=names)
    record = trainer.fit((X, Y), VALIDATION, epochs=2)[-1]
    x, y = VALIDATION
    outputs, target = trainer.predict(x).numpy(), y.numpy()
    predicted = outputs.argmax(1)
    expected = {"accuracy": judge.accuracy_score(target, predicted)}
    for name in names[1:4]:
        expected[name] = getattr(judge, f"{name}_score")(target, predicted, average="macro", zero_division=0)
    expected["top_2"] = judge.top_k_accuracy_score(target, outputs, k=2, labels=range(3))
    assert {name: record[f"validation_{name}"] for name in names} == pytest.approx(expected)
    assert trainer.evaluate(VALIDATION) == pytest.approx({"loss": record["validation_loss"], **expected})


@pytest.mark.parametrize("loss, last", [(nn.BCELoss(), [nn.Sigmoid()]), (nn.BCEWithLogitsLoss(), [])])
def test_the_threshold_between_two_classes_follows_from_the_loss(loss, last):
    sg.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 1), *last)
    target = (Y > 0).float()[:, None]
    trainer = sg.Trainer(
        net, loss, optim.Adam(net.parameters(), lr=0.1), metrics="accuracy", progress=False, compile=False
    )
    history = trainer.fit((X, target), (X, target), epochs=30)
    assert history[-1]["validation_accuracy"] > 0.8


def test_evaluating_leaves_modes_and_random_numbers_alone():
    trainer = eager(rich_net)
    trainer.model.train()
    trainer.model[1].eval()
    before = bits(trainer)
    first = trainer.evaluate((X, Y))
    outputs = trainer.predict(X)
    assert [module.training for module in trainer.model.modules()] == [True, True, False, True, True, True]
    assert bits(trainer) == before
    assert trainer.evaluate((X, Y)) == first
    assert not outputs.requires_grad
    with pytest.raises(ShapeError):
        trainer.predict(X[:, :2])
    assert trainer.model.training


def test_predictions_in_batches_are_those_at_once():
    trainer = eager(rich_net)
    whole = trainer.predict(X)
    for data in (X, X.numpy(), (X,), TensorDataset(X), DataLoader(TensorDataset(X), 4)):
        np.testing.assert_allclose(trainer.predict(data, batch_size=4).numpy(), whole.numpy(), rtol=1e-5)


class Both(nn.Module):
    """Two inputs, two outputs."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 3), nn.Linear(2, 3)

    def forward(self, x, z):
        return self.a(x), self.b(z)


def test_several_outputs():
    z = sg.randn(26, 2)
    sg.manual_seed(0)
    net = Both()
    trainer = sg.Trainer(
        net, lambda outputs, t: nn.functional.cross_entropy(outputs[0] + outputs[1], t),
        optim.SGD(net.parameters()), progress=False, compile=False,
        metrics={"shapes": lambda outputs, t: len(outputs) + outputs[1].shape[0]},
    )  # fmt: skip
    assert trainer.fit((X, z, Y), (X, z, Y), epochs=1)[0]["validation_shapes"] == 28
    first, second = trainer.predict((X, z), batch_size=10)
    assert first.shape == second.shape == (26, 3)


def test_what_is_no_data():
    for wrong in ("table.csv", 3, None):
        with pytest.raises(DataError, match=r"data are a Dataset, a tuple .* or a DataLoader, not "):
            eager().fit(wrong)
        with pytest.raises(DataError, match="data are a Dataset, a tuple"):
            eager().evaluate(wrong)
    with pytest.raises(ShapeError, match="TensorDataset needs tensors of the same first size"):
        eager().fit((X, 3))
    assert len(eager().fit((X.tolist(), Y.tolist()), epochs=1)) == 1


def test_data_without_rows():
    trainer = eager()
    with pytest.raises(DataError, match="the data to evaluate have no rows"):
        trainer.evaluate((X[:0], Y[:0]))
    with pytest.raises(DataError, match="the data to predict have no rows"):
        trainer.predict(X[:0])
    with pytest.raises(DataError, match="the training data have no rows, so there is nothing to learn from"):
        trainer.fit((X[:0], Y[:0]))
    with pytest.raises(DataError, match="the training data have no rows"):
        trainer.fit(DataLoader(TensorDataset(X[:0], Y[:0])))
    with pytest.raises(DataError, match="no whole batch of 27 rows, and drop_last=True"):
        trainer.fit((X, Y), batch_size=27, drop_last=True)
    assert (trainer.step, trainer.epoch) == (0, 0)
