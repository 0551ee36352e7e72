"""Losses that ask for a distance: of a score from a margin, of scores from each other, of vectors."""

from __future__ import annotations

import math

from stepgrad.ops.losses import reduced
from stepgrad.ops.record import composite
from stepgrad.ops.samples import Sample, integer, real

REDUCTIONS = ("mean", "sum", "none")


def _ceiling(xp, x):
    """Return max(x, 0); where x is 0 the gradient passes, as PyTorch has it in the losses that clamp."""
    return xp.clamp(x, low=0.0, high=None)


def _softplus(xp, x):
    """Return ln(1 + eˣ) without overflow."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


def _power(xp, x, exponent):
    """Return a power of numbers ≥ 0, whose derivative is taken to be 0 at 0."""
    zero = x == 0
    return xp.where(zero, 0.0, xp.where(zero, 1.0, x) ** exponent)


@composite
class soft_margin_loss:
    """ln(1 + e^(−t x)) for targets t of −1 and 1."""

    promotes = "floating"

    def expand(xp, x, target, *, reduction):
        return reduced(xp, _softplus(xp, -(target * x)), reduction)

    samples = [Sample(real(), real(-1, 1), reduction=r) for r in REDUCTIONS]


@composite
class hinge_embedding_loss:
    """x where t = 1 and max(0, margin − x) where t = −1, x a distance."""

    promotes = "floating"

    def expand(xp, x, target, *, margin, reduction):
        near = xp.where(target != -1, x, 0.0)
        far = xp.where(target != 1, _ceiling(xp, margin - x), 0.0)
        return reduced(xp, near + far, reduction)

    samples = [
        Sample(real(0, 2, away_from=(1,)), integer(-1, 2, (3, 4)), margin=1.0, reduction=r)
        for r in REDUCTIONS
    ]


@composite
class margin_ranking_loss:
    """max(0, −t (a − b) + margin): for t = 1 a shall be larger than b, for t = −1 smaller."""

    promotes = "floating"

    def expand(xp, a, b, target, *, margin, reduction):
        return reduced(xp, _ceiling(xp, -target * (a - b) + margin), reduction)

    samples = [
        Sample(real(1, 2), real(-1, 0), real(-1, 1, away_from=(0.05,)), margin=9.0, reduction=r)
        for r in REDUCTIONS
    ]


@composite
class multi_margin_loss:
    """Σ_{c≠t} w_t max(0, margin − x_t + x_c)ᵖ / C for the class t that is right: x (N, C), t (N), w (C).

    Crammer and Singer, 2001.
    """

    promotes = None

    def expand(xp, x, target, weight, *, p, margin, reduction):
        classes = x.shape[1]
        own = xp.take_along(x, xp.reshape(target, shape=(-1, 1)), dim=1)
        terms = xp.relu(margin - own + x)
        terms = terms if p == 1 else terms * terms
        others = 1 - xp.one_hot(target, classes=classes, dtype=x.dtype)
        losses = xp.sum(terms * others, dim=(1,), keepdim=False) / classes
        if weight is not None:
            rows = xp.embedding(xp.reshape(weight, shape=(-1, 1)), target, padding_idx=None)
            losses = losses * xp.reshape(rows, shape=(-1,))
        return reduced(xp, losses, reduction)

    samples = [
        *(Sample(real(), integer(0, 4, (3,)), None, p=1, margin=9.0, reduction=r) for r in REDUCTIONS),
        Sample(real(), integer(0, 4, (3,)), real(0.5, 2, (4,)), p=2, margin=0.5, reduction="mean"),
    ]


@composite
class multilabel_margin_loss:
    """Σ_t Σ_{c not right} max(0, 1 − x_t + x_c) / C over the classes t that are right: x and t (N, C).

    The classes in a row of t count up to the first negative number.
    """

    promotes = None

    def expand(xp, x, target, *, reduction):
        n, classes = x.shape
        order = xp.arange(start=0, stop=classes, step=1, dtype="int64")
        before = xp.reshape(order, shape=(-1, 1)) <= order
        # How many negative numbers there are up to each place.
        stops = xp.matmul(xp.cast(target < 0, dtype=x.dtype), xp.cast(before, dtype=x.dtype))
        counts = xp.one_hot(xp.where(target < 0, 0, target), classes=classes, dtype=x.dtype)
        counts = counts * xp.reshape(xp.cast(stops == 0, dtype=x.dtype), shape=(n, classes, 1))
        right = xp.sum(counts, dim=(1,), keepdim=False)
        terms = xp.relu(1 - xp.reshape(x, shape=(n, classes, 1)) + xp.reshape(x, shape=(n, 1, classes)))
        pairs = xp.reshape(right, shape=(n, classes, 1)) * xp.reshape(right == 0, shape=(n, 1, classes))
        return reduced(xp, xp.sum(terms * pairs, dim=(1, 2), keepdim=False) / classes, reduction)

    samples = [
        *(Sample(real(0, 0.5), integer(-1, 4, (3, 4)), reduction=r) for r in REDUCTIONS),
        Sample(real(-9, 9, (5, 6)), integer(-1, 6, (5, 6)), reduction="none"),
    ]


@composite
class multilabel_soft_margin_loss:
    """The mean over the classes of −w (t ln σ(x) + (1 − t) ln(1 − σ(x))), each class for itself."""

    promotes = "floating"

    def expand(xp, x, target, weight, *, reduction):
        losses = _softplus(xp, -x) * target + _softplus(xp, x) * (1 - target)
        losses = losses if weight is None else losses * weight
        return reduced(xp, xp.mean(losses, dim=(len(x.shape) - 1,), keepdim=False), reduction)

    samples = [
        *(Sample(real(), real(0, 1), None, reduction=r) for r in REDUCTIONS),
        Sample(real(), real(0, 1), real(0.5, 2, (4,)), reduction="mean"),
    ]


@composite
class cosine_embedding_loss:
    """1 − cos(a, b) where t = 1 and max(0, cos(a, b) − margin) where t = −1: a and b (N, D), t (N)."""

    promotes = "floating"

    def expand(xp, a, b, target, *, margin, reduction):
        def product(x, y):
            return xp.sum(x * y, dim=(1,), keepdim=False)

        cosine = product(a, b) / xp.sqrt((product(a, a) + 1e-12) * (product(b, b) + 1e-12))
        far = xp.where(target == -1, _ceiling(xp, cosine - margin), 0.0)
        return reduced(xp, xp.where(target == 1, 1 - cosine, far), reduction)

    samples = [
        *(Sample(real(), real(), integer(1, 2, (3,)), margin=0.0, reduction=r) for r in REDUCTIONS),
        Sample(real(0, 1), real(0, 1), integer(-1, 2, (3,)), margin=-0.5, reduction="sum"),
    ]


@composite
class cosine_similarity:
    """a · b / (|a| |b|) along `dim`, each length taken to be `eps` at least."""

    promotes = "floating"

    def expand(xp, a, b, *, dim, eps):
        def unit(x):
            length = xp.norm(x, dim=(dim,), keepdim=True)
            # Where the length is raised to eps, the derivative is that of the length, as in PyTorch.
            raised = xp.maximum(xp.detach(length), eps) - xp.detach(length)
            return x / (length + raised)

        return xp.sum(unit(a) * unit(b), dim=(dim,), keepdim=False)

    samples = [
        Sample(real(), real(), dim=1, eps=1e-8),
        Sample(real(), real(shape=(3, 1)), dim=0, eps=1e-8),
    ]


@composite
class pairwise_distance:
    """(Σ |a − b + ε|ᵖ)^(1/p) along the last dimension."""

    promotes = "floating"

    def expand(xp, a, b, *, p, eps, keepdim):
        d = a - b + eps
        dim = (len(d.shape) - 1,)
        if p == 2:
            return xp.norm(d, dim=dim, keepdim=keepdim)
        size = xp.abs(d)
        if math.isinf(p):
            return (xp.amax if p > 0 else xp.amin)(size, dim=dim, keepdim=keepdim)
        if p == 0:
            return xp.sum(xp.cast(size != 0, dtype=d.dtype) + 0 * size, dim=dim, keepdim=keepdim)
        return _power(xp, xp.sum(_power(xp, size, p), dim=dim, keepdim=keepdim), 1 / p)

    samples = [
        Sample(real(), real(3, 5), p=2.0, eps=1e-6, keepdim=False),
        Sample(real(), real(3, 5, (4,)), p=3.0, eps=1e-6, keepdim=True),
        Sample(real(shape=(2, 3, 4)), real(3, 5), p=math.inf, eps=1e-6, keepdim=False),
        Sample(real(shape=(4,)), real(3, 5, (4,)), p=1.0, eps=1e-6, keepdim=False),
    ]


@composite
class triplet_margin_loss:
    """max(0, margin + d(a, p) − d(a, n)) of the distances of an anchor to a positive and a negative example.

    `swap`: the negative one is measured from the positive one where that is nearer (Balntas, Riba, Ponsa and
    Mikolajczyk, 2016).
    """

    promotes = "floating"

    def expand(xp, anchor, positive, negative, *, margin, p, eps, swap, reduction):
        def distance(x, y):
            return xp.pairwise_distance(x, y, p=p, eps=eps, keepdim=False)

        far = distance(anchor, negative)
        far = xp.minimum(far, distance(positive, negative)) if swap else far
        return reduced(xp, _ceiling(xp, margin + distance(anchor, positive) - far), reduction)

    samples = [
        *(
            Sample(real(), real(), real(), margin=9.0, p=2.0, eps=1e-6, swap=s, reduction=r)
            for r, s in (("mean", False), ("sum", True), ("none", True))
        ),
        Sample(real(), real(), real(), margin=30.0, p=1.0, eps=1e-6, swap=False, reduction="mean"),
    ]
