"""Denormal numbers: those too small for all their digits, with which processors compute many times slower."""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.register import Register

# Of the control register of x86 (MXCSR): results that are denormal become 0, and operands are taken for 0.
_FLUSH = 0x8040
# What native code reads, these bits or 0: code that changes no tensor, and steps that do.
MODES = numpy.array([0, _FLUSH], "int64")


def can_flush() -> bool:
    """Return whether the processor's mode can be set here: on x86-64."""
    return platform.machine().lower() in ("x86_64", "amd64")


def set_flush_denormal(mode: bool) -> bool:
    """Take denormal numbers for 0 (True), or compute with them as with all others (False).

    float32 numbers are denormal below 1.2e-38, float64 below 2.2e-308. Where a gradient stays 0, Adam's means
    of it become so small, and its update then takes about ten times as long; gradients and parameters hardly
    ever depend on them. Until this is called, compiled steps that change tensors (training steps) take them
    for 0, and all else computes with them, as PyTorch does. Then the mode holds for all compiled code, on all
    of its threads, and for what the calling thread computes eagerly. Returns whether the processor can do it,
    as in PyTorch; if not, nothing is changed.

    >>> import stepgrad as sg
    >>> supported = sg.set_flush_denormal(True)
    >>> sg.tensor([1e-30]) * 1e-10 == 0 if supported else sg.tensor([True])
    tensor([True])
    >>> _ = sg.set_flush_denormal(False)
    """
    if not can_flush():
        return False
    MODES[:] = bits = _FLUSH if mode else 0
    _for_this_thread()(bits)
    return True


@lru_cache(maxsize=1)
def _for_this_thread() -> Any:
    """Return a function that sets the mode of the thread that calls it."""
    import ctypes

    from stepgrad.compile.machine import Module

    w = Writer()
    with w.function("set_flush_denormal", ["i64"], public=True, plain=True) as (bits,):
        _write_change(w, bits)
    module = Module(w.module_text())
    function = module.function("set_flush_denormal", ctypes.c_int64)
    function.module = module
    return function


def write_flushing(w: Writer, mode: Register, body: Callable[[], Any]) -> None:
    """Write what `body` writes, in the mode that lies at an address, and go back to the one before."""
    if not can_flush():
        body()
        return
    before = _write_change(w, w.load(mode, "i64"))
    body()
    w.line(f"call void @llvm.x86.sse.ldmxcsr(ptr {before.text})")


def _write_change(w: Writer, bits: Register) -> Register:
    """Write the change of the mode; return the address of the register as it was before."""
    for verb in ("st", "ld"):
        w.declare(f"llvm.x86.sse.{verb}mxcsr", f"declare void @llvm.x86.sse.{verb}mxcsr(ptr)")
    before, after = w.scratch("i32", 1), w.scratch("i32", 1)
    w.line(f"call void @llvm.x86.sse.stmxcsr(ptr {before.text})")
    others = w.bitwise("and", w.load(before, "i32"), ~_FLUSH)
    w.store(w.bitwise("or", others, w.convert(bits, "i32")), after)
    w.line(f"call void @llvm.x86.sse.ldmxcsr(ptr {after.text})")
    return before
