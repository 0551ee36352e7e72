"""Microseconds per training step against the batch size and against the width of the network.

``python -m benchmarks.scaling`` prints the tables, ``--write`` also writes docs/scaling.md and its picture.
The network is 32-w-w-1 with ReLU, trained with Adam, the peers those of `benchmarks.peers`. With ``--worker
PEER AXIS`` this file is a fresh process that times one peer along one axis and prints one line of JSON.
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

from .peers import load_peer
from .processes import interleave, missing
from .report import Table, cell, machine, number, ratio
from .steps import disagreement, measure
from .workloads import Workload

OURS = "stepgrad_compiled"
PEERS = (OURS, "torch_fused", "jax_scan")
BATCH, WIDTH = 64, 64  # of the points along the other axis
AXES: dict[str, tuple[int, ...]] = {
    "batch": (1, 4, 16, 64, 256, 1024, 4096),
    "width": (16, 32, 64, 128, 256, 512, 1024),
}
DOCS = Path(__file__).parent.parent / "docs"
_FLOP_OF_AN_EPOCH, _FEWEST_STEPS, _MOST_STEPS = 1e9, 10, 1000

Results = dict[str, dict[int, dict[str, dict[str, Any]]]]  # by axis, size and peer: `summary` of microseconds


def flop(workload: Workload) -> int:
    """Floating-point operations of the matrix products of a step: each layer's output, the derivative by its
    weight, and, but for the first layer, the derivative by its input; two for each product of numbers.
    """
    pairs = [n * m for n, m in zip(workload.layers, workload.layers[1:])]
    return 2 * workload.batch * (3 * sum(pairs) - pairs[0])


def workload(axis: str, size: int) -> Workload:
    """The workload at one point of an axis, an epoch of which is neither very short nor very long."""
    width, batch = (size, BATCH) if axis == "width" else (WIDTH, size)
    one_step = Workload(f"{axis} {size}", (32, width, width, 1), "relu", batch, rows=batch)
    steps = int(min(max(_FLOP_OF_AN_EPOCH / flop(one_step), _FEWEST_STEPS), _MOST_STEPS))
    return Workload(one_step.name, one_step.layers, "relu", batch, rows=steps * batch)


def time_axis(peer: str, axis: str, sizes: tuple[int, ...], seconds: float) -> dict[str, dict[str, float]]:
    """What `benchmarks.steps` measures, at each of the sizes."""
    return {str(size): measure(peer, workload(axis, size), seconds) for size in sizes}


def collect(
    axes: dict[str, tuple[int, ...]], measured: dict[str, list[dict[str, Any]]], failed: dict[str, str]
) -> Results:
    """Medians and ranges; in `failed` is noted which peer trained something else."""
    results: Results = {axis: {size: {} for size in sizes} for axis, sizes in axes.items()}
    for key, runs in measured.items():
        peer, axis = key.split()
        for size in axes[axis] if runs else ():
            found = [run[str(size)] for run in runs]
            if wrong := disagreement(peer, workload(axis, size), found[0]["loss"]):
                failed[f"{key} {size}"] = wrong
                continue
            values = [each["microseconds"] for each in found]
            results[axis][size][peer] = {"median": median(values), "low": min(values), "high": max(values)}
    return results


def table(axis: str, by_size: dict[int, dict[str, dict[str, Any]]]) -> Table:
    """A row for each size: the peers' times, how many times as long the best of the others takes, and the
    billions of operations per second that ours is at.
    """
    titles = [load_peer(peer).TITLE for peer in PEERS]
    rows = [[axis, "MFLOP", *(f"{title}, µs" for title in titles), f"best peer ÷ {titles[0]}",
             f"{titles[0]}, GFLOP/s"]]  # fmt: skip
    for size, results in by_size.items():
        work = flop(workload(axis, size))
        mine = results[OURS]["median"] if OURS in results else None
        others = [result["median"] for peer, result in results.items() if peer != OURS]
        rows.append([
            f"{size:,}", number(work / 1e6), *(cell(results.get(peer)) for peer in PEERS),
            ratio(min(others) / mine) if mine and others else "–", number(work / mine / 1e3) if mine else "–",
        ])  # fmt: skip
    return rows


def picture(results: Results, path: Path) -> None:
    """Write an SVG: a panel for each axis, both scales logarithmic, and the arithmetic at one speed."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    style = {"svg.fonttype": "none", "svg.hashsalt": "stepgrad", "font.family": "sans-serif", "font.size": 9}
    with pyplot.rc_context(style):
        figure, panels = pyplot.subplots(1, len(results), figsize=(9, 3.6), sharey=True, squeeze=False)
        for panel, (axis, by_size) in zip(panels[0], results.items()):
            for peer, colour, marker in zip(PEERS, ("#0a6e5c", "#c2410c", "#4f46e5"), "os^"):
                there = [size for size, found in by_size.items() if peer in found]
                medians = [by_size[size][peer]["median"] for size in there]
                panel.plot(there, medians, color=colour, marker=marker, markersize=4,
                           label=load_peer(peer).TITLE)  # fmt: skip
            draw_arithmetic(panel, axis, by_size)
            panel.set(xscale="log", yscale="log", xlabel=LABELS[axis])
            panel.set_xticks(list(by_size), [f"{size:,}" for size in by_size])
            panel.minorticks_off()
            panel.grid(color="#dddddd", linewidth=0.5)
        panels[0][0].set_ylabel("µs per training step")
        panels[0][0].legend(frameon=False)
        figure.tight_layout()
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)


LABELS = {"batch": f"rows in a batch (width {WIDTH})", "width": f"width (batch {BATCH})"}


def draw_arithmetic(panel: Any, axis: str, by_size: dict[int, dict[str, dict[str, Any]]]) -> None:
    """A line of what a step would take at the best speed that ours reaches on the axis."""
    mine = {size: found[OURS]["median"] for size, found in by_size.items() if OURS in found}
    if not mine:
        return
    work = {size: flop(workload(axis, size)) for size in by_size}
    least = min(mine[size] / work[size] for size in mine)
    panel.plot(list(work), [least * each for each in work.values()], color="#888888", linewidth=1,
               linestyle="--", label="arithmetic at one speed")  # fmt: skip


def page(results: Results, rounds: int) -> str:
    """docs/scaling.md."""
    from .tables import markdown

    facts = machine()
    versions = ", ".join(f"{name} {facts['versions'][name]}" for name in ("numpy", "torch", "jax")
                         if name in facts["versions"])  # fmt: skip
    return PAGE.format(
        batch=BATCH,
        width=WIDTH,
        by_batch=markdown(table("batch", results["batch"])),
        by_width=markdown(table("width", results["width"])),
        rounds=rounds,
        machine=f"{facts['processor']}, {facts['cores']} cores, Python {facts['python']}, {versions}",
    )


PAGE = """\
# How the time of a step grows

Microseconds per training step of a network 32-w-w-1 with ReLU and Adam, in float32, compiled by stepgrad,
beside PyTorch and JAX. Written by `python -m benchmarks.scaling --write`.

![Time per step against batch size and width](scaling.svg)

By rows in a batch, with the width w = {width}:

{by_batch}

By width w, with {batch} rows in a batch:

{by_width}

Medians over {rounds} rounds of fresh processes, their range in brackets ({machine}). MFLOP are the operations
of a step's matrix products alone, GFLOP/s what stepgrad makes of them; the dashed line is what a step would
take if every one ran at the best of these speeds. The steps are those of
[benchmarks.md](benchmarks.md): forward, loss, backward and Adam, and the loss of every peer after one epoch
is compared with a float64 reference's.
"""


def main() -> int:
    """Read the options; measure and print, or be the worker. 1 if something failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="fresh processes per measurement (default 3)")
    parser.add_argument("--seconds", type=float, default=0.2, help="least time of one timing (default 0.2)")
    parser.add_argument("--most", type=int, help="leave out larger sizes, for a quick try")
    parser.add_argument("--keep", type=Path, help="a JSON file of runs: those in it are not run again")
    parser.add_argument("--write", action="store_true", help="write docs/scaling.md and docs/scaling.svg")
    parser.add_argument("--worker", nargs=2, metavar=("PEER", "AXIS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    axes = {
        axis: tuple(size for size in sizes if not options.most or size <= options.most)
        for axis, sizes in AXES.items()
    }
    if options.worker:
        peer, axis = options.worker
        print(json.dumps(time_axis(peer, axis, axes[axis], options.seconds)))
        return 0

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    jobs = {}
    for peer in PEERS:
        if absent := missing(load_peer(peer).REQUIRES):
            tell(f"skipped {peer}: {', '.join(absent)} is not installed")
            continue
        for axis in AXES:
            arguments = [
                "-m",
                "benchmarks.scaling",
                "--worker",
                peer,
                axis,
                "--seconds",
                str(options.seconds),
            ]
            jobs[f"{peer} {axis}"] = arguments + (["--most", str(options.most)] if options.most else [])
    measured, failed = interleave(jobs, options.rounds, None, tell, options.keep)
    results = collect(axes, measured, failed)
    from .tables import markdown

    for axis, by_size in results.items():
        print(markdown(table(axis, by_size)), end="\n\n")
    for name, reason in failed.items():
        print(f"failed {name}: {reason}")
    if options.write:
        (DOCS / "scaling.md").write_text(page(results, options.rounds), encoding="utf-8")
        picture(results, DOCS / "scaling.svg")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
