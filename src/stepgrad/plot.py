"""Pictures with matplotlib: an activation and its derivative, the line that a network separates points by,
the loss over two weights with the ways that optimizers take. They need the extra `app`.

Every function returns a matplotlib `Figure` that belongs to nobody else, so nothing has to be closed; a
notebook shows it, ``figure.savefig("a.png")`` writes it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad import nn
from stepgrad.arrays.dtypes import float64
from stepgrad.autograd.modes import enable_grad, no_grad
from stepgrad.errors import ArgumentError, GradientError, ShapeError, suggest
from stepgrad.functions.creation import from_numpy
from stepgrad.tensor import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE, _GREEN, _PURPLE, _INK = "#2f6fde", "#d9730d", "#14855f", "#8c4fc4", "#17202c"
_COLOURS = (_BLUE, _ORANGE, _GREEN, _PURPLE, "#c22f4f", "#5b6b7f")
_POINTS, _GRID = 601, 81


def activation(function: Any, low: float = -6.0, high: float = 6.0) -> Figure:
    """Return a picture of an activation function and its derivative between `low` and `high`.

    `function`: a module or its class (``nn.GELU()``, ``nn.Tanh``), the name of one ("sigmoid"), or a function
    of a Tensor. The derivative is the one that backpropagation uses; where there is none (`nn.Step`), the
    function alone is drawn. Raises `ArgumentError` for a name that is none.

    >>> figure = activation("sigmoid")
    >>> [line.get_label() for line in figure.axes[0].lines]
    [..., 'Sigmoid()', 'derivative']
    """
    if not low < high:
        raise ArgumentError(f"low has to be below high, not {low} and {high}.")
    function, name = _function(function)
    x = from_numpy(numpy.linspace(low, high, _POINTS)).requires_grad_()
    with enable_grad():
        y = function(x)
    figure, axes = _figure(name)
    for place in (axes.axhline, axes.axvline):
        place(0, color="#c3cad4", linewidth=0.8)
    axes.plot(x.detach().numpy(), y.detach().numpy(), color=_BLUE, linewidth=2.2, label=name)
    try:
        y.sum().backward()
    except GradientError:
        pass  # a step has no useful derivative
    else:
        axes.plot(
            x.detach().numpy(), _gradient(x), color=_ORANGE, linewidth=2, linestyle="--", label="derivative"
        )
    axes.set_xlabel("x")
    axes.legend(frameon=False)
    return figure


def separation(model: nn.Module, x: Any, y: Any, level: float | None = None) -> Figure:
    """Return a picture of points in the plane and of the line by which a network separates their classes.

    `x`: points (N, 2). `y`: their classes, N integers. The network gives one number for each point, which
    passes `level` at the line (by default 0.5 where it stays within 0 and 1, as after a sigmoid or a step,
    else 0, as for logits), or one for each class, of which the largest counts.

    Raises `ShapeError` if the points are not in the plane or the classes are not as many.

    >>> import stepgrad as sg
    >>> points = sg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> unit = sg.nn.Perceptron(2)
    >>> _ = unit.learn(points, sg.tensor([0, 0, 0, 1]))
    >>> separation(unit, points, [0, 0, 0, 1]).axes[0].get_xlabel()
    'x₁'
    """
    points, classes = _array(x), _array(y).reshape(-1).astype(int)
    if points.ndim != 2 or points.shape[1] != 2 or len(classes) != len(points):
        raise ShapeError(
            f"separation takes points (N, 2) and N classes, not {list(points.shape)} and "
            f"{list(_array(y).shape)}."
        )
    room = 0.35 * max(float(numpy.ptp(points, axis=0).max()), 1e-9)
    sides = [
        numpy.linspace(points[:, i].min() - room, points[:, i].max() + room, 3 * _GRID) for i in range(2)
    ]
    across, up = numpy.meshgrid(*sides)
    outputs = _outputs(model, numpy.column_stack([across.ravel(), up.ravel()]))
    figure, axes = _figure("")
    if outputs.shape[1] == 1:
        values = outputs[:, 0].reshape(across.shape)
        within = bool(values.min() >= 0 and values.max() <= 1)
        where = (0.5 if within else 0.0) if level is None else level
        regions, borders = (values > where).astype(float), [where]
        axes.contourf(across, up, regions, levels=[-0.5, 0.5, 1.5], colors=[_BLUE, _ORANGE], alpha=0.12)
        if values.min() < where < values.max():
            axes.contour(across, up, values, levels=borders, colors=[_INK], linewidths=1.6)
    else:
        winner = outputs.argmax(axis=1).reshape(across.shape)
        edges = numpy.arange(outputs.shape[1] + 1) - 0.5
        colours = [_COLOURS[i % len(_COLOURS)] for i in range(outputs.shape[1])]
        axes.contourf(across, up, winner, levels=edges, colors=colours, alpha=0.14)
    for kind in sorted(set(classes.tolist())):
        own = points[classes == kind]
        colour, marker = _COLOURS[kind % len(_COLOURS)], "os^Dv*"[kind % 6]
        axes.scatter(
            own[:, 0],
            own[:, 1],
            s=58,
            color=colour,
            marker=marker,
            edgecolor="white",
            label=str(kind),
            zorder=3,
        )
    axes.set_xlabel("x₁")
    axes.set_ylabel("x₂", rotation=0)
    axes.legend(frameon=False, title="class", loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def loss_surface(
    model: nn.Module,
    loss: Callable[[Any, Any], Any],
    x: Any,
    y: Any,
    weights: tuple[str, str],
    optimizers: Mapping[str, Callable[[list[Tensor]], Any]] | None = None,
    *,
    steps: int = 30,
    reach: float = 3.0,
) -> Figure:
    """Return a picture of the loss over two weights, the others fixed, and of the ways that optimizers take.

    `weights`: two by name and indices, ``("0.weight[0,0]", "0.weight[0,1]")``. The surface spans `reach` to
    either side of what they are, or farther where a way leads farther down; one on which the loss grows
    leaves the picture. `optimizers`: for each name a function that makes one of a list of parameters,
    ``{"SGD": lambda p: sg.optim.SGD(p, lr=0.1)}``; each takes `steps` steps with the two weights alone
    (`LBFGS` too, each of whose steps computes the loss several times). The model stays as it is.

    Raises `ArgumentError` for a weight that is not there.

    >>> import stepgrad as sg
    >>> model = sg.nn.Linear(2, 1)
    >>> ways = {"SGD": lambda p: sg.optim.SGD(p, lr=0.1), "Adam": lambda p: sg.optim.Adam(p, lr=0.3)}
    >>> names = ("weight[0,0]", "weight[0,1]")
    >>> figure = loss_surface(model, sg.nn.MSELoss(), sg.rand(8, 2), sg.rand(8, 1), names, ways, steps=5)
    >>> figure.axes[0].get_xlabel()
    'weight[0,0]'
    """
    places = [_place(model, name) for name in weights]
    inputs, target = _double(x), _double(y)
    own = copy.deepcopy(model).double()
    parameters = dict(own.named_parameters())
    start = numpy.array([parameters[name]._array[index] for name, index in places])

    def measured(pair: Iterable[float]) -> float:
        for (name, index), value in zip(places, pair):
            parameters[name]._array[index] = value
        with no_grad():
            return float(loss(own(inputs), target).item())

    ways = {
        name: _way(own, loss, inputs, target, places, start, make, steps)
        for name, make in (optimizers or {}).items()
    }
    first = measured(start)
    down = [way for way in ways.values() if measured(way[-1]) <= first]
    seen = numpy.concatenate([start[None], *down])
    low, high = seen.min(0) - reach, seen.max(0) + reach
    sides = [numpy.linspace(low[i], high[i], _GRID) for i in range(2)]
    surface = numpy.array([[measured((a, b)) for a in sides[0]] for b in sides[1]])
    figure, axes = _figure("")
    filled = axes.contourf(*sides, surface, levels=28, cmap="Blues_r", alpha=0.85)
    axes.contour(*sides, surface, levels=14, colors="white", linewidths=0.5, alpha=0.7)
    figure.colorbar(filled, ax=axes, label="loss")
    for i, (name, whole) in enumerate(ways.items()):
        outside = numpy.flatnonzero(~((low <= whole) & (whole <= high)).all(1))
        way = whole[: outside[0] + 1] if len(outside) else whole  # what comes after has nothing to be seen
        colour = _COLOURS[1:][i % (len(_COLOURS) - 1)]
        axes.plot(way[:, 0], way[:, 1], "o-", color=colour, markersize=3.4, linewidth=1.5, label=name)
    axes.plot(*start, marker="o", markersize=9, color=_INK, markeredgecolor="white")
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    axes.set_xlabel(weights[0])
    axes.set_ylabel(weights[1])
    if ways:
        axes.legend(frameon=True, framealpha=0.9)
    return figure


def _way(
    model: nn.Module,
    loss: Callable[[Any, Any], Any],
    x: Any,
    y: Any,
    places: list[tuple[str, tuple[int, ...]]],
    start: numpy.ndarray,
    make: Callable[[list[Tensor]], Any],
    steps: int,
) -> numpy.ndarray:
    """Return the two weights before the first step and after each, (steps + 1, 2)."""
    parameters = dict(model.named_parameters())
    before = {name: p._array.copy() for name, p in parameters.items()}
    masks = {name: from_numpy(numpy.zeros(parameters[name].shape)) for name, _ in places}
    for (name, index), value in zip(places, start):
        parameters[name]._array[index] = value
        masks[name]._array[index] = 1.0
    optimizer = make(list(dict.fromkeys(parameters[name] for name, _ in places)))

    def keep_others() -> list[float]:
        """Put all weights but the two back, and return these."""
        now = [float(parameters[name]._array[index]) for name, index in places]
        for name, p in parameters.items():
            p._array[...] = before[name]
        for (name, index), value in zip(places, now):
            parameters[name]._array[index] = value
        return now

    def closure() -> Any:
        keep_others()
        model.zero_grad()
        found = loss(model(x), y)
        found.backward()
        for name, mask in masks.items():
            gradient = parameters[name].grad
            if gradient is not None:
                parameters[name].grad = gradient * mask
        return found

    way = [start.copy()]
    with enable_grad():
        for _ in range(steps):
            optimizer.step(closure)
            way.append(numpy.array(keep_others()))
    return numpy.array(way)


# ------------------------------------------------------------------------------------------- parts


def _figure(title: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title)
    return figure, axes


def _function(given: Any) -> tuple[Callable[[Tensor], Tensor], str]:
    """Return an activation and what it is called."""
    if isinstance(given, str):
        known = {name.lower(): value for name, value in vars(nn).items() if isinstance(value, type)}
        if given.lower().replace("_", "") not in known:
            raise ArgumentError(f"there is no activation {given!r}.{suggest(given.lower(), known)}")
        given = known[given.lower().replace("_", "")]
    made = given() if isinstance(given, type) else given
    if isinstance(made, nn.Module):
        return made.double(), f"{made._get_name()}({made.extra_repr()})"
    return made, getattr(made, "__name__", "f")


def _gradient(x: Tensor) -> numpy.ndarray:
    assert x.grad is not None
    return x.grad.numpy()


def _array(given: Any) -> numpy.ndarray:
    return given.detach().cpu().numpy() if isinstance(given, Tensor) else numpy.asarray(given)


def _double(given: Any) -> Any:
    array = _array(given)
    return from_numpy(array.astype(numpy.float64) if array.dtype.kind == "f" else array.copy())


def _outputs(model: nn.Module, points: numpy.ndarray) -> numpy.ndarray:
    """Return what a copy of the model in float64 makes of points, (N, outputs)."""
    with no_grad():
        found = copy.deepcopy(model).to(float64).eval()(from_numpy(points)).numpy()
    return found.reshape(len(points), -1)


def _place(model: nn.Module, weight: str) -> tuple[str, tuple[int, ...]]:
    """Return the parameter and the indices that ``0.weight[0,1]`` names."""
    name, _, rest = weight.partition("[")
    known = dict(model.named_parameters())
    if name not in known:
        raise ArgumentError(f"the model has no parameter {name!r}.{suggest(name, known)}")
    shape = tuple(known[name].shape)
    try:
        index = tuple(int(part) for part in rest.rstrip("]").split(",")) if rest else ()
    except ValueError:
        index = (-1,)
    if len(index) != len(shape) or any(not 0 <= i < n for i, n in zip(index, shape)):
        raise ArgumentError(f"{weight!r} is no number of {name}, whose shape is {list(shape)}.")
    return name, index
