"""Methods that compute functions of each element: trigonometry, logarithms, special functions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from stepgrad.arrays import dtypes
from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, DtypeError
from stepgrad.methods.base import Operand, TensorBase
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor


class MathematicsMethods(TensorBase):
    """Element by element; integers become the default floating point type where the result is real."""

    def tan(self) -> Tensor:
        """Return tan x, x in radians.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 0.7854]).tan()
        tensor([0.0000, 1.0000])
        """
        return apply(REGISTRY["tan"], self)

    def asin(self) -> Tensor:
        """Return the angle in [−π/2, π/2] whose sine is x; nan outside [−1, 1].

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1.0, 2.0]).asin()
        tensor([0.0000, 1.5708,    nan])
        """
        return apply(REGISTRY["asin"], self)

    def acos(self) -> Tensor:
        """Return the angle in [0, π] whose cosine is x; nan outside [−1, 1].

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 0.0, -1.0]).acos()
        tensor([0.0000, 1.5708, 3.1416])
        """
        return apply(REGISTRY["acos"], self)

    def atan(self) -> Tensor:
        """Return the angle in (−π/2, π/2) whose tangent is x.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1.0]).atan()
        tensor([0.0000, 0.7854])
        """
        return apply(REGISTRY["atan"], self)

    def sinh(self) -> Tensor:
        """Return the hyperbolic sine.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1.0]).sinh()
        tensor([0.0000, 1.1752])
        """
        return apply(REGISTRY["sinh"], self)

    def cosh(self) -> Tensor:
        """Return the hyperbolic cosine.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1.0]).cosh()
        tensor([1.0000, 1.5431])
        """
        return apply(REGISTRY["cosh"], self)

    def asinh(self) -> Tensor:
        """Return the inverse of sinh.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1.0]).asinh()
        tensor([0.0000, 0.8814])
        """
        return apply(REGISTRY["asinh"], self)

    def acosh(self) -> Tensor:
        """Return the inverse of cosh; nan below 1.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0, 0.5]).acosh()
        tensor([0.0000, 1.3170,    nan])
        """
        return apply(REGISTRY["acosh"], self)

    def atanh(self) -> Tensor:
        """Return the inverse of tanh; ±inf at ±1, nan beyond.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 0.5, 1.0]).atanh()
        tensor([0.0000, 0.5493,    inf])
        """
        return apply(REGISTRY["atanh"], self)

    def sinc(self) -> Tensor:
        """Return sin(πx) / (πx), 1 at 0.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 0.5, 1.5]).sinc()
        tensor([ 1.0000,  0.6366, -0.2122])
        """
        return apply(REGISTRY["sinc"], self)

    def exp2(self) -> Tensor:
        """Return 2ˣ.

        >>> import stepgrad as sg
        >>> sg.tensor([-1.0, 0.0, 3.0]).exp2()
        tensor([0.5000, 1.0000, 8.0000])
        """
        return apply(REGISTRY["exp2"], self)

    def log2(self) -> Tensor:
        """Return the logarithm to base 2.

        >>> import stepgrad as sg
        >>> sg.tensor([0.5, 1.0, 8.0]).log2()
        tensor([-1.,  0.,  3.])
        """
        return apply(REGISTRY["log2"], self)

    def log10(self) -> Tensor:
        """Return the logarithm to base 10.

        >>> import stepgrad as sg
        >>> sg.tensor([0.1, 1.0, 1000.0]).log10()
        tensor([-1.0000,  0.0000,  3.0000])
        """
        return apply(REGISTRY["log10"], self)

    def erfc(self) -> Tensor:
        """Return 1 − erf x, exact also where erf x is near 1.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1.0, 5.0]).erfc()
        tensor([1.0000e+00, 1.5730e-01, 1.5375e-12])
        """
        return apply(REGISTRY["erfc"], self)

    def erfinv(self) -> Tensor:
        """Return the number whose erf is x; ±inf at ±1, nan beyond.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 0.5, 1.0]).erfinv()
        tensor([0.0000, 0.4769,    inf])
        """
        return apply(REGISTRY["erfinv"], self)

    def lgamma(self) -> Tensor:
        """Return ln |Γ(x)|.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 5.0, 0.5]).lgamma()
        tensor([0.0000, 3.1781, 0.5724])
        """
        return apply(REGISTRY["lgamma"], self)

    def digamma(self) -> Tensor:
        """Return Γ'(x) / Γ(x).

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).digamma()
        tensor([-0.5772,  0.4228])
        """
        return apply(REGISTRY["digamma"], self)

    def i0(self) -> Tensor:
        """Return the modified Bessel function of the first kind, of order 0.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1.0]).i0()
        tensor([1.0000, 1.2661])
        """
        return apply(REGISTRY["i0"], self)

    def signbit(self) -> Tensor:
        """Return whether the sign is set, also that of −0.

        >>> import stepgrad as sg
        >>> sg.tensor([-1.0, -0.0, 0.0, 2.0]).signbit()
        tensor([ True,  True, False, False])
        """
        return apply(REGISTRY["signbit"], self)

    def frac(self) -> Tensor:
        """Return x without its whole part, with its sign.

        >>> import stepgrad as sg
        >>> sg.tensor([2.25, -2.25]).frac()
        tensor([ 0.2500, -0.2500])
        """
        return apply(REGISTRY["frac"], self)

    def atan2(self, other: Operand) -> Tensor:
        """Return the angle in (−π, π] of the point (other, self).

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, -1.0]).atan2(sg.tensor([1.0, -1.0]))
        tensor([ 0.7854, -2.3562])
        """
        return apply(REGISTRY["atan2"], self, other)

    def hypot(self, other: Operand) -> Tensor:
        """Return √(self² + other²), without overflow.

        >>> import stepgrad as sg
        >>> sg.tensor([3.0, 3e38]).hypot(sg.tensor([4.0, 0.0]))
        tensor([5.0000e+00, 3.0000e+38])
        """
        return apply(REGISTRY["hypot"], self, other)

    def logaddexp(self, other: Operand) -> Tensor:
        """Return ln(e^self + e^other), without overflow.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1000.0]).logaddexp(sg.tensor([0.0, 1000.0]))
        tensor([6.9315e-01, 1.0007e+03])
        """
        return apply(REGISTRY["logaddexp"], self, other)

    def logaddexp2(self, other: Operand) -> Tensor:
        """Return ld(2^self + 2^other), without overflow.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 3.0]).logaddexp2(sg.tensor([0.0, 3.0]))
        tensor([1., 4.])
        """
        return apply(REGISTRY["logaddexp2"], self, other)

    def xlogy(self, other: Operand) -> Tensor:
        """Return self · ln other, 0 where self is 0.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 2.0]).xlogy(sg.tensor([0.0, 2.718282]))
        tensor([0.0000, 2.0000])
        """
        return apply(REGISTRY["xlogy"], self, other)

    def fmax(self, other: Operand) -> Tensor:
        """Return the larger of the two; a number beside NaN wins.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, float("nan")]).fmax(sg.tensor([2.0, 3.0]))
        tensor([2., 3.])
        """
        return apply(REGISTRY["fmax"], self, other)

    def fmin(self, other: Operand) -> Tensor:
        """Return the smaller of the two; a number beside NaN wins.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, float("nan")]).fmin(sg.tensor([2.0, 3.0]))
        tensor([1., 3.])
        """
        return apply(REGISTRY["fmin"], self, other)

    def copysign(self, other: Operand) -> Tensor:
        """Return |self| with the sign of other.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, -2.0]).copysign(sg.tensor([-0.0, 5.0]))
        tensor([-1.,  2.])
        """
        return apply(REGISTRY["copysign"], self, other)

    def fmod(self, other: Operand) -> Tensor:
        """Return what is left of self / other, with the sign of self.

        >>> import stepgrad as sg
        >>> sg.tensor([7.0, -7.0]).fmod(3)
        tensor([ 1., -1.])
        """
        return apply(REGISTRY["fmod"], self, other)

    def logit(self, eps: float | None = None) -> Tensor:
        """Return ln(x / (1 − x)), of x brought into [eps, 1 − eps] if `eps` is given.

        >>> import stepgrad as sg
        >>> sg.tensor([0.5, 0.9]).logit()
        tensor([0.0000, 2.1972])
        """
        return apply(REGISTRY["logit"], self, eps=eps)

    def polygamma(self, n: int) -> Tensor:
        """Return the n-th derivative of `digamma`, n ≥ 0.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).polygamma(1)
        tensor([1.6449, 0.6449])
        """
        if n < 0:
            raise ArgumentError(f"polygamma takes the number of a derivative, 0, 1, 2 …, not {n}.")
        return apply(REGISTRY["polygamma"], n, self) if n else self.digamma()

    def mvlgamma(self, p: int) -> Tensor:
        """Return the logarithm of the multivariate gamma function of dimension p; x > (p − 1) / 2.

        >>> import stepgrad as sg
        >>> sg.tensor([3.0, 4.0]).mvlgamma(2)
        tensor([1.5502, 3.5651])
        """
        if p < 1:
            raise ArgumentError(f"mvlgamma takes a dimension of at least 1, not {p}.")
        x = self._as_tensor()
        total = (x.double() if x.dtype is dtypes.float64 else x).lgamma()
        for j in range(1, p):
            total = total + (x - j / 2).lgamma()
        return total + p * (p - 1) / 4 * math.log(math.pi)

    def deg2rad(self) -> Tensor:
        """Return degrees in radians.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 90.0, 180.0]).deg2rad()
        tensor([0.0000, 1.5708, 3.1416])
        """
        return apply(REGISTRY["mul"], self, math.pi / 180)

    def rad2deg(self) -> Tensor:
        """Return radians in degrees.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1.5708]).rad2deg()
        tensor([ 0.0000, 90.0002])
        """
        return apply(REGISTRY["mul"], self, 180 / math.pi)

    def nan_to_num(
        self, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
    ) -> Tensor:
        """Return x with `nan` (0) for NaN, and for infinities the largest numbers, or those given.

        >>> import stepgrad as sg
        >>> sg.tensor([float("nan"), float("inf"), 1.0]).nan_to_num(posinf=100.0)
        tensor([  0., 100.,   1.])
        """
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
        """Return −1, 0 or 1, as `sign` does.

        >>> import stepgrad as sg
        >>> sg.tensor([-2.5, 0.0, 4.0]).sgn()
        tensor([-1.,  0.,  1.])
        """
        return apply(REGISTRY["sign"], self)

    def positive(self) -> Tensor:
        """Return the tensor itself. Raises `DtypeError` for booleans.

        >>> import stepgrad as sg
        >>> sg.tensor([-1.0, 2.0]).positive()
        tensor([-1.,  2.])
        """
        if self._array.dtype.kind == "b":
            raise DtypeError("positive takes numbers, not bool.")
        return self._as_tensor()

    def isposinf(self) -> Tensor:
        """Return whether each element is ∞.

        >>> import stepgrad as sg
        >>> sg.tensor([float("inf"), -float("inf"), 1.0]).isposinf()
        tensor([ True, False, False])
        """
        return apply(REGISTRY["eq"], self, math.inf)

    def isneginf(self) -> Tensor:
        """Return whether each element is −∞.

        >>> import stepgrad as sg
        >>> sg.tensor([float("inf"), -float("inf"), 1.0]).isneginf()
        tensor([False,  True, False])
        """
        return apply(REGISTRY["eq"], self, -math.inf)

    def isreal(self) -> Tensor:
        """Return True for each element: stepgrad has real numbers alone.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, float("nan")]).isreal()
        tensor([True, True])
        """
        return apply(REGISTRY["eq"], apply(REGISTRY["isnan"], self), apply(REGISTRY["isnan"], self))

    def heaviside(self, values: Tensor) -> Tensor:
        """Return 0 below 0, 1 above, and `values` at 0.

        >>> import stepgrad as sg
        >>> sg.tensor([-2.0, 0.0, 3.0]).heaviside(sg.tensor(0.5))
        tensor([0.0000, 0.5000, 1.0000])
        """
        x = self._as_tensor()
        step = apply(REGISTRY["where"], x == 0, values, (x > 0).to(x.dtype))
        return apply(REGISTRY["where"], x.isnan(), 0, step)

    def ldexp(self, other: Operand) -> Tensor:
        """Return self · 2^other.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 3.0]).ldexp(sg.tensor([2, -1]))
        tensor([4.0000, 1.5000])
        """
        return apply(REGISTRY["mul"], self, apply(REGISTRY["exp2"], other))

    def float_power(self, exponent: Operand) -> Tensor:
        """Return self to the power of `exponent`, both in float64.

        >>> import stepgrad as sg
        >>> sg.tensor([2, 3]).float_power(2)
        tensor([4., 9.], dtype=stepgrad.float64)
        """
        return apply(REGISTRY["pow"], _double(self), _double(exponent))

    def lerp(self, end: Tensor, weight: Operand) -> Tensor:
        """Return self + weight · (end − self).

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 10.0]).lerp(sg.tensor([1.0, 20.0]), 0.25)
        tensor([ 0.2500, 12.5000])
        """
        return apply(REGISTRY["lerp"], self, end, weight)

    def addcmul(self, tensor1: Operand, tensor2: Operand, *, value: float = 1) -> Tensor:
        """Return self + value · tensor1 · tensor2.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 1.0]).addcmul(sg.tensor([2.0, 3.0]), sg.tensor([4.0, 5.0]), value=0.5)
        tensor([5.0000, 8.5000])
        """
        product = apply(REGISTRY["mul"], tensor1, tensor2)
        return self._as_tensor().add(product, alpha=value)

    def addcdiv(self, tensor1: Operand, tensor2: Operand, *, value: float = 1) -> Tensor:
        """Return self + value · tensor1 / tensor2.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 1.0]).addcdiv(sg.tensor([2.0, 3.0]), sg.tensor([4.0, 6.0]), value=2)
        tensor([2., 2.])
        """
        quotient = apply(REGISTRY["div"], tensor1, tensor2)
        return self._as_tensor().add(quotient, alpha=value)

    def rsub(self, other: Operand, *, alpha: float = 1) -> Tensor:
        """Return other − alpha · self.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).rsub(10)
        tensor([9., 8.])
        """
        return apply(REGISTRY["sub"], other, self if alpha == 1 else apply(REGISTRY["mul"], self, alpha))

    def clamp_min(self, min: Operand) -> Tensor:
        """Return x, but not below `min`, a number or a tensor.

        >>> import stepgrad as sg
        >>> sg.tensor([-2.0, 0.5]).clamp_min(0)
        tensor([0.0000, 0.5000])
        """
        return self._as_tensor().clamp(min=min)

    def clamp_max(self, max: Operand) -> Tensor:
        """Return x, but not above `max`, a number or a tensor.

        >>> import stepgrad as sg
        >>> sg.tensor([0.5, 3.0]).clamp_max(1)
        tensor([0.5000, 1.0000])
        """
        return self._as_tensor().clamp(max=max)

    arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
    arcsinh, arccosh, arctanh = asinh, acosh, atanh


def _double(x: Any) -> Any:
    return x._as_tensor().double() if isinstance(x, TensorBase) else float(x)
