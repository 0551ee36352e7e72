"""Functions of the scalar language compiled one by one, so that tests can call them on arrays."""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.mathematics import Mathematics
from stepgrad.compile.lower.register import Register, element_of
from stepgrad.compile.machine import Module

# What a function does in one place: the language and a register for each operand.
Body = Callable[..., Any]


class Functions:
    """One module of compiled functions.

    ``Functions({name: (body, dtypes of the operands, dtype of the result)}, lanes)`` compiles them all; then
    ``functions(name, *arrays)`` evaluates one, `lanes` elements at a time.
    """

    def __init__(self, bodies: dict[str, tuple[Body, tuple[Any, ...], Any]], lanes: int) -> None:
        self._bodies, self._lanes = bodies, lanes
        w = Writer()
        for name, (body, operands, result) in bodies.items():
            self._write(w, name, body, operands, result)
        self._module = Module(w.module_text())

    def _write(self, w: Writer, name: str, body: Body, operands: tuple[Any, ...], result: Any) -> None:
        # "f_", lest the C library's function of the same name be found here.
        with w.function(f"f_{name}", ["ptr"] * (len(operands) + 1) + ["i64"], public=True) as (
            *pointers,
            count,
        ):
            reals = [d for d in (*operands, result) if numpy.dtype(d).kind == "f"]
            w.real = element_of(reals[0]) if reals else "float"

            def step(index: Register, _: list[Register]) -> list[Register]:
                registers = [
                    w.load(w.pointer(p, index, element_of(d)), element_of(d), self._lanes)
                    for p, d in zip(pointers, operands)
                ]
                y = body(Mathematics(w), *registers)
                w.store(w.convert(y, element_of(result)), w.pointer(pointers[-1], index, element_of(result)))
                return []

            w.loop(w.constant(0, "i64"), count, self._lanes, step)

    def __call__(self, name: str, *arrays: Any) -> numpy.ndarray:
        _, operands, result = self._bodies[name]
        size = len(arrays[0])
        padded = -(-size // self._lanes) * self._lanes
        inputs = [numpy.resize(numpy.asarray(a, d), padded) for a, d in zip(arrays, operands)]
        y = numpy.empty(padded, result)
        pointers = [ctypes.c_void_p] * (len(inputs) + 1)
        run = self._module.function(f"f_{name}", *pointers, ctypes.c_int64)
        run(*(a.ctypes.data for a in inputs), y.ctypes.data, padded)
        return y[:size]
