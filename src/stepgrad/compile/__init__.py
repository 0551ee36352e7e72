"""The compiler: a step is captured, fused into loop nests, written as LLVM IR and run as native code."""

import sys
from types import ModuleType
from typing import Any

from stepgrad.compile.explain import log_if_asked
from stepgrad.compile.function import CompiledFunction, compile

__all__ = ["CompiledFunction", "compile"]


class _Callable(ModuleType):
    """This package, which can be called: once imported it stands in the way of the function as
    ``stepgrad.compile``.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> CompiledFunction:
        return compile(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
log_if_asked()
