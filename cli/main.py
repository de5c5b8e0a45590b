"""`archspec COMMAND`: finds the command, and turns every error into a message and an exit status.

Exit status: 0 success, 1 an error in the input, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from archspec.api import recipe_setting
from archspec.cli.terminal import SentenceGroup, print_diagnostics
from archspec.diagnostics import ArchspecError, did_you_mean
from archspec.version import __version__

COMMANDS = (
    "check",
    "list",
    "schema",
    "summarize",
    "plan",
    "diff",
    "from-keras",
    "convolutionalize",
    "data",
    "build",
    "train",
    "evaluate",
    "predict",
    "export",
    "completion",
)


class Commands(SentenceGroup):
    """Imports the module of a command when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"archspec.cli.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            remedy = did_you_mean(args[0], COMMANDS)
            raise click.UsageError(f"{error.message} {remedy or ''}".rstrip(), ctx) from None


@click.command(
    cls=Commands,
    epilog="A REF names a network: FAMILY:VARIANT (`vgg:D`), or a spec of your own with or without a variant "
    "(`./net.yaml`, `./net.yaml:small`).",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="archspec")
def cli() -> None:
    """Define convolutional networks as YAML specs: check, summarize, train, evaluate and export them."""


def main() -> NoReturn:
    """The console script. It skips Python's cleanup at exit, which takes a tenth of the time of a short command."""
    status = run()
    with contextlib.suppress(OSError, AttributeError):  # a closed stream
        sys.stdout.flush()
        sys.stderr.flush()
    if "keras" in sys.modules:  # which has threads and files to close
        sys.exit(status)
    os._exit(status)


def run() -> int:
    """Run the command that `sys.argv` names, and return its exit status."""
    try:
        status = cli.main(prog_name="archspec", standalone_mode=False)
        if sys.stdout:
            sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.NoSuchOption as error:
        hint = recipe_key(error)
        (click.UsageError(f"{error.format_message()} {hint}", error.ctx) if hint else error).show()
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:  # `archspec list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ArchspecError as error:
        arguments = sys.argv[1:]
        if "--format=json" in arguments or ("--format", "json") in itertools.pairwise(arguments):
            click.echo(json.dumps({"errors": [diagnostic.to_json() for diagnostic in error.diagnostics]}))
        else:
            print_diagnostics(error.diagnostics)
        return 1
    except Exception as error:
        if os.environ.get("ARCHSPEC_DEBUG"):
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            lines = ["error[cannot-write]: the disk of the output is full"]
        else:
            lines = [f"error[internal]: {type(error).__name__}: {error}", f"  = help: {REPORT}"]
        click.echo("\n".join(lines), err=True)
        return 1


REPORT = "this is a bug in archspec; run it again with ARCHSPEC_DEBUG=1 and report the traceback"


def recipe_key(error: click.NoSuchOption) -> str | None:
    """A hint for `--learning-rate 0.1` or `--weight-decay 5e-4`, if the command has `--set`."""
    options = [option for each in (error.ctx.command.params if error.ctx else ()) for option in each.opts]
    setting = recipe_setting(error.option_name.lstrip("-").replace("-", "_")) if "--set" in options else None
    return f"Write `--set {setting}=...`." if setting else None
