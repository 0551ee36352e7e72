"""``stepgrad predict``: adds a prediction, and how sure it is, to every row of a table."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from stepgrad.cli.help import Command
from stepgrad.cli.options import json_option, lang_option, quiet_option
from stepgrad.cli.output import Output, writing_results
from stepgrad.cli.problems import read_data
from stepgrad.cli.runs import load_model
from stepgrad.cli.tables import check_output, rows_with, write_csv, write_table

if TYPE_CHECKING:
    from stepgrad.data.table.frame import Table
    from stepgrad.train.table.predictions import Predictions


@click.command(
    cls=Command,
    short_help="Adds predictions to the rows of a table.",
    help=(
        "Adds two columns to every row of a table: the prediction and, for classes, its probability. "
        "Without -o the rows go to standard output as CSV. Predicted numbers stay within the range that the "
        "target had in training and a tenth of it on either side, but for linear models."
    ),
    arguments=[
        ("RUN", "The folder of a run, or a model file."),
        ("DATA", "A CSV or Parquet file with the columns that the network was trained on."),
    ],
    examples=[
        ("stepgrad predict runs/houses-1 new.csv -o predicted.csv", "writes a CSV file"),
        ("stepgrad predict runs/houses-1 new.csv | head", "looks at the first rows"),
        ("stepgrad predict runs/houses-1 new.csv --json", "for programs"),
    ],
)
@click.argument("run", type=click.Path())
@click.argument("data", type=click.Path())
@click.option("--out", "-o", metavar="FILE", type=click.Path(), help="Write to this .csv or .parquet file.")
@json_option
@quiet_option
@lang_option
@click.pass_obj
def predict(output: Output, run: str, data: str, out: str | None) -> None:
    """Predict, then write the rows."""
    if out is not None:
        check_output(out, data)
    model, path = load_model(run)
    table = read_data(data)
    predictions = model.predict(table)
    output.notes([*table.notes, *predictions.notes])
    added = _columns(predictions)
    if out is not None or not output.json:
        _write_rows(data, table, added, out)
    if out is not None:
        output.note(output.words("{count:row/rows} written to {path}", count=len(table), path=out))
    if output.json:
        said = {"version": 1, "task": model.task, "target": model.target, "rows": len(table)}
        place = {"run": run, "model": path}
        output.json_object(said | place | ({"output": out} if out else {"predictions": _objects(added)}))


def _write_rows(data: str, table: Table, added: dict[str, list[Any]], out: str | None) -> None:
    import polars

    series = {name: polars.Series(values) for name, values in added.items()}
    frame = rows_with(data, table, series, as_text=out is None or out.lower().endswith(".csv"))
    if out is None:
        with writing_results():
            write_csv(frame, sys.stdout.buffer)
    else:
        write_table(frame, out)


def _columns(predictions: Predictions) -> dict[str, list[Any]]:
    """Return the columns to be added: "prediction" and, for classes, "probability".

    Numbers are those that were computed, float64; all writers give the shortest digits that mean just these.
    """
    if predictions.values is not None:
        return {"prediction": predictions.values.tolist()}
    assert predictions.labels is not None
    assert predictions.probabilities is not None
    return {"prediction": predictions.labels, "probability": predictions.probabilities.max(axis=1).tolist()}


def _objects(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row)) for row in zip(*columns.values())]
