"""The rules and PyTorch's, step by step: same gradients, same parameters, same state."""

import numpy
import pytest

import stepgrad as sg

pytestmark = pytest.mark.oracle
torch = pytest.importorskip("torch")

SHAPES = [(5, 3), (3,), (), (120, 100), (2, 2, 2)]
STEPS = 15

CONFIGURATIONS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.3, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.01, "momentum": 0.5, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.3, 0.6), "eps": 1e-3}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.2}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("Adam", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.2, "maximize": True}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.2, "decoupled_weight_decay": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True}),
    ("AdamW", {"lr": 0.1, "betas": (0.0, 0.99), "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.01, "alpha": 0.7, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.8, "centered": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.6, "weight_decay": 0.1, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "momentum_decay": 0.02, "maximize": True}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.1}),
    ("RAdam", {"lr": 0.1, "betas": (0.5, 0.7), "weight_decay": 0.1, "maximize": True}),
    ("RAdam", {"lr": 0.1, "betas": (0.5, 0.6), "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (0.03, 0.2), "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.05, "lambd": 0.1, "alpha": 0.6, "t0": 4, "weight_decay": 0.1, "maximize": True}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.1, "eps": (1e-4, 0.1), "d": 2.0, "weight_decay": 0.1, "maximize": True}),
    ("Muon", {"lr": 0.1}),
    ("Muon", {"lr": 0.1, "nesterov": False, "weight_decay": 0.3, "adjust_lr_fn": "match_rms_adamw"}),
]


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """PyTorch with float64 where it chooses for itself: numbers of the state, and Muon's matrices."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.clone())
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Pair:
    """The same parameters here and there, in two groups, the second with a learning rate ten times larger."""

    def __init__(self, name, hyperparameters, dtype, shapes=SHAPES):
        self.name, self.hyperparameters, self.dtype = name, hyperparameters, dtype
        generator = numpy.random.default_rng(0)
        shapes = [s for s in shapes if name != "Muon" or len(s) == 2]
        arrays = [numpy.asarray(generator.normal(size=s), dtype) for s in shapes]
        self.ours = [sg.from_numpy(a.copy()).requires_grad_() for a in arrays]
        self.theirs = [torch.from_numpy(a.copy()).requires_grad_() for a in arrays]
        self.our_optimizer = self.made(sg, self.ours)
        self.their_optimizer = self.made(torch, self.theirs)

    def made(self, library, params):
        lr = self.hyperparameters.get("lr", 0.001)
        groups = [{"params": params[:2]}, {"params": params[2:], "lr": 10 * lr}]
        return getattr(library.optim, self.name)(groups, **self.hyperparameters)

    def step(self, number):
        generator = numpy.random.default_rng(number + 1)
        for i, (p, q) in enumerate(zip(self.ours, self.theirs)):
            # Gradients of all sizes; some parameters have none in some steps.
            size = 10.0 ** generator.integers(-4, 2)
            gradient = numpy.asarray(generator.normal(size=tuple(q.shape)) * size, self.dtype)
            absent = (number + i) % 5 == 4
            p.grad = None if absent else sg.from_numpy(gradient.copy())
            q.grad = None if absent else torch.from_numpy(gradient.copy())
        self.our_optimizer.step()
        self.their_optimizer.step()

    def check(self):
        for p, q in zip(self.ours, self.theirs):
            self.check_close(p.detach().numpy(), q.detach().numpy())
        ours, theirs = self.our_optimizer.state_dict(), self.their_optimizer.state_dict()
        theirs["state"] = {
            i: {name: t for name, t in own.items() if t is not None} for i, own in theirs["state"].items()
        }
        assert {i: list(own) for i, own in ours["state"].items() if own} == {
            # PyTorch's Adagrad makes its state before the first step.
            i: list(own)
            for i, own in theirs["state"].items()
            if own and own.get("step") != 0
        }
        for i, own in ours["state"].items():
            for name, tensor in own.items():
                self.check_close(tensor.numpy(), theirs["state"][i][name].numpy())
        for our_group, their_group in zip(ours["param_groups"], theirs["param_groups"]):
            assert our_group == {name: their_group[name] for name in our_group}

    def check_close(self, ours, theirs):
        # PyTorch fuses some products and sums: last bits differ, and stay so where large numbers cancel.
        relative = 1e-13 if self.dtype == "float64" else 1e-5
        numpy.testing.assert_allclose(ours, theirs, rtol=relative, atol=relative / 10 * abs(theirs).max())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name, hyperparameters", CONFIGURATIONS)
def test_parameters_and_state_agree(name, hyperparameters, dtype):
    pair = Pair(name, hyperparameters, dtype)
    for number in range(STEPS):
        pair.step(number)
        pair.check()


@pytest.mark.parametrize("name, hyperparameters", CONFIGURATIONS)
def test_the_defaults_are_pytorchs(name, hyperparameters):
    ours = getattr(sg.optim, name)([sg.zeros(1, 1, requires_grad=True)])
    theirs = getattr(torch.optim, name)([torch.zeros(1, 1, requires_grad=True)])
    assert ours.defaults == {key: theirs.defaults[key] for key in ours.defaults}


@pytest.mark.parametrize("name, hyperparameters", CONFIGURATIONS)
def test_a_state_travels_to_pytorch_and_back(name, hyperparameters):
    pair = Pair(name, hyperparameters, "float64")
    for number in range(6):
        pair.step(number)

    def converted(content, leaf, convert):
        if isinstance(content, dict):
            return {key: converted(value, leaf, convert) for key, value in content.items()}
        if isinstance(content, list):
            return [converted(value, leaf, convert) for value in content]
        return convert(content) if isinstance(content, leaf) else content

    ours, theirs = pair.our_optimizer.state_dict(), pair.their_optimizer.state_dict()
    as_theirs = converted(ours, sg.Tensor, lambda t: torch.from_numpy(t.numpy().copy()))
    as_ours = converted(theirs, torch.Tensor, lambda t: sg.from_numpy(t.numpy().copy()))
    pair.our_optimizer = pair.made(sg, pair.ours)
    pair.their_optimizer = pair.made(torch, pair.theirs)
    pair.our_optimizer.load_state_dict(as_ours)
    pair.their_optimizer.load_state_dict(as_theirs)
    for number in range(6, 10):
        pair.step(number)
    for p, q in zip(pair.ours, pair.theirs):
        numpy.testing.assert_allclose(p.tolist(), q.tolist(), rtol=1e-12, atol=1e-13)


def test_the_configurations_that_pytorch_tests_itself():
    database = pytest.importorskip("torch.testing._internal.common_optimizers").optim_db
    checked = 0
    for info in database:
        name = info.optim_cls.__name__
        if not hasattr(sg.optim, name):
            continue
        for example in info.optim_inputs_func(device="cpu"):
            given = dict(example.kwargs)
            hyperparameters = {
                key: v.item() if isinstance(v, torch.Tensor) else v for key, v in given.items()
            }
            if name == "LBFGS":
                continue  # it needs a closure: see tests/oracle
            pair = Pair(name, hyperparameters, "float64", shapes=[(4, 3), (3,), (2,)])
            for number in range(5):
                pair.step(number)
                pair.check()
            checked += 1
    assert checked >= 60
