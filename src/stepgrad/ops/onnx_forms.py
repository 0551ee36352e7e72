"""What indexing is in ONNX: slices, picking by integers, and putting back.

Written for the `onnx` functions of the records: `g` is a `stepgrad.onnx.builder.Builder`, an index one of
NumPy's, in which sizes may depend on the batch.
"""

from __future__ import annotations

import numpy as np

_END = 2**62  # past the end of any dimension
_ALL = slice(None)


def whole(index, ndim):
    """Return an index with an entry for each dimension, a tuple or not, Ellipsis written out."""
    index = index if isinstance(index, tuple) else (index,)
    taken = sum(1 for part in index if part is not None and part is not Ellipsis)
    rest = (_ALL,) * (ndim - taken)
    if any(part is Ellipsis for part in index):
        at = next(i for i, part in enumerate(index) if part is Ellipsis)
        return index[:at] + rest + index[at + 1 :]
    return index + rest


def sliced(g, x, index):
    """Return the part of x that an index of integers, slices, None and Ellipsis takes."""
    parts = whole(index, x.ndim)
    axes, starts, ends, steps, gone, new = [], [], [], [], [], []
    result_ndim = 0
    for part in parts:
        if part is None:
            new.append(result_ndim)
            result_ndim += 1
            continue
        axis = len(gone) + result_ndim - len(new)
        if isinstance(part, slice):
            result_ndim += 1
            if part == _ALL:
                continue
            step = 1 if part.step is None else part.step
            first, last = (0, _END) if step > 0 else (_END, -_END)
            starts.append(first if part.start is None else part.start)
            ends.append(last if part.stop is None else part.stop)
        else:
            gone.append(axis)
            step = 1
            starts.append(part)
            ends.append(_END if part == -1 else part + 1)
        axes.append(axis)
        steps.append(step)
    name = g.name_of(x)
    if axes:
        name = g("Slice", x, g.sizes(starts), g.sizes(ends), g.integers(*axes), g.integers(*steps))
    if gone:
        name = g("Squeeze", name, g.integers(*gone))
    return g("Unsqueeze", name, g.integers(*new)) if new else name


def placed(g, x, shape, index, rest):
    """Return `rest` (a value that broadcasts to `shape`), with x at the places that `sliced` would take."""
    parts = whole(index, len(shape))
    new = [i for i, part in enumerate(p for p in parts if not isinstance(p, int)) if part is None]
    name = g("Squeeze", x, g.integers(*new)) if new else g.name_of(x)
    parts = [part for part in parts if part is not None]
    gone = [axis for axis, part in enumerate(parts) if isinstance(part, int)]
    name = g("Unsqueeze", name, g.integers(*gone)) if gone else name
    mask = None
    for axis, (part, n) in enumerate(zip(parts, shape)):
        if part == _ALL:
            continue
        if not isinstance(n, int):
            raise g.unsupported("a change of some rows of a batch")
        # Where each element comes from: for element i of the result the place in x, if it has one there.
        places = np.arange(n)[part]
        sources, own = np.zeros(n, "int64"), np.zeros(n, bool)
        sources[places], own[places] = np.arange(np.size(places)).reshape(np.shape(places)), True
        name = g("Gather", name, sources, axis=axis)
        own = own.reshape([-1] + [1] * (len(shape) - axis - 1))
        mask = own if mask is None else mask & own
    return name if mask is None else g("Where", mask, name, rest)


def picked(g, x, indices, spec):
    """Return what an index with integer tensors picks; `spec` has "tensor" in their places."""
    if any(i.dtype == bool for i in indices):
        raise g.unsupported("indexing by a mask, whose result has a size that depends on values,")
    parts, rest = whole(spec, x.ndim), iter(indices)
    if any(part is None for part in parts):
        raise g.unsupported("indexing by tensors and None at once")
    axes = [axis for axis, part in enumerate(parts) if not isinstance(part, slice)]
    tensors = [next(rest) if isinstance(parts[a], str) else np.array(parts[a]) for a in axes]
    part = sliced(g, x, tuple(p if isinstance(p, slice) else _ALL for p in parts))
    if len(axes) == 1:
        return g("Gather", part, tensors[0], axis=axes[0])
    others = [axis for axis in range(x.ndim) if axis not in axes]
    turned = g("Transpose", part, perm=axes + others)
    found = g("GatherND", turned, _joined(g, tensors))
    count = max(t.ndim for t in tensors)
    # Beside each other, the indices' dimensions stand where they did; else in front, as GatherND has them.
    before = axes[0] if axes == list(range(axes[0], axes[0] + len(axes))) else 0
    if not before:
        return found
    front, back = range(count, count + before), range(count + before, count + len(others))
    return g("Transpose", found, perm=[*front, *range(count), *back])


def scattered(g, x, value, indices, spec, accumulate):
    """Return x with `value` put at, or added to, the places that an index picks."""
    target = g.shape_of("index", x, *indices, spec=spec)
    spread = g("Expand", _trimmed(g, value, len(target)), g.sizes(target))
    if not indices:
        if not accumulate:
            return placed(g, spread, x.shape, spec, x)
        return g("Add", x, placed(g, spread, x.shape, spec, np.zeros((), x.dtype)))
    parts = whole(spec, x.ndim)
    count = len(indices)
    if parts[:count] != ("tensor",) * count or any(part != _ALL for part in parts[count:]):
        raise g.unsupported("a change at tensor indices and slices at once")
    if any(i.dtype == bool for i in indices):
        raise g.unsupported("a change at the places of a mask")
    reduction = "add" if accumulate else "none"
    return g("ScatterND", x, _joined(g, indices), spread, reduction=reduction)


def _trimmed(g, value, ndim):
    """Return a value without dimensions of length 1 in front, beyond `ndim`."""
    extra = value.ndim - ndim
    return g("Squeeze", value, g.integers(*range(extra))) if extra > 0 else value


def _joined(g, tensors):
    """Return index tensors, brought to one shape, side by side in a new last dimension."""
    zeros = g("Sub", tensors[0], tensors[0])
    for tensor in tensors[1:]:
        zeros = g("Add", zeros, g("Sub", tensor, tensor))
    return g("Concat", *(g("Unsqueeze", g("Add", t, zeros), g.integers(-1)) for t in tensors), axis=-1)


def without_row(count, row, dtype):
    """Return a column of ones, with a 0 in one row."""
    return (np.arange(count) != row).astype(dtype)[:, None]
