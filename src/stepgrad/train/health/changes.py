"""What may help a network in trouble, as changes that can be tried on a copy of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from stepgrad import nn
from stepgrad.arrays import random
from stepgrad.nn.init import kaiming_normal_, xavier_normal_, zeros_
from stepgrad.optim.adam import Adam
from stepgrad.optim.limits import number_of
from stepgrad.tensor import Tensor
from stepgrad.train.health.case import Case
from stepgrad.words.language import Words
from stepgrad.words.numbers import number

_STEEP = {"Sigmoid", "Tanh", "Softsign", "Hardtanh", "Hardsigmoid", "LogSigmoid"}
_FLAT_SIDE = {"ReLU", "ReLU6", "Threshold", "Hardswish", "SiLU", "GELU", "Mish", "ELU", "CELU", "SELU"}
TAKES_RATE = ("relu", "leaky", "initial", "standardise", "standardise_target", "logits")


@dataclass(frozen=True)
class Change:
    """A change to try: `kind` is a key of `_TEXTS`, `value` its number or place; for those in `TAKES_RATE` a
    learning rate that is changed besides, or None.
    """

    kind: str
    value: Any = None

    def text(self, words: Words) -> str:
        """Return what is changed, as a phrase."""
        value = number(self.value) if isinstance(self.value, float) else self.value
        text = words(_TEXTS[self.kind], value=value)
        if self.kind in TAKES_RATE and self.value is not None:
            return words("{change}, and a learning rate of {value}", change=text, value=value)
        return text

    def applied(self, case: Case) -> Case:
        """Return a copy of the case with this change; the case itself stays as it is.

        New initial weights come from a stream of their own, so that the default ones are left as they are.
        """
        streams = random.get_rng_state()
        try:
            random.manual_seed(0)
            changed = _APPLY[self.kind](case.copy(), self.value)
            takes_rate = self.kind in TAKES_RATE and self.value is not None
            return _with_rate(changed, self.value) if takes_rate else changed
        finally:
            random.set_rng_state(streams)

    def to_json(self) -> dict[str, Any]:
        """Return the change as plain values."""
        return {"kind": self.kind, "value": self.value}


_TEXTS = {
    "rate": "a learning rate of {value}",
    "layer_rate": "the learning rate of layer {value} as in the other layers",
    "layer_rate_between": (
        "the learning rate of layer {value} at the geometric mean of its own and that of the other layers"
    ),
    "relu": "ReLU in place of the saturating activations, with He's initial weights",
    "leaky": "LeakyReLU(0.1) as activation, with He's initial weights and biases of 0",
    "initial": "fresh initial weights whose size fits the widths of the layers (He, Glorot)",
    "standardise": "inputs with mean 0 and standard deviation 1",
    "standardise_target": "a target with mean 0 and standard deviation 1",
    "decay": "a weight decay of {value}",
    "no_decay": "no weight decay",
    "momentum": "a momentum of {value}",
    "no_dropout": "no dropout",
    "hidden": "a further hidden layer of {value} units, trained with Adam",
    "logits": "the outputs handed to the loss as they are",
    "finite": "a learning rate of {value}, and gradients clipped to a common norm of 1",
}


def replaced(module: nn.Module, old: nn.Module, new: nn.Module) -> nn.Module:
    """Return `module` with `new` wherever it has `old`."""
    if module is old:
        return new
    for parent in list(module.modules()):
        for name, child in list(parent._modules.items()):
            if child is old:
                parent._modules[name] = new
    return module


def _with_rate(case: Case, rate: float) -> Case:
    assert case.optimizer is not None
    old = number_of(case.optimizer.param_groups[0]["lr"])
    for group in case.optimizer.param_groups:
        group["lr"] = number_of(group["lr"]) * (rate / old) if old else rate
    return case


def _with_layer_rate(case: Case, path: str, between: bool = False) -> Case:
    """Return the case with the learning rate of the other layers for one, the middle one of their groups; or
    `between` that and its own.
    """
    assert case.optimizer is not None
    own = {id(p) for p in case.model.get_submodule(path).parameters()}
    groups = case.optimizer.param_groups
    others = sorted(
        number_of(group["lr"]) for group in groups if any(id(p) not in own for p in group["params"])
    )
    rate = others[len(others) // 2] if others else min(number_of(group["lr"]) for group in groups)
    for group in groups:
        if any(id(p) in own for p in group["params"]):
            group["lr"] = math.sqrt(number_of(group["lr"]) * rate) if between else rate
    return case


def _fresh_weights(case: Case, make: Callable[[Tensor], Any]) -> None:
    """Draw the weights of the layers that have matrices anew, and set their biases to 0."""
    for module in case.model.modules():
        matrices = [p for p in module._parameters.values() if p is not None and p.ndim > 1]
        if not matrices or isinstance(module, nn.Embedding):
            continue
        for p in module._parameters.values():
            if p is not None:
                make(p) if p.ndim > 1 else zeros_(p)


def _forgetting(case: Case) -> Case:
    """Return the case with an optimizer without memory, as one for other weights must be."""
    if case.optimizer is not None:
        case.optimizer.state.clear()
        case.optimizer._plans.clear()
    return case


def _with_activation(case: Case, names: set[str], make: Callable[[], nn.Module]) -> Case:
    model = case.model
    last = [m for m in model.modules() if m._parameters][-1:]
    after = False
    for module in list(model.modules()):
        after = after or any(module is layer for layer in last)
        # What comes after the last layer with parameters makes a probability, and stays.
        if not after and module._get_name() in names:
            model = replaced(model, module, make())
    case = replace(case, model=model)
    _fresh_weights(case, kaiming_normal_)
    return _forgetting(case)


def _with_initial(case: Case, _: Any) -> Case:
    kinds = {m._get_name() for m in case.model.modules()}
    _fresh_weights(case, xavier_normal_ if kinds & _STEEP else kaiming_normal_)
    return _forgetting(case)


def _standardised(x: Tensor, by: Tensor) -> Tensor:
    """Return `x` less the mean of the rows `by`, over their standard deviation; integers as they are."""
    if not x.dtype.is_floating_point or not x.ndim:
        return x
    rows = by.detach().double()
    mean, deviation = rows.mean(0), rows.std(0, unbiased=False)
    scaled = (x.detach().double() - mean) / deviation.where(deviation > 0, 1.0)
    return scaled.to(dtype=x.dtype)


def _with_standard_inputs(case: Case, _: Any) -> Case:
    inputs = tuple(map(_standardised, case.inputs, case.inputs))
    validation = case.validation
    if validation is not None:
        validation = (*map(_standardised, validation[:-1], case.inputs), validation[-1])
    return replace(case, inputs=inputs, validation=validation)


def _with_standard_target(case: Case, _: Any) -> Case:
    return replace(case, target=_standardised(case.target, case.target), validation=None)


def _with_decay(case: Case, decay: float) -> Case:
    assert case.optimizer is not None
    for group in case.optimizer.param_groups:
        if "weight_decay" in group:
            group["weight_decay"] = decay
    return case


def _with_momentum(case: Case, momentum: float) -> Case:
    """Return the case with a momentum, of Adam β₁, in the groups that have one, and without its memory."""
    assert case.optimizer is not None
    for group in case.optimizer.param_groups:
        if group.get("momentum"):
            group["momentum"] = momentum
        if "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
    return _forgetting(case)


def _without_dropout(case: Case, _: Any) -> Case:
    for module in case.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return case


def _with_hidden(case: Case, width: int) -> Case:
    """Return the case with a hidden layer ahead of the last `Linear`, all weights fresh, trained by Adam."""
    last = [m for m in case.model.modules() if isinstance(m, nn.Linear)][-1]
    body = nn.Sequential(
        nn.Linear(last.in_features, width), nn.Tanh(), nn.Linear(width, last.out_features)
    )  # fmt: skip
    kind = last.weight.dtype
    model = replaced(case.model, last, body.to(dtype=kind))
    return replace(case, model=model, optimizer=Adam(model.parameters(), lr=0.01))


def _without_last(case: Case, _: Any) -> Case:
    """Return the case without the Softmax or Sigmoid at the end of the model."""
    ends = [m for m in case.model.modules() if m._get_name() in ("Softmax", "Sigmoid")]
    return replace(case, model=replaced(case.model, ends[-1], nn.Identity())) if ends else case


def _calmer(case: Case, rate: float) -> Case:
    return replace(_with_rate(case, rate), clip_norm=1.0)


_APPLY: dict[str, Callable[[Case, Any], Case]] = {
    "rate": _with_rate,
    "layer_rate": _with_layer_rate,
    "layer_rate_between": lambda case, path: _with_layer_rate(case, path, between=True),
    "relu": lambda case, _: _with_activation(case, _STEEP, nn.ReLU),
    "leaky": lambda case, _: _with_activation(case, _FLAT_SIDE, lambda: nn.LeakyReLU(0.1)),
    "initial": _with_initial,
    "standardise": _with_standard_inputs,
    "standardise_target": _with_standard_target,
    "decay": _with_decay,
    "no_decay": lambda case, _: _with_decay(case, 0.0),
    "momentum": _with_momentum,
    "no_dropout": _without_dropout,
    "hidden": _with_hidden,
    "logits": _without_last,
    "finite": _calmer,
}
