"""The command ``python -m benchmarks``: run the suites, print the tables."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from . import imports, loaders, models, report, sizes, steps, variants
from .peers import load_peer, peer_names
from .processes import interleave, missing
from .workloads import WORKLOADS

# The modules that a measurement needs, and what Python is given to run it.
Job = tuple[tuple[str, ...], list[str]]


def tell(line: str) -> None:
    """Progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


def summary(values: list[float]) -> dict[str, Any]:
    """Median and range of one measurement over the rounds."""
    return {"median": median(values), "low": min(values), "high": max(values), "all": values}


def run(
    suite: str, jobs: Mapping[str, Job], options: argparse.Namespace, results: dict[str, Any]
) -> dict[str, Any]:
    """Run the jobs whose modules are there; note in `results` what was skipped and what failed."""
    present = {}
    for name, (modules, arguments) in jobs.items():
        if absent := missing(modules):
            results["skipped"][f"{suite} {name}"] = absent
            tell(f"skipped {suite} {name}: {', '.join(absent)} is not installed")
        else:
            present[name] = arguments
    measured, failed = interleave(present, options.rounds, options.threads, tell)
    results["failed"] |= {f"{suite} {name}": reason for name, reason in failed.items()}
    return measured


def run_steps(options: argparse.Namespace, results: dict[str, Any]) -> None:
    """Microseconds per step, for each workload and peer."""
    pairs = [
        (workload, peer)
        for workload in options.workloads
        for peer in options.peers
        if not WORKLOADS[workload].channels or getattr(load_peer(peer), "CONVOLUTIONS", True)
    ]
    jobs = {
        f"{workload} {peer}": (
            load_peer(peer).REQUIRES,
            ["-m", "benchmarks.steps", peer, workload, str(options.seconds)],
        )
        for workload, peer in pairs
    }
    measured = run("steps", jobs, options, results)
    results["steps"] = {workload: {} for workload in options.workloads}
    for workload, peer in pairs:
        runs = measured.get(f"{workload} {peer}")
        if not runs:
            continue
        if wrong := steps.disagreement(peer, WORKLOADS[workload], runs[0]["loss"]):
            results["failed"][f"steps {workload} {peer}"] = wrong
            continue
        found = summary([run["microseconds"] for run in runs])
        found["first_epoch_seconds"] = median(run["first_epoch_seconds"] for run in runs)
        results["steps"][workload][peer] = found


def run_first(options: argparse.Namespace, results: dict[str, Any]) -> None:
    """Milliseconds of the first step and megabytes, for each workload and peer that trains batch by batch."""
    pairs = [
        (workload, peer)
        for workload in options.workloads
        for peer in options.peers
        if not WORKLOADS[workload].channels and peer not in ("numpy_by_hand", "sklearn_mlp")
    ]
    jobs = {
        f"{workload} {peer}": (load_peer(peer).REQUIRES, ["-m", "benchmarks.first", peer, workload])
        for workload, peer in pairs
    }
    measured = run("first", jobs, options, results)
    for what in ("milliseconds", "megabytes", "added"):
        results[f"first {what}"] = {
            workload: {
                peer: summary([r[what] for r in measured[f"{workload} {peer}"]])
                for other, peer in pairs
                if other == workload and measured.get(f"{workload} {peer}")
            }
            for workload in options.workloads
        }


def run_models(options: argparse.Namespace, results: dict[str, Any]) -> None:
    """Microseconds per step of recurrent networks and attention."""
    pairs = [(model, peer) for model in models.MODELS for peer in models.PEERS if peer in options.peers]
    jobs = {
        f"{model} {peer}": (
            load_peer(peer).REQUIRES,
            ["-m", "benchmarks.models", peer, model, str(options.seconds)],
        )
        for model, peer in pairs
    }
    measured = run("models", jobs, options, results)
    results["models"] = {model: {} for model in models.MODELS}
    for model, peer in pairs:
        runs = measured.get(f"{model} {peer}")
        if not runs:
            continue
        if wrong := models.disagreement(model, runs[0]["loss"]):
            results["failed"][f"models {model} {peer}"] = wrong
            continue
        found = summary([run["microseconds"] for run in runs])
        found["first_epoch_seconds"] = median(run["first_epoch_seconds"] for run in runs)
        results["models"][model][peer] = found


def run_variants(options: argparse.Namespace, results: dict[str, Any]) -> None:
    """Microseconds per step of the networks trained in other ways."""
    names = [name for name in variants.VARIANTS if name.split()[0] in options.workloads]
    jobs = {
        f"{name} {peer}": (needed, ["-m", "benchmarks.variants", peer, name, str(options.seconds)])
        for name in names
        for peer, (_, needed, _, same) in variants.PEERS.items()
        if same in options.peers
    }
    measured = run("variants", jobs, options, results)
    results["variants"] = {
        name: {
            peer: summary([r["microseconds"] for r in measured[f"{name} {peer}"]])
            for peer in variants.PEERS
            if measured.get(f"{name} {peer}")
        }
        for name in names
    }


def run_imports(options: argparse.Namespace, results: dict[str, Any]) -> None:
    """Milliseconds of `import`."""
    imports.compile_sources()
    jobs = {name: ((name,), imports.worker(name)) for name in imports.MODULES}
    measured = run("imports", jobs, options, results)
    results["imports"] = {name: summary([r["milliseconds"] for r in runs]) for name, runs in measured.items()}


def run_loaders(options: argparse.Namespace, results: dict[str, Any]) -> None:
    """Microseconds per batch of the DataLoader."""
    jobs = {
        name: ((name,), ["-m", "benchmarks.loaders", name, str(options.seconds)])
        for name in loaders.LIBRARIES
    }
    measured = run("loaders", jobs, options, results)
    results["loaders"] = {name: summary([r["microseconds"] for r in runs]) for name, runs in measured.items()}


def run_sizes(options: argparse.Namespace, results: dict[str, Any]) -> None:
    """Megabytes on the disk; these are counted once."""
    if absent := missing(("packaging",)):
        results["skipped"]["sizes"] = absent
    else:
        results["sizes"] = sizes.installed_sizes()


SUITES = {
    "steps": run_steps,
    "first": run_first,
    "models": run_models,
    "variants": run_variants,
    "imports": run_imports,
    "loaders": run_loaders,
    "sizes": run_sizes,
}


def listed(names: list[str]) -> Any:
    """An argument type: some of `names`, separated by commas."""

    def parse(text: str) -> list[str]:
        chosen = text.split(",")
        unknown = [name for name in chosen if name not in names]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(names)}")
        return chosen

    return parse


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The options of the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    suites, workloads, peers = list(SUITES), list(WORKLOADS), peer_names()
    add = parser.add_argument
    add("--suites", type=listed(suites), default=suites, metavar="A,B", help=f"of {', '.join(suites)}")
    add(
        "--workloads",
        type=listed(workloads),
        default=workloads,
        metavar="A,B",
        help=f"of {', '.join(workloads)}",
    )
    add("--peers", type=listed(peers), default=peers, metavar="A,B", help=f"of {', '.join(peers)}")
    add("--rounds", type=int, default=5, help="fresh processes per measurement (default 5)")
    add("--seconds", type=float, default=0.5, help="least time of one timing (default 0.5)")
    add("--threads", type=int, help="threads of every library (default: as each chooses)")
    add("--json", action="store_true", help="print one JSON object instead of tables")
    add("--markdown", type=Path, metavar="FILE", help="also write the tables to a Markdown page")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen suites; 1 if a worker failed or a peer trained something else."""
    options = parse_arguments(arguments)
    given = sys.argv[1:] if arguments is None else arguments
    results: dict[str, Any] = {
        "version": 1,
        "machine": report.machine(),
        "command": " ".join(["python -m benchmarks", *given]),
        "options": {"rounds": options.rounds, "seconds": options.seconds, "threads": options.threads},
        "skipped": {},
        "failed": {},
    }
    for suite in options.suites:
        SUITES[suite](options, results)
    print(json.dumps(results, indent=2) if options.json else report.as_text(results))
    if options.markdown:
        options.markdown.write_text(report.as_markdown(results), encoding="utf-8")
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
