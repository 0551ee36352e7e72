"""Losses that are negative logarithms of a likelihood, or compare two distributions."""

from __future__ import annotations

import math

from stepgrad.ops.losses import reduced
from stepgrad.ops.record import composite
from stepgrad.ops.samples import Sample, integer, real

REDUCTIONS = ("mean", "sum", "none")


def _times_own_log(xp, x):
    """Return x ln x, 0 where x is 0."""
    zero = x == 0
    return xp.where(zero, 0.0, x * xp.log(xp.where(zero, 1.0, x)))


@composite
class kl_div:
    """t (ln t − x) for log-probabilities x: the divergence of x from t (Kullback and Leibler, 1951).

    `log_target`: t is a log-probability too, and it is eᵗ (t − x).
    """

    promotes = "floating"

    def expand(xp, x, target, *, log_target, reduction):
        if log_target:
            return reduced(xp, xp.exp(target) * (target - x), reduction)
        return reduced(xp, _times_own_log(xp, target) - target * x, reduction)

    samples = [
        *(Sample(real(-2, 0), real(0.1, 1), log_target=False, reduction=r) for r in REDUCTIONS),
        Sample(real(-2, 0), real(-2, 0), log_target=True, reduction="mean"),
    ]


@composite
class poisson_nll_loss:
    """λ − t ln λ for counts t, with λ = eˣ (`log_input`) or λ = x.

    `full` adds Stirling's approximation of ln t! where t > 1.
    """

    promotes = "floating"

    def expand(xp, x, target, *, log_input, full, eps, reduction):
        losses = xp.exp(x) - target * x if log_input else x - target * xp.log(x + eps)
        if full:
            t = xp.where(target > 1, target, 1.0)
            stirling = t * xp.log(t) - t + 0.5 * xp.log(2 * math.pi * t)
            losses = losses + xp.where(target > 1, stirling, 0.0)
        return reduced(xp, losses, reduction)

    samples = [
        *(Sample(real(), real(0, 5), log_input=True, full=False, eps=1e-8, reduction=r) for r in REDUCTIONS),
        Sample(
            real(0.2, 2), real(0, 5, away_from=(1,)), log_input=False, full=True, eps=1e-8, reduction="none"
        ),
    ]


@composite
class gaussian_nll_loss:
    """½ (ln v + (x − t)² / v) for a normal number t with mean x and variance v, not below `eps`.

    `full` adds ½ ln 2π (Nix and Weigend, 1994). The gradient with respect to v passes where v is raised to
    eps, too.
    """

    promotes = "floating"

    def expand(xp, x, target, var, *, full, eps, reduction):
        own = xp.detach(var)
        v = var + (xp.maximum(own, eps) - own)
        d = x - target
        losses = 0.5 * (xp.log(v) + d * d / v) + (0.5 * math.log(2 * math.pi) if full else 0)
        return reduced(xp, losses, reduction)

    samples = [
        *(Sample(real(), real(), real(0.5, 2), full=False, eps=1e-6, reduction=r) for r in REDUCTIONS),
        Sample(real(), real(), real(0.5, 2, (3, 1)), full=True, eps=1e-6, reduction="mean"),
    ]


@composite
class ctc_loss:
    """−ln of the probability that a sequence of classes is read off T steps, repeats and blanks left out.

    Log-probabilities x (T, N, C), classes `target` (N, S), `lengths` (N) of the sequences x and
    `target_lengths` (N) of the classes (Graves, Fernández, Gomez and Schmidhuber, 2006). The mean is over the
    batch, each loss divided by its number of classes. What cannot be read off has the loss inf, or 0 with
    `zero_infinity`.
    """

    promotes = None

    def expand(xp, x, target, lengths, target_lengths, *, blank, zero_infinity, reduction):
        steps, n, _ = x.shape
        labels, penalty = _extended(xp, x, target, target_lengths, blank)
        width = labels.shape[1]
        never = _never(x.dtype)
        index = xp.expand(xp.reshape(labels, shape=(1, n, width)), shape=(steps, n, width))
        emitted = xp.clamp(xp.take_along(x, index, dim=2), low=never, high=None)
        start = xp.arange(start=0, stop=width, step=1, dtype="int64") < 2
        # forward[i, s]: the log-probability of all ways to have read the first s of the extended labels.
        forward = xp.where(start, xp.slice(emitted, index=(0,)), never)
        edge = xp.full(shape=(n, 1), value=never, dtype=x.dtype)
        for t in range(1, steps):
            padded = xp.cat(edge, edge, forward, dim=1)
            ways = [xp.slice(padded, index=(slice(None), slice(2 - k, 2 - k + width))) for k in range(3)]
            ways[2] = ways[2] + penalty
            joined = xp.cat(*(xp.reshape(way, shape=(1, n, width)) for way in ways), dim=0)
            moved = xp.logsumexp(joined, dim=(0,), keepdim=False) + xp.slice(emitted, index=(t,))
            forward = xp.where(xp.reshape(lengths > t, shape=(n, 1)), moved, forward)
        losses = _ends(xp, forward, lengths, target_lengths, never, 0.0 if zero_infinity else math.inf)
        if reduction == "mean":
            losses = losses / xp.cast(xp.maximum(target_lengths, 1), dtype=x.dtype)
        return reduced(xp, losses, reduction)

    samples = [
        *(
            Sample(
                real(-2, 0, (4, 3, 3)), integer(1, 3, (3, 2)), integer(4, 5, (3,)), integer(0, 3, (3,)),
                blank=0, zero_infinity=False, reduction=r,
            )
            for r in REDUCTIONS
        ),
        Sample(
            real(-2, 0, (5, 4, 3)), integer(0, 2, (4, 2)), integer(3, 6, (4,)), integer(1, 3, (4,)),
            blank=2, zero_infinity=False, reduction="none",
        ),
        Sample(
            real(-2, 0, (3, 2, 3)), integer(1, 2, (2, 3)), integer(3, 4, (2,)), integer(3, 4, (2,)),
            blank=0, zero_infinity=True, reduction="sum",
        ),
    ]  # fmt: skip


def _never(dtype):
    """Return a log-probability that stands for −∞, finite so that differences of it are."""
    return -4096.0 if str(dtype).endswith("float16") else -1e30


def _extended(xp, x, target, target_lengths, blank):
    """Return the classes with blanks around each, (N, 2 S + 1), and what it costs to jump over a blank."""
    n, count = target.shape
    places = xp.arange(start=0, stop=count, step=1, dtype="int64")
    target = xp.where(places < xp.reshape(target_lengths, shape=(n, 1)), target, blank)
    column = xp.reshape(target, shape=(n, count, 1))
    blanks = xp.full(shape=(n, count, 1), value=blank, dtype="int64")
    pairs = xp.reshape(xp.cat(blanks, column, dim=2), shape=(n, 2 * count))
    last = xp.full(shape=(n, 1), value=blank, dtype="int64")
    labels = xp.cat(pairs, last, dim=1)
    two_before = xp.cat(last, last, labels, dim=1)
    two_before = xp.slice(two_before, index=(slice(None), slice(0, 2 * count + 1)))
    jumps = (labels != blank) & (labels != two_before)
    return labels, xp.where(jumps, 0.0, xp.full(shape=(1, 1), value=_never(x.dtype), dtype=x.dtype))


def _ends(xp, forward, lengths, target_lengths, never, impossible):
    """Return the losses (N): the sequences may end in their last class or in a blank after it."""
    last = xp.reshape(2 * target_lengths, shape=(-1, 1))
    in_blank = xp.take_along(forward, last, dim=1)
    in_class = xp.take_along(forward, xp.maximum(last - 1, 0), dim=1)
    in_class = xp.where(last > 0, in_class, never)
    losses = -xp.logsumexp(xp.cat(in_blank, in_class, dim=1), dim=(1,), keepdim=False)
    losses = xp.where(losses > -0.5 * never, impossible, losses)
    # Nothing to read, of no steps, is certain; something is impossible.
    certain = xp.full(shape=(1,), value=0.0, dtype=forward.dtype)
    return xp.where(lengths > 0, losses, xp.where(target_lengths > 0, impossible, certain))
