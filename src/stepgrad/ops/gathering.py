"""Gathering by integer indices, and the addition back to where indices point; indices have no derivative."""

from __future__ import annotations

from stepgrad.ops import onnx_forms as forms
from stepgrad.ops.record import gather
from stepgrad.ops.samples import Sample, integer, real


@gather
class index:
    """x[i, j, …] with integer or boolean tensors.

    `spec` is the whole index with None in the places of the tensors, each entry a slice, an integer, or
    "tensor".
    """

    def forward(np, x, *indices, spec):
        return x[_filled(indices, spec)]

    def vjp(xp, g, y, x, *indices, needs, spec):
        return (xp.index_add(g, *indices, spec=spec, shape=tuple(x.shape)), *(None for _ in indices))

    reads = ("indices",)

    def onnx(g, x, *indices, spec):
        return forms.picked(g, x, indices, spec)

    samples = [
        Sample(real(), integer(0, 3, (5,)), spec=("tensor",)),
        Sample(real(), integer(0, 4, (2, 2)), spec=(slice(None), "tensor")),
        Sample(real(), integer(0, 3, (5,)), integer(0, 4, (5,)), spec=("tensor", "tensor")),
    ]


@gather
class index_add:
    """Zeros of `shape`, with x added at the places that an index of the same form picks."""

    def forward(np, x, *indices, spec, shape):
        y = np.zeros(shape, dtype=x.dtype)
        np.add.at(y, _filled(indices, spec), x)
        return y

    def vjp(xp, g, y, x, *indices, needs, spec, shape):
        return (xp.index(g, *indices, spec=spec), *(None for _ in indices))

    reads = ("indices",)

    def onnx(g, x, *indices, spec, shape):
        return forms.scattered(g, g.zeros_like(x, shape), x, indices, spec, accumulate=True)

    samples = [
        Sample(real(shape=(5, 4)), integer(0, 3, (5,)), spec=("tensor",), shape=(3, 4)),
        Sample(
            real(shape=(5,)),
            integer(0, 3, (5,)),
            integer(0, 4, (5,)),
            spec=("tensor", "tensor"),
            shape=(3, 4),
        ),
    ]


def _filled(indices, spec):
    rest = iter(indices)
    return tuple(next(rest) if isinstance(part, str) else part for part in spec)


@gather
class index_put:
    """A copy of x in which the places that an index picks hold `value`, or x + `value` with `accumulate`."""

    promotes = None

    def forward(np, x, value, *indices, spec, accumulate):
        y = x.copy()
        if accumulate:
            np.add.at(y, _filled(indices, spec), value)
        else:
            y[_filled(indices, spec)] = value
        return y

    def vjp(xp, g, y, x, value, *indices, needs, spec, accumulate):
        gx = gv = None
        if needs[0]:
            gx = g if accumulate else xp.index_put(g, 0.0, *indices, spec=spec, accumulate=False)
        if needs[1]:
            picked = xp.index(g, *indices, spec=spec)
            # Dimensions of length 1 that a value may have in front, beyond those of its places.
            extra = max(0, value.ndim - picked.ndim)
            gv = xp.sum_to(picked, shape=tuple(value.shape[extra:]))
            gv = xp.reshape(gv, shape=tuple(value.shape)) if extra else gv
        return gx, gv, *(None for _ in indices)

    reads = ("indices",)

    def onnx(g, x, value, *indices, spec, accumulate):
        return forms.scattered(g, x, value, indices, spec, accumulate)

    samples = [
        Sample(real(), real(shape=(4,)), spec=(1,), accumulate=False),
        Sample(real(), real(shape=(1, 1, 4)), spec=(1,), accumulate=False),
        Sample(real(), real(shape=(3, 1)), spec=(slice(None), slice(1, 3)), accumulate=False),
        Sample(real(), real(shape=()), integer(0, 3, (1,)), spec=("tensor",), accumulate=False),
        Sample(real(), real(shape=(5, 4)), integer(0, 3, (5,)), spec=("tensor",), accumulate=True),
    ]


@gather
class take_along:
    """yᵢⱼ = x[indexᵢⱼ, j] along dimension `dim`: `torch.gather`."""

    def forward(np, x, index, *, dim):
        return np.take_along_axis(_within(x, index, dim), index, axis=dim)

    def vjp(xp, g, y, x, index, *, needs, dim):
        return xp.add_along(g, index, dim=dim, shape=tuple(x.shape)), None

    reads = ("index",)

    def onnx(g, x, index, *, dim):
        extent = [slice(None) if i == dim else slice(n) for i, n in enumerate(index.shape)]
        return g("GatherElements", forms.sliced(g, x, tuple(extent)), index, axis=dim)

    samples = [
        Sample(real(), integer(0, 4, (3, 2)), dim=1),
        Sample(real(), integer(0, 3, (2, 3)), dim=0),
    ]


def _within(x, index, dim):
    """Return x cut to the extent of the index in the other dimensions, where `torch.gather` allows less."""
    return x[tuple(slice(None) if i == dim else slice(n) for i, n in enumerate(index.shape))]


@gather
class add_along:
    """Zeros of `shape`, with x added at the places that `take_along` would take from."""

    def forward(np, x, index, *, dim, shape):
        y = np.zeros(shape, dtype=x.dtype)
        np.add.at(y, _places(np, index, dim), x)
        return y

    def vjp(xp, g, y, x, index, *, needs, dim, shape):
        return xp.take_along(g, index, dim=dim), None

    reads = ("index",)

    def onnx(g, x, index, *, dim, shape):
        zeros = g.zeros_like(x, shape)
        return g("ScatterElements", zeros, index, x, axis=dim, reduction="add")

    samples = [Sample(real(shape=(3, 2)), integer(0, 4, (3, 2)), dim=1, shape=(3, 4))]


@gather
class embedding:
    """Rows of `weight` (count, features) picked by integers; the row `padding_idx` has gradient 0."""

    def forward(np, weight, index, *, padding_idx):
        return np.take(weight, index, axis=0)

    def vjp(xp, g, y, weight, index, *, needs, padding_idx):
        return xp.add_rows(g, index, count=weight.shape[0], padding_idx=padding_idx), None

    reads = ("index",)

    def onnx(g, weight, index, *, padding_idx):
        return g("Gather", weight, index, axis=0)

    samples = [
        Sample(real(shape=(6, 3)), integer(0, 6, (4, 2)), padding_idx=None),
        Sample(real(shape=(6, 3)), integer(0, 6, (0,)), padding_idx=None),
    ]


@gather
class add_rows:
    """A matrix of `count` rows: row i sums the rows of x whose index is i; row `padding_idx` stays 0."""

    def forward(np, x, index, *, count, padding_idx):
        rows, flat = x.reshape(-1, x.shape[-1]), index.reshape(-1)
        y = np.zeros((count, x.shape[-1]), dtype=x.dtype)
        if flat.size:
            # Sorted, so that rows with the same index stand together and one pass adds them in a fixed order.
            order = np.argsort(flat, kind="stable")
            sorted_index = flat[order]
            starts = np.flatnonzero(
                np.concatenate([sorted_index[:1] == sorted_index[:1], np.diff(sorted_index) != 0])
            )
            y[sorted_index[starts]] = np.add.reduceat(rows[order], starts, axis=0)
        if padding_idx is not None:
            y[padding_idx] = 0
        return y

    def vjp(xp, g, y, x, index, *, needs, count, padding_idx):
        if padding_idx is not None:
            g = xp.index_put(g, 0.0, spec=(padding_idx,), accumulate=False)
        return xp.embedding(g, index, padding_idx=None), None

    reads = ("index",)

    def onnx(g, x, index, *, count, padding_idx):
        rows, flat = g.reshape(x, shape=(-1, x.shape[-1])), g.reshape(index, shape=(-1, 1))
        y = g("ScatterND", g.zeros_like(x, (count, x.shape[-1])), flat, rows, reduction="add")
        return y if padding_idx is None else g("Mul", y, forms.without_row(count, padding_idx, x.dtype))

    samples = [
        Sample(real(shape=(4, 2, 3)), integer(0, 6, (4, 2)), count=6, padding_idx=None),
        Sample(real(shape=(5, 3)), integer(0, 6, (5,)), count=6, padding_idx=2),
    ]


def _places(np, index, dim):
    """Return the index of every element that an index along `dim` names."""
    own = [np.arange(n).reshape((-1,) + (1,) * (index.ndim - 1 - i)) for i, n in enumerate(index.shape)]
    own[dim] = index
    return tuple(own)


@gather
class reduce_along:
    """x with `source` multiplied in ("prod"), or the largest ("amax") or smallest ("amin") of both taken.

    At the places that `take_along` would take from. Extremes that tie share the gradient equally.
    """

    def forward(np, x, source, index, *, dim, how):
        y = x.copy()
        ufunc = {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum}[how]
        ufunc.at(y, _places(np, index, dim), source)
        return y

    def vjp(xp, g, y, x, source, index, *, needs, dim, how):
        shape = tuple(x.shape)
        if how != "prod":
            mine = xp.cast(x == y, dtype=x.dtype)
            theirs = xp.cast(source == xp.take_along(y, index, dim=dim), dtype=x.dtype)
            share = g / (mine + xp.add_along(theirs, index, dim=dim, shape=shape))
            return mine * share, theirs * xp.take_along(share, index, dim=dim), None
        # The product of the others: with one 0 among the factors that of all but it, with more of them 0.
        zero_x, zero_source = xp.cast(x == 0, dtype=x.dtype), xp.cast(source == 0, dtype=x.dtype)
        zeros = zero_x + xp.add_along(zero_source, index, dim=dim, shape=shape)
        whole_x, whole_source = xp.where(x == 0, 1.0, x), xp.where(source == 0, 1.0, source)
        rest = g * xp.reduce_along(whole_x, whole_source, index, dim=dim, how=how)
        taken = {name: xp.take_along(v, index, dim=dim) for name, v in (("zeros", zeros), ("rest", rest))}
        gx = xp.where(zeros == zero_x, rest / whole_x, 0.0)
        gs = xp.where(taken["zeros"] == zero_source, taken["rest"] / whole_source, 0.0)
        return gx, gs, None

    no_native = "products and extremes at places that indices name are not"
    no_onnx = "it is an operation of training data, not of models"
    samples = [
        Sample(real(0.5, 2), real(0.5, 2, (3, 2)), integer(0, 4, (3, 2)), dim=1, how=how)
        for how in ("prod", "amax", "amin")
    ]
