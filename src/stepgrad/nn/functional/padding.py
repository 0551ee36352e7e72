"""Padding: more elements at the ends of dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.joining import cat
from stepgrad.nn.functional.checks import no_tensor
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor

Pair = tuple[int, int]


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Return x with more elements at the ends of its last dimensions; with fewer where a number is negative.

    `pad`: how many before and after, in pairs from the last dimension on. `mode`: "constant" (`value`, 0),
    "reflect" (mirrored, without the edge), "replicate" (the edge) or "circular" (from the other end). Raises
    `ArgumentError` or `ShapeError` where the numbers do not fit.

    >>> import stepgrad as sg
    >>> pad(sg.tensor([1.0, 2.0, 3.0]), (2, 1), "reflect")
    tensor([3., 2., 1., 2., 3., 2.])
    """
    if not isinstance(input, Tensor):
        raise no_tensor("pad", input)
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise ArgumentError(
            f"pad needs two numbers for each dimension, at most {2 * input.ndim} for the input "
            f"{list(input.shape)}, not {list(pad)}."
        )
    pairs = [(int(pad[i]), int(pad[i + 1])) for i in range(0, len(pad), 2)][::-1]
    _check_lengths(input, pairs)
    if mode == "constant":
        return input._copied(pad_zeros(input, pairs, 0.0 if value is None else value))
    if mode not in _ENDS:
        raise ArgumentError(f"pad knows the modes 'constant', {', '.join(map(repr, _ENDS))}, not {mode!r}.")
    if value:
        raise ArgumentError(f"pad takes a value for the mode 'constant' alone, not for {mode!r}.")
    y = input
    for i, pair in enumerate(pairs):
        y = _padded(y, input.ndim - len(pairs) + i, pair, mode)
    return input._copied(y)


def _check_lengths(x: Tensor, pairs: list[Pair]) -> None:
    lengths = x.shape[x.ndim - len(pairs) :]
    if any(n + before + after < 0 for n, (before, after) in zip(lengths, pairs, strict=True)):
        raise ShapeError(f"pad cannot take {pairs} off an input of shape {list(x.shape)}.")


def pad_zeros(input: Tensor, pairs: Sequence[Pair], fill: Any = 0) -> Tensor:
    """Return x with zeros (or the number `fill`) before and after each of its last dimensions."""
    if not any(map(any, pairs)):
        return input
    lead = input.ndim - len(pairs)
    lengths = input.shape[lead:]
    cut = tuple(slice(max(-b, 0), n - max(-a, 0)) for n, (b, a) in zip(lengths, pairs, strict=True))
    if any(b < 0 or a < 0 for b, a in pairs):
        input = input[(..., *cut)]
        lengths = input.shape[lead:]
    starts = [max(b, 0) for b, _ in pairs]
    shape = (
        *input.shape[:lead],
        *(n + s + max(a, 0) for n, s, (_, a) in zip(lengths, starts, pairs, strict=True)),
    )
    index = (Ellipsis, *(slice(s, s + n) for s, n in zip(starts, lengths, strict=True)))
    fill = float(fill) if input.is_floating_point() else int(fill)
    return apply(REGISTRY["place"], input, shape=shape, index=index, fill=fill)


def _padded(x: Tensor, dim: int, pair: Pair, mode: str) -> Tensor:
    """Return x with the ends of one dimension padded."""
    before, after = pair
    n = x.shape[dim]
    if max(pair) > 0:
        most = {"reflect": n - 1, "circular": n, "replicate": max(pair) if n else 0}[mode]
        if max(pair) > most:
            raise ShapeError(
                f"pad with mode={mode!r} adds at most {most} elements to a dimension of length {n}, not "
                f"{pair}."
            )
    start, stop = max(-before, 0), n - max(-after, 0)
    parts = [x.narrow(dim, start, stop - start)] if (start, stop) != (0, n) else [x]
    if mode == "circular":
        # What is cut off is gone, where the others still mirror or repeat it.
        x = parts[0]
    if before > 0:
        parts.insert(0, _ENDS[mode](x, dim, before, True))
    if after > 0:
        parts.append(_ENDS[mode](x, dim, after, False))
    return cat(parts, dim) if len(parts) > 1 else parts[0]


def _reflected(x: Tensor, dim: int, count: int, is_start: bool) -> Tensor:
    return x.narrow(dim, 1 if is_start else x.shape[dim] - 1 - count, count).flip(dim)


def _repeated(x: Tensor, dim: int, count: int, is_start: bool) -> Tensor:
    edge = x.narrow(dim, 0 if is_start else x.shape[dim] - 1, 1)
    return edge.expand(*edge.shape[:dim], count, *edge.shape[dim + 1 :])


def _wrapped(x: Tensor, dim: int, count: int, is_start: bool) -> Tensor:
    return x.narrow(dim, x.shape[dim] - count if is_start else 0, count)


_ENDS = {"reflect": _reflected, "replicate": _repeated, "circular": _wrapped}

__all__ = ["pad"]
