"""How a program states what slides: convolutions as contractions, pooling as work on slices.

Images come as (N, C, L…), in memory with the channels either before the sliding dimensions or last. Results
of convolutions have them last: then vectors run along channels, whatever the sizes of images and windows are,
and the windows of a contraction are read where the images lie. To the program all have PyTorch's shapes; the
order in memory is that of a view.

Each rule takes the Builder and what the record of the same name takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.compile.program.value import NotCompiled, Value
from stepgrad.ops.promotion import promoted
from stepgrad.ops.registry import find
from stepgrad.ops.windowing import count_windows, elements_at, places_in

if TYPE_CHECKING:
    from stepgrad.compile.program.builder import Builder

Sizes = tuple[int, ...]
# At most so many sums over parts of the images, with at most so many numbers.
_PARTS, _PARTS_SIZE = 16, 1 << 17
# From so many elements in a window on, code for each of them would be too long.
_LARGE_WINDOW = 64


def _inverse(order: Sizes) -> Sizes:
    return tuple(order.index(d) for d in range(len(order)))


class _Layout:
    """The order in memory of an array whose last `sliding` dimensions slide, after `lead` others.

    `order`: the dimensions in that order; `places`: where in it those that slide stand.
    """

    def __init__(self, b: Builder, x: Value, sliding: int, lead: int) -> None:
        strides = b.strides_of(x)
        every = range(lead + sliding)
        self.order = tuple(every)
        if lead and x.shape[lead - 1] > 1 and strides[lead - 1] == 1 and math.prod(x.shape[lead:]) > 1:
            self.order = (*range(lead - 1), *range(lead, lead + sliding), lead - 1)
        self.places = tuple(self.order.index(lead + i) for i in range(sliding))

    def ordered(self, b: Builder, x: Value) -> Value:
        """Return a value with its dimensions in the order of memory."""
        return b.permute(x, dims=self.order)

    def restored(self, b: Builder, x: Value) -> Value:
        """Return a value in the order of memory with its dimensions as they were."""
        return b.permute(x, dims=_inverse(self.order))

    def elements(self, b: Builder, x: Value, size: Sizes, stride: Sizes, dilation: Sizes) -> list[Value]:
        """Return for each place of the windows of an ordered value the elements that lie there."""
        counts = count_windows([x.shape[i] for i in self.places], size, stride, dilation)
        found = []
        for place in places_in(size):
            index = [slice(None)] * x.ndim
            slices = elements_at(place, counts, stride, dilation)[1:]
            for i, part in zip(self.places, slices, strict=True):
                index[i] = part
            found.append(b.slice(x, index=tuple(index)))
        return found

    def spread(self, shape: Sizes, size: Sizes | None = None) -> Sizes:
        """Return an ordered shape with a dimension after each that slides: its size of windows, or 1."""
        result: list[int] = []
        for i, n in enumerate(shape):
            result.append(n)
            if i in self.places:
                result.append(1 if size is None else size[self.places.index(i)])
        return tuple(result)


# ------------------------------------------------------------------------------------------------ pooling


def _search(b: Builder, x: Value, size: Sizes, stride: Sizes, dilation: Sizes) -> tuple[Value, Value]:
    """Return the largest element of each window and its place."""
    layout = _Layout(b, x, len(size), x.ndim - len(size))
    first, *rest = layout.elements(b, layout.ordered(b, x), size, stride, dilation)
    largest, at = first, b.number(0, "int64", first.shape)
    for k, here in enumerate(rest, 1):
        better = here > largest
        if x.dtype.kind == "f":
            better = better | (here != here)
        largest, at = b.maximum(largest, here), b.where(better, k, at)
    return layout.restored(b, largest), layout.restored(b, at)


def _sum_pool(b: Builder, x: Value, *, size: Sizes, stride: Sizes, dilation: Sizes) -> Value:
    if math.prod(size) >= _LARGE_WINDOW:
        every = b.windows(x, size=size, stride=stride, dilation=dilation)
        return b.sum(every, dim=tuple(range(x.ndim, every.ndim)), keepdim=False)
    layout = _Layout(b, x, len(size), x.ndim - len(size))
    total, *rest = layout.elements(b, layout.ordered(b, x), size, stride, dilation)
    for here in rest:
        total = total + here
    return layout.restored(b, total)


def _flat_windows(b: Builder, x: Value, size: Sizes, stride: Sizes, dilation: Sizes) -> Value:
    every = b.windows(x, size=size, stride=stride, dilation=dilation)
    return b.reshape(every, shape=(*every.shape[: x.ndim], math.prod(size)))


def _window_argmax(b: Builder, x: Value, *, size: Sizes, stride: Sizes, dilation: Sizes) -> Value:
    if math.prod(size) < _LARGE_WINDOW:
        return _search(b, x, size, stride, dilation)[1]
    return b.argmax(_flat_windows(b, x, size, stride, dilation), dim=x.ndim, keepdim=False)


def _window_pick(b: Builder, x: Value, index: Value, *, size: Sizes, stride: Sizes, dilation: Sizes) -> Value:
    if math.prod(size) >= _LARGE_WINDOW:
        every = _flat_windows(b, x, size, stride, dilation)
        return b.reshape(
            b.take_along(every, b.reshape(index, shape=(*index.shape, 1)), dim=x.ndim), shape=index.shape
        )
    largest, at = _search(b, x, size, stride, dilation)
    if at is index:
        return largest
    layout = _Layout(b, x, len(size), x.ndim - len(size))
    picked, *rest = layout.elements(b, layout.ordered(b, x), size, stride, dilation)
    index = layout.ordered(b, index)
    for k, here in enumerate(rest, 1):
        picked = b.where(index == k, here, picked)
    return layout.restored(b, picked)


def _window_put(
    b: Builder, x: Value, index: Value, *, shape: Sizes, size: Sizes, stride: Sizes, dilation: Sizes
) -> Value:
    d = len(shape)
    layout = _Layout(b, index, d, x.ndim - d)
    if math.prod(size) < 256:
        # Few bytes to keep from the forward pass.
        index = b.cast(index, dtype=numpy.dtype("uint8"))
    x, index = layout.ordered(b, x), layout.ordered(b, index)
    small = layout.spread((1,) * x.ndim, size)
    numbers = numpy.arange(math.prod(size)).reshape(size)
    places = b.constant(numbers.astype(index.dtype).reshape(small))
    between = layout.spread(x.shape)
    chosen = b.reshape(index, shape=between) == places
    every = b.where(chosen, b.reshape(x, shape=between), b.number(0, x.dtype))
    return _joined(b, layout, every, shape, size, stride, dilation)


def _add_windows(b: Builder, x: Value, *, shape: Sizes, stride: Sizes, dilation: Sizes) -> Value:
    d = len(shape)
    lead, size = x.ndim - 2 * d, x.shape[x.ndim - d :]
    layout = _Layout(b, x, d, lead)
    order: list[int] = []
    for i in layout.order:
        order.append(i)
        if i >= lead:
            order.append(i + d)
    return _joined(b, layout, b.permute(x, dims=tuple(order)), shape, size, stride, dilation)


def _joined(
    b: Builder, layout: _Layout, every: Value, shape: Sizes, size: Sizes, stride: Sizes, dilation: Sizes
) -> Value:
    """Return the sums of windows whose elements stand, in the order of memory, after each dimension that
    slides.
    """
    at = layout.places
    outer, inner, position = [], [], 0
    for i in range(len(layout.order)):
        outer.append(position)
        position += 1
        if i in at:
            inner.append(position)
            position += 1
    lengths = [every.shape[i] for i in outer]
    wanted = list(lengths)
    for i, n in zip(layout.places, shape, strict=True):
        wanted[i] = n
    if every.size == 0:
        return layout.restored(b, b.number(0, every.dtype, tuple(wanted)))
    apart = all((s >= k and e == 1) or k == 1 for k, s, e in zip(size, stride, dilation, strict=True))
    tight = apart and all(s == k for k, s in zip(size, stride, strict=True))
    if tight:
        # Windows side by side: what they add up to is another shape of the same.
        whole = [n * size[layout.places.index(i)] if i in at else n for i, n in enumerate(lengths)]
        y = b.reshape(every, shape=tuple(whole))
        if whole != wanted:
            y = b.place(y, shape=tuple(wanted), index=tuple(slice(0, n) for n in whole))
        return layout.restored(b, y)
    every = b.permute(every, dims=(*outer, *inner))
    attrs = {"places": tuple(at), "stride": stride, "dilation": dilation}
    y = b.special(find("add_windows"), (every,), attrs, tuple(wanted), every.dtype)
    return layout.restored(b, y)


# ------------------------------------------------------------------------------------------- convolutions


def _operands(b: Builder, name: str, *values: Value | None) -> list[Any]:
    found = promoted(b, find(name), values)
    if found[0].dtype.kind != "f":
        raise NotCompiled(f"a {name} of {found[0].dtype.name} is not compiled")
    return found


def _channels_last(b: Builder, x: Value) -> Value:
    return b.permute(x, dims=(0, *range(2, x.ndim), 1))


def _channels_second(b: Builder, x: Value) -> Value:
    return b.permute(x, dims=(0, x.ndim - 1, *range(1, x.ndim - 1)))


def _padded(b: Builder, x: Value, pairs: Any) -> Value:
    """Return images (N, L…, C) with zeros around, or with less of them where a number is negative."""
    starts = [max(-p, 0) for p, _ in pairs]
    ends = [n - max(-q, 0) for n, (_, q) in zip(x.shape[1:], pairs, strict=False)]
    if any(p < 0 or q < 0 for p, q in pairs):
        x = b.slice(x, index=(slice(None), *map(slice, starts, ends)))
    pairs = [(max(p, 0), max(q, 0)) for p, q in pairs]
    if not any(map(any, pairs)):
        return x
    lengths = x.shape[1:-1]
    shape = (x.shape[0], *(n + p + q for n, (p, q) in zip(lengths, pairs, strict=True)), x.shape[-1])
    index = (slice(None), *(slice(p, p + n) for n, (p, _) in zip(lengths, pairs, strict=True)), slice(None))
    return b.place(x, shape=shape, index=index)


def _windows_of(b: Builder, x: Value, size: Sizes, stride: Sizes, dilation: Sizes, groups: int) -> Value:
    """Return the windows of images (N, L…, C) as (groups, N, O…, K…, C / groups)."""
    d = len(size)
    x = b.reshape(x, shape=(*x.shape[:-1], groups, x.shape[-1] // groups))
    x = b.permute(x, dims=(d + 1, 0, d + 2, *range(1, d + 1)))
    every = b.windows(x, size=size, stride=stride, dilation=dilation)
    return b.permute(every, dims=(0, 1, *range(3, 3 + 2 * d), 2))


def _grouped(b: Builder, x: Value, groups: int) -> Value:
    """Return (N, O…, C) as a matrix for each group: (groups, N · O…, C / groups)."""
    parts = b.reshape(x, shape=(math.prod(x.shape[:-1]), groups, x.shape[-1] // groups))
    return b.permute(parts, dims=(1, 0, 2))


def _product(b: Builder, every: Value, factor: Value, rows: int) -> Value:
    """Return for each group the product of windows with a matrix; of a single group without its dimension."""
    if factor.shape[0] > 1:
        return b.contraction(every, factor, rows)
    return b.contraction(b.slice(every, index=(0,)), b.reshape(factor, shape=factor.shape[1:]), rows)


def _ungrouped(b: Builder, x: Value, shape: Sizes) -> Value:
    """Return the matrices of the groups as (N, O…, C)."""
    parts = b.permute(x, dims=(1, 0, 2)) if x.ndim == 3 else x
    return b.reshape(parts, shape=shape)


def _convolution(
    b: Builder, x: Value, weight: Value, bias: Value | None, *, stride: Sizes, padding: Any,
    dilation: Sizes, groups: int,
) -> Value:  # fmt: skip
    x, weight, bias = _operands(b, "convolution", x, weight, bias)
    size, outputs = weight.shape[2:], weight.shape[0]
    y = _correlated(b, _padded(b, _channels_last(b, x), padding), weight, stride, dilation, groups)
    y = y if bias is None else y + b.reshape(bias, shape=(1, outputs))
    counts = count_windows(
        [n + p + q for n, (p, q) in zip(x.shape[2:], padding, strict=True)], size, stride, dilation
    )
    return _channels_second(b, b.reshape(y, shape=(x.shape[0], *counts, outputs)))


def _place(b: Builder, x: Value, *, shape: Sizes, index: Any, fill: Any = 0) -> Value:
    parts = _slices(index, x.ndim)
    place = find("place")
    if parts is None:
        return b.special(place, (x,), {"index": index, "fill": fill}, shape, x.dtype)
    # In the order in which x lies in memory.
    layout = _Layout(b, x, max(x.ndim - 2, 0), min(x.ndim, 2))
    attrs = {"index": tuple(parts[i] for i in layout.order), "fill": fill}
    y = b.special(place, (layout.ordered(b, x),), attrs, tuple(shape[i] for i in layout.order), x.dtype)
    return layout.restored(b, y)


def _slices(index: Any, ndim: int) -> tuple[slice, ...] | None:
    """Return an index of slices alone with one for each dimension, or None."""
    given = index if isinstance(index, tuple) else (index,)
    at = next((i for i, part in enumerate(given) if part is Ellipsis), len(given))
    rest = (slice(None),) * (ndim - len(given) + (at < len(given)))
    whole = (*given[:at], *rest, *given[at + 1 :])
    return whole if len(whole) == ndim and all(isinstance(part, slice) for part in whole) else None


def _correlated(b: Builder, x: Value, weight: Value, stride: Sizes, dilation: Sizes, groups: int) -> Value:
    """Return the products of the windows of padded images (N, L…, C) with weight (O, C / groups, K…), as a
    matrix (N · windows, O).
    """
    size, outputs, d = weight.shape[2:], weight.shape[0], weight.ndim - 2
    if _is_depthwise(weight, groups):
        y = _each_channel(b, x, weight, stride, dilation)
        return b.reshape(y, shape=(y.size // outputs, outputs))
    every = _windows_of(b, x, size, stride, dilation, groups)
    depth = math.prod(size) * weight.shape[1]
    factor = b.reshape(weight, shape=(groups, outputs // groups, *weight.shape[1:]))
    factor = b.permute(factor, dims=(0, *range(3, 3 + d), 2, 1))
    factor = b.reshape(factor, shape=(groups, depth, outputs // groups))
    y = _product(b, every, factor, 1 + d)
    return _ungrouped(b, y, (y.shape[-2], outputs))


def _is_depthwise(weight: Value, groups: int) -> bool:
    """Return whether each channel has a weight of its own, not too large to be written out."""
    return weight.shape[0] == groups > 1 == weight.shape[1] and math.prod(weight.shape[2:]) < _LARGE_WINDOW


def _by_place(b: Builder, weight: Value) -> Value:
    """Return a weight (C, 1, K…) as (places of a window, C)."""
    return b.permute(b.reshape(weight, shape=(weight.shape[0], math.prod(weight.shape[2:]))), dims=(1, 0))


def _each_channel(b: Builder, x: Value, weight: Value, stride: Sizes, dilation: Sizes) -> Value:
    """Return the sums of windows of images (N, L…, C) times weight (C, 1, K…), channel by channel: (N, O…,
    C).
    """
    size = weight.shape[2:]
    counts = count_windows(x.shape[1:-1], size, stride, dilation)
    weights, total = b.copied(_by_place(b, weight)), None
    for k, place in enumerate(places_in(size)):
        index = (slice(None), *elements_at(place, counts, stride, dilation)[1:], slice(None))
        term = b.slice(x, index=index) * b.slice(weights, index=(k,))
        total = term if total is None else total + term
    assert total is not None
    return total


def _convolution_weight(
    b: Builder, g: Value, x: Value, *, size: Sizes, stride: Sizes, padding: Any, dilation: Sizes, groups: int
) -> Value:
    g, x = _operands(b, "convolution_weight", g, x)
    outputs, inputs, d = g.shape[1], x.shape[1] // groups, len(size)
    every = _windows_of(b, _padded(b, _channels_last(b, x), padding), size, stride, dilation, groups)
    if outputs == groups > 1 == inputs:
        # Channel by channel: image by image first, which stay in the cache.
        rows = _channels_last(b, g)
        windows = b.permute(every, dims=(1, *range(2, 2 + 2 * d), 0, 2 + 2 * d))
        windows = b.reshape(windows, shape=windows.shape[:-1])
        rows = b.reshape(rows, shape=(*rows.shape[:-1], *(1,) * d, rows.shape[-1]))
        y = b.sum(windows * rows, dim=tuple(range(1, 1 + d)), keepdim=False)
        y = b.sum(y, dim=(0,), keepdim=False)
        return b.reshape(b.permute(y, dims=(d, *range(d))), shape=(outputs, 1, *size))
    factor = _grouped(b, _channels_last(b, g), groups)
    # Sums over some of the images each, which threads can share, then the sum of these.
    images = g.shape[0]
    most = min(images, _PARTS, _PARTS_SIZE // max(math.prod(size) * inputs * outputs, 1))
    parts = next((n for n in range(most, 1, -1) if images % n == 0), 1)
    every = b.reshape(every, shape=(groups, parts, images // parts, *every.shape[2:]))
    every = b.permute(every, dims=(0, 1, *range(3 + d, 4 + 2 * d), *range(2, 3 + d)))
    factor = b.reshape(factor, shape=(groups, parts, factor.shape[1] // parts, factor.shape[2]))
    if parts == 1:
        every, factor = b.slice(every, index=(slice(None), 0)), b.slice(factor, index=(slice(None), 0))
    y = _product(b, every, factor, 1 + d)
    y = b.sum(y, dim=(y.ndim - 3,), keepdim=False) if parts > 1 else y
    y = b.reshape(y, shape=(groups, *size, inputs, outputs // groups))
    y = b.permute(y, dims=(0, 2 + d, 1 + d, *range(1, 1 + d)))
    return b.reshape(y, shape=(outputs, inputs, *size))


def _convolution_input(
    b: Builder, g: Value, weight: Value, *, shape: Sizes, stride: Sizes, padding: Any, dilation: Sizes,
    groups: int,
) -> Value:  # fmt: skip
    g, weight = _operands(b, "convolution_input", g, weight)
    d, size, inputs = len(shape), weight.shape[2:], weight.shape[1] * groups
    rows = _channels_last(b, g)
    if all(s == 1 for s in stride):
        # A convolution of what surrounds each element, with the weight turned round.
        reach = [e * (k - 1) for k, e in zip(size, dilation, strict=True)]
        lengths = zip(reach, padding, shape, g.shape[2:], strict=True)
        around = [(r - p, n + r - (r - p) - o) for r, (p, _), n, o in lengths]
        turned = b.flip(weight, dims=tuple(range(2, 2 + d)))
        turned = b.reshape(turned, shape=(groups, weight.shape[0] // groups, inputs // groups, *size))
        turned = b.reshape(
            b.permute(turned, dims=(0, 2, 1, *range(3, 3 + d))),
            shape=(inputs, weight.shape[0] // groups, *size),
        )
        y = _correlated(b, _padded(b, rows, around), turned, stride, dilation, groups)
        return _channels_second(b, b.reshape(y, shape=(g.shape[0], *shape, inputs)))
    padded = tuple(n + p + q for n, (p, q) in zip(shape, padding, strict=True))
    if _is_depthwise(weight, groups):
        each = b.reshape(b.copied(_by_place(b, weight)), shape=(*size, inputs))
        y = b.reshape(rows, shape=(*rows.shape[:-1], *(1,) * d, inputs)) * each
        y = b.permute(y, dims=(0, 1 + 2 * d, *range(1, 1 + 2 * d)))
        return _unpadded(b, b.add_windows(y, shape=padded, stride=stride, dilation=dilation), shape, padding)
    factor = b.reshape(weight, shape=(groups, weight.shape[0] // groups, *weight.shape[1:]))
    factor = b.permute(factor, dims=(0, 1, *range(3, 3 + d), 2))
    factor = b.reshape(factor, shape=(*factor.shape[:2], math.prod(factor.shape[2:])))
    y = b.matmul(_grouped(b, rows, groups), factor)
    # (groups, N, O…, K…, C / groups) → (N, C, O…, K…), the channels last in memory.
    y = b.reshape(y, shape=(groups, g.shape[0], *g.shape[2:], *size, inputs // groups))
    y = b.permute(y, dims=(*range(1, 2 + 2 * d), 0, 2 + 2 * d))
    y = b.reshape(y, shape=(*y.shape[: 1 + 2 * d], inputs))
    y = b.permute(y, dims=(0, 1 + 2 * d, *range(1, 1 + 2 * d)))
    return _unpadded(b, b.add_windows(y, shape=padded, stride=stride, dilation=dilation), shape, padding)


def _unpadded(b: Builder, x: Value, shape: Sizes, padding: Any) -> Value:
    inner = (slice(p, p + n) for n, (p, _) in zip(shape, padding, strict=True))
    return b.slice(x, index=(slice(None), slice(None), *inner)) if any(map(any, padding)) else x


RULES: dict[str, Callable[..., Value]] = {
    "sum_pool": _sum_pool,
    "window_argmax": _window_argmax,
    "window_pick": _window_pick,
    "window_put": _window_put,
    "add_windows": _add_windows,
    "place": _place,
    "convolution": _convolution,
    "convolution_weight": _convolution_weight,
    "convolution_input": _convolution_input,
}
