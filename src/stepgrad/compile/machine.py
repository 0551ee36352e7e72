"""The machine: which vectors this CPU has, and LLVM, which turns text into functions."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from functools import lru_cache
from typing import Any

from stepgrad.compile.threads import each, get_num_threads
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
        _check_name(name)
        return name, ""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def _check_name(name: str) -> None:
    """Raise `ArgumentError` for a CPU that LLVM does not know.

    LLVM writes that to standard error, and then may end the process: one of its own is asked.
    """
    code = (
        "import llvmlite.binding as llvm, sys; llvm.initialize_native_target(); "
        "llvm.Target.from_default_triple().create_target_machine(cpu=sys.argv[1])"
    )
    asked = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True)
    if asked.returncode or "not a recognized" in asked.stderr:
        own = _binding().get_host_cpu_name()
        raise ArgumentError(f"STEPGRAD_CPU is LLVM's name of a CPU, such as {own!r}, not {name!r}.")


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


def has_scaling() -> bool:
    """Return whether the CPU multiplies by powers of 2 in one instruction (AVX-512, for any width)."""
    return "+avx512vl" in host()[1]


def has_fma() -> bool:
    """Return whether the CPU multiplies and adds at once, rounding once."""
    return "+fma" in host()[1]


@lru_cache(maxsize=1)
def has_amx() -> bool:
    """Return whether the CPU multiplies tiles of bfloat16 (AMX), and the system lets this process do so.

    STEPGRAD_AMX=0 does without.
    """
    text = os.environ.get("STEPGRAD_AMX") or "1"
    if text not in ("0", "1"):
        raise ArgumentError(f"STEPGRAD_AMX is 0 or 1, not {text!r}.")
    _, features = host()
    if text == "0" or "+amx-tile" not in features or "+amx-bf16" not in features:
        return False
    if not sys.platform.startswith("linux"):
        return True
    # Linux keeps tiles for those who ask: arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA).
    return ctypes.CDLL(None).syscall(158, 0x1023, 18) == 0


class Module:
    """Compiled code: keeps what LLVM made alive, and finds its functions."""

    def __init__(self, text: str) -> None:
        llvm = _binding()
        if "+avx512f" in host()[1]:
            # Left to itself, LLVM splits vectors of 64 bytes on some CPUs that have them.
            text = text.replace(") nounwind {", ') nounwind "prefer-vector-width"="512" {')
        objects = each(_object_code, _parts(text, get_num_threads()))
        # Its own module is empty, and in LLVM's common context, since it goes when the engine does.
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
        for code in objects:
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def function(self, name: str, *arguments: Any) -> Any:
        """Return a function of the module that takes ctypes `arguments` and returns nothing; it runs
        without the GIL.
        """
        return ctypes.CFUNCTYPE(None, *arguments)(self.address(name))

    def address(self, name: str) -> int:
        """Return where a function of the module lies."""
        return self._engine.get_function_address(name)


def _target() -> Any:
    name, features = host()
    return _binding().Target.from_default_triple().create_target_machine(cpu=name, features=features, opt=2)


def _object_code(text: str) -> bytes:
    """Return the object file of a module.

    There are no passes: the text is what it should become, with vectors and loops written out, and they
    would take much of the time until the first step.
    """
    llvm = _binding()
    target = _target()
    with llvm.create_context() as context, llvm.parse_assembly(text, context) as module:
        module.triple, module.data_layout = target.triple, str(target.target_data)
        return _emitted(target, module)


def _emitted(target: Any, module: Any) -> bytes:
    """Return what ``target.emit_object(module)`` does, without keeping other threads out of LLVM meanwhile.

    llvmlite lets one thread at a time call LLVM, which does not need that where each has a context of its
    own.
    """
    from llvmlite.binding import ffi

    known = ffi.lib.LLVMPY_TargetMachineEmitToMemory
    emit = ctypes.CDLL(ffi.lib._name).LLVMPY_TargetMachineEmitToMemory
    emit.argtypes, emit.restype = known.argtypes, known.restype
    with ffi.OutputString() as message:
        buffer = emit(target, module, 1, message)
        if not buffer:
            raise RuntimeError(str(message))
    try:
        start, size = ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer)
        return ctypes.string_at(start, size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


# So many lines of text are worth a thread of their own.
_LINES = 600


def _parts(text: str, most: int) -> list[str]:
    """Return a module as at most so many that can be compiled apart and linked, of about the same length.

    What becomes of a function does not depend on those beside it.
    """
    whole = text.count("\n")
    count = min(most, whole // _LINES)
    if count < 2:
        return [text]
    functions = re.findall(r"^define .*?^}$", text, re.DOTALL | re.MULTILINE)
    outside = [line for line in text.splitlines() if line.startswith("declare ")]
    heads = [_declared(function) for function in functions]
    groups: list[list[int]] = [[] for _ in range(count)]
    done = 0
    for number, function in enumerate(functions):
        lines = function.count("\n")
        groups[(done + lines // 2) * count // whole].append(number)
        done += lines
    return ["\n".join([
        *outside,
        *(head for number, head in enumerate(heads) if number not in group),
        *(functions[number].replace("define internal ", "define ") for number in group),
    ]) for group in groups if group]  # fmt: skip


def _declared(function: str) -> str:
    """Return the declaration of a function that is written."""
    head = function.partition(")")[0] + ")"
    return re.sub(r" noalias| %\w+|internal ", "", head).replace("define ", "declare ")
