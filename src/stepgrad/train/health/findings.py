"""What can be wrong with a network in training: each finding with its numbers, its cause, and a change to
try.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stepgrad.train.guard import Origin
from stepgrad.train.health.changes import Change
from stepgrad.train.health.plain import plain_numbers, true_numbers
from stepgrad.words.language import Words
from stepgrad.words.numbers import capitalised, number, percent


class _Texts(NamedTuple):
    title: str
    numbers: str
    cause: str


_KINDS = {
    "not_finite": _Texts(
        "NaN or infinity",
        "{message}",
        "An operation was handed numbers for which its result is not defined or too large to be stored.",
    ),
    "not_finite_given": _Texts(
        "NaN or infinity",
        "{message}",
        "A number that is not finite makes every number computed from it not finite, too.",
    ),
    "not_finite_update": _Texts(
        "NaN or infinity",
        "{message}",
        "The step is so long that the new weights are too large to be stored.",
    ),
    "squashed": _Texts(
        "probabilities in place of logits",
        "The loss applies a softmax or sigmoid to its input, and {layer} has done so already.",
        "Squashed twice, probabilities cannot come near 0 and 1, and gradients are small.",
    ),
    "vanishing_gradient": _Texts(
        "vanishing gradient",
        "The gradient that reaches {first} is {ratio} times that at {last}, {layers} layers on.",
        (
            "On its way back the gradient is multiplied, layer by layer, by small derivatives and small "
            "weights, so that the first layers hardly learn."
        ),
    ),
    "exploding_gradient": _Texts(
        "exploding gradient",
        "The gradient of {layer} has the norm {gradient}, {ratio} times that of its weights ({weight}).",
        (
            "The weights are so large that numbers and gradients grow from layer to layer, and a step "
            "throws the weights far away."
        ),
    ),
    "unscaled_target": _Texts(
        "exploding gradient",
        "The gradient of {layer} has the norm {gradient}, {ratio} times that of its weights ({weight}).",
        "The target has values of the size {size}, and outputs begin near 0, so that gradients are huge.",
    ),
    "unscaled_input": _Texts(
        "exploding gradient",
        "The gradient of {layer} has the norm {gradient}, {ratio} times that of its weights ({weight}).",
        "The inputs have values of the size {size}, by which each gradient of the weights is multiplied.",
    ),
    "saturated": _Texts(
        "saturated units",
        "{share} of the outputs of {op} in {layer} lie where its derivative is nearly 0.",
        "The weighted sums are too large, so that changes of the weights before them hardly show.",
    ),
    "saturated_by_input": _Texts(
        "saturated units",
        "{share} of the outputs of {op} in {layer} lie where its derivative is nearly 0.",
        "The inputs reach {size}, which makes the weighted sums too large.",
    ),
    "dead_relu": _Texts(
        "dead units",
        "{dead} of the {units} units behind {op} in {layer} give the same for all {rows} rows looked at.",
        "Their weighted sums are negative for every row, where the derivative is 0, so they cannot learn.",
    ),
    "rate_too_high": _Texts(
        "learning rate too high",
        (
            "At {rate} the loss goes from {start} to {end} in {steps} steps; at {other} it reaches {better}. "
            "A step changes the weights by {update} of their size."
        ),
        "Each step overshoots the minimum along the steepest direction, so the loss does not fall.",
    ),
    "rate_too_low": _Texts(
        "learning rate too low",
        (
            "At {rate} the loss goes from {start} to {end} in {steps} steps; at {other} it reaches {better}. "
            "A step changes the weights by {update} of their size."
        ),
        "The steps are so short that training would need many times as many of them.",
    ),
    "decay_too_strong": _Texts(
        "weight decay too strong",
        (
            "With a weight decay of {decay} the loss goes from {start} to {end} in {steps} steps; without it "
            "it reaches {better}."
        ),
        "In each step the decay pulls the weights towards 0 more strongly than the loss pulls them away.",
    ),
    "momentum_too_high": _Texts(
        "momentum too high",
        (
            "With a momentum of {momentum} the loss goes from {start} to {end} in {steps} steps; with "
            "{other} it reaches {better}."
        ),
        "A step still follows the gradients of some {memory} steps before, and goes past the minimum.",
    ),
    "update_too_large": _Texts(
        "updates too large",
        "A step changes the weights of {layer} by {update} of their size, those of other layers by {other}.",
        "This layer has too high a learning rate, and forgets in each step what it has learned.",
    ),
    "update_too_small": _Texts(
        "updates too small",
        "A step changes the weights of {layer} by {update} of their size, those of other layers by {other}.",
        "This layer has a gradient, but a learning rate with which it practically stands still.",
    ),
    "zigzag": _Texts(
        "zigzag from inputs of one sign",
        (
            "All inputs of {layer} have one sign ({offset} of their mean square is their mean); the "
            "gradients of a unit's weights agree in sign in {same} of the units."
        ),
        "The weights of a unit can only rise or fall together in a step, so that their way is a zigzag.",
    ),
    "overfitting": _Texts(
        "overfitting",
        (
            "The validation loss was {best} after epoch {epoch} and {last} after epoch {epochs}, while the "
            "training loss fell from {from_loss} to {to_loss}."
        ),
        "The network learns its training rows by heart instead of what they have in common with others.",
    ),
    "underfitting": _Texts(
        "underfitting",
        (
            "The training loss stands still at {loss}; the best constant answer has {base}. With the change "
            "it falls to {reached} in 300 steps."
        ),
        "The network, as it is trained, cannot follow the data, also not those that it trains on.",
    ),
    "underfitting_curves": _Texts(
        "underfitting",
        "The training loss stands still at {loss}; it began at {base}.",
        "The network, as it is trained, cannot follow the data, also not those that it trains on.",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    * `kind`: "not_finite", "vanishing_gradient", "exploding_gradient", "saturated", "dead_relu",
      "rate_too_high", "rate_too_low", "decay_too_strong", "momentum_too_high", "update_too_large",
      "update_too_small", "zigzag", "squashed", "overfitting" or "underfitting".
    * `where`: the path of a layer, "" for the whole network. `numbers`: what was measured, by name.
    * `change`: what to try, None if there is nothing to be tried on a copy.
    * `variant`: which of the texts of its kind.

    ``str(finding)`` is English; `text` gives other languages.
    """

    kind: str
    where: str = ""
    numbers: dict[str, Any] = field(default_factory=dict)
    change: Change | None = None
    variant: str = ""

    def title(self, words: Words) -> str:
        """Return what is wrong, in a few words."""
        return words(_KINDS[self.variant or self.kind].title)

    def heading(self, words: Words) -> str:
        """Return what is wrong, and where."""
        return f"{self.title(words)} ({self.where})" if self.where else self.title(words)

    def measured(self, words: Words) -> str:
        """Return the sentence with the numbers."""
        return words(_KINDS[self.variant or self.kind].numbers, **self._shown(words))

    def cause(self, words: Words) -> str:
        """Return the sentence that says why."""
        return words(_KINDS[self.variant or self.kind].cause, **self._shown(words))

    def advice(self, words: Words) -> str:
        """Return what to try, as a sentence; empty if there is nothing."""
        return "" if self.change is None else words("Try {change}.", change=self.change.text(words))

    def text(self, words: Words) -> str:
        """Return all of it."""
        parts = [self.measured(words), self.cause(words), self.advice(words)]
        return f"{self.heading(words)}: {' '.join(filter(None, parts))}"

    def __str__(self) -> str:
        return self.text(Words())

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain values; NaN and infinity, which JSON has not, as text."""
        change = None if self.change is None else self.change.to_json()
        return {
            "kind": self.kind, "where": self.where, "variant": self.variant,
            "numbers": plain_numbers(self.numbers), "change": change,
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Finding:
        """Return the finding that `to_json` described."""
        change = None if value["change"] is None else Change(**value["change"])
        return cls(**{**value, "numbers": true_numbers(value["numbers"]), "change": change})

    def _shown(self, words: Words) -> dict[str, Any]:
        return {name: _shown(name, value, words) for name, value in self.numbers.items()}


def not_finite(message: str, origin: Origin | None, change: Change | None = None, **when: int) -> Finding:
    """Return the finding of a NaN or infinity that `message` tells; `when`: epoch, batch and step.

    `origin` is where it came from, None for an update that is too long.
    """
    numbers: dict[str, Any] = {"message": message, **when}
    if origin is None:
        return Finding("not_finite", "", numbers, change, "not_finite_update")
    numbers["value"] = number(origin.value)
    if origin.given:
        return Finding("not_finite", "", numbers, change, "not_finite_given")
    numbers |= {"op": origin.op, "phase": origin.phase, "inputs": list(origin.inputs)}
    return Finding("not_finite", origin.module, numbers, change)


_SHARES = {"share", "update", "offset", "same"}


def _shown(name: str, value: Any, words: Words) -> Any:
    if name == "message":
        return capitalised(words.sentence(value))
    if not isinstance(value, float):
        return value
    if name in _SHARES and 1e-3 <= value <= 1:
        return percent(value)
    if name in _SHARES and value > 1:
        return f"{number(100 * value, 3)}%"
    return number(value, 3)
