"""Averages of a network's weights over its training, and the running statistics that belong to them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from stepgrad.autograd.modes import no_grad
from stepgrad.errors import ArgumentError
from stepgrad.functions.creation import tensor
from stepgrad.nn.module import Module
from stepgrad.nn.normalization import BatchNorm
from stepgrad.tensor import Tensor

Average = Callable[[Tensor, Tensor, Any], Tensor]
Averages = Callable[[list[Tensor], list[Tensor], Any], None]


class AveragedModel(Module):
    """A copy of a network, `module`, whose weights are averages of those that `update_parameters` is shown.

    With the first update it takes the weights over; with each further one, the number n (`n_averaged`), it
    takes the mean, W ← W + (w − W) / (n + 1) (stochastic weight averaging: Izmailov and others, 2018), or
    what `avg_fn(W, w, n)` returns, or `multi_avg_fn([W…], [w…], n)` does in place. Buffers are averaged too
    with `use_buffers`, otherwise they are those of the network. Calling it runs the copy.

    Raises `ArgumentError` for both functions at once.

    >>> import stepgrad as sg
    >>> model = sg.nn.Linear(1, 1, bias=False)
    >>> average = AveragedModel(model)
    >>> for value in (1.0, 2.0, 6.0):
    ...     _ = model.weight.data.fill_(value)
    ...     average.update_parameters(model)
    >>> average.module.weight.item()
    3.0
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Averages | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ArgumentError("AveragedModel takes avg_fn or multi_avg_fn, not both.")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, device=device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the copy gives."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the weights of `model` into the average."""
        with no_grad():
            averaged = [x.detach() for x in self._averaged(self.module)]
            new = [x.detach().to(own.device) for x, own in zip(self._averaged(model), averaged, strict=True)]
            n = self.n_averaged
            # Also at first, when nothing of it is kept: so nobody asks for n, and a step can be compiled.
            update = self.multi_avg_fn or _for_each(self.avg_fn or get_swa_avg_fn())
            update(averaged, new, n)
            for own, x in zip(averaged, new):
                own.copy_(x.where(n == 0, own))
            if not self.use_buffers:
                for buffer, x in zip(self.module.buffers(), model.buffers(), strict=True):
                    buffer.detach().copy_(x.detach().to(buffer.device))
            n.add_(1)

    def _averaged(self, model: Module) -> Iterable[Tensor]:
        return chain(model.parameters(), model.buffers() if self.use_buffers else ())


def get_swa_avg_fn() -> Average:
    """Return the mean of all as an `avg_fn`: W + (w − W) / (n + 1)."""
    return lambda averaged, new, n: averaged + (new - averaged) / (n + 1)


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Return the exponential moving average as an `avg_fn`: decay · W + (1 − decay) · w.

    Raises `ArgumentError` for a `decay` outside of [0, 1].

    >>> import stepgrad as sg
    >>> get_ema_avg_fn(0.9)(sg.tensor(1.0), sg.tensor(11.0), 1)
    tensor(2.)
    """
    if not 0 <= decay <= 1:
        raise ArgumentError(f"the decay of a moving average is from 0 to 1, not {decay}.")
    return lambda averaged, new, _: decay * averaged + (1 - decay) * new


def get_swa_multi_avg_fn() -> Averages:
    """Return the mean of all as a `multi_avg_fn`, which changes the averages in place."""
    return _for_each(get_swa_avg_fn())


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """Return the exponential moving average as a `multi_avg_fn`, which changes the averages in place."""
    return _for_each(get_ema_avg_fn(decay))


def _for_each(average: Average) -> Averages:
    def update(averaged: list[Tensor], new: list[Tensor], n: Any) -> None:
        with no_grad():
            for own, x in zip(averaged, new, strict=True):
                own.copy_(average(own, x, n))

    return update


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Let the batch norms of `model` (an `AveragedModel`, say) find their running statistics anew: the means
    over the batches of `loader`, tensors, or tuples and lists that begin with one. Modes stay as they are.
    """
    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    if not norms:
        return
    momenta, was_training = [norm.momentum for norm in norms], model.training
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches, each with the same weight
    try:
        model.train()
        with no_grad():
            for batch in loader:
                x = batch[0] if isinstance(batch, (list, tuple)) else batch
                model(x if device is None else x.to(device))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        model.train(was_training)


__all__ = [
    "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn",
    "update_bn",
]  # fmt: skip
