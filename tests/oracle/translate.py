"""From PyTorch's values to stepgrad's, and the comparison of results and gradients, for the oracle tests."""

from collections.abc import Iterator
from typing import Any

import numpy

import stepgrad as sg
from stepgrad import autograd

TOLERANCE = 1e-9


def to_stepgrad(x: Any) -> Any:
    """A value of PyTorch, or nested ones, as stepgrad's."""
    import torch

    if isinstance(x, torch.Tensor):
        return sg.tensor(x.detach().numpy()).requires_grad_(x.requires_grad)
    if isinstance(x, torch.dtype):
        return getattr(sg, str(x).removeprefix("torch."))
    if isinstance(x, torch.memory_format):
        return getattr(sg, str(x).removeprefix("torch."))
    if isinstance(x, torch.device):
        return str(x)
    if isinstance(x, torch.Size):
        return tuple(x)
    if isinstance(x, (list, tuple)):
        return type(x)(map(to_stepgrad, x)) if type(x) in (list, tuple) else tuple(map(to_stepgrad, x))
    if isinstance(x, dict):
        return {key: to_stepgrad(value) for key, value in x.items()}
    if isinstance(x, torch.nn.TransformerEncoderLayer):
        return encoder_layer(x)
    if x is torch.nn.functional.gelu:
        return sg.nn.functional.gelu
    return x


def encoder_layer(x: Any) -> Any:
    """An encoder layer of PyTorch, which is handed to a stack of them, as stepgrad's."""
    bias = x.linear1.bias is not None
    return sg.nn.TransformerEncoderLayer(
        x.linear1.in_features, x.self_attn.num_heads, x.linear1.out_features, x.dropout.p,
        x.activation.__name__, x.norm1.eps, x.self_attn.batch_first, x.norm_first, bias,
    )  # fmt: skip


def tensors_in(x: Any) -> Iterator[Any]:
    """The tensors among nested arguments, in order."""
    if isinstance(x, (list, tuple)):
        for part in x:
            yield from tensors_in(part)
    elif isinstance(x, dict):
        yield from tensors_in(list(x.values()))
    elif hasattr(x, "requires_grad"):
        yield x


def samples_of(op: Any, kind: str) -> Iterator[Any]:
    """The calls of an operation in PyTorch's database, "sample_inputs" or "reference_inputs", in float64.

    Every tensor that requires a gradient is a leaf; some of the database's views are neither that nor derived
    from one. Calls with tensors of types that stepgrad does not have are left out. Where the database makes
    integers that require a gradient it fails, and there are no more calls.
    """
    import torch

    def leaf(x: Any) -> Any:
        return x.detach().requires_grad_(x.requires_grad) if isinstance(x, torch.Tensor) else x

    missing = (torch.bfloat16, torch.complex32, torch.complex64, torch.complex128)
    dtype = torch.float64 if torch.float64 in op.dtypes else torch.int64
    gradients = dtype.is_floating_point and op.supports_autograd
    torch.manual_seed(0)
    calls = iter(getattr(op, kind)("cpu", dtype, requires_grad=gradients))
    while True:
        try:
            sample = next(calls)
        except StopIteration:
            return
        except (RuntimeError, ValueError) as error:
            if "is not supported for boolean and integral dtypes" in str(error):
                return
            raise
        if not any(x.dtype in missing for x in tensors_in([sample.input, sample.args, sample.kwargs])):
            yield sample.transform(leaf)


def described(x: Any) -> str:
    """Arguments as text, tensors by dtype and shape."""
    if hasattr(x, "requires_grad"):
        return f"{x.dtype}{list(x.shape)}".removeprefix("torch.")
    if isinstance(x, (list, tuple)):
        return f"({', '.join(map(described, x))})"
    if isinstance(x, dict):
        return ", ".join(f"{key}={described(value)}" for key, value in x.items())
    return str(x)


def assert_same(found: Any, right: Any, tolerance: float = TOLERANCE, where: Any = ...) -> None:
    """A tensor of stepgrad and one of PyTorch have the same shape, dtype and numbers (those at `where`)."""
    assert tuple(right.shape) == found.shape
    assert str(right.dtype).removeprefix("torch.") == found.dtype.name
    ours, theirs = found.detach().numpy()[where], right.detach().numpy(force=True)[where]
    numpy.testing.assert_allclose(ours, theirs, tolerance, tolerance)


def compare(
    theirs: Any,
    ours: Any,
    theirs_in: list[Any],
    ours_in: list[Any],
    tolerance: float = TOLERANCE,
    at_finite_inputs: bool = False,
) -> None:
    """Results of the same call, and the gradients that they give to the inputs, are the same.

    `at_finite_inputs`: gradients may differ where the input is infinite or NaN.
    """
    import torch

    if not isinstance(theirs, (torch.Tensor, tuple, list)):
        assert theirs == ours or theirs != theirs
        return
    pairs = list(zip(tensors_in([theirs]), tensors_in([ours]), strict=True))
    for right, found in pairs:
        assert_same(found, right, tolerance)
        assert right.requires_grad == found.requires_grad
    roots = [(right, found) for right, found in pairs if right.requires_grad]
    if not roots:
        return
    random = numpy.random.default_rng(0)
    weights = [numpy.asarray(random.uniform(0.5, 1.5, f.shape)).astype(f.dtype.name) for _, f in roots]
    try:
        expected = torch.autograd.grad(
            [right for right, _ in roots],
            theirs_in,
            [torch.from_numpy(w) for w in weights],
            allow_unused=True,
        )
    except RuntimeError:
        return  # PyTorch has a value, but no derivative
    gradients = autograd.grad(
        [found for _, found in roots], ours_in, [sg.tensor(w) for w in weights], allow_unused=True
    )
    for x, right, found in zip(ours_in, expected, gradients, strict=True):
        if right is None or found is None:
            present = right if found is None else found
            assert present is None or float(present.abs().sum()) == 0
        else:
            where = numpy.isfinite(x.detach().numpy()) if at_finite_inputs else ...
            assert_same(found, right, tolerance, where)


def shared_by(result: Any, given: list[Any]) -> tuple[list[int], list[int], bool]:
    """Which of the inputs a result is, with which it shares memory, and whether its own elements do.

    Of tensors of PyTorch and of stepgrad: both are seen through NumPy.
    """
    array = result.detach().numpy()
    return (
        [i for i, x in enumerate(given) if x is result],
        [i for i, x in enumerate(given) if numpy.may_share_memory(x.detach().numpy(), array)],
        any(n > 1 and stride == 0 for n, stride in zip(array.shape, array.strides, strict=True)),
    )


class Failures:
    """Samples that differ: all are tried, then all are told."""

    def __init__(self, missing: dict[str, str]) -> None:
        self.missing, self.unused = missing, dict(missing)
        self.checked, self.found = 0, list[str]()

    def skips(self, text: str) -> bool:
        """Whether a sample, described by `text`, is of something that stepgrad does not have."""
        reasons = [piece for piece in self.missing if piece in text]
        for piece in reasons:
            self.unused.pop(piece, None)
        return bool(reasons)

    def add(self, text: str, error: Exception) -> None:
        self.found.append(f"{text}\n        {type(error).__name__}: {str(error).strip()[:400]}")

    def report(self, all_used: bool = True) -> None:
        assert not self.found, f"{len(self.found)} of {self.checked} samples:\n" + "\n".join(self.found)
        assert self.checked or not all_used
        assert not (all_used and self.unused), f"skipped for nothing: {self.unused}"
