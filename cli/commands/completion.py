"""`archspec completion SHELL`."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a script that completes archspec commands in a shell.

    For bash, add this line to ~/.bashrc: eval "$(archspec completion bash)"
    """
    from click.shell_completion import get_completion_class

    from archspec.cli.main import cli

    completion = get_completion_class(shell)
    assert completion is not None
    click.echo(completion(cli, {}, "archspec", "_ARCHSPEC_COMPLETE").source())
