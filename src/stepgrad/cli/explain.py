"""``stepgrad explain``: one training step of a network written out, line by line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy

from stepgrad.cli.help import Command
from stepgrad.cli.options import given_options, lang_option, quiet_option
from stepgrad.cli.output import Output
from stepgrad.cli.problems import BadInput, read_data
from stepgrad.cli.runs import load_model
from stepgrad.errors import DataError, suggest

if TYPE_CHECKING:
    from stepgrad.data.table.frame import Table
    from stepgrad.data.table.prepare import Prepared
    from stepgrad.data.table.target import NumberTarget
    from stepgrad.explain import Worked
    from stepgrad.explain.row import Row
    from stepgrad.train.table.model import TableModel

LAYOUTS = ("auto", "scalar", "matrix")
FORMATS = ("terminal", "markdown", "html", "json")
_FRESH = "the step starts from the trained weights with a fresh optimizer (t = 0)."
_FRESH_WITHOUT_DROPOUT = (
    "the step starts from the trained weights with a fresh optimizer (t = 0), and Dropout is turned off."
)
_SUFFIXES = {".html": "html", ".htm": "html", ".md": "markdown", ".json": "json"}


@click.command(
    cls=Command,
    short_help="Writes out one training step, line by line.",
    help=(
        "Writes out one training step as a person would on paper: forward pass, loss, chain rule, update, "
        "every line with its formula, its numbers and its value. Of a trained network on one row of a table, "
        "or of the small network that comes along as an example."
    ),
    arguments=[
        ("RUN", "The folder of a run, or a model file."),
        ("DATA", "A table with the row; by default the one that the run was trained on."),
    ],
    examples=[
        ("stepgrad explain --example", "a 2-2-1 network, by hand"),
        ("stepgrad explain --example -o step.html", "the same as a page to click through"),
        ("stepgrad explain runs/houses-1 --row 3", "a network of your own on its third row"),
        ("stepgrad explain runs/houses-1 --path '0.weight[3,1]'", "from one weight to the loss"),
    ],
)
@click.argument("run", type=click.Path(), required=False)
@click.argument("data", type=click.Path(), required=False)
@click.option("--example", is_flag=True, help="Explain the example, a 2-2-1 network of sigmoids.")
@click.option("--row", type=click.IntRange(min=1), default=1, show_default=True, help="The row of the table.")
@click.option("--target-class", metavar="CLASS", help="Compare with this answer instead of the row's own.")
@click.option(
    "--layout", type=click.Choice(LAYOUTS), default="auto", help="Numbers line by line, or whole matrices."
)
@click.option("--layer", metavar="LAYER", help="Only this layer: its number from 1, or its path.")
@click.option("--neuron", type=click.IntRange(min=0), help="Only this neuron, counted from 0.")
@click.option(
    "--path", metavar="WEIGHT", help="Only the way from one weight, such as 0.weight[3,1], to the loss."
)
@click.option(
    "--digits", type=click.IntRange(2, 15), default=6, show_default=True, help="Significant digits."
)
@click.option("--round-steps", type=click.IntRange(1, 15), help="Round every value to so many decimals.")
@click.option(
    "--format", "shape", type=click.Choice(FORMATS), help="How it is written; by default as -o ends."
)
@click.option("--out", "-o", metavar="FILE", type=click.Path(), help="Write to this file.")
@quiet_option
@lang_option
@click.pass_obj
def explain(
    output: Output,
    /,
    run: str | None,
    data: str | None,
    example: bool,
    row: int,
    target_class: str | None,
    shape: str | None,
    out: str | None,
    **options: Any,
) -> None:
    """Explain, check, and write."""
    if example == (run is not None):
        raise BadInput("name a run, or ask for the example with --example.")
    options["layer"] = layer_of(options["layer"])
    if run is None:
        _refuse_of_a_table()
        from stepgrad.explain.example import example_step

        worked = example_step(**options)
    else:
        worked = explain_row(output, run, data, row, target_class, options)
    _write(output, worked, shape or _format_of(out), out)


def _refuse_of_a_table() -> None:
    """Raise `BadInput` for an option that the example, which has no table, would leave out of account."""
    for name in given_options(("row", "target_class")):
        raise BadInput(f"{name} is of a run's table; --example has none.")


def layer_of(text: str | None) -> int | str | None:
    """Return the number of a layer; a path (``body.0``, or ``0`` itself) stays text."""
    return int(text) if text is not None and text.isdecimal() and text != "0" else text


def explain_row(
    output: Output, run: str, data: str | None, row: int, target_class: str | None, options: dict[str, Any]
) -> Worked:
    """Return the step of a run's network on a row of its table, or of another."""
    import stepgrad.explain as explanation
    from stepgrad import nn
    from stepgrad.train.table.fit import LOSSES, make_optimizer
    from stepgrad.train.table.settings import TableSettings

    model, _ = load_model(run)
    table, where = _table(run, data)
    if row > len(table):
        raise BadInput(f"there is no row {row}; {where} has {len(table):,} rows.")
    table = table.rows([row - 1])
    prepared = model.preparation.transform(table)
    output.notes([*table.notes, *prepared.notes])
    target = _target(model, table, target_class)
    settings = TableSettings(**model.record["settings"])
    inputs = (prepared.numbers, prepared.codes) if prepared.codes.shape[1] else (prepared.numbers,)
    network = model.network.train()
    left_out = [m for m in network.modules() if isinstance(m, nn.Dropout) and m.p > 0]
    for module in left_out:  # what is left out at random would be drawn anew for every look
        module.eval()
    output.notes([_FRESH_WITHOUT_DROPOUT if left_out else _FRESH])
    worked = explanation.explain(
        network,
        LOSSES[model.task](),
        make_optimizer(network, settings),
        inputs,
        target,
        labels=_labels(model, table, target),
        **options,
    )
    worked.row = _row(worked, model, table, prepared, row, target)
    return worked


def _row(
    worked: Worked, model: TableModel, table: Table, prepared: Prepared, number: int, target: numpy.ndarray
) -> Row:
    """Return the row as the person wrote it, what it became, and what the network answers."""
    from stepgrad.data.table.target import NumberTarget
    from stepgrad.explain.row import Row, read_answers, read_cells
    from stepgrad.words.numbers import number as number_text

    step = worked.step
    after = worked.after.output_after if step.after else None
    known = model.preparation.target
    if not isinstance(known, NumberTarget):
        chosen = int(target.reshape(-1)[0])
        expected = known.classes[chosen]
    else:
        chosen = 0
        expected = number_text(_cell(known, float(target[0, 0])), 6)
    return Row(
        number,
        model.target,
        expected,
        read_cells(model.preparation, table, prepared),
        read_answers(model.preparation, step.output.array, after, chosen),
        bool(model.classes),
    )


def _cell(known: NumberTarget, value: float) -> float:
    """Return the number of the column that was standardised to `value`: the shortest one that was."""
    cell = value * known.scale + known.mean
    shorter = (float(f"{cell:.{digits}g}") for digits in range(1, 9))
    same = numpy.float32(value)
    return next((x for x in shorter if numpy.float32((x - known.mean) / known.scale) == same), cell)


def _table(run: str, data: str | None) -> tuple[Table, str]:
    """Return the table with the row, and how it is called."""
    if data is not None:
        return read_data(data), f"'{data}'"
    from stepgrad.data.builtin import builtin_path
    from stepgrad.train.table.config import NAME, read_config

    if not (Path(run) / NAME).is_file():
        raise BadInput(
            f"name the table with the row after '{run}', which does not say what it was trained on."
        )
    settings, _ = read_config(run)
    path = str(builtin_path("digits")) if settings.data is None else settings.data
    return read_data(path), f"'{path}'"


def _target(model: TableModel, table: Table, asked: str | None) -> numpy.ndarray:
    """Return what the prediction is compared with, as the loss takes it."""
    from stepgrad.data.table.frame import Table

    name = model.target
    if asked is not None:
        cell: Any = asked
        if model.task == "regression":
            try:
                cell = float(asked)
            except ValueError:
                raise BadInput(f"'{asked}' is no number, which '{name}' is.") from None
            if not math.isfinite(cell):
                raise BadInput(f"'{asked}' is no finite number, which '{name}' is.")
        table = Table.from_arrays({name: [cell]})
    elif name not in table.names:
        raise BadInput(f"the row has no '{name}'; say what to compare with by --target-class.")
    try:
        values = model.preparation.target_values(table)
    except DataError:
        if asked is None or model.task == "regression":
            raise
        raise BadInput(
            f"'{name}' has no class '{asked}'.{suggest(asked, model.classes)} The classes are "
            f"{', '.join(model.classes[:8])}{', …' * (len(model.classes) > 8)}."
        ) from None
    return values if model.task == "multiclass" else values.astype(numpy.float64)[:, None]


def _labels(model: TableModel, table: Table, target: numpy.ndarray) -> dict[str, list[str]]:
    """Return what the inputs of the network are called, each with the row's own cell, and the target."""
    from stepgrad.data.table.columns import cell_text

    def label(name: str, origin: str) -> str:
        cell = cell_text(table.column(origin), 0)
        return f"{name}, {cell}" if cell and name == origin else name

    inputs = model.preparation.inputs
    numbers = [label(each.name, each.origin) for each in inputs if each.array == "numbers"]
    codes = [label(each.name, each.origin) for each in inputs if each.array == "codes"]
    labels = {"x1": numbers, "x2": codes} if codes else {"x": numbers}
    return {**labels, "y": model.classes or [_target_label(model, target)]}


def _target_label(model: TableModel, target: numpy.ndarray) -> str:
    """Return the column that is predicted, and how its number became the one that the loss takes."""
    from stepgrad.data.table.target import NumberTarget
    from stepgrad.explain.row import standardised

    known, value = model.preparation.target, float(target[0, 0])
    assert isinstance(known, NumberTarget)
    formula = standardised(_cell(known, value), known.mean, known.scale, value)
    return f"{model.target}: {formula}" if formula else model.target


def _format_of(out: str | None) -> str:
    return "terminal" if out is None else _SUFFIXES.get(Path(out).suffix.lower(), "terminal")


def _write(output: Output, worked: Worked, shape: str, out: str | None) -> None:
    from stepgrad.explain.render.terminal import terminal

    words = output.words
    if shape == "terminal" and out is None:
        output.print(*terminal(worked, words))
        return
    text = {
        "terminal": lambda: "\n".join(line.plain for line in terminal(worked, words)) + "\n",
        "markdown": lambda: worked.markdown(words.language),
        "html": lambda: worked.html(words.language),
        "json": lambda: json.dumps(worked.to_dict(), ensure_ascii=False, allow_nan=False) + "\n",
    }[shape]()
    if out is None:
        click.echo(text, nl=False)
        return
    from stepgrad.files.atomic import write_atomically

    write_atomically(Path(out), text.encode())
    output.note(words("{count:line/lines} written to {path}", count=len(worked), path=out))
