"""Losses that are negative logarithms of a likelihood, or compare two distributions."""

from __future__ import annotations

from typing import Any

import numpy

from stepgrad.autograd.engine import apply, state
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError
from stepgrad.functions.creation import arange, full, tensor
from stepgrad.nn.functional.checks import check_pair, check_reduction, check_tensors
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def kl_div(input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """Return t (ln t − x) for log-probabilities x and the target t, reduced; eᵗ (t − x) with `log_target`.

    `reduction` may be "batchmean", the sum divided by the size of dimension 0, which is the divergence of
    distributions in rows; "mean" divides by the number of elements.

    >>> import stepgrad as sg
    >>> target = sg.tensor([0.5, 0.5])
    >>> kl_div(sg.tensor([0.9, 0.1]).log(), target, reduction="sum")  # Σ t ln(t / p)
    tensor(0.5108)
    """
    by_rows = reduction == "batchmean"
    check_pair("kl_div", input, target, "sum" if by_rows else reduction)
    record = REGISTRY["kl_div"]
    if not by_rows:
        return apply(record, input, target, log_target=bool(log_target), reduction=reduction)
    return (
        apply(record, input, target, log_target=bool(log_target), reduction="sum") / (input.shape or (1,))[0]
    )


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """Return eˣ − target · x, or x − target ln(x + eps) without `log_input`, reduced; the target is a count.

    `full` adds Stirling's approximation of ln(target!) where the target is above 1.

    >>> import stepgrad as sg
    >>> poisson_nll_loss(sg.tensor([0.0]), sg.tensor([3.0]))
    tensor(1.)
    """
    check_pair("poisson_nll_loss", input, target, reduction)
    return apply(
        REGISTRY["poisson_nll_loss"], input, target,
        log_input=bool(log_input), full=bool(full), eps=float(eps), reduction=reduction,
    )  # fmt: skip


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Return ½ (ln var + (x − target)² / var), reduced; `full` adds ½ ln 2π.

    `var`: a number, or a tensor of the shape of x, or of that shape without its last dimension or with one
    dimension of length 1. It is taken to be `eps` at least. Raises `ArgumentError` for a negative variance.

    >>> import stepgrad as sg
    >>> gaussian_nll_loss(sg.tensor([1.0]), sg.tensor([3.0]), sg.tensor([4.0]))  # ½ (ln 4 + 1)
    tensor(1.1931)
    """
    check_pair("gaussian_nll_loss", input, target, reduction)
    if not isinstance(var, Tensor):
        var = _full((), float(var), dtype=input.dtype, device=input.device)
    elif var.shape != input.shape:
        if var.shape == input.shape[:-1]:
            var = var.unsqueeze(-1)
        differing = [i for i, (a, b) in enumerate(zip(var.shape, input.shape)) if a != b]
        if var.ndim != input.ndim or any(var.shape[i] != 1 for i in differing) or len(differing) > 1:
            raise ShapeError(
                f"gaussian_nll_loss of {list(input.shape)} takes a variance of that shape, without its last "
                f"dimension, or with one dimension of length 1, not {list(var.shape)}."
            )
    if var._array.size and (var._array < 0).any():
        raise ArgumentError(
            "gaussian_nll_loss takes variances that are not negative. Use .exp() or .square()."
        )
    return apply(
        REGISTRY["gaussian_nll_loss"],
        input,
        target,
        var,
        full=bool(full),
        eps=float(eps),
        reduction=reduction,
    )


_full = full  # the name is an argument above


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Return −ln of the probability that each sequence of steps is read as its target, repeats and blanks
    left out (Graves, Fernández, Gomez and Schmidhuber, 2006), reduced.

    `log_probs`: (T, N, C) or (T, C). `targets`: classes (N, S), or those of all rows after one another.
    `input_lengths`, `target_lengths`: N integers. The mean divides each loss by the length of its target. A
    target that is too long has the loss inf, or 0 with `zero_infinity`.

    Unlike PyTorch's, whose gradient with respect to `log_probs` is that of the scores before log_softmax,
    the gradient is that of the function itself; after log_softmax both are the same.

    >>> import stepgrad as sg
    >>> log_probabilities = sg.zeros(3, 1, 2).log_softmax(2)  # 3 steps, 1 sequence, blank and 1 class
    >>> ctc_loss(log_probabilities, sg.tensor([[1]]), sg.tensor([3]), sg.tensor([1]))  # −ln 6/8
    tensor(0.2877)
    """
    check_reduction(reduction)
    check_tensors("ctc_loss", log_probs, targets)
    single = log_probs.ndim == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
    if log_probs.ndim != 3 or not log_probs.is_floating_point():
        raise ShapeError(
            f"ctc_loss takes log-probabilities (T, N, C) or (T, C), not "
            f"{log_probs.dtype.name}{list(log_probs.shape)}."
        )
    steps, n, classes = log_probs.shape
    if not 0 <= blank < classes:
        raise ArgumentError(
            f"ctc_loss has {classes} classes, numbered from 0; blank {blank} is none of them."
        )
    lengths, counts = (_lengths(x, n, log_probs) for x in (input_lengths, target_lengths))
    if single and targets.ndim == 1:
        targets = targets.unsqueeze(0)
    if targets.ndim == 1:
        total = int(counts._array.sum())
        if targets.shape[0] != total:
            raise ShapeError(
                f"ctc_loss of targets whose lengths add up to {total} takes that many classes in a row, not "
                f"{targets.shape[0]}."
            )
        targets = _in_rows(targets, counts, target_lengths)
    _check_ctc(targets, lengths, counts, steps, classes)
    y = apply(
        REGISTRY["ctc_loss"], log_probs, targets.long(), lengths, counts,
        blank=int(blank), zero_infinity=bool(zero_infinity), reduction=reduction,
    )  # fmt: skip
    return y.reshape(()) if single and reduction == "none" else y


def _lengths(x: Any, n: int, like: Tensor) -> Tensor:
    lengths = x if isinstance(x, Tensor) else tensor(x, device=like.device)
    lengths = lengths.reshape(-1)
    if lengths._array.dtype.kind not in "iu" or lengths.shape != (n,):
        raise ShapeError(
            f"ctc_loss of {n} sequences takes {n} integers as lengths, not "
            f"{lengths.dtype.name}{list(lengths.shape)}."
        )
    return lengths.long()


def _in_rows(targets: Tensor, counts: Tensor, sizes: Any) -> Tensor:
    """Return classes that stand after one another as rows, filled up with any of them."""
    total = targets.shape[0]
    if not isinstance(sizes, Tensor):
        longest = max(sizes, default=0)
    elif state.recorder is not None and state.recorder.values_hidden:
        longest = total  # in a step that is compiled the lengths may differ from call to call
    else:
        longest = int(counts._array.max()) if counts.numel() else 0
    order = arange(counts.shape[0], device=targets.device)
    starts = (counts * (order.unsqueeze(1) > order)).sum(1)
    places = starts.unsqueeze(1) + arange(longest, device=targets.device)
    return targets[places.clamp(max=total - 1)] if total else targets.reshape(-1, 0)


def _check_ctc(targets: Tensor, lengths: Tensor, counts: Tensor, steps: int, classes: int) -> None:
    if targets._array.dtype.kind not in "iu":
        raise DtypeError(
            f"ctc_loss takes classes as integers, not {targets.dtype.name}. Convert with .long()."
        )
    if targets.ndim != 2 or targets.shape[0] != counts.shape[0]:
        raise ShapeError(
            f"ctc_loss of {counts.shape[0]} sequences takes targets (N, S), not {list(targets.shape)}."
        )
    for x, most, what in ((lengths, steps, "steps"), (counts, targets.shape[1], "classes in a row")):
        a = x._array
        if a.size and not 0 <= int(a.min()) <= int(a.max()) <= most:
            wrong = int(a.max()) if a.max() > most else int(a.min())
            raise ArgumentError(f"ctc_loss has {most} {what}; a length of {wrong} is not possible.")
    used = targets._array[numpy.arange(targets.shape[1]) < counts._array.reshape(-1, 1)]
    if used.size and not 0 <= int(used.min()) <= int(used.max()) < classes:
        wrong = int(used.max()) if used.max() >= classes else int(used.min())
        raise IndexShapeError(
            f"ctc_loss has {classes} classes, numbered from 0; the target contains {wrong}."
        )


__all__ = ["ctc_loss", "gaussian_nll_loss", "kl_div", "poisson_nll_loss"]
