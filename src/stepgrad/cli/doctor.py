"""``stepgrad doctor``: what went wrong in a training run, why, and what helps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stepgrad.cli.help import Command
from stepgrad.cli.options import json_option, lang_option, quiet_option
from stepgrad.cli.output import Output
from stepgrad.cli.problems import BadInput
from stepgrad.cli.runs import other_run
from stepgrad.errors import FileError

if TYPE_CHECKING:
    from stepgrad.train.health import Health
    from stepgrad.words.language import Words


@click.command(
    cls=Command,
    short_help="Says what went wrong in a training run.",
    help=(
        "Says what went wrong in a training run: gradients that vanish or explode, units that are dead or "
        "saturated, steps that are too long or too short, over- and underfitting; each with its numbers, its "
        "cause, and a change that was tried on a copy of the network."
    ),
    arguments=[("RUN", "The folder of a run.")],
    examples=[
        ("stepgrad doctor runs/houses-1", "findings, and the layers while they learned"),
        ("stepgrad doctor runs/houses-1 --json", "for programs"),
    ],
)
@click.argument("run", type=click.Path())
@json_option
@quiet_option
@lang_option
@click.pass_obj
def doctor(output: Output, run: str) -> None:
    """Read what was measured, then say it."""
    from stepgrad.train.health import Health
    from stepgrad.train.table.failed import HEALTH_NAME

    said = _read(run, HEALTH_NAME)
    if output.json:
        output.json_object({**said, "run": run})
        return
    try:
        health = Health.from_json(said)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FileError(f"'{Path(run) / HEALTH_NAME}' is damaged: {error}.") from None
    _print(health, output)


def _read(run: str, name: str) -> dict[str, Any]:
    """Return what the file holds. Raises `BadInput` if there is none, `FileError` if it is damaged."""
    path = Path(run) / name
    if not path.is_file():
        if not Path(run).exists():
            raise BadInput(f"there is no run '{run}'.{other_run(run)}")
        raise BadInput(f"'{run}' is not the folder of a finished run: it has no {name}.{other_run(run)}")
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FileError(f"'{path}' is damaged: {error}.") from None
    if not isinstance(said, dict) or said.get("version") != 1:
        raise FileError(f"'{path}' is damaged: it is no object of version 1.")
    return said


def _print(health: Health, output: Output) -> None:
    words = output.words
    if not health.findings:
        output.result(words("Nothing is wrong."))
    for finding in health.findings:
        lines = [finding.measured(words), finding.cause(words), *health.tried(finding, words)]
        output.print(finding.heading(words), *(f"  {line}" for line in lines if line), "")
    if health.measurements and not output.quiet:
        output.print(_layers(health, words))


def _layers(health: Health, words: Words) -> Any:
    """Return a table of the layers: the norm of their gradients first and last, and a typical step."""
    from rich.table import Table

    from stepgrad.words.numbers import number

    first, last = health.measurements[0], health.measurements[-1]
    table = Table(box=None, pad_edge=False)
    table.add_column(words("layer"))
    looks = (first, last) if last is not first else (last,)
    for look in looks:
        table.add_column(words("gradient, epoch {epoch}", epoch=look.epoch), justify="right")
    table.add_column(words("a typical step over the weights"), justify="right")
    for before, now in zip(first.layers, last.layers):
        typical = health.typical_update(now.path)
        update = "" if typical is None else number(typical, 2)
        norms = [number(layer.gradient, 2) for layer in (before, now)[-len(looks) :]]
        table.add_row(f"{now.path} {now.kind}", *norms, update)
    return table
