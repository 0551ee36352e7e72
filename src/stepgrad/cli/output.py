"""Where a command says what: results on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from stepgrad.cli.signs import lacks_signs
from stepgrad.errors import FileError
from stepgrad.words.language import Words

if TYPE_CHECKING:
    import rich.console

PIPE_CLOSED = 141  # 128 + 13, the exit code of a program that SIGPIPE ends


@dataclass
class Output:
    """What the commands of one process share: the language, and how much is said. `click` hands it along."""

    words: Words
    json: bool = False
    quiet: bool = False

    def result(self, text: str) -> None:
        """Write a line of the result to stdout. Raises `FileError` if it cannot be written."""
        with writing_results():
            click.echo(text)

    def json_object(self, value: dict[str, Any]) -> None:
        """Write the one object of ``--json`` to stdout."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        self.result(json.dumps(value, allow_nan=False) if lacks_signs(text) else text)

    def note(self, text: str) -> None:
        """Write a line to stderr, unless the person wants quiet."""
        if not self.quiet:
            self.tell(text)

    def tell(self, text: str) -> None:
        """Write a line to stderr that a person must not miss."""
        to_stderr(text)

    def notes(self, sentences: Iterable[str]) -> None:
        """Write sentences of the library to stderr, in the person's language."""
        for sentence in sentences:
            self.note(self.words("Note: {text}", text=self.words.sentence(sentence)))

    def warning(self, text: str) -> None:
        """Write a warning of the library to stderr."""
        self.tell(self.words("Warning: {text}", text=self.words.sentence(text)))

    def error(self, text: str) -> None:
        """Write what went wrong to stderr, in one line."""
        one_line = re.sub(r"\s*\n\s*", " ", text)
        self.tell(self.words("Error: {text}", text=self.words.sentence(one_line)))

    def print(self, *parts: Any) -> None:
        """Write readable parts to stdout, without the spaces at the ends of lines that nobody sees."""
        console = self.console()
        with writing_results(), console.capture() as captured:
            console.print(*parts, sep="\n")
        self.result("\n".join(line.rstrip() for line in captured.get().splitlines()))

    def console(self) -> rich.console.Console:
        """Return the console for readable results on stdout; plain text where it is no terminal."""
        from rich.console import Console

        return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


@contextlib.contextmanager
def writing_results() -> Iterator[None]:
    """Within it results are written to stdout. Raises `FileError` if that is impossible, and ends the command
    where the reader of a pipe has left.
    """
    try:
        yield
    except BrokenPipeError:
        write_no_more(sys.stdout)
        raise click.exceptions.Exit(PIPE_CLOSED) from None
    except OSError as error:
        write_no_more(sys.stdout)
        raise FileError(f"cannot write to standard output: {error.strerror or error}.") from None


def to_stderr(text: str) -> None:
    """Write a line to stderr. Where that is impossible (a full disk, a closed pipe) it is lost: nothing that
    is told there is worth the end of a run.
    """
    try:
        click.echo(text, err=True)
    except OSError:
        write_no_more(sys.stderr)


def interrupted_code(error: BaseException) -> int:
    """Return the exit code of a run that Ctrl-C (130) or SIGTERM (143) ended."""
    return getattr(error, "exit_code", 130)


def write_no_more(stream: Any) -> None:
    """Lead a stream nowhere, so that Python does not try to write the rest when it ends."""
    with contextlib.suppress(OSError, ValueError):  # a stream in memory has no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Warnings(logging.Handler):
    """Shows on stderr what the library logs as a warning."""

    def __init__(self, output: Output) -> None:
        super().__init__(logging.WARNING)
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        self._output.warning(record.getMessage())
