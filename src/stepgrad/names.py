"""stepgrad under PyTorch's name: imports of ``torch.…``, and what to say of a name that is not there.

After ``sys.modules["torch"] = stepgrad`` the lines ``import torch``, ``import torch.nn as nn``, ``from
torch.utils.data import DataLoader`` and so on find stepgrad's modules. That needs a hook: left alone, Python
would find the files and run them a second time under the other name. It does nothing until then.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from stepgrad.errors import MissingNameError, suggest

PACKAGE = "stepgrad"

# What people look for that goes by another name here, or is not meant to be here.
INSTEAD = {
    "allow_mutation_on_saved_tensors": "refuses to change what a derivative reads; change a .clone()",
    "bfloat16": "does not compute in bfloat16, because NumPy has none; use float32",
    "cdouble": "has no complex numbers",
    "cfloat": "has no complex numbers",
    "complex": "has no complex numbers",
    "complex64": "has no complex numbers",
    "complex128": "has no complex numbers",
    "disable_saved_tensors_hooks": "has no such hooks; leave it out",
    "export": "exports models with stepgrad.onnx.export",
    "fft": "has no Fourier transforms; use numpy.fft on x.detach().numpy()",
    "forward_ad": "differentiates from results backward; use stepgrad.func.jvp",
    "fx": "records with stepgrad.graph",
    "hub": "downloads no models",
    "jit": "makes native code with stepgrad.compile",
    "lstm": "is stepgrad.nn.LSTM here",
    "multiprocessing": "loads data in processes with num_workers of stepgrad.data.DataLoader",
    "profiler": "has no profiler; use Python's cProfile",
    "polar": "has no complex numbers",
    "prune": "prunes with a parametrization that multiplies by a mask: stepgrad.nn.utils.parametrize",
    "quantization": "has no quantised numbers",
    "register_multi_grad_hook": "has hooks of one tensor each: x.register_hook",
    "save_on_cpu": "keeps what derivatives read where it was computed; on the CPU leave it out",
    "saved_tensors_hooks": "keeps what derivatives read as it is; a stepgrad.autograd.Function of your own "
    "decides what it saves",
    "storage": "shows its memory with x.data_ptr() and x.numpy()",
    "sparse": "has dense tensors alone",
    "sparse_coo_tensor": "has dense tensors alone",
    "SparseAdam": "has dense tensors alone; use Adam",
    "untyped_storage": "shows its memory with x.data_ptr() and x.numpy()",
    "tensorboard": "writes reports with stepgrad.train",
    "stft": "has no Fourier transforms; use scipy.signal on x.detach().numpy()",
}  # fmt: skip


def missing(where: str, name: str, names: Iterable[str], elsewhere: Sequence[str] = ()) -> MissingNameError:
    """Return the AttributeError that `where`, such as "stepgrad.nn", has no `name`; it names the nearest one,
    or the first of the modules `elsewhere` that has it.

    >>> str(missing("stepgrad.nn", "Linaer", ["Linear", "Bilinear"]))
    "stepgrad.nn has no 'Linaer'. Did you mean 'Linear'?"
    >>> str(missing("stepgrad", "jit", []))
    "stepgrad has no 'jit': it makes native code with stepgrad.compile."
    """
    if name in INSTEAD:
        return MissingNameError(f"{where} has no {name!r}: it {INSTEAD[name]}.")
    if name.startswith("_"):  # what programs ask for, not people
        return MissingNameError(f"{where} has no {name!r}.")
    for other in elsewhere:
        if name in dir(import_module(other)):
            return MissingNameError(f"{where} has no {name!r}: it is {other}.{name} here.")
    from difflib import SequenceMatcher

    others = [n for n in names if n[:1] != "_" and _is_near(SequenceMatcher(None, name, n).ratio(), name, n)]
    return MissingNameError(f"{where} has no {name!r}.{suggest(name, others)}")


def _is_near(ratio: float, name: str, other: str) -> bool:
    return ratio > (0.65 if name[:1].casefold() == other[:1].casefold() else 0.8)


def teller(where: str, names: dict[str, Any]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module with the given `names`: it raises the error of `missing`.

    It stands under ``if not TYPE_CHECKING``, so that type checkers still see what is there.
    """

    def __getattr__(name: str) -> Any:
        # Modules inside are there or not as others have imported them; they are not what is looked for.
        raise missing(where, name, [n for n, x in names.items() if not isinstance(x, ModuleType)])

    return __getattr__


def as_torch() -> ModuleType:
    """Make ``import torch`` mean stepgrad for the rest of this process, and return stepgrad.

    The same as ``sys.modules["torch"] = stepgrad``. Raises `MissingNameError` where PyTorch itself has been
    imported already: its modules would be mixed with these.
    """
    there = sys.modules.get("torch")
    package = sys.modules[PACKAGE]
    if there not in (None, package):
        raise MissingNameError(
            "as_torch() after PyTorch itself was imported. Call it first, in a process of its own."
        )
    sys.modules["torch"] = package
    return package


def aliases() -> list[str]:
    """Return the other names under which stepgrad is imported in this process."""
    package = sys.modules[PACKAGE]
    return [name for name, module in list(sys.modules.items()) if module is package and name != PACKAGE]


class _Finder:
    """Finds ``torch.nn`` where ``torch`` is stepgrad: it is ``stepgrad.nn``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        first, _, rest = fullname.partition(".")
        if first == PACKAGE or not rest or sys.modules.get(first) is not sys.modules[PACKAGE]:
            return None
        own = f"{PACKAGE}.{rest}"
        try:
            module = import_module(own)
        except ModuleNotFoundError as error:
            if error.name is None or not own.startswith(error.name):
                raise
            outer, _, last = own.rpartition(".")
            names = dir(sys.modules.get(outer, sys.modules[PACKAGE]))
            raise ModuleNotFoundError(
                f"{fullname} is not there: {missing(outer, last, names)}", name=fullname
            ) from None
        loader: Any = _Loader(module)
        return ModuleSpec(fullname, loader)


class _Loader:
    """Hands out a module that has been loaded under its own name."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # importlib has put the other name's there


def install() -> None:
    """Put the hook in front of Python's own finders, once."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        finder: Any = _Finder()
        sys.meta_path.insert(0, finder)
