"""A range for the learning rate: training for a moment at growing rates, and seeing where the loss falls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy

from stepgrad.data.dataset import IterableDataset
from stepgrad.data.loader import DataLoader
from stepgrad.errors import ArgumentError, DataError
from stepgrad.markup import Html, tag
from stepgrad.nn.module import Module
from stepgrad.optim.limits import number_of
from stepgrad.optim.optimizer import Optimizer
from stepgrad.tensor import Tensor
from stepgrad.train.eager import with_target
from stepgrad.train.evaluation import as_dataset
from stepgrad.train.guard import Undo
from stepgrad.train.report.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Scale, frame, scale_for
from stepgrad.words.numbers import number

WIDTH_OF_MEAN = 0.04  # of all updates, the standard deviation of the weights of a smoothed loss
_DIVERGED = 4.0  # times the smallest loss: from there the run has come apart
_FALL = (0.1, 0.95)  # between these shares of the whole fall of the loss it is falling
_STYLE = (
    "text{font:11.5px sans-serif;fill:#666}.mid{text-anchor:middle}.grid{stroke:#ddd}.axis{stroke:#888}"
    ".raw{fill:none;stroke:#bbb}.curve{fill:none;stroke:#2563c9;stroke-width:2.2}.range{fill:#2563c9;"
    "fill-opacity:.12}.best{stroke:#d9541e;stroke-dasharray:4 3}"
)


@dataclass(frozen=True)
class RateRange:
    """What `find_rate` saw.

    * `rates`, `losses`: the rate of each update and the loss of its batch; `smoothed`: their moving average.
    * `low`, `high`: between these rates the loss did most of its fall. `rate`: where it fell fastest, a rate
      to begin with.
    * `caution`: what this says and what it does not.
    """

    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    low: float
    high: float
    rate: float
    caution: str

    def __str__(self) -> str:
        return (
            f"learning rate {number(self.rate)}, within {number(self.low)} to {number(self.high)}. "
            f"{self.caution}"
        )

    def svg(self) -> Html:
        """Return the picture: loss over rate, the range and the rate marked, as an SVG document."""
        values = [v for v in (*self.losses, *self.smoothed) if math.isfinite(v)]
        top = sorted(values)[
            int(0.97 * (len(values) - 1))
        ]  # what shoots up at the end would flatten the rest
        x = Scale(self.rates[0], self.rates[-1], LEFT, WIDTH - RIGHT, logarithmic=True)
        y = scale_for([min(v, top) for v in values], HEIGHT - BOTTOM, TOP)
        left, right = x.at(self.low), x.at(self.high)
        height = HEIGHT - BOTTOM - TOP
        return tag(
            "svg",
            tag("style", Html(_STYLE)),
            tag("rect", x=left, y=TOP, width=max(right - left, 1), height=height, class_="range"),
            frame(x, y, "learning rate, logarithmic", "loss"),
            _line(self.rates, [min(v, top) for v in self.losses], x, y, "raw"),
            _line(self.rates, [min(v, top) for v in self.smoothed], x, y, "curve"),
            tag("line", x1=x.at(self.rate), x2=x.at(self.rate), y1=TOP, y2=HEIGHT - BOTTOM, class_="best"),
            tag("text", number(self.rate), x=x.at(self.rate), y=TOP - 6, class_="mid"),
            xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}", role="img",
            aria_label=f"Loss over the learning rate; {number(self.rate)} is where it fell fastest",
        )  # fmt: skip


def find_rate(
    model: Module,
    loss: Callable[..., Tensor],
    optimizer: Optimizer,
    data: Any,
    *,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 100,
    batch_size: int = 32,
    seed: int = 0,
) -> RateRange:
    """Train for `steps` updates at rates that grow from `lowest` to `highest`, and return the range in which
    the loss fell (Smith, 2017).

    `data`: a Dataset whose samples are (inputs…, target), a tuple of tensors or arrays, or a DataLoader; it
    is gone through as often as needed. It ends early where the loss has come apart. Several groups of
    parameters keep the ratio of their rates. Weights, buffers, optimizer state, random streams, modes and the
    place of a DataLoader are afterwards as they were; gradients are forgotten.

    Raises `ArgumentError` for a range without room or fewer than 10 steps, `DataError` for data without rows
    or a loss that is not finite from the start.

    >>> import stepgrad as sg
    >>> _ = sg.manual_seed(0)
    >>> x = sg.randn(256, 4)
    >>> net = sg.nn.Linear(4, 1)
    >>> adam = sg.optim.SGD(net.parameters(), lr=0.1)
    >>> found = find_rate(net, sg.nn.MSELoss(), adam, (x, x.sum(1, keepdim=True)), highest=10.0)
    >>> found.low < found.rate <= found.high < 1.5
    True
    """
    if not 0 < lowest < highest or not math.isfinite(highest):
        raise ArgumentError(f"find_rate needs 0 < lowest < highest, not {lowest} and {highest}.")
    if steps < 10:
        raise ArgumentError(f"find_rate needs at least 10 steps, not {steps}.")
    modules = [*model.modules(), *(loss.modules() if isinstance(loss, Module) else ())]
    modes = [(module, module.training) for module in modules]
    before, own = Undo(optimizer, modules), [group["lr"] for group in optimizer.param_groups]
    place = data.state_dict() if isinstance(data, DataLoader) else None
    lowest, highest = float(lowest), float(highest)
    growth = (highest / lowest) ** (1 / (steps - 1))
    try:
        model.train()
        rates = [lowest * growth**i for i in range(steps)]
        losses = _run(model, loss, optimizer, _batches(data, batch_size, seed), rates)
    finally:
        before.restore()
        for group, rate in zip(optimizer.param_groups, own):
            group["lr"] = rate
        if place is not None:
            data.load_state_dict(place)
        for module, mode in modes:
            module.training = mode
    return _read(rates[: len(losses)], losses, len(losses) < steps)


def _run(
    model: Module,
    loss: Callable[..., Tensor],
    optimizer: Optimizer,
    batches: Iterator[Any],
    rates: list[float],
) -> list[float]:
    """Return the loss at each rate, up to where the run came apart."""
    first = number_of(optimizer.param_groups[0]["lr"]) or 1.0
    shares = [(number_of(group["lr"]) or first) / first for group in optimizer.param_groups]
    losses: list[float] = []
    for rate, batch in zip(rates, batches):
        for group, share in zip(optimizer.param_groups, shares):
            group["lr"] = rate * share
        *inputs, target = with_target(batch, None)
        optimizer.zero_grad()
        value = loss(model(*inputs), target)
        losses.append(value.item())
        if not math.isfinite(losses[-1]) or losses[-1] > _DIVERGED * min(losses) + 1e-12:
            if not math.isfinite(losses[-1]):
                losses.pop()
            break
        value.backward()
        optimizer.step()
    if len(losses) < 3:
        raise DataError(
            f"the loss is not finite, or comes apart, at the lowest rate, {rates[0]:g}: look at the data and "
            f"the loss, or begin lower."
        )
    return losses


def _batches(data: Any, batch_size: int, seed: int) -> Iterator[Any]:
    """Yield batches for ever."""
    loader = data
    if not isinstance(data, DataLoader):
        dataset = as_dataset(data)
        if hasattr(dataset, "__len__") and not len(dataset):
            raise DataError("the data have no rows.")
        shuffled = not isinstance(dataset, IterableDataset)
        loader = DataLoader(dataset, batch_size=batch_size, shuffle=shuffled or None, seed=seed)
    while True:
        yield from loader


def _read(rates: list[float], losses: list[float], apart: bool) -> RateRange:
    smoothed = _smoothed(losses)
    best = min(range(len(smoothed)), key=smoothed.__getitem__)
    fall = smoothed[0] - smoothed[best]
    first, last = (next(i for i in range(best + 1) if smoothed[0] - smoothed[i] >= s * fall) for s in _FALL)
    slopes = {i: smoothed[i] - smoothed[i - 1] for i in range(max(first, 1), last + 1)}
    steepest = min(slopes, key=slopes.__getitem__) if slopes else best
    caution = (
        f"From {len(rates)} updates at the present weights, with this batch size and optimizer: a place to "
        f"begin, not the best rate. Later in training a smaller one is often better."
    )
    if best == 0:
        caution = (
            "The loss fell at no rate: the model, the loss or the data may be wrong, or lowest too high."
        )
    elif best >= len(rates) - 2 and not apart:
        caution += " The loss was still falling at the highest rate; look further up."
    return RateRange(rates, losses, smoothed, rates[first], rates[last], rates[steepest], caution)


def _smoothed(losses: list[float]) -> list[float]:
    """Return the mean of the losses around each, nearer ones more: from both sides, so that nothing lags."""
    ceiling = max(losses[: max(len(losses) // 10, 1)])
    values = numpy.minimum(losses, ceiling)
    places = numpy.arange(len(values))
    weights = numpy.exp(-0.5 * ((places[:, None] - places) / (len(values) * WIDTH_OF_MEAN)) ** 2)
    return ((weights @ values) / weights.sum(1)).tolist()


def _line(rates: list[float], values: list[float], x: Scale, y: Scale, style: str) -> Html:
    way = "L".join(f"{x.at(rate):g} {y.at(value):g}" for rate, value in zip(rates, values))
    return tag("path", d=f"M{way}", class_=style)
