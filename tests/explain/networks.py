"""Random networks: every activation, loss and optimizer that there is, found and not listed."""

import inspect
from typing import NamedTuple

from hypothesis import strategies as st

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.nn import activation, softmaxes


def classes_of(module, parent=object):
    """The public classes that a module defines, by name."""
    found = {
        name: c
        for name, c in vars(module).items()
        if inspect.isclass(c) and c.__module__ == module.__name__ and not name.startswith("_")
    }
    return {name: c for name, c in found.items() if issubclass(c, parent)}


# What a step of one number cannot be taken with: images, no derivative.
NOT_HERE = {"Softmax2d", "Step", "ActivationFunction"}
ACTIVATIONS = {
    n: c
    for module in (activation, softmaxes)
    for n, c in classes_of(module, nn.Module).items()
    if n not in NOT_HERE
}


def target_of(loss_class):
    """What a loss compares outputs with: "numbers" of their shape, "classes", or None where it takes
    something else.
    """
    for kind, target in (("classes", sg.tensor([0, 1])), ("numbers", sg.rand(2, 2))):
        try:
            if loss_class()(sg.rand(2, 2), target).numel() == 1:
                return kind
        except (sg.StepgradError, TypeError):
            continue
    return None


_LOSSES = {name: c for name, c in vars(nn).items() if name.endswith("Loss") and inspect.isclass(c)}
LOSSES = {name: c for name, c in _LOSSES.items() if target_of(c) is not None}
OPTIMIZERS = {
    name: c
    for name, c in vars(optim).items()
    if inspect.isclass(c) and issubclass(c, optim.Optimizer) and c.update is not None
}
MATRICES_ONLY = {"Muon"}
ARGUMENTS = {"Threshold": (0.1, -0.5), "Softmax": (-1,), "LogSoftmax": (-1,), "Softmin": (-1,)}
CLASSES = {name for name in LOSSES if target_of(LOSSES[name]) == "classes"}
OPTIONS = {
    # With its own eps, 2e-16, it makes a step of what rounding leaves of terms that cancel.
    "Adafactor": [{"eps": (1e-8, 1e-3)}],
    "SGD": [
        {},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.5, "dampening": 0.1, "weight_decay": 0.01},
    ],
    "Adam": [{}, {"amsgrad": True, "weight_decay": 0.1}],
    "RMSprop": [{}, {"centered": True, "momentum": 0.9}],
}


class Case(NamedTuple):
    """A step to be explained."""

    model: nn.Module
    loss: nn.Module
    optimizer: object
    x: object
    y: object
    text: str


def activation_of(name):
    return ACTIVATIONS[name](*ARGUMENTS.get(name, ()))


@st.composite
def cases(draw):
    """A network of 1 to 4 layers with a loss and an optimizer that has taken 0 to 2 steps."""
    sg.manual_seed(draw(st.integers(0, 10_000)))
    names = draw(st.lists(st.sampled_from(sorted(ACTIVATIONS)), min_size=0, max_size=3))
    widths = [draw(st.integers(1, 3)) for _ in range(len(names) + 2)]
    layers = []
    for i, name in enumerate(names):
        width = widths[i + 1] + widths[i + 1] % 2 if name == "GLU" else widths[i + 1]
        layers += [nn.Linear(widths[i], width), activation_of(name)]
        widths[i + 1] = width // 2 if name == "GLU" else width
    kind = draw(st.sampled_from(sorted(LOSSES)))
    layers.append(nn.Linear(widths[-2], max(2, widths[-1]) if kind in CLASSES else widths[-1]))
    if kind == "BCELoss":
        layers.append(nn.Sigmoid())
    elif kind == "NLLLoss":
        layers.append(nn.LogSoftmax(-1))
    optimizer = draw(st.sampled_from(sorted(set(OPTIMIZERS) - MATRICES_ONLY)))
    options = draw(st.sampled_from(OPTIONS.get(optimizer, [{}])))
    reduction = draw(st.sampled_from(["mean", "sum"]))
    rows, steps = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    text = f"{nn.Sequential(*layers)} {kind}({reduction}) {optimizer}({options}) rows={rows} steps={steps}"
    return made(
        layers, LOSSES[kind](reduction=reduction), kind, OPTIMIZERS[optimizer], options, rows, steps, text
    )


def made(layers, criterion, kind, optimizer, options, rows, steps, text):
    model = nn.Sequential(*layers).double()
    outputs = model(sg.zeros(rows, layers[0].in_features, dtype=sg.float64)).shape[1]
    x = sg.randn(rows, layers[0].in_features, dtype=sg.float64)
    if kind in CLASSES:
        y = sg.randint(0, outputs, (rows,))
    else:
        y = sg.rand(rows, outputs, dtype=sg.float64)
    chosen = optimizer(model.parameters(), lr=0.05, **options)
    for _ in range(steps):
        chosen.zero_grad()
        criterion(model(x), y).backward()
        chosen.step()
    return Case(model, criterion, chosen, x, y, text)
