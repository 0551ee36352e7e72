"""Where a command says what: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from stepgrad.words.language import Words

if TYPE_CHECKING:
    import rich.console


@dataclass
class Output:
    """What the commands of one process share: the language, and how much is said. `click` hands it along."""

    words: Words
    json: bool = False
    quiet: bool = False

    def result(self, text: str) -> None:
        """Write a line of the result to stdout."""
        click.echo(text)

    def json_object(self, value: dict[str, Any]) -> None:
        """Write the one object of ``--json`` to stdout."""
        click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))

    def note(self, text: str) -> None:
        """Write a line to stderr, unless the person wants quiet."""
        if not self.quiet:
            click.echo(text, err=True)

    def tell(self, text: str) -> None:
        """Write a line to stderr that a person must not miss."""
        click.echo(text, err=True)

    def notes(self, sentences: Iterable[str]) -> None:
        """Write sentences of the library to stderr, in the person's language."""
        for sentence in sentences:
            self.note(self.words("Note: {text}", text=self.words.sentence(sentence)))

    def warning(self, text: str) -> None:
        """Write a warning of the library to stderr."""
        click.echo(self.words("Warning: {text}", text=self.words.sentence(text)), err=True)

    def error(self, text: str) -> None:
        """Write what went wrong to stderr, in one line."""
        one_line = " ".join(self.words.sentence(text).split("\n"))
        click.echo(self.words("Error: {text}", text=one_line), err=True)

    def print(self, *parts: Any) -> None:
        """Write readable parts to stdout, without the spaces at the ends of lines that nobody sees."""
        console = self.console()
        with console.capture() as captured:
            console.print(*parts, sep="\n")
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))

    def console(self) -> rich.console.Console:
        """Return the console for readable results on stdout; plain text where it is no terminal."""
        from rich.console import Console

        return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


class Warnings(logging.Handler):
    """Shows on stderr what the library logs as a warning."""

    def __init__(self, output: Output) -> None:
        super().__init__(logging.WARNING)
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        self._output.warning(record.getMessage())
