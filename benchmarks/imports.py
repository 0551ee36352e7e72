"""How long `import X` takes in a fresh process, without the interpreter's own start."""

from compileall import compile_dir

from .processes import REPOSITORY

MODULES = ("numpy", "stepgrad", "torch", "jax", "sklearn")

CODE = """
from time import perf_counter
start = perf_counter()
import {module}
print('{{"milliseconds": %f}}' % ((perf_counter() - start) * 1e3))
"""


def compile_sources() -> None:
    """Write the bytecode of this checkout's stepgrad, as pip does when it installs a package."""
    compile_dir(REPOSITORY / "src", quiet=2)


def worker(module: str) -> list[str]:
    """The arguments of the Python process that times the import of a module."""
    return ["-c", CODE.format(module=module)]
