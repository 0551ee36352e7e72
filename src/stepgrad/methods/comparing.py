"""Methods that ask of each element: comparisons, what is infinite or no number, and what is true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.autograd.engine import apply
from stepgrad.methods.base import Operand, TensorBase
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor


class ComparingMethods(TensorBase):
    """Element by element, with boolean results; two operands broadcast, and their dtypes promote."""

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

    def isnan(self) -> Tensor:
        """Return whether each element is not a number.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, float("nan")]).isnan()
        tensor([False,  True])
        """
        return apply(REGISTRY["isnan"], self)

    def isinf(self) -> Tensor:
        """Return whether each element is infinite.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, -float("inf")]).isinf()
        tensor([False,  True])
        """
        return apply(REGISTRY["isinf"], self)

    def isfinite(self) -> Tensor:
        """Return whether each element is neither infinite nor NaN.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, float("inf"), float("nan")]).isfinite()
        tensor([ True, False, False])
        """
        return apply(REGISTRY["logical_not"], apply(REGISTRY["logical_or"], self.isnan(), self.isinf()))

    def logical_not(self) -> Tensor:
        """Return whether each element is 0.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 2.0]).logical_not()
        tensor([ True, False])
        """
        return apply(REGISTRY["logical_not"], self)

    def eq(self, other: Operand) -> Tensor:
        """Return whether the elements are equal, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).eq(sg.tensor([1, 3]))
        tensor([ True, False])
        """
        return apply(REGISTRY["eq"], self, other)

    def ne(self, other: Operand) -> Tensor:
        """Return whether the elements differ, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).ne(sg.tensor([1, 3]))
        tensor([False,  True])
        """
        return apply(REGISTRY["ne"], self, other)

    def lt(self, other: Operand) -> Tensor:
        """Return whether self < other, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2, 3]).lt(2)
        tensor([ True, False, False])
        """
        return apply(REGISTRY["lt"], self, other)

    def le(self, other: Operand) -> Tensor:
        """Return whether self ≤ other, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2, 3]).le(2)
        tensor([ True,  True, False])
        """
        return apply(REGISTRY["le"], self, other)

    def gt(self, other: Operand) -> Tensor:
        """Return whether self > other, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2, 3]).gt(2)
        tensor([False, False,  True])
        """
        return apply(REGISTRY["gt"], self, other)

    def ge(self, other: Operand) -> Tensor:
        """Return whether self ≥ other, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2, 3]).ge(2)
        tensor([False,  True,  True])
        """
        return apply(REGISTRY["ge"], self, other)

    def logical_and(self, other: Operand) -> Tensor:
        """Return whether both differ from 0, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([0, 1, 2]).logical_and(sg.tensor([1, 0, 3]))
        tensor([False, False,  True])
        """
        return apply(REGISTRY["logical_and"], self, other)

    def logical_or(self, other: Operand) -> Tensor:
        """Return whether one differs from 0, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([0, 1, 0]).logical_or(sg.tensor([1, 0, 0]))
        tensor([ True,  True, False])
        """
        return apply(REGISTRY["logical_or"], self, other)

    def logical_xor(self, other: Operand) -> Tensor:
        """Return whether exactly one differs from 0, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([0, 1, 2]).logical_xor(sg.tensor([1, 0, 3]))
        tensor([ True,  True, False])
        """
        return apply(REGISTRY["logical_xor"], self, other)

    greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne

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


def _is_operand(x: Any) -> bool:
    return isinstance(x, (TensorBase, bool, int, float, numpy.ndarray, numpy.generic))
