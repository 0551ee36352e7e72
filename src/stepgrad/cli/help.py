"""Commands and options whose help is in the person's language and ends with examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from stepgrad.cli.output import Output
from stepgrad.errors import suggest
from stepgrad.words.language import Words

_KOREAN_WIDTH = 0.68
EXAMPLES = (
    ("stepgrad train", "train on handwritten digits, which come along"),
    ("stepgrad train houses.csv --target price", "train on your own table"),
    ("stepgrad predict runs/houses-1 new.csv -o predicted.csv", "predict new rows"),
    ("stepgrad train --help", "see all that training can do"),
)


def words_of(context: click.Context) -> Words:
    """Return the texts in the language of this process."""
    output = context.find_object(Output)
    return output.words if output else Words()


class Command(click.Command):
    """A command with `examples`: pairs of a command line and what it does. `arguments` explains the
    arguments.
    """

    def __init__(
        self,
        *positional: Any,
        arguments: Sequence[tuple[str, str]] = (),
        examples: Sequence[tuple[str, str]] = (),
        **named: Any,
    ) -> None:
        super().__init__(*positional, **named)
        self.arguments, self.examples = arguments, examples

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage, description, arguments, options and examples."""
        words = words_of(ctx)
        _write_head(self, ctx, formatter, words)
        _write_rows(formatter, words("Arguments"), [(name, words(text)) for name, text in self.arguments])
        _write_rows(formatter, words("Options"), list(_options(self, ctx, words)))
        _write_examples(formatter, self.examples, words)


class Group(click.Group):
    """The command `stepgrad` itself: its help lists the commands, and a mistyped one is answered with the
    nearest.
    """

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage, description, commands, options and how to begin."""
        words = words_of(ctx)
        _write_head(self, ctx, formatter, words)
        rows = [(name, words(self.commands[name].short_help or "")) for name in self.commands]
        _write_rows(formatter, words("Commands"), rows)
        _write_rows(formatter, words("Options"), list(_options(self, ctx, words)))
        _write_examples(formatter, EXAMPLES, words)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or raise a usage error that names the nearest one."""
        name = args[0]
        if name in self.commands or name.startswith("-"):
            return super().resolve_command(ctx, args)
        known = ", ".join(self.commands)
        message = f"there is no command '{name}'.{suggest(name, self.commands)} The commands are {known}."
        raise click.UsageError(message, ctx)


def _write_head(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter, words: Words
) -> None:
    if words.language == "ko":
        # Lines are broken by the number of signs, and Hangul is two columns wide.
        formatter.width = round(formatter.width * _KOREAN_WIDTH)
    pieces = " ".join(command.collect_usage_pieces(ctx))
    formatter.write_usage(ctx.command_path, pieces, prefix=f"{words('Usage')}: ")
    formatter.write_paragraph()
    formatter.write_text(words(command.help or ""))


def _options(command: click.Command, ctx: click.Context, words: Words) -> Iterator[tuple[str, str]]:
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if isinstance(parameter, click.Option) and record and parameter.help:
            yield record[0], words(parameter.help)


def _write_rows(formatter: click.HelpFormatter, title: str, rows: list[tuple[str, str]]) -> None:
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)


def _write_examples(
    formatter: click.HelpFormatter, examples: Sequence[tuple[str, str]], words: Words
) -> None:
    """Write each command line below what it does, so that it can be copied as it stands."""
    if examples:
        with formatter.section(words("Examples")):
            for line, text in examples:
                margin = " " * formatter.current_indent
                formatter.write(f"{margin}# {words(text)}\n{margin}{line}\n")
