"""GFLOP/s of single matrix products on one core: stepgrad's generated kernels beside NumPy's BLAS.

``python -m benchmarks.contractions [SECONDS]`` goes through the layers of the workloads, each in its three
roles: forward (x Wᵀ), the gradient of the input (g W) and that of the weight (gᵀ x). The two take turns, and
the time is the processor time of the calling thread, so that what else the machine does hits both alike. The
last columns are the milliseconds until the kernel can be called: to write it, and for LLVM to compile it.
"""

import ctypes
import sys
from collections.abc import Callable, Iterator
from time import thread_time

import numpy as np

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.products.contract import Contraction
from stepgrad.compile.lower.register import Register
from stepgrad.compile.machine import Module, vector_bytes
from stepgrad.compile.memory import Buffer, Storage

from .workloads import WORKLOADS

# A sample repeats its product so often that it takes about this long.
SAMPLE = 2e-4


def aligned(shape: tuple[int, ...], generator: np.random.Generator | None = None) -> np.ndarray:
    """An array of float32 at a multiple of 64 bytes: zeros, or drawn from a normal distribution."""
    size = int(np.prod(shape))
    memory = np.zeros(size + 16, np.float32)
    start = -memory.ctypes.data % 64 // 4
    x = memory[start : start + size].reshape(shape)
    if generator:
        x[...] = generator.standard_normal(shape, np.float32)
    return x


def shapes() -> Iterator[tuple[str, int, int, int]]:
    """The layers of the workloads: the workload's name, rows of the batch, inputs, outputs."""
    yield "square", 64, 64, 64
    for workload in WORKLOADS.values():
        for inputs, outputs in zip(workload.layers, workload.layers[1:], strict=False):
            yield workload.name, workload.batch, inputs, outputs


def roles(batch: int, inputs: int, outputs: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """The two factors of a layer's products, lying in memory as the layer has them."""
    generator = np.random.default_rng(0)
    x, w, g = (aligned(s, generator) for s in ((batch, inputs), (outputs, inputs), (batch, outputs)))
    yield "forward", x, w.T
    yield "input's gradient", g, w
    yield "weight's gradient", g.T, x


class Kernel:
    """A product compiled; `c` is the result. `writing` and `compiling`: the milliseconds that took."""

    def __init__(self, a: np.ndarray, b: np.ndarray) -> None:
        start = thread_time()
        plan = Contraction(buffer_of(a), buffer_of(b), vector_bytes())
        self.c = aligned((a.shape[0], b.shape[1]))
        self.plan, self.memory = plan, (a, b, self.c, aligned((plan.scratch_bytes // 4 + 16,)))
        w = Writer()
        with w.function("product", ["ptr"] * 4) as (a_base, b_base, c, scratch):

            def epilogue(
                batch: list[Register], m: Register, n: Register, x: Register, mask: int | None
            ) -> None:
                w.store(x, w.pointer(w.pointer(c, m * b.shape[1], plan.element), n, plan.element), mask)

            plan.write(w, a_base, b_base, epilogue, scratch)
        with w.function("repeat", ["ptr"] * 4 + ["i64"], public=True) as (*pointers, count):
            w.loop(0, count, 1, lambda i, _: w.call("product", pointers))
        text = w.module_text()
        self.writing = (thread_time() - start) * 1e3
        start = thread_time()
        self.module = Module(text)
        self.compiling = (thread_time() - start) * 1e3
        self.function = self.module.function("repeat", *[ctypes.c_void_p] * 4, ctypes.c_int64)

    def run(self, times: int) -> None:
        """Compute the product so often."""
        self.function(*(x.ctypes.data for x in self.memory), times)


def buffer_of(x: np.ndarray) -> Buffer:
    """The array as the compiler describes it."""
    return Buffer(Storage("argument", x.dtype, x.size), x.shape, tuple(s // x.itemsize for s in x.strides))


def timed(run: Callable[[int], None], times: int) -> float:
    """The seconds of processor time that `times` products take."""
    start = thread_time()
    run(times)
    return thread_time() - start


def race(
    runs: dict[str, Callable[[int], None]], flops: float, seconds: float
) -> dict[str, tuple[float, float]]:
    """The best and the median GFLOP/s of functions that take turns, each for about `seconds`."""
    times = dict.fromkeys(runs, 1)
    for name, run in runs.items():
        while timed(run, times[name]) < SAMPLE:
            times[name] *= 2
    spent: dict[str, list[float]] = {name: [] for name in runs}
    first = next(iter(runs))
    while len(spent[first]) < 3 or sum(spent[first]) * times[first] < seconds:
        for name, run in runs.items():
            run(1)
            spent[name].append(timed(run, times[name]) / times[name])
    return {name: (flops / min(t) / 1e9, flops / float(np.median(t)) / 1e9) for name, t in spent.items()}


def main(seconds: float) -> None:
    """Measure and print one line for each product."""
    from threadpoolctl import threadpool_limits

    print(f"{'GFLOP/s, best (median)':43}   stepgrad           numpy    ratio    write  compile")
    with threadpool_limits(1):
        for name, batch, inputs, outputs in shapes():
            for role, a, b in roles(batch, inputs, outputs):
                kernel, out = Kernel(a, b), aligned((a.shape[0], b.shape[1]))
                runs = {"ours": kernel.run, "numpy": lambda n, a=a, b=b, out=out: product(a, b, out, n)}
                found = race(runs, 2.0 * a.size * b.shape[1], seconds)
                np.testing.assert_allclose(kernel.c, out, atol=1e-4 * a.shape[1])
                (best, median), (other, other_median) = found["ours"], found["numpy"]
                size = f"{a.shape[0]}×{a.shape[1]}×{b.shape[1]}"
                speed = f"{best:8.1f} ({median:5.1f}) {other:6.1f} ({other_median:5.1f})"
                spent = f"{kernel.writing:5.1f} ms {kernel.compiling:5.1f} ms"
                print(
                    f"{name:7} {role:18} {size:15} {speed} {median / other_median:6.2f}× {spent}", flush=True
                )


def product(a: np.ndarray, b: np.ndarray, out: np.ndarray, times: int) -> None:
    """NumPy's product, so often."""
    for _ in range(times):
        np.matmul(a, b, out=out)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.1)
