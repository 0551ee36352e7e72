"""Softmax over many classes of which few are frequent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from stepgrad.autograd.engine import state
from stepgrad.errors import ArgumentError, IndexShapeError, ShapeError
from stepgrad.functions.creation import as_tensor, zeros
from stepgrad.functions.joining import cat
from stepgrad.nn.container import ModuleList, Sequential
from stepgrad.nn.linear import Linear
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor


class ASMoutput(NamedTuple):
    """What `AdaptiveLogSoftmaxWithLoss` gives: the log-probability of each target, and the loss."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-softmax over `n_classes`, the most frequent first, in clusters that end at the `cutoffs` (Grave,
    Joulin, Cissé, Grangier and Jégou, 2016).

    The `head` scores the classes of the first cluster and the other clusters; the `tail` holds, for each of
    these, a map to fewer features (in_features / div_value, / div_value², …) and one to its classes. Eager, a
    cluster is computed for the rows whose target is in it alone; compiled, for all rows.

    >>> import stepgrad as sg
    >>> layer = sg.nn.AdaptiveLogSoftmaxWithLoss(16, 1000, cutoffs=[10, 100])
    >>> layer(sg.zeros(4, 16), sg.tensor([0, 9, 50, 999])).output.shape
    (4,)
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        ends = list(cutoffs)
        if not ends or ends != sorted(set(ends)) or ends[0] < 1 or ends[-1] >= n_classes:
            raise ArgumentError(
                f"AdaptiveLogSoftmaxWithLoss needs cutoffs that increase between 1 and {n_classes - 1}, not "
                f"{ends}."
            )
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, [*ends, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = ends[0], len(ends)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(self._ranges()):
            width = int(in_features // div_value ** (i + 1))
            self.tail.append(
                Sequential(
                    Linear(in_features, width, False, device, dtype),
                    Linear(width, high - low, False, device, dtype),
                )
            )

    def _ranges(self) -> list[tuple[int, int]]:
        return list(zip(self.cutoffs[:-1], self.cutoffs[1:], strict=True))

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        for module in self.modules():
            if isinstance(module, Linear):
                module.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> ASMoutput:
        """(N, in_features) and classes (N), or (in_features) and () → (output (N) or (), loss)."""
        if input.ndim not in (1, 2) or target.shape != input.shape[:-1]:
            raise ShapeError(
                f"AdaptiveLogSoftmaxWithLoss takes (N, {self.in_features}) and classes (N), not "
                f"{list(input.shape)} and {list(target.shape)}."
            )
        shape, input, target = target.shape, input.reshape(-1, input.shape[-1]), target.reshape(-1)
        a = target._array
        if a.size and not 0 <= int(a.min()) <= int(a.max()) < self.n_classes:
            raise IndexShapeError(
                f"AdaptiveLogSoftmaxWithLoss has {self.n_classes} classes, numbered from 0; the target goes "
                f"from {int(a.min())} to {int(a.max())}."
            )
        place, output = target, zeros(target.shape[0], dtype=input.dtype, device=input.device)
        for i, (low, high) in enumerate(self._ranges()):
            inside = (target >= low) & (target < high)
            place = (target * 0 + self.shortlist_size + i).where(inside, place)
            output = self._with_cluster(output, i, input, target - low, inside)
        head = self.head(input).log_softmax(1)
        output = output + head.gather(1, place.unsqueeze(1)).squeeze(1)
        return ASMoutput(output.reshape(shape), -output.mean())

    def _with_cluster(self, output: Tensor, i: int, x: Tensor, target: Tensor, inside: Tensor) -> Tensor:
        """Return the outputs with the log-probabilities within cluster i, where the target is in it."""
        if state.recorder is not None and state.recorder.values_hidden:
            own = (target * 0).where(~inside, target)
            found = self.tail[i](x).log_softmax(1).gather(1, own.unsqueeze(1)).squeeze(1)
            return found.where(inside, output)
        rows = as_tensor(inside._array.nonzero()[0])
        if not rows.numel():
            return output
        logs = self.tail[i](x[rows]).log_softmax(1)
        found = logs.gather(1, target[rows].unsqueeze(1)).squeeze(1)
        output[rows] = found
        return output

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log-probabilities of all classes: (N, in_features) → (N, n_classes)."""
        head = self.head(x).log_softmax(1)
        parts = [head[:, : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            own = head[:, self.shortlist_size + i].unsqueeze(1)
            parts.append(cluster(x).log_softmax(1) + own)
        return cat(parts, 1)

    def predict(self, x: Tensor) -> Tensor:
        """Return the most probable class of each row: (N, in_features) → (N)."""
        return self.log_prob(x).argmax(1)


__all__ = ["AdaptiveLogSoftmaxWithLoss"]
