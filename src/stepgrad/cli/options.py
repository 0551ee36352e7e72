"""Options that several commands have, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

import click

from stepgrad.cli.output import Output
from stepgrad.words.language import LANGUAGES

F = TypeVar("F", bound=Callable[..., Any])


def given_options(names: Collection[str]) -> list[str]:
    """Return which of the options with these names the command line of this command has, as ``--name``."""
    context = click.get_current_context()
    given = [p for p in context.command.params if p.name in names and _is_given(context, p.name)]
    return [parameter.opts[0] for parameter in given]


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def lang_option(function: F) -> F:
    """Add ``--lang``. Its value was looked up before the commands were, so here it is only checked and
    listed.
    """
    return click.option(
        "--lang",
        type=click.Choice(LANGUAGES),
        expose_value=False,
        help="Language of what you read: en or ko.",
    )(function)


def json_option(function: F) -> F:
    """Add ``--json``, which sets `Output.json`."""
    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_set("json"),
        help="Print one JSON object for programs.",
    )(function)


def quiet_option(function: F) -> F:
    """Add ``--quiet``, which sets `Output.quiet`."""
    return click.option(
        "--quiet",
        "-q",
        is_flag=True,
        expose_value=False,
        callback=_set("quiet"),
        help="Say nothing but the result.",
    )(function)


def _set(field: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        output = context.find_object(Output)
        if output is not None and value:
            setattr(output, field, True)

    return callback


class HiddenLayers(click.ParamType):
    """The units of the hidden layers, such as ``64,64``; ``none`` is a linear model."""

    name = "units"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return whole numbers from a text."""
        if isinstance(value, tuple):
            return value
        if value.strip().lower() == "none":
            return ()
        try:
            return tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(
                f"'{value}' is no list of whole numbers such as 64,64, and not 'none' either", param, ctx
            )
