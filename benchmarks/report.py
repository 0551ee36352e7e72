"""The results as tables: for the terminal, and as a Markdown page."""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .loaders import BATCH, COLUMNS, ROWS
from .models import MODELS
from .peers import load_peer
from .variants import PEERS, TITLES
from .workloads import WORKLOADS

Table = list[list[str]]

METHOD = """\
Every number is the median over fresh processes that ran in interleaved rounds, one at a time, so that what
else the machine did hit all of them alike; brackets hold the range over the rounds. A step is forward, loss,
backward and Adam, in float32, from the same first weights, on batches that are ready in memory. The loss of
each peer after one epoch is compared with a float64 reference's; one that is off is not in the table.

Where the CPU has AMX, stepgrad's large products run on it with the accuracy of float32 (docs/compile.md)."""


def machine() -> dict[str, Any]:
    """Processor, cores, system and versions; nothing that names this one computer."""
    processor = platform.processor() or platform.machine()
    details = Path("/proc/cpuinfo")
    if details.exists():
        lines = [line.partition(":") for line in details.read_text(encoding="utf-8").splitlines()]
        facts = {name.strip(): value.strip() for name, _, value in lines}
        processor = facts.get("model name", processor)
        processor += " with AMX" if "amx_bf16" in facts.get("flags", "").split() else ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = {}
    for name in ("numpy", "torch", "jax", "scikit-learn"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "processor": processor,
        "cores": cores,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def number(value: float) -> str:
    """Three significant digits: 0.0912, 24.1, 405, 12,300."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:#.3g}".rstrip(".")


def cell(result: dict[str, Any] | None) -> str:
    """A median with its range, where there is one; or a dash."""
    if result is None:
        return "–"
    if result["low"] == result["high"]:
        return number(result["median"])
    return f"{number(result['median'])} ({number(result['low'])}–{number(result['high'])})"


def ratio(value: float) -> str:
    """How many times as long: 1.27×."""
    return f"{number(value)}×"


def step_table(steps: dict[str, dict[str, dict[str, Any]]]) -> Table:
    """Microseconds per step, a row for each peer, and rows of ratios for each of stepgrad's own modes."""
    peers = list(dict.fromkeys(peer for results in steps.values() for peer in results))
    ours = [peer for peer in peers if peer.startswith("stepgrad")]
    others = [peer for peer in peers if peer not in ours]
    rows = [["µs per step", *steps]]
    for peer in peers:
        rows.append([load_peer(peer).TITLE, *(cell(results.get(peer)) for results in steps.values())])
    for own in ours:
        title = load_peer(own).TITLE
        best, eager = [f"best peer ÷ {title}"], [f"PyTorch eager ÷ {title}"]
        for results in steps.values():
            mine = results[own]["median"] if own in results else None
            medians = [results[peer]["median"] for peer in others if peer in results]
            torch = results.get("torch_eager")
            best.append(ratio(min(medians) / mine) if mine and medians else "–")
            eager.append(ratio(torch["median"] / mine) if mine and torch else "–")
        rows += [best, eager]
    return rows


FIRST = {
    "milliseconds": "first step, compiled where the peer compiles, ms",
    "megabytes": "most memory of the whole process, MB",
    "added": "of that, after the imports, MB",
}


def first_table(title: str, found: dict[str, dict[str, dict[str, Any]]]) -> Table:
    """A row for each peer, a column for each workload."""
    peers = dict.fromkeys(peer for results in found.values() for peer in results)
    return [
        [title, *found],
        *([load_peer(peer).TITLE, *(cell(r.get(peer)) for r in found.values())] for peer in peers),
    ]


def variant_table(results: dict[str, dict[str, dict[str, Any]]]) -> Table:
    """Microseconds per step of each variant by each peer, and how far stepgrad is ahead of the best other."""
    rows = [["µs per step", *(title for title, *_ in PEERS.values()), "best peer ÷ stepgrad compiled"]]
    for name, found in results.items():
        workload, change = name.split()
        medians = [found[peer]["median"] for peer in PEERS if peer != "stepgrad" and peer in found]
        ahead = min(medians) / found["stepgrad"]["median"] if medians and "stepgrad" in found else None
        cells = [cell(found.get(peer)) for peer in PEERS]
        rows.append([f"{workload}, {TITLES[change]}", *cells, ratio(ahead) if ahead else "–"])
    return rows


def simple_table(title: str, unit: str, results: dict[str, dict[str, Any]]) -> Table:
    """One median per name, and how many times the first one's that is."""
    first = next(iter(results.values()))["median"]
    rows = [[title, unit, f"÷ {next(iter(results))}"]]
    return rows + [[name, cell(result), ratio(result["median"] / first)] for name, result in results.items()]


def size_table(sizes: dict[str, dict[str, float]]) -> Table:
    """Megabytes alone and with what is needed."""
    rows = [["installed size, MB", "alone", "with all it needs", "distributions"]]
    for name, size in sizes.items():
        count = str(int(size["distributions"]))
        rows.append([name, number(size["own"]), number(size["with_dependencies"]), count])
    return rows


def tables(results: dict[str, Any]) -> list[Table]:
    """All tables for which there are results."""
    found = []
    if results.get("steps"):
        found.append(step_table(results["steps"]))
    for what, title in FIRST.items():
        if results.get(f"first {what}"):
            found.append(first_table(title, results[f"first {what}"]))
    if results.get("models"):
        found.append(step_table(results["models"]))
    if results.get("variants"):
        found.append(variant_table(results["variants"]))
    if results.get("imports"):
        found.append(simple_table("import, fresh process", "ms", results["imports"]))
    if results.get("loaders"):
        title = f"DataLoader, {ROWS:,} × {COLUMNS} in memory, batch {BATCH}, shuffled"
        found.append(simple_table(title, "µs per batch", results["loaders"]))
    if results.get("sizes"):
        found.append(size_table(results["sizes"]))
    return found


def notes(results: dict[str, Any]) -> Iterable[str]:
    """A line for each peer that was skipped, failed, or trained something else."""
    for name, modules in results["skipped"].items():
        yield f"skipped {name}: {', '.join(modules)} is not installed"
    for name, reason in results["failed"].items():
        yield f"failed {name}: {reason}"


def as_text(results: dict[str, Any]) -> str:
    """Tables for a terminal, the columns lined up."""
    blocks = []
    for table in tables(results):
        widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        lines = [
            "  ".join(
                [
                    row[0].ljust(widths[0]),
                    *(text.rjust(w) for text, w in zip(row[1:], widths[1:], strict=True)),
                ]
            )
            for row in table
        ]
        blocks.append("\n".join([lines[0], "-" * len(lines[0]), *lines[1:]]))
    return "\n\n".join([*blocks, "\n".join(notes(results))]).rstrip()


def _varied(variants: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(name.split()[0] for name in variants))


def as_markdown(results: dict[str, Any]) -> str:
    """A page such as docs/benchmarks.md."""
    facts = results["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    rounds, threads = results["options"]["rounds"], results["options"]["threads"]
    parts = [
        "# Benchmarks",
        f"Written by `{results['command']}`.",
        METHOD,
        f"{facts['processor']}, {facts['cores']} cores, {facts['system']}; "
        f"Python {facts['python']}, {versions}. "
        f"{rounds} round{'s' if rounds > 1 else ''}, "
        + (
            f"{threads} thread{'s' if threads > 1 else ''}."
            if threads
            else "threads as each library chooses."
        ),
    ]
    if results.get("steps"):
        parts.append("\n".join(f"- **{name}**: {WORKLOADS[name]}" for name in results["steps"]))
    if results.get("variants"):
        parts.append("Losses of the variants are not compared, since each library drops other units.")
        parts.append("\n".join(f"- **{name}**: {WORKLOADS[name]}" for name in _varied(results["variants"])))
    if results.get("models"):
        parts.append("\n".join(f"- **{name}**: {MODELS[name]}" for name in results["models"]))
    for table in tables(results):
        lines = ["| " + " | ".join(row) + " |" for row in table]
        parts.append("\n".join([lines[0], "|---|" + "---:|" * (len(table[0]) - 1), *lines[1:]]))
    told = list(notes(results))
    if told:
        parts.append("\n".join(f"- {line}" for line in told))
    return "\n\n".join(parts) + "\n"
