"""Methods that compute with each element: arithmetic, functions, comparisons, and their in-place forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

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

    def __invert__(self) -> Tensor:
        return self._as_tensor().bitwise_not()

    def __and__(self, other: Operand) -> Tensor:
        return self._as_tensor().bitwise_and(other)

    def __or__(self, other: Operand) -> Tensor:
        return self._as_tensor().bitwise_or(other)

    def __xor__(self, other: Operand) -> Tensor:
        return self._as_tensor().bitwise_xor(other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __eq__(self, other: Operand) -> Tensor:  # type: ignore[override]
        return apply(REGISTRY["eq"], self, other) if _is_operand(other) else NotImplemented

    def __ne__(self, other: Operand) -> Tensor:  # type: ignore[override]
        return apply(REGISTRY["ne"], self, other) if _is_operand(other) else NotImplemented

    def __lt__(self, other: Operand) -> Tensor:
        return apply(REGISTRY["lt"], self, other)

    def __le__(self, other: Operand) -> Tensor:
        return apply(REGISTRY["le"], self, other)

    def __gt__(self, other: Operand) -> Tensor:
        return apply(REGISTRY["gt"], self, other)

    def __ge__(self, other: Operand) -> Tensor:
        return apply(REGISTRY["ge"], self, other)

    # Two tensors are the same key only if they are the same object, whatever their elements.
    __hash__ = object.__hash__

    def add(self, other: Operand, *, alpha: float = 1) -> Tensor:
        """Return self + alpha · other; shapes broadcast.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).add(sg.tensor([[10.0], [20.0]]), alpha=2)
        tensor([[21., 22.],
                [41., 42.]])
        """
        return apply(_add, self, other if alpha == 1 else apply(_mul, other, alpha))

    def sub(self, other: Operand, *, alpha: float = 1) -> Tensor:
        """Return self − alpha · other."""
        return apply(_sub, self, other if alpha == 1 else apply(_mul, other, alpha))

    def mul(self, other: Operand) -> Tensor:
        """Return self · other, element by element."""
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
        """Return −x."""
        return apply(REGISTRY["neg"], self)

    def abs(self) -> Tensor:
        """Return |x|."""
        return apply(REGISTRY["abs"], self)

    def sign(self) -> Tensor:
        """Return −1, 0 or 1."""
        if self._array.dtype.kind == "b":
            return self._as_tensor().clone()
        return apply(REGISTRY["sign"], self)

    def exp(self) -> Tensor:
        """Return eˣ."""
        return apply(REGISTRY["exp"], self)

    def expm1(self) -> Tensor:
        """Return eˣ − 1, exact near 0."""
        return apply(REGISTRY["expm1"], self)

    def log(self) -> Tensor:
        """Return the natural logarithm; −inf at 0, nan below."""
        return apply(REGISTRY["log"], self)

    def log1p(self) -> Tensor:
        """Return ln(1 + x), exact near 0."""
        return apply(REGISTRY["log1p"], self)

    def sqrt(self) -> Tensor:
        """Return √x; nan below 0."""
        return apply(REGISTRY["sqrt"], self)

    def rsqrt(self) -> Tensor:
        """Return 1 / √x."""
        return apply(REGISTRY["rsqrt"], self)

    def square(self) -> Tensor:
        """Return x²."""
        return self**2

    def reciprocal(self) -> Tensor:
        """Return 1 / x."""
        return apply(REGISTRY["reciprocal"], self)

    def sin(self) -> Tensor:
        """Return sin x, x in radians."""
        return apply(REGISTRY["sin"], self)

    def cos(self) -> Tensor:
        """Return cos x, x in radians."""
        return apply(REGISTRY["cos"], self)

    def tanh(self) -> Tensor:
        """Return the hyperbolic tangent."""
        return apply(REGISTRY["tanh"], self)

    def erf(self) -> Tensor:
        """Return the error function."""
        return apply(REGISTRY["erf"], self)

    def sigmoid(self) -> Tensor:
        """Return 1 / (1 + e⁻ˣ)."""
        return apply(REGISTRY["sigmoid"], self)

    def relu(self) -> Tensor:
        """Return max(x, 0)."""
        return apply(REGISTRY["relu"], self)

    def floor(self) -> Tensor:
        """Return the largest integer not above x."""
        return apply(REGISTRY["floor"], self)

    def ceil(self) -> Tensor:
        """Return the smallest integer not below x."""
        return apply(REGISTRY["ceil"], self)

    def trunc(self) -> Tensor:
        """Return x without its fraction."""
        return apply(REGISTRY["trunc"], self)

    def isnan(self) -> Tensor:
        """Return whether each element is not a number."""
        return apply(REGISTRY["isnan"], self)

    def isinf(self) -> Tensor:
        """Return whether each element is infinite."""
        return apply(REGISTRY["isinf"], self)

    def logical_not(self) -> Tensor:
        """Return whether each element is 0."""
        return apply(REGISTRY["logical_not"], self)

    def maximum(self, other: Operand) -> Tensor:
        """Return the larger of the two; NaN wins, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 5.0]).maximum(sg.tensor([2.0, 4.0]))
        tensor([2., 5.])
        """
        return apply(REGISTRY["maximum"], self, other)

    def minimum(self, other: Operand) -> Tensor:
        """Return the smaller of the two; NaN wins, element by element."""
        return apply(REGISTRY["minimum"], self, other)

    def remainder(self, other: Operand) -> Tensor:
        """Return what is left of self / other, with the sign of other, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([7, -7]).remainder(3)
        tensor([1, 2])
        """
        return apply(REGISTRY["remainder"], self, other)

    def eq(self, other: Operand) -> Tensor:
        """Return whether the elements are equal, element by element."""
        return apply(REGISTRY["eq"], self, other)

    def ne(self, other: Operand) -> Tensor:
        """Return whether the elements differ, element by element."""
        return apply(REGISTRY["ne"], self, other)

    def lt(self, other: Operand) -> Tensor:
        """Return whether self < other, element by element."""
        return apply(REGISTRY["lt"], self, other)

    def le(self, other: Operand) -> Tensor:
        """Return whether self ≤ other, element by element."""
        return apply(REGISTRY["le"], self, other)

    def gt(self, other: Operand) -> Tensor:
        """Return whether self > other, element by element."""
        return apply(REGISTRY["gt"], self, other)

    def ge(self, other: Operand) -> Tensor:
        """Return whether self ≥ other, element by element."""
        return apply(REGISTRY["ge"], self, other)

    def logical_and(self, other: Operand) -> Tensor:
        """Return whether both differ from 0, element by element."""
        return apply(REGISTRY["logical_and"], self, other)

    def logical_or(self, other: Operand) -> Tensor:
        """Return whether one differs from 0, element by element."""
        return apply(REGISTRY["logical_or"], self, other)

    def logical_xor(self, other: Operand) -> Tensor:
        """Return whether exactly one differs from 0, element by element."""
        return apply(REGISTRY["logical_xor"], self, other)

    def isfinite(self) -> Tensor:
        """Return whether each element is neither infinite nor NaN."""
        return apply(REGISTRY["logical_not"], apply(REGISTRY["logical_or"], self.isnan(), self.isinf()))

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
    greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne

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

    def isclose(
        self, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
    ) -> Tensor:
        """Return whether |self − other| ≤ atol + rtol |other|, or both are the same infinity.

        NaN is close to NaN with `equal_nan` alone.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).isclose(sg.tensor([1.0 + 1e-7, 2.1]))
        tensor([ True, False])
        """
        near = (self - other).abs() <= atol + rtol * other.abs()
        close = (near & other.isfinite()) | (self == other)
        return close | (self.isnan() & other.isnan()) if equal_nan else close

    def allclose(
        self, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
    ) -> bool:
        """Return whether all elements are close, as `isclose` tells.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).allclose(sg.tensor([1.0 + 1e-7]))
        True
        """
        return bool(self.isclose(other, rtol, atol, equal_nan).all())

    def equal(self, other: Tensor) -> bool:
        """Return whether shape and all elements are the same.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).equal(sg.tensor([1, 2])), sg.tensor([1, 2]).equal(sg.tensor([1]))
        (True, False)
        """
        return self._array.shape == other._array.shape and bool((self == other).all())


def _bounded(x: Tensor, bound: Operand, beyond: Tensor) -> Tensor:
    """Return the bound where x is beyond it; NaN, of no gradient, where one of two tensors is NaN."""
    where, isnan = REGISTRY["where"], REGISTRY["isnan"]
    y = apply(where, beyond, bound, x)
    if not isinstance(bound, TensorBase) or not y.is_floating_point():
        return y
    return apply(where, apply(isnan, x) | apply(isnan, bound), float("nan"), y)


def _is_operand(x: Any) -> bool:
    return isinstance(x, (TensorBase, bool, int, float, numpy.ndarray, numpy.generic))
