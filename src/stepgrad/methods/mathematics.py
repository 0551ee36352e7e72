"""Methods that compute functions of each element: trigonometry, logarithms, special functions, bits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, DtypeError
from stepgrad.methods.base import Operand, TensorBase
from stepgrad.methods.ordering import readable
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor


class MathematicsMethods(TensorBase):
    """Element by element; integers become the default floating point type where the result is real."""

    def tan(self) -> Tensor:
        """Return tan x, x in radians."""
        return apply(REGISTRY["tan"], self)

    def asin(self) -> Tensor:
        """Return the angle in [−π/2, π/2] whose sine is x; nan outside [−1, 1]."""
        return apply(REGISTRY["asin"], self)

    def acos(self) -> Tensor:
        """Return the angle in [0, π] whose cosine is x; nan outside [−1, 1]."""
        return apply(REGISTRY["acos"], self)

    def atan(self) -> Tensor:
        """Return the angle in (−π/2, π/2) whose tangent is x."""
        return apply(REGISTRY["atan"], self)

    def sinh(self) -> Tensor:
        """Return the hyperbolic sine."""
        return apply(REGISTRY["sinh"], self)

    def cosh(self) -> Tensor:
        """Return the hyperbolic cosine."""
        return apply(REGISTRY["cosh"], self)

    def asinh(self) -> Tensor:
        """Return the inverse of sinh."""
        return apply(REGISTRY["asinh"], self)

    def acosh(self) -> Tensor:
        """Return the inverse of cosh; nan below 1."""
        return apply(REGISTRY["acosh"], self)

    def atanh(self) -> Tensor:
        """Return the inverse of tanh; ±inf at ±1, nan beyond."""
        return apply(REGISTRY["atanh"], self)

    def sinc(self) -> Tensor:
        """Return sin(πx) / (πx), 1 at 0."""
        return apply(REGISTRY["sinc"], self)

    def exp2(self) -> Tensor:
        """Return 2ˣ."""
        return apply(REGISTRY["exp2"], self)

    def log2(self) -> Tensor:
        """Return the logarithm to base 2."""
        return apply(REGISTRY["log2"], self)

    def log10(self) -> Tensor:
        """Return the logarithm to base 10."""
        return apply(REGISTRY["log10"], self)

    def erfc(self) -> Tensor:
        """Return 1 − erf x, exact also where erf x is near 1."""
        return apply(REGISTRY["erfc"], self)

    def erfinv(self) -> Tensor:
        """Return the number whose erf is x; ±inf at ±1, nan beyond."""
        return apply(REGISTRY["erfinv"], self)

    def lgamma(self) -> Tensor:
        """Return ln |Γ(x)|."""
        return apply(REGISTRY["lgamma"], self)

    def digamma(self) -> Tensor:
        """Return Γ'(x) / Γ(x)."""
        return apply(REGISTRY["digamma"], self)

    def i0(self) -> Tensor:
        """Return the modified Bessel function of the first kind, of order 0."""
        return apply(REGISTRY["i0"], self)

    def signbit(self) -> Tensor:
        """Return whether the sign is set, also that of −0."""
        return apply(REGISTRY["signbit"], self)

    def frac(self) -> Tensor:
        """Return x without its whole part, with its sign."""
        return apply(REGISTRY["frac"], self)

    def atan2(self, other: Operand) -> Tensor:
        """Return the angle in (−π, π] of the point (other, self)."""
        return apply(REGISTRY["atan2"], self, other)

    def hypot(self, other: Operand) -> Tensor:
        """Return √(self² + other²), without overflow."""
        return apply(REGISTRY["hypot"], self, other)

    def logaddexp(self, other: Operand) -> Tensor:
        """Return ln(e^self + e^other), without overflow."""
        return apply(REGISTRY["logaddexp"], self, other)

    def logaddexp2(self, other: Operand) -> Tensor:
        """Return ld(2^self + 2^other), without overflow."""
        return apply(REGISTRY["logaddexp2"], self, other)

    def xlogy(self, other: Operand) -> Tensor:
        """Return self · ln other, 0 where self is 0."""
        return apply(REGISTRY["xlogy"], self, other)

    def fmax(self, other: Operand) -> Tensor:
        """Return the larger of the two; a number beside NaN wins."""
        return apply(REGISTRY["fmax"], self, other)

    def fmin(self, other: Operand) -> Tensor:
        """Return the smaller of the two; a number beside NaN wins."""
        return apply(REGISTRY["fmin"], self, other)

    def copysign(self, other: Operand) -> Tensor:
        """Return |self| with the sign of other."""
        return apply(REGISTRY["copysign"], self, other)

    def fmod(self, other: Operand) -> Tensor:
        """Return what is left of self / other, with the sign of self."""
        return apply(REGISTRY["fmod"], self, other)

    def logit(self, eps: float | None = None) -> Tensor:
        """Return ln(x / (1 − x)), of x brought into [eps, 1 − eps] if `eps` is given."""
        return apply(REGISTRY["logit"], self, eps=eps)

    def polygamma(self, n: int) -> Tensor:
        """Return the n-th derivative of `digamma`, n ≥ 0."""
        if n < 0:
            raise ArgumentError(f"polygamma takes the number of a derivative, 0, 1, 2 …, not {n}.")
        return apply(REGISTRY["polygamma"], n, self) if n else self.digamma()

    def mvlgamma(self, p: int) -> Tensor:
        """Return the logarithm of the multivariate gamma function of dimension p; x > (p − 1) / 2."""
        if p < 1:
            raise ArgumentError(f"mvlgamma takes a dimension of at least 1, not {p}.")
        x = self._as_tensor()
        total = (x.double() if x.dtype is dtypes.float64 else x).lgamma()
        for j in range(1, p):
            total = total + (x - j / 2).lgamma()
        return total + p * (p - 1) / 4 * math.log(math.pi)

    def deg2rad(self) -> Tensor:
        """Return degrees in radians."""
        return apply(REGISTRY["mul"], self, math.pi / 180)

    def rad2deg(self) -> Tensor:
        """Return radians in degrees."""
        return apply(REGISTRY["mul"], self, 180 / math.pi)

    def nan_to_num(
        self, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
    ) -> Tensor:
        """Return x with `nan` (0) for NaN, and for infinities the largest numbers, or those given."""
        x = self._as_tensor()
        if not x.is_floating_point():
            return x.clone()
        largest = float(dtypes.largest(x.dtype))
        return apply(
            REGISTRY["nan_to_num"],
            x,
            nan=0.0 if nan is None else float(nan),
            posinf=largest if posinf is None else float(posinf),
            neginf=-largest if neginf is None else float(neginf),
        )

    def sgn(self) -> Tensor:
        """Return −1, 0 or 1, as `sign` does."""
        return apply(REGISTRY["sign"], self)

    def positive(self) -> Tensor:
        """Return the tensor itself. Raises `DtypeError` for booleans."""
        if self._array.dtype.kind == "b":
            raise DtypeError("positive takes numbers, not bool.")
        return self._as_tensor()

    def isposinf(self) -> Tensor:
        """Return whether each element is ∞."""
        return apply(REGISTRY["eq"], self, math.inf)

    def isneginf(self) -> Tensor:
        """Return whether each element is −∞."""
        return apply(REGISTRY["eq"], self, -math.inf)

    def isreal(self) -> Tensor:
        """Return True for each element: stepgrad has real numbers alone."""
        return apply(REGISTRY["eq"], apply(REGISTRY["isnan"], self), apply(REGISTRY["isnan"], self))

    def heaviside(self, values: Tensor) -> Tensor:
        """Return 0 below 0, 1 above, and `values` at 0."""
        x = self._as_tensor()
        step = apply(REGISTRY["where"], x == 0, values, (x > 0).to(x.dtype))
        return apply(REGISTRY["where"], x.isnan(), 0, step)

    def ldexp(self, other: Operand) -> Tensor:
        """Return self · 2^other."""
        return apply(REGISTRY["mul"], self, apply(REGISTRY["exp2"], other))

    def float_power(self, exponent: Operand) -> Tensor:
        """Return self to the power of `exponent`, both in float64."""
        return apply(REGISTRY["pow"], _double(self), _double(exponent))

    def lerp(self, end: Tensor, weight: Operand) -> Tensor:
        """Return self + weight · (end − self)."""
        return apply(REGISTRY["lerp"], self, end, weight)

    def addcmul(self, tensor1: Operand, tensor2: Operand, *, value: float = 1) -> Tensor:
        """Return self + value · tensor1 · tensor2."""
        product = apply(REGISTRY["mul"], tensor1, tensor2)
        return self._as_tensor().add(product, alpha=value)

    def addcdiv(self, tensor1: Operand, tensor2: Operand, *, value: float = 1) -> Tensor:
        """Return self + value · tensor1 / tensor2."""
        quotient = apply(REGISTRY["div"], tensor1, tensor2)
        return self._as_tensor().add(quotient, alpha=value)

    def rsub(self, other: Operand, *, alpha: float = 1) -> Tensor:
        """Return other − alpha · self."""
        return apply(REGISTRY["sub"], other, self if alpha == 1 else apply(REGISTRY["mul"], self, alpha))

    def clamp_min(self, min: Operand) -> Tensor:
        """Return x, but not below `min`, a number or a tensor."""
        return self._as_tensor().clamp(min=min)

    def clamp_max(self, max: Operand) -> Tensor:
        """Return x, but not above `max`, a number or a tensor."""
        return self._as_tensor().clamp(max=max)

    def gcd(self, other: Tensor) -> Tensor:
        """Return the greatest common divisors of integers, element by element."""
        return type(self._as_tensor())._of(numpy.gcd(readable(self), readable(other)))

    def lcm(self, other: Tensor) -> Tensor:
        """Return the least common multiples of integers, element by element."""
        return type(self._as_tensor())._of(numpy.lcm(readable(self), readable(other)))

    # ------------------------------------------------------------------------------- bit by bit

    def bitwise_and(self, other: Operand) -> Tensor:
        """Return the bits that both have, of integers or booleans."""
        return apply(REGISTRY["bitwise_and"], *_bits("bitwise_and", self, other))

    def bitwise_or(self, other: Operand) -> Tensor:
        """Return the bits that one of them has, of integers or booleans."""
        return apply(REGISTRY["bitwise_or"], *_bits("bitwise_or", self, other))

    def bitwise_xor(self, other: Operand) -> Tensor:
        """Return the bits that exactly one has, of integers or booleans."""
        return apply(REGISTRY["bitwise_xor"], *_bits("bitwise_xor", self, other))

    def bitwise_not(self) -> Tensor:
        """Return every bit the other way: −1 − x, of booleans the other."""
        name = "logical_not" if self._array.dtype.kind == "b" else "bitwise_not"
        return apply(REGISTRY[name], *_bits("bitwise_not", self))

    def bitwise_left_shift(self, other: Operand) -> Tensor:
        """Return self · 2^other of integers, the bits moved up."""
        return apply(REGISTRY["bitwise_left_shift"], *_bits("bitwise_left_shift", self, other))

    def bitwise_right_shift(self, other: Operand) -> Tensor:
        """Return ⌊self / 2^other⌋ of integers, the bits moved down."""
        return apply(REGISTRY["bitwise_right_shift"], *_bits("bitwise_right_shift", self, other))

    def __rshift__(self, other: Operand) -> Tensor:
        return self.bitwise_right_shift(other)

    def __lshift__(self, other: Operand) -> Tensor:
        return self.bitwise_left_shift(other)

    arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
    arcsinh, arccosh, arctanh = asinh, acosh, atanh


def _double(x: Any) -> Any:
    return x._as_tensor().double() if isinstance(x, TensorBase) else float(x)


def _bits(name: str, *operands: Any) -> tuple[Any, ...]:
    for x in operands:
        if (x._array.dtype.kind if isinstance(x, TensorBase) else type(x).__name__[0]) == "f":
            raise ArgumentError(
                f"{name} takes boolean tensors, such as (x > 0) & (x < 1); mind the parentheses. It takes "
                f"integers too, but no floating point numbers."
            )
    return operands
