"""Loss functions: composites of a prediction and a target, reduced by "mean", "sum" or "none"."""

from __future__ import annotations

from stepgrad.ops.record import composite
from stepgrad.ops.samples import Sample, integer, real


def reduced(xp, x, reduction):
    """Return the mean or the sum of all elements, or x itself."""
    if reduction == "none":
        return x
    return (xp.mean if reduction == "mean" else xp.sum)(x, dim=None, keepdim=False)


def per_element(xp, g, shape, reduction):
    """Return the gradient of `reduced` for each element, ready to be multiplied: g, or g / N."""
    if reduction != "mean":
        return g
    total = 1
    for n in shape:
        total *= n
    return g / total if total else g


def _pairs(low=-2.0, high=2.0, target=None, **attrs):
    return [Sample(real(low, high), target or real(), reduction=r, **attrs) for r in ("mean", "sum", "none")]


@composite
class mse_loss:
    """(x − t)², the squared error; the gradient is 2 (x − t)."""

    promotes = "floating"

    def expand(xp, x, target, *, reduction):
        return reduced(xp, xp.square(x - target), reduction)

    def vjp(xp, g, y, x, target, *, needs, reduction):
        gx = per_element(xp, g, x.shape, reduction) * (2 * (x - target))
        return gx, -gx if needs[1] else None

    reads = ("x", "target")
    samples = _pairs()


@composite
class l1_loss:
    """|x − t|, the absolute error; the gradient is the sign of x − t."""

    promotes = "floating"

    def expand(xp, x, target, *, reduction):
        return reduced(xp, xp.abs(x - target), reduction)

    def vjp(xp, g, y, x, target, *, needs, reduction):
        gx = per_element(xp, g, x.shape, reduction) * xp.sign(x - target)
        return gx, -gx if needs[1] else None

    reads = ("x", "target")
    samples = _pairs(3, 5)


@composite
class huber_loss:
    """½ d² where |d| = |x − t| ≤ δ, else δ (|d| − ½ δ) (Huber, 1964)."""

    promotes = "floating"

    def expand(xp, x, target, *, reduction, delta):
        d = xp.abs(x - target)
        inner = xp.minimum(d, delta)
        return reduced(xp, inner * (d - 0.5 * inner), reduction)

    def vjp(xp, g, y, x, target, *, needs, reduction, delta):
        gx = per_element(xp, g, x.shape, reduction) * xp.clamp(x - target, low=-delta, high=delta)
        return gx, -gx if needs[1] else None

    reads = ("x", "target")
    samples = [*_pairs(2.5, 4, delta=0.4), *_pairs(0, 0.3, real(0.31, 0.6), delta=1.0)]


@composite
class smooth_l1_loss:
    """½ d² / β where |d| = |x − t| < β, else |d| − ½ β (Girshick, 2015); β = 0 gives |d|."""

    promotes = "floating"

    def expand(xp, x, target, *, reduction, beta):
        if beta == 0:
            return reduced(xp, xp.abs(x - target), reduction)
        d = xp.abs(x - target)
        inner = xp.minimum(d, beta)
        return reduced(xp, inner * (d - 0.5 * inner) / beta, reduction)

    def vjp(xp, g, y, x, target, *, needs, reduction, beta):
        d = x - target
        slope = xp.sign(d) if beta == 0 else xp.clamp(d / beta, low=-1.0, high=1.0)
        gx = per_element(xp, g, x.shape, reduction) * slope
        return gx, -gx if needs[1] else None

    reads = ("x", "target")
    samples = [*_pairs(2.5, 4, beta=0.4), *_pairs(0, 0.3, real(0.31, 0.6), beta=1.0)]


@composite
class binary_cross_entropy:
    """−w (t ln p + (1 − t) ln(1 − p)), each logarithm not below −100 so that p = 0 and p = 1 stay finite."""

    promotes = "floating"

    def expand(xp, p, target, weight, *, reduction):
        positive = xp.clamp(xp.log(p), low=-100.0, high=None)
        negative = xp.clamp(xp.log1p(-p), low=-100.0, high=None)
        loss = (target - 1) * negative - target * positive
        return reduced(xp, loss if weight is None else loss * weight, reduction)

    def written(xp, p, target, weight, *, reduction):
        loss = -(target * xp.log(p) + (1 - target) * xp.log(1 - p))
        return reduced(xp, loss if weight is None else weight * loss, reduction)

    def vjp(xp, g, y, p, target, weight, *, needs, reduction):
        scale = per_element(xp, g, p.shape, reduction)
        scale = scale if weight is None else scale * weight
        gp = gt = None
        if needs[0]:
            # p (1 − p) is kept from 0 as PyTorch does, so that the gradient is finite at p = 0 and 1.
            gp = scale * (p - target) / xp.clamp(p * (1 - p), low=1e-12, high=None)
        if needs[1]:
            gt = scale * (
                xp.clamp(xp.log1p(-p), low=-100.0, high=None) - xp.clamp(xp.log(p), low=-100.0, high=None)
            )
        return gp, gt, None

    reads = ("p", "target", "weight")
    samples = [
        *(Sample(real(0.1, 0.9), real(0, 1), None, reduction=r) for r in ("mean", "sum", "none")),
        Sample(real(0.1, 0.9), real(0, 1), real(0.5, 2), reduction="mean"),
    ]


@composite
class binary_cross_entropy_with_logits:
    """−w (p₊ t ln σ(x) + (1 − t) ln(1 − σ(x))), computed from the logit x without overflow.

    With softplus(−x) = max(−x, 0) + ln(1 + e^(−|x|)) it is w ((1 − t) x + (1 + (p₊ − 1) t) softplus(−x)).
    With p₊ = 1 the summands of max(x, 0) and max(−x, 0) stand alone, so that none cancels another.
    """

    promotes = "floating"

    def expand(xp, x, target, weight, pos_weight, *, reduction):
        small = xp.log1p(xp.exp(-xp.abs(x)))
        if pos_weight is None:
            loss = (1 - target) * xp.maximum(x, 0) + target * xp.maximum(-x, 0) + small
        else:
            loss = (1 - target) * x + (1 + (pos_weight - 1) * target) * (small + xp.maximum(-x, 0))
        return reduced(xp, loss if weight is None else loss * weight, reduction)

    def written(xp, x, target, weight, pos_weight, *, reduction):
        p = xp.sigmoid(x)
        positive = target * xp.log(p)
        positive = positive if pos_weight is None else pos_weight * positive
        loss = -(positive + (1 - target) * xp.log(1 - p))
        return reduced(xp, loss if weight is None else weight * loss, reduction)

    def vjp(xp, g, y, x, target, weight, pos_weight, *, needs, reduction):
        scale = per_element(xp, g, x.shape, reduction)
        scale = scale if weight is None else scale * weight
        gx = gt = None
        if needs[0]:
            p = xp.sigmoid(x)
            slope = (
                p - target if pos_weight is None else 1 - target - (1 + (pos_weight - 1) * target) * (1 - p)
            )
            gx = scale * slope
        if needs[1]:
            gt = scale * (
                -x if pos_weight is None else (pos_weight - 1) * xp.softplus(-x, beta=1.0, threshold=99.0) - x
            )
        return gx, gt, None, None

    reads = ("x", "target", "weight", "pos_weight")
    samples = [
        *(Sample(real(-5, 5), real(0, 1), None, None, reduction=r) for r in ("mean", "sum", "none")),
        Sample(real(-5, 5), real(0, 1), real(0.5, 2), real(0.5, 2, (4,)), reduction="mean"),
    ]


def _targets(xp, x, target, weight, ignore_index, label_smoothing):
    """Return the distribution (N, C) that the loss compares with, class weights included, ignored rows 0."""
    classes = x.shape[1]
    q = xp.one_hot(target, classes=classes, dtype=x.dtype)
    if label_smoothing or 0 <= ignore_index < classes:
        valid = xp.reshape(xp.cast(target != ignore_index, dtype=x.dtype), shape=(-1, 1))
        q = valid * (q * (1 - label_smoothing) + label_smoothing / classes)
    return q if weight is None else q * weight


def _total_weight(xp, x, target, weight, ignore_index):
    """Return what the mean divides by: the class weights of the rows that count."""
    valid = target != ignore_index
    if weight is None:
        return xp.sum(xp.cast(valid, dtype=x.dtype), dim=None, keepdim=False)
    own = xp.embedding(xp.reshape(weight, shape=(-1, 1)), xp.where(valid, target, 0), padding_idx=None)
    return xp.sum(xp.reshape(own, shape=(-1,)) * valid, dim=None, keepdim=False)


def _per_weight(xp, g, total):
    """Return g / total; 0 where no row counts, whose mean is NaN but whose gradient is 0, as in PyTorch."""
    return xp.where(total == 0, 0.0, g / total)


@composite
class nll_loss:
    """−w_t x_t: the negative of the log-probability of the target class. x (N, C), target (N) integers.

    The mean is weighted: Σ losses / Σ weights. Rows whose target is `ignore_index` count for nothing.
    """

    promotes = None

    def expand(xp, x, target, weight, *, ignore_index, reduction):
        valid = target != ignore_index
        safe = xp.where(valid, target, 0)
        picked = xp.reshape(xp.take_along(x, xp.reshape(safe, shape=(-1, 1)), dim=1), shape=(-1,))
        if weight is not None:
            own = xp.embedding(xp.reshape(weight, shape=(-1, 1)), safe, padding_idx=None)
            picked = picked * xp.reshape(own, shape=(-1,))
        losses = xp.where(valid, -picked, 0.0)
        if reduction == "none":
            return losses
        total = xp.sum(losses, dim=None, keepdim=False)
        return total if reduction == "sum" else total / _total_weight(xp, x, target, weight, ignore_index)

    def vjp(xp, g, y, x, target, weight, *, needs, ignore_index, reduction):
        scale = xp.reshape(g, shape=(-1, 1)) if reduction == "none" else g
        if reduction == "mean":
            scale = _per_weight(xp, scale, _total_weight(xp, x, target, weight, ignore_index))
        return -(_targets(xp, x, target, weight, ignore_index, 0.0) * scale), None, None

    reads = ("target", "weight")
    samples = [
        *(
            Sample(real(), integer(0, 4, (3,)), None, ignore_index=-100, reduction=r)
            for r in ("mean", "sum", "none")
        ),
        Sample(real(), integer(0, 4, (3,)), real(0.5, 2, (4,)), ignore_index=-100, reduction="mean"),
        Sample(real(shape=(9, 4)), integer(0, 4, (9,)), real(0.5, 2, (4,)), ignore_index=1, reduction="mean"),
    ]


@composite
class cross_entropy:
    """−Σ_c q_c ln softmax(x)_c with the target class, smoothed by `label_smoothing`, as q.

    x (N, C), target (N) integers. The gradient with respect to x is (softmax(x) − q) / N for the mean. Class
    weights, `ignore_index` and the weighted mean are those of `nll_loss`. Smoothing: Szegedy and others,
    2015.
    """

    promotes = None

    def expand(xp, x, target, weight, *, ignore_index, reduction, label_smoothing):
        logs = xp.log_softmax(x, dim=1)
        losses = xp.nll_loss(logs, target, weight, ignore_index=ignore_index, reduction="none")
        if label_smoothing:
            valid = target != ignore_index
            smooth = -xp.sum(logs if weight is None else logs * weight, dim=(1,), keepdim=False)
            smooth = xp.where(valid, smooth, 0.0)
            losses = losses * (1 - label_smoothing) + smooth * (label_smoothing / x.shape[1])
        if reduction == "none":
            return losses
        total = xp.sum(losses, dim=None, keepdim=False)
        return total if reduction == "sum" else total / _total_weight(xp, x, target, weight, ignore_index)

    def written(xp, x, target, weight, *, ignore_index, reduction, label_smoothing):
        p = xp.softmax(x, dim=1)
        if label_smoothing:
            q = _targets(xp, x, target, weight, ignore_index, label_smoothing)
            losses = -xp.sum(q * xp.log(p), dim=(1,), keepdim=False)
        else:
            logs = xp.log(p)
            losses = xp.nll_loss(logs, target, weight, ignore_index=ignore_index, reduction="none")
        if reduction == "none":
            return losses
        total = xp.sum(losses, dim=None, keepdim=False)
        return total if reduction == "sum" else total / _total_weight(xp, x, target, weight, ignore_index)

    def vjp(xp, g, y, x, target, weight, *, needs, ignore_index, reduction, label_smoothing):
        q = _targets(xp, x, target, weight, ignore_index, label_smoothing)
        scale = xp.reshape(g, shape=(-1, 1)) if reduction == "none" else g
        if reduction == "mean":
            scale = _per_weight(xp, scale, _total_weight(xp, x, target, weight, ignore_index))
        return (xp.softmax(x, dim=1) * xp.sum(q, dim=(1,), keepdim=True) - q) * scale, None, None

    reads = ("x", "target", "weight")
    samples = [
        *(
            Sample(
                real(), integer(0, 4, (3,)), None, ignore_index=-100, reduction=r, label_smoothing=s
            )
            for r, s in (("mean", 0.0), ("sum", 0.0), ("none", 0.0), ("mean", 0.1))
        ),
        Sample(
            real(shape=(9, 4)), integer(0, 4, (9,)), real(0.5, 2, (4,)),
            ignore_index=1, reduction="mean", label_smoothing=0.2,
        ),
    ]  # fmt: skip


@composite
class cross_entropy_probabilities:
    """−Σ_c w_c q_c ln softmax(x)_c for target probabilities q (N, C); the mean is over the N rows."""

    promotes = "floating"

    def expand(xp, x, target, weight, *, reduction, label_smoothing):
        if label_smoothing:
            target = target * (1 - label_smoothing) + label_smoothing / x.shape[1]
        products = target * xp.log_softmax(x, dim=1)
        losses = -xp.sum(products if weight is None else products * weight, dim=(1,), keepdim=False)
        return reduced(xp, losses, reduction)

    samples = [
        *(
            Sample(real(), real(0, 1), None, reduction=r, label_smoothing=0.0)
            for r in ("mean", "sum", "none")
        ),
        Sample(real(), real(0, 1), real(0.5, 2, (4,)), reduction="mean", label_smoothing=0.1),
    ]
