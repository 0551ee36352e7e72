"""Set-ups that are made at random from a number: healthy ones, and ones with a fault of a known kind."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import stepgrad as sg
from stepgrad import nn, optim


class Setup(NamedTuple):
    """What `health` and a `Trainer` take; `kind` is the fault, "" where there is none."""

    kind: str
    text: str
    model: Any
    loss: Any
    optimizer: Any
    x: Any
    y: Any
    validation: Any


TASKS = ("regression", "binary", "multiclass")
RATES = {"sgd": (0.02, 0.1), "momentum": (0.003, 0.02), "adam": (0.001, 0.01), "adamw": (0.001, 0.01)}


def data(rng, task, rows=192, columns=6, noise=0.1):
    """Standardised inputs and a target that follows from them, not linearly."""
    x = rng.normal(size=(rows, columns))
    w = rng.normal(size=(columns, 3)) / np.sqrt(columns)
    z = x @ w
    value = np.tanh(2 * z[:, 0]) + 0.5 * z[:, 1] ** 2 - 0.5 + noise * rng.normal(size=rows)
    if task == "regression":
        y = ((value - value.mean()) / value.std())[:, None].astype("float32")
    elif task == "binary":
        y = (value > np.median(value)).astype("float32")[:, None]
    else:
        y = np.digitize(value, np.quantile(value, [1 / 3, 2 / 3])).astype("int64")
    return x.astype("float32"), y


def loss_of(task):
    makers = {"regression": nn.MSELoss, "binary": nn.BCEWithLogitsLoss, "multiclass": nn.CrossEntropyLoss}
    return makers[task]()


def network(widths, activation, dropout=0.0, norm=False):
    layers = []
    for a, b in pairwise(widths[:-1]):
        layers += [nn.Linear(a, b), *([nn.BatchNorm1d(b)] if norm else []), activation()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


def optimizer_of(name, params, lr):
    if name == "momentum":
        return optim.SGD(params, lr=lr, momentum=0.9)
    return {"sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW}[name](params, lr=lr)


def healthy(number, run=False):
    """A network as a person with experience sets it up; with `run`, on enough rows."""
    rng = np.random.default_rng([1, number])
    sg.manual_seed(number)
    task = TASKS[number % 3]
    sizes = [384, 512, 640] if run else [96, 192, 256]
    x, y = data(rng, task, rows=int(rng.choice(sizes)), columns=int(rng.integers(2, 12)))
    scaling = rng.choice(["normal", "unit", "normal"])
    if scaling == "unit":  # as pixels: between 0 and 1, most of them dark
        x = np.clip(np.abs(x) / 3 - 0.2, 0, 1)
    depth = int(rng.integers(0 if task == "binary" else 1, 4))
    activations = [nn.ReLU, nn.Tanh, nn.SiLU, nn.GELU, nn.LeakyReLU, nn.ELU]
    activation = (
        nn.Sigmoid if depth == 1 and rng.random() < 0.3 else activations[rng.integers(len(activations))]
    )
    widths = [
        x.shape[1],
        *(int(rng.choice([8, 16, 32, 64])) for _ in range(depth)),
        3 if task == "multiclass" else 1,
    ]
    dropout = 0.2 if rng.random() < 0.2 else 0.0
    model = network(widths, activation, dropout, norm=depth > 0 and rng.random() < 0.2)
    name = str(rng.choice(list(RATES)))
    low, high = RATES[name]
    lr = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    cut = len(x) * 3 // 4
    text = f"healthy {number}: {task}, {widths}, {activation.__name__}, {name} {lr:.3g}, {dropout}, {scaling}"
    return Setup(
        "", text, model, loss_of(task), optimizer_of(name, model.parameters(), lr),
        x[:cut], y[:cut], (x[cut:], y[cut:]),
    )  # fmt: skip


def broken(number):
    """A network with one fault, of the kinds of `FAULTS` in turn, each in four variants."""
    rng = np.random.default_rng([2, number])
    sg.manual_seed(1000 + number)
    kind, variant = list(FAULTS)[number % len(FAULTS)], number // len(FAULTS) % 4
    task = "regression" if (kind, variant) == ("exploding_gradient", 2) else TASKS[variant % 3]
    x, y = data(rng, task)
    widths = [x.shape[1], 32, 32, 3 if task == "multiclass" else 1]
    made = FAULTS[kind](variant, widths, x, y)
    model, optimizer = made.get("model"), made.get("optimizer")
    if model is None:
        model = network(widths, nn.ReLU if variant % 2 else nn.Tanh)
    optimizer = optim.SGD(model.parameters(), lr=0.05) if optimizer is None else optimizer(model)
    x, y = made.get("x", x).astype("float32"), made.get("y", y)
    cut = len(x) * 3 // 4
    return Setup(
        kind, f"{kind} {variant}: {task}", model, loss_of(task), optimizer, x[:cut], y[:cut],
        (x[cut:], y[cut:]),
    )  # fmt: skip


def vanishing(variant, widths, x, y):
    model = network(
        [widths[0], *[16] * (5, 6, 8, 10)[variant], widths[-1]], nn.Tanh if variant == 2 else nn.Sigmoid
    )
    return {"model": scaled(model, 0.3) if variant == 2 else model}


def exploding(variant, widths, x, y):
    if variant == 2:
        return {"model": network(widths, nn.ReLU), "y": y * 3000}
    return {"model": scaled(network([widths[0], *[32] * (5 + variant), widths[-1]], nn.ReLU), 6.0)}


def saturated(variant, widths, x, y):
    model = network(widths, nn.Tanh if variant % 2 else nn.Sigmoid)
    return {"model": model, "x": x * 100} if variant < 2 else {"model": scaled(model, 40.0)}


def dead(variant, widths, x, y):
    model = network(widths, nn.SiLU if variant == 3 else nn.ReLU)
    for layer in (model[0], model[2]) if variant % 2 else (model[2],):
        nn.init.constant_(layer.bias, -10.0 if variant else -6.0)
    return {"model": model}


def high_rate(variant, widths, x, y):
    makers = (
        lambda m: optim.SGD(m.parameters(), lr=20.0), lambda m: optim.Adam(m.parameters(), lr=2.0),
        lambda m: optim.SGD(m.parameters(), lr=2.0, momentum=0.95),
        lambda m: optim.Adam(m.parameters(), lr=5.0),
    )  # fmt: skip
    return {"optimizer": makers[variant]}


def low_rate(variant, widths, x, y):
    makers = (
        lambda m: optim.SGD(m.parameters(), lr=1e-5), lambda m: optim.Adam(m.parameters(), lr=1e-7),
        lambda m: optim.SGD(m.parameters(), lr=1e-6, momentum=0.9),
        lambda m: optim.AdamW(m.parameters(), lr=1e-6),
    )  # fmt: skip
    return {"optimizer": makers[variant]}


def apart(factor):
    """A fault: one layer with another learning rate than the others."""

    def make(variant, widths, x, y):
        def optimizer(model):
            chosen = list(model[(0, 2, 4, 2)[variant]].parameters())
            others = [p for p in model.parameters() if not any(p is q for q in chosen)]
            rule, rate = (optim.Adam, 2e-3) if variant % 2 or factor > 1 else (optim.SGD, 0.02)
            return rule([{"params": chosen, "lr": rate * factor}, {"params": others, "lr": rate}])

        return {"optimizer": optimizer}

    return make


def zigzag(variant, widths, x, y):
    layers = [widths[0], 32, widths[-1]] if variant % 2 else [widths[0], widths[-1]]
    rate = (3e-3, 0.01, 3e-3, 1e-3)[variant]
    return {
        "x": x * (0.5, 0.3, 0.5, 1.0)[variant] + (8, 5, 10, 20)[variant],
        "model": network(layers, nn.Tanh),
        "optimizer": lambda m: optim.SGD(m.parameters(), lr=rate),
    }


def undefined(variant, widths, x, y):
    return {"model": nn.Sequential(nn.Linear(widths[0], 16), Bad(variant), nn.Linear(16, widths[-1]))}


FAULTS = {
    "vanishing_gradient": vanishing, "exploding_gradient": exploding, "saturated": saturated,
    "dead_relu": dead, "rate_too_high": high_rate, "rate_too_low": low_rate,
    "update_too_large": apart(1000.0), "update_too_small": apart(1e-6), "zigzag": zigzag,
    "not_finite": undefined,
}  # fmt: skip


def overfitting(number):
    """A wide network on few rows with much noise, trained long."""
    rng = np.random.default_rng([3, number])
    sg.manual_seed(number)
    task = TASKS[number % 3]
    x, y = data(rng, task, rows=70, noise=1.0)
    model = network([x.shape[1], 64, 64, 3 if task == "multiclass" else 1], nn.ReLU)
    return Setup(
        "overfitting", f"overfitting {number}: {task}", model, loss_of(task),
        optim.Adam(model.parameters(), lr=0.01), x[:35], y[:35], (x[35:], y[35:]),
    )  # fmt: skip


def underfitting(number):
    """A linear network, or one that is held back, on data that are not linear."""
    rng = np.random.default_rng([4, number])
    sg.manual_seed(number)
    x = rng.normal(size=(192, 2)).astype("float32")
    value = x[:, :1] * x[:, 1:] if number % 2 else np.abs(x[:, :1]) + np.abs(x[:, 1:])
    y = ((value - value.mean()) / value.std()).astype("float32")
    model = nn.Linear(2, 1) if number % 4 < 2 else network([2, 32, 1], nn.Tanh)
    decay = 0.0 if number % 4 < 2 else 20.0
    return Setup(
        "decay_too_strong" if decay else "underfitting", f"underfitting {number}", model, nn.MSELoss(),
        optim.AdamW(model.parameters(), lr=0.02, weight_decay=decay), x[:144], y[:144],
        (x[144:], y[144:]),
    )  # fmt: skip


def scaled(model, factor):
    with sg.no_grad():
        for p in model.parameters():
            if p.ndim > 1:
                p.mul_(factor)
    return model


class Bad(nn.Module):
    """An operation that is not defined for all numbers."""

    def __init__(self, variant):
        super().__init__()
        self.variant = variant

    def forward(self, x):
        if self.variant == 0:
            return x.log()
        if self.variant == 1:
            return (x * 1e3).exp()
        if self.variant == 2:
            return (x - x.detach()) / (x - x.detach())
        return x.relu().sqrt()  # finite, but its derivative at 0 is not
