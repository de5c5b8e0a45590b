"""`archspec COMMAND`: finds the command, and converts every error to a message and an exit status.

Exit status: 0 success, 1 an error in the input, 2 wrong usage, 130 interrupted, 143 ended by SIGTERM.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from archspec.cli.terminal import SentenceGroup, print_diagnostics, print_in_any_encoding, terminal_width
from archspec.diagnostics import ArchspecError, Diagnostic, did_you_mean, printable
from archspec.format import fitted
from archspec.interrupt import exit_on_interrupt, raise_on_interrupt
from archspec.version import __version__
from archspec.wording import command_line

COMMANDS = {
    "check": "Check specs for errors: syntax, shapes, recipes, and the figures they expect.",
    "list": "List the networks that come with archspec, with their parameters and MACs.",
    "schema": "Print the JSON Schema (draft-07) of a spec, for editors.",
    "summarize": "Show every layer of a network: shapes, parameters, MACs, memory, receptive field.",
    "plan": "Estimate whether training fits into memory, with an upper bound on its speed.",
    "diff": "Compare two networks layer by layer: arguments, shapes, inputs and totals.",
    "draw": "Draw networks: layers and edges, feature maps, or the table of the paper.",
    "compare": "Compare networks and runs: cost, error rates, speed, learning curves, recipes.",
    "from-keras": "Write the spec of a Keras model: the reverse of `archspec build`.",
    "convolutionalize": "Convert a network into a fully convolutional one, which takes images of any size, "
    "with the same weights.",
    "data": "Check all images of a data source, or preview what a network will see.",
    "build": "Build the Keras model of a network and save it, with initial weights or the weights of a file.",
    "train": "Train a network with its recipe, and write a run directory.",
    "evaluate": "Evaluate model files, run directories or saved predictions (.npz) with the evaluation protocols "
    "of papers.",
    "report": "Write a report of a training run as one HTML file, which opens in any browser, or as Markdown.",
    "predict": "Predict the classes of image files, or of all images in a folder.",
    "explain": "Explain what a trained network does with images: heat maps, gradients, features, and the numbers "
    "behind them.",
    "lab": "Run a classroom experiment: a claim about convolutional networks, tested on small data in minutes.",
    "export": "Export a trained model for programs without archspec, as a new numbered version in a folder: DIR/1.",
    "serve": "Serve a model over HTTP: a page to try images on, and TensorFlow Serving's REST API.",
    "completion": "Print a script that completes archspec commands in a shell.",
}
"""Command -> the first sentence of its help, which a list of commands shows without importing them."""


class Commands(SentenceGroup):
    """Imports the module of a command when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def summaries(self, ctx: click.Context) -> dict[str, str]:
        return COMMANDS

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"archspec.cli.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        with fitted(terminal_width()), command_line():
            return super().invoke(ctx)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if "" in args[1:]:
            number = args.index("", 1)
            raise click.UsageError(
                f"Argument {number} of `archspec {args[0]}` is empty; is a shell variable unset?", ctx
            )
        try:
            found = super().resolve_command(ctx, args)
            raise_on_interrupt()  # the modules of the command are imported
            return found
        except click.UsageError as error:
            from archspec.cli.usage_hints import command_meant

            remedy = did_you_mean(args[0], COMMANDS) or command_meant(args[0])
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
    exit_on_interrupt()
    with contextlib.suppress(OSError, AttributeError):  # a closed stream
        sys.stdout.flush()
        sys.stderr.flush()
    if "keras" in sys.modules:  # which has threads and files to close
        sys.exit(status)
    os._exit(status)


def run() -> int:
    """Run the command that `sys.argv` names, and return its exit status."""
    print_in_any_encoding()
    try:
        status = cli.main(prog_name="archspec", standalone_mode=False)
        if sys.stdout:
            sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.UsageError as error:
        from archspec.cli.usage_hints import usage_hint

        fact = error.format_message().rstrip(".")
        if isinstance(error, click.NoSuchOption):  # without similar words, which mean something else
            fact = f"No such option '{error.option_name}'"
        hint = usage_hint(error, sys.argv[1:])
        (click.UsageError(f"{fact}. {hint}", error.ctx) if hint else error).show()
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
        import json

        if "--format=json" in arguments or ("--format", "json") in itertools.pairwise(arguments):
            click.echo(json.dumps({"errors": [diagnostic.to_json() for diagnostic in error.diagnostics]}))
        else:
            print_diagnostics(error.diagnostics)
        return 1
    except Exception as error:
        if os.environ.get("ARCHSPEC_DEBUG"):
            raise
        if is_interrupt(error):
            return 130
        if (of_system := system_error(error)) is not None:
            print_diagnostics([of_system])
        else:
            click.echo(f"error[internal]: {type(error).__name__}: {error}\n  = help: {REPORT}", err=True)
        return 1


def system_error(error: Exception) -> Diagnostic | None:
    """The diagnostic for an error of the operating system, which is no bug of archspec."""
    if isinstance(error, MemoryError):
        return Diagnostic("out-of-memory", "there is not enough memory for this command")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return Diagnostic("cannot-write", "the disk of the output is full")
    if isinstance(error, OSError) and error.filename and error.strerror:
        # a folder that may not be entered, a name that is too long
        file = printable(os.fsdecode(error.filename))
        return Diagnostic("cannot-access", f"cannot access `{file[:200]}`: {error.strerror.lower()}")
    return None


def is_interrupt(error: BaseException | None) -> bool:
    """Whether an error was caused by Ctrl-C, as in the body of a class, which wraps every exception."""
    seen: set[int] = set()  # a chain may be a circle
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


REPORT = "this is a bug in archspec; run it again with ARCHSPEC_DEBUG=1 and report the traceback"
