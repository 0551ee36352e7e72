"""``stepgrad evaluate``: the score of a trained network on rows whose answer is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from stepgrad.cli.help import Command
from stepgrad.cli.options import json_option, lang_option, quiet_option
from stepgrad.cli.output import Output
from stepgrad.cli.problems import check_column, read_data
from stepgrad.cli.runs import load_model

if TYPE_CHECKING:
    from stepgrad.data.table.frame import Table
    from stepgrad.train.table.evaluate import Evaluation
    from stepgrad.train.table.model import TableModel


@click.command(
    cls=Command,
    short_help="Scores a network on rows with known answers.",
    help="Compares a network's predictions with the answers that a table has in its target column.",
    arguments=[
        ("RUN", "The folder of a run, or a model file."),
        ("DATA", "A CSV or Parquet file with the columns that the network was trained on, and the target."),
    ],
    examples=[
        ("stepgrad evaluate runs/houses-1 later.csv", "a table of scores"),
        ("stepgrad evaluate runs/houses-1 later.csv --json", "for programs"),
    ],
)
@click.argument("run", type=click.Path())
@click.argument("data", type=click.Path())
@json_option
@quiet_option
@lang_option
@click.pass_obj
def evaluate(output: Output, run: str, data: str) -> None:
    """Evaluate, then say the scores."""
    from stepgrad.train.table.evaluate import evaluate_table

    model, path = load_model(run)
    table = read_data(data)
    check_column(table, model.target)
    evaluation = evaluate_table(model, table)
    output.notes([*table.notes, *_seen(model, table, data), *evaluation.notes])
    if output.json:
        output.json_object(_to_json(evaluation, model, run, path))
    else:
        _print_scores(evaluation, model, output)


def _seen(model: TableModel, table: Table, data: str) -> list[str]:
    """Return a sentence if the table is the one of the run, most of whose rows were trained on."""
    from stepgrad.train.table.job import fingerprint

    if model.record.get("fingerprint") != fingerprint(table):
        return []
    return [
        f"'{data}' is the table of the run, and the network was trained on most of its rows: the score on "
        f"new rows is the one of the run's test."
    ]


def _to_json(evaluation: Evaluation, model: TableModel, run: str, path: str) -> dict[str, Any]:
    from stepgrad.train.table.result import scores_to_json

    said: dict[str, Any] = {
        "version": 1,
        "task": model.task,
        "target": model.target,
        "rows": len(evaluation.rows),
        "scores": scores_to_json(evaluation.scores),
        "run": run,
        "model": path,
    }
    if evaluation.confusion is not None:
        said["confusion"] = {"classes": model.classes, "counts": evaluation.confusion}
    return said


def _print_scores(evaluation: Evaluation, model: TableModel, output: Output) -> None:
    from stepgrad.cli.summary import score_table

    words = output.words
    output.result(words("{count:row/rows} with a known answer", count=len(evaluation.rows)))
    output.print(
        score_table(
            evaluation.scores,
            words,
            model.record.get("test", {}),
            words("test of the run"),
            output.console().width,
        )
    )
