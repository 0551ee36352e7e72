"""The command ``python -m benchmarks.tables``: the default network against scikit-learn's estimators on
tables.

Every method is trained and tested on the same rows: 70 % for training, 15 % for validation, 15 % for the
test, drawn anew with each seed. stepgrad sees when to stop by the validation rows and then trains on them as
well; the others get training and validation rows together. Everything runs with default settings.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from stepgrad.data.builtin import builtin_path
from stepgrad.data.table.columns import Dates, Numbers
from stepgrad.data.table.frame import Table
from stepgrad.data.table.read import read_table
from stepgrad.data.table.split import Split, split_rows
from stepgrad.data.table.task import Task, find_task
from stepgrad.train.metrics import accuracy, r2
from stepgrad.train.table.job import train_table
from stepgrad.train.table.settings import TableSettings

from .report import machine

TARGETS = {"diamonds": "price", "digits": "digit", "iris": "species", "mpg": "hwy", "penguins": "species"}
"""The columns to predict in tables known by name; in others it is the last one."""

Scores = dict[str, dict[str, Any]]  # by "table/seed/method": {"score", "seconds"}


class Case:
    """A table with its target, and its rows as the scikit-learn estimators take them."""

    def __init__(self, path: Path):
        self.name = path.name.split(".")[0]
        self.table: Table = read_table(path)
        self.target = TARGETS.get(self.name, self.table.names[-1])
        self.task: Task = find_task(self.table, self.target)
        column = self.table.column(self.target)
        self.answers = column.labels()[0] if self.task.classes else column.values.astype(float)
        inputs = self.table.without(self.target)
        self.numeric = [name for name, column in inputs if isinstance(column, Numbers | Dates)]
        self.texts = [name for name in inputs.names if name not in self.numeric]
        self.frame = frame(inputs)

    def split(self, seed: int) -> Split:
        """The rows of a seed, the same for every method."""
        return split_rows(self.table.column(self.target), self.task, seed=seed)

    def score(self, predicted: np.ndarray, rows: np.ndarray) -> float:
        """Accuracy, or R² for regression."""
        measure = accuracy if self.task.classes else r2
        return measure(predicted, self.answers[rows])


def frame(table: Table) -> Any:
    """The table as a pandas DataFrame of numbers and texts, NaN where cells are missing."""
    import pandas as pd

    columns = {}
    for name, column in table:
        if isinstance(column, Numbers):
            columns[name] = column.values.astype(float)
        elif isinstance(column, Dates):
            days = (column.values - np.datetime64("1970-01-01")) / np.timedelta64(1, "D")
            columns[name] = days.astype(float)
        else:
            codes, labels = column.labels()
            columns[name] = pd.Series(np.array([*labels, np.nan], dtype=object)[codes], dtype=object)
    return pd.DataFrame(columns)


def network(case: Case, split: Split, seed: int) -> float:
    """stepgrad, all settings chosen by itself."""
    result = train_table(case.table, TableSettings(case.target, seed=seed))
    return result.test["accuracy" if case.task.classes else "r2"].value


def scaled_columns(case: Case) -> Any:
    """The usual preparation: impute and scale numbers, impute texts and turn each into a column."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    texts = make_pipeline(SimpleImputer(strategy="most_frequent"),
                          OneHotEncoder(handle_unknown="ignore"))  # fmt: skip
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer([("numbers", numbers, case.numeric), ("texts", texts, case.texts)])


def perceptron(case: Case, split: Split, seed: int) -> float:
    """scikit-learn's MLP behind impute, one-hot and scale."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline

    kind = MLPClassifier if case.task.classes else MLPRegressor
    return fitted_score(case, split, make_pipeline(scaled_columns(case), kind(random_state=seed)))


def scaled_perceptron(case: Case, split: Split, seed: int) -> float:
    """The same with a standardised target, which its author's example needs for regression."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if case.task.classes:
        return float("nan")
    model = TransformedTargetRegressor(MLPRegressor(random_state=seed), transformer=StandardScaler())
    return fitted_score(case, split, make_pipeline(scaled_columns(case), model))


def boosted_trees(case: Case, split: Split, seed: int) -> float:
    """scikit-learn's HistGradientBoosting, texts as its categories where it takes so many."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    few = [name for name in case.texts if case.frame[name].nunique() < 255]
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan
    )
    columns = ColumnTransformer(
        [("texts", encoder, case.texts)], remainder="passthrough", verbose_feature_names_out=False
    )
    columns.set_output(transform="pandas")
    kind = HistGradientBoostingClassifier if case.task.classes else HistGradientBoostingRegressor
    return fitted_score(
        case, split, make_pipeline(columns, kind(categorical_features=few, random_state=seed))
    )


def trivial(case: Case, split: Split, seed: int) -> float:
    """The most frequent class, or the mean, of the training rows."""
    known = case.answers[split.train]
    answer = np.bincount(known).argmax() if case.task.classes else known.mean()
    return case.score(np.full(len(split.test), answer), split.test)


def fitted_score(case: Case, split: Split, model: Any) -> float:
    """Fit on the training and validation rows, score on the test rows."""
    rows = np.sort(np.concatenate([split.train, split.validation]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that 200 iterations were not enough is the default's own affair
        model.fit(case.frame.iloc[rows], case.answers[rows])
    return case.score(model.predict(case.frame.iloc[split.test]), split.test)


METHODS: dict[str, Callable[[Case, Split, int], float]] = {
    "stepgrad": network,
    "MLP": perceptron,
    "MLP with scaled target": scaled_perceptron,
    "HistGradientBoosting": boosted_trees,
    "trivial": trivial,
}


def measure(case: Case, seeds: int, methods: list[str], known: Scores, tell: Callable[[str], None]) -> None:
    """Add the scores that `known` lacks."""
    for seed in range(seeds):
        split = case.split(seed)
        for method in methods:
            key = f"{case.name}/{seed}/{method}"
            if key in known:
                continue
            began = time.perf_counter()
            score = METHODS[method](case, split, seed)
            known[key] = {"score": score, "seconds": time.perf_counter() - began}
            tell(f"{key}: {score:.4f} in {known[key]['seconds']:.1f} s")


def cell(scores: list[float]) -> str:
    """Mean and standard deviation over the seeds."""
    if any(np.isnan(scores)):
        return "–"
    return f"{mean(scores):.4f} ± {stdev(scores) if len(scores) > 1 else 0.0:.4f}"


def rows_of(cases: list[Case], seeds: int, methods: list[str], known: Scores) -> list[list[str]]:
    """The table of results, a row for each case."""
    rows = [["table", "rows", "target", "score", *methods, "seconds"]]
    for case in cases:
        of = {method: [known[f"{case.name}/{seed}/{method}"] for seed in range(seeds)] for method in methods}
        rows.append([
            case.name, f"{len(case.table):,}", f"`{case.target}`", "accuracy" if case.task.classes else "R²",
            *(cell([each["score"] for each in of[method]]) for method in methods),
            f"{mean(each['seconds'] for each in of[methods[0]]):.1f}",
        ])  # fmt: skip
    return rows


def markdown(rows: list[list[str]]) -> str:
    """The rows as a Markdown table, the first one its head."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def distances(cases: list[Case], seeds: int, known: Scores) -> str:
    """Sentences that compare the means over the seeds."""
    sentences = []
    for case in cases:

        def of(method: str, case: Case = case) -> float:
            return mean(known[f"{case.name}/{seed}/{method}"]["score"] for seed in range(seeds))

        to_mlp, to_trees = of("stepgrad") - of("MLP"), of("stepgrad") - of("HistGradientBoosting")
        sentences.append(f"- {case.name}: {to_mlp:+.4f} to the MLP, {to_trees:+.4f} to HistGradientBoosting.")
    return "\n".join(sentences)


def page(cases: list[Case], seeds: int, methods: list[str], known: Scores) -> str:
    """docs/tables.md."""
    details = machine()
    versions = ", ".join(f"{name} {details['versions'][name]}" for name in ("numpy", "scikit-learn"))
    return PAGE.format(
        seeds=seeds,
        table=markdown(rows_of(cases, seeds, methods, known)),
        distances=distances(cases, seeds, known),
        machine=f"{details['processor']}, {details['cores']} cores, Python {details['python']}, {versions}",
    )


PAGE = """\
# Scores on tables

What `stepgrad train` reaches with its default settings, beside scikit-learn's estimators with theirs. Written
by `python -m benchmarks.tables --data FOLDER --write`, which anyone can repeat, also with tables of their
own.

{table}

Accuracy or R² on the test rows, mean ± standard deviation over {seeds} seeds; each seed draws other training
(70 %), validation (15 %) and test rows (15 %), the same for every method. The scikit-learn estimators are
trained on the training and validation rows together. The last column is stepgrad's time for a whole run, in
seconds, the importance of the inputs included ({machine}).

- **MLP**: `MLPClassifier` or `MLPRegressor` behind a `ColumnTransformer`: `SimpleImputer` and
  `StandardScaler` for numbers, `SimpleImputer` and `OneHotEncoder(handle_unknown="ignore")` for texts.
  **MLP with scaled target**: the same with a standardised target, which is not its default but does it more
  justice in regression.
- **HistGradientBoosting**: `HistGradientBoostingClassifier` or `…Regressor`, texts as its own categories.
- **trivial**: always the most frequent class, or the mean.

stepgrad's distance, in the unit of the score:

{distances}
"""


def main() -> None:
    """Read the options, measure, print or write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument(
        "--data", type=Path, help="a folder of CSV or Parquet tables; without it, the bundled ones"
    )
    parser.add_argument("--tables", help="names of tables, separated by commas; all by default")
    parser.add_argument("--methods", default=",".join(METHODS), help="separated by commas; all by default")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="a JSON file of scores: those in it are not measured again")
    parser.add_argument("--write", action="store_true", help="write docs/tables.md")
    options = parser.parse_args()
    if options.data is None:
        paths = [builtin_path("digits"), builtin_path("iris")]
    else:
        kinds = (".csv", ".csv.gz", ".parquet")
        paths = sorted(path for path in options.data.iterdir() if path.name.endswith(kinds))
    chosen = options.tables.split(",") if options.tables else None
    cases = [Case(path) for path in paths if chosen is None or path.name.split(".")[0] in chosen]
    if not cases:
        parser.error(f"no tables in '{options.data}'")
    asked = options.methods.split(",")
    if unknown := [method for method in asked if method not in METHODS]:
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(METHODS)}")
    methods = [method for method in METHODS if method in asked]
    known: Scores = {}
    if options.keep and options.keep.exists():
        known = json.loads(options.keep.read_text(encoding="utf-8"))

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)
        if options.keep:
            options.keep.write_text(json.dumps(known, indent=1), encoding="utf-8")

    for case in cases:
        measure(case, options.seeds, methods, known, tell)
    print(markdown(rows_of(cases, options.seeds, methods, known)))
    if options.write:
        target = Path(__file__).parent.parent / "docs" / "tables.md"
        target.write_text(page(cases, options.seeds, methods, known), encoding="utf-8")


if __name__ == "__main__":
    main()
