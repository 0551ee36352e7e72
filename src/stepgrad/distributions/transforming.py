"""Functions through which random numbers go, one number at a time, with their inverse and derivative."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from stepgrad.arrays.dtypes import finfo
from stepgrad.autograd.recording import hides_values
from stepgrad.distributions.base import as_tensors
from stepgrad.errors import ArgumentError
from stepgrad.nn.functional import logsigmoid, softplus
from stepgrad.tensor import Tensor


class Transform:
    """A function of each number: call it; `inv` is the way back, `log_abs_det_jacobian(x, y)` is ln |dy/dx|.

    With `cache_size` 1 the way back from the last result gives the very numbers that it was made from, also
    where rounding has lost them. A transform of one's own defines `_call`, `_inverse` and
    `log_abs_det_jacobian`.

    >>> import stepgrad as sg
    >>> exponential = sg.distributions.ExpTransform()
    >>> exponential.inv(exponential(sg.tensor(2.0)))
    tensor(2.)
    """

    sign: Any = 1

    def __init__(self, cache_size: int = 0) -> None:
        self._cache_size = cache_size
        self._last: tuple[Any, Any] = (None, None)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the function of x."""
        if x is self._last[0]:
            return self._last[1]
        return self._kept(x, self._call(x))[1]

    @property
    def inv(self) -> Transform:
        """The inverse function."""
        return _Inverse(self)

    def _back(self, y: Tensor) -> Tensor:
        if y is self._last[1]:
            return self._last[0]
        return self._kept(self._inverse(y), y)[0]

    def _kept(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if self._cache_size and not hides_values():
            self._last = x, y
        return x, y

    def _call(self, x: Tensor) -> Tensor:
        raise ArgumentError(f"{type(self).__name__} defines no _call(x).")

    def _inverse(self, y: Tensor) -> Tensor:
        raise ArgumentError(f"{type(self).__name__} defines no _inverse(y).")

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return ln |dy/dx|."""
        raise ArgumentError(f"{type(self).__name__} defines no log_abs_det_jacobian(x, y).")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Inverse(Transform):
    """The way back through another transform."""

    def __init__(self, way: Transform) -> None:
        super().__init__()
        self._way = way

    def __call__(self, x: Tensor) -> Tensor:
        return self._way._back(x)

    @property
    def inv(self) -> Transform:
        return self._way

    @property
    def sign(self) -> Any:
        """Whether it grows (1) or falls (−1)."""
        return self._way.sign

    def _back(self, y: Tensor) -> Tensor:
        return self._way(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self._way.log_abs_det_jacobian(y, x)


class ExpTransform(Transform):
    """y = eˣ.

    >>> import stepgrad as sg
    >>> ExpTransform()(sg.tensor(0.0))
    tensor(1.)
    """

    def _call(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return x."""
        return x


class AffineTransform(Transform):
    """y = loc + scale · x; `event_dim`, 0, is PyTorch's.

    >>> import stepgrad as sg
    >>> AffineTransform(1.0, 2.0)(sg.tensor(3.0))
    tensor(7.)
    """

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale, self.event_dim = loc, scale, event_dim

    @property
    def sign(self) -> Any:
        """Whether it grows (1) or falls (−1)."""
        return self.scale.sign() if isinstance(self.scale, Tensor) else (self.scale > 0) * 2 - 1

    def _call(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return ln |scale|."""
        found = as_tensors(self.scale, x)[0].abs().log()
        return found.sum(tuple(range(-self.event_dim, 0))) if self.event_dim else found


class SigmoidTransform(Transform):
    """y = σ(x), in (0, 1).

    >>> import stepgrad as sg
    >>> SigmoidTransform()(sg.tensor(0.0))
    tensor(0.5000)
    """

    def _call(self, x: Tensor) -> Tensor:
        eps = finfo(x.dtype)
        return x.sigmoid().clamp(eps.tiny, 1 - eps.eps)

    def _inverse(self, y: Tensor) -> Tensor:
        eps = finfo(y.dtype)
        y = y.clamp(eps.tiny, 1 - eps.eps)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return ln σ(x) + ln σ(−x)."""
        return logsigmoid(x) + logsigmoid(-x)


class TanhTransform(Transform):
    """y = tanh x, in (−1, 1), as policies squash their actions (Haarnoja et al., 2018).

    >>> import stepgrad as sg
    >>> TanhTransform()(sg.tensor(0.5))
    tensor(0.4621)
    """

    def _call(self, x: Tensor) -> Tensor:
        return x.tanh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return 2 (ln 2 − x − softplus(−2x)), which is ln(1 − tanh² x) without cancellation."""
        return 2 * (math.log(2) - x - softplus(-2 * x))


class SoftplusTransform(Transform):
    """y = ln(1 + eˣ), above 0.

    >>> import stepgrad as sg
    >>> SoftplusTransform()(sg.tensor(0.0))
    tensor(0.6931)
    """

    def _call(self, x: Tensor) -> Tensor:
        return softplus(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return (-(-y).expm1()).log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return ln σ(x)."""
        return logsigmoid(x)


class ComposeTransform(Transform):
    """Several transforms, one after the other.

    >>> import stepgrad as sg
    >>> ComposeTransform([AffineTransform(1.0, 2.0), ExpTransform()])(sg.tensor(-0.5))
    tensor(1.)
    """

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = list(parts)

    @property
    def sign(self) -> Any:
        """Whether it grows (1) or falls (−1)."""
        return math.prod(part.sign for part in self.parts)

    def _call(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y: Tensor) -> Tensor:
        for part in reversed(self.parts):
            y = part.inv(y)
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the sum over the transforms."""
        total = x * 0
        for part in self.parts:
            then = part(x)
            total, x = total + part.log_abs_det_jacobian(x, then), then
        return total


__all__ = [
    "AffineTransform", "ComposeTransform", "ExpTransform", "SigmoidTransform", "SoftplusTransform",
    "TanhTransform", "Transform",
]  # fmt: skip
