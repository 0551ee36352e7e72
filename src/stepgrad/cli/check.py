"""``stepgrad check``: the first wrong line of a hand calculation, what it should be, and the likely slip."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stepgrad.cli.help import Command
from stepgrad.cli.options import given_options, json_option, lang_option, quiet_option
from stepgrad.cli.output import Output
from stepgrad.cli.problems import BadInput
from stepgrad.errors import DataError, suggest_file

if TYPE_CHECKING:
    from stepgrad.explain.hand import WorkChecked, Wrong
    from stepgrad.explain.worked import Worked

_LOSSES = {"bce": "BCELoss", "bce_logits": "BCEWithLogitsLoss", "cross_entropy": "CrossEntropyLoss",
           "mse": "MSELoss", "mae": "L1Loss", "huber": "HuberLoss"}  # fmt: skip
_OF_A_MODEL = ("model", "inputs", "target", "loss", "optimizer", "lr")
_NOT_ALL_READ = 3
_OPTIMIZERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "adagrad": "Adagrad"}


@click.command(
    cls=Command,
    short_help="Checks a hand calculation of a training step.",
    help=(
        "Reads a training step that was worked out by hand, and names the first wrong line, what it should "
        "be, and the likely slip. Without --model it is the step of the 2-2-1 example network. Exit code 0: "
        "all lines are right; 1: one is wrong; 2: the work cannot be read; 3: none is wrong, but not all "
        "that is stated could be checked."
    ),
    arguments=[
        (
            "WORK",
            (
                "A file with lines name = expression = value (text, Markdown, LaTeX) or a table of quantity, "
                "formula, value (CSV, JSON, Markdown); - reads standard input."
            ),
        )
    ],
    examples=[
        ("stepgrad check homework.md", "the example network"),
        ("stepgrad check work.csv --model net.safetensors --input 0.6,-1.2 --target 1 --lr 0.5", "your own"),
    ],
)
@click.argument("work", type=click.Path())
@click.option(
    "--run", metavar="RUN", type=click.Path(), help="The step of a run's network on a row of its table."
)
@click.option("--data", metavar="DATA", type=click.Path(), help="Another table with the row.")
@click.option("--row", type=click.IntRange(min=1), default=1, show_default=True, help="The row of the table.")
@click.option("--layer", metavar="LAYER", help="Only this layer: its number from 1, or its path.")
@click.option("--neuron", type=click.IntRange(min=0), help="Only this neuron, counted from 0.")
@click.option(
    "--path", metavar="WEIGHT", help="Only the way from one weight, such as 0.weight[3,1], to the loss."
)
@click.option("--model", metavar="FILE", type=click.Path(), help="A model that stepgrad.save wrote.")
@click.option(
    "--input", "inputs", metavar="NUMBERS", help="The input, as 1,0.5; rows are parted by semicolons."
)
@click.option("--target", metavar="NUMBERS", help="The target, in the same form.")
@click.option("--loss", type=click.Choice(list(_LOSSES)), default="bce", help="The loss; bce by default.")
@click.option(
    "--optimizer", type=click.Choice(list(_OPTIMIZERS)), default="sgd", help="The optimizer; sgd by default."
)
@click.option("--lr", type=float, default=1.0, help="The learning rate; 1 by default.")
@json_option
@quiet_option
@lang_option
@click.pass_context
def check(context: click.Context, /, work: str, **step: Any) -> None:
    """Read the work, check it, and say what is wrong first."""
    from stepgrad.explain.hand import check_work

    output: Output = context.obj
    text = _text(work)
    worked = _worked(output, step)
    try:
        checked = check_work(worked, text, file_name=Path(work).name)
    except DataError as error:
        reason = output.words.sentence(str(error))
        raise BadInput(f"'{work}' cannot be checked: {reason}") from None
    if output.json:
        output.json_object(_to_json(checked, work))
    else:
        _say(checked, output)
    context.exit(0 if checked.is_complete else _NOT_ALL_READ if checked.ok else 1)


def _text(work: str) -> str:
    try:
        content = sys.stdin.buffer.read() if work == "-" else Path(work).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise BadInput(f"there is no file '{work}'.{suggest_file(work)}") from None
    except (IsADirectoryError, PermissionError):
        if not Path(work).is_dir():  # what Windows says of a folder is said of other files, too
            raise
        raise BadInput(f"'{work}' is a folder; name the file with the work.") from None
    for encoding in ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp949"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not any(ord(sign) < 32 and not sign.isspace() for sign in text):
            return text
    raise BadInput(f"'{work}' is no text file.")


def _worked(output: Output, step: dict[str, Any]) -> Worked:
    """Return the step that was worked out by hand. Raises `BadInput` for one that is not fully named."""
    if step["run"] is not None:
        if others := given_options(_OF_A_MODEL):
            raise BadInput(f"name either --run or {others[0]}, not both.")
        from stepgrad.cli.explain import explain_row, layer_of
        from stepgrad.explain.selection import TooManyNumbers

        part: dict[str, Any] = {
            "layout": "scalar",
            "layer": layer_of(step["layer"]),
            "neuron": step["neuron"],
            "path": step["path"],
        }
        try:
            return explain_row(output, step["run"], step["data"], step["row"], None, part)
        except TooManyNumbers as error:
            raise BadInput(
                f"this step has {error.count:,} numbers, too many for work by hand; say which part of it was "
                f"worked out by --layer, --neuron or --path."
            ) from None
    for name in given_options(("data", "row", "layer", "neuron", "path")):
        raise BadInput(f"{name} goes with --run.")
    if step["model"] is None:
        for name in given_options(("loss", "optimizer", "lr")):
            raise BadInput(f"{name} goes with --model.")
        if step["inputs"] is not None or step["target"] is not None:
            raise BadInput("name the --model that --input and --target belong to.")
        from stepgrad.explain.example import example_step

        return example_step()
    if step["inputs"] is None or step["target"] is None:
        raise BadInput("name both --input and --target of the step.")
    from stepgrad import nn, optim
    from stepgrad.explain import explain

    network = _load(step["model"])
    x, y = _numbers(step["inputs"], "--input"), _numbers(step["target"], "--target")
    loss, rule = _LOSSES[step["loss"]], _OPTIMIZERS[step["optimizer"]]
    target = _tensor([int(row[0]) for row in y] if step["loss"] == "cross_entropy" else y)
    optimizer = getattr(optim, rule)(network.parameters(), lr=step["lr"])
    return explain(network, getattr(nn, loss)(), optimizer, x, target, layout="scalar")


def _load(model: str) -> Any:
    from stepgrad.files import load

    if not Path(model).is_file():
        raise BadInput(f"there is no file '{model}'.{suggest_file(model)}")
    return load(model)


def _numbers(text: str, option: str) -> list[list[float]]:
    try:
        rows = [[float(number) for number in row.split(",")] for row in text.split(";")]
    except ValueError:
        raise BadInput(f"{option} is no list of numbers such as 1,0.5: '{text}'.") from None
    if len({len(row) for row in rows}) > 1:
        raise BadInput(f"the rows of {option} have different numbers of columns: '{text}'.")
    return rows


def _tensor(y: list[Any]) -> Any:
    from stepgrad.arrays import dtypes
    from stepgrad.functions.creation import tensor

    return tensor(y, dtype=dtypes.int64 if isinstance(y[0], int) else dtypes.float64)


def _to_json(checked: WorkChecked, work: str) -> dict[str, Any]:
    return {
        "version": 1, "work": work, "ok": checked.ok, "complete": checked.is_complete,
        "right": checked.right, "lines": checked.lines, "not_read": checked.not_read,
        "wrong": None if checked.wrong is None else checked.wrong.to_json(),
        "unknown": [entry.text for entry in checked.unknown],
        "remarks": [{"line": r.place, "kind": r.kind, "text": r.text} for r in checked.remarks],
        "words": [entry.place for entry in checked.words],
    }  # fmt: skip


def _say(checked: WorkChecked, output: Output) -> None:
    words = output.words
    for remark in checked.remarks:
        output.note(f"{remark.sentence(words)}.".replace("..", "."))
    if checked.words:
        places = ", ".join(dict.fromkeys(str(entry.place) for entry in checked.words))
        output.note(words("Lines that state nothing to check: {lines}", lines=places))
    if checked.wrong is not None:
        _say_wrong(checked.wrong, checked, output)
    elif checked.is_complete:
        output.result(words("All is right: {count:line/lines} checked.", count=checked.lines))
    else:
        text = "No mistake found: {count:line/lines} checked, {left:line/lines} not or not wholly read."
        output.result(words(text, count=checked.lines, left=checked.not_read))


def _say_wrong(wrong: Wrong, checked: WorkChecked, output: Output) -> None:
    words = output.words
    output.result(words("Line {line} is wrong: {text}", line=str(wrong.entry.place), text=wrong.entry.text))
    values = {"symbol": wrong.symbol, "right": wrong.text, "said": wrong.said}
    if wrong.in_expression:
        output.result(words("  Its expression gives {said}; {symbol} is {right}.", **values))
    else:
        output.result(words("  {symbol} is {right}, not {said}.", **values))
    if wrong.formula:
        output.result(f"  {wrong.symbol} = {wrong.formula}")
    if wrong.slip is not None:
        output.result(words("  The likely slip: {slip}.", slip=wrong.slip.text(words)))
    else:
        output.result(words("  No common slip gives this number."))
    if checked.not_read and not checked.lines:
        text = "  (Before it {left:line/lines} not or not wholly read.)"
        output.result(words(text, left=checked.not_read))
    elif checked.not_read:
        text = "  (Before it {count:line/lines} checked and right, {left:line/lines} not or not wholly read.)"
        output.result(words(text, count=checked.lines, left=checked.not_read))
    elif checked.lines:
        output.result(words("  ({count:line/lines} before it are right.)", count=checked.lines))
