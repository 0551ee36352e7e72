"""Steps one at a time: what they take, and that an error in one leaves everything as it was."""

import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import DataError, StepgradError
from stepgrad.train import LambdaCallback
from stepgrad.train.eager import on_device, with_target
from tests.train.runs import bits, eager, rich_net, table, trainer_of


def test_the_parts_of_a_batch():
    x, y = on_device([[[1.0], [2.0]], sg.tensor([3, 4])], None)
    assert x.tolist() == [[1], [2]]
    assert y.tolist() == [3, 4]
    assert len(on_device(x, "cpu")) == 1
    assert [t.tolist() for t in with_target((1.0, 2.0), None)] == [1, 2]
    with pytest.raises(DataError, match=r"a batch is \(inputs…, target\), but the data give a single tensor"):
        with_target(x, None)
    with pytest.raises(DataError, match=r"not a dict with 'x', 'y'; give the DataLoader a collate_fn"):
        on_device({"x": x, "y": y}, None)


def test_an_error_says_where_it_was_and_once():
    class Fails(nn.Module):
        def forward(self, x):
            raise StepgradError("it does not work.")

    with pytest.raises(StepgradError) as caught:
        sg.Trainer(Fails(), nn.MSELoss(), eager().optimizer, progress=False, compile=False).fit(table())
    assert str(caught.value) == "it does not work. This was in epoch 1, batch 1 (step 1)."


def test_errors_of_the_model_itself_leave_everything_as_it_was():
    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = rich_net()
            self.calls = 0

        def forward(self, x):
            y = self.inner(x)
            self.calls += 1
            if self.calls == 3:
                raise KeyError("no such thing")
            return y

    trainer = trainer_of(Fails(), compile=False)
    seen = []
    trainer.callbacks.append(LambdaCallback(on_batch_end=lambda t: seen.append(bits(t))))
    with pytest.raises(KeyError, match="no such thing"):
        trainer.fit(table(), epochs=1, batch_size=4)
    assert len(seen) == 2
    assert bits(trainer) == seen[-1]
