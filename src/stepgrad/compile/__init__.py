"""The compiler: a step is captured, fused into loop nests, written as LLVM IR and run as native code."""

from stepgrad.callable_package import make_callable
from stepgrad.compile.explain import log_if_asked
from stepgrad.compile.function import CompiledFunction, compile

__all__ = ["CompiledFunction", "compile"]

make_callable(__name__, compile)
log_if_asked()
