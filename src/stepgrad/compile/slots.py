"""Slots: the memory of what a step reads and writes from outside, looked up or filled before each run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from stepgrad.arrays import random
from stepgrad.compile.memory import Slot
from stepgrad.tensor import Tensor


class TensorSlot(Slot):
    """The memory of a tensor: an argument (`position` in the call), or one that the step found. `others` are
    further tensors that the step found in the same place.
    """

    def __init__(self, name: str, tensor: Tensor, position: int | None = None, advance: int = 0) -> None:
        array = tensor._array
        strides = tuple(s // array.itemsize for s in array.strides)
        super().__init__(name, array.shape, array.dtype, strides, advance)
        self.tensor, self.position, self.byte_strides = tensor, position, array.strides
        self.others: list[Tensor] = []


class StreamSlot(Slot):
    """The state of a random stream: seed, stream, position."""

    def __init__(self, name: str, generator: random.Generator) -> None:
        super().__init__(name, (3,), numpy.dtype("int64"), (1,))
        self.generator = generator
        self.memory = numpy.zeros(3, "int64")

    def load(self) -> None:
        """Take the state over from the generator."""
        state = numpy.array([self.generator.seed, self.generator.stream, self.generator.position], "uint64")
        self.memory[:] = state.view("int64")

    def save(self) -> None:
        """Hand the position back to the generator."""
        self.generator.position = int(self.memory[2])


class NumberSlot(Slot):
    """A Python number, such as the learning rate, that each step of a run asks for by `ask`."""

    def __init__(self, name: str, ask: Callable[[], float], turn: int) -> None:
        super().__init__(name, (), numpy.dtype("float64"), (), advance=1)
        self.ask, self.turn = ask, turn
        self.memory = numpy.zeros(1)
        # The number that lies in all of the first so many places of the memory.
        self._number: Any = None
        self._filled = 0

    def make_room(self, steps: int) -> bool:
        """Have memory for so many steps; return whether it is another one now."""
        if len(self.memory) >= steps:
            return False
        self.memory, self._filled = numpy.empty(steps), 0
        return True

    def put(self, step: int) -> None:
        """Ask for the number, for one step of a run."""
        self.memory[step], self._filled = self.ask(), 0

    def fill(self, steps: int) -> None:
        """Ask for the number, for all steps of a run."""
        number = self.ask()
        if number is not self._number or steps > self._filled or type(number) is not float:
            self.memory[:steps] = self._number = number
            self._filled = steps
