"""``stepgrad completion SHELL``: the lines that make a shell complete commands, options and files."""

from __future__ import annotations

import click

from stepgrad.cli.help import Command
from stepgrad.cli.options import lang_option
from stepgrad.cli.output import Output

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    cls=Command,
    short_help="Prints what makes your shell complete commands.",
    help="Prints what makes your shell complete commands, options, columns and files.",
    arguments=[("SHELL", "bash, zsh or fish.")],
    examples=[
        ('eval "$(stepgrad completion bash)"', "in ~/.bashrc"),
        ('eval "$(stepgrad completion zsh)"', "in ~/.zshrc"),
        ("stepgrad completion fish | source", "in ~/.config/fish/config.fish"),
    ],
)
@click.argument("shell", metavar="SHELL", type=click.Choice(_SHELLS))
@lang_option
@click.pass_obj
def completion(output: Output, shell: str) -> None:
    """Print the lines for a shell."""
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root().command
    found = get_completion_class(shell)
    assert found is not None
    output.result(found(root, {}, "stepgrad", "_STEPGRAD_COMPLETE").source())
