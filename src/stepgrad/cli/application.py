"""The command `stepgrad`: its subcommands, the language, and what happens when something goes wrong."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any

import click

from stepgrad.cli.check import check
from stepgrad.cli.completion import completion
from stepgrad.cli.doctor import doctor
from stepgrad.cli.evaluate import evaluate
from stepgrad.cli.explain import explain
from stepgrad.cli.help import Group
from stepgrad.cli.options import lang_option
from stepgrad.cli.output import (
    PIPE_CLOSED,
    Output,
    Warnings,
    interrupted_code,
    to_stderr,
    write_no_more,
    writing_results,
)
from stepgrad.cli.predict import predict
from stepgrad.cli.problems import BadInput
from stepgrad.cli.signs import lookalikes
from stepgrad.cli.train import train
from stepgrad.cli.tune import tune
from stepgrad.errors import StepgradError, suggest
from stepgrad.version import __version__
from stepgrad.words.language import Words, choose_language

USAGE = 2


def _version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(f"stepgrad {__version__}")
        context.exit()


@click.group(
    cls=Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 110},
    help="Trains neural networks on your own tables, and uses them.",
)
@lang_option
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
@click.pass_context
def stepgrad(context: click.Context) -> None:
    """Hold the commands together; without one, show what there is."""
    if context.invoked_subcommand is None:
        to_stderr(context.get_help())
        context.exit(USAGE)


for _command in (train, tune, predict, evaluate, explain, check, doctor, completion):
    stepgrad.add_command(_command)


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code; errors are said in one line on stderr."""
    with lookalikes():
        return _run(arguments)


def _run(arguments: list[str]) -> int:
    output = Output(Words())
    try:
        output.words = Words(choose_language(_asked_language(arguments)))
        with _warnings_shown(output):
            code = _main(arguments, output)
        with writing_results():
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (click.Abort, KeyboardInterrupt) as error:
        output.tell(output.words("Interrupted."))
        return interrupted_code(error.__cause__ or error)
    except click.UsageError as error:
        _say_usage_error(error, output)
        return error.exit_code
    except click.ClickException as error:
        output.error(error.format_message())
        return error.exit_code
    except click.exceptions.Exit as error:
        return error.exit_code
    except StepgradError as error:
        output.error(str(error))
        return error.exit_code
    except MemoryError:
        output.error("there is not enough memory for this; free some, or use fewer rows.")
        return 1
    except OSError as error:
        reason = error.strerror or str(error)
        if error.filename:
            output.error(f"cannot read or write '{error.filename}': {reason}.")
        else:
            output.error(f"cannot read or write: {reason}.")
        return 1


def _main(arguments: list[str], output: Output) -> Any:
    """Run a command. Where the reader of a pipe has left, `click` puts other streams in place and exits with
    1, an error, which that is not.
    """
    streams = sys.stdout, sys.stderr
    try:
        return stepgrad.main(arguments, prog_name="stepgrad", obj=output, standalone_mode=False)
    except SystemExit:
        if sys.stdout is streams[0]:
            raise
        sys.stdout, sys.stderr = streams
        write_no_more(sys.stdout)
        return PIPE_CLOSED


def _asked_language(arguments: list[str]) -> str | None:
    """Return the value of ``--lang``, wherever it stands, so that errors in the command line are in it."""
    for i, argument in enumerate(arguments):
        if argument == "--lang" and i + 1 < len(arguments):
            return arguments[i + 1]
        if argument.startswith("--lang="):
            return argument.removeprefix("--lang=")
    return None


@contextlib.contextmanager
def _warnings_shown(output: Output) -> Iterator[None]:
    logger, handler = logging.getLogger("stepgrad"), Warnings(output)
    propagated = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated


def _say_usage_error(error: click.UsageError, output: Output) -> None:
    message = error.format_message()
    if isinstance(error, click.NoSuchOption):
        names = [] if error.ctx is None else _option_names(error.ctx)
        message = f"there is no option '{error.option_name}'.{suggest(error.option_name, names)}"
    output.error(message)
    if error.ctx is not None and not isinstance(error, BadInput):
        path = error.ctx.command_path
        output.tell(output.words("Help: {command}", command=f"{path} --help"))


def _option_names(context: click.Context) -> list[str]:
    return [name for parameter in context.command.get_params(context) for name in parameter.opts]
