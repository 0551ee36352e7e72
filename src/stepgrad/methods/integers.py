"""Methods of integers and booleans: bits, divisors and multiples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError
from stepgrad.methods.base import Operand, TensorBase
from stepgrad.methods.ordering import readable
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor


class IntegerMethods(TensorBase):
    """Element by element; two operands broadcast. Bits are those of integers, or booleans as one bit.

    Raises `ArgumentError` for floating point numbers where bits are asked for.
    """

    def __invert__(self) -> Tensor:
        return self.bitwise_not()

    def __and__(self, other: Operand) -> Tensor:
        return self.bitwise_and(other)

    def __or__(self, other: Operand) -> Tensor:
        return self.bitwise_or(other)

    def __xor__(self, other: Operand) -> Tensor:
        return self.bitwise_xor(other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __rshift__(self, other: Operand) -> Tensor:
        return self.bitwise_right_shift(other)

    def __lshift__(self, other: Operand) -> Tensor:
        return self.bitwise_left_shift(other)

    def gcd(self, other: Tensor) -> Tensor:
        """Return the greatest common divisors of integers, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([12, 7]).gcd(sg.tensor([18, 21]))
        tensor([6, 7])
        """
        return type(self._as_tensor())._of(numpy.gcd(readable(self), readable(other)))

    def lcm(self, other: Tensor) -> Tensor:
        """Return the least common multiples of integers, element by element.

        >>> import stepgrad as sg
        >>> sg.tensor([4, 7]).lcm(sg.tensor([6, 2]))
        tensor([12, 14])
        """
        return type(self._as_tensor())._of(numpy.lcm(readable(self), readable(other)))

    def bitwise_and(self, other: Operand) -> Tensor:
        """Return the bits that both have, of integers or booleans.

        >>> import stepgrad as sg
        >>> sg.tensor([6, 5]).bitwise_and(3)
        tensor([2, 1])
        """
        return apply(REGISTRY["bitwise_and"], *_bits("bitwise_and", self, other))

    def bitwise_or(self, other: Operand) -> Tensor:
        """Return the bits that one of them has, of integers or booleans.

        >>> import stepgrad as sg
        >>> sg.tensor([6, 5]).bitwise_or(3)
        tensor([7, 7])
        """
        return apply(REGISTRY["bitwise_or"], *_bits("bitwise_or", self, other))

    def bitwise_xor(self, other: Operand) -> Tensor:
        """Return the bits that exactly one has, of integers or booleans.

        >>> import stepgrad as sg
        >>> sg.tensor([6, 5]).bitwise_xor(3)
        tensor([5, 6])
        """
        return apply(REGISTRY["bitwise_xor"], *_bits("bitwise_xor", self, other))

    def bitwise_not(self) -> Tensor:
        """Return every bit the other way: −1 − x, of booleans the other.

        >>> import stepgrad as sg
        >>> sg.tensor([0, 5]).bitwise_not()
        tensor([-1, -6])
        """
        name = "logical_not" if self._array.dtype.kind == "b" else "bitwise_not"
        return apply(REGISTRY[name], *_bits("bitwise_not", self))

    def bitwise_left_shift(self, other: Operand) -> Tensor:
        """Return self · 2^other of integers, the bits moved up.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 3]).bitwise_left_shift(2)
        tensor([ 4, 12])
        """
        return apply(REGISTRY["bitwise_left_shift"], *_bits("bitwise_left_shift", self, other))

    def bitwise_right_shift(self, other: Operand) -> Tensor:
        """Return ⌊self / 2^other⌋ of integers, the bits moved down.

        >>> import stepgrad as sg
        >>> sg.tensor([8, -5]).bitwise_right_shift(1)
        tensor([ 4, -3])
        """
        return apply(REGISTRY["bitwise_right_shift"], *_bits("bitwise_right_shift", self, other))


def _bits(name: str, *operands: Any) -> tuple[Any, ...]:
    for x in operands:
        if (x._array.dtype.kind if isinstance(x, TensorBase) else type(x).__name__[0]) == "f":
            raise ArgumentError(
                f"{name} takes boolean tensors, such as (x > 0) & (x < 1); mind the parentheses. It takes "
                f"integers too, but no floating point numbers."
            )
    return operands
