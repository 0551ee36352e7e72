"""Loss functions as modules. `reduction`: "mean" (the default), "sum" or "none"."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.errors import ArgumentError
from stepgrad.nn import functional as F
from stepgrad.nn.functional.checks import check_reduction
from stepgrad.nn.linear import Linear
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor


class _Loss(Module):
    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction


class OptionsLoss(_Loss):
    """A loss that is the function `_function` of tensors, with the attributes that `_options` names."""

    _function: Any
    _options: tuple[str, ...] = ()

    def forward(self, *tensors: Tensor, **named: Tensor) -> Tensor:
        """The tensors that the function of the same meaning takes → a number (or one for each row)."""
        options = {name: getattr(self, name) for name in self._options}
        return type(self)._function(*tensors, **named, reduction=self.reduction, **options)


class MSELoss(_Loss):
    """The squared error (x − t)².

    >>> import stepgrad as sg
    >>> sg.nn.MSELoss()(sg.tensor([1.0, 2.0]), sg.tensor([0.0, 0.0]))
    tensor(2.5000)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape → a number (or that shape)."""
        return F.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """The absolute error |x − t|.

    >>> import stepgrad as sg
    >>> sg.nn.L1Loss()(sg.tensor([1.0, 2.0]), sg.tensor([0.0, 0.0]))
    tensor(1.5000)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape → a number (or that shape)."""
        return F.l1_loss(input, target, self.reduction)


class HuberLoss(_Loss):
    """½ (x − t)² where |x − t| ≤ δ, δ (|x − t| − ½ δ) beyond (Huber, 1964).

    >>> import stepgrad as sg
    >>> sg.nn.HuberLoss(reduction="none")(sg.tensor([0.5, 3.0]), sg.zeros(2))
    tensor([0.1250, 2.5000])
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape → a number (or that shape)."""
        return F.huber_loss(input, target, self.reduction, self.delta)


class SmoothL1Loss(_Loss):
    """½ (x − t)² / β where |x − t| < β, |x − t| − ½ β beyond (Girshick, 2015).

    >>> import stepgrad as sg
    >>> sg.nn.SmoothL1Loss(reduction="none")(sg.tensor([0.5, 3.0]), sg.zeros(2))
    tensor([0.1250, 2.5000])
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape → a number (or that shape)."""
        return F.smooth_l1_loss(input, target, self.reduction, self.beta)


class BCELoss(_Loss):
    """Binary cross entropy −(t ln x + (1 − t) ln(1 − x)) of probabilities x; each logarithm is kept above
    −100.

    Input and target have one shape and a floating point dtype, and lie in [0, 1]: the input comes from a
    sigmoid. `BCEWithLogitsLoss` takes logits, which is more exact. `weight` multiplies the error of each
    element.

    >>> import stepgrad as sg
    >>> sg.nn.BCELoss()(sg.tensor([0.9, 0.2]), sg.tensor([1.0, 0.0]))
    tensor(0.1643)
    """

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape → a number (or that shape)."""
        return F.binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Binary cross entropy of σ(x), computed from the logits x without overflow: no sigmoid before it.

    Input and target have one shape and a floating point dtype; the target lies in [0, 1]. `pos_weight`
    multiplies the error of positive targets, `weight` that of each element; both broadcast.

    >>> import stepgrad as sg
    >>> sg.nn.BCEWithLogitsLoss()(sg.tensor([2.0, -1000.0]), sg.tensor([1.0, 0.0]))
    tensor(0.0635)
    """

    def __init__(
        self, weight: Tensor | None = None, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape → a number (or that shape)."""
        return F.binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)


class NLLLoss(_Loss):
    """The negative of the log-probability of the target class: what follows a `LogSoftmax`.

    Arguments as for `CrossEntropyLoss`, which does both in one.

    >>> import stepgrad as sg
    >>> log_probabilities = sg.tensor([[0.9, 0.1], [0.5, 0.5]]).log()
    >>> sg.nn.NLLLoss(reduction="none")(log_probabilities, sg.tensor([0, 1]))
    tensor([0.1054, 0.6931])
    """

    def __init__(
        self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Log-probabilities (N, C, …) and classes (N, …) → a number (or (N, …))."""
        return F.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class CrossEntropyLoss(_Loss):
    """Cross entropy of softmax(x) with the target, −ln softmax(x)[target]: the loss of classifiers.

    The input are logits (N, C), C classes, or (N, C, d…): no softmax before it. The target are classes, int64
    (N) or (N, d…) of 0 … C−1, or probabilities in the shape of the input.

    `weight` (C) weights the classes; "mean" divides by the sum of the weights. Rows whose target is
    `ignore_index` do not count. `label_smoothing` ε mixes the target with 1/C: (1 − ε) t + ε / C (Szegedy and
    others, 2016). Raises `ShapeError` for shapes that do not fit, `DtypeError` for classes that are not
    integers, and `IndexShapeError` for a class that is not there.

    >>> import stepgrad as sg
    >>> logits = sg.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]], requires_grad=True)
    >>> loss = sg.nn.CrossEntropyLoss()(logits, sg.tensor([0, 2]))
    >>> loss
    tensor(0.6691, grad_fn=<cross_entropy>)
    >>> loss.backward()
    >>> logits.grad  # (softmax − one-hot target) / N
    tensor([[-0.1065,  0.0533,  0.0533],
            [ 0.1667,  0.1667, -0.3333]])
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Logits (N, C, …) and classes (N, …), or probabilities (N, C, …) → a number (or (N, …))."""
        return F.cross_entropy(
            input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


class LinearCrossEntropyLoss(_Loss):
    """Cross entropy of the scores that an affine map, `linear`, gives: a last layer and its loss in one.

    `out_features` (d…) asks for scores (N, num_classes, d…).

    >>> import stepgrad as sg
    >>> loss = sg.nn.LinearCrossEntropyLoss(in_features=4, num_classes=3)
    >>> loss(sg.zeros(2, 4), sg.tensor([0, 2])).item()  # ln 3: all scores are 0
    1.098...
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: None = None,
    ) -> None:
        super().__init__(reduction)
        if options is not None:
            raise ArgumentError("LinearCrossEntropyLoss computes all scores at once: options is None.")
        self.num_classes, self.out_features = num_classes, tuple(out_features)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing
        self.register_buffer("weight", weight)
        count = math.prod(self.out_features, start=num_classes)
        self.linear = Linear(in_features, count, bias, device, dtype)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """(N, in_features) or (in_features), and classes (N, d…) or probabilities → a number (or (N, d…))."""
        shape = (self.num_classes, *self.out_features)
        return F.linear_cross_entropy(
            input, self.linear.weight.reshape(*shape, self.linear.in_features), target,
            linear_bias=None if self.linear.bias is None else self.linear.bias.reshape(shape),
            weight=self.weight, reduction=self.reduction, ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options=None"
        )


__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "L1Loss",
    "LinearCrossEntropyLoss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]
