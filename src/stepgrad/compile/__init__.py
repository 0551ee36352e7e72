"""The compiler: a step is captured, fused into loop nests, written as LLVM IR and run as native code."""

from stepgrad.compile.function import CompiledFunction, compile

__all__ = ["CompiledFunction", "compile"]
