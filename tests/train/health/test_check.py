"""`health`, its findings and trials, in both languages."""

import json
import math
import re

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.errors import ArgumentError, DataError, NotFiniteError
from stepgrad.train import HealthCheck, History
from stepgrad.train.health import Finding, Health
from stepgrad.train.health.case import make_case
from stepgrad.train.health.fitting import constant_loss, of_curves
from stepgrad.words.language import Words
from tests.train.health.setups import broken, healthy
from tests.train.runs import (
    Samples,
    assert_alike,
    bits,
    is_native,
    losses,
    plain_net,
    rich_net,
    table,
    trainer_of,
)

HANGUL = re.compile("[가-힣]")


def look(setup, **more):
    return sg.health(setup.model, setup.loss, setup.optimizer, setup.x, setup.y, **more)


def state_of(setup):
    return {name: t.numpy().tobytes() for name, t in setup.model.state_dict().items()}, sg.get_rng_state()


@pytest.mark.parametrize("number", range(10))
def test_a_finding_says_what_why_and_what_to_try_in_both_languages(number):
    setup = broken(number)
    before = state_of(setup)
    found = look(setup)
    assert not found
    for finding in found.findings:
        english, korean = finding.text(Words("en")), finding.text(Words("ko"))
        assert finding.title(Words()) in str(finding)
        assert finding.cause(Words()) in english
        assert ("Try " in english) == (finding.change is not None)
        assert not HANGUL.search(english)
        assert all(
            HANGUL.search(part(Words("ko"))) for part in (finding.title, finding.measured, finding.cause)
        )
        assert "{" not in english + korean
        assert Finding.from_json(json.loads(json.dumps(finding.to_json()))) == finding
    if any(finding.change for finding in found.findings):
        trial = found.try_out(steps=5)
        assert f"after {trial.steps} steps" in str(trial)
        assert "스텝" in trial.text(Words("ko"))
    assert state_of(setup) == before
    again = Health.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False)))
    assert again.findings == found.findings
    assert again.trials == found.trials
    assert repr(again.measurements) == repr(found.measurements)  # NaN is no equal of itself


def test_a_healthy_network():
    found = look(healthy(0))
    assert found
    assert repr(found) == "<Health: Nothing is wrong.>"
    assert found.text(Words("ko")) == "이상이 없습니다."
    assert len(found.measurements) == 2
    with pytest.raises(ArgumentError, match="there is nothing to try: no finding proposes a change"):
        found.try_out()


BRAKES = {
    "sgd": ("decay_too_strong", lambda p: sg.optim.SGD(p, lr=0.05, weight_decay=2.0)),
    "adamw": ("decay_too_strong", lambda p: sg.optim.AdamW(p, lr=0.01, weight_decay=20.0)),
    "momentum": ("momentum_too_high", lambda p: sg.optim.SGD(p, lr=0.05, momentum=0.999)),
    "beta": ("momentum_too_high", lambda p: sg.optim.Adam(p, lr=0.03, betas=(0.998, 0.999))),
}


@pytest.mark.parametrize("name", BRAKES)
def test_what_holds_training_up_is_named_and_not_what_comes_of_it(name):
    sg.manual_seed(1)
    kind, make = BRAKES[name]
    x = sg.randn(128, 5)
    y = (1.5 * x[:, :1]).sin() + 0.6 * x[:, 1:2] * x[:, 2:3]
    model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = make(model.parameters())
    found = sg.health(model, nn.MSELoss(), optimizer, x, y)
    assert found.kinds() == [kind]
    assert found.try_out().gain > 0.3
    assert "가중치 감소" in found.text(Words("ko")) or "모멘텀" in found.text(Words("ko"))
    check = HealthCheck()
    trainer = sg.Trainer(model, nn.MSELoss(), optimizer, callbacks=check, progress=False)
    trainer.fit((x, y), epochs=10)
    assert check.health.kinds() == [kind]


def test_inputs_that_are_scaled_bear_a_higher_rate():
    sg.manual_seed(1)
    x = sg.randn(128, 5)
    y = (1.5 * x[:, :1]).sin() + 0.6 * x[:, 1:2] * x[:, 2:3]
    model = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 1))
    found = sg.health(model, nn.MSELoss(), sg.optim.SGD(model.parameters(), lr=1e-4), 50 * x + 50, 50 * y)
    changes = [finding.change for finding in found.findings if finding.change is not None]
    assert any(change.kind.startswith("standardise") and change.value >= 1e-3 for change in changes)


def test_a_chosen_finding():
    found = look(broken(13))  # dead ReLUs in two layers
    assert found.kinds() == ["dead_relu", "dead_relu"]
    assert found.try_out(1, steps=3).finding is found.findings[1]
    with pytest.raises(ArgumentError, match="there is no finding 2; there are 2"):
        found.try_out(2)
    with pytest.raises(ArgumentError, match="needs the model, its data and an optimizer"):
        Health(found.findings, []).try_out()


def test_without_an_optimizer_gradients_are_looked_at():
    setup = broken(0)
    found = sg.health(setup.model, setup.loss, None, setup.x, setup.y)
    assert found.kinds() == ["vanishing_gradient"]
    assert len(found.measurements) == 1


def test_arguments_that_do_not_fit():
    net, mse, x = nn.Linear(2, 1), nn.MSELoss(), np.ones((3, 2), "float32")
    sgd = optim.SGD(net.parameters())
    with pytest.raises(ArgumentError, match="health takes a Module to look at, not a str"):
        sg.health("net", mse, sgd, x, x)
    with pytest.raises(ArgumentError, match="health takes a loss such as"):
        sg.health(net, nn.MSELoss, sgd, x, x)
    with pytest.raises(ArgumentError, match="health takes an optimizer, or None"):
        sg.health(net, mse, 0.1, x, x)
    with pytest.raises(ArgumentError, match="the optimizer has none of the parameters of the model"):
        sg.health(nn.Linear(2, 1), mse, sgd, x, x)
    with pytest.raises(DataError, match=r"as many rows as each other, .* \[3, 2\] and \[4, 1\]"):
        sg.health(net, mse, sgd, x, np.ones((4, 1), "float32"))
    with pytest.raises(DataError, match="there are no rows to look at"):
        sg.health(net, mse, sgd, x[:0], x[:0, :1])


def test_several_inputs_and_integers():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.out = nn.Embedding(5, 3), nn.Linear(5, 1)

        def forward(self, numbers, codes):
            return self.out(sg.cat([numbers, self.table(codes)], 1))

    sg.manual_seed(0)
    net, numbers, codes = Pair(), sg.randn(20, 2), sg.randint(0, 5, (20,))
    adam = optim.Adam(net.parameters(), lr=0.01)
    found = sg.health(net, nn.MSELoss(), adam, (numbers, codes), numbers.sum(1, keepdim=True))
    assert found
    assert [layer.path for layer in found.measurements[0].layers] == ["table", "out"]


# ---------------------------------------------------------------------------------------- curves


def curves(training, validation=()):
    return [
        {"epoch": i + 1, "loss": a, **({"validation_loss": validation[i]} if validation else {})}
        for i, a in enumerate(training)
    ]


FALLING = [1 / n for n in range(1, 21)]


@pytest.mark.parametrize(
    "history, kinds",
    [
        (curves(FALLING, FALLING), []),
        (curves(FALLING, [0.5 + 0.01 * abs(n - 6) ** 1.5 for n in range(20)]), ["overfitting"]),
        (curves(FALLING, [max(x, 0.4) for x in FALLING]), []),  # stands still, but does not rise
        (curves([1.0 - 0.001 * n for n in range(20)], [1.0] * 20), ["underfitting"]),
        (curves([1.0 - 0.04 * n for n in range(20)]), []),  # is still falling
        (curves([0.5] * 3, [0.5, 0.9, 1.5]), []),  # too few epochs to say
        (curves([math.nan] * 20), []),
    ],
)
def test_what_two_curves_say(history, kinds):
    assert [finding.kind for finding in of_curves(history)] == kinds
    assert [finding.kind for finding in of_curves(History(history))] == kinds


def test_weights_that_were_put_back_are_not_overfitted():
    history = curves(FALLING, [0.5 + 0.01 * abs(n - 6) ** 1.5 for n in range(20)])
    assert list(of_curves(history, restored=7)) == []


def test_the_best_constant_answer():
    y = np.array([[0.0], [1.0], [1.0], [1.0]], "float64")
    net = nn.Linear(1, 1).double()
    case = make_case(net, nn.MSELoss(), None, np.zeros((4, 1)), y)
    assert constant_loss(case) == pytest.approx(y.var(), abs=1e-6)
    case = make_case(net, nn.BCEWithLogitsLoss(), None, np.zeros((4, 1)), y)
    assert constant_loss(case) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)), abs=1e-6)


# -------------------------------------------------------------------------------------- callback


@pytest.mark.parametrize("compiled", [True, False], ids=["native", "eager"])
def test_a_run_that_is_looked_at_goes_through_the_same_bits(compiled):
    data = table(rows=40)
    trainers = []
    for callbacks in ([], [HealthCheck(looks=4)]):
        trainer = trainer_of(rich_net(), callbacks=callbacks, compile=compiled)
        trainer.fit(data, data, epochs=12, batch_size=8)
        assert is_native(trainer) == compiled
        trainers.append(trainer)
    plain, watched = trainers
    assert bits(plain) == bits(watched)
    assert losses(plain) == losses(watched)
    assert_alike(plain, watched, 0)


def test_looks_become_rarer():
    check = HealthCheck(looks=6)
    trainer_of(plain_net(), callbacks=check).fit(table(rows=20), epochs=100, batch_size=20)
    epochs = [seen.epoch for seen in check.measurements]
    assert epochs[:3] == [0, 1, 2]
    assert len(epochs) <= 10
    assert epochs[-1] == 100
    gaps = np.diff(epochs[:-1])
    assert (np.diff(gaps) >= 0).all()


def test_data_that_are_fetched_one_by_one():
    check = HealthCheck()
    trainer_of(plain_net(), callbacks=check, compile=False).fit(Samples(*table(rows=20)), epochs=2)
    assert len(check.measurements) == 3

    class Endless(sg.data.IterableDataset):
        def __iter__(self):
            return iter(zip(*table(rows=20)))

    with pytest.raises(ArgumentError, match="cannot pick rows of a Endless; name the rows"):
        trainer_of(plain_net(), callbacks=HealthCheck(), compile=False).fit(Endless(), epochs=1)
    check = HealthCheck(sample=table(rows=6))
    trainer_of(plain_net(), callbacks=check, compile=False).fit(Endless(), epochs=1)
    assert len(check.measurements) == 2


def test_a_run_that_ends_in_a_nan_is_explained():
    x, labels = table(rows=40)
    check, net = HealthCheck(), nn.Linear(4, 1)
    sgd = optim.SGD(net.parameters(), lr=1e6)
    trainer = sg.Trainer(net, nn.MSELoss(), sgd, callbacks=check, progress=False)
    with pytest.raises(NotFiniteError):
        trainer.fit((x, x.sum(1, keepdim=True)), epochs=9, batch_size=8)
    finding, cause = check.health.findings
    assert (finding.kind, cause.kind) == ("not_finite", "rate_too_high")
    assert finding.numbers["message"].startswith(f"the loss is inf in {trainer.place()}: the first such")
    assert finding.numbers["step"] == trainer.step + 1
    assert (finding.numbers["op"], finding.numbers["phase"]) == ("mse_loss", "forward")
    assert finding.change is None  # but against its cause there is one
    assert 1e-3 < cause.change.value < 1
    assert all(trial.gain > 0.5 for trial in check.health.trials if trial.finding == cause)
    spoiled = x.numpy().copy()
    spoiled[7, 2] = np.nan
    check = HealthCheck(sample=(x, labels))
    trainer = trainer_of(plain_net(), callbacks=check)
    with pytest.raises(NotFiniteError):
        trainer.fit((spoiled, labels), epochs=3, batch_size=8)
    assert "the input is not finite in row 7 of the data" in str(check.health)
    with pytest.raises(ArgumentError, match="looks counts"):
        HealthCheck(looks=0)


# --------------------------------------------------------------------------------------- squashed


@pytest.mark.parametrize(
    "end, loss, out", [(nn.Softmax(1), nn.CrossEntropyLoss(), 3), (nn.Sigmoid(), nn.BCEWithLogitsLoss(), 1)]
)
def test_probabilities_in_place_of_logits(end, loss, out):
    sg.manual_seed(0)
    x = sg.randn(96, 4)
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, out), end)
    y = (x[:, 0] > 0).long() if out == 3 else (x[:, :1] > 0).float()
    found = sg.health(net, loss, optim.Adam(net.parameters(), lr=0.02), x, y)
    assert [(finding.kind, finding.where) for finding in found.findings] == [("squashed", "3")]
    assert found.try_out().gain > 0.5
    assert isinstance(net[3], type(end))
    plain = nn.Sequential(*list(net)[:3])
    assert sg.health(plain, loss, optim.Adam(plain.parameters(), lr=0.02), x, y)
