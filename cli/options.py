"""Options and arguments that several commands share, and their shell completion."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from archspec import api
from archspec.diagnostics import fail

F = TypeVar("F", bound=Callable[..., Any])


def complete_reference(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Families and variants, else files."""
    family, colon, _ = incomplete.partition(":")
    if colon and family in api.families():
        names = [network.reference for network in api.networks(family)]
    else:
        names = api.families()
    return _completions(names, incomplete)


def complete_recipe(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Recipes that come with archspec, else files."""
    return _completions(api.recipes(), incomplete)


def _completions(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


reference = click.argument("reference", metavar="REF", shell_complete=complete_reference)
settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a param of the spec (classes=10, input=[64,64,3]) or a key of its recipe (train.epochs=5).",
)
recipe = click.option(
    "--recipe",
    metavar="FILE",
    shell_complete=complete_recipe,
    help="A recipe that replaces `train:` of the spec: a file, or the name of one that comes with archspec.",
)
data = click.option(
    "--data",
    required=True,
    metavar="DATA",
    help="Labelled images: a data source, as for `archspec train`.",
)
devices = click.option(
    "--devices",
    metavar="N|all|cpu:N",
    help="Number of GPUs to use. Without GPUs, or with `cpu:N`, the number of logical CPU devices.  "
    "[default: all GPUs, or one CPU device]",
)
skip_bad_images = click.option("--skip-bad-images", is_flag=True, help="Leave out files that cannot be decoded.")
adapt_input = click.option(
    "--adapt-input",
    is_flag=True,
    help="Adapt weights to another number of input channels: sum or repeat the kernel of the first convolution.",
)


def _use_custom(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> None:
    for name in names:
        api.use_custom(name)


custom = click.option(
    "--custom",
    multiple=True,
    expose_value=False,
    callback=_use_custom,
    metavar="MODULE:CLASS",
    help="Import a class of your own that the model file names: from MODULE.py in this folder, or installed.",
)
overwrite = click.option("--overwrite", is_flag=True, help="Replace an existing file.")


def cluster(function: F) -> F:
    """`--worker I --workers HOST:PORT,...`."""
    number = click.option(
        "--worker",
        type=click.IntRange(min=0),
        metavar="I",
        help="The number of this worker among --workers, counted from 0.",
    )
    every = click.option(
        "--workers", metavar="HOST:PORT,...", help="The addresses of all workers, in the same order on each of them."
    )
    return number(every(function))


def seed(meaning: str) -> Callable[[F], F]:
    """`--seed N`, in the range that NumPy and Keras accept."""
    return click.option(
        "--seed",
        type=click.IntRange(0, 2**32 - 1),
        metavar="N",
        default=0,
        show_default=True,
        help=f"{meaning}.",
    )


def count_option(flag: str, default: int, meaning: str, *, metavar: str = "N", least: int = 1) -> Callable[[F], F]:
    """An option that takes a whole number of at least `least`."""
    return click.option(
        flag, type=click.IntRange(min=least), metavar=metavar, default=default, show_default=True, help=f"{meaning}."
    )


def format_option(*formats: str) -> Callable[[F], F]:
    """`--format`; the first format is the default."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Output format.",
    )


def load(reference: str, texts: tuple[str, ...], recipe: str | None = None) -> api.Network:
    """The network of a REF with `--set` and `--recipe`."""
    given = api.parse_settings(texts)
    if "recipe" in given:
        raise fail("setting", "`recipe` is not a param, so `--set` cannot change it", help="use `--recipe FILE`")
    return api.load(reference, recipe=recipe, **given)


def program() -> str:
    """The command that runs archspec: its name if the shell finds it on PATH, else the path it was called with."""
    called = sys.argv[0]
    if os.path.basename(called) != "archspec":
        return f"{shlex.quote(os.path.relpath(sys.executable))} -m archspec"
    import shutil  # which imports all compression libraries

    found = shutil.which("archspec")
    if os.sep not in called or (found and os.path.realpath(found) == os.path.realpath(called)):
        return "archspec"
    return shlex.quote(called)
