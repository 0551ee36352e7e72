"""Methods that compute with each element: arithmetic, and the functions that networks are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepgrad.arrays import dtypes
from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError
from stepgrad.methods.base import Operand, TensorBase
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor

_add, _sub, _mul, _div, _neg, _pow = (REGISTRY[n] for n in ("add", "sub", "mul", "div", "neg", "pow"))


class ElementwiseMethods(TensorBase):
    """Element by element; two operands broadcast, and their dtypes promote as in PyTorch."""

    def __add__(self, other: Operand) -> Tensor:
        return apply(_add, self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return apply(_add, other, self)

    def __sub__(self, other: Operand) -> Tensor:
        return apply(_sub, self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return apply(_sub, other, self)

    def __mul__(self, other: Operand) -> Tensor:
        return apply(_mul, self, other)

    def __rmul__(self, other: Operand) -> Tensor:
        return apply(_mul, other, self)

    def __truediv__(self, other: Operand) -> Tensor:
        return apply(_div, self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return apply(_div, other, self)

    def __neg__(self) -> Tensor:
        return apply(_neg, self)

    def __pos__(self) -> Tensor:
        return self._as_tensor()

    def __pow__(self, other: Operand) -> Tensor:
        kind = self._array.dtype.kind
        if type(other) is int and other == 2 and kind != "b":
            return apply(REGISTRY["square"], self)
        if type(other) is float and kind == "f" and other in (2.0, 0.5):
            return apply(REGISTRY["square" if other == 2 else "sqrt"], self)
        return apply(_pow, self, other)

    def __rpow__(self, other: Operand) -> Tensor:
        return apply(_pow, other, self)

    def __abs__(self) -> Tensor:
        return apply(REGISTRY["abs"], self)

    def __mod__(self, other: Operand) -> Tensor:
        return apply(REGISTRY["remainder"], self, other)

    def __floordiv__(self, other: Operand) -> Tensor:
        return apply(REGISTRY["floor_divide"], self, other)

    def __rfloordiv__(self, other: Operand) -> Tensor:
        return apply(REGISTRY["floor_divide"], other, self)

    def __rmod__(self, other: Operand) -> Tensor:
        return apply(REGISTRY["remainder"], other, self)

    def add(self, other: Operand, *, alpha: float = 1) -> Tensor:
        """Return self + alpha · other; shapes broadcast.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).add(sg.tensor([[10.0], [20.0]]), alpha=2)
        tensor([[21., 22.],
                [41., 42.]])
        """
        return apply(_add, self, other if alpha == 1 else apply(_mul, other, alpha))

    def sub(self, other: Operand, *, alpha: float = 1) -> Tensor:
        """Return self − alpha · other.

        >>> import stepgrad as sg
        >>> sg.tensor([5.0, 6.0]).sub(sg.tensor([1.0, 2.0]), alpha=2)
        tensor([3., 2.])
        """
        return apply(_sub, self, other if alpha == 1 else apply(_mul, other, alpha))

    def mul(self, other: Operand) -> Tensor:
        """Return self · other, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).mul(sg.tensor([[3.0], [4.0]]))
        tensor([[3., 6.],
                [4., 8.]])
        """
        return apply(_mul, self, other)

    def div(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
        """Return self / other, a floating point number also of integers; `rounding_mode` "floor" or "trunc"
        rounds the quotient.

        >>> import stepgrad as sg
        >>> x = sg.tensor([7, -7])
        >>> x / 2, x.div(2, rounding_mode="floor"), x.div(2, rounding_mode="trunc")
        (tensor([ 3.5000, -3.5000]), tensor([ 3, -4]), tensor([ 3, -3]))
        """
        if rounding_mode is None:
            return apply(_div, self, other)
        if rounding_mode not in ("floor", "trunc"):
            raise ArgumentError(f"rounding_mode is None, 'floor' or 'trunc', not {rounding_mode!r}.")
        return apply(REGISTRY[f"{rounding_mode}_divide"], self, other)

    def floor_divide(self, other: Operand) -> Tensor:
        """Return ⌊self / other⌋, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([7, -7]).floor_divide(2)
        tensor([ 3, -4])
        """
        return apply(REGISTRY["floor_divide"], self, other)

    def pow(self, exponent: Operand) -> Tensor:
        """Return self to the power of `exponent`.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0, 3.0]).pow(2)
        tensor([1., 4., 9.])
        """
        return self**exponent

    def neg(self) -> Tensor:
        """Return −x.

        >>> import stepgrad as sg
        >>> sg.tensor([-1.0, 2.0]).neg()
        tensor([ 1., -2.])
        """
        return apply(REGISTRY["neg"], self)

    def abs(self) -> Tensor:
        """Return |x|.

        >>> import stepgrad as sg
        >>> sg.tensor([-1.5, 2.0]).abs()
        tensor([1.5000, 2.0000])
        """
        return apply(REGISTRY["abs"], self)

    def sign(self) -> Tensor:
        """Return −1, 0 or 1.

        >>> import stepgrad as sg
        >>> sg.tensor([-2.5, 0.0, 4.0]).sign()
        tensor([-1.,  0.,  1.])
        """
        if self._array.dtype.kind == "b":
            return self._as_tensor().clone()
        return apply(REGISTRY["sign"], self)

    def exp(self) -> Tensor:
        """Return eˣ.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1.0]).exp()
        tensor([1.0000, 2.7183])
        """
        return apply(REGISTRY["exp"], self)

    def expm1(self) -> Tensor:
        """Return eˣ − 1, exact near 0.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1e-10]).expm1()
        tensor([0.0000e+00, 1.0000e-10])
        """
        return apply(REGISTRY["expm1"], self)

    def log(self) -> Tensor:
        """Return the natural logarithm; −inf at 0, nan below.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.718282, 0.0]).log()
        tensor([0.0000, 1.0000,   -inf])
        """
        return apply(REGISTRY["log"], self)

    def log1p(self) -> Tensor:
        """Return ln(1 + x), exact near 0.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1e-10]).log1p()
        tensor([0.0000e+00, 1.0000e-10])
        """
        return apply(REGISTRY["log1p"], self)

    def sqrt(self) -> Tensor:
        """Return √x; nan below 0.

        >>> import stepgrad as sg
        >>> sg.tensor([4.0, 2.0, -1.0]).sqrt()
        tensor([2.0000, 1.4142,    nan])
        """
        return apply(REGISTRY["sqrt"], self)

    def rsqrt(self) -> Tensor:
        """Return 1 / √x.

        >>> import stepgrad as sg
        >>> sg.tensor([4.0, 0.25]).rsqrt()
        tensor([0.5000, 2.0000])
        """
        return apply(REGISTRY["rsqrt"], self)

    def square(self) -> Tensor:
        """Return x².

        >>> import stepgrad as sg
        >>> sg.tensor([-3.0, 0.5]).square()
        tensor([9.0000, 0.2500])
        """
        return self**2

    def reciprocal(self) -> Tensor:
        """Return 1 / x.

        >>> import stepgrad as sg
        >>> sg.tensor([4.0, 0.5]).reciprocal()
        tensor([0.2500, 2.0000])
        """
        return apply(REGISTRY["reciprocal"], self)

    def sin(self) -> Tensor:
        """Return sin x, x in radians.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1.5708]).sin()
        tensor([0., 1.])
        """
        return apply(REGISTRY["sin"], self)

    def cos(self) -> Tensor:
        """Return cos x, x in radians.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 3.1416]).cos()
        tensor([ 1., -1.])
        """
        return apply(REGISTRY["cos"], self)

    def tanh(self) -> Tensor:
        """Return the hyperbolic tangent.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 0.5, 5.0]).tanh()
        tensor([0.0000, 0.4621, 0.9999])
        """
        return apply(REGISTRY["tanh"], self)

    def erf(self) -> Tensor:
        """Return the error function.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 0.5, 5.0]).erf()
        tensor([0.0000, 0.5205, 1.0000])
        """
        return apply(REGISTRY["erf"], self)

    def sigmoid(self) -> Tensor:
        """Return 1 / (1 + e⁻ˣ).

        >>> import stepgrad as sg
        >>> sg.tensor([-1.0, 0.0, 1.0]).sigmoid()
        tensor([0.2689, 0.5000, 0.7311])
        """
        return apply(REGISTRY["sigmoid"], self)

    def relu(self) -> Tensor:
        """Return max(x, 0).

        >>> import stepgrad as sg
        >>> sg.tensor([-1.0, 0.0, 2.0]).relu()
        tensor([0., 0., 2.])
        """
        return apply(REGISTRY["relu"], self)

    def floor(self) -> Tensor:
        """Return the largest integer not above x.

        >>> import stepgrad as sg
        >>> sg.tensor([1.7, -1.7]).floor()
        tensor([ 1., -2.])
        """
        return apply(REGISTRY["floor"], self)

    def ceil(self) -> Tensor:
        """Return the smallest integer not below x.

        >>> import stepgrad as sg
        >>> sg.tensor([1.2, -1.2]).ceil()
        tensor([ 2., -1.])
        """
        return apply(REGISTRY["ceil"], self)

    def trunc(self) -> Tensor:
        """Return x without its fraction.

        >>> import stepgrad as sg
        >>> sg.tensor([1.7, -1.7]).trunc()
        tensor([ 1., -1.])
        """
        return apply(REGISTRY["trunc"], self)

    def maximum(self, other: Operand) -> Tensor:
        """Return the larger of the two; NaN wins, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 5.0]).maximum(sg.tensor([2.0, 4.0]))
        tensor([2., 5.])
        """
        return apply(REGISTRY["maximum"], self, other)

    def minimum(self, other: Operand) -> Tensor:
        """Return the smaller of the two; NaN wins, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 5.0]).minimum(sg.tensor([2.0, 4.0]))
        tensor([1., 4.])
        """
        return apply(REGISTRY["minimum"], self, other)

    def remainder(self, other: Operand) -> Tensor:
        """Return what is left of self / other, with the sign of other, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([7, -7]).remainder(3)
        tensor([1, 2])
        """
        return apply(REGISTRY["remainder"], self, other)

    def round(self, *, decimals: int = 0) -> Tensor:
        """Return the nearest integers, halves to even; or the nearest multiples of 10 to the −decimals.

        >>> import stepgrad as sg
        >>> sg.tensor([0.5, 1.5, 2.345]).round(), sg.tensor([2.345]).round(decimals=1)
        (tensor([0., 2., 2.]), tensor([2.3000]))
        """
        if not decimals:
            return apply(REGISTRY["round"], self)
        return apply(_div, apply(REGISTRY["round"], apply(_mul, self, 10.0**decimals)), 10.0**decimals)

    def clamp(self, min: Operand = None, max: Operand = None) -> Tensor:
        """Return x, but not below `min` and not above `max`: numbers, tensors or None.

        >>> import stepgrad as sg
        >>> sg.tensor([-2.0, 0.5, 3.0]).clamp(0, 1)
        tensor([0.0000, 0.5000, 1.0000])
        """
        bounds = [b for b in (min, max) if b is not None]
        if not bounds:
            raise ArgumentError("clamp needs min, max or both.")
        x = self._as_tensor()
        if all(isinstance(b, (int, float)) for b in bounds):
            x = x.to(dtypes.result_type([self._array, *bounds]))
            return apply(REGISTRY["clamp"], x, low=min, high=max)
        x = x if min is None else _bounded(x, min, x < min)
        return x if max is None else _bounded(x, max, x > max)

    clip = clamp
    absolute, negative, fix = abs, neg, trunc
    subtract, multiply, divide, true_divide = sub, mul, div, div

    def where(self, condition: Tensor, other: Operand) -> Tensor:
        """Return self where `condition` holds, else `other`.

        >>> import stepgrad as sg
        >>> x = sg.tensor([-2.0, 3.0])
        >>> x.where(x > 0, 0.0)
        tensor([0., 3.])
        """
        return apply(REGISTRY["where"], condition, self, other)

    def masked_fill(self, mask: Tensor, value: float) -> Tensor:
        """Return self, in its dtype, with `value` where `mask` (boolean, of a shape that broadcasts) holds.

        >>> import stepgrad as sg
        >>> x = sg.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> x.masked_fill(sg.tensor([True, False]), 0.0)
        tensor([[0., 2.],
                [0., 4.]])
        """
        return apply(REGISTRY["where"], mask, self._filling(value), self)


def _bounded(x: Tensor, bound: Operand, beyond: Tensor) -> Tensor:
    """Return the bound where x is beyond it; NaN, of no gradient, where one of two tensors is NaN."""
    where, isnan = REGISTRY["where"], REGISTRY["isnan"]
    y = apply(where, beyond, bound, x)
    if not isinstance(bound, TensorBase) or not y.is_floating_point():
        return y
    return apply(where, apply(isnan, x) | apply(isnan, bound), float("nan"), y)
