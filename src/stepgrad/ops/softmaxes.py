"""Softmax, its logarithm, and normalisation: composites along dimensions."""

from __future__ import annotations

from stepgrad.ops.record import composite
from stepgrad.ops.reductions import count
from stepgrad.ops.samples import Sample, real


def _each():
    return [Sample(real(-3, 3), dim=1), Sample(real(-3, 3), dim=0), Sample(real(-3, 3, (2, 3, 4)), dim=1)]


@composite
class softmax:
    """eˣⁱ / Σⱼ eˣʲ along `dim`; the maximum is subtracted inside exp, so nothing overflows."""

    promotes = "floating"

    def expand(xp, x, *, dim):
        if not x.shape[dim]:
            return xp.exp(x)
        e = xp.exp(x - xp.amax(x, dim=(dim,), keepdim=True))
        return e / xp.sum(e, dim=(dim,), keepdim=True)

    def written(xp, x, *, dim):
        e = xp.exp(x)
        return e / xp.sum(e, dim=(dim,), keepdim=True)

    def vjp(xp, g, y, x, *, needs, dim):
        return (y * (g - xp.sum(g * y, dim=(dim,), keepdim=True)),)

    reads = ("y",)

    def onnx(g, x, *, dim):
        return g("Softmax", x, axis=dim)

    samples = _each()


@composite
class log_softmax:
    """xᵢ − ln Σⱼ eˣʲ along `dim`, computed without overflow."""

    promotes = "floating"

    def expand(xp, x, *, dim):
        if not x.shape[dim]:
            return xp.exp(x)
        shifted = x - xp.amax(x, dim=(dim,), keepdim=True)
        return shifted - xp.log(xp.sum(xp.exp(shifted), dim=(dim,), keepdim=True))

    def written(xp, x, *, dim):
        return x - xp.log(xp.sum(xp.exp(x), dim=(dim,), keepdim=True))

    def vjp(xp, g, y, x, *, needs, dim):
        return (g - xp.exp(y) * xp.sum(g, dim=(dim,), keepdim=True),)

    reads = ("y",)

    def onnx(g, x, *, dim):
        return g("LogSoftmax", x, axis=dim)

    samples = _each()


@composite
class normalize:
    """(x − mean) / √(variance + ε) over `dim`: what batch, layer and group normalisation have in common.

    Ioffe and Szegedy, 2015; Ba, Kiros and Hinton, 2016. dx = (g − mean(g) − y mean(g y)) / √(variance + ε).
    """

    promotes = "floating"

    def expand(xp, x, *, dim, eps):
        centred = x - xp.mean(x, dim=dim, keepdim=True)
        return centred * xp.rsqrt(xp.mean(centred * centred, dim=dim, keepdim=True) + eps)

    def vjp(xp, g, y, x, *, needs, dim, eps):
        scale = xp.rsqrt(xp.var(x, dim=dim, keepdim=True, correction=0) + eps)
        along = xp.mean(g * y, dim=dim, keepdim=True)
        return ((g - xp.mean(g, dim=dim, keepdim=True) - y * along) * scale,)

    reads = ("x", "y")
    samples = [
        Sample(real(shape=(5, 3)), dim=(0,), eps=1e-5),
        Sample(real(shape=(2, 3, 4)), dim=(1, 2), eps=1e-3),
    ]


@composite
class rms_normalize:
    """x / √(mean(x²) + ε) over `dim` (Zhang and Sennrich, 2019)."""

    promotes = "floating"

    def expand(xp, x, *, dim, eps):
        return x * xp.rsqrt(xp.mean(x * x, dim=dim, keepdim=True) + eps)

    def vjp(xp, g, y, x, *, needs, dim, eps):
        scale = xp.rsqrt(xp.mean(x * x, dim=dim, keepdim=True) + eps)
        along = xp.sum(g * y, dim=dim, keepdim=True) / count(x.shape, dim)
        return ((g - y * along) * scale,)

    reads = ("x", "y")
    samples = [Sample(real(shape=(5, 3)), dim=(1,), eps=1e-6)]
