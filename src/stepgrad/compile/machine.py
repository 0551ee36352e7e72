"""The machine: which vectors this CPU has, and LLVM, which turns text into functions."""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache
from typing import Any

from stepgrad.errors import ArgumentError


@lru_cache(maxsize=1)
def _binding() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


@lru_cache(maxsize=1)
def host() -> tuple[str, str]:
    """Return LLVM's name of this CPU and its features.

    STEPGRAD_CPU=name compiles for another one, such as "x86-64" or "haswell".
    """
    llvm = _binding()
    if name := os.environ.get("STEPGRAD_CPU"):
        return name, ""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


@lru_cache(maxsize=1)
def vector_bytes() -> int:
    """Return the width of vectors in bytes: 64, 32 or 16. STEPGRAD_VECTOR_BYTES overrides what the CPU
    has.
    """
    if text := os.environ.get("STEPGRAD_VECTOR_BYTES"):
        if text not in ("16", "32", "64"):
            raise ArgumentError(f"STEPGRAD_VECTOR_BYTES is 16, 32 or 64, not {text!r}.")
        return int(text)
    _, features = host()
    if "+avx512f" in features:
        return 64
    return 32 if "+avx2" in features else 16


def has_estimates() -> bool:
    """Return whether the CPU estimates inverse roots of 64 bytes at once (AVX-512)."""
    return "+avx512dq" in host()[1]


def has_fma() -> bool:
    """Return whether the CPU multiplies and adds at once, rounding once."""
    return "+fma" in host()[1]


class Module:
    """Compiled code: keeps what LLVM made alive, and finds its functions."""

    def __init__(self, text: str) -> None:
        llvm = _binding()
        name, features = host()
        if "+avx512f" in features:
            # Left to itself, LLVM splits vectors of 64 bytes on some CPUs that have them.
            text = text.replace(") nounwind {", ') nounwind "prefer-vector-width"="512" {')
        parsed = llvm.parse_assembly(text)
        target = llvm.Target.from_default_triple()
        machine = target.create_target_machine(cpu=name, features=features, opt=2)
        # No passes: the text is what it should become, with vectors and loops written out, and they would
        # take much of the time until the first step.
        self._engine = llvm.create_mcjit_compiler(parsed, machine)
        self._engine.finalize_object()

    def function(self, name: str, *arguments: Any) -> Any:
        """Return a function of the module that takes ctypes `arguments` and returns nothing; it runs
        without the GIL.
        """
        address = self._engine.get_function_address(name)
        return ctypes.CFUNCTYPE(None, *arguments)(address)
