"""Sorting: where the elements stand in order. The elements themselves are picked with `take_along`."""

from __future__ import annotations

from stepgrad.ops.record import routine
from stepgrad.ops.samples import Sample, integer, real


@routine
class argsort:
    """The places (int64) of the elements in order along `dim`; equal ones as they stand, NaN the largest."""

    def forward(np, x, *, dim, descending):
        if not descending:
            return np.argsort(x, axis=dim, kind="stable").astype("int64")
        # Backwards twice, so that equal ones stay as they stand.
        order = np.flip(np.argsort(np.flip(x, dim), axis=dim, kind="stable"), dim)
        return x.shape[dim] - 1 - order.astype("int64")

    def onnx(g, x, *, dim, descending):
        # Without NaN; the second output of TopK over all elements.
        count = g.sizes([x.shape[dim]])
        return g.second("TopK", x, count, axis=dim, largest=int(descending), sorted=1)

    no_native = "sorting is not"
    samples = [
        Sample(real(), dim=1, descending=False),
        Sample(real(shape=(2, 3, 4)), dim=1, descending=True),
        Sample(integer(0, 3, (4, 5)), dim=1, descending=True),
        Sample(real(shape=(2, 0)), dim=1, descending=False),
    ]


@routine
class argmode:
    """Where the most frequent element along `dim` (length 1 in the result) is last; the smallest of those."""

    def forward(np, x, *, dim):
        rows = np.moveaxis(x, dim, -1)
        places = np.zeros(rows.shape[:-1], dtype="int64")
        for where in np.ndindex(*places.shape):
            values, counts = np.unique(rows[where], return_counts=True)
            places[where] = np.flatnonzero(rows[where] == values[counts.argmax()])[-1:].sum()
        return np.expand_dims(places, dim)

    no_native = "counting equal elements is not"
    no_onnx = "ONNX does not count equal elements"
    samples = [Sample(integer(0, 3, (4, 9)), dim=1), Sample(real(shape=(2, 3, 4)), dim=0)]
