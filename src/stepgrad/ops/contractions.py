"""Contractions: sums of products."""

from __future__ import annotations

import math

from stepgrad.ops.record import composite, contract
from stepgrad.ops.samples import Sample, real


def transposed(xp, x):
    """Return x with its last two dimensions exchanged."""
    return xp.permute(x, dims=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _rows(x):
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


@contract
class matmul:
    """A B: yᵢⱼ = Σₖ aᵢₖ bₖⱼ, over leading dimensions that broadcast. dA = g Bᵀ, dB = Aᵀ g."""

    def forward(np, a, b):
        if a.ndim > 2 and b.ndim == 2:
            # One large product is faster than a stack of small ones.
            return (_rows(a) @ b).reshape(*a.shape[:-1], b.shape[-1])
        return np.matmul(a, b)

    def vjp(xp, g, y, a, b, *, needs):
        ga = xp.sum_to(xp.matmul(g, transposed(xp, b)), shape=tuple(a.shape)) if needs[0] else None
        gb = xp.sum_to(xp.matmul(transposed(xp, a), g), shape=tuple(b.shape)) if needs[1] else None
        return ga, gb

    reads = {"a": ("b",), "b": ("a",)}

    onnx = "MatMul"
    samples = [
        Sample(real(shape=(3, 4)), real(shape=(4, 2))),
        Sample(real(shape=(2, 3, 4)), real(shape=(4, 2))),
        Sample(real(shape=(2, 1, 3, 4)), real(shape=(5, 4, 2))),
        Sample(real(shape=(0, 4)), real(shape=(4, 2))),
    ]


@contract
class linear:
    """x Wᵀ + b, W of shape (out, in), b of shape (out) or None. dX = g W, dW = gᵀ X, db = Σ g by column."""

    def forward(np, x, weight, bias):
        if x.ndim == 2:
            y = x @ weight.T
        else:
            y = (_rows(x) @ weight.T).reshape(*x.shape[:-1], weight.shape[0])
        if bias is not None:
            y += bias
        return y

    def vjp(xp, g, y, x, weight, bias, *, needs):
        gx = gw = gb = None
        count = math.prod(x.shape[:-1])
        rows = g if g.ndim == 2 else xp.reshape(g, shape=(count, g.shape[-1]))
        if needs[0]:
            gx = xp.matmul(rows, weight)
            gx = gx if x.ndim == 2 else xp.reshape(gx, shape=tuple(x.shape))
        if needs[1]:
            inputs = x if x.ndim == 2 else xp.reshape(x, shape=(count, x.shape[-1]))
            gw = xp.matmul(transposed(xp, rows), inputs)
        if needs[2]:
            gb = xp.sum(rows, dim=(0,), keepdim=False)
        return gx, gw, gb

    reads = {"x": ("weight",), "weight": ("x",), "bias": ()}

    def onnx(g, x, weight, bias):
        if x.ndim == 2 and bias is not None:
            return g("Gemm", x, weight, bias, transB=1)
        y = g("MatMul", x, g("Transpose", weight, perm=[1, 0]))
        return y if bias is None else g("Add", y, bias)

    samples = [
        Sample(real(shape=(5, 3)), real(shape=(2, 3)), real(shape=(2,))),
        Sample(real(shape=(5, 3)), real(shape=(2, 3)), None),
        Sample(real(shape=(2, 5, 3)), real(shape=(4, 3)), real(shape=(4,))),
        Sample(real(shape=(3,)), real(shape=(4, 3)), real(shape=(4,))),
        Sample(real(shape=(0, 3)), real(shape=(4, 3)), real(shape=(4,))),
    ]


@composite
class bilinear:
    """Σᵢⱼ aᵢ Wₖᵢⱼ bⱼ + cₖ: W of shape (out, in1, in2), c of shape (out) or None."""

    def expand(xp, a, b, weight, bias):
        out, first, second = weight.shape
        rows = xp.reshape(a, shape=(math.prod(a.shape[:-1]), first))
        flat = xp.reshape(xp.permute(weight, dims=(1, 0, 2)), shape=(first, out * second))
        maps = xp.reshape(xp.matmul(rows, flat), shape=(*a.shape[:-1], out, second))
        y = xp.sum(maps * xp.reshape(b, shape=(*b.shape[:-1], 1, second)), dim=(len(b.shape),), keepdim=False)
        return y if bias is None else y + bias

    samples = [
        Sample(real(shape=(5, 3)), real(shape=(5, 2)), real(shape=(4, 3, 2)), real(shape=(4,))),
        Sample(real(shape=(2, 5, 3)), real(shape=(2, 5, 2)), real(shape=(4, 3, 2)), None),
        Sample(real(shape=(3,)), real(shape=(2,)), real(shape=(4, 3, 2)), real(shape=(4,))),
    ]
