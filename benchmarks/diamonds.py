"""`stepgrad train` against a PyTorch script, on the prices of 53,940 diamonds: time to the same loss.

``python -m benchmarks.diamonds --data diamonds.csv`` runs both in fresh processes, in turn, with several
seeds; ``--write`` writes docs/diamonds.md. The script, `benchmarks.diamonds_torch`, is handed the columns as
stepgrad prepares them. With ``--worker SEED`` this file is stepgrad's own process, which prints one line of
JSON like the script's.
"""

from time import perf_counter

BEGAN = perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Mapping  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402
from typing import Any  # noqa: E402

TARGET = "price"
OURS = "stepgrad train"
THREADS = (1, 2)

Run = dict[str, Any]  # {"before": seconds until the first step, "curve": [[seconds, validation loss], …]}
Runs = Mapping[str, Mapping[int, list[Run]]]  # of each program, by seed


def train(path: Path, seed: int, epochs: int | None) -> Run:
    """Train as the command does, checkpoints, log and health included, in a folder that is thrown away."""
    from stepgrad.data.table.read import read_table
    from stepgrad.train.callbacks import Callback
    from stepgrad.train.table.job import train_table
    from stepgrad.train.table.settings import TableSettings

    class Clock(Callback):
        start = 0.0

        def __init__(self) -> None:
            self.curve: list[list[float]] = []

        def on_fit_begin(self, trainer: Any) -> None:
            self.start = perf_counter()

        def on_epoch_end(self, trainer: Any) -> None:
            self.curve.append([perf_counter() - self.start, trainer.history[-1]["validation_loss"]])

    clock = Clock()
    # Of so many rows there is no second training on all of them.
    settings = TableSettings(TARGET, seed=seed, epochs=epochs, refit=False)
    with tempfile.TemporaryDirectory() as folder:
        train_table(read_table(path), settings, folder, [clock])
    return {"before": clock.start - BEGAN, "curve": clock.curve}


def prepared(path: Path, seed: int) -> dict[str, Any]:
    """The training and validation rows of a seed, prepared as `stepgrad train` does, for the script."""
    from stepgrad.data.table.prepare import Preparation
    from stepgrad.data.table.read import read_table
    from stepgrad.data.table.split import split_rows
    from stepgrad.data.table.task import find_task

    from .diamonds_torch import NAMES

    table = read_table(path)
    task = find_task(table, TARGET)
    split = split_rows(table.column(TARGET), task, seed=seed)
    preparation = Preparation.fit(table, TARGET, task, split.train, True)
    arrays = []
    for rows in (split.train, split.validation):
        arrays.append(preparation.transform(table, rows).numbers)
        arrays.append(preparation.target_values(table, rows).astype("float32")[:, None])
    return dict(zip(NAMES, arrays, strict=True))


def common_loss(runs: list[Run]) -> float:
    """The lowest validation loss that every run reaches: the worst of their best."""
    return max(min(loss for _, loss in run["curve"]) for run in runs)


def seconds_to(loss: float, run: Run) -> float:
    """The seconds of training after which a run's validation loss is at most `loss`."""
    return next(seconds for seconds, reached in run["curve"] if reached <= loss)


def fewest_epochs(loss: float, run: Run) -> int:
    """The epochs after which a run's validation loss is at most `loss`."""
    return 1 + next(i for i, (_, reached) in enumerate(run["curve"]) if reached <= loss)


def by_seed(runs: Runs, value: Any) -> dict[str, dict[int, list[float]]]:
    """`value(loss, run)` of every run, where `loss` is the one that all runs of the seed reach."""
    first = next(iter(runs.values()))
    goals = {seed: common_loss([run for each in runs.values() for run in each[seed]]) for seed in first}
    return {
        name: {seed: [value(goals[seed], run) for run in found] for seed, found in each.items()}
        for name, each in runs.items()
    }


def ratio(runs: Runs, value: Any) -> float:
    """How many times as long the better of the others takes as stepgrad: the median over the seeds of the
    quotients of medians; the better one is the one with the lower median over all its runs.
    """
    found = by_seed(runs, value)

    def over_all(name: str) -> float:
        return median(each for several in found[name].values() for each in several)

    best = min((name for name in found if name != OURS), key=over_all)
    return median(median(found[best][seed]) / median(found[OURS][seed]) for seed in found[OURS])


def whole(loss: float, run: Run) -> float:
    """The seconds from the start of the process until the loss."""
    return run["before"] + seconds_to(loss, run)


COLUMNS: dict[str, Any] = {
    "training to the loss, s": seconds_to,
    "epochs to the loss": fewest_epochs,
    "all epochs, s": lambda _, run: run["curve"][-1][0],
    "first epoch, s": lambda _, run: run["curve"][0][0],
    "an epoch later, ms": lambda _, run: median(
        1e3 * (b[0] - a[0]) for a, b in zip(run["curve"], run["curve"][1:])
    ),
    "before the first step, s": lambda _, run: run["before"],
    "best validation loss": lambda _, run: min(loss for _, loss in run["curve"]),
}


def rows_of(runs: Runs) -> list[list[str]]:
    """The table of results: medians over the seeds, with their range."""
    rows = [["", *COLUMNS]]
    found = {title: by_seed(runs, value) for title, value in COLUMNS.items()}
    for name in runs:
        cells = []
        for each in found.values():
            values = [median(several) for several in each[name].values()]
            cells.append(f"{median(values):.3g} ({min(values):.3g}–{max(values):.3g})")
        rows.append([name, *cells])
    return rows


def measure(
    path: Path, seeds: int, rounds: int, epochs: int | None, tell: Any, keep: Path | None
) -> dict[str, Any]:
    """Run every program with every seed in each of the rounds; a failure is an error."""
    import numpy as np

    from .processes import WorkerFailed, interleave

    jobs: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            file = Path(folder) / f"{seed}.npz"
            np.savez(file, **prepared(path, seed))
            own = ["-m", "benchmarks.diamonds", "--data", str(path), "--worker", str(seed)]
            script = ["-m", "benchmarks.diamonds_torch", str(file), "--seed", str(seed)]
            limit = ["--epochs", str(epochs)] if epochs else []
            jobs[f"{seed} {OURS}"] = own + limit
            for threads in THREADS:
                title = f"{seed} PyTorch, {threads} thread{'s' * (threads > 1)}"
                jobs[title] = [*script, "--threads", str(threads), *limit]
        results, failed = interleave(jobs, rounds, None, tell, keep)
    if failed:
        raise WorkerFailed("; ".join(f"{name}: {reason}" for name, reason in failed.items()))
    return grouped(results)


def grouped(results: Mapping[str, list[Run]]) -> dict[str, dict[int, list[Run]]]:
    """The runs by program and seed, of those by "seed program"; of a seed that lacks one, none."""
    lacking = {key.partition(" ")[0] for key, found in results.items() if not found}
    runs: dict[str, dict[int, list[Run]]] = {}
    for key, found in results.items():
        seed, _, name = key.partition(" ")
        if seed not in lacking:
            runs.setdefault(name, {})[int(seed)] = found
    return runs


def summary(runs: Runs) -> str:
    """The table and the ratios, in Markdown."""
    from .tables import markdown

    return (
        f"{markdown(rows_of(runs))}\n\n"
        f"To the same validation loss PyTorch trains **{ratio(runs, seconds_to):.3g} times** as long; with "
        f"all that comes before the first step it takes {ratio(runs, whole):.3g} times as long."
    )


def page(runs: Runs) -> str:
    """docs/diamonds.md."""
    from .report import machine

    facts = machine()
    versions = ", ".join(
        f"{name} {facts['versions'][name]}" for name in ("numpy", "torch") if name in facts["versions"]
    )
    first = next(iter(runs.values()))
    return PAGE.format(
        summary=summary(runs),
        seeds=len(first),
        rounds=max(map(len, first.values())),
        machine=f"{facts['processor']}, {facts['cores']} cores, Python {facts['python']}, {versions}",
    )


PAGE = """\
# A table of 53,940 rows, beside PyTorch

How long `stepgrad train diamonds.csv --target price` takes to a validation loss, beside a PyTorch script that
trains the same network in the same way. Written by
`python -m benchmarks.diamonds --data diamonds.csv --write`.

{summary}

Medians over {seeds} seeds, their range in brackets; each seed draws other training (70 %), validation (15 %)
and test rows, and other first weights. Each program ran {rounds} times with each seed, every run a process of
its own, one at a time, in turn ({machine}).

- Both train 26-64-64-1 with ReLU on 37,758 rows of columns that stepgrad prepared: mean squared error, AdamW,
  batches of 256, 41 epochs, the learning rate along half a cosine from 0.003 to 0, weights decayed by 0.01
  and biases not; they keep the weights of the best epoch.
- **The loss** is, for each seed, the lowest validation loss that every run of it reaches: the worst of their
  best. The time to it counts from the first step, what is compiled or set up in that step included.
- **stepgrad train** is all that the command does, so that its epochs also hold the validation score, the
  examination of the network's health, the log and the checkpoints. Before the first step it imports, reads
  the file and prepares the columns.
- **PyTorch** is [the script](../benchmarks/diamonds_torch.py): tensors in memory, no `DataLoader`, batches as
  slices of the rows in random order, the fused optimizer. Before the first step it imports PyTorch and reads
  the prepared columns; preparing them is not in its time. The ratio is that to the faster number of threads.
"""


def main() -> None:
    """Read the options; measure and print, or be the worker."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diamonds", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="the table diamonds.csv")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=1, help="runs with each seed (default 1)")
    parser.add_argument("--epochs", type=int, help="other than those chosen from the data, for a quick try")
    parser.add_argument("--keep", type=Path, help="a JSON file of runs: those in it are not run again")
    parser.add_argument("--write", action="store_true", help="write docs/diamonds.md")
    parser.add_argument("--worker", type=int, metavar="SEED", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        print(json.dumps(train(options.data, options.worker, options.epochs)))
        return

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    runs = measure(options.data, options.seeds, options.rounds, options.epochs, tell, options.keep)
    print(summary(runs))
    if options.write:
        target = Path(__file__).parent.parent / "docs" / "diamonds.md"
        target.write_text(page(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
