"""Images sampled at the places of a grid (Jaderberg and others, 2015)."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy

from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import tensor
from stepgrad.tensor import Tensor


def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """Return the grid (N, H, W, 2) that theta (N, 2, 3) makes of the places of an image (N, C, H, W); or
    (N, D, H, W, 3) of theta (N, 3, 4). `size` is the shape of the image; places go from −1 to 1, x first.

    >>> import stepgrad as sg
    >>> affine_grid(sg.tensor([[[1.0, 0, 0], [0, 1, 0]]]), (1, 1, 1, 2), align_corners=True)
    tensor([[[[-1.,  0.],
              [ 1.,  0.]]]])
    """
    lengths = tuple(size)[2:]
    dims = len(lengths)
    if dims not in (2, 3) or theta.shape != (size[0], dims, dims + 1):
        raise ShapeError(
            f"affine_grid takes theta (N, 2, 3) for a size (N, C, H, W), or (N, 3, 4) for (N, C, D, H, "
            f"W); not {list(theta.shape)} for {tuple(size)}."
        )
    ends = [numpy.linspace(-1, 1, n) if n > 1 else numpy.zeros(1) for n in lengths]
    if not align_corners:
        ends = [at * (n - 1) / n for at, n in zip(ends, lengths, strict=True)]
    places = numpy.stack([*numpy.meshgrid(*ends, indexing="ij")[::-1], numpy.ones(lengths)], axis=-1)
    base = tensor(places.reshape(1, -1, dims + 1).astype(theta._array.dtype), device=theta.device)
    return (base.expand(size[0], -1, -1) @ theta.transpose(1, 2)).reshape(size[0], *lengths, dims)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Return x (N, C, H, W) at the places of grid (N, H₂, W₂, 2): (N, C, H₂, W₂). With three dimensions
    likewise.

    Places go from −1 to 1 (the middle of the first and last element with `align_corners`, else their outer
    edges), x first. `mode`: "bilinear", "nearest" or "bicubic"; `padding_mode`: what lies outside, "zeros",
    the "border", or its "reflection". Raises `ArgumentError` or `ShapeError`.

    >>> import stepgrad as sg
    >>> x = sg.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> grid_sample(x, sg.zeros(1, 1, 1, 2), align_corners=False)
    tensor([[[[2.5000]]]])
    """
    dims = input.ndim - 2
    if (
        dims not in (2, 3)
        or grid.shape[0] != input.shape[0]
        or grid.ndim != input.ndim
        or grid.shape[-1] != dims
    ):
        raise ShapeError(
            f"grid_sample takes (N, C, H, W) with a grid (N, H, W, 2), or (N, C, D, H, W) with (N, D, H, "
            f"W, 3); not {list(input.shape)} with {list(grid.shape)}."
        )
    if mode not in ("bilinear", "nearest", "bicubic") or (mode == "bicubic" and dims != 2):
        raise ArgumentError(
            f"grid_sample knows bilinear, nearest, and for images bicubic, not {mode!r} for "
            f"{list(input.shape)}."
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ArgumentError(f"grid_sample pads with zeros, border or reflection, not {padding_mode!r}.")
    sampler = _Sampler(input, padding_mode, bool(align_corners))
    places = [sampler.unnormalized(grid[..., dims - 1 - i], i) for i in range(dims)]
    return sampler.bicubic(places) if mode == "bicubic" else sampler.linear(places, mode == "nearest")


class _Sampler:
    def __init__(self, x: Tensor, padding_mode: str, align_corners: bool) -> None:
        self.lengths = x.shape[2:]
        self.flat = x.flatten(2)
        self.padding_mode, self.align_corners = padding_mode, align_corners

    def unnormalized(self, at: Tensor, dim: int) -> Tensor:
        """Return places from −1 to 1 as indices."""
        n = self.lengths[dim]
        return (at + 1) * ((n - 1) / 2) if self.align_corners else ((at + 1) * n - 1) * 0.5

    def padded(self, at: Tensor, dim: int) -> Tensor:
        """Return indices moved inside, as the padding says."""
        n = self.lengths[dim]
        if self.padding_mode == "border":
            return at.clamp(0, n - 1)
        if self.padding_mode == "zeros":
            return at
        low, span = (0.0, n - 1.0) if self.align_corners else (-0.5, float(n))
        if span == 0:
            return at * 0
        away = (at - low).abs()
        turns = (away.detach() / span).floor()
        rest = away - turns * span
        is_even = turns - (turns / 2).floor() * 2 == 0
        return (rest.where(is_even, span - rest) + low).clamp(0, n - 1)

    def values(self, places: list[Tensor]) -> Tensor:
        """Return x at whole indices (N, …) as (N, C, …); 0 outside."""
        inside: Any = None
        flat: Any = 0
        for at, n in zip(places, self.lengths, strict=True):
            here = (at >= 0) & (at <= n - 1)
            inside = here if inside is None else inside & here
            flat = flat * n + at.clamp(0, n - 1)
        # A place that is not a number lies outside, too.
        index = flat.where(inside, 0.0).long()
        count, channels = self.flat.shape[:2]
        shape = (count, channels, math.prod(index.shape[1:]))
        found = self.flat.gather(2, index.reshape(count, 1, -1).expand(*shape))
        found = found.reshape(count, channels, *index.shape[1:])
        return found.where(inside.unsqueeze(1), 0.0)

    def linear(self, places: list[Tensor], is_nearest: bool) -> Tensor:
        """Return x at places between its elements."""
        places = [self.padded(at, i) for i, at in enumerate(places)]
        if is_nearest:
            return self.values([at.detach().round() for at in places])
        low = [at.detach().floor() for at in places]
        parts = [at - base for at, base in zip(places, low, strict=True)]
        total: Any = None
        for corner in itertools.product((0, 1), repeat=len(places)):
            weight: Any = None
            for bit, part in zip(corner, parts, strict=True):
                one = part if bit else 1 - part
                weight = one if weight is None else weight * one
            found = self.values([base + bit for base, bit in zip(low, corner, strict=True)])
            term = found * weight.unsqueeze(1)
            total = term if total is None else total + term
        return total

    def bicubic(self, places: list[Tensor]) -> Tensor:
        """Return x at places between its elements, by cubic convolution (Keys, 1981, with a = −0.75)."""
        low = [at.detach().floor() for at in places]
        weights = [_cubic_weights(at - base) for at, base in zip(places, low, strict=True)]
        total: Any = None
        for i, j in itertools.product(range(4), repeat=2):
            corner = [self.padded(base + (k - 1), d) for d, (base, k) in enumerate(zip(low, (i, j)))]
            term = self.values(corner) * (weights[0][i] * weights[1][j]).unsqueeze(1)
            total = term if total is None else total + term
        return total


def _cubic_weights(t: Tensor, a: float = -0.75) -> list[Tensor]:
    def near(t: Tensor) -> Tensor:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def far(t: Tensor) -> Tensor:
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


__all__ = ["affine_grid", "grid_sample"]
